"""Pooling: what it keeps, what a shift changes, what it saves; by arithmetic, and on the network."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.networks.copying import clone_network
from headstart.networks.hooks import LayerInfo, capture_outputs, list_layers
from headstart.understand.claims import Chapter, Claim, ClaimVerdict, Table
from headstart.understand.pooling.pooling import (
    POOLING_KINDS,
    average_smoothness_verdict,
    find_head,
    has_pooling,
    head_savings_verdict,
    max_pooling_verdict,
    measure_impulse_response,
    retained_peak_share,
    roughness,
)
from headstart.understand.statistics import Estimate, bootstrap_mean
from headstart.understand.subject import Subject
from headstart.understand.translation.shifts import (
    axis_shifts,
    chance_agreement,
    recognition_verdict,
    shift_images,
    unchanged_predictions,
)

CLAIMS = {
    "pooling-gives-invariance": "Pooling makes a network blind to where exactly a pattern lies.",
    "max-keeps-strongest": "A maximum keeps the strongest feature of each region.",
    "average-is-smoother": "An average gives a smoother map than a maximum, and loses sharp features.",
    "gap-saves-parameters": "Averaging each map to one number saves parameters in the head.",
}
MAX_CLASSIFIED_IMAGES = 80  # images whose classes are asked for
MAX_POOLED_IMAGES = 24  # images whose maps are pooled
SHIFTS = (1, 2, 4)
OTHER_RUN_COMMAND = "headstart understand OTHER_RUN --only pooling"


def build_pooling_chapter(subject: Subject, report_progress: Callable[[str], None]) -> Chapter:
    found = Chapter("pooling", "Pooling")
    network = clone_network(subject.network)
    report_progress("an impulse")
    shares = _add_impulse_response(found)
    report_progress("moving the pictures by a pixel")
    _add_shift_consistency(found, network, subject, shares)
    images = subject.images[subject.held_out_indices(MAX_POOLED_IMAGES)]
    passed = [layer for layer in list_layers(network, images) if len(layer.output_shape) == 3]
    report_progress("the network's own maps")
    _add_global_average(found, network, passed, images)
    _add_pooled_maps(found, network, passed, images)
    _add_head(found, network, subject)
    return found


def _add_claim(
    found: Chapter, name: str, verdict: ClaimVerdict, value: str, control: str = "", command: str = "",
    interval: tuple[float, float] | None = None,
) -> None:  # fmt: skip
    found.claims.append(Claim(name, CLAIMS[name], verdict, value, control, interval, command))


def _add_impulse_response(found: Chapter) -> list[float]:
    """Returns the measured share of moves that each kind of pooling is blind to, blur left out."""
    rows = [
        measure_impulse_response(kind, size)
        for kind in POOLING_KINDS
        for size in (2, 4)
        if not (kind == "global" and size == 4)
    ]
    found.content += [
        "Take a map that is black but for one bright pixel of height 1, an impulse, and move it by one pixel up, down, "
        "left or right. A 2×2 pool that steps by two is blind to the move if the pixel stays in its window. Of the two "
        "places along an axis one has its neighbour in the same window and one has not: a half. Of the four places "
        "in a "
        "4×4 window three have: three quarters. A global average has one window only: always.",
        Table(
            "An impulse, pooled: derived, then measured by moving it from each pixel of a 16×16 map to its four "
            "neighbours",
            ("pooling", "window", "blind to a move, derived", "measured", "height left", "largest change"),
            [
                (
                    r.kind, "all" if r.kind == "global" else f"{r.size}×{r.size}", f"{100 * r.derived:.0f} %",
                    f"{100 * r.measured:.0f} %", f"{r.height:.2g}", f"{100 * r.change:.0f} %",
                )
                for r in rows
            ],
        ),
        "So pooling gives invariance by chance of place, and where the impulse crosses a window the whole output "
        "jumps, "
        f"by {100 * rows[0].change:.0f} % of itself. Blur pooling is never blind, but changes by "
        f"{100 * max(r.change for r in rows if r.kind == 'blur'):.0f} % at most. Only a global average does not see "
        "the "
        "move at all. The heights tell the price: a maximum keeps the impulse, an average thins it out.",
    ]  # fmt: skip
    found.numbers["impulse"] = [
        {k: getattr(r, k) for k in ("kind", "size", "derived", "measured", "height", "change")} for r in rows
    ]
    return [r.measured for r in rows if r.kind != "blur"]


def _add_shift_consistency(found: Chapter, network: nn.Module, subject: Subject, shares: list[float]) -> None:
    images = subject.images[subject.held_out_indices(MAX_CLASSIFIED_IMAGES)]
    chance = chance_agreement(network, images)
    rows = []
    for shift in SHIFTS:
        stayed = unchanged_predictions(network, images, axis_shifts(shift)).float().mean(dim=0)
        rows.append((shift, *bootstrap_mean(stayed)))
    share, low, high = rows[0][1:]
    found.content += [
        f"Now your network. {len(images)} pictures are moved in four directions, a mirrored strip comes in, and the "
        f"network is asked again. Two different pictures get the same class in {100 * chance:.0f} %.",
        Table(
            "How often the network names the same class after a shift, with a 95 % interval over pictures",
            ("shift in pixels", "same class", "interval"),
            [(shift, f"{100 * s:.1f} %", f"{100 * a:.1f} % to {100 * b:.1f} %") for shift, s, a, b in rows],
        ),
    ]
    pooled = has_pooling(network, images)
    _add_claim(
        found, "pooling-gives-invariance", recognition_verdict(Estimate(share, low, high), chance) if pooled else "not measured",
        f"your network keeps its class in {100 * share:.1f} % of shifts by a pixel"
        + ("" if pooled else ", and has no pool that could be the reason"),
        f"two different pictures: {100 * chance:.0f} %; an impulse moved by a pixel, in pools alone: "
        f"{', '.join(f'{100 * s:.0f} %' for s in sorted(set(shares)))} unchanged (2×2, 4×4, global)",
        "" if pooled else OTHER_RUN_COMMAND, (100 * low, 100 * high),
    )  # fmt: skip
    found.numbers["pictures"] = len(images)
    found.numbers["consistency"] = [
        {"shift": shift, "share": s, "interval": [a, b], "by_chance": chance} for shift, s, a, b in rows
    ]


@torch.no_grad()
def _add_global_average(found: Chapter, network: nn.Module, passed: list[LayerInfo], images: Tensor) -> None:
    """How much of a shift the last map shows, and how much its global average."""
    if not passed:
        return
    last = passed[-1]
    before, after = (capture_outputs(network, x, [last.name])[last.name] for x in (images, shift_images(images, 0, 1)))
    local, whole = _relative_change(before, after), _relative_change(before.mean(dim=(2, 3)), after.mean(dim=(2, 3)))
    size = f"{last.output_shape[1]}×{last.output_shape[2]}"
    found.content.append(
        f"When the pictures move by one pixel, the map of the last convolution ({last.name}, {size}) changes by "
        f"{100 * local:.0f} % of itself, and its global average by {100 * whole:.0f} %."
        + (" The map is one number already, so that both are the same." if last.output_shape[1:] == (1, 1) else "")
    )
    found.numbers["last_map"] = {
        "layer": last.name, "map": list(last.output_shape), "change": local, "change_of_average": whole,
    }  # fmt: skip


def _relative_change(before: Tensor, after: Tensor) -> float:
    return float((after - before).norm() / before.norm().clamp(min=1e-12))


@torch.no_grad()
def _add_pooled_maps(found: Chapter, network: nn.Module, passed: list[LayerInfo], images: Tensor) -> None:
    """The first layer's own maps, pooled both ways."""
    wide = [layer for layer in passed if min(layer.output_shape[1:]) >= 4]
    if not wide:
        found.content.append("Your network has no map of 4×4 or more, so none of its own can be pooled.")
        for name in ("max-keeps-strongest", "average-is-smoother"):
            _add_claim(found, name, "not measured", "the network has no map of 4×4 or more", command=OTHER_RUN_COMMAND)
        return
    own = F.relu(capture_outputs(network, images, [wide[0].name])[wide[0].name])
    peaks = {kind: retained_peak_share(own, kind) for kind in ("max", "average")}
    rough = {kind: roughness(own, kind) for kind in ("max", "average")}
    less, relative = (
        _roughness_reduction(most, average) for most, average in zip(rough["max"], rough["average"], strict=True)
    )
    share = {kind: float(values.mean()) for kind, values in peaks.items()}
    found.content.append(
        f"The maps of {wide[0].name}, without their negative values, were pooled 2×2 both ways. Of the greatest value "
        f"of a map the maximum keeps {100 * share['max']:.0f} % and the average {100 * share['average']:.0f} %. "
        f"After averaging, neighbours differ by {_format_reduction(less)}. But averages are smaller too: relative to the values "
        f"they differ by {_format_reduction(relative)}. In brackets stand 95 % intervals."
    )
    _add_claim(
        found, "max-keeps-strongest", max_pooling_verdict(peaks["max"]),
        f"{100 * share['max']:.0f} % of the greatest value of each map is left",
        f"average: {100 * share['average']:.0f} %",
    )  # fmt: skip
    _add_claim(
        found, "average-is-smoother", average_smoothness_verdict(less[1:], relative[1:]),
        f"neighbours differ by {_format_less_or_more(round(less[0]))}, relative to the values by {_format_less_or_more(round(relative[0]))}; "
        f"{100 * share['average']:.0f} % of the greatest value left",
        "the same maps, pooled by maximum", interval=less[1:],
    )  # fmt: skip
    found.numbers["kept"] = {
        "layer": wide[0].name,
        "peak": share,
        "smoother": list(less),
        "smoother_relative": list(relative),
    }


def _roughness_reduction(most: Tensor, average: Tensor) -> tuple[float, float, float]:
    """By how many per cent the average's roughness is below the maximum's, and the interval of that over images."""
    share = 100 * (most - average) / most.mean().clamp(min=1e-12)
    return bootstrap_mean(share)


def _format_reduction(less: tuple[float, float, float]) -> str:
    """A change in words, of a figure that says how much less it is: ``"12 % less (8 % to 15 % less)"``."""
    middle, low, high = (round(v) for v in less)
    if low < 0 < high:
        return f"{_format_less_or_more(middle)} ({_format_less_or_more(low)} to {_format_less_or_more(high)})"
    near, far = (low, high) if low >= 0 else (high, low)
    return f"{_format_less_or_more(middle)} ({abs(near)} % to {_format_less_or_more(far)})"


def _format_less_or_more(less: int) -> str:
    return f"{abs(less)} % {'more' if less < 0 else 'less'}"


def _add_head(found: Chapter, network: nn.Module, subject: Subject) -> None:
    own = find_head(network, subject.images)
    if own is None:
        found.content.append(
            "Your network has no fully connected layer behind a convolution, so that there is no head to make smaller."
        )
        _add_claim(
            found,
            "gap-saves-parameters",
            "not measured",
            "no fully connected layer behind a map",
            command=OTHER_RUN_COMMAND,
        )
        return
    channels, height, width = own.map
    way = {True: "averages each map", False: "flattens its maps", None: "does something else with its maps"}[
        own.averages_map
    ]
    found.content.append(
        f"The head: before {own.layer} your network {way}. Its last map is {channels} channels of {height}×{width}, "
        "and "
        f"{own.layer} has {own.outputs} outputs. With a global average it has {own.parameters_averaged:,} parameters, with the "
        "map "
        f"flattened {own.parameters_flattened:,}."
        + (" At this size of picture the map is one number already: nothing to save." if height * width == 1 else "")
    )
    _add_claim(
        found, "gap-saves-parameters", head_savings_verdict(own),
        f"{own.parameters_averaged:,} parameters with a global average, {own.parameters_flattened:,} flattened"
        f"{'; the map is one number already' if height * width == 1 else ''}",
        f"your network {way}",
    )  # fmt: skip
    found.numbers["head"] = {
        "layer": own.layer, "map": list(own.map), "gap": own.parameters_averaged, "flatten": own.parameters_flattened, "pools": own.averages_map,
        "outputs": own.outputs,
    }  # fmt: skip
