"""How much each pixel of a field counts: untrained, pretrained and trained."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from headstart.errors import HeadstartError
from headstart.understand.chapter import Chapter, Claim, Picture, Table, Verdict
from headstart.understand.effective import Effective, centre, described, effective, stacked_variance
from headstart.understand.images import heat, shown
from headstart.understand.receptive_field import Field, receptive_fields, stages
from headstart.understand.subject import Subject
from headstart.understand.support import Uniform

CLAIMS = {
    "effective-is-smaller": "The part of a field that really counts is much smaller than the field.",
    "effective-is-central": "What counts most lies in the field's centre.",
    "effective-is-gaussian": "From the centre outwards, the weight of pixels falls like a Gaussian.",
}
IMAGES = 50
WIDTH = 200  # pixels, about, of a map on the page


def chapter(subject: Subject, tell: Callable[[str], None]) -> Chapter:
    """The effective fields of the subject's last map and stages, beside those of the same network untrained."""
    told = Chapter("effective_field", "Effective receptive field: which pixels count")
    shape: tuple[int, int, int] = tuple(subject.images.shape[1:])  # type: ignore[assignment]
    try:
        shown_stages = stages(receptive_fields(subject.network, shape))
        states, by_stage = _measured(subject, shown_stages, tell)
    except HeadstartError as reason:
        told.content.append(f"Effective fields cannot be measured on this network: {reason}.")
        told.claims = [Claim(name, sentence, "not measured", str(reason)) for name, sentence in CLAIMS.items()]
        return told
    count, trained = len(subject.images[:IMAGES]), states["trained"]
    told.content += [
        "The receptive field says which pixels can change a unit, not by how much. A pixel in the centre reaches it on "
        f"many ways, one at the edge on few. Measured on {count} images: how far the centre unit of "
        f"{trained.layer.name}, the last map, moves when a pixel does (the gradient's size, mean over the images).",
        *_few(count),
        *(_pictured(each, state) for state, each in states.items()),
        _table("The effective field of the last map's centre unit, lengths in pixels", states),
        _states_told(states),
        _table("The same in each stage of the trained network", {each.layer.name: each for each in by_stage}),
        _depth_told(),
    ]
    told.claims = claims(by_stage, states["untrained"])
    told.numbers = {
        "images": count,
        "states": {state: _numbers(each) for state, each in states.items()},
        "stages": [_numbers(each) for each in by_stage],
    }
    return told


def _measured(
    subject: Subject, layers: list[Field], tell: Callable[[str], None]
) -> tuple[dict[str, Effective], list[Effective]]:
    """The last layer's field in each state of the network, and the field of every layer of the trained one."""
    images, last = subject.images[:IMAGES], layers[-1:]
    states: dict[str, Effective] = {}
    tell("effective fields: untrained")
    [states["untrained"]] = effective(subject.random, images, last)
    if subject.pretrained is not None:
        tell("effective fields: pretrained")
        [states["pretrained"]] = effective(subject.pretrained, images, last)
    tell("effective fields: trained, every stage")
    by_stage = effective(subject.network, images, layers)
    if last[0].shape[1] * last[0].shape[2] > 1:
        alike = Uniform(subject.network, tuple(images.shape[1:]))
        states["all weights alike"] = described(alike.weights(last[0], *centre(last[0]))[None], last[0])
    return states | {"trained": by_stage[-1]}, by_stage


def claims(by_stage: Sequence[Effective], untrained: Effective) -> list[Claim]:
    """The lesson's sentences, on the stages of the trained network; ``untrained`` is its last map's before training."""
    told = [each for each in by_stage if decisive(each)]
    left = [each.layer.name for each in by_stage if each not in told]
    out = f"; {', '.join(left)} left out: the image cuts the field, or it is below 5 pixels" if left else ""

    def figures(of: Callable[[Effective], float]) -> str:
        return (", ".join(f"{each.layer.name} {of(each):.2f}" for each in told) or "none") + out

    return [
        Claim(
            "effective-is-smaller",
            CLAIMS["effective-is-smaller"],
            smaller_verdict([each.ratio for each in told]),
            f"4σ over the field's side: {figures(lambda each: each.ratio)}",
            f"untrained, at {untrained.layer.name}: {untrained.ratio:.2f}; stacks of 3×3 layers that weigh all pixels "
            f"alike: {_alike()}",
            told[-1].interval if told else None,
        ),
        Claim(
            "effective-is-central",
            CLAIMS["effective-is-central"],
            central_verdict([each.central for each in told]),
            f"the weight in the middle quarter of the field: {figures(lambda each: each.central)}",
            f"untrained, at {untrained.layer.name}: {untrained.central:.2f}; 0.25 where all pixels count alike",
        ),
        Claim(
            "effective-is-gaussian",
            CLAIMS["effective-is-gaussian"],
            gaussian_verdict([each.r2 for each in told]),
            f"R² of the best Gaussian: {figures(lambda each: each.r2)}",
            f"untrained, at {untrained.layer.name}: {untrained.r2:.2f}; 1 is a Gaussian exactly",
        ),
    ]


def decisive(found: Effective) -> bool:
    """Whether a field can tell: all of it lies within the image, and it is large enough to have a centre and a rim."""
    return not found.clipped and min(found.layer.size) >= 5


def smaller_verdict(ratios: Sequence[float]) -> Verdict:
    """4σ over the field's side for each stage: holds where all are below a half, fails where none is."""
    return _judged(ratios, lambda ratio: ratio < 0.5, lambda ratio: ratio < 0.5)


def central_verdict(shares: Sequence[float]) -> Verdict:
    """The share of the middle quarter for each stage: holds where all are a half, fails where none exceeds 0.25."""
    return _judged(shares, lambda share: share >= 0.5, lambda share: share > 0.25)


def gaussian_verdict(r2: Sequence[float]) -> Verdict:
    """R² for each stage: holds where all are at least 0.9, fails where none is at least 0.75."""
    return _judged(r2, lambda each: each >= 0.9, lambda each: each >= 0.75)


def _judged(values: Sequence[float], well: Callable[[float], bool], somewhat: Callable[[float], bool]) -> Verdict:
    if not values:
        return "not measured"
    return "holds" if all(map(well, values)) else "depends" if any(map(somewhat, values)) else "fails"


def _few(count: int) -> list[str]:
    if count >= IMAGES:
        return []
    return [f"That is fewer than {IMAGES} images: with more of them the maps and figures would be steadier."]


def _pictured(found: Effective, state: str) -> Picture:
    size = found.weights.shape[1]
    factor = max(1, -(-size // 112))  # large maps are shown at half or a third of their size
    weights = found.weights
    if factor > 1:
        weights = torch.nn.functional.avg_pool2d(weights[None], factor)[0]
    scale = max(1, round(WIDTH / weights.shape[1]))
    caption = (
        f"{state.capitalize()}: the brighter a pixel, the more it moves the centre unit. σ {found.sigma[0]:.1f} by "
        f"{found.sigma[1]:.1f} pixels, Gaussian R² {found.r2:.2f}."
    )
    return Picture(shown(heat(weights.float()), f"Heat map of the effective field, {state}", scale), caption)


def _table(caption: str, found: dict[str, Effective]) -> Table:
    headers = ("", "field", "σ", "side", "95 % of the weight", "4σ / field", "R²", "cut by the image")
    rows: list[tuple[Any, ...]] = [
        (
            name,
            f"{each.layer.size[0]}×{each.layer.size[1]}",
            f"{each.sigma[0]:.1f} × {each.sigma[1]:.1f}",
            round(each.side, 1),
            each.mass95,
            round(each.ratio, 2),
            round(each.r2, 2) if each.r2 == each.r2 else "too small to fit",
            "yes" if each.clipped else "no",
        )
        for name, each in found.items()
    ]
    return Table(caption, headers, rows)


def _states_told(states: dict[str, Effective]) -> str:
    trained, untrained = states["trained"], states["untrained"]
    change = sum(trained.sigma) / sum(untrained.sigma) - 1
    grown = "wider" if change > 0.05 else "narrower" if change < -0.05 else "as wide as before"
    text = f"Training left the effective field {grown}: σ changed by {change:+.0%} against the untrained network. "
    if trained.clipped:
        text += (
            "The image cuts the theoretical field, so σ is that of the part within the image, which no field can "
            "exceed: a network on larger images may look wider."
        )
    return text


def _depth_told() -> str:
    return (
        "How much smaller depends on depth. Where each of n 3×3 layers weighs all it reads alike, σ is exactly √(2n/3) "
        f"pixels: it grows with the root of n, the field with n. So 4σ over the field is {_alike()}. A network of two "
        "convolutions, like the lesson's, uses nearly all of its small field. With weights of both signs, as in a real "
        "network, ways cancel in part, most of all where there are many: what is left falls off about as the root of "
        "their number, so that the measured field is wider than with all weights alike."
    )


def _alike() -> str:
    ratios = [(n, 4 * stacked_variance([(3, 1, 1)] * n) ** 0.5 / (2 * n + 1)) for n in (2, 10, 40)]
    return ", ".join(f"{ratio:.2f} at {n} layers" for n, ratio in ratios)


def _numbers(found: Effective) -> dict[str, Any]:
    names = ("sigma", "interval", "side", "mass95", "r2", "central", "ratio", "clipped")
    values = {name: getattr(found, name) for name in names}
    values["r2"] = found.r2 if found.r2 == found.r2 else None
    return {"layer": found.layer.name, "field": found.layer.size, **values}
