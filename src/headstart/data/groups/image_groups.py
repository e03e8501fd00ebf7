"""Groups of images that belong together: those of one patient, camera or film, or near-copies of one picture."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from headstart.data.catalog import Catalog
from headstart.errors import HeadstartError
from headstart.reporting.formats import pluralize

FOLDER, COPIES = "folder", "copies"  # any other option is a regular expression
EXPECTED_OPTION = "folder, copies, or a regular expression over file names"


def check_group_option(option: object) -> None:
    """Checks the value of ``data.group``, as far as needs no images.

    Raises:
        HeadstartError: it is no text, or no valid regular expression.
    """
    if option is None:
        return
    if not isinstance(option, str) or not option:
        raise HeadstartError(f"data.group={option}: give {EXPECTED_OPTION}")
    try:
        re.compile(option)
    except re.error as error:
        raise HeadstartError(f"data.group={option}: no regular expression ({error}); give {EXPECTED_OPTION}") from error


@lru_cache(maxsize=4)  # the runs of a sweep share the groups
def add_groups(catalog: Catalog, option: str, paths: tuple[Path, ...], class_folders: tuple[Path, ...]) -> Catalog:
    """The catalog with the groups of its images.

    Groups that have an exact copy in common are one group, named by the first of them: such copies cannot be on two
    sides of a split.

    Args:
        catalog: N images.
        option: ``folder``, ``copies`` or a regular expression.
        paths: their files, N of them.
        class_folders: the folders of the classes.

    Raises:
        HeadstartError: an image has no group, all images are of one group, or each is of its own.
    """
    if option == COPIES:
        from headstart.data.groups.copy_groups import find_copy_groups

        groups = [catalog.names[i] for i in find_copy_groups(paths, catalog.digests, catalog.depth)]
    elif option == FOLDER:
        groups = _name_by_folder(catalog, paths, frozenset(class_folders))
    else:
        groups = _name_by_pattern(catalog, option)
    _check_groups(option, groups)
    return replace(catalog, groups=_join_copies(groups, catalog.content_ids or catalog.digests))


def describe_groups(option: str, groups: Sequence[str]) -> str:
    """How many groups of how many images there are, with the largest as an example, in one line.

    Args:
        option: the value of ``data.group``.
        groups: the name of each image's group.
    """
    sizes = Counter(groups)
    text = f"data.group={option}: {pluralize(len(groups), 'image')} in {pluralize(len(sizes), 'group')}"
    if len(sizes) == len(groups):
        return f"{text}: no two of them look the same, so that there is nothing to hold together"
    largest = min(sizes, key=lambda name: (-sizes[name], name))
    return f"{text}, the largest {largest} ({pluralize(sizes[largest], 'image')})"


def _name_by_pattern(catalog: Catalog, pattern: str) -> list[str]:
    """Names each image's group by the first capture group of a pattern in its file name, else by the whole match."""
    search = re.compile(_normalize(pattern)).search

    def find_name(position: int) -> str | None:
        match = search(_normalize(catalog.names[position]))
        return match and match[min(1, match.re.groups)]

    return _name_groups(
        catalog, find_name, f"data.group={pattern}", "have no match in their names", "give a pattern that matches each"
    )


def _name_by_folder(catalog: Catalog, paths: Sequence[Path], class_folders: Collection[Path]) -> list[str]:
    """Names each image's group by the first folder below that of its class."""

    def find_name(position: int) -> str | None:
        parents = paths[position].parents
        depth = next(depth for depth, folder in enumerate(parents) if folder in class_folders)
        names = catalog.names[position].split("/")
        return _normalize(names[-1 - depth]) if depth else None

    return _name_groups(
        catalog,
        find_name,
        f"data.group={FOLDER}",
        "lie directly in the folder of their class",
        "put the images of each group into a folder of its own there, or give a pattern over file names",
    )


def _name_groups(
    catalog: Catalog, find_name: Callable[[int], str | None], setting: str, problem: str, remedy: str
) -> list[str]:
    groups = [find_name(position) for position in range(len(catalog.names))]
    if missing := [name for name, group in zip(catalog.names, groups, strict=True) if not group]:
        raise HeadstartError(
            f"{setting}: {len(missing):,} of {pluralize(len(groups), 'image')} {problem} ({missing[0]}); {remedy}"
        )
    return [group for group in groups if group]


def _check_groups(option: str, groups: Sequence[str]) -> None:
    """Raises HeadstartError where all images are of one group, or each is of its own in spite of a given name."""
    count, images = len(set(groups)), pluralize(len(groups), "image")
    if count == 1:
        raise HeadstartError(
            f"data.group={option}: all {images} are of one group ({groups[0]}), so that none can be held out; "
            "give a pattern that tells groups apart, or data.group=null"
        )
    if count == len(groups) and option != COPIES:
        raise HeadstartError(
            f"data.group={option}: each of {images} is a group of its own, such as {groups[0]}, so that none stay "
            "together; give a pattern for what images of one group have in common, or data.group=null"
        )


def _join_copies(groups: Sequence[str], contents: Sequence[str]) -> list[str]:
    """Joins groups with exact copies in common; each joined group has the first of their names."""
    names, numbers = np.unique(groups, return_inverse=True)
    content = np.unique(contents, return_inverse=True)[1]
    if len(np.unique(np.stack([numbers, content]), axis=1).T) == content.max() + 1:  # each content is of one group
        return list(groups)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    size = len(names) + content.max() + 1  # groups and contents are the nodes, images the edges
    graph = coo_array((np.ones(len(groups)), (numbers, len(names) + content)), shape=(size, size))
    component = connected_components(graph, directed=False)[1][: len(names)]
    _, first, joined = np.unique(component, return_index=True, return_inverse=True)
    return [str(name) for name in names[first[joined]][numbers]]


def _normalize(text: str) -> str:
    """One form of accents, which systems store in two."""
    return unicodedata.normalize("NFC", text)
