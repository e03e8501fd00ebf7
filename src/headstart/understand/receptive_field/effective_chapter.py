"""How much each pixel of a field counts: untrained, pretrained and trained."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from headstart.errors import HeadstartError
from headstart.understand.claims import Chapter, Claim, ClaimVerdict, Picture, Table
from headstart.understand.decision import decide
from headstart.understand.pictures import color_heatmap, render_image
from headstart.understand.receptive_field.effective import (
    EffectiveField,
    center_unit,
    effective_fields,
    summarize_effective_field,
    uniform_stack_variance,
)
from headstart.understand.receptive_field.fields import ReceptiveField, last_fields_per_stride, receptive_fields
from headstart.understand.receptive_field.gradient_support import LinearizedNetwork
from headstart.understand.statistics import Estimate
from headstart.understand.subject import Subject

CLAIMS = {
    "effective-is-smaller": "The part of a field that really counts is much smaller than the field.",
    "effective-is-central": "What counts most lies in the field's centre.",
    "effective-is-gaussian": "From the centre outwards, the weight of pixels falls like a Gaussian.",
}
NUM_IMAGES = 50
MIN_DEEP_SIDE = 15  # pixels: below that side a field has hardly a rim, and tells nothing of deeper layers
LARGER_IMAGES_COMMAND = "headstart understand RUN --only effective_field, of a run with a larger data.image_size"
MAP_WIDTH = 200  # pixels, about, of a map on the page


def build_effective_field_chapter(subject: Subject, report_progress: Callable[[str], None]) -> Chapter:
    """The effective fields of the subject's last map and stages, beside those of the same network untrained."""
    told = Chapter("effective_field", "Effective receptive field: which pixels count")
    shape: tuple[int, int, int] = tuple(subject.images.shape[1:])  # type: ignore[assignment]
    try:
        shown_stages = last_fields_per_stride(receptive_fields(subject.network, shape))
        states, by_stage, before = _measure_states(subject, shown_stages, report_progress)
    except HeadstartError as reason:
        told.content.append(f"Effective fields cannot be measured on this network: {reason}.")
        told.claims = [Claim(name, sentence, "not measured", str(reason)) for name, sentence in CLAIMS.items()]
        return told
    count, trained = len(subject.images[:NUM_IMAGES]), states["trained"]
    told.content += [
        "The receptive field says which pixels can change a unit, not by how much. A pixel in the centre reaches it on "
        f"many ways, one at the edge on few. Measured on {count} images: how far the centre unit of "
        f"{trained.layer.name}, the last map, moves when a pixel does (the gradient's size, mean over the images).",
        *_warn_few_images(count),
        *(_draw_heat_map(each, state) for state, each in states.items()),
        _build_table("The effective field of the last map's centre unit, lengths in pixels", states),
        _describe_states(states),
        _build_table("The same in each stage of the trained network", {each.layer.name: each for each in by_stage}),
        _describe_depth(),
    ]
    told.claims = build_effective_field_claims(by_stage, before)
    told.sensitivity_maps = {each.layer.name: each.weights for each in by_stage}
    told.numbers = {
        "images": count,
        "states": {state: _effective_field_to_dict(each) for state, each in states.items()},
        "stages": [_effective_field_to_dict(each) for each in by_stage],
        "stages_untrained": [_effective_field_to_dict(each) for each in before],
        "stacks_alike": _uniform_ratios(),
    }
    return told


def _measure_states(
    subject: Subject, layers: list[ReceptiveField], report_progress: Callable[[str], None]
) -> tuple[dict[str, EffectiveField], list[EffectiveField], list[EffectiveField]]:
    """The last layer's field in each state of the network, and every layer's of the trained and the untrained one."""
    images, last = subject.images[:NUM_IMAGES], layers[-1:]
    report_progress("effective fields: untrained, every stage")
    before = effective_fields(subject.random_network, images, layers)
    states = {"untrained": before[-1]}
    if subject.pretrained_network is not None:
        report_progress("effective fields: pretrained")
        [states["pretrained"]] = effective_fields(subject.pretrained_network, images, last)
    report_progress("effective fields: trained, every stage")
    by_stage = effective_fields(subject.network, images, layers)
    if last[0].shape[1] * last[0].shape[2] > 1:
        _, *shape = images.shape
        alike = LinearizedNetwork(subject.network, (shape[0], shape[1], shape[2]))
        states["all weights alike"] = summarize_effective_field(
            alike.pixel_weights(last[0], *center_unit(last[0]))[None], last[0]
        )
    return states | {"trained": by_stage[-1]}, by_stage, before


def build_effective_field_claims(
    by_stage: Sequence[EffectiveField], untrained: Sequence[EffectiveField]
) -> list[Claim]:
    """The lesson's sentences, on the stages of the trained network; ``untrained`` are the same before training."""
    told, before = ([each for each in stages if is_conclusive(each)] for stages in (by_stage, untrained))
    cut = [each.layer.name for each in by_stage if each.clipped]
    whole = [each.layer.name for each in by_stage if not each.clipped and each.layer.whole_image]
    small = [each.layer.name for each in by_stage if each.layer.name not in cut + whole and not is_conclusive(each)]
    out = f"; {', '.join(cut)} left out: the image cuts the field" if cut else ""
    out += f"; {', '.join(whole)} left out: something sees all of the image" if whole else ""
    out += f"; {', '.join(small)} left out: below 5 pixels" if small else ""
    fields = [min(each.layer.size) for each in told]

    def figures(stages: Sequence[EffectiveField], of: Callable[[EffectiveField], Estimate]) -> str:
        return ", ".join(f"{each.layer.name} {of(each).format_decimal()}" for each in stages) or "none"

    def claim(
        name: str, verdict: ClaimVerdict, figure: str, of: Callable[[EffectiveField], Estimate], control: str
    ) -> Claim:
        return Claim(
            name, CLAIMS[name], qualify_by_depth(verdict, fields), f"{figure}: {figures(told, of)}{out}",
            f"untrained: {figures(before, of)}; {control}", of(told[0]).scaled_interval(1) if len(told) == 1 else None,
            "" if told else LARGER_IMAGES_COMMAND,
        )  # fmt: skip

    return [
        claim(
            "effective-is-smaller",
            smaller_verdict([each.ratio for each in told], bool(cut)),
            "4σ over the field's side",
            lambda each: each.ratio,
            f"stacks of 3×3 layers that weigh all pixels alike: {_format_uniform_ratios()}",
        ),
        claim(
            "effective-is-central",
            central_verdict([each.central for each in told]),
            "the weight in the middle quarter of the field",
            lambda each: each.central,
            "0.25 where all pixels count alike",
        ),
        claim(
            "effective-is-gaussian",
            gaussian_verdict([each.r2 for each in told]),
            "R² of the best Gaussian",
            lambda each: each.r2,
            "1 is a Gaussian exactly",
        ),
    ]


def is_conclusive(field: EffectiveField) -> bool:
    """Whether a field can tell: all of it lies within the image, it is large enough to have a centre and a rim, and
    nothing sees all of the image beside it, whose share of the gradients no field explains."""
    return not field.clipped and not field.layer.whole_image and min(field.layer.size) >= 5


def qualify_by_depth(verdict: ClaimVerdict, fields: Sequence[int]) -> ClaimVerdict:
    """A verdict on fields of these sides: where none has 15 pixels it depends, on layers that are deeper."""
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
        f"{state.capitalize()}: the brighter a pixel, the more it moves the centre unit. σ {field.sigma[0]:.1f} by "
        f"{field.sigma[1]:.1f} pixels, Gaussian R² {field.r2.value:.2f}."
    )
    return Picture(
        render_image(color_heatmap(weights.float()), f"Heat map of the effective field, {state}", scale), caption
    )


def _build_table(caption: str, found: dict[str, EffectiveField]) -> Table:
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
        for name, each in found.items()
    ]
    return Table(caption, headers, rows)


def _describe_states(states: dict[str, EffectiveField]) -> str:
    trained, untrained = states["trained"], states["untrained"]
    if not sum(untrained.sigma):
        return "In the network from random weights, the unit sees a single pixel: there is no width to compare."
    change = sum(trained.sigma) / sum(untrained.sigma) - 1
    width = "wider than" if change > 0.05 else "narrower than" if change < -0.05 else "about as wide as"
    by = f"{change:+.0%}".replace("-", "−")
    text = f"The effective field is {width} that of the same network from random weights: σ differs by {by}. "
    if trained.clipped:
        text += (
            "The image cuts the theoretical field, so σ is that of the part within the image, which no field can "
            "exceed: a network on larger images may look wider."
        )
    return text


def _describe_depth() -> str:
    return (
        "How much smaller depends on depth. Where each of n 3×3 layers weighs all it reads alike, σ is exactly √(2n/3) "
        f"pixels: it grows with the root of n, the field with n. So 4σ over the field is {_format_uniform_ratios()}. A network of two "
        "convolutions, like the lesson's, uses nearly all of its small field. With weights of both signs, as in a real "
        "network, ways cancel in part, most of all where there are many: what is left falls off about as the root of "
        "their number, so that the measured field is wider than with all weights alike."
    )


def _format_uniform_ratios() -> str:
    return ", ".join(f"{ratio:.2f} at {n} layers" for n, ratio in _uniform_ratios())


def _uniform_ratios() -> list[tuple[int, float]]:
    """Of stacks of so many 3×3 layers that weigh all pixels alike: 4σ over the field's side."""
    return [(n, 4 * uniform_stack_variance([(3, 1, 1)] * n) ** 0.5 / (2 * n + 1)) for n in (2, 10, 40)]


def _effective_field_to_dict(field: EffectiveField) -> dict[str, Any]:
    names = ("sigma", "side", "mass95", "clipped")
    sure = {name: getattr(field, name).to_json() for name in ("r2", "central", "ratio")}
    return {"layer": field.layer.name, "field": field.layer.size, **{n: getattr(field, n) for n in names}, **sure}
