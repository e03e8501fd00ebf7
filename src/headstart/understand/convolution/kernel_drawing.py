"""Draws a kernel at each of its positions: the covered pixels, the products, their sum."""

from typing import TYPE_CHECKING

from torch import Tensor

from headstart.reporting.charts import PALETTE, render_svg
from headstart.understand.convolution.sliding_sum import window_products

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANEL_GAP = 1.0  # between panels, pixels of the image; below a panel a line of text is added


def render_kernel_positions(image: Tensor, kernel: Tensor) -> str:
    """An inline SVG with a panel for each position of the kernel on the image.

    Args:
        image: (H, W), from 0 to 1.
        kernel: (kernel height, kernel width).
    """
    products = window_products(image[None, None], kernel[None])[0, 0]
    (rows, columns), (height, width) = products.shape[:2], image.shape

    def draw(axes: "Axes") -> None:
        axes.set_axis_off()
        axes.set_position((0, 0, 1, 1))
        axes.set_xlim(-0.2, columns * (width + PANEL_GAP) - PANEL_GAP + 0.2)
        axes.set_ylim(rows * (height + PANEL_GAP + 0.5) - 0.3, -0.2)
        for i in range(rows):
            for j in range(columns):
                _draw_panel(axes, image, products[i, j], i, j)

    description = f"The {rows * columns} positions of the kernel, with their products and sums"
    return render_svg("places", draw, description, 5.0, 5.0 * (height + PANEL_GAP + 0.5) / (width + PANEL_GAP))


def _draw_panel(axes: "Axes", image: Tensor, products: Tensor, i: int, j: int) -> None:
    from matplotlib.patches import Rectangle

    height, width = image.shape
    x, y = j * (width + PANEL_GAP), i * (height + PANEL_GAP + 0.5)
    axes.add_patch(Rectangle((x, y), width, height, facecolor="#3a3f44"))
    for row, column in image.nonzero().tolist():
        gray = float(image[row, column])
        axes.add_patch(Rectangle((x + column, y + row), 1, 1, facecolor=(1.0, 1.0, 1.0, gray), linewidth=0))
    axes.add_patch(
        Rectangle((x + j, y + i), products.shape[1], products.shape[0], fill=False, edgecolor=PALETTE[1], linewidth=2.5)
    )
    for m in range(products.shape[0]):
        for n in range(products.shape[1]):
            color = "#111111" if image[i + m, j + n] > 0.5 else "#dddddd"
            text = format_short_number(float(products[m, n]))
            center = x + j + n + 0.5, y + i + m + 0.5
            axes.text(*center, text, fontsize=8, ha="center", va="center", color=color)
    axes.text(
        x + width / 2, y + height + 0.55, f"sum {format_short_number(float(products.sum()))}", ha="center", va="center"
    )


def format_short_number(value: float) -> str:
    """The shortest form of a number, with a minus sign instead of a hyphen, and no negative zero."""
    return f"{value + 0.0:g}".replace("-", "−")
