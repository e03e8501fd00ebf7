"""Lists the labeled image files of a folder."""

from dataclasses import dataclass
from pathlib import Path

from headstart.data.layout.class_folders import ClassFolder
from headstart.data.layout.file_list import ImageFile
from headstart.data.layout.layout import Layout, check_layout, read_layout
from headstart.file_names import encode_name


@dataclass(frozen=True)
class LabeledFile(ImageFile):
    """An image file of a class.

    Args:
        name: its path below the folder of all classes, encoded as text.
        label: the class.
        part: ``train``, ``val`` or ``test``; empty for data without parts.
    """

    name: str
    label: str
    part: str


def scan_folder(root: Path) -> tuple[Layout, tuple[LabeledFile, ...]]:
    """The layout of ``root`` and its image files, sorted by name in any locale.

    Only names, sizes and dates are read.

    Raises:
        HeadstartError: there are no classes, or the layout is ambiguous.
    """
    layout = read_layout(root)
    check_layout(layout)
    files = [file for folder in layout.classes for file in list_class_files(root, folder)]
    return layout, tuple(sorted(files, key=lambda file: file.name.split("/")))


def list_class_files(root: Path, folder: ClassFolder) -> list[LabeledFile]:
    """The image files of a class folder below ``root``."""
    label = encode_name(folder.name)
    return [
        LabeledFile(file.path, file.size, file.modified_ns, relative_name(root, file.path), label, folder.part)
        for file in folder.listing.files
    ]


def relative_name(root: Path, path: Path) -> str:
    """The path below ``root``, encoded as text."""
    return encode_name(path.relative_to(root).as_posix())
