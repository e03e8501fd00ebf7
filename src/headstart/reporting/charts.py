"""Charts as inline SVG by matplotlib, in the page's own colours and type, so that they follow light and dark."""

import io
import logging
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from markupsafe import escape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NUM_COLORS = 6  # colours that tell lines apart; further ones take them again
# Stand-ins, which become the page's own colours.
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
    """The chart as an inline <svg>, the same bytes each time.

    Args:
        name: of the chart; no two of a page share one.
        draw: draws on the axes.
        described: the chart in words; None for an ornament.
        width, height: in inches of 72 pixels.
    """
    # Where its folder cannot be written or its list of fonts is new, it says so: nothing that a reader needs.
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
    out = io.StringIO()
    nothing = dict.fromkeys(["Date", "Creator", "Format", "Type"])
    figure.savefig(out, format="svg", transparent=True, metadata=nothing)
    return out.getvalue()


def _to_inline_svg(svg: str, description: str | None) -> str:
    """The <svg> element alone, without what belongs to a file of its own, in the page's type and colours."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r" font-family: [^;\"]*;?", "", svg)
    for i, colour in enumerate(PALETTE):
        svg = svg.replace(colour, f"var(--arm-{i})")
    svg = svg.replace(INK_COLOR, "currentColor").replace(LINE_COLOR, "var(--line)")
    used = set(re.findall(r"#([\w.-]+)", svg))
    svg = re.sub(r' id="([\w.-]+)"', lambda found: found[0] if found[1] in used else "", svg)
    svg = re.sub(r"\s*\n\s*", " ", svg)
    spoken = f'role="img" aria-label="{escape(description)}"' if description else 'aria-hidden="true"'
    box = re.search(r'viewBox="[^"]*"', svg)
    assert box is not None
    return re.sub(r"<svg[^>]*>", f"<svg {box[0]} {spoken}>", svg, count=1)
