"""Draws tensors as pictures of the page: tiled images, heat maps, frames; encoded as PNG data URLs."""

import io
from base64 import b64encode

import torch
from markupsafe import Markup
from PIL import Image
from torch import Tensor


def render_image(pixels: Tensor, alt_text: str, scale: int = 1) -> str:
    """An ``<img>`` element of one image.

    Args:
        pixels: uint8 (C, H, W), C of 1 or 3.
        alt_text: describes the picture for screen readers.
        scale: display pixels for each image pixel and axis.
    """
    _, height, width = pixels.shape
    size = Markup('width="{}" height="{}"').format(width * scale, height * scale)
    return str(Markup('<img class="pixels" src="{}" {} alt="{}">').format(encode_png(pixels), size, alt_text))


def encode_png(pixels: Tensor) -> str:
    """An image, uint8 (C, H, W), C of 1 or 3, as a data URL."""
    array = pixels.permute(1, 2, 0).numpy()
    buffer = io.BytesIO()
    Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array).save(buffer, format="PNG", optimize=True)
    return f"data:image/png;base64,{b64encode(buffer.getvalue()).decode()}"


def tile_images(images: Tensor, columns: int, gap: int = 1, background: int = 255) -> Tensor:
    """One image of N images in rows: uint8 (N, C, H, W) to (C, rows·H + gaps, columns·W + gaps)."""
    count, channels, height, width = images.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    canvas = images.new_full((channels, rows * (height + gap) - gap, columns * (width + gap) - gap), background)
    for i, image in enumerate(images):
        y, x = i // columns * (height + gap), i % columns * (width + gap)
        canvas[:, y : y + height, x : x + width] = image
    return canvas


def rescale_contrast(values: Tensor) -> Tensor:
    """Values (N, C, H, W) as uint8; each image spans its minimum (black) to its maximum (white)."""
    low = values.amin(dim=(1, 2, 3), keepdim=True)
    span = (values.amax(dim=(1, 2, 3), keepdim=True) - low).clamp(min=1e-12)
    return ((values - low) / span * 255).round().byte()


def color_heatmap(values: Tensor) -> Tensor:
    """A map (H, W) of values ≥ 0 as uint8 (3, H, W) in viridis, which the color-blind can read."""
    import matplotlib

    colors = matplotlib.colormaps["viridis"]((values / values.max().clamp(min=1e-12)).numpy())[:, :, :3]
    return (Tensor(colors.copy()).permute(2, 0, 1) * 255).round().byte()


def draw_frame(canvas: Tensor, box: tuple[int, ...], color: tuple[int, int, int]) -> None:
    """Draws a frame into a picture; a white inner line separates it from pixels of its own color.

    Args:
        canvas: uint8 (3, H, W), changed in place.
        box: (top, left, bottom, right) in pixels, bottom and right exclusive.
        color: red, green, blue, 0 to 255.
    """
    top, left, bottom, right = box
    line_width = 1 + canvas.shape[2] // 160
    for rgb, width in (((255, 255, 255), line_width + 1), (color, line_width)):
        paint = torch.tensor(rgb, dtype=torch.uint8)[:, None, None]
        canvas[:, top : top + width, left:right] = paint
        canvas[:, max(bottom - width, top) : bottom, left:right] = paint
        canvas[:, top:bottom, left : left + width] = paint
        canvas[:, top:bottom, max(right - width, left) : right] = paint
