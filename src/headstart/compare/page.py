"""The report as one self-contained page: no network, no script, good on a phone and on paper, light and dark.

Every name in it is untrusted text: the template escapes all that is not a chart of ours.
"""

from base64 import b64encode
from pathlib import Path
from typing import Any

from markupsafe import Markup

from headstart.compare import figures, words

MOST_FINDINGS = 100  # of an audit; all are in report.json
LONGEST = 48  # characters of a name that stand on the page; the rest is in its title
TEMPLATE = Path(__file__).with_name("report.html.jinja")
PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def render(report: dict[str, Any], pictures: dict[str, bytes]) -> str:
    """The page.

    Args:
        report: what :func:`headstart.compare.report.report` says.
        pictures: small pictures of some test images, WebP by name.
    """
    from jinja2 import Environment, StrictUndefined

    room = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    room.filters |= {
        "budget": words.budget,
        "percent": percent,
        "points": points,
        "count": count,
        "decimal": decimal,
        "si": si,
        "short": short,
    }
    places = {arm: i for i, arm in enumerate(sorted({arm for data in report["data"] for arm in data["arms"]}))}
    swatches = [Markup(figures.swatch(i)) for i in range(len(places))]
    charts = {data["name"]: _charts(data, list(places)) for data in report["data"]}
    shown = {image: f"data:image/webp;base64,{b64encode(webp).decode()}" for image, webp in pictures.items()}
    template = room.from_string(TEMPLATE.read_text(encoding="utf-8"))
    drawn = {"places": places, "swatches": swatches, "charts": charts, "pictures": shown}
    return template.render(**report, **drawn, most_findings=MOST_FINDINGS)


def _charts(data: dict[str, Any], arms: list[str]) -> dict[str, Any]:
    """The charts of one data set; a chart that would show nothing is left out."""
    labels = {split["labels_per_class"]: _labels(split) for split in data["splits"]}
    rows = [row | {"labels": labels[row["labels_per_class"]]} for row in data["table"]]
    rows = [row for row in rows if row["labels"] and row["accuracy"] is not None]
    drawn: dict[str, Any] = {"learning": []}
    if len({row["labels"] for row in rows}) > 1:
        between = [[labels[c["before"]] or 0, labels[c["after"]] or 0] for c in data["changes"]]
        drawn["efficiency"] = Markup(figures.efficiency(rows, arms, between))
    if timed := [row for row in rows if row["seconds"]]:
        drawn["cost"] = Markup(figures.cost(timed, arms))
    for budget in labels:
        for what, label, scale in (("train_loss", "training loss", 1), ("val_accuracy", "validation accuracy, %", 100)):
            its = [c for c in data["learning"] if c["labels_per_class"] == budget and what in c]
            if its:
                chart = Markup(figures.learning(its, arms, what, label, scale))
                drawn["learning"].append({"labels_per_class": budget, "what": label, "chart": chart})
    look = data["closer"]
    if look and "calibration" in look:
        bins = next(row["bins"] for row in look["calibration"] if row["arm"] == look["arm"])
        drawn["reliability"] = Markup(figures.reliability(bins, arms.index(look["arm"])))
    return drawn


def _labels(split: dict[str, Any]) -> float | None:
    """Labels per class that the budget comes to; of all labels, their mean."""
    if split["labels_per_class"] is not None:
        return split["labels_per_class"]
    return round((split["train"] + split["val"]) / split["classes"]) if split["classes"] else None


def percent(share: float | None) -> str:
    """Of 1, as per cent with one decimal."""
    return "–" if share is None else f"{100 * share:.1f}"


def points(difference: float | None) -> str:
    """A difference of shares in points, with its sign."""
    return "–" if difference is None else f"{100 * difference:+.1f}".replace("-", "−")


def count(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def decimal(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def si(value: float | None) -> str:
    """Three figures and a prefix: ``22.2 M``."""
    if value is None:
        return "–"
    value = float(f"{value:.3g}")
    scale, prefix = next(((s, p) for s, p in PREFIXES if value >= s), (1, ""))
    figure = value / scale
    digits = 0 if figure >= 100 or scale == 1 else 1 if figure >= 10 else 2
    return f"{figure:.{digits}f} {prefix}".strip()


def short(name: Any, longest: int = LONGEST) -> Markup:
    """A name of a person's, whichever way it is written, cut in its middle where it is long."""
    name = str(name)
    if len(name) <= longest:
        return Markup("<bdi>{}</bdi>").format(name)
    half = longest // 2
    return Markup('<bdi title="{}">{}…{}</bdi>').format(name, name[:half], name[-half:])
