"""Determines which value is white in images of more than 8 bits per value.

One depth holds for a whole data set: it is chosen from the values of all its deep images, and stored in its
``ImageSpec``, so that prediction reads an image as training did. 8-bit images need none: 255 is their white.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headstart.errors import HeadstartError

INTEGER_WHITE = {"uint8": 255, "uint10": 1023, "uint12": 4095, "uint14": 16383, "uint16": 65535}
FLOAT_WHITE = {"float1": 1, "float255": 255, "float65535": 65535}
WHITE_VALUES = INTEGER_WHITE | FLOAT_WHITE  # by the name of a depth, the value that becomes 255
OVERSHOOT = 0.25  # of white: so far may a bicubic or Lanczos filter carry floating-point values beyond black and white
MIN_FLOAT_SPAN = 0.5  # of white that the largest floating-point value reaches: else it may be meant otherwise
RARE_ONE_IN = 20  # where one image in so many, or fewer, needs the depth that was chosen, the sentence says so


class PixelError(ValueError):
    """Values that cannot be read as brightness; the text is the reason, in a few words."""


class DepthError(HeadstartError):
    """No one depth fits all images of a data set."""


@dataclass(frozen=True)
class Extent:
    """The smallest and the largest value of an image that is deeper than 8 bits.

    Args:
        is_float: whether the values are floating point, not whole numbers.
        low: the smallest.
        high: the largest. Of 16-bit color the decoder gives the upper 8 bits alone: the largest that they allow.
        is_color: whether it is such 16-bit color.
        has_mask: whether one value stands for transparent.
    """

    is_float: bool
    low: float
    high: float
    is_color: bool = False
    has_mask: bool = False


def measure_extent(values: np.ndarray) -> Extent:
    """The extent of whole numbers or floating-point values of any shape.

    Raises:
        PixelError: a value is no finite number, or a whole number is negative.
    """
    if not values.size:
        raise PixelError("no pixels in it")
    is_float = values.dtype.kind == "f"
    if is_float and not np.isfinite(values).all():
        raise PixelError("NaN among its values" if np.isnan(values).any() else "infinite values")
    low, high = values.min().item(), values.max().item()
    if low < 0 and not is_float:
        raise PixelError(f"values below 0 or beyond 31 bits ({low:,})")
    return Extent(is_float, low, high)


def choose_depth(extents: Sequence[Extent], names: Sequence[str]) -> str:
    """The name of the depth that all these images have, in whatever order they come.

    Whole numbers: the smallest of 8, 10, 12, 14 and 16 bits that holds the largest value of all. Cameras,
    microscopes and X-ray store 10, 12 or 14 bits in 16, and reading those as 16 would leave 64 to 4 levels of 256;
    16-bit images that are merely dark lose nothing when they are read as fewer bits, since all are scaled alike.
    Floating point: white is 1, 255 or 65,535, where the largest value of all is between half of it and a quarter
    above it.

    Args:
        extents: of all images deeper than 8 bits, one or more.
        names: theirs, for the message.

    Raises:
        DepthError: the range cannot be determined.
    """
    most = max(range(len(extents)), key=lambda i: (extents[i].high, names[i]))
    low, high = min(extent.low for extent in extents), extents[most].high
    floats = [name for extent, name in zip(extents, names, strict=True) if extent.is_float]
    if floats and len(floats) < len(extents):
        raise DepthError(
            f"{len(floats)} of {len(extents)} images deeper than 8 bits hold floating point (such as {min(floats)}), "
            "the others whole numbers: no one range fits both; store all alike"
        )
    if floats:
        for name, white in FLOAT_WHITE.items():
            if MIN_FLOAT_SPAN * white <= high <= (1 + OVERSHOOT) * white:
                return name
        raise DepthError(
            f"floating-point values from {low:,.4g} to {high:,.4g} (in {names[most]}): which of them is white cannot "
            "be told; scale all images by one factor to 0 to 1, or store them as 16-bit whole numbers"
        )
    depth = next((name for name, white in INTEGER_WHITE.items() if high <= white), None)
    if depth is None:
        raise DepthError(f"values up to {high:,} (in {names[most]}): more than 16 bits; scale all images by one factor")
    if depth != "uint16" and any(extent.is_color for extent in extents):
        raise DepthError(
            f"16-bit color images with values up to about {high:,}: only the upper 8 of 16 bits can be read, which "
            "leaves too few; store them as 8-bit color, or with values up to 65,535"
        )
    return depth


def resolve_depth(extent: Extent, depth: str | None) -> str:
    """By which depth an image of this extent is read, given that of the data set.

    A data set of 8-bit images has none. Of an image of its own accord only more than 14 bits say what white is.

    Raises:
        PixelError: it cannot be read.
    """
    kind = "16-bit color" if extent.is_color else "values deeper than 8 bits"
    if extent.is_float:
        kind = "floating-point values"
    if depth is None and not extent.is_float and INTEGER_WHITE["uint14"] < extent.high <= INTEGER_WHITE["uint16"]:
        return "uint16"
    if depth is None:
        raise PixelError(
            f"{kind}, for which this model knows no range: it was trained on 8-bit images, or before ranges were "
            "recorded; give 8 bits (0 to 255, as uint8)"
        )
    white = WHITE_VALUES[depth]
    if extent.is_float != (depth in FLOAT_WHITE):
        raise PixelError(f"{kind}, but the images trained on are read as {describe_range(depth)}; give such values")
    if extent.is_color and depth != "uint16":
        raise PixelError(f"{kind}, of which only the upper 8 bits can be read; give 8-bit color")
    room = OVERSHOOT * white if extent.is_float else 0
    if extent.high > white + room or extent.low < -room:
        raise PixelError(
            f"values from {extent.low:,.6g} to {extent.high:,.6g}, but the images trained on are read as "
            f"{describe_range(depth)}"
        )
    return depth


def scale_to_uint8(values: np.ndarray, depth: str) -> np.ndarray:
    """``255 * values / white``, rounded and clipped, as uint8 of the same shape."""
    if values.dtype.kind == "f":
        values = values.astype(np.float32, copy=False)
    return (values * (255 / WHITE_VALUES[depth])).clip(0, 255).round().astype(np.uint8)


def describe_range(depth: str) -> str:
    """Such as ``12 bits, 0 to 4,095``."""
    bits = f"{depth.removeprefix('uint')} bits, " if depth in INTEGER_WHITE else "floating point, "
    return f"{bits}0 to {WHITE_VALUES[depth]:,}"


def describe_depth(extents: Sequence[Extent], depth: str, images: int) -> str:
    """What was chosen and from what, in a line.

    Args:
        extents: of the images deeper than 8 bits, one or more.
        depth: what was chosen.
        images: how many images there are, those of 8 bits included.
    """
    low, high = min(extent.low for extent in extents), max(extent.high for extent in extents)
    kind = "floating-point images" if depth in FLOAT_WHITE else "images deeper than 8 bits"
    if len(extents) < images:
        kind = f"{len(extents):,} of {images:,} are {kind}"
    if depth in FLOAT_WHITE:
        clip = ", what lies outside is clipped" if low < 0 or high > WHITE_VALUES[depth] else ""
        return f"{kind}, values from {low:,.6g} to {high:,.6g}: read as 0 to {WHITE_VALUES[depth]:,}{clip}"
    names = list(INTEGER_WHITE)
    smaller = names[max(0, names.index(depth) - 1)]
    bright = sum(extent.high > INTEGER_WHITE[smaller] for extent in extents)
    few = (
        f"; only {bright:,} of {len(extents):,} need so many, the others end at {INTEGER_WHITE[smaller]:,}"
        if depth != "uint8" and RARE_ONE_IN * bright <= len(extents)
        else ""
    )
    return f"{kind}, values up to {int(high):,}: read as {describe_range(depth)}{few}"
