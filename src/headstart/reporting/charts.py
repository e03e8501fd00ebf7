"""Renders matplotlib charts as inline SVG in the colors and type of the page, which follow light and dark mode."""

import io
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class ChartLine:
    """A line of a chart.

    Args:
        x, y: coordinates of its points.
        label: in the legend; "": not in the legend.
        style: a matplotlib format string for line and marker, such as ``"--o"``.
        color: one of ``PALETTE``, or ``INK_COLOR``.
        low, high: a band around the line, such as its 95 % intervals; (): no band.

    Example:
        >>> ChartLine([1, 2, 3], [0.9, 0.5, 0.3], label="training", style="--o")
    """

    x: Sequence[float]
    y: Sequence[float]
    label: str = ""
    style: str = "-"
    color: str = PALETTE[0]
    low: Sequence[float] = ()
    high: Sequence[float] = ()


def render_line_chart(
    name: str,
    lines: Sequence[ChartLine],
    description: str,
    *,
    x_label: str,
    y_label: str,
    x_ticks: Sequence[float] = (),
    y_limits: tuple[float, float] | None = None,
    log_y: bool = False,
) -> str:
    """A chart of lines as an inline <svg>.

    Args:
        name: of the chart, unique within a page.
        lines: at least one with a label.
        description: the chart in words.
        x_label, y_label: of the axes.
        x_ticks: positions; (): chosen by matplotlib.
        y_limits: ends of the y axis; None: chosen by matplotlib.
        log_y: whether the y axis is logarithmic.
    """

    def draw(axes: "Axes") -> None:
        for line in lines:
            if len(line.low):
                axes.fill_between(line.x, line.low, line.high, color=line.color, alpha=0.15, linewidth=0)
            size = 3.0 if line.style == "." else None
            axes.plot(line.x, line.y, line.style, color=line.color, label=line.label or "_", markersize=size)
        if log_y:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(lambda value, position: f"{value:g}")
            axes.yaxis.set_minor_formatter(lambda value, position: "")
        if len(x_ticks):
            axes.set_xticks(x_ticks)
        if y_limits:
            axes.set_ylim(*y_limits)
        axes.set(xlabel=x_label, ylabel=y_label)
        axes.legend(frameon=False)

    return render_svg(name, draw, description)


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
