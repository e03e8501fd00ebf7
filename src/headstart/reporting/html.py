"""Loads the templates of the pages. A page is one self-contained file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from headstart.reporting import formats

if TYPE_CHECKING:
    from jinja2 import Template

PAGE_CSS = Path(__file__).with_name("page.css")
MAX_NAME_LENGTH = 48  # characters of a name that a page shows; its title has the whole name


def load_template(path: Path, **filters: Any) -> "Template":
    """Loads a Jinja template that escapes every value but markup of ours. ``style`` is the style sheet.

    Args:
        path: of the template.
        filters: in addition to those for numbers and names.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_keep_percent_signs,
    )
    environment.filters |= {
        "percent": formats.format_percent,
        "points": formats.format_signed_points,
        "count": formats.format_count,
        "decimal": formats.format_decimal,
        "si": formats.format_si,
        "short": shorten_name,
        "verbatim": escape_verbatim,
    }
    environment.filters |= filters
    environment.globals["style"] = Markup(PAGE_CSS.read_text(encoding="utf-8"))
    return environment.from_string(path.read_text(encoding="utf-8"))


def _keep_percent_signs(value: Any) -> Any:
    """Keeps each percent sign of a text on the line of its number; leaves other values as they are."""
    return value.replace(" %", "\N{NO-BREAK SPACE}%") if type(value) is str else value


def shorten_name(name: Any, max_length: int = MAX_NAME_LENGTH) -> Markup:
    """Marks up a user's name in its own writing direction, and cuts a long one in the middle."""
    name = str(name)
    if len(name) <= max_length:
        return Markup("<bdi>{}</bdi>").format(escape_verbatim(name))
    half = max_length // 2
    whole, first, last = map(escape_verbatim, (name, name[:half], name[-half:]))
    return Markup('<bdi title="{}">{}…{}</bdi>').format(whole, first, last)


def escape_verbatim(text: str) -> Markup:
    """Escapes a text that a reader copies, such as a command: each character stays."""
    return escape(text).replace("\r", Markup("&#13;"))  # a browser would read it as a line feed
