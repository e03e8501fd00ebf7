"""Finds the folders of data: those of the user, those of downloaded or written data sets, and the cache."""

import os
from difflib import get_close_matches
from pathlib import Path

import platformdirs

from headstart.errors import HeadstartError
from headstart.file_names import expand_home

CLONE_ROOT = Path(__file__).parents[3]


def cache_dir() -> Path:
    """``HEADSTART_CACHE``, or the user's cache folder."""
    return Path(os.environ.get("HEADSTART_CACHE") or platformdirs.user_cache_dir("headstart")).expanduser()


def resolve_cache_dir() -> Path:
    """The cache folder, there or not yet.

    Raises:
        HeadstartError: the folder, or one above it, is a file.
    """
    folder = cache_dir().absolute()
    if file := next((path for path in (folder, *folder.parents) if path.is_file()), None):
        raise HeadstartError(f"{file}: this is a file; name a folder for the cache by HEADSTART_CACHE=FOLDER")
    return folder


def default_data_dir(name: str) -> Path:
    """The folder of a downloaded or written data set: in ``data/`` of a clone, else in the cache."""
    in_clone = (CLONE_ROOT / "pyproject.toml").is_file() and (CLONE_ROOT / "data").is_dir()
    return (CLONE_ROOT / "data" if in_clone else cache_dir()) / name


def resolve_root(root: str | Path) -> Path:
    """The folder that the user gave, with a leading ``~`` expanded.

    Raises:
        HeadstartError: there is no such folder (the message names the most similar one), or it is a file.
    """
    try:
        folder = expand_home(root)
        if folder.is_dir():
            return folder
        if folder.exists():
            raise HeadstartError(f"data.root={root}: this is a file; give the folder that holds the data")
        if folder.is_symlink():
            raise HeadstartError(f"data.root={root}: a link that leads nowhere, or in a circle; mend or remove it")
        parent, missing = folder.absolute(), ""
        while not parent.is_dir():
            parent, missing = parent.parent, parent.name
        near = get_close_matches(missing, [path.name for path in parent.iterdir() if path.is_dir()], n=1)
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error).rstrip(".")
        raise HeadstartError(f"data.root={root}: this folder cannot be reached ({reason}); give another") from error
    hint = f"did you mean {parent / near[0]}?" if near else f"{parent} is there, but no {missing} in it"
    raise HeadstartError(f"data.root={root}: there is no such folder; {hint}")
