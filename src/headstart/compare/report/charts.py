"""The charts of the page: SVG by matplotlib, in the page's own colours and type, so that they follow light and dark.

No name of a person's stands in a chart: arms are told apart by colour, marker and dashes, and the page names them
beside a :func:`swatch`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from headstart.reporting.charts import INK_COLOR, NUM_COLORS, PALETTE, render_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = "os^Dv>P"
LINE_STYLES = ["-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)), (0, (3, 3))]


def plot_label_efficiency(
    rows: Sequence[dict[str, Any]], arms: Sequence[str], crossover_spans: Sequence[Sequence[float]]
) -> str:
    """Accuracy against labels per class, a band of one standard deviation over the runs around each arm's mean.

    Args:
        rows: of the table, each with the ``labels`` that its budget comes to.
        arms: in the order of their colours.
        between: pairs of budgets between which the order of two arms changes; they are shaded.
    """

    def draw(axes: "Axes") -> None:
        for i, arm in enumerate(arms):
            its = sorted((row for row in rows if row["arm"] == arm), key=lambda row: row["labels"])
            x = [row["labels"] for row in its]
            low, high = ([100 * (r["accuracy"] + side * (r["spread"] or 0)) for r in its] for side in (-1, 1))
            axes.fill_between(x, low, high, color=PALETTE[i % NUM_COLORS], alpha=0.15, linewidth=0)
            axes.plot(x, [100 * row["accuracy"] for row in its], **_line_style(i))
        for low_end, high_end in crossover_spans:
            axes.axvspan(low_end, high_end, color=INK_COLOR, alpha=0.07, linewidth=0)
        _set_budget_axis(axes, sorted({row["labels"] for row in rows}))
        axes.set_ylabel("accuracy on the test images, %")

    return render_svg("efficiency", draw, "Accuracy against labels per class, one line for each arm, with a band of one "
                  "standard deviation over its runs. The numbers are in the table above.")  # fmt: skip


def plot_cost(rows: Sequence[dict[str, Any]], arms: Sequence[str]) -> str:
    """Accuracy against seconds of training, the budgets of an arm joined."""

    def draw(axes: "Axes") -> None:
        for i, arm in enumerate(arms):
            its = sorted((row for row in rows if row["arm"] == arm), key=lambda row: row["labels"])
            axes.plot([row["seconds"] for row in its], [100 * row["accuracy"] for row in its], **_line_style(i))
        axes.set_xscale("log")
        _set_plain_ticks(axes)
        axes.set_xlabel("seconds of training a run")
        axes.set_ylabel("accuracy on the test images, %")

    return render_svg("cost", draw, "Accuracy against seconds of training, a point for each arm and budget, the budgets of "
                  "an arm joined. The numbers are in the table above.")  # fmt: skip


def plot_learning_curves(
    curves: Sequence[dict[str, Any]], arms: Sequence[str], metric: str, label: str, scale: float = 1
) -> str:
    """A curve for each arm against its epochs.

    Args:
        curves: with ``arm``, ``epoch`` and ``what``.
        arms: in the order of their colours.
        what: the key of what is shown, times ``scale``.
        label: what it is called.
    """

    from matplotlib.ticker import MaxNLocator

    def draw(axes: "Axes") -> None:
        for curve in curves:
            look = _line_style(arms.index(curve["arm"])) | {"marker": "" if len(curve["epoch"]) > 1 else "o"}
            axes.plot(curve["epoch"], [_scale_value(v, scale) for v in curve[metric]], **look)
        axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)

    name = f"{metric}-{curves[0]['labels_per_class']}"
    return render_svg(name, draw, f"{label.capitalize()} against the epoch, one line for each arm.")


def plot_reliability(points: Sequence[dict[str, Any]], arm_index: int) -> str:
    """A reliability diagram: accuracy against confidence, beside the line on which they are equal."""

    def draw(axes: "Axes") -> None:
        axes.plot([0, 100], [0, 100], color=INK_COLOR, linewidth=0.9, linestyle=(0, (2, 2)))
        x, y = ([100 * point[key] for point in points] for key in ("confidence", "accuracy"))
        axes.plot(x, y, **(_line_style(arm_index) | {"linestyle": "-"}))
        axes.set_xlim(-3, 103)
        axes.set_ylim(-3, 103)
        axes.set_xlabel("how sure it was, %")
        axes.set_ylabel("how often it was right, %")

    return render_svg("reliability", draw, "How often the chosen arm was right against how sure it was, each point of as "
                  "many answers. On the dashed line both are equal.", height=3.4)  # fmt: skip


def plot_swatch(arm_index: int) -> str:
    """The line and marker of an arm, for beside its name."""

    def draw(axes: "Axes") -> None:
        axes.set_axis_off()
        axes.set_position((0, 0, 1, 1))
        axes.plot([0, 0.5, 1], [0, 0, 0], **_line_style(arm_index), markevery=[1])
        axes.set_xlim(-0.05, 1.05)
        axes.set_ylim(-1, 1)

    return render_svg(f"swatch{arm_index}", draw, None, width=0.44, height=0.16)


def _line_style(arm_index: int) -> dict[str, Any]:
    return {
        "color": PALETTE[arm_index % NUM_COLORS],
        "marker": MARKERS[arm_index % len(MARKERS)],
        "linestyle": LINE_STYLES[arm_index % len(LINE_STYLES)],
    }


def _scale_value(value: float | None, scale: float) -> float:
    return float("nan") if value is None else scale * value


def _set_budget_axis(axes: "Axes", budgets: Sequence[float]) -> None:
    axes.set_xscale("log")
    axes.set_xticks(list(budgets), [f"{b:g}" for b in budgets])
    axes.minorticks_off()
    axes.set_xlabel("labels per class")


def _set_plain_ticks(axes: "Axes") -> None:
    """A logarithmic axis with plain numbers, few enough to stand beside each other on a phone."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = axes.get_xlim()
    steps = (1, 2, 5) if high < 100 * low else (1,)
    axes.xaxis.set_major_locator(LogLocator(subs=steps))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
