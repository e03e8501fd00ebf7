"""Renders the paragraphs of a chapter from the text template beside it."""

from pathlib import Path
from typing import Any


def render_paragraphs(template: Path, block: str, **values: Any) -> list[str]:
    """The paragraphs of one block of a Jinja template of plain text.

    Args:
        template: path of the template. A blank line ends a paragraph; other line breaks become spaces.
        block: name of the block.
        values: variables of the block. The filter ``percent`` writes a share as ``12 %``, ``thousands`` a count as
            ``1,234``.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)
    environment.filters |= {"percent": lambda share: f"{100 * share:.0f} %", "thousands": lambda count: f"{count:,}"}
    parsed = environment.from_string(template.read_text(encoding="utf-8"))
    text = "".join(parsed.blocks[block](parsed.new_context(values)))
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n") if paragraph.strip()]
