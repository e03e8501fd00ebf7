"""Makes images square: the center cut out, the whole image on gray, or both sides resized."""

from PIL import Image, ImageOps

RESIZE_MODES = ("crop", "pad", "squash")
PAD_GRAY = 127  # close to the mean of photographs: near zero once a model has normalized it
FILTER = Image.Resampling.BICUBIC  # antialiased: it widens with the reduction


def make_square(image: Image.Image, size: int, resize: str) -> Image.Image:
    """The image with both sides of ``size`` pixels. The three ways are equal for images that are square already.

    Args:
        image: of 8 bits, gray or RGB.
        size: pixels of a side.
        resize: ``crop``: the shorter side becomes ``size`` and the center is cut out; ``pad``: the longer side becomes
            ``size`` and gray fills the rest on both sides; ``squash``: each side becomes ``size`` by itself.
    """
    if image.size == (size, size):
        return image
    if resize == "pad":
        return _pad(image, size)
    return image.resize((size, size), FILTER) if resize == "squash" else ImageOps.fit(image, (size, size), FILTER)


def _pad(image: Image.Image, size: int) -> Image.Image:
    scale = size / max(image.size)
    width, height = (max(1, round(scale * side)) for side in image.size)
    square = Image.new(image.mode, (size, size), (PAD_GRAY,) * len(image.getbands()))
    square.paste(image.resize((width, height), FILTER), ((size - width) // 2, (size - height) // 2))
    return square
