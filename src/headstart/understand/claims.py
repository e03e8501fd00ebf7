"""What a chapter of the explanation says: sentences, pictures, tables, and the lesson's claims with their evidence."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import Tensor

ClaimVerdict = Literal["holds", "depends", "fails", "not measured"]


@dataclass(frozen=True)
class Picture:
    """A picture and what it shows.

    Args:
        markup: an ``<svg>`` of ``headstart.reporting.charts.drawn`` or an ``<img>`` of ``headstart.understand.pictures``; it holds
            its text alternative, and no text of a person's that is not escaped.
        caption: what one sees in it, as plain text.
    """

    markup: str
    caption: str


@dataclass(frozen=True)
class Table:
    """Rows under their headers, as plain text and numbers; numbers stand flush right.

    Args:
        caption: what the table says.
        headers: a text for each column.
        rows: a text or number for each column.
    """

    caption: str
    headers: tuple[str, ...]
    rows: list[tuple[Any, ...]]


@dataclass(frozen=True)
class Claim:
    """A sentence of the lesson, measured.

    Args:
        name: by which it is known, such as ``"early-layers-are-edges"``.
        sentence: the claim in our own words.
        verdict: what the measurement says of it.
        value: the figure, in words: ``"44 % of the filters, 3 % in a random network"``.
        control: what it was held against, in words.
        interval: of the figure, where it has one; in the unit of ``value``.
        command: what reproduces it, where it takes more than this page.
    """

    name: str
    sentence: str
    verdict: ClaimVerdict
    value: str = ""
    control: str = ""
    interval: tuple[float, float] | None = None
    command: str = ""


@dataclass
class Chapter:
    """One part of the explanation.

    Args:
        name: of the part, as ``--only`` takes it.
        title: its heading.
        content: paragraphs (plain text), pictures and tables, in the order of reading.
        claims: of the lesson, that this part measures.
        numbers: all that was measured, in plain values; it becomes ``understanding.json``.
        maps: by layer, what the simulation shows beside its own: where a centre unit looks, ≥ 0, (H, W).
    """

    name: str
    title: str
    content: list[str | Picture | Table] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    numbers: dict[str, Any] = field(default_factory=dict)
    sensitivity_maps: dict[str, "Tensor"] = field(default_factory=dict)
