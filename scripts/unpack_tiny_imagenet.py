"""Unpacks Tiny-ImageNet's parquet shards into the folder layout that others download.

    python scripts/unpack_tiny_imagenet.py SHARDS OUT

SHARDS is a folder with ``train-*.parquet``, ``val.parquet`` (columns ``image``: bytes of a WebP file,
``label``) and ``classes.tsv`` (label, WordNet id, words); OUT gets ``{train,val}/<WordNet id>/<index>.webp``.
A part that stands there already is left as it is; one that was interrupted is unpacked again.
"""

import argparse
import sys
from pathlib import Path

import pyarrow.parquet as pq
from rich.progress import track


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", type=Path, help="the folder with the parquet files and classes.tsv")
    parser.add_argument("out", type=Path, help="the folder to write")
    args = parser.parse_args()
    classes = args.shards / "classes.tsv"
    if not classes.is_file():
        print(f"{classes}: there is no such file; give the folder that holds the shards", file=sys.stderr)
        return 1
    names = [line.split("\t")[1] for line in classes.read_text().splitlines() if line]
    for part in ("train", "val"):
        shards = sorted(args.shards.glob(f"{part}*.parquet"))
        if not shards:
            print(f"{args.shards}: no {part}*.parquet in it", file=sys.stderr)
            return 1
        if (args.out / part).is_dir():
            print(f"{args.out / part}: there already")
            continue
        scratch = args.out / f"{part}.part"
        count = sum(unpack(shard, scratch, names) for shard in track(shards, part))
        scratch.rename(args.out / part)
        print(f"{args.out / part}: {count:,} images")
    return 0


def unpack(shard: Path, out: Path, names: list[str]) -> int:
    """Writes each image of a shard as a file of its class; how many there were."""
    for name in names:
        (out / name).mkdir(parents=True, exist_ok=True)
    written = 0
    for batch in pq.ParquetFile(shard).iter_batches(1000):
        for row in batch.to_pylist():
            (out / names[row["label"]] / f"{shard.stem}-{written:05}.webp").write_bytes(row["image"])
            written += 1
    return written


if __name__ == "__main__":
    sys.exit(main())
