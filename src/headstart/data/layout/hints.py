"""Hints at another layout: classes in file names, tables of labels, masks beside images."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from headstart.data.layout.file_list import is_image_file, is_visible
from headstart.errors import join_with_limit

TABLE_SUFFIXES = {".csv", ".tsv", ".json", ".jsonl", ".txt", ".xlsx", ".mat", ".parquet"}
ARCHIVE_SUFFIXES = {".zip", ".tar", ".gz", ".tgz", ".rar", ".7z", ".xz", ".bz2"}
PICTURE_FOLDER_NAMES = {
    "image",
    "images",
    "img",
    "imgs",
    "picture",
    "pictures",
    "photos",
    "jpegimages",
    "rgb",
    "input",
    "inputs",
}
ANNOTATION_FOLDER_NAMES = {
    "mask",
    "masks",
    "label",
    "labels",
    "annotation",
    "annotations",
    "annot",
    "gt",
    "groundtruth",
    "xml",
}
ANNOTATION_FOLDER_NAMES |= {
    "segmentation",
    "segmentations",
    "segmentationclass",
    "segmentationobject",
    "seg",
    "bbox",
    "bboxes",
}
ANNOTATION_FOLDER_NAMES |= {"boxes", "json", "txt"}
MASK_PATTERN = re.compile(r"[ _.-]+(masks?|seg|segmentation|gt|groundtruth|labels?)([ _-]?\d+)?$", re.IGNORECASE)
SPLIT_PATTERN = re.compile(r"(fold|split|part|batch|subset|set|cv|shard)s?[ _-]*([0-9]+|[a-z])", re.IGNORECASE)
CLASS_IN_NAME_PATTERN = re.compile(r"([^\W\d_]+)[ ._-]*\(?\d")  # cat.0.jpg, dog_12.png, bee (3).jpg


def describe_loose_images(folders: Sequence[Path]) -> str:
    """The number of images directly in the folders and a hint at their classes; an empty text for no images."""
    files = [path for folder in folders for path in sorted(folder.iterdir()) if is_visible(path.name)]
    pictures = [path for path in files if path.is_file() and is_image_file(path)]
    if not pictures:
        archives = [path.name for path in files if path.suffix.lower() in ARCHIVE_SUFFIXES]
        return f"{join_with_limit(archives)}, to be unpacked" if archives else ""
    starts = Counter(match[1] for path in pictures if (match := CLASS_IN_NAME_PATTERN.match(path.name)))
    has_classes = len(starts) > 1 and starts.total() > 1.5 * len(starts)
    hints = [f"their names begin with {join_with_limit(sorted(starts))}"] if has_classes else []
    if tables := [path.name for path in files if path.suffix.lower() in TABLE_SUFFIXES]:
        hints.append(f"a table such as {tables[0]} is not read")
    return f"{describe_count(len(pictures), 'image')}{' (' + '; '.join(hints) + ')' if hints else ''}"


def find_mask_twins(files: Iterable[Path]) -> list[Path]:
    """Files named like masks or labels of another file in their folder (``a_mask.png`` beside ``a.jpg``)."""
    paths = list(files)
    masks = [(path, path.stem[: match.start()]) for path in paths if (match := MASK_PATTERN.search(path.stem))]
    stems = {(path.parent, path.stem) for path in paths} if masks else set()
    return [path for path, image in masks if (path.parent, image) in stems]


def find_mask_names(names: Sequence[str]) -> list[str]:
    """Names of folders of masks or labels of another one (``cat_masks`` beside ``cat``)."""
    return [name for name in names if (match := MASK_PATTERN.search(name)) and name[: match.start()] in names]


def strip_mask_name(name: str) -> str:
    """The name of the image or class that a mask belongs to: ``cat`` for ``cat_mask``. Other names do not change."""
    return MASK_PATTERN.sub("", name)


def has_annotation_names(names: Sequence[str]) -> bool:
    """Whether the names are those of pictures and annotations, as in data sets for segmentation or detection."""
    plain = {re.sub(r"[^a-z]", "", name.lower()) for name in names}
    return (
        bool(plain & PICTURE_FOLDER_NAMES)
        and bool(plain & ANNOTATION_FOLDER_NAMES)
        and plain <= PICTURE_FOLDER_NAMES | ANNOTATION_FOLDER_NAMES
    )


def has_split_names(names: Sequence[str]) -> bool:
    """Whether all names are those of pieces of one data set, such as fold1 and fold2."""
    return all(SPLIT_PATTERN.fullmatch(name) for name in names)


def format_first_names(names: Sequence[str]) -> str:
    """The first three names, for messages that list several groups of names."""
    return ", ".join([*names[:3], *(["…"] if len(names) > 3 else [])])


def describe_count(number: int, thing: str) -> str:
    """``"1 image"``, ``"2,000 images"``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
