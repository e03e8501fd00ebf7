"""Where an image gets its class from: Grad-CAM's maps for right and wrong answers, and two tests of the maps."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from headstart.networks.stages import activations, stages
from headstart.understand.claims import Chapter, Claim, Picture, Verdict
from headstart.understand.features.grad_cam import drops, grad_cam, likeness
from headstart.understand.features.top_patches import fitted
from headstart.understand.pictures import heat, sheet, shown
from headstart.understand.statistics import of_seeds
from headstart.understand.subject import Subject

CLAIMS = {
    "maps-mark-what-decides": "An answer comes from certain places of the image, and Grad-CAM marks them.",
    "maps-come-from-the-weights": "Grad-CAM's maps come from the network's weights, and not merely from its build.",
}

IMAGES, PIXELS = 64, 2_500_000  # that are looked at, at most
FEWEST = 10  # maps that a verdict needs
COARSEST = 4  # places a side that a map needs to say where
COVERED = 0.2  # of an image's pixels
LEAST = 0.01  # of probability: less is nothing, however sure
ALIKE = 0.5  # a rank correlation from which maps count as alike
SHOWN, SIZE = 6, 64


def chapter(subject: Subject, tell: Callable[[str], None]) -> Chapter:
    """Maps as pictures; what covering their places costs; how like an untrained network's they are."""
    shape = subject.images.shape[1], subject.images.shape[2], subject.images.shape[3]
    layer = finest(subject, stages(subject.network, shape))
    if layer is None:
        claims = [
            Claim(name, CLAIMS[name], "not measured", value="no stage has a map of 4×4 places") for name in CLAIMS
        ]
        text = "The maps of every stage are coarser than 4×4 places: they cannot say where an answer comes from."
        return Chapter("grad_cam", "Where an answer comes from", [text], claims, {"layer": None})
    order = torch.randperm(len(subject.images), generator=torch.Generator().manual_seed(0))
    unseen = order[~subject.trained_on[order]]
    some = (unseen if len(unseen) >= FEWEST else order)[: min(IMAGES, PIXELS // (shape[1] * shape[2]) or 1)]
    images = subject.images[some]
    answers = activations(subject.network, images, [""])[""].argmax(dim=1)  # "" is the network itself
    tell(f"maps of {len(some)} images at {layer}")
    maps = grad_cam(subject.network, images, answers, layer)
    tell("maps of the untrained network")
    random = grad_cam(subject.random, images, answers, layer)
    tell("covering what the maps mark")
    whose = maps.amax(dim=(1, 2)).nonzero()[:, 0]
    own, others = (
        drops(subject.network, images[whose], maps[of], answers[whose], COVERED) for of in (whose, whose.roll(1))
    )
    like = likeness(maps, random)
    like_others = likeness(maps[whose], maps[whose.roll(1)])
    claims = [_places(own, others), _weights(like, like_others, len(some))]
    height, width = activations(subject.network, images[:1], [layer])[layer].shape[2:]
    content: list[str | Picture] = [_beginning(layer, height, width)]
    content += _pictures(subject, some, answers, maps, random)
    content += _reading(own, others, like, like_others)
    empty = len(some) - len(whose)
    if empty:
        content.append(f"{empty} of {len(some)} maps are empty: no place of theirs speaks for the answer by itself.")
    numbers = {
        "layer": layer,
        "map": [height, width],
        "images": len(some),
        "compared": int((~like.isnan()).sum()),
        "empty": empty,
        "drop": own.tolist(),
        "drop_of_another_map": others.tolist(),
        "likeness_to_untrained": [None if each != each else each for each in like.tolist()],
        "covered": COVERED,
        "drop_mean": _mean(own),
        "drop_of_another_map_mean": _mean(others),
        "drop_more_than_elsewhere": _mean(own - others),
        "likeness_mean": _mean(like),
        "likeness_of_other_images": _mean(like_others),
    }
    return Chapter("grad_cam", "Where an answer comes from", [*content], claims, numbers)


def finest(subject: Subject, names: list[str]) -> str | None:
    """The deepest stage whose maps have at least 4×4 places; None where there is none."""
    given = activations(subject.network, subject.images[:1], names)
    return next((name for name in reversed(names) if min(given[name].shape[2:]) >= COARSEST), None)


def judged_places(difference: Tensor) -> tuple[Verdict, str]:
    """Whether covering what a map marks costs more than covering what another image's map marks, by the whole interval.

    Args:
        difference: of what both take from the answer's probability, float32 (N,), an image each.
    """
    if len(difference) < FEWEST:
        return "not measured", f"{len(difference)} maps are too few for a verdict"
    mean = of_seeds(difference.tolist())
    if mean.high < LEAST:
        return "fails", "no more than elsewhere"
    return ("holds", "more than elsewhere") if mean.low > LEAST else ("depends", "perhaps more than elsewhere")


def judged_weights(like: Tensor, asked: int) -> tuple[Verdict, str]:
    """Whether a network of other weights, an untrained one, has other maps (Adebayo and others, NeurIPS 2018).

    Args:
        like: rank correlations of the maps that are not empty, float64 (n,).
        asked: of how many images.
    """
    if len(like) < max(FEWEST, asked / 2):
        return "not measured", f"both networks have a map for {len(like)} of {asked} images only"
    mean = of_seeds(like.tolist())
    if mean.high < ALIKE:
        return "holds", "other weights, other maps"
    if mean.low >= ALIKE:
        return "fails", "other weights give nearly the same maps"
    return "depends", "about as alike as not"


def _mean(of: Tensor) -> list[float | None]:
    """Mean and interval of what is a number."""
    values = of[~of.isnan()].tolist()
    return of_seeds(values).plain() if values else []


def _percent(of: Tensor) -> str:
    return f"{100 * float(of.mean()):.0f}" if len(of) else "–"


def _signed(correlation: float) -> str:
    return f"{correlation:.2f}".replace("-", "−")


def _places(own: Tensor, others: Tensor) -> Claim:
    name = "maps-mark-what-decides"
    verdict, why = judged_places(own - others)
    if verdict == "not measured":
        return Claim(name, CLAIMS[name], verdict, value=why, command=_more())
    more = of_seeds((own - others).tolist())
    return Claim(
        name,
        CLAIMS[name],
        verdict,
        value=f"covering the marked {100 * COVERED:.0f} % of the image takes {more.points()} more from the answer's "
        "probability than covering as much elsewhere",
        control=f"{_percent(own)} points where its map marks, {_percent(others)} where another image's map does",
        interval=more.times(100),
    )


def _weights(like: Tensor, like_others: Tensor, asked: int) -> Claim:
    name, found = "maps-come-from-the-weights", like[~like.isnan()]
    verdict, why = judged_weights(found, asked)
    if verdict == "not measured":
        return Claim(name, CLAIMS[name], verdict, value=why, command=_more())
    mean = of_seeds(found.tolist())
    return Claim(
        name,
        CLAIMS[name],
        verdict,
        value=f"rank correlation {_signed(mean.middle)} with the untrained network's maps; {why}",
        control=f"{_signed(float(like_others.nanmean()))} with this network's maps of other images, 1 with themselves",
        interval=mean.times(1),
    )


def _more() -> str:
    return "headstart understand RUN --only grad_cam --data FOLDER, with more images"


def _beginning(layer: str, height: int, width: int) -> str:
    return (
        f"Grad-CAM asks each place of a layer's maps how much it speaks for the answer. Here the layer is {layer}, the "
        f"deepest whose maps still have {COARSEST}×{COARSEST} places: {height}×{width}, and a map is no finer. "
        "Bright places speak for the answer; dark ones do not, or against it."
    )


def _pictures(subject: Subject, some: Tensor, answers: Tensor, maps: Tensor, random: Tensor) -> list[str | Picture]:
    if subject.labels is None:
        return [_sheet(subject, some, answers, maps, random, torch.arange(min(SHOWN, len(some))), "Answers")]
    right = answers == subject.labels[some]
    content: list[str | Picture] = []
    for which, title in ((right, "Right answers"), (~right, "Wrong answers")):
        chosen = which.nonzero()[:SHOWN, 0]
        if len(chosen):
            content.append(_sheet(subject, some, answers, maps, random, chosen, title))
        else:
            content.append(f"{title}: there are none among {len(some)} images.")
    return content


def _sheet(
    subject: Subject, some: Tensor, answers: Tensor, maps: Tensor, random: Tensor, chosen: Tensor, title: str
) -> Picture:
    """A row of pictures, a row of maps over them, and a row of the untrained network's."""
    pictures = [fitted(subject.pictures[some[i]], SIZE).expand(3, -1, -1) for i in chosen]
    over = [
        ((picture.float().mean(dim=0) + heat(_sized(of[i])).float()) / 2).round().byte()
        for of in (maps, random)
        for picture, i in zip(pictures, chosen, strict=True)
    ]
    said = ", ".join(_said(subject, int(some[i]), int(answers[i])) for i in chosen)
    caption = f"{title}, drawn by lot: {said}. Below each its map, and the map that the untrained network gives."
    return Picture(shown(sheet(torch.stack(pictures + over), columns=len(chosen)), caption), caption)


def _sized(map_: Tensor) -> Tensor:
    height, width = map_.shape
    most = max(height, width)
    to = max(round(SIZE * height / most), 1), max(round(SIZE * width / most), 1)
    scaled = F.interpolate(map_[None, None], size=to, mode="bilinear")[0, 0]
    square = torch.zeros(SIZE, SIZE)
    y, x = (SIZE - to[0]) // 2, (SIZE - to[1]) // 2
    square[y : y + to[0], x : x + to[1]] = scaled
    return square


def _said(subject: Subject, image: int, answer: int) -> str:
    label = None if subject.labels is None else int(subject.labels[image])
    if label is None or label == answer:
        return subject.classes[answer]
    return f"{subject.classes[label]} taken for {subject.classes[answer]}"


def _reading(own: Tensor, others: Tensor, like: Tensor, like_others: Tensor) -> list[str]:
    found = like[~like.isnan()]
    alike = _signed(float(found.mean())) if len(found) else "–"
    return [
        f"Do the marked places decide? The {100 * COVERED:.0f} % of the pixels that a map marks most are covered by "
        f"the image's mean colour. The answer's probability falls by {_percent(own)} points on average; by "
        f"{_percent(others)} where what another image's map marks is covered instead.",
        "Do the maps need these weights? A map that an untrained network gives as well shows the image's edges or the "
        f"middle of the picture, and nothing of this network. The rank correlation of the two networks' maps is "
        f"{alike} on average over {len(found)} images; between this network's maps of different images it is "
        f"{_signed(float(like_others.nanmean()) if len(like_others) else 0)}. 1 would be the same map, 0 is no "
        "likeness.",
    ]
