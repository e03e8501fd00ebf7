"""What the pages share: one self-contained file, its style, and how numbers and names stand in it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from jinja2 import Template

PAGE_CSS = Path(__file__).with_name("page.css")
MAX_NAME_LENGTH = 48  # characters of a name that stand on the page; the rest is in its title
SI_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def load_template(path: Path, **filters: Any) -> "Template":
    """The page at ``path``, which escapes all that is not marked as ours; ``style`` is in its reach.

    Args:
        path: a Jinja template.
        filters: beside those for numbers and names below.
    """
    from jinja2 import Environment, StrictUndefined

    room = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_keep_percent_signs
    )
    room.filters |= {
        "percent": format_percent,
        "points": format_signed_points,
        "count": format_count,
        "decimal": format_decimal,
        "si": format_si,
    }
    room.filters |= {"short": shorten_name, "verbatim": escape_verbatim} | filters
    room.globals["style"] = Markup(PAGE_CSS.read_text(encoding="utf-8"))
    return room.from_string(path.read_text(encoding="utf-8"))


def _keep_percent_signs(value: Any) -> Any:
    """A text whose numbers keep their per cent sign on their line; markup and numbers as they are."""
    return value.replace(" %", "\N{NO-BREAK SPACE}%") if type(value) is str else value


def format_percent(share: float | None) -> str:
    """Of 1, as per cent with one decimal."""
    return "–" if share is None else f"{round(100 * share, 1) + 0.0:.1f}".replace("-", "−")


def format_signed_points(difference: float | None) -> str:
    """A difference of shares in points, with its sign."""
    return "–" if difference is None else f"{round(100 * difference, 1) + 0.0:+.1f}".replace("-", "−")


def format_count(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def format_decimal(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def format_si(value: float | None) -> str:
    """Three figures and a prefix: ``22.2 M``."""
    if value is None:
        return "–"
    value = float(f"{value:.3g}")
    scale, prefix = next(((s, p) for s, p in SI_PREFIXES if value >= s), (1, ""))
    figure = value / scale
    digits = 0 if figure >= 100 or scale == 1 else 1 if figure >= 10 else 2
    return f"{figure:.{digits}f} {prefix}".strip()


def shorten_name(name: Any, max_length: int = MAX_NAME_LENGTH) -> Markup:
    """A name of a person's, whichever way it is written, cut in its middle where it is long."""
    name = str(name)
    if len(name) <= max_length:
        return Markup("<bdi>{}</bdi>").format(escape_verbatim(name))
    half = max_length // 2
    whole, first, last = map(escape_verbatim, (name, name[:half], name[-half:]))
    return Markup('<bdi title="{}">{}…{}</bdi>').format(whole, first, last)


def escape_verbatim(text: str) -> Markup:
    """A text that the page gives back character by character, such as a command to copy."""
    return escape(text).replace("\r", Markup("&#13;"))  # a browser would read it as a line feed
