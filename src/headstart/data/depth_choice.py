"""Chooses how the images of a data set that are deeper than 8 bits are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from headstart.data.threads import thread_map
from headstart.decoding import bit_depth, decoder
from headstart.decoding.bit_depth import DepthError, Extent

FILES_AT_ONCE = 64  # that a thread takes: of most files it reads three bytes


@dataclass(frozen=True)
class DepthChoice:
    """How the images of a data set that are deeper than 8 bits are read.

    Args:
        name: a key of ``headstart.decoding.bit_depth.WHITE_VALUES``; None: no image is deeper.
        text: one line: what was chosen, and from which values; empty where no image is deeper.
    """

    name: str | None = None
    text: str = ""


def find_depth(paths: Sequence[Path], name: str | None = None) -> tuple[DepthChoice, dict[int, str]]:
    """Chooses the one depth of a data set; reads only its images deeper than 8 bits.

    Args:
        paths: all files, N of them.
        name: the depth where it is known already; None: chosen from the values.

    Returns:
        The choice, and an error message for each image whose values cannot be used, by position.

    Raises:
        DepthError: no depth fits all images.
    """
    are_deep = thread_map(decoder.is_deep_file, paths, "looking at images", batch_size=FILES_AT_ONCE)
    deep = [i for i, is_deep in enumerate(are_deep) if is_deep]
    results = list(thread_map(_try_read_extent, [paths[i] for i in deep], "reading ranges of values"))
    errors = {i: result for i, result in zip(deep, results, strict=True) if isinstance(result, str)}
    extents = [result for result in results if isinstance(result, Extent)]
    if not extents:
        return DepthChoice(), errors
    names = [f"{paths[i].parent.name}/{paths[i].name}" for i in deep if i not in errors]
    try:
        name = name or bit_depth.choose_depth(extents, names)
    except DepthError as error:
        if 2 * len(extents) > len(paths):
            raise
        # Few deep images among images of 8 bits count as unreadable files, which can be left out.
        return DepthChoice(), errors | {i: str(error) for i in deep if i not in errors}
    text = bit_depth.describe_depth(extents, name, len(paths) - len(errors))
    return DepthChoice(name, text), errors


def _try_read_extent(path: Path) -> Extent | str:
    try:
        return decoder.read_extent(path)
    except MemoryError:
        raise
    except Exception as error:  # as of decoding
        return decoder.describe_decode_error(error)
