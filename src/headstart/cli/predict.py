"""`headstart predict`: predicts the classes of files, folders and patterns; unreadable files are error rows."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from glob import glob
from pathlib import Path
from typing import Any

from headstart.data.ignored import describe_ignored, group_ignored
from headstart.data.layout.file_list import list_image_files
from headstart.errors import HeadstartError
from headstart.file_names import encode_name, expand_home
from headstart.models import loading
from headstart.reporting.console import escape_control_characters, print_table
from headstart.runs.refit_card import find_refit_card


@dataclass
class ImageList:
    """The image files that a command names.

    Args:
        paths: in the order of the command.
        errors: the reason, by path, for each path that cannot be read.
        ignored: (reason, path) of ignored files.

    Example:
        >>> list_images(["photos", "more/*.jpg"]).paths
        ['photos/1.jpg', 'more/2.jpg']
    """

    paths: list[str] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    ignored: list[tuple[str, str]] = field(default_factory=list)


def predict_and_print(model: str, names: Sequence[str], batch_size: int, as_json: bool) -> int:
    """Prints a table (or JSON) with a row per file; of a refit also the sweep's figure, on the error stream.

    Args:
        model: a checkpoint or run directory.
        names: paths, folders and patterns.
        batch_size: number of images at a time.
        as_json: whether to print JSON with all probabilities.

    Returns:
        The exit code: 0, or 1 if a file could not be read.
    """
    images = list_images(names)
    predict = loading.load(model).predict
    if card := find_refit_card(model):
        print(escape_control_characters(card.describe()), file=sys.stderr, flush=True)
    if images.ignored:
        ignored = f"ignored: {describe_ignored(group_ignored(images.ignored))}"
        print(escape_control_characters(ignored), file=sys.stderr, flush=True)
    rows = predict_files(predict, images, batch_size)
    if as_json:
        print(json.dumps(rows, indent=1))  # ASCII: a name may hold control characters
    else:
        _print_table(rows)
    num_errors = sum("error" in row for row in rows)
    if num_errors:
        unit = "files" if len(rows) > 1 else "file"
        print(f"{num_errors:,} of {len(rows):,} {unit} could not be read", file=sys.stderr, flush=True)
    return int(num_errors > 0)


def list_images(names: Sequence[str]) -> ImageList:
    """Lists the image files of paths, folders and patterns. A folder's images are those that training would take.

    Raises:
        HeadstartError: a path, folder or pattern has no file.
    """
    images = ImageList()
    for name in names:
        count = len(images.paths)
        path = expand_home(name)
        for match in [path] if path.exists() else _expand_pattern(path):
            _add_path(images, match)
        if len(images.paths) == count:
            reason = "a folder without images" if path.is_dir() else "there is no such file"
            ignored = describe_ignored(group_ignored(images.ignored))
            reason += f" (ignored: {ignored})" if ignored else ""
            raise HeadstartError(f"{name}: {reason}; give image files, folders of them, or patterns such as '*.jpg'")
    return images


def predict_files(predict: Callable[..., Any], images: ImageList, batch_size: int) -> list[dict[str, Any]]:
    """Predicts each file: a row per file with its class and probabilities, or an ``error``.

    Args:
        predict: such as ``headstart.load(…).predict``: raises HeadstartError if one image of a batch cannot be read.
        images: the files.
        batch_size: number of images at a time.
    """
    readable = [path for path in images.paths if path not in images.errors]
    rows = {path: {"image": path, "error": reason} for path, reason in images.errors.items()}
    for start in range(0, len(readable), batch_size):
        batch = readable[start : start + batch_size]
        rows |= {row["image"]: row for row in _predict_or_split(predict, batch, batch_size)}
    return [rows[path] | {"image": encode_name(path)} for path in images.paths]


def _print_table(rows: list[dict[str, Any]]) -> None:
    has_errors = any("error" in row for row in rows)
    cells = [
        [row["image"], row.get("class", ""), f"{row['probability']:.3f}" if "class" in row else ""]
        + [row.get("error", "")] * has_errors
        for row in rows
    ]
    headers = ["image", "class", "probability", *["error"] * has_errors]
    print_table(headers, cells, right_aligned=["probability"])


def _expand_pattern(pattern: Path) -> list[Path]:
    """The matching files and folders; for a pattern with ``**`` only files, each once: links may form circles."""
    matches = [Path(match) for match in sorted(glob(str(pattern), recursive=True))]  # noqa: PTH207
    if "**" not in pattern.parts:
        return matches
    shortest: dict[Path, Path] = {}
    for path in sorted(filter(Path.is_file, matches), key=lambda path: len(path.parts)):
        shortest.setdefault(path.resolve(), path)
    return sorted(shortest.values())


def _add_path(images: ImageList, path: Path) -> None:
    if path.is_dir():
        listing = list_image_files(path)
        images.errors |= {str(unreadable): reason for unreadable, reason in listing.errors}
        images.paths += sorted([*(str(file.path) for file in listing.files), *(str(p) for p, _ in listing.errors)])
        images.ignored += [(reason, str(ignored)) for reason, ignored in listing.ignored]
        return
    if path.exists() and not path.is_file():
        images.errors[str(path)] = "no file, but a pipe or a device"
    images.paths.append(str(path))


def _predict_or_split(predict: Callable[..., Any], paths: list[str], batch_size: int) -> list[dict[str, Any]]:
    """Predicts a batch; splits it in halves while it holds a file that cannot be read."""
    try:
        prediction = predict(paths, batch_size=batch_size)
    except HeadstartError as error:
        if len(paths) == 1:
            return [{"image": paths[0], "error": _error_reason(error, paths[0])}]
        middle = len(paths) // 2
        return [
            *_predict_or_split(predict, paths[:middle], batch_size),
            *_predict_or_split(predict, paths[middle:], batch_size),
        ]
    return [
        {
            "image": path,
            "class": name,
            "label": label,
            "probability": row[label],
            "probabilities": dict(zip(prediction.class_names, row, strict=True)),
        }
        for path, name, label, row in zip(
            paths, prediction.predicted_classes, prediction.labels, prediction.probabilities.tolist(), strict=True
        )
    ]


def _error_reason(error: HeadstartError, path: str) -> str:
    """The error message without the file's name."""
    return str(error).removeprefix(f"{path}: ").removesuffix("; mend or remove the file")
