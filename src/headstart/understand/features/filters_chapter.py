"""What the first layer looks for: its filters as pictures, and how many are edges, gradients or blobs of colour."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from headstart.reporting.charts import PALETTE, render_svg
from headstart.understand.claims import Chapter, Claim, ClaimVerdict, Picture, Table
from headstart.understand.features.gabor_fit import (
    MIN_RELATIVE_NORM,
    FilterFits,
    first_layer_filters,
    fit_filters,
    shuffle_filter_pixels,
)
from headstart.understand.pictures import render_image, tile_images
from headstart.understand.statistics import Estimate, bootstrap_mean, newcombe_interval, wilson_interval
from headstart.understand.subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CLAIMS = {"early-layers-are-edges": "The first layer learns to find edges and changes of colour."}

ENERGY_THRESHOLD = 0.9  # of a filter's energy: then it counts as a Gabor or a blob
MIN_FILTERS = 8  # filters that a verdict needs
MIN_WEIGHTS_PER_PARAMETER = 2  # numbers of a filter for each number of a Gabor that a verdict needs
MAX_FILTERS = 64  # filters that are looked at


def build_filters_chapter(subject: Subject, report_progress: Callable[[str], None]) -> Chapter:
    """First-layer filters, what a Gabor or a blob explains of them, and the same of noise."""
    shape = subject.images.shape[1], subject.images.shape[2], subject.images.shape[3]
    whole = first_layer_filters(subject.network, shape)
    filters, random = _sample_filters(whole), _sample_filters(first_layer_filters(subject.random_network, shape))
    report_progress("fitting Gabors and blobs to the first layer")
    trained, untrained = fit_filters(filters), fit_filters(random)
    report_progress("fitting them to the same filters with their pixels shuffled")
    kept = filters[trained.active]
    times = max(2, 72 // filters[0, 0].numel())  # in a large kernel one shuffling is as hopeless as another
    shuffled = torch.stack([fit_filters(some).best_share for some in shuffle_filter_pixels(kept, times).chunk(times)])
    verdict, why = edge_filter_verdict(trained, shuffled, untrained)
    share = _explained_share(trained.best_share)
    mixed = shuffled.flatten()
    rows = [_build_row("this network", trained.best_share, trained)]
    if subject.pretrained_network is not None:
        began = fit_filters(_sample_filters(first_layer_filters(subject.pretrained_network, shape)))
        rows.append(_build_row("the weights it began with", began.best_share, began))
    rows.append(_build_row("the same, untrained", untrained.best_share, untrained))
    rows.append(_build_row("this network, pixels shuffled", mixed, None))
    claim = Claim(
        name="early-layers-are-edges",
        sentence=CLAIMS["early-layers-are-edges"],
        verdict=verdict,
        value=f"{100 * share.value:.0f} % of {len(kept)} filters are a Gabor or a blob; {why}",
        control=f"untrained {_format_share(untrained.best_share)}, pixels shuffled {_format_share(mixed)}",
        interval=share.scaled_interval(100) if len(kept) else None,
        command=""
        if verdict != "not measured"
        else "headstart understand RUN --only filters, with larger first filters",
    )
    return Chapter(
        name="filters",
        title="What the first layer looks for",
        content=[
            *_write_introduction(len(whole), filters, trained),
            *_build_pictures(kept, trained, random),
            _render_chart(trained, mixed, untrained),
            _build_table(rows),
            _write_interpretation(subject, filters, trained, mixed),
        ],
        claims=[claim],
        numbers={
            "kernel": list(filters.shape),
            "filters": len(whole),
            "numbers_of_a_filter": trained.num_weights,
            "numbers_of_a_gabor": trained.num_gabor_parameters,
            "looked_at": len(filters),
            "faded": len(filters) - len(kept),
            "gabor": trained.gabor_share.tolist(),
            "blob": trained.blob_share.tolist(),
            "explained_share": share.value,
            "explained_share_random": _explained_share(untrained.best_share).value,
            "explained_share_shuffled": _explained_share(mixed).value,
            "threshold": ENERGY_THRESHOLD,
            "table": rows,
        },
    )


def edge_filter_verdict(trained: FilterFits, shuffled: Tensor, untrained: FilterFits) -> tuple[ClaimVerdict, str]:
    """What the fits say of the claim, and why.

    It holds where more than half of the filters are explained, by the whole of the interval, and surely more than of
    the same filters with their pixels shuffled and than of an untrained network's; it fails where shuffling or not
    training gives as many, or surely fewer than half are explained and not surely more; else it depends. Nothing is
    said where a Gabor fits whatever the kernel holds, nor where the untrained network leaves no room for more.

    Args:
        trained, untrained: of the network's filters and of its untrained twin's.
        shuffled: what is explained of the kept filters with their pixels in other orders, float32 (times, kept).
    """
    count = len(trained.best_share)
    if count < MIN_FILTERS:
        return "not measured", f"{count} filters are too few for a verdict"
    if trained.num_weights < MIN_WEIGHTS_PER_PARAMETER * trained.num_gabor_parameters:
        return "not measured", (
            f"a filter has {trained.num_weights} numbers and a Gabor {trained.num_gabor_parameters}, so it fits almost anything: "
            "the kernel is too small for a verdict"
        )
    share, before = _explained_share(trained.best_share), _explained_share(untrained.best_share)
    if newcombe_interval(wilson_interval(1.0, count), before).low <= 0:
        return "not measured", "the untrained network's are too: even all of these would not be more for sure"
    by_chance = (shuffled > ENERGY_THRESHOLD).float()
    more = {
        "with their pixels shuffled": _mean_with_interval(
            (trained.best_share > ENERGY_THRESHOLD).float() - by_chance.mean(dim=0)
        ),
        "in the untrained network": newcombe_interval(share, before),
    }
    if more["with their pixels shuffled"].low <= 0 and by_chance.mean() >= 0.5:
        return "not measured", "so are they with their pixels shuffled: the kernel is too small for a verdict"
    for where, gain in more.items():
        if gain.value <= 0:
            return "fails", f"no more than {where}"
        if gain.low <= 0:
            return "fails" if share.high < 0.5 else "depends", f"not more for sure than {where}"
    if share.low > 0.5:
        return "holds", "most of them"
    if share.high < 0.5:
        return "depends", "fewer than half, but more than by chance"
    return "depends", "more than by chance; too few filters to tell whether they are most"


def _mean_with_interval(gains: Tensor) -> Estimate:
    """The mean of −1 to 1 a filter, and its interval."""
    return bootstrap_mean(gains)


def _sample_filters(filters: Tensor) -> Tensor:
    """As many as are looked at, drawn by lot, the same places in every network."""
    return filters[torch.randperm(len(filters), generator=torch.Generator().manual_seed(0))[:MAX_FILTERS].sort().values]


def _explained_share(explained: Tensor) -> Estimate:
    """The share of filters that count as explained."""
    return wilson_interval(
        float((explained > ENERGY_THRESHOLD).float().mean()) if len(explained) else 0.0, len(explained)
    )


def _format_share(explained: Tensor) -> str:
    return f"{100 * _explained_share(explained).value:.0f} %"


def _build_row(whose: str, explained: Tensor, found: FilterFits | None) -> dict[str, Any]:
    """Shares of filters from 0 to 1; those by one of the two fits are None where only the better one is known."""
    parts = (None, None) if found is None else (found.blob_share, found.gabor_share)
    blob, gabor = (None if part is None else _explained_share(part).value for part in parts)
    average = float(explained.mean()) if len(explained) else 0.0
    return {
        "of": whose, "count": len(explained), "explained": _explained_share(explained).value, "average": average,
        "by_blob": blob, "by_gabor": gabor,
    }  # fmt: skip


def _build_table(rows: list[dict[str, Any]]) -> Table:
    return Table(
        caption=f"How many filters a fit explains to more than {100 * ENERGY_THRESHOLD:.0f} %, and how much of a filter the "
        "better fit explains on average",
        headers=("filters of", "count", "explained", "on average", "by a blob", "by a Gabor"),
        rows=[
            tuple("–" if cell is None else f"{100 * cell:.0f} %" if isinstance(cell, float) else cell for cell in cells)
            for cells in (row.values() for row in rows)
        ],
    )


def _write_introduction(total: int, filters: Tensor, trained: FilterFits) -> list[str]:
    count, channels, height, width = filters.shape
    faded = count - len(trained.best_share)
    gone = f" {faded} of them have faded, to less than {100 * MIN_RELATIVE_NORM:.0f} % of the strongest one's norm; they are left out."
    drawn_by_lot = f" {count} of them, drawn by lot, are looked at." if count < total else ""
    return [
        f"The first layer has {total} filters of {height}×{width} pixels and {channels} "
        f"{'channel' if channels == 1 else 'channels'}.{drawn_by_lot}{gone if faded else ''}",
        "Two shapes are fitted to each. A Gabor is a wave that fades out to all sides: an edge, a bar, stripes or a "
        "change from one colour to its opposite. A blob is a spot of one colour. What counts is the share of a "
        "filter's energy (its squared weights) that the fit accounts for.",
    ]


def _build_pictures(kept: Tensor, trained: FilterFits, random: Tensor) -> list[str | Picture | Table]:
    if not len(kept):
        return ["All filters have faded: there is nothing to see."]
    best = trained.best_share.argsort(descending=True)
    least = f"{100 * float(trained.best_share[best[-1]]):.0f}"
    return [
        _render_filters(
            kept[best], f"The filters, best explained first (the last shown to {least} %). Grey is a weight of 0."
        ),
        _render_filters(trained.reconstruction[best], "The same filters as their better fit draws them."),
        _render_filters(random, "Filters of the same network before any training."),
    ]


def _render_filters(filters: Tensor, caption: str) -> Picture:
    """Each filter up to its own greatest weight, a weight of 0 in mid-grey; three channels as colours."""
    seen = filters if filters.shape[1] == 3 else filters.mean(dim=1, keepdim=True)
    most = seen.abs().amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-12)
    pixels = ((seen / most + 1) * 127.5).round().byte()
    return Picture(
        render_image(tile_images(pixels, columns=8), caption, scale=max(1, 28 // filters.shape[-1])), caption
    )


def _render_chart(trained: FilterFits, mixed: Tensor, untrained: FilterFits) -> Picture:
    def draw(axes: "Axes") -> None:
        lines = [("this network", trained.best_share), ("pixels shuffled", mixed), ("untrained", untrained.best_share)]
        for (name, explained), style, colour in zip(lines, ("-", "--", ":"), PALETTE, strict=False):
            ranks = torch.linspace(0, 100, max(len(explained), 1))[: len(explained)]
            axes.plot(ranks, 100 * explained.sort(descending=True).values, style, color=colour, label=name)
        axes.axhline(100 * ENERGY_THRESHOLD, color=PALETTE[-1], linewidth=0.9)
        axes.set(xlabel="filters, best explained first, %", ylabel="explained, %", ylim=(0, 102))
        axes.legend(frameon=False)

    caption = f"How much of each filter the better fit explains; the thin line is the {100 * ENERGY_THRESHOLD:.0f} % that count."
    return Picture(render_svg("filters", draw, caption), caption)


def _write_interpretation(subject: Subject, filters: Tensor, trained: FilterFits, mixed: Tensor) -> str:
    small = trained.num_weights < MIN_WEIGHTS_PER_PARAMETER * trained.num_gabor_parameters
    text = (
        f"A Gabor has {trained.num_gabor_parameters} numbers to choose, a filter {trained.num_weights}. So the same fits are made to "
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
    if subject.pretrained_network is not None:
        text += "This network began with weights that were trained before; the table has those too. "
    return text.strip()
