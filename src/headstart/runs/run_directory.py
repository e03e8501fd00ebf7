"""The run directory: its file names, written once here, read once here. Torch-free.

A run is complete when ``result.json`` is there with status "finished": it is written last and
atomically, so a half-written file is never mistaken for a whole one.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from headstart.errors import HeadstartError
from headstart.file_names import expand_home
from headstart.files import write_atomically

if TYPE_CHECKING:
    import numpy as np

CONFIG_FILE = "config.yaml"
SPLIT_FILE = "split.json"
METRICS_FILE = "metrics.csv"
PREDICTIONS_FILE = "predictions.parquet"
THUMBNAILS_FILE = "thumbnails.parquet"
TRIALS_FILE = "trials.json"
TRIAL_FOLDER = "trial"  # the folder in which the next one is trained
RESULT_FILE = "result.json"
AUDIT_FILE = "audit.json"  # of a sweep: what may be wrong with its images
IDENTITY_FILE = "identity"
LOCK_FILE = ".lock"
CHECKPOINT_FOLDER = "checkpoints"
BEST_CHECKPOINT = "best.ckpt"
LAST_CHECKPOINT = "last.ckpt"
CLASS_KEY = "headstart_class"  # the key under which a checkpoint names its class, "module:Class"


def best_checkpoint_path(directory: Path) -> Path:
    return directory / CHECKPOINT_FOLDER / BEST_CHECKPOINT


def last_checkpoint_path(directory: Path) -> Path:
    return directory / CHECKPOINT_FOLDER / LAST_CHECKPOINT


def resolve_checkpoint(path: str | Path) -> Path:
    """The checkpoint that a path stands for: a checkpoint itself, or a run directory's chosen model.

    Raises:
        HeadstartError: there is neither, or the run is not finished.
    """
    path = expand_home(path)
    found = best_checkpoint_path(path) if path.is_dir() else path
    if not found.is_file():
        what = (
            f"holds no {CHECKPOINT_FOLDER}/{BEST_CHECKPOINT}; is it a finished run?"
            if path.is_dir()
            else "there is no such file"
        )
        raise HeadstartError(f"{path}: {what}; give a Headstart checkpoint or run directory")
    if path.is_dir() and not read_finished_result(path):
        raise HeadstartError(
            f"{path}: this run has not come to its end; give its command again, or name {CHECKPOINT_FOLDER}/{BEST_CHECKPOINT} as it is"
        )
    return found


def run_of_checkpoint(checkpoint: Path) -> Path | None:
    """The run directory that a checkpoint lies in; None for one on its own."""
    directory = checkpoint.absolute().parent.parent
    return (
        directory
        if best_checkpoint_path(directory).parent == checkpoint.absolute().parent
        and (directory / CONFIG_FILE).is_file()
        else None
    )


def read_training_hashes(directory: Path) -> set[str]:
    """The SHA-256 of each image that the run trained on."""
    rows = json.loads((directory / SPLIT_FILE).read_text(encoding="utf-8"))
    return {row["sha256"] for row in rows if row["part"] == "train"}


def read_config(directory: Path) -> dict[str, Any]:
    """What ``config.yaml`` says; empty where there is none that can be read."""
    import yaml

    try:
        read = yaml.safe_load((directory / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return read if isinstance(read, dict) else {}


def read_result(directory: Path, identity: str | None = None) -> dict[str, Any] | None:
    """What ``result.json`` says; None where there is none, or none that is whole.

    Args:
        directory: the run's.
        identity: of the run that is asked for; None: any.

    Raises:
        HeadstartError: the result is that of another run.
    """
    try:
        read = json.loads((directory / RESULT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not (isinstance(read, dict) and "status" in read):
        return None
    if identity is not None and read["status"] == "finished" and (held := str(read.get("identity"))) != identity:
        raise HeadstartError(
            f"{directory} holds another run ({held[:8]}, not {identity[:8]}); give another directory, or none"
        )
    return read


def read_finished_result(directory: Path, identity: str | None = None) -> dict[str, Any] | None:
    """The result of a run that came to its end; None for any other. See :func:`result`."""
    found = read_result(directory, identity)
    return found if found and found["status"] == "finished" else None


def iter_results(directory: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every run below ``directory`` (itself included) that has a result, in the order of the names."""
    for path in sorted(directory.rglob(RESULT_FILE)):
        if found := read_result(path.parent):
            yield path.parent, found


def read_audits(directory: Path) -> list[dict[str, Any]]:
    """What a sweep's audit found, a folder of images after the other; nothing where there is none that is whole."""
    try:
        read = json.loads((directory / AUDIT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [audit for audit in read if isinstance(audit, dict)] if isinstance(read, list) else []


def find_incomplete_runs(directory: Path) -> Iterator[Path]:
    """Every run below ``directory`` (itself included) that has not come to an end."""
    return (path.parent for path in directory.rglob(IDENTITY_FILE) if not (path.parent / RESULT_FILE).exists())


class BusyError(HeadstartError):
    """Another process is training this run."""


def delete_failed_results(directory: Path) -> None:
    """Takes away what failed runs below ``directory`` said: they are about to be tried again."""
    for place, _ in list(iter_results(directory)):
        delete_failed_result(place)


def delete_failed_result(directory: Path) -> None:
    """Takes away what the run said of its failure, if it failed: it is about to be tried again."""
    if (found := read_result(directory)) and found["status"] == "failed":
        (directory / RESULT_FILE).unlink()


@contextmanager
def lock_run_directory(directory: Path, identity: str, wait: bool = False) -> Iterator[None]:
    """Makes the directory this run's own, and this process's alone while the block runs.

    Args:
        directory: the run's.
        identity: what the run is.
        wait: for another process that works in it.

    Raises:
        BusyError: another process works in it, and nobody would wait.
        HeadstartError: it holds another run, or it cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _refuse_foreign_files(directory)
        lock = FileLock(directory / LOCK_FILE)
        lock.acquire(blocking=wait)
    except Timeout:
        raise BusyError(f"{directory}: another process is training this run; wait for it, or end it") from None
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise HeadstartError(f"{directory}: runs cannot be written here ({error.strerror})") from error
    try:
        _write_identity(directory, identity)
        yield
    finally:
        lock.release()


def _refuse_foreign_files(directory: Path) -> None:
    """Refuses a directory in which a run would overwrite what is not a run's."""
    if not (directory / IDENTITY_FILE).exists():
        for name in (
            CONFIG_FILE,
            SPLIT_FILE,
            METRICS_FILE,
            PREDICTIONS_FILE,
            THUMBNAILS_FILE,
            TRIALS_FILE,
            RESULT_FILE,
            CHECKPOINT_FOLDER,
        ):
            if (directory / name).exists():
                raise HeadstartError(f"{directory} holds a {name} of another origin; give another directory, or none")


def _write_identity(directory: Path, identity: str) -> None:
    marker = directory / IDENTITY_FILE
    held = marker.read_text(encoding="utf-8").strip() if marker.exists() else identity
    # A run that was refused or failed before it kept anything leaves its directory to the next.
    kept = read_result(directory) or any((directory / CHECKPOINT_FOLDER).glob("*.ckpt"))
    if held != identity and kept:
        raise HeadstartError(
            f"{directory} holds another run ({held[:8]}, not {identity[:8]}); give another directory, or none"
        )
    write_text(marker, identity + "\n")
    (directory / CHECKPOINT_FOLDER).mkdir(exist_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes a whole file or nothing, in UTF-8 and with the line ends that ``text`` has."""
    with write_atomically(path) as scratch:
        # A path that is not UTF-8 may stand in a message; for its sake no result is lost.
        scratch.write_bytes(text.encode(errors="backslashreplace"))


def copy_atomically(source: Path, target: Path) -> None:
    """Copies a whole file or nothing."""
    with write_atomically(target) as scratch:
        shutil.copyfile(source, scratch)


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def write_predictions(directory: Path, images: list[str], labels: "np.ndarray", probabilities: "np.ndarray") -> None:
    """Writes ``predictions.parquet``: a row a test image.

    Args:
        images: their names as in ``split.json``, N of them.
        labels: the true classes, int64 (N,).
        probabilities: float32 (N, num_classes).
    """
    import pyarrow as pa

    table = pa.table(
        {
            "image": images,
            "label": labels,
            "predicted": probabilities.argmax(axis=1),
            "probabilities": pa.array(list(probabilities), type=pa.list_(pa.float32())),
        }
    )
    _write_parquet(directory / PREDICTIONS_FILE, table)


def read_predictions(directory: Path) -> tuple[list[str], "np.ndarray", "np.ndarray"]:
    """Of each test image its name, its label and the label that was predicted, int64 (N,) each.

    Raises:
        HeadstartError: the file is missing or damaged.
    """
    table = _read_parquet(directory / PREDICTIONS_FILE, ["image", "label", "predicted"])
    return table["image"].to_pylist(), table["label"].to_numpy(), table["predicted"].to_numpy()


def read_probabilities(directory: Path) -> "np.ndarray":
    """Of each test image, in the order of :func:`read_predictions`, a probability per class, float32 (N, K).

    Raises:
        HeadstartError: the file is missing or damaged.
    """
    rows = _read_parquet(directory / PREDICTIONS_FILE, ["probabilities"])["probabilities"].combine_chunks()
    return rows.flatten().to_numpy().reshape(len(rows), -1) if len(rows) else rows.to_numpy()


def write_thumbnails(directory: Path, images: list[str], webp: list[bytes]) -> None:
    """Writes ``thumbnails.parquet``: small pictures of test images, by their names in ``split.json``."""
    import pyarrow as pa

    table = pa.table({"image": pa.array(images, pa.string()), "webp": pa.array(webp, pa.binary())})
    _write_parquet(directory / THUMBNAILS_FILE, table)


def read_thumbnails(directory: Path) -> dict[str, bytes]:
    """The pictures that a run kept, WebP by image; none where it kept none that can be read."""
    try:
        table = _read_parquet(directory / THUMBNAILS_FILE, ["image", "webp"])
    except HeadstartError:
        return {}
    return dict(zip(table["image"].to_pylist(), table["webp"].to_pylist(), strict=True))


def _write_parquet(path: Path, table: Any) -> None:
    import pyarrow.parquet as pq

    # Opened here, since Arrow takes no path that is not UTF-8.
    with write_atomically(path) as scratch, scratch.open("wb") as file:
        pq.write_table(table, file)


def _read_parquet(path: Path, columns: list[str]) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as file:
            return pq.read_table(file, columns=columns)
    except (OSError, pa.ArrowException) as error:
        raise HeadstartError(f"{path}: cannot be read; remove that run and train it again") from error
