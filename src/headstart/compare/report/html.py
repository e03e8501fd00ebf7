"""Renders the report as one self-contained page without scripts, for phones and paper, in light and dark mode.

Names are untrusted text: the template escapes everything but our charts.
"""

import re
from base64 import b64encode
from functools import partial
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from headstart.compare.report import charts, text
from headstart.reporting.charts import NUM_COLORS
from headstart.reporting.formats import join_units
from headstart.reporting.html import MAX_NAME_LENGTH, load_template, shorten_name

MAX_FINDINGS = 100  # findings of an audit that the page lists; report.json has all
REPORT_TEMPLATE = Path(__file__).with_name("report.html.jinja")


def render_report(report: dict[str, Any], thumbnails: dict[str, bytes]) -> str:
    """Renders the page.

    Args:
        report: content of report.json.
        thumbnails: WebP pictures of test images, by name.
    """
    arms = sorted({arm for data in report["data"] for arm in data["arms"]})
    letters = _assign_letters(arms)
    template = load_template(
        REPORT_TEMPLATE,
        budget=text.format_budget,
        of_metric=text.format_metric_suffix,
        unbeaten_question=text.unbeaten_question,
        meaning=text.describe_model,
        finding_label=text.finding_label,
        arm_name=partial(_format_arm_name, letters),
        with_letters=partial(_abbreviate_arms, letters),
        next_step=text.describe_next_step,
        level=_format_level,
        chart_scale=charts.scale_intervals,
    )
    return template.render(
        **report,
        indices={arm: i for i, arm in enumerate(arms)},
        letters=letters,
        swatches=[Markup(charts.plot_swatch(i)) for i in range(len(arms))],
        charts={data["name"]: _draw_charts(data, arms) for data in report["data"]},
        pictures={name: f"data:image/webp;base64,{b64encode(webp).decode()}" for name, webp in thumbnails.items()},
        max_findings=MAX_FINDINGS,
        protocol=text.PROTOCOL_REFERENCE,
        num_colors=NUM_COLORS,
    )


def _assign_letters(arms: list[str]) -> dict[str, str]:
    """Abbreviates arms with names too long for a sentence by model and letter; the list of arms has both."""
    long_names = [arm for arm in arms if len(arm) > MAX_NAME_LENGTH]
    return {arm: f"{arm.partition(' ')[0]} {chr(65 + i % 26) * (1 + i // 26)}" for i, arm in enumerate(long_names)}


def _format_arm_name(letters: dict[str, str], arm: str) -> Markup:
    """Marks up an arm's name, or its letter with the name as title."""
    return Markup('<bdi title="{}">{}</bdi>').format(arm, letters[arm]) if arm in letters else shorten_name(arm)


def _abbreviate_arms(letters: dict[str, str], sentence: str) -> Markup:
    """Replaces long names of arms in a sentence by letters."""
    sentence = join_units(sentence)
    if not letters:
        return escape(sentence)
    names = re.compile(f"({'|'.join(map(re.escape, sorted(letters, key=len, reverse=True)))})")
    return Markup("").join(
        _format_arm_name(letters, part) if part in letters else part for part in names.split(sentence)
    )


def _format_level(confidence: float) -> str:
    """``98.8 %``, ``95 %``."""
    return f"{100 * confidence:.3g}\N{NO-BREAK SPACE}%"


def _draw_charts(data: dict[str, Any], arms: list[str]) -> dict[str, Any]:
    """Draws the charts of one data set; leaves out a chart without content."""
    labels = {split["labels_per_class"]: _mean_labels_per_class(split) for split in data["splits"]}
    rows = [row | {"labels": labels[row["labels_per_class"]]} for row in data["table"]]
    rows = [row for row in rows if row["labels"] and row["accuracy"] is not None]
    drawn: dict[str, Any] = {"learning": []}
    if len({row["labels"] for row in rows}) > 1:
        spans = [[labels[change["before"]] or 0, labels[change["after"]] or 0] for change in data["changes"]]
        drawn["efficiency"] = Markup(charts.plot_label_efficiency(rows, arms, spans))
    if with_seconds := [row for row in rows if row["seconds"]]:
        drawn["cost"] = Markup(charts.plot_cost(with_seconds, arms))
    for budget in labels:
        for curve, title, scale in (
            ("train_loss", "training loss", 1),
            ("val_accuracy", "validation accuracy, %", 100),
        ):
            curves = [c for c in data["learning"] if c["labels_per_class"] == budget and curve in c]
            if curves:
                chart = Markup(charts.plot_learning_curves(curves, arms, curve, title, scale))
                drawn["learning"].append({"labels_per_class": budget, "title": title, "chart": chart})
    evaluation = data["best_arm"] or {}
    points = next((row["points"] for row in evaluation.get("calibration", ()) if row["arm"] == evaluation["arm"]), ())
    if known := [point for point in points if point["confidence"] is not None]:  # None: a probability is NaN
        drawn["reliability"] = Markup(charts.plot_reliability(known, arms.index(evaluation["arm"])))
    return drawn


def _mean_labels_per_class(split: dict[str, Any]) -> float | None:
    """Returns the labels per class of a budget; for all labels, their mean over the classes."""
    if split["labels_per_class"] is not None:
        return split["labels_per_class"]
    return round((split["train"] + split["val"]) / split["classes"]) if split["classes"] else None
