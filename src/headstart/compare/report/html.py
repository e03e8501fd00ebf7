"""The report as one self-contained page: no network, no script, good on a phone and on paper, light and dark.

Every name in it is untrusted text: the template escapes all that is not a chart of ours.
"""

import re
from base64 import b64encode
from functools import partial
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from headstart.compare.report import charts as figures
from headstart.compare.report import text
from headstart.reporting.html import MAX_NAME_LENGTH, load_template, shorten_name

MAX_FINDINGS = 100  # of an audit; all are in report.json
REPORT_TEMPLATE = Path(__file__).with_name("report.html.jinja")


def render_report(report: dict[str, Any], pictures: dict[str, bytes], fingerprint: str) -> str:
    """The page.

    Args:
        report: what :func:`headstart.compare.report.content.report` says.
        pictures: small pictures of some test images, WebP by name.
        inputs: the digest of what the report is made from, which the page keeps.
    """
    places = {arm: i for i, arm in enumerate(sorted({arm for data in report["data"] for arm in data["arms"]}))}
    swatches = [Markup(figures.plot_swatch(i)) for i in range(len(places))]
    charts = {data["name"]: _draw_charts(data, list(places)) for data in report["data"]}
    shown = {image: f"data:image/webp;base64,{b64encode(webp).decode()}" for image, webp in pictures.items()}
    letters = _assign_letters(list(places))
    told = {"budget": text.format_budget, "of_metric": text.format_metric_suffix, "which": text.unbeaten_question}
    told |= {"meaning": text.describe_model, "found": text.finding_label}
    page = load_template(
        REPORT_TEMPLATE, **told, arm_name=partial(_format_arm_name, letters), spoken=partial(_abbreviate_arms, letters)
    )
    drawn = {"places": places, "swatches": swatches, "charts": charts, "pictures": shown, "letters": letters}
    return page.render(
        **report, **drawn, most_findings=MAX_FINDINGS, protocol=text.PROTOCOL_REFERENCE, inputs=fingerprint
    )


def _assign_letters(arms: list[str]) -> dict[str, str]:
    """Model and letter for arms whose names are too long for a sentence; the list of arms has both."""
    long = [arm for arm in arms if len(arm) > MAX_NAME_LENGTH]
    return {arm: f"{arm.partition(' ')[0]} {chr(65 + i % 26) * (1 + i // 26)}" for i, arm in enumerate(long)}


def _format_arm_name(letters: dict[str, str], arm: str) -> Markup:
    """An arm's name, or its letter, with the name in its title."""
    return Markup('<bdi title="{}">{}</bdi>').format(arm, letters[arm]) if arm in letters else shorten_name(arm)


def _abbreviate_arms(letters: dict[str, str], sentence: str) -> Markup:
    """A sentence in which long names of arms are letters."""
    if not letters:
        return escape(sentence)
    names = re.compile(f"({'|'.join(map(re.escape, sorted(letters, key=len, reverse=True)))})")
    return Markup("").join(
        _format_arm_name(letters, part) if part in letters else part for part in names.split(sentence)
    )


def _draw_charts(data: dict[str, Any], arms: list[str]) -> dict[str, Any]:
    """The charts of one data set; a chart that would show nothing is left out."""
    labels = {split["labels_per_class"]: _mean_labels_per_class(split) for split in data["splits"]}
    rows = [row | {"labels": labels[row["labels_per_class"]]} for row in data["table"]]
    rows = [row for row in rows if row["labels"] and row["accuracy"] is not None]
    drawn: dict[str, Any] = {"learning": []}
    if len({row["labels"] for row in rows}) > 1:
        between = [[labels[c["before"]] or 0, labels[c["after"]] or 0] for c in data["changes"]]
        drawn["efficiency"] = Markup(figures.plot_label_efficiency(rows, arms, between))
    if timed := [row for row in rows if row["seconds"]]:
        drawn["cost"] = Markup(figures.plot_cost(timed, arms))
    for budget in labels:
        for what, label, scale in (("train_loss", "training loss", 1), ("val_accuracy", "validation accuracy, %", 100)):
            its = [c for c in data["learning"] if c["labels_per_class"] == budget and what in c]
            if its:
                chart = Markup(figures.plot_learning_curves(its, arms, what, label, scale))
                drawn["learning"].append({"labels_per_class": budget, "what": label, "chart": chart})
    look = data["closer"] or {}
    points = next((row["points"] for row in look.get("calibration", ()) if row["arm"] == look["arm"]), ())
    if known := [point for point in points if point["confidence"] is not None]:  # None: a probability was NaN
        drawn["reliability"] = Markup(figures.plot_reliability(known, arms.index(look["arm"])))
    return drawn


def _mean_labels_per_class(split: dict[str, Any]) -> float | None:
    """Labels per class that the budget comes to; of all labels, their mean."""
    if split["labels_per_class"] is not None:
        return split["labels_per_class"]
    return round((split["train"] + split["val"]) / split["classes"]) if split["classes"] else None
