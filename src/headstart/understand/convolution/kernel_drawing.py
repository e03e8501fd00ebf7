"""The picture of a kernel at each of its places: what it covers, the products, their sum."""

from typing import TYPE_CHECKING

from torch import Tensor

from headstart.reporting.charts import PALETTE, render_svg
from headstart.understand.convolution.sliding_sum import window_products

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANEL_GAP = 1.0  # in pixels of the image, beside a panel; under it there is a line of text more


def render_kernel_positions(image: Tensor, kernel: Tensor) -> str:
    """An inline SVG with a panel for each place of the kernel on the image.

    Args:
        image: (H, W), in [0, 1].
        kernel: (kernel height, kernel width).
    """
    terms = window_products(image[None, None], kernel[None])[0, 0]
    (rows, columns), (height, width) = terms.shape[:2], image.shape

    def draw(axes: "Axes") -> None:
        axes.set_axis_off()
        axes.set_position((0, 0, 1, 1))
        axes.set_xlim(-0.2, columns * (width + PANEL_GAP) - PANEL_GAP + 0.2)
        axes.set_ylim(rows * (height + PANEL_GAP + 0.5) - 0.3, -0.2)
        for i in range(rows):
            for j in range(columns):
                _draw_panel(axes, image, terms[i, j], i, j)

    described = f"The {rows * columns} places of the kernel, with their products and sums"
    return render_svg("places", draw, described, 5.0, 5.0 * (height + PANEL_GAP + 0.5) / (width + PANEL_GAP))


def _draw_panel(axes: "Axes", image: Tensor, terms: Tensor, i: int, j: int) -> None:
    from matplotlib.patches import Rectangle

    height, width = image.shape
    x, y = j * (width + PANEL_GAP), i * (height + PANEL_GAP + 0.5)
    axes.add_patch(Rectangle((x, y), width, height, facecolor="#3a3f44"))
    for row, column in image.nonzero().tolist():
        grey = float(image[row, column])
        axes.add_patch(Rectangle((x + column, y + row), 1, 1, facecolor=(1.0, 1.0, 1.0, grey), linewidth=0))
    axes.add_patch(
        Rectangle((x + j, y + i), terms.shape[1], terms.shape[0], fill=False, edgecolor=PALETTE[1], linewidth=2.5)
    )
    for m in range(terms.shape[0]):
        for n in range(terms.shape[1]):
            ink = "#111111" if image[i + m, j + n] > 0.5 else "#dddddd"
            at = x + j + n + 0.5, y + i + m + 0.5
            axes.text(*at, format_short_number(float(terms[m, n])), fontsize=8, ha="center", va="center", color=ink)
    axes.text(
        x + width / 2, y + height + 0.55, f"sum {format_short_number(float(terms.sum()))}", ha="center", va="center"
    )


def format_short_number(value: float) -> str:
    """As short as it can be written, with a true minus sign, and no zero below nothing."""
    return f"{value + 0.0:g}".replace("-", "−")
