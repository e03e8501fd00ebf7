"""The chapter on pooling: what it preserves, what a shift changes, and what it saves in the head."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.networks.copying import clone_network
from headstart.networks.hooks import LayerInfo, capture_outputs, list_layers
from headstart.understand.claims import Chapter, Table
from headstart.understand.pooling.pooling import (
    POOLING_KINDS,
    ImpulseResponse,
    average_smoothness_verdict,
    find_head,
    has_pooling,
    head_savings_verdict,
    max_pooling_verdict,
    measure_impulse_response,
    retained_peak_share,
    roughness,
)
from headstart.understand.prose import render_paragraphs
from headstart.understand.statistics import Estimate, bootstrap_mean
from headstart.understand.subject import Subject
from headstart.understand.translation.shifts import (
    axis_shifts,
    chance_agreement,
    recognition_verdict,
    relative_error,
    shift_images,
    unchanged_predictions,
)

POOLING_CLAIMS = {
    "pooling-gives-invariance": "Pooling makes a network blind to where exactly a pattern lies.",
    "max-keeps-strongest": "A maximum keeps the strongest feature of each region.",
    "average-is-smoother": "An average gives a smoother map than a maximum, and loses sharp features.",
    "gap-saves-parameters": "Averaging each map to one number saves parameters in the head.",
}
POOLING_PROSE = Path(__file__).with_name("chapter.txt.jinja")
MAX_CLASSIFIED_IMAGES = 80
MAX_POOLED_IMAGES = 24
MIN_POOLED_SIDE = 4  # of a map to pool
SHIFTS = (1, 2, 4)  # pixels
POOLING_COMMAND = "headstart understand OTHER_RUN --only pooling"
HEAD_ACTIONS = {True: "averages each map", False: "flattens its maps", None: "does something else with its maps"}


def build_pooling_chapter(subject: Subject, report_progress: Callable[[str], None]) -> Chapter:
    """An impulse in each kind of pooling; shifts, pooled maps and the head of the network."""
    chapter = Chapter("pooling", "Pooling", sentences=POOLING_CLAIMS)
    network = clone_network(subject.network)
    report_progress("an impulse")
    shares = _add_impulse_response(chapter)
    report_progress("moving the pictures by a pixel")
    _add_shift_consistency(chapter, network, subject, shares)
    images = subject.images[subject.held_out_indices(MAX_POOLED_IMAGES)]
    layers = [layer for layer in list_layers(network, images) if len(layer.output_shape) == 3]
    report_progress("the network's own maps")
    _add_global_average(chapter, network, layers, images)
    _add_pooled_maps(chapter, network, layers, images)
    _add_head(chapter, network, subject)
    return chapter


def _add_impulse_response(chapter: Chapter) -> list[float]:
    """Returns the measured invariant share of each kind of pooling but blur."""
    responses = [
        measure_impulse_response(kind, size)
        for kind in POOLING_KINDS
        for size in (2, 4)
        if not (kind == "global" and size == 4)
    ]
    blur_change = max(response.change for response in responses if response.kind == "blur")
    chapter.content += [
        *render_paragraphs(POOLING_PROSE, "impulse"),
        Table(
            "An impulse, pooled: derived, then measured by moving it from each pixel of a 16×16 map to its four "
            "neighbours",
            ("pooling", "window", "unchanged, derived", "measured", "height left", "largest change"),
            [_format_response(response) for response in responses],
        ),
        *render_paragraphs(POOLING_PROSE, "price", max_change=responses[0].change, blur_change=blur_change),
    ]
    chapter.numbers["impulse"] = [asdict(response) for response in responses]
    return [response.measured for response in responses if response.kind != "blur"]


def _format_response(response: ImpulseResponse) -> tuple[str, ...]:
    return (
        response.kind,
        "all" if response.kind == "global" else f"{response.size}×{response.size}",
        f"{100 * response.derived:.0f} %",
        f"{100 * response.measured:.0f} %",
        f"{response.height:.2g}",
        f"{100 * response.change:.0f} %",
    )


def _add_shift_consistency(chapter: Chapter, network: nn.Module, subject: Subject, shares: list[float]) -> None:
    images = subject.images[subject.held_out_indices(MAX_CLASSIFIED_IMAGES)]
    chance = chance_agreement(network, images)
    estimates = {
        shift: bootstrap_mean(unchanged_predictions(network, images, axis_shifts(shift)).float().mean(dim=0))
        for shift in SHIFTS
    }
    chapter.content += [
        *render_paragraphs(POOLING_PROSE, "network", count=len(images), chance=chance),
        Table(
            "How often the network predicts the same class after a shift, with a 95 % interval over pictures",
            ("shift in pixels", "same class", "interval"),
            [
                (shift, f"{100 * value:.1f} %", f"{100 * low:.1f} % to {100 * high:.1f} %")
                for shift, (value, low, high) in estimates.items()
            ],
        ),
    ]
    estimate, is_pooled = estimates[SHIFTS[0]], has_pooling(network, images)
    unchanged = ", ".join(f"{100 * share:.0f} %" for share in sorted(set(shares)))
    chapter.add_claim(
        "pooling-gives-invariance",
        recognition_verdict(estimate, chance) if is_pooled else "not measured",
        f"your network keeps its class in {100 * estimate.value:.1f} % of shifts by a pixel"
        + ("" if is_pooled else ", and has no pool that could be the reason"),
        f"two different pictures: {100 * chance:.0f} %; an impulse moved by a pixel, in pools alone: {unchanged} "
        "unchanged (2×2, 4×4, global)",
        estimate.scaled_interval(100),
        "" if is_pooled else POOLING_COMMAND,
    )
    chapter.numbers["pictures"] = len(images)
    chapter.numbers["consistency"] = [
        {"shift": shift, "share": value, "interval": [low, high], "by_chance": chance}
        for shift, (value, low, high) in estimates.items()
    ]


@torch.no_grad()
def _add_global_average(chapter: Chapter, network: nn.Module, layers: list[LayerInfo], images: Tensor) -> None:
    """How much a shift changes the last map, and its global average."""
    if not layers:
        return
    last = layers[-1]
    before, after = (
        capture_outputs(network, batch, [last.name])[last.name] for batch in (images, shift_images(images, 0, 1))
    )
    change = relative_error(after, before)
    average_change = relative_error(after.mean(dim=(2, 3)), before.mean(dim=(2, 3)))
    size = f"{last.output_shape[1]}×{last.output_shape[2]}"
    chapter.content += render_paragraphs(
        POOLING_PROSE, "last_map", layer=last.name, size=size, change=change, average_change=average_change
    )
    chapter.numbers["last_map"] = {
        "layer": last.name,
        "map": list(last.output_shape),
        "change": change,
        "change_of_average": average_change,
    }


@torch.no_grad()
def _add_pooled_maps(chapter: Chapter, network: nn.Module, layers: list[LayerInfo], images: Tensor) -> None:
    """The first large maps of the network, pooled by maximum and by average."""
    names = [layer.name for layer in layers if min(layer.output_shape[1:]) >= MIN_POOLED_SIDE]
    if not names:
        reason = f"the network has no map of {MIN_POOLED_SIDE}×{MIN_POOLED_SIDE} or more"
        chapter.content.append(f"None of the network's own maps can be pooled: {reason}.")
        return chapter.add_unmeasured(reason, ["max-keeps-strongest", "average-is-smoother"], POOLING_COMMAND)
    name = names[0]
    maps = F.relu(capture_outputs(network, images, [name])[name])
    max_peaks = retained_peak_share(maps, "max")
    max_share, average_share = float(max_peaks.mean()), float(retained_peak_share(maps, "average").mean())
    reduction, relative_reduction = (
        _roughness_reduction(max_roughness, average_roughness)
        for max_roughness, average_roughness in zip(roughness(maps, "max"), roughness(maps, "average"), strict=True)
    )
    chapter.content += render_paragraphs(
        POOLING_PROSE,
        "pooled",
        layer=name,
        max_share=max_share,
        average_share=average_share,
        reduction=format_reduction(reduction),
        relative_reduction=format_reduction(relative_reduction),
    )
    chapter.add_claim(
        "max-keeps-strongest",
        max_pooling_verdict(max_peaks),
        f"{100 * max_share:.0f} % of the largest value of each map is left",
        f"average: {100 * average_share:.0f} %",
    )
    chapter.add_claim(
        "average-is-smoother",
        average_smoothness_verdict(reduction, relative_reduction),
        f"neighbours differ by {_format_less_or_more(reduction.value)}, relative to the values by "
        f"{_format_less_or_more(relative_reduction.value)}; {100 * average_share:.0f} % of the largest value left",
        "the same maps, pooled by maximum",
        (reduction.low, reduction.high),
    )
    chapter.numbers["kept"] = {
        "layer": name,
        "peak": {"max": max_share, "average": average_share},
        "smoother": list(reduction),
        "smoother_relative": list(relative_reduction),
    }


def _roughness_reduction(max_roughness: Tensor, average_roughness: Tensor) -> Estimate:
    """By how many per cent averaging is less rough than the maximum, over images."""
    return bootstrap_mean(100 * (max_roughness - average_roughness) / max_roughness.mean().clamp(min=1e-12))


def format_reduction(reduction: Estimate) -> str:
    """A reduction in words: ``"12 % less (8 % to 15 % less)"``."""
    value, low, high = (round(number) for number in reduction)
    if low < 0 < high:
        return f"{_format_less_or_more(value)} ({_format_less_or_more(low)} to {_format_less_or_more(high)})"
    near, far = (low, high) if low >= 0 else (high, low)
    return f"{_format_less_or_more(value)} ({abs(near)} % to {_format_less_or_more(far)})"


def _format_less_or_more(reduction: float) -> str:
    percent = round(reduction)
    return f"{abs(percent)} % {'more' if percent < 0 else 'less'}"


def _add_head(chapter: Chapter, network: nn.Module, subject: Subject) -> None:
    head = find_head(network, subject.images)
    if head is None:
        chapter.content.append(
            "Your network has no fully connected layer after a convolution, so there is no head to make smaller."
        )
        return chapter.add_unmeasured("no fully connected layer after a map", ["gap-saves-parameters"], POOLING_COMMAND)
    is_single, action = head.map[1:] == (1, 1), HEAD_ACTIONS[head.averages_map]
    chapter.content += render_paragraphs(POOLING_PROSE, "head", head=head, is_single=is_single, action=action)
    chapter.add_claim(
        "gap-saves-parameters",
        head_savings_verdict(head),
        f"{head.parameters_averaged:,} parameters with a global average, {head.parameters_flattened:,} flattened"
        f"{'; the map is one number already' if is_single else ''}",
        f"your network {action}",
    )
    chapter.numbers["head"] = {
        "layer": head.layer,
        "map": list(head.map),
        "gap": head.parameters_averaged,
        "flatten": head.parameters_flattened,
        "pools": head.averages_map,
        "outputs": head.outputs,
    }
