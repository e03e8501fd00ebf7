"""What the first layer looks for: its filters as pictures, and how many are edges, gradients or blobs of colour."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from headstart.reporting.charts import COLOURS, drawn
from headstart.understand.bootstrap import over_images
from headstart.understand.claims import Chapter, Claim, Picture, Table, Verdict
from headstart.understand.features.gabor_fit import FADED, Fits, first_filters, fits, pixels_shuffled
from headstart.understand.pictures import sheet, shown
from headstart.understand.statistics import Interval, of_share, surplus
from headstart.understand.subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CLAIMS = {"early-layers-are-edges": "The first layer learns to find edges and changes of colour."}

EXPLAINED = 0.9  # of a filter's energy: then it counts as a Gabor or a blob
FEWEST = 8  # filters that a verdict needs
ROOM = 2  # numbers of a filter for each number of a Gabor that a verdict needs
MOST = 64  # filters that are looked at


def chapter(subject: Subject, tell: Callable[[str], None]) -> Chapter:
    """First-layer filters, what a Gabor or a blob explains of them, and the same of noise."""
    shape = subject.images.shape[1], subject.images.shape[2], subject.images.shape[3]
    whole = first_filters(subject.network, shape)
    filters, random = _some(whole), _some(first_filters(subject.random, shape))
    tell("fitting Gabors and blobs to the first layer")
    trained, untrained = fits(filters), fits(random)
    tell("fitting them to the same filters with their pixels shuffled")
    kept = filters[trained.kept]
    times = max(2, 72 // filters[0, 0].numel())  # in a large kernel one shuffling is as hopeless as another
    shuffled = torch.stack([fits(some).explained for some in pixels_shuffled(kept, times).chunk(times)])
    verdict, why = judged(trained, shuffled, untrained)
    share = _share(trained.explained)
    mixed = shuffled.flatten()
    rows = [_row("this network", trained.explained, trained)]
    if subject.pretrained is not None:
        began = fits(_some(first_filters(subject.pretrained, shape)))
        rows.append(_row("the weights it began with", began.explained, began))
    rows.append(_row("the same, untrained", untrained.explained, untrained))
    rows.append(_row("this network, pixels shuffled", mixed, None))
    claim = Claim(
        name="early-layers-are-edges",
        sentence=CLAIMS["early-layers-are-edges"],
        verdict=verdict,
        value=f"{100 * share.middle:.0f} % of {len(kept)} filters are a Gabor or a blob; {why}",
        control=f"untrained {_percent(untrained.explained)}, pixels shuffled {_percent(mixed)}",
        interval=share.times(100) if len(kept) else None,
        command=""
        if verdict != "not measured"
        else "headstart understand RUN --only filters, with larger first filters",
    )
    return Chapter(
        name="filters",
        title="What the first layer looks for",
        content=[
            *_introduction(len(whole), filters, trained),
            *_pictures(kept, trained, random),
            _chart(trained, mixed, untrained),
            _table(rows),
            _reading(subject, filters, trained, mixed),
        ],
        claims=[claim],
        numbers={
            "kernel": list(filters.shape),
            "filters": len(whole),
            "numbers_of_a_filter": trained.values,
            "numbers_of_a_gabor": trained.parameters,
            "looked_at": len(filters),
            "faded": len(filters) - len(kept),
            "gabor": trained.gabor.tolist(),
            "blob": trained.blob.tolist(),
            "explained_share": share.middle,
            "explained_share_random": _share(untrained.explained).middle,
            "explained_share_shuffled": _share(mixed).middle,
            "threshold": EXPLAINED,
            "table": rows,
        },
    )


def judged(trained: Fits, shuffled: Tensor, untrained: Fits) -> tuple[Verdict, str]:
    """What the fits say of the claim, and why.

    It holds where more than half of the filters are explained, by the whole of the interval, and surely more than of
    the same filters with their pixels shuffled and than of an untrained network's; it fails where shuffling or not
    training gives as many, or surely fewer than half are explained and not surely more; else it depends. Nothing is
    said where a Gabor fits whatever the kernel holds, nor where the untrained network leaves no room for more.

    Args:
        trained, untrained: of the network's filters and of its untrained twin's.
        shuffled: what is explained of the kept filters with their pixels in other orders, float32 (times, kept).
    """
    count = len(trained.explained)
    if count < FEWEST:
        return "not measured", f"{count} filters are too few for a verdict"
    if trained.values < ROOM * trained.parameters:
        return "not measured", (
            f"a filter has {trained.values} numbers and a Gabor {trained.parameters}, so it fits almost anything: "
            "the kernel is too small for a verdict"
        )
    share, before = _share(trained.explained), _share(untrained.explained)
    if surplus(of_share(1.0, count), before).low <= 0:
        return "not measured", "the untrained network's are too: even all of these would not be more for sure"
    by_chance = (shuffled > EXPLAINED).float()
    more = {
        "with their pixels shuffled": _beyond((trained.explained > EXPLAINED).float() - by_chance.mean(dim=0)),
        "in the untrained network": surplus(share, before),
    }
    if more["with their pixels shuffled"].low <= 0 and by_chance.mean() >= 0.5:
        return "not measured", "so are they with their pixels shuffled: the kernel is too small for a verdict"
    for where, gain in more.items():
        if gain.middle <= 0:
            return "fails", f"no more than {where}"
        if gain.low <= 0:
            return "fails" if share.high < 0.5 else "depends", f"not more for sure than {where}"
    if share.low > 0.5:
        return "holds", "most of them"
    if share.high < 0.5:
        return "depends", "fewer than half, but more than by chance"
    return "depends", "more than by chance; too few filters to tell whether they are most"


def _beyond(gains: Tensor) -> Interval:
    """The mean of −1 to 1 a filter, and its interval."""
    return Interval(float(gains.mean()), *over_images(gains))


def _some(filters: Tensor) -> Tensor:
    """As many as are looked at, drawn by lot, the same places in every network."""
    return filters[torch.randperm(len(filters), generator=torch.Generator().manual_seed(0))[:MOST].sort().values]


def _share(explained: Tensor) -> Interval:
    """The share of filters that count as explained."""
    return of_share(float((explained > EXPLAINED).float().mean()) if len(explained) else 0.0, len(explained))


def _percent(explained: Tensor) -> str:
    return f"{100 * _share(explained).middle:.0f} %"


def _row(whose: str, explained: Tensor, found: Fits | None) -> dict[str, Any]:
    """Shares of filters from 0 to 1; those by one of the two fits are None where only the better one is known."""
    parts = (None, None) if found is None else (found.blob, found.gabor)
    blob, gabor = (None if part is None else _share(part).middle for part in parts)
    average = float(explained.mean()) if len(explained) else 0.0
    return {
        "of": whose, "count": len(explained), "explained": _share(explained).middle, "average": average,
        "by_blob": blob, "by_gabor": gabor,
    }  # fmt: skip


def _table(rows: list[dict[str, Any]]) -> Table:
    return Table(
        caption=f"How many filters a fit explains to more than {100 * EXPLAINED:.0f} %, and how much of a filter the "
        "better fit explains on average",
        headers=("filters of", "count", "explained", "on average", "by a blob", "by a Gabor"),
        rows=[
            tuple("–" if cell is None else f"{100 * cell:.0f} %" if isinstance(cell, float) else cell for cell in cells)
            for cells in (row.values() for row in rows)
        ],
    )


def _introduction(total: int, filters: Tensor, trained: Fits) -> list[str]:
    count, channels, height, width = filters.shape
    faded = count - len(trained.explained)
    gone = (
        f" {faded} of them have faded, to less than {100 * FADED:.0f} % of the strongest one's norm; they are left out."
    )
    drawn_by_lot = f" {count} of them, drawn by lot, are looked at." if count < total else ""
    return [
        f"The first layer has {total} filters of {height}×{width} pixels and {channels} "
        f"{'channel' if channels == 1 else 'channels'}.{drawn_by_lot}{gone if faded else ''}",
        "Two shapes are fitted to each. A Gabor is a wave that fades out to all sides: an edge, a bar, stripes or a "
        "change from one colour to its opposite. A blob is a spot of one colour. What counts is the share of a "
        "filter's energy (its squared weights) that the fit accounts for.",
    ]


def _pictures(kept: Tensor, trained: Fits, random: Tensor) -> list[str | Picture | Table]:
    if not len(kept):
        return ["All filters have faded: there is nothing to see."]
    best = trained.explained.argsort(descending=True)
    least = f"{100 * float(trained.explained[best[-1]]):.0f}"
    return [
        _filters(
            kept[best], f"The filters, best explained first (the last shown to {least} %). Grey is a weight of 0."
        ),
        _filters(trained.fitted[best], "The same filters as their better fit draws them."),
        _filters(random, "Filters of the same network before any training."),
    ]


def _filters(filters: Tensor, caption: str) -> Picture:
    """Each filter up to its own greatest weight, a weight of 0 in mid-grey; three channels as colours."""
    seen = filters if filters.shape[1] == 3 else filters.mean(dim=1, keepdim=True)
    most = seen.abs().amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-12)
    pixels = ((seen / most + 1) * 127.5).round().byte()
    return Picture(shown(sheet(pixels, columns=8), caption, scale=max(1, 28 // filters.shape[-1])), caption)


def _chart(trained: Fits, mixed: Tensor, untrained: Fits) -> Picture:
    def draw(axes: "Axes") -> None:
        lines = [("this network", trained.explained), ("pixels shuffled", mixed), ("untrained", untrained.explained)]
        for (name, explained), style, colour in zip(lines, ("-", "--", ":"), COLOURS, strict=False):
            ranks = torch.linspace(0, 100, max(len(explained), 1))[: len(explained)]
            axes.plot(ranks, 100 * explained.sort(descending=True).values, style, color=colour, label=name)
        axes.axhline(100 * EXPLAINED, color=COLOURS[-1], linewidth=0.9)
        axes.set(xlabel="filters, best explained first, %", ylabel="explained, %", ylim=(0, 102))
        axes.legend(frameon=False)

    caption = (
        f"How much of each filter the better fit explains; the thin line is the {100 * EXPLAINED:.0f} % that count."
    )
    return Picture(drawn("filters", draw, caption), caption)


def _reading(subject: Subject, filters: Tensor, trained: Fits, mixed: Tensor) -> str:
    small = trained.values < ROOM * trained.parameters
    text = (
        f"A Gabor has {trained.parameters} numbers to choose, a filter {trained.values}. So the same fits are made to "
        "filters that cannot be edges: those of the untrained network, and this network's own with their pixels "
        "shuffled, which keeps their numbers and colours and leaves no shape. Only what goes beyond these says "
        "something about edges. "
    )
    if small:
        text += "Here a Gabor fits almost any filter, and the figure says next to nothing. "
    elif float(mixed.mean()) > 0.75:
        text += (
            f"Here a fit accounts for {100 * float(mixed.mean()):.0f} % of even a shuffled filter: in so few pixels, "
            "one colour is most of what there is to explain. "
        )
    if subject.pictures.shape[1] == 1 and filters.shape[1] == 3:
        text += (
            "The images here are grey, shown to the network as three equal channels: of its colours it sees the sum. "
        )
    if subject.pretrained is not None:
        text += "This network began with weights that were trained before; the table has those too. "
    return text.strip()
