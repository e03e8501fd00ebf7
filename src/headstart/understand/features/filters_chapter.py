"""The chapter on first-layer filters: how many are edges, gradients or color blobs."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from headstart.reporting.charts import PALETTE, ChartLine, render_line_chart
from headstart.understand.claims import Chapter, ClaimVerdict, Picture, Table
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

FILTER_CLAIMS = {"early-layers-are-edges": "The first layer learns to find edges and changes of colour."}

ENERGY_THRESHOLD = 0.9  # a fit that explains more of a filter's energy makes it a Gabor or a blob
MIN_FILTERS = 8  # for a verdict
MIN_WEIGHTS_PER_PARAMETER = 2  # weights of a filter for each parameter of a Gabor, for a verdict
MAX_FILTERS = 64
MIN_SHUFFLED_WEIGHTS = 72  # of all permutations of a filter: in a large kernel two permutations are enough


@dataclass(frozen=True)
class FitSummary:
    """A row of the table: shares of filters, from 0 to 1.

    Args:
        of: name of the filters.
        count: of filters.
        explained: share with a fit above the threshold.
        average: mean energy that the better fit explains.
        by_blob, by_gabor: share with this fit above the threshold; None: unknown.
    """

    of: str
    count: int
    explained: float
    average: float
    by_blob: float | None
    by_gabor: float | None


def build_filters_chapter(subject: Subject, report_progress: Callable[[str], None]) -> Chapter:
    """First-layer filters, what a Gabor or a blob explains of them, and the same for controls."""
    chapter = Chapter("filters", "What the first layer looks for", sentences=FILTER_CLAIMS)
    all_filters = first_layer_filters(subject.network, subject.image_shape)
    filters = _sample_filters(all_filters)
    random = _sample_filters(first_layer_filters(subject.random_network, subject.image_shape))
    report_progress("fitting Gabors and blobs to the first layer")
    trained, untrained = fit_filters(filters), fit_filters(random)
    report_progress("fitting them to the same filters with permuted pixels")
    active = filters[trained.active]
    repeats = max(2, MIN_SHUFFLED_WEIGHTS // filters[0, 0].numel())
    permutations = shuffle_filter_pixels(active, repeats).chunk(repeats)
    shuffled = torch.stack([fit_filters(permutation).best_share for permutation in permutations])
    rows = [_summarize("this network", trained.best_share, trained)]
    if subject.pretrained_network is not None:
        pretrained = fit_filters(_sample_filters(first_layer_filters(subject.pretrained_network, subject.image_shape)))
        rows.append(_summarize("the weights it began with", pretrained.best_share, pretrained))
    rows.append(_summarize("the same, untrained", untrained.best_share, untrained))
    rows.append(_summarize("this network, pixels shuffled", shuffled.flatten(), None))
    _add_claim(chapter, trained, shuffled, untrained)
    chapter.content += [
        *_write_introduction(len(all_filters), filters, trained),
        *_build_pictures(active, trained, random),
        _render_chart(trained, shuffled.flatten(), untrained),
        _build_table(rows),
        _write_interpretation(subject, filters, trained, shuffled),
    ]
    chapter.numbers |= {
        "kernel": list(filters.shape),
        "filters": len(all_filters),
        "numbers_of_a_filter": trained.num_weights,
        "numbers_of_a_gabor": trained.num_gabor_parameters,
        "looked_at": len(filters),
        "faded": len(filters) - len(active),
        "gabor": trained.gabor_share.tolist(),
        "blob": trained.blob_share.tolist(),
        "threshold": ENERGY_THRESHOLD,
        "table": [asdict(row) for row in rows],
    }
    return chapter


def edge_filter_verdict(trained: FilterFits, shuffled: Tensor, untrained: FilterFits) -> tuple[ClaimVerdict, str]:
    """The verdict on the claim and its reason.

    Holds if more than half of the filters are explained, and more than with permuted pixels and than in an untrained
    network; fails if a control has as many, or if fewer than half are explained and not surely more than in a control;
    otherwise depends. Not measured if a Gabor fits any filter of this size, or if the untrained network leaves no room
    for more.

    Args:
        trained, untrained: fits of the network's filters and of the untrained network's.
        shuffled: explained shares of the active filters with permuted pixels, float32 (repeats, A).
    """
    count = len(trained.best_share)
    if count < MIN_FILTERS:
        return "not measured", f"{count} filters are too few for a verdict"
    if trained.num_weights < MIN_WEIGHTS_PER_PARAMETER * trained.num_gabor_parameters:
        return "not measured", (
            f"a filter has {trained.num_weights} weights and a Gabor {trained.num_gabor_parameters} parameters, so it "
            "fits almost anything: the kernel is too small for a verdict"
        )
    share, untrained_share = _explained_share(trained.best_share), _explained_share(untrained.best_share)
    if newcombe_interval(wilson_interval(1.0, count), untrained_share).low <= 0:
        return "not measured", "so are the untrained network's: even all filters would not be surely more"
    is_explained = (trained.best_share > ENERGY_THRESHOLD).float()
    is_explained_shuffled = (shuffled > ENERGY_THRESHOLD).float()
    gains = {
        "with their pixels shuffled": bootstrap_mean(is_explained - is_explained_shuffled.mean(dim=0)),
        "in the untrained network": newcombe_interval(share, untrained_share),
    }
    if gains["with their pixels shuffled"].low <= 0 and is_explained_shuffled.mean() >= 0.5:
        return "not measured", "so are they with their pixels shuffled: the kernel is too small for a verdict"
    for control, gain in gains.items():
        if gain.value <= 0:
            return "fails", f"no more than {control}"
        if gain.low <= 0:
            return "fails" if share.high < 0.5 else "depends", f"not surely more than {control}"
    if share.low > 0.5:
        return "holds", "most of them"
    if share.high < 0.5:
        return "depends", "fewer than half, but more than by chance"
    return "depends", "more than by chance; too few filters to decide whether they are most"


def _add_claim(chapter: Chapter, trained: FilterFits, shuffled: Tensor, untrained: FilterFits) -> None:
    verdict, reason = edge_filter_verdict(trained, shuffled, untrained)
    share, count = _explained_share(trained.best_share), len(trained.best_share)
    controls = {"untrained": untrained.best_share, "pixels shuffled": shuffled.flatten()}
    chapter.add_claim(
        "early-layers-are-edges",
        verdict,
        f"{100 * share.value:.0f} % of {count} filters are a Gabor or a blob; {reason}",
        ", ".join(f"{name} {100 * _explained_share(shares).value:.0f} %" for name, shares in controls.items()),
        share.scaled_interval(100) if count else None,
        "headstart understand RUN --only filters, with larger first filters" if verdict == "not measured" else "",
    )
    chapter.numbers |= {
        "explained_share": share.value,
        "explained_share_random": _explained_share(untrained.best_share).value,
        "explained_share_shuffled": _explained_share(shuffled.flatten()).value,
    }


def _sample_filters(filters: Tensor) -> Tensor:
    """A random sample of the filters, at the same indices in every network."""
    order = torch.randperm(len(filters), generator=torch.Generator().manual_seed(0))
    return filters[order[:MAX_FILTERS].sort().values]


def _explained_share(shares: Tensor) -> Estimate:
    """The share of filters with a fit above the threshold."""
    mean = float((shares > ENERGY_THRESHOLD).float().mean()) if len(shares) else 0.0
    return wilson_interval(mean, len(shares))


def _summarize(name: str, best_share: Tensor, fits: FilterFits | None) -> FitSummary:
    return FitSummary(
        of=name,
        count=len(best_share),
        explained=_explained_share(best_share).value,
        average=float(best_share.mean()) if len(best_share) else 0.0,
        by_blob=_explained_share(fits.blob_share).value if fits else None,
        by_gabor=_explained_share(fits.gabor_share).value if fits else None,
    )


def _build_table(rows: list[FitSummary]) -> Table:
    def format_share(share: float | None) -> str:
        return "–" if share is None else f"{100 * share:.0f} %"

    return Table(
        f"How many filters a fit explains to more than {100 * ENERGY_THRESHOLD:.0f} %, and how much of a filter the "
        "better fit explains on average",
        ("filters of", "count", "explained", "on average", "by a blob", "by a Gabor"),
        [
            (row.of, row.count, *map(format_share, (row.explained, row.average, row.by_blob, row.by_gabor)))
            for row in rows
        ],
    )


def _write_introduction(total: int, filters: Tensor, trained: FilterFits) -> list[str]:
    count, channels, height, width = filters.shape
    inactive = count - len(trained.best_share)
    sentences = [
        f"The first layer has {total} filters of {height}×{width} pixels and {channels} "
        f"{'channel' if channels == 1 else 'channels'}."
    ]
    if count < total:
        sentences.append(f"A random sample of {count} is measured.")
    if inactive:
        sentences.append(
            f"{inactive} of them are inactive, with less than {100 * MIN_RELATIVE_NORM:.0f} % of the largest norm, and "
            "are left out."
        )
    return [
        " ".join(sentences),
        "Two shapes are fitted to each. A Gabor is a wave that fades out to all sides: an edge, a bar, stripes or a "
        "change from one colour to its opposite. A blob is a spot of one colour. The measure is the share of a "
        "filter's energy (its squared weights) that the fit explains.",
    ]


def _build_pictures(active: Tensor, trained: FilterFits, random: Tensor) -> list[str | Picture | Table]:
    if not len(active):
        return ["All filters are inactive: there is nothing to see."]
    order = trained.best_share.argsort(descending=True)
    least = f"{100 * float(trained.best_share[order[-1]]):.0f}"
    return [
        _render_filters(active[order], f"The filters, best explained first (the last to {least} %). Grey is weight 0."),
        _render_filters(trained.reconstruction[order], "The better fit of each of these filters."),
        _render_filters(random, "Filters of the same network before any training."),
    ]


def _render_filters(filters: Tensor, caption: str) -> Picture:
    """Each filter scaled by its largest weight, weight 0 in mid-gray; three channels as colors."""
    visible = filters if filters.shape[1] == 3 else filters.mean(dim=1, keepdim=True)
    largest = visible.abs().amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-12)
    pixels = ((visible / largest + 1) * 127.5).round().byte()
    scale = max(1, 28 // filters.shape[-1])
    return Picture(render_image(tile_images(pixels, columns=8), caption, scale), caption)


def _render_chart(trained: FilterFits, shuffled: Tensor, untrained: FilterFits) -> Picture:
    groups = [("this network", trained.best_share), ("pixels shuffled", shuffled), ("untrained", untrained.best_share)]
    lines = [
        ChartLine(
            torch.linspace(0, 100, max(len(shares), 1))[: len(shares)].tolist(),
            (100 * shares.sort(descending=True).values).tolist(),
            name,
            style,
            color,
        )
        for (name, shares), style, color in zip(groups, ("-", "--", ":"), PALETTE, strict=False)
    ]
    lines.append(ChartLine([0, 100], [100 * ENERGY_THRESHOLD] * 2, "threshold", "-", PALETTE[-1]))
    threshold = f"{100 * ENERGY_THRESHOLD:.0f} %"
    caption = f"How much of each filter the better fit explains; the flat line is the threshold of {threshold}."
    return Picture(
        render_line_chart(
            "filters",
            lines,
            caption,
            x_label="filters, best explained first, %",
            y_label="explained, %",
            y_limits=(0, 102),
        ),
        caption,
    )


def _write_interpretation(subject: Subject, filters: Tensor, trained: FilterFits, shuffled: Tensor) -> str:
    sentences = [
        f"A Gabor has {trained.num_gabor_parameters} parameters, a filter {trained.num_weights} weights. So the same "
        "fits are made to filters that cannot be edges: those of the untrained network, and this network's own with "
        "their pixels shuffled, which keeps their weights and colours and removes the shape. Only the excess over "
        "these is evidence for edges."
    ]
    if trained.num_weights < MIN_WEIGHTS_PER_PARAMETER * trained.num_gabor_parameters:
        sentences.append("Here a Gabor fits almost any filter, and the figure means next to nothing.")
    elif float(shuffled.mean()) > 0.75:
        sentences.append(
            f"Here a fit explains {100 * float(shuffled.mean()):.0f} % of even a shuffled filter: in so few pixels one "
            "colour is most of what there is to explain."
        )
    if subject.pictures.shape[1] == 1 and filters.shape[1] == 3:
        sentences.append(
            "The images here are grey and enter the network as three equal channels, so it sees the sum of its colours."
        )
    if subject.pretrained_network is not None:
        sentences.append("This network began with pretrained weights; the table has those too.")
    return " ".join(sentences)
