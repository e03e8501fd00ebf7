"""Renders the explanation as one self-contained page and as JSON."""

import json
import math
from itertools import groupby
from pathlib import Path
from typing import Any

from markupsafe import Markup

from headstart.reporting.formats import to_json_value
from headstart.reporting.html import load_template
from headstart.understand.claims import Chapter, Claim, Picture, Table

TEMPLATE = Path(__file__).with_name("understanding.html.jinja")
VERDICT_MARKS = {"holds": "✓", "depends": "±", "fails": "✗", "not measured": "–"}


def render_explanation(
    name: str, chapters: list[Chapter], cautions: list[str], command: str, simulation: str = ""
) -> str:
    """The page as HTML.

    Args:
        name: the network's name.
        chapters: in reading order.
        cautions: limits of the results, shown first.
        command: the command that makes this page.
        simulation: the simulation of receptive fields as markup; "": none.
    """
    claims = [(claim, chapter) for chapter in chapters for claim in chapter.claims]
    counts = {verdict: sum(claim.verdict == verdict for claim, _ in claims) for verdict in VERDICT_MARKS}
    return load_template(TEMPLATE, interval=format_claim_interval, cell=format_cell, markup=Markup).render(
        name=name,
        chapters=[
            (chapter, [(kind, list(parts)) for kind, parts in groupby(chapter.content, _content_kind)])
            for chapter in chapters
        ],
        claims=claims,
        counts=counts,
        marks=VERDICT_MARKS,
        cautions=cautions,
        command=command,
        simulation=Markup(simulation),
    )


def explanation_to_json(
    name: str, chapters: list[Chapter], cautions: list[str], command: str, versions: dict[str, str]
) -> str:
    """All measurements, for ``understanding.json``; NaN and infinity become null."""
    content = {
        "name": name,
        "command": command,
        "versions": versions,
        "cautions": cautions,
        "chapters": [
            {
                "name": chapter.name,
                "title": chapter.title,
                "claims": [vars(claim) for claim in chapter.claims],
                "numbers": chapter.numbers,
            }
            for chapter in chapters
        ],
    }
    return json.dumps(to_json_value(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def format_claim_interval(claim: Claim) -> str:
    if claim.interval is None:
        return ""
    return f"{_format_number(claim.interval[0])} to {_format_number(claim.interval[1])}"


def format_cell(value: Any) -> str:
    """A table's cell: a number with three significant digits, "yes" or "no", or the text itself."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _format_number(value) if isinstance(value, int | float) else str(value)


def _format_number(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    if not math.isfinite(value):
        return "–"
    return (f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}").replace("-", "−")


def _content_kind(part: Any) -> str:
    return "picture" if isinstance(part, Picture) else "table" if isinstance(part, Table) else "text"
