"""Data classes of the explanation: Claim, Picture, Table, Chapter."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import Tensor

ClaimVerdict = Literal["holds", "depends", "fails", "not measured"]


@dataclass(frozen=True)
class Picture:
    """A picture and its caption.

    Args:
        markup: an ``<svg>`` of ``headstart.reporting.charts.render_svg`` or an ``<img>`` of
            ``headstart.understand.pictures``, with its text alternative. Text from users is escaped.
        caption: plain text.
    """

    markup: str
    caption: str


@dataclass(frozen=True)
class Table:
    """A table of plain text and numbers; numbers are aligned right.

    Args:
        caption: plain text.
        headers: one for each column.
        rows: a text or number for each column.
    """

    caption: str
    headers: tuple[str, ...]
    rows: list[tuple[Any, ...]]


@dataclass(frozen=True)
class Claim:
    """A claim of the course and its measurement.

    Args:
        name: its identifier, such as ``"early-layers-are-edges"``.
        sentence: the claim in our own words.
        verdict: the outcome of the measurement.
        value: the figure in words: ``"44 % of the filters, 3 % in a random network"``.
        control: the comparison in words.
        interval: 95 % interval of the figure in the unit of ``value``; None: it has none.
        command: the command that measures it, where this page does not; "": the page's own.
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
        name: as ``--only`` takes it.
        title: its heading.
        content: paragraphs (plain text), pictures and tables in reading order.
        claims: measured in this chapter.
        numbers: all measurements as plain values, for ``understanding.json``.
        sensitivity_maps: by layer name, effective fields of center units for the simulation, ≥ 0, (H, W).
        sentences: the sentence of each claim by its name.

    Example:
        >>> chapter = Chapter("pooling", "Pooling", sentences={"max-keeps-strongest": "Max pooling keeps the maximum."})
        >>> chapter.add_claim("max-keeps-strongest", "holds", "100 % of the maximum", "average: 61 %")
    """

    name: str
    title: str
    content: list[str | Picture | Table] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    numbers: dict[str, Any] = field(default_factory=dict)
    sensitivity_maps: dict[str, "Tensor"] = field(default_factory=dict)
    sentences: Mapping[str, str] = field(default_factory=dict)

    def add_claim(
        self,
        name: str,
        verdict: ClaimVerdict,
        value: str = "",
        control: str = "",
        interval: tuple[float, float] | None = None,
        command: str = "",
    ) -> None:
        """Appends a claim with its sentence; arguments as in ``Claim``."""
        self.claims.append(Claim(name, self.sentences[name], verdict, value, control, interval, command))

    def add_unmeasured(self, reason: str, names: Iterable[str] = (), command: str = "") -> None:
        """Appends claims that are not measured.

        Args:
            reason: why, as their ``value``.
            names: of the claims; empty: all that have no claim yet.
            command: measures them, such as one for another run.
        """
        measured = {claim.name for claim in self.claims}
        for name in list(names) or [name for name in self.sentences if name not in measured]:
            self.add_claim(name, "not measured", reason, command=command)
