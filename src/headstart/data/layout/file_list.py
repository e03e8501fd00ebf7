"""The image files below a folder, and what is passed over: the one answer for training, audit and prediction."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from headstart.decoding import decoder

JUNK_FOLDERS = {".ipynb_checkpoints", "__MACOSX", "__pycache__", "@eaDir", "lost+found", "$RECYCLE.BIN"}
JUNK_FOLDERS |= {"System Volume Information"}
SYSTEM_FILES = {"thumbs.db", "desktop.ini", "icon\r"}
APPLE_DOUBLE = "._"  # what macOS stores beside a file on foreign disks; it has the file's suffix and is no image

HIDDEN_REASON = "hidden images"
JUNK_REASON = "images in hidden folders or folders of the system"
LOOSE_REASON = "images outside of the folders of the classes"
SPECIAL_FILE_REASON = "pipes, sockets or devices"
LINK_CIRCLE = "a link leads in a circle, or twice to this folder; remove the link"


@dataclass(frozen=True)
class ImageFile:
    """A file that counts as an image, and by what a change of it is noticed."""

    path: Path
    size: int
    modified_ns: int


@dataclass
class FileList:
    """What lies below a folder.

    Args:
        files: every visible file, in the order of their paths, linked ones included.
        folders: those that hold one of these files.
        ignored: (reason, path) of images that are passed over.
        troubles: (path, reason) of folders that could not be looked through.
    """

    files: list[ImageFile] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    ignored: list[tuple[str, Path]] = field(default_factory=list)
    errors: list[tuple[Path, str]] = field(default_factory=list)


def list_image_files(folder: Path) -> FileList:
    """The files below a folder.

    Every visible file counts as an image, whatever its name: one that is none is named when it is decoded, since
    an image that is left out in silence would be worse.
    """
    listing = FileList()
    for base, folders, names in _walk_visible(folder, lambda path, reason: listing.errors.append((path, reason))):
        hidden = [Path(base, name) for name in folders if not is_visible(name)]
        listing.ignored += [(JUNK_REASON, path) for junk in hidden for path in list_images_in_junk(junk)]
        before = len(listing.files)
        for path in (Path(base, name) for name in names):
            if not is_visible(path.name):
                listing.ignored += [(HIDDEN_REASON, path)] if is_hidden_image(path) else []
            elif path.is_file() or (path.is_symlink() and not path.exists()):
                stat = path.lstat() if path.is_symlink() and not path.exists() else path.stat()
                listing.files.append(ImageFile(path, stat.st_size, stat.st_mtime_ns))
            else:
                listing.ignored.append((SPECIAL_FILE_REASON, path))
        if len(listing.files) > before:
            listing.folders.append(Path(base))
    listing.files.sort(key=lambda file: file.path)
    listing.ignored.sort()
    return listing


def list_folders(folder: Path) -> list[Path]:
    """The visible folders in a folder, linked ones included."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and is_visible(path.name))


def list_stray_images(folder: Path) -> list[tuple[str, Path]]:
    """(reason, path) of the images that a folder of classes or parts holds beside its visible folders."""
    strays = []
    for path in sorted(folder.iterdir()):
        if is_visible(path.name):
            strays += [(LOOSE_REASON, path)] if path.is_file() and is_image_file(path) else []
        elif path.is_dir():
            strays += [(JUNK_REASON, image) for image in list_images_in_junk(path)]
        else:
            strays += [(HIDDEN_REASON, path)] if is_hidden_image(path) else []
    return strays


def has_files(folder: Path) -> bool:
    """Whether any visible file lies below the folder."""
    return any(is_visible(name) for _, _, names in _walk_visible(folder) for name in names)


def has_images(folder: Path) -> bool:
    """Whether a visible file below the folder is named or made like an image."""
    paths = (Path(base, name) for base, _, names in _walk_visible(folder) for name in names)
    return any(is_visible(path.name) and path.is_file() and is_image_file(path) for path in paths)


def is_visible(name: str) -> bool:
    """Whether a file or folder of this name is looked at: hidden ones and those of the system are not."""
    return not name.startswith(".") and name not in JUNK_FOLDERS and name.lower() not in SYSTEM_FILES


def is_image_file(path: Path) -> bool:
    """Whether a file is named or made like an image."""
    return has_image_name(path.name) or (path.is_file() and decoder.has_image_header(path))


def has_image_name(name: str) -> bool:
    """Whether the name, hidden or not, is that of an image."""
    return Path(name).suffix.lower() in decoder.IMAGE_SUFFIXES | decoder.HEIC_SUFFIXES and not name.startswith(
        APPLE_DOUBLE
    )


def is_hidden_image(path: Path) -> bool:
    """Whether a file that is not visible is an image that a person may miss."""
    if path.name.startswith(APPLE_DOUBLE) or path.name.lower() in SYSTEM_FILES | {".ds_store"}:
        return False
    return path.is_file() and is_image_file(path)


def list_images_in_junk(folder: Path) -> list[Path]:
    """The files below a folder that is passed over whose names are those of images."""
    return [Path(base, name) for base, _, names in os.walk(folder) for name in names if has_image_name(name)]


def _walk_visible(
    folder: Path, on_error: Callable[[Path, str], None] = lambda path, reason: None
) -> Iterator[tuple[str, list[str], list[str]]]:
    """``os.walk`` through visible folders, linked ones included, each once; (base, all folders, all files), sorted."""

    def refuse(error: OSError) -> None:
        on_error(Path(error.filename or folder), f"cannot be read ({error.strerror})")

    seen: set[Path] = set()
    for base, below, names in os.walk(folder, followlinks=True, onerror=refuse):
        real = Path(base).resolve()
        if real in seen or Path(base).parent.resolve().is_relative_to(real):
            on_error(Path(base), LINK_CIRCLE)
            below.clear()
            continue
        seen.add(real)
        yield base, sorted(below), sorted(names)
        below[:] = sorted(filter(is_visible, below))
