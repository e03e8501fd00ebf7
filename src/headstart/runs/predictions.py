"""Reads and writes the test predictions of a run and the thumbnails of its errors. Torch-free."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from headstart.errors import HeadstartError
from headstart.files import write_atomically
from headstart.runs.run_directory import PREDICTIONS_FILE, THUMBNAILS_FILE

MAX_CONFIDENT_ERRORS = 12  # thumbnails that a run keeps and a page shows


@dataclass(frozen=True)
class Predictions:
    """The test predictions of a run.

    Args:
        images: names of the N test images, as in ``split.json``.
        labels: true classes, int64 (N,).
        predicted: predicted classes, int64 (N,).
        groups: the group of each image; None where images have none.
    """

    images: list[str]
    labels: np.ndarray
    predicted: np.ndarray
    groups: list[str] | None = None


def write_predictions(
    directory: Path,
    images: list[str],
    labels: np.ndarray,
    probabilities: np.ndarray,
    groups: list[str] | None = None,
) -> None:
    """Writes ``predictions.parquet``, a row a test image.

    Args:
        directory: the run directory.
        images: names of the N test images, as in ``split.json``.
        labels: true classes, int64 (N,).
        probabilities: float32 (N, num_classes).
        groups: the group of each image; None where images have none: the file has no such column then.
    """
    import pyarrow as pa

    table = pa.table(
        {
            "image": images,
            **({} if groups is None else {"group": groups}),
            "label": labels,
            "predicted": probabilities.argmax(axis=1),
            "probabilities": pa.array(list(probabilities), type=pa.list_(pa.float32())),
        }
    )
    _write_parquet(directory / PREDICTIONS_FILE, table)


def read_predictions(directory: Path) -> Predictions:
    """Reads ``predictions.parquet`` without its probabilities.

    Raises:
        HeadstartError: the file is missing or damaged.
    """
    table = _read_parquet(directory / PREDICTIONS_FILE, ["image", "label", "predicted"], optional="group")
    return Predictions(
        table["image"].to_pylist(),
        table["label"].to_numpy(),
        table["predicted"].to_numpy(),
        table["group"].to_pylist() if "group" in table.column_names else None,
    )


def read_probabilities(directory: Path) -> np.ndarray:
    """Reads the probabilities, float32 (N, num_classes), in the order of :func:`read_predictions`.

    Raises:
        HeadstartError: the file is missing or damaged.
    """
    column = _read_parquet(directory / PREDICTIONS_FILE, ["probabilities"])["probabilities"].combine_chunks()
    return column.flatten().to_numpy().reshape(len(column), -1) if len(column) else column.to_numpy()


def most_confident_errors(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Positions of the misclassified images, int64, the most confident first, at most ``MAX_CONFIDENT_ERRORS``.

    Args:
        labels: int64 (N,).
        probabilities: float32 (N, num_classes).
    """
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")][:MAX_CONFIDENT_ERRORS]


def write_thumbnails(directory: Path, images: list[str], webp: list[bytes]) -> None:
    """Writes ``thumbnails.parquet``: WebP thumbnails of test images, named as in ``split.json``."""
    import pyarrow as pa

    table = pa.table({"image": pa.array(images, pa.string()), "webp": pa.array(webp, pa.binary())})
    _write_parquet(directory / THUMBNAILS_FILE, table)


def read_thumbnails(directory: Path) -> dict[str, bytes]:
    """Reads the WebP thumbnails by image; empty where the file cannot be read."""
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


def _read_parquet(path: Path, columns: list[str], optional: str = "") -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as file:
            if optional in pq.read_schema(file).names:
                columns = [*columns, optional]
            file.seek(0)
            return pq.read_table(file, columns=columns)
    except (OSError, pa.ArrowException) as error:
        raise HeadstartError(f"{path}: cannot be read; remove that run and train it again") from error
