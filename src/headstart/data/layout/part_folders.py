"""Finds the parts of a data set; refuses folders that look like parts and cannot be used as such."""

from collections.abc import Sequence
from pathlib import Path

from headstart.data.layout.file_list import has_files, has_images, list_folders
from headstart.data.layout.hints import describe_loose_images
from headstart.data.layout.part_names import is_filler, read_part_name
from headstart.errors import HeadstartError, join_with_limit

CLASSES_HINT = "if they are classes, give them other names"
MIN_SHARED_FOLDERS = 2  # two folders with so many common subfolders look like parts of one data set


def find_parts(root: Path, top: Sequence[Path]) -> list[tuple[str, Path]]:
    """(part, folder) of the folders in ``top`` that are parts; an empty list if the folders are classes.

    A train part holds class folders. A folder named "train" that holds images directly may be a class of vehicles.

    Raises:
        HeadstartError: folders look like parts, but it is unclear which is which.
    """
    names = {folder: name for folder in top if (name := read_part_name(folder.name))}
    plain = {folder: name.part for folder, name in names.items() if name.is_plain}
    if not any(part == "train" and has_files(folder) and list_class_folders(folder) for folder, part in plain.items()):
        _refuse_unclear_parts(root, [folder for folder in top if has_files(folder)])
        return []
    if others := [folder.name for folder in top if folder not in plain and has_images(folder)]:
        raise HeadstartError(
            f"data.root={root}: folders with images beside train, val and test: {join_with_limit(others)}; "
            f"move them into the parts, or away ({join_with_limit([folder.name for folder in plain])}: {CLASSES_HINT})"
        )
    for part in ("train", "val", "test"):
        same = [folder.name for folder, p in plain.items() if p == part and has_files(folder)]
        if len(same) > 1:
            raise HeadstartError(
                f"data.root={root}: {join_with_limit(same)}: each would be the {part} part; put them into one "
                "folder, or move "
                "away all but one"
            )
    return [(plain[folder], folder) for folder in top if folder in plain]


def list_class_folders(part: Path) -> list[Path]:
    """The class folders in the folder of a part, which may lie in a folder of the same name (``test/test/*``)."""
    return [folder for folder in list_folders(unwrap_folder(part)) if has_files(folder)]


def unwrap_folder(folder: Path) -> Path:
    """The folder that holds the class folders: archives unpack as ``seg_train/seg_train/<class>/*``."""
    inside = [below for below in list_folders(folder) if has_files(below)]
    if len(inside) != 1 or not any(map(has_files, list_folders(inside[0]))):
        return folder
    outer, inner = read_part_name(folder.name), read_part_name(inside[0].name)
    same = inside[0].name.casefold() == folder.name.casefold() or (outer and inner and outer.part == inner.part)
    return unwrap_folder(inside[0]) if same else folder


def has_no_labels(folders: Sequence[Path], classes: set[str]) -> bool:
    """Whether a part has no class folders: it has no folders with files, or a single one such as ``test/images``."""
    names = [folder.name for folder in folders if has_files(folder)]
    if {folder.name for folder in folders} & classes or len(names) > 1:
        return False
    return not names or is_filler(names[0]) or read_part_name(names[0]) is not None


def _refuse_unclear_parts(root: Path, top: Sequence[Path]) -> None:
    """Raises HeadstartError if folders that are probably parts would be read as classes."""
    candidates = {folder: name for folder in top if (name := read_part_name(folder.name))}
    inside = {folder: [below.name for below in list_class_folders(folder)] for folder in top}
    # "test tube" is no part. "seg_test" is one beside "seg_train", and "b_test" where "a_train" has the same folders.
    candidates = {
        folder: name
        for folder, name in candidates.items()
        if name.is_plain
        or any(
            name.part != other.part
            and "train" in (name.part, other.part)
            and (name.rest == other.rest or len({*inside[folder]} & {*inside[neighbor]}) >= MIN_SHARED_FOLDERS)
            for neighbor, other in candidates.items()
        )
    }
    plain = {folder for folder, name in candidates.items() if name.is_plain}
    if len({candidates[folder].part for folder in plain}) > 1:
        _refuse_plain_parts(root, [folder for folder in top if folder in plain], inside)
    parts = {name.part for name in candidates.values()}
    pairs = [
        (one, other)
        for one in candidates
        for other in top
        if len({*inside[one]} & {*inside[other]}) >= MIN_SHARED_FOLDERS
    ]
    pairs = [(one, other) for one, other in pairs if one != other]
    if len(parts) > 1 and (len(candidates) == len(top) or any(other in candidates for _, other in pairs)):
        raise HeadstartError(
            f"data.root={root}: {join_with_limit([folder.name for folder in candidates])} look like parts of a "
            "data set; name them "
            f"train, val and test, and move other folders away ({CLASSES_HINT})"
        )
    for one, other in pairs:
        raise HeadstartError(
            f"data.root={root}: {one.name} looks like a part of a data set, and {other.name} holds folders of the same "
            f"names ({join_with_limit(sorted({*inside[one]} & {*inside[other]}))}); name them train, val and "
            f"test ({CLASSES_HINT})"
        )


def _refuse_plain_parts(root: Path, parts: Sequence[Path], inside: dict[Path, list[str]]) -> None:
    """Raises HeadstartError for parts without class folders, or without a train part."""
    names = [folder.name for folder in parts]
    part_names = {name.part for folder in parts if (name := read_part_name(folder.name))}
    if "train" not in part_names and any(inside.values()):
        raise HeadstartError(
            f"data.root={root}: {join_with_limit(names)}, but no train beside them; add it ({CLASSES_HINT})"
        )
    unlabeled = [folder for folder in parts if not inside[folder]]
    raise HeadstartError(
        f"data.root={root}: {join_with_limit([folder.name for folder in unlabeled])}: named like parts of a data set, "
        f"with {describe_loose_images(unlabeled) or 'files'} but no folders of classes; put the images of each class "
        f"into a folder of its own, such as {unlabeled[-1].name}/<class>/ ({CLASSES_HINT})"
    )
