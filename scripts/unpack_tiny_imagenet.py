"""Unpacks the parquet shards of Tiny-ImageNet into its usual folder layout.

    python scripts/unpack_tiny_imagenet.py SHARDS OUT

SHARDS is a folder with ``train-*.parquet``, ``val*.parquet`` (columns ``image``: bytes of a WebP file,
``label``: a line of classes.tsv) and ``classes.tsv`` (label, WordNet id, words), or some of its shards. OUT gets
``{train,val}/<WordNet id>/<shard>-<index>.webp``. The same command again continues where it stopped.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from rich.progress import track


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", type=Path, nargs="+", help="parquet files, or the folder that holds them")
    parser.add_argument("out", type=Path, help="the folder to write")
    args = parser.parse_args()
    step = "looking for shards"
    try:
        for shard in list_shards(args.shards):
            part = args.out / shard.stem.partition("-")[0]
            step = f"{shard} into {part}"
            print(f"{step}: {unpack(shard, part):,} images written")
    except (OSError, ValueError, KeyError, IndexError, pa.ArrowException) as error:
        print(f"unpack_tiny_imagenet: {step}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command continues where it stopped", file=sys.stderr)
        return 130
    return 0


def list_shards(paths: list[Path]) -> list[Path]:
    """The shard files; a folder is replaced by all shards in it."""
    shards = [shard for path in paths for shard in (sorted(path.glob("*.parquet")) if path.is_dir() else [path])]
    if not shards:
        raise FileNotFoundError(f"{paths[0]} holds no *.parquet; give the folder that holds the shards")
    for path in (path for shard in shards for path in (shard, shard.with_name("classes.tsv"))):
        if not path.is_file():
            raise FileNotFoundError(f"there is no {path}; give the shards with their classes.tsv beside them")
    return shards


def unpack(shard: Path, part: Path) -> int:
    """Writes each image of a shard as a file of its class and returns how many are new."""
    classes = shard.with_name("classes.tsv").read_text(encoding="utf-8").splitlines()
    names = [line.split("\t")[1] for line in classes if line]
    for name in names:
        (part / name).mkdir(parents=True, exist_ok=True)
    file = pq.ParquetFile(shard)
    written = 0
    for index, row in enumerate(track(iter_rows(file), shard.stem, total=file.metadata.num_rows)):
        target = part / names[row["label"]] / f"{shard.stem}-{index:05}.webp"
        if not target.exists():
            scratch = target.with_suffix(".part")
            scratch.write_bytes(row["image"])
            scratch.replace(target)
            written += 1
    return written


def iter_rows(file: pq.ParquetFile) -> Iterator[dict]:
    for batch in file.iter_batches(1000):
        yield from batch.to_pylist()


if __name__ == "__main__":
    sys.exit(main())
