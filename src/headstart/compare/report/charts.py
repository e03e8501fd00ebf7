"""Draws the charts of the report.

Charts hold no name that a user gave: color, marker and dashes distinguish the arms, and the page has the names beside
the swatches of :func:`plot_swatch`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from headstart.reporting.charts import INK_COLOR, NUM_COLORS, PALETTE, render_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = "os^Dv>P"
AXIS_MARGIN = 0.02  # beyond the ends of the intervals
LINE_STYLES = ["-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)), (0, (3, 3))]


def scale_intervals(answer: dict[str, Any]) -> dict[str, Any]:
    """Places the accuracies of arms, their intervals and the line of guessing on one axis.

    Args:
        answer: of report.json, with ``arms`` and ``guess``.

    Returns:
        By arm ``mean``, ``left`` and ``width`` in per cent of the axis, and ``guess``; ``low`` and ``high``: what the
        axis begins and ends with, of 1.
    """
    arms, guess = answer["arms"], answer["guess"]
    low = max(0.0, min(guess, *(arm["low"] for arm in arms)) - AXIS_MARGIN)
    high = min(1.0, max(guess, *(arm["high"] for arm in arms)) + AXIS_MARGIN)
    places = {arm["arm"]: [100 * (arm[key] - low) / (high - low) for key in ("mean", "low", "high")] for arm in arms}
    return {
        "low": low,
        "high": high,
        "guess": 100 * (guess - low) / (high - low),
        "arms": {arm: {"mean": mean, "left": left, "width": end - left} for arm, (mean, left, end) in places.items()},
    }


def plot_label_efficiency(
    rows: Sequence[dict[str, Any]], arms: Sequence[str], crossover_spans: Sequence[Sequence[float]]
) -> str:
    """Plots accuracy against labels per class, with a band of one standard deviation over the runs of each arm.

    Args:
        rows: of the table, each with its ``labels`` per class.
        arms: in the order of their colors.
        crossover_spans: pairs of budgets between which the order of two arms changes; shaded.
    """

    def draw(axes: "Axes") -> None:
        for i, arm in enumerate(arms):
            arm_rows = _select_arm_rows(rows, arm)
            x = [row["labels"] for row in arm_rows]
            low, high = ([100 * (r["accuracy"] + sign * (r["spread"] or 0)) for r in arm_rows] for sign in (-1, 1))
            axes.fill_between(x, low, high, color=PALETTE[i % NUM_COLORS], alpha=0.15, linewidth=0)
            axes.plot(x, [100 * row["accuracy"] for row in arm_rows], **_line_style(i))
        for low_end, high_end in crossover_spans:
            axes.axvspan(low_end, high_end, color=INK_COLOR, alpha=0.07, linewidth=0)
        _set_budget_axis(axes, sorted({row["labels"] for row in rows}))
        axes.set_ylabel("accuracy on the test images, %")

    description = (
        "Accuracy against labels per class, one line for each arm, with a band of one standard deviation over its "
        "runs. The numbers are in the table above."
    )
    return render_svg("efficiency", draw, description)


def plot_cost(rows: Sequence[dict[str, Any]], arms: Sequence[str]) -> str:
    """Plots accuracy against seconds of training; lines join the budgets of an arm."""

    def draw(axes: "Axes") -> None:
        for i, arm in enumerate(arms):
            arm_rows = _select_arm_rows(rows, arm)
            axes.plot(
                [row["seconds"] for row in arm_rows], [100 * row["accuracy"] for row in arm_rows], **_line_style(i)
            )
        axes.set_xscale("log")
        _set_plain_ticks(axes)
        axes.set_xlabel("seconds of training a run")
        axes.set_ylabel("accuracy on the test images, %")

    description = (
        "Accuracy against seconds of training, a point for each arm and budget, the budgets of an arm joined. The "
        "numbers are in the table above."
    )
    return render_svg("cost", draw, description)


def plot_learning_curves(
    curves: Sequence[dict[str, Any]], arms: Sequence[str], metric: str, label: str, scale: float = 1
) -> str:
    """Plots a curve for each arm against its epochs.

    Args:
        curves: with ``arm``, ``epoch`` and ``metric``.
        arms: in the order of their colors.
        metric: the key of the shown values.
        label: of the axis.
        scale: factor of the shown values.
    """
    from matplotlib.ticker import MaxNLocator

    def draw(axes: "Axes") -> None:
        for curve in curves:
            style = _line_style(arms.index(curve["arm"])) | {"marker": "" if len(curve["epoch"]) > 1 else "o"}
            axes.plot(curve["epoch"], [_scale_value(v, scale) for v in curve[metric]], **style)
        axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)

    name = f"{metric}-{curves[0]['labels_per_class']}"
    return render_svg(name, draw, f"{label.capitalize()} against the epoch, one line for each arm.")


def plot_reliability(points: Sequence[dict[str, Any]], arm_index: int) -> str:
    """Plots a reliability diagram: accuracy against confidence, beside the line on which they are equal."""

    def draw(axes: "Axes") -> None:
        axes.plot([0, 100], [0, 100], color=INK_COLOR, linewidth=0.9, linestyle=(0, (2, 2)))
        x, y = ([100 * point[key] for point in points] for key in ("confidence", "accuracy"))
        axes.plot(x, y, **(_line_style(arm_index) | {"linestyle": "-"}))
        axes.set_xlim(-3, 103)
        axes.set_ylim(-3, 103)
        axes.set_xlabel("confidence, %")
        axes.set_ylabel("accuracy, %")

    description = (
        "Accuracy of the arm against its confidence, each point of as many predictions. On the dashed line both are "
        "equal."
    )
    return render_svg("reliability", draw, description, height=3.4)


def plot_swatch(arm_index: int) -> str:
    """Draws the line and marker of an arm, to show beside its name."""

    def draw(axes: "Axes") -> None:
        axes.set_axis_off()
        axes.set_position((0, 0, 1, 1))
        axes.plot([0, 0.5, 1], [0, 0, 0], **_line_style(arm_index), markevery=[1])
        axes.set_xlim(-0.05, 1.05)
        axes.set_ylim(-1, 1)

    return render_svg(f"swatch{arm_index}", draw, None, width=0.44, height=0.16)


def _select_arm_rows(rows: Sequence[dict[str, Any]], arm: str) -> list[dict[str, Any]]:
    """Returns the rows of an arm, sorted by labels."""
    return sorted((row for row in rows if row["arm"] == arm), key=lambda row: row["labels"])


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
    """Labels a logarithmic axis with plain numbers, few enough for a phone."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = axes.get_xlim()
    steps = (1, 2, 5) if high < 100 * low else (1,)
    axes.xaxis.set_major_locator(LogLocator(subs=steps))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
