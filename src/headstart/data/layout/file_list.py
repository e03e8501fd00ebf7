"""Lists the image files below a folder and the ignored ones, for training, audit and prediction alike."""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from headstart.decoding import decoder

JUNK_FOLDERS = {".ipynb_checkpoints", "__MACOSX", "__pycache__", "@eaDir", "lost+found", "$RECYCLE.BIN"}
JUNK_FOLDERS |= {"System Volume Information"}
SYSTEM_FILES = {"thumbs.db", "desktop.ini", "icon\r"}
APPLE_DOUBLE = "._"  # begins the metadata files of macOS on other disks: they have an image's suffix and are no images

HIDDEN_REASON = "hidden images"
JUNK_REASON = "images in hidden folders or folders of the system"
LOOSE_REASON = "images outside of the folders of the classes"
SPECIAL_FILE_REASON = "pipes, sockets or devices"
LINK_CIRCLE = "a link leads in a circle, or twice to this folder; remove the link"


@dataclass(frozen=True)
class ImageFile:
    """A file that counts as an image.

    Args:
        path: the file.
        size: in bytes.
        modified_ns: its modification time. With the size it shows that the file has changed.
    """

    path: Path
    size: int
    modified_ns: int


@dataclass
class FileList:
    """The files below a folder.

    Args:
        files: all visible files, sorted by path, linked ones included.
        folders: the folders that directly hold one of these files.
        ignored: (reason, path) of ignored images.
        errors: (path, reason) of folders that could not be read.
    """

    files: list[ImageFile] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    ignored: list[tuple[str, Path]] = field(default_factory=list)
    errors: list[tuple[Path, str]] = field(default_factory=list)


def list_image_files(folder: Path) -> FileList:
    """Lists the files below a folder.

    Each visible file counts as an image, whatever its name, so that no image is left out silently. Decoding reports
    files that are no images.
    """
    listing = FileList()
    for base, folders, names in _walk_visible(folder, lambda path, reason: listing.errors.append((path, reason))):
        hidden = [Path(base, name) for name in folders if not is_visible(name)]
        listing.ignored += [(JUNK_REASON, path) for junk in hidden for path in list_images_in_junk(junk)]
        before = len(listing.files)
        for path in (Path(base, name) for name in names):
            if not is_visible(path.name):
                listing.ignored += [(HIDDEN_REASON, path)] if is_hidden_image(path) else []
            elif status := _read_status(path):
                listing.files.append(ImageFile(path, status.st_size, status.st_mtime_ns))
            else:
                listing.ignored.append((SPECIAL_FILE_REASON, path))
        if len(listing.files) > before:
            listing.folders.append(Path(base))
    listing.files.sort(key=lambda file: file.path)
    listing.ignored.sort()
    return listing


def list_folders(folder: Path) -> list[Path]:
    """The visible subfolders of a folder, sorted, linked ones included."""
    with os.scandir(folder) as entries:  # which knows what is a folder without a look at each file
        return sorted(Path(entry.path) for entry in entries if is_visible(entry.name) and _is_folder(entry))


def list_stray_images(folder: Path) -> list[tuple[str, Path]]:
    """(reason, path) of the images that lie directly in a folder of classes or parts, or in its hidden folders."""
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
    """Whether there is a visible file below the folder."""
    return any(is_visible(name) for _, _, names in _walk_visible(folder) for name in names)


def has_images(folder: Path) -> bool:
    """Whether a visible file below the folder has the name or the content of an image."""
    paths = (Path(base, name) for base, _, names in _walk_visible(folder) for name in names)
    return any(is_visible(path.name) and path.is_file() and is_image_file(path) for path in paths)


def is_visible(name: str) -> bool:
    """Whether a file or folder of this name is read; hidden files and those of the operating system are not."""
    return not name.startswith(".") and name not in JUNK_FOLDERS and name.lower() not in SYSTEM_FILES


def is_image_file(path: Path) -> bool:
    """Whether a file has the name or the content of an image."""
    return has_image_name(path.name) or (path.is_file() and decoder.has_image_header(path))


def has_image_name(name: str) -> bool:
    """Whether a name, hidden or not, has the suffix of an image."""
    return Path(name).suffix.lower() in decoder.IMAGE_SUFFIXES | decoder.HEIC_SUFFIXES and not name.startswith(
        APPLE_DOUBLE
    )


def is_hidden_image(path: Path) -> bool:
    """Whether an invisible file is an image that a user may have wanted."""
    if path.name.startswith(APPLE_DOUBLE) or path.name.lower() in SYSTEM_FILES | {".ds_store"}:
        return False
    return path.is_file() and is_image_file(path)


def list_images_in_junk(folder: Path) -> list[Path]:
    """The files with names of images below an ignored folder."""
    return [Path(base, name) for base, _, names in os.walk(folder) for name in names if has_image_name(name)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or a link to one; not a link that leads in a circle."""
    return Path(entry.path).is_dir() if entry.is_symlink() else entry.is_dir()


def _read_status(path: Path) -> os.stat_result | None:
    """Status of a regular file, or of a link that leads nowhere, which decoding will name; None: it is neither, or has
    just been deleted."""
    try:
        status = path.stat()
    except OSError:
        try:
            status = path.lstat()
        except FileNotFoundError:
            return None
    return status if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode) else None


def _walk_visible(
    folder: Path, on_error: Callable[[Path, str], None] = lambda path, reason: None
) -> Iterator[tuple[str, list[str], list[str]]]:
    """``os.walk`` through visible folders, linked ones included, each once: (folder, subfolders, files), sorted."""

    def report(error: OSError) -> None:
        on_error(Path(error.filename or folder), f"cannot be read ({error.strerror})")

    visited: set[Path] = set()
    for base, below, names in os.walk(folder, followlinks=True, onerror=report):
        real = Path(base).resolve()
        if real in visited or Path(base).parent.resolve().is_relative_to(real):
            on_error(Path(base), LINK_CIRCLE)
            below.clear()
            continue
        visited.add(real)
        yield base, sorted(below), sorted(names)
        below[:] = sorted(filter(is_visible, below))
