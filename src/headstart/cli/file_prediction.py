"""Prediction on files and folders of them: each file is answered, or has a reason why not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from glob import glob
from pathlib import Path
from typing import Any

from headstart.data.ignored import describe_ignored, group_ignored
from headstart.errors import HeadstartError
from headstart.file_names import encode_name, expand_home


@dataclass
class ImageList:
    """The files that a command names.

    Args:
        paths: in the order of the command.
        errors: by path, why there is nothing to read in it.
        ignored: (reason, path) of images that are passed over.
    """

    paths: list[str] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    ignored: list[tuple[str, str]] = field(default_factory=list)


def list_images(names: Sequence[str]) -> ImageList:
    """The files that paths, folders and patterns stand for; which files of a folder are images, training says as well.

    Raises:
        HeadstartError: one of them stands for no file.
    """
    images = ImageList()
    for name in names:
        before = len(images.paths)
        path = expand_home(name)
        for place in [path] if path.exists() else _expand_pattern(path):
            _add_path(images, place)
        if len(images.paths) == before:
            what = "a folder without images" if path.is_dir() else "there is no such file"
            others = describe_ignored(group_ignored(images.ignored))
            what += f" (passed over: {others})" if others else ""
            raise HeadstartError(f"{name}: {what}; give image files, folders of them, or patterns such as '*.jpg'")
    return images


def _expand_pattern(pattern: Path) -> list[Path]:
    """The files and folders of a pattern; with ``**`` files alone, each once, since links may lead in circles."""
    places = [Path(match) for match in sorted(glob(str(pattern), recursive=True))]  # noqa: PTH207
    if "**" not in pattern.parts:
        return places
    first: dict[Path, Path] = {}
    for place in sorted(filter(Path.is_file, places), key=lambda place: len(place.parts)):
        first.setdefault(place.resolve(), place)
    return sorted(first.values())


def predict_files(predict: Callable[..., Any], images: ImageList, batch_size: int) -> list[dict[str, Any]]:
    """A row for each file: its class and probabilities, or an ``error``.

    Args:
        predict: as ``headstart.load(…).predict``: refuses a batch as a whole where one image of it cannot be read.
        images: the files.
        batch_size: images at a time.
    """
    readable = [path for path in images.paths if path not in images.errors]
    rows = {path: {"image": path, "error": reason} for path, reason in images.errors.items()}
    for start in range(0, len(readable), batch_size):
        rows |= {
            row["image"]: row for row in _predict_or_split(predict, readable[start : start + batch_size], batch_size)
        }
    return [rows[path] | {"image": encode_name(path)} for path in images.paths]


def _add_path(images: ImageList, place: Path) -> None:
    from headstart.data.layout.file_list import list_image_files

    if place.is_dir():
        listing = list_image_files(place)
        images.errors |= {str(path): reason for path, reason in listing.errors}
        images.paths += sorted([*(str(file.path) for file in listing.files), *(str(p) for p, _ in listing.errors)])
        images.ignored += [(reason, str(path)) for reason, path in listing.ignored]
        return
    if place.exists() and not place.is_file():
        images.errors[str(place)] = "no file, but a pipe or a device"
    images.paths.append(str(place))


def _predict_or_split(predict: Callable[..., Any], paths: list[str], batch_size: int) -> list[dict[str, Any]]:
    """Halves a batch that is refused until the file is alone that cannot be read."""
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
    """What is wrong with the file, without its name."""
    return str(error).removeprefix(f"{path}: ").removesuffix("; mend or remove the file")
