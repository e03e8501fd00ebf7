"""Renders matplotlib charts as inline SVG in the colors and type of the page, which follow light and dark mode."""

import io
import logging
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from markupsafe import escape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NUM_COLORS = 6  # distinct line colors; further lines repeat them
# Placeholders, which the page's own colors replace.
INK_COLOR, LINE_COLOR = "#010203", "#040506"
PALETTE = [f"#a1b2{i:02x}" for i in range(NUM_COLORS)]
MATPLOTLIB_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 9.5,
    **dict.fromkeys(["text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"], INK_COLOR),
    **dict.fromkeys(["axes.edgecolor", "xtick.color", "ytick.color", "grid.color"], LINE_COLOR),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.linewidth": 0.7,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.linewidth": 1.7,
    "lines.markersize": 5.5,
}


def render_svg(
    name: str, draw: Callable[["Axes"], None], description: str | None, width: float = 5.0, height: float = 3.1
) -> str:
    """Renders a chart as an inline <svg>, with equal bytes each time.

    Args:
        name: of the chart, unique on its page.
        draw: draws on the axes.
        description: alternative text; None for a decoration.
        width: in inches of 72 pixels.
        height: in inches of 72 pixels.
    """
    # matplotlib logs that its folder is read-only or that it lists fonts: no reader needs that.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from matplotlib import style
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with style.context(["default", {**MATPLOTLIB_STYLE, "svg.hashsalt": name}]):
        figure = Figure(figsize=(width, height))
        FigureCanvasSVG(figure)
        figure.subplots_adjust(left=0.115, right=0.985, bottom=0.145, top=0.97)
        draw(figure.add_subplot())
        return _to_inline_svg(_save_svg(figure), description)


def _save_svg(figure: "Figure") -> str:
    file = io.StringIO()
    no_metadata = dict.fromkeys(["Date", "Creator", "Format", "Type"])
    figure.savefig(file, format="svg", transparent=True, metadata=no_metadata)
    return file.getvalue()


def _to_inline_svg(svg: str, description: str | None) -> str:
    """Strips an SVG file down to its <svg> element, in the type and colors of the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r" font-family: [^;\"]*;?", "", svg)
    for i, color in enumerate(PALETTE):
        svg = svg.replace(color, f"var(--arm-{i})")
    svg = svg.replace(INK_COLOR, "currentColor").replace(LINE_COLOR, "var(--line)")
    used = set(re.findall(r"#([\w.-]+)", svg))
    svg = re.sub(r' id="([\w.-]+)"', lambda match: match[0] if match[1] in used else "", svg)
    svg = re.sub(r"\s*\n\s*", " ", svg)
    role = f'role="img" aria-label="{escape(description)}"' if description else 'aria-hidden="true"'
    box = re.search(r'viewBox="[^"]*"', svg)
    assert box is not None
    return re.sub(r"<svg[^>]*>", f"<svg {box[0]} {role}>", svg, count=1)
