"""Chapter on effective receptive fields: how much each pixel counts, untrained, pretrained and trained."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from headstart.errors import HeadstartError
from headstart.understand.claims import Chapter, ClaimVerdict, Picture, Table
from headstart.understand.decision import decide
from headstart.understand.pictures import color_heatmap, render_image
from headstart.understand.receptive_field.effective import (
    EffectiveField,
    effective_fields,
    summarize_effective_field,
    uniform_stack_variance,
)
from headstart.understand.receptive_field.fields import ReceptiveField, last_fields_per_stride, receptive_fields
from headstart.understand.receptive_field.gradient_support import LinearizedNetwork
from headstart.understand.statistics import Estimate
from headstart.understand.subject import Subject

EFFECTIVE_FIELD_CLAIMS = {
    "effective-is-smaller": "The part of a field that really counts is much smaller than the field.",
    "effective-is-central": "What counts most lies in the field's center.",
    "effective-is-gaussian": "From the center outwards, the weight of pixels falls like a Gaussian.",
}
NUM_IMAGES = 50
MIN_DEEP_SIDE = 15  # pixels: smaller fields are no evidence for deeper layers
EFFECTIVE_FIELD_COMMAND = "headstart understand RUN --only effective_field, of a run with a larger data.image_size"
MAP_WIDTH = 200  # pixels, about, of a map on the page


def build_effective_field_chapter(subject: Subject, report_progress: Callable[[str], None]) -> Chapter:
    """The effective fields of the last map and of each stage, compared with those of the untrained network."""
    chapter = Chapter(
        "effective_field", "Effective receptive field: which pixels count", sentences=EFFECTIVE_FIELD_CLAIMS
    )
    try:
        layers = last_fields_per_stride(receptive_fields(subject.network, subject.image_shape))
        states, stages, untrained_stages = _measure_states(subject, layers, report_progress)
    except HeadstartError as reason:
        chapter.content.append(f"Effective fields cannot be measured on this network: {reason}.")
        chapter.add_unmeasured(str(reason))
        return chapter
    count, trained = len(subject.images[:NUM_IMAGES]), states["trained"]
    chapter.content += [
        "The receptive field is the set of pixels that can change a unit; it does not contain by how much. A pixel in "
        "the center reaches the unit on many paths, one at the edge on few. Measured on "
        f"{count} images: how far the center unit of {trained.layer.name}, the last map, moves when a pixel does "
        "(the gradient's size, mean over the images).",
        *_warn_few_images(count),
        *(_draw_heat_map(field, state) for state, field in states.items()),
        _build_table("The effective field of the last map's center unit, lengths in pixels", states),
        _describe_states(states),
        _build_table("The same in each stage of the trained network", {field.layer.name: field for field in stages}),
        _describe_depth(),
    ]
    add_effective_field_claims(chapter, stages, untrained_stages)
    chapter.sensitivity_maps = {field.layer.name: field.weights for field in stages}
    chapter.numbers = {
        "images": count,
        "states": {state: _effective_field_to_dict(field) for state, field in states.items()},
        "stages": [_effective_field_to_dict(field) for field in stages],
        "stages_untrained": [_effective_field_to_dict(field) for field in untrained_stages],
        "stacks_alike": _uniform_ratios(),
    }
    return chapter


def _measure_states(
    subject: Subject, layers: list[ReceptiveField], report_progress: Callable[[str], None]
) -> tuple[dict[str, EffectiveField], list[EffectiveField], list[EffectiveField]]:
    """The last layer's field in each state of the network; each layer's in the trained and the untrained network."""
    images, last = subject.images[:NUM_IMAGES], layers[-1]
    report_progress("effective fields: untrained, every stage")
    untrained = effective_fields(subject.random_network, images, layers)
    states = {"untrained": untrained[-1]}
    if subject.pretrained_network is not None:
        report_progress("effective fields: pretrained")
        [states["pretrained"]] = effective_fields(subject.pretrained_network, images, [last])
    report_progress("effective fields: trained, every stage")
    stages = effective_fields(subject.network, images, layers)
    if last.shape[1] * last.shape[2] > 1:
        linearized = LinearizedNetwork(subject.network, subject.image_shape)
        weights = linearized.pixel_weights(last, *last.center_unit)
        states["all weights alike"] = summarize_effective_field(weights[None], last)
    return states | {"trained": stages[-1]}, stages, untrained


def add_effective_field_claims(
    chapter: Chapter, stages: Sequence[EffectiveField], untrained: Sequence[EffectiveField]
) -> None:
    """Adds the claims about effective fields.

    Args:
        chapter: has the sentences of ``EFFECTIVE_FIELD_CLAIMS``.
        stages: fields of the trained network.
        untrained: the same of the untrained network.
    """
    fields, untrained_fields = ([field for field in group if is_conclusive(field)] for group in (stages, untrained))
    clipped = [field.layer.name for field in stages if field.clipped]
    whole = [field.layer.name for field in stages if not field.clipped and field.layer.whole_image]
    small = [
        field.layer.name for field in stages if field.layer.name not in clipped + whole and not is_conclusive(field)
    ]
    excluded = f"; {', '.join(clipped)} left out: the image cuts the field" if clipped else ""
    excluded += f"; {', '.join(whole)} left out: something sees all of the image" if whole else ""
    excluded += f"; {', '.join(small)} left out: below 5 pixels" if small else ""
    sizes = [min(field.layer.size) for field in fields]

    def add_claim(name: str, verdict: ClaimVerdict, quantity: str, attribute: str, control: str) -> None:
        def format_stages(group: Sequence[EffectiveField]) -> str:
            values = (f"{field.layer.name} {getattr(field, attribute).format_decimal()}" for field in group)
            return ", ".join(values) or "none"

        estimates: list[Estimate] = [getattr(field, attribute) for field in fields]
        chapter.add_claim(
            name,
            qualify_by_depth(verdict, sizes),
            f"{quantity}: {format_stages(fields)}{excluded}",
            f"untrained: {format_stages(untrained_fields)}; {control}",
            estimates[0].scaled_interval(1) if len(estimates) == 1 else None,
            "" if fields else EFFECTIVE_FIELD_COMMAND,
        )

    add_claim(
        "effective-is-smaller",
        smaller_verdict([field.ratio for field in fields], bool(clipped)),
        "4σ over the field's side",
        "ratio",
        f"stacks of 3×3 layers that weigh all pixels alike: {_format_uniform_ratios()}",
    )
    add_claim(
        "effective-is-central",
        central_verdict([field.central for field in fields]),
        "the weight in the middle quarter of the field",
        "central",
        "0.25 where all pixels count alike",
    )
    add_claim(
        "effective-is-gaussian",
        gaussian_verdict([field.r2 for field in fields]),
        "R² of the best Gaussian",
        "r2",
        "1 is a Gaussian exactly",
    )


def is_conclusive(field: EffectiveField) -> bool:
    """Whether a field is evidence: unclipped, 5 pixels or more, and without global operations beside it."""
    return not field.clipped and not field.layer.whole_image and min(field.layer.size) >= 5


def qualify_by_depth(verdict: ClaimVerdict, fields: Sequence[int]) -> ClaimVerdict:
    """The verdict, or "depends" where no field has ``MIN_DEEP_SIDE`` pixels: deeper layers may differ."""
    return "depends" if fields and max(fields) < MIN_DEEP_SIDE else verdict


def smaller_verdict(ratios: Sequence[Estimate], is_any_clipped: bool = False) -> ClaimVerdict:
    """The verdict on 4σ over the field's side, by stage: holds where all are below 0.5, fails where all are not.

    The ratio falls with depth, and the image clips the fields of deeper stages first. So the verdict depends on those
    stages instead of failing where ``is_any_clipped``.
    """
    verdict = decide([-ratio.as_exact() for ratio in ratios], -0.5)
    return "depends" if verdict == "fails" and is_any_clipped else verdict


def central_verdict(shares: Sequence[Estimate]) -> ClaimVerdict:
    """The verdict on the middle quarter's share of the weight: holds above 0.5, fails up to 0.3.

    Uniform weights have 0.25.
    """
    return decide([share.as_exact() for share in shares], 0.5, failure_margin=0.3)


def gaussian_verdict(r2: Sequence[Estimate]) -> ClaimVerdict:
    """The verdict on R² of the Gaussian fit, by stage: holds above 0.9, fails up to 0.75."""
    return decide([value.as_exact() for value in r2], 0.9, failure_margin=0.75)


def _warn_few_images(count: int) -> list[str]:
    if count >= NUM_IMAGES:
        return []
    return [f"That is fewer than {NUM_IMAGES} images: with more of them the maps and figures would be steadier."]


def _draw_heat_map(field: EffectiveField, state: str) -> Picture:
    size = field.weights.shape[1]
    factor = max(1, -(-size // 112))  # large maps are shown at half or a third of their size
    weights = field.weights
    if factor > 1:
        weights = torch.nn.functional.avg_pool2d(weights[None], factor)[0]
    scale = max(1, round(MAP_WIDTH / weights.shape[1]))
    caption = (
        f"{state.capitalize()}: the brighter a pixel, the more it moves the center unit. σ {field.sigma[0]:.1f} by "
        f"{field.sigma[1]:.1f} pixels, Gaussian R² {field.r2.value:.2f}."
    )
    return Picture(
        render_image(color_heatmap(weights.float()), f"Heat map of the effective field, {state}", scale), caption
    )


def _build_table(caption: str, fields: dict[str, EffectiveField]) -> Table:
    headers = ("", "field", "σ", "side", "95 % of the weight", "4σ / field", "R²", "cut by the image")
    rows: list[tuple[Any, ...]] = [
        (
            name,
            f"{each.layer.size[0]}×{each.layer.size[1]}",
            f"{each.sigma[0]:.1f} × {each.sigma[1]:.1f}",
            round(each.side, 1),
            each.mass95,
            "–" if each.layer.whole_image else round(each.ratio.value, 2),
            round(each.r2.value, 2) if each.r2.value == each.r2.value else "too small to fit",
            "yes" if each.clipped else "no",
        )
        for name, each in fields.items()
    ]
    return Table(caption, headers, rows)


def _describe_states(states: dict[str, EffectiveField]) -> str:
    trained, untrained = states["trained"], states["untrained"]
    if not sum(untrained.sigma):
        return "In the network with random weights, the unit sees a single pixel: there is no width to compare."
    change = sum(trained.sigma) / sum(untrained.sigma) - 1
    width = "wider than" if change > 0.05 else "narrower than" if change < -0.05 else "about as wide as"
    difference = f"{change:+.0%}".replace("-", "−")
    text = f"The effective field is {width} that of the same network with random weights: σ differs by {difference}. "
    if trained.clipped:
        text += (
            "The image cuts the theoretical field, so σ is that of the part within the image, which no field can "
            "exceed: a network on larger images may look wider."
        )
    return text


def _describe_depth() -> str:
    return (
        "How much smaller depends on depth. If each of n 3×3 layers has uniform weights, σ is exactly √(2n/3) pixels: "
        f"it grows with the root of n, the field with n. So 4σ over the field is {_format_uniform_ratios()}. A network "
        "of two convolutions, like the lesson's, uses nearly all of its small field. With weights of both signs, as in "
        "a trained network, paths cancel in part, most of all where there are many: the rest falls off about as the "
        "root of their number, so the measured field is wider than with uniform weights."
    )


def _format_uniform_ratios() -> str:
    return ", ".join(f"{ratio:.2f} at {n} layers" for n, ratio in _uniform_ratios())


def _uniform_ratios() -> list[tuple[int, float]]:
    """(n, 4σ over the field's side) of stacks of n 3×3 layers with uniform weights."""
    return [(n, 4 * uniform_stack_variance([(3, 1, 1)] * n) ** 0.5 / (2 * n + 1)) for n in (2, 10, 40)]


def _effective_field_to_dict(field: EffectiveField) -> dict[str, Any]:
    return {
        "layer": field.layer.name,
        "field": field.layer.size,
        "sigma": field.sigma,
        "side": field.side,
        "mass95": field.mass95,
        "clipped": field.clipped,
        "r2": field.r2.to_json(),
        "central": field.central.to_json(),
        "ratio": field.ratio.to_json(),
    }
