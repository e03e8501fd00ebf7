"""Arrays as pictures of the page: sheets of small images, heat maps and frames, as PNG within the page."""

import io
from base64 import b64encode

import numpy as np
import torch
from markupsafe import Markup
from PIL import Image
from torch import Tensor


def render_image(pixels: Tensor, alt_text: str, scale: int = 1) -> str:
    """An ``<img>`` of one image, uint8 (C, H, W) with C of 1 or 3, each pixel ``scale`` times as wide and high.

    Args:
        described: the picture in words, for those who do not see it.
    """
    array = pixels.permute(1, 2, 0).numpy().astype(np.uint8)
    image = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
    out = io.BytesIO()
    image.save(out, format="PNG", optimize=True)
    size = Markup('width="{}" height="{}"').format(image.width * scale, image.height * scale)
    source = f"data:image/png;base64,{b64encode(out.getvalue()).decode()}"
    return str(Markup('<img class="pixels" src="{}" {} alt="{}">').format(source, size, alt_text))


def tile_images(images: Tensor, columns: int, gap: int = 1, background: int = 255) -> Tensor:
    """Images side by side, uint8 (N, C, H, W) to (C, rows·H + gaps, columns·W + gaps), row by row."""
    count, channels, height, width = images.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    whole = images.new_full((channels, rows * (height + gap) - gap, columns * (width + gap) - gap), background)
    for i, image in enumerate(images):
        y, x = i // columns * (height + gap), i % columns * (width + gap)
        whole[:, y : y + height, x : x + width] = image
    return whole


def rescale_contrast(values: Tensor) -> Tensor:
    """Values (N, C, H, W) as uint8, each image from its own least (black) to its own greatest (white)."""
    low = values.amin(dim=(1, 2, 3), keepdim=True)
    span = (values.amax(dim=(1, 2, 3), keepdim=True) - low).clamp(min=1e-12)
    return ((values - low) / span * 255).round().byte()


def color_heatmap(values: Tensor) -> Tensor:
    """A map (H, W) of values ≥ 0 as uint8 (3, H, W) in viridis, which the colour-blind can read, from 0 to its most."""
    import matplotlib

    colours = matplotlib.colormaps["viridis"]((values / values.max().clamp(min=1e-12)).numpy())[:, :, :3]
    return (Tensor(colours.copy()).permute(2, 0, 1) * 255).round().byte()


def draw_frame(canvas: Tensor, box: tuple[int, ...], color: tuple[int, int, int]) -> None:
    """Draws a frame on a picture, uint8 (3, H, W), a white line within, so that it shows on its own colour too.

    Args:
        box: (top, left, bottom, right) in pixels, the last two not in it.
        colour: red, green, blue, 0 to 255.
    """
    top, left, bottom, right = box
    thick = 1 + canvas.shape[2] // 160
    for paint, width in (((255, 255, 255), thick + 1), (color, thick)):
        ink = torch.tensor(paint, dtype=torch.uint8)[:, None, None]
        canvas[:, top : top + width, left:right] = ink
        canvas[:, max(bottom - width, top) : bottom, left:right] = ink
        canvas[:, top:bottom, left : left + width] = ink
        canvas[:, top:bottom, max(right - width, left) : right] = ink
