"""Where an image gets its class from: Grad-CAM's maps for right and wrong answers, and two tests of the maps."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from headstart.networks.hooks import capture_activations
from headstart.networks.stages import find_stages
from headstart.understand.claims import Chapter, Claim, ClaimVerdict, Picture
from headstart.understand.features.grad_cam import confidence_drop, grad_cam, rank_correlation
from headstart.understand.features.top_patches import fit_to_square
from headstart.understand.pictures import color_heatmap, render_image, tile_images
from headstart.understand.statistics import t_interval
from headstart.understand.subject import Subject

CLAIMS = {
    "maps-mark-what-decides": "An answer comes from certain places of the image, and Grad-CAM marks them.",
    "maps-come-from-the-weights": "Grad-CAM's maps come from the network's weights, and not merely from its build.",
}

MAX_IMAGES, MAX_PIXELS = 64, 2_500_000  # that are looked at, at most
MIN_MAPS = 10  # maps that a verdict needs
MIN_MAP_SIDE = 4  # places a side that a map needs to say where
COVERED_SHARE = 0.2  # of an image's pixels
MIN_DROP = 0.01  # of probability: less is nothing, however sure
CORRELATION_THRESHOLD = 0.5  # a rank correlation from which maps count as alike
NUM_PICTURES, PICTURE_SIZE = 6, 64


def build_grad_cam_chapter(subject: Subject, report_progress: Callable[[str], None]) -> Chapter:
    """Maps as pictures; what covering their places costs; how like an untrained network's they are."""
    shape = subject.images.shape[1], subject.images.shape[2], subject.images.shape[3]
    layer = select_cam_stage(subject, find_stages(subject.network, shape))
    if layer is None:
        claims = [
            Claim(name, CLAIMS[name], "not measured", value="no stage has a map of 4×4 places") for name in CLAIMS
        ]
        text = "The maps of every stage are coarser than 4×4 places: they cannot say where an answer comes from."
        return Chapter("grad_cam", "Where an answer comes from", [text], claims, {"layer": None})
    order = torch.randperm(len(subject.images), generator=torch.Generator().manual_seed(0))
    unseen = order[~subject.train_mask[order]]
    some = (unseen if len(unseen) >= MIN_MAPS else order)[: min(MAX_IMAGES, MAX_PIXELS // (shape[1] * shape[2]) or 1)]
    images = subject.images[some]
    answers = capture_activations(subject.network, images, [""])[""].argmax(dim=1)  # "" is the network itself
    report_progress(f"maps of {len(some)} images at {layer}")
    maps = grad_cam(subject.network, images, answers, layer)
    report_progress("maps of the untrained network")
    random = grad_cam(subject.random_network, images, answers, layer)
    report_progress("covering what the maps mark")
    whose = maps.amax(dim=(1, 2)).nonzero()[:, 0]
    own, others = (
        confidence_drop(subject.network, images[whose], maps[of], answers[whose], COVERED_SHARE)
        for of in (whose, whose.roll(1))
    )
    like = rank_correlation(maps, random)
    like_others = rank_correlation(maps[whose], maps[whose.roll(1)])
    claims = [_build_localization_claim(own, others), _build_weight_claim(like, like_others, len(some))]
    height, width = capture_activations(subject.network, images[:1], [layer])[layer].shape[2:]
    content: list[str | Picture] = [_write_introduction(layer, height, width)]
    content += _build_pictures(subject, some, answers, maps, random)
    content += _write_interpretation(own, others, like, like_others)
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
        "covered": COVERED_SHARE,
        "drop_mean": _mean_with_interval(own),
        "drop_of_another_map_mean": _mean_with_interval(others),
        "drop_more_than_elsewhere": _mean_with_interval(own - others),
        "likeness_mean": _mean_with_interval(like),
        "likeness_of_other_images": _mean_with_interval(like_others),
    }
    return Chapter("grad_cam", "Where an answer comes from", [*content], claims, numbers)


def select_cam_stage(subject: Subject, stage_names: list[str]) -> str | None:
    """The deepest stage whose maps have at least 4×4 places; None where there is none."""
    given = capture_activations(subject.network, subject.images[:1], stage_names)
    return next((name for name in reversed(stage_names) if min(given[name].shape[2:]) >= MIN_MAP_SIDE), None)


def cam_localization_verdict(difference: Tensor) -> tuple[ClaimVerdict, str]:
    """Whether covering what a map marks costs more than covering what another image's map marks, by the whole interval.

    Args:
        difference: of what both take from the answer's probability, float32 (N,), an image each.
    """
    if len(difference) < MIN_MAPS:
        return "not measured", f"{len(difference)} maps are too few for a verdict"
    mean = t_interval(difference.tolist())
    if mean.high < MIN_DROP:
        return "fails", "no more than elsewhere"
    return ("holds", "more than elsewhere") if mean.low > MIN_DROP else ("depends", "perhaps more than elsewhere")


def cam_weight_dependence_verdict(correlations: Tensor, num_images: int) -> tuple[ClaimVerdict, str]:
    """Whether a network of other weights, an untrained one, has other maps (Adebayo and others, NeurIPS 2018).

    Args:
        like: rank correlations of the maps that are not empty, float64 (n,).
        asked: of how many images.
    """
    if len(correlations) < max(MIN_MAPS, num_images / 2):
        return "not measured", f"both networks have a map for {len(correlations)} of {num_images} images only"
    mean = t_interval(correlations.tolist())
    if mean.high < CORRELATION_THRESHOLD:
        return "holds", "other weights, other maps"
    if mean.low >= CORRELATION_THRESHOLD:
        return "fails", "other weights give nearly the same maps"
    return "depends", "about as alike as not"


def _mean_with_interval(of: Tensor) -> list[float | None]:
    """Mean and interval of what is a number."""
    values = of[~of.isnan()].tolist()
    return t_interval(values).to_json() if values else []


def _format_mean_percent(of: Tensor) -> str:
    return f"{100 * float(of.mean()):.0f}" if len(of) else "–"


def _format_correlation(correlation: float) -> str:
    return f"{correlation:.2f}".replace("-", "−")


def _build_localization_claim(own: Tensor, others: Tensor) -> Claim:
    name = "maps-mark-what-decides"
    verdict, why = cam_localization_verdict(own - others)
    if verdict == "not measured":
        return Claim(name, CLAIMS[name], verdict, value=why, command=_more_images_command())
    more = t_interval((own - others).tolist())
    return Claim(
        name,
        CLAIMS[name],
        verdict,
        value=f"covering the marked {100 * COVERED_SHARE:.0f} % of the image takes {more.format_points()} more from the answer's "
        "probability than covering as much elsewhere",
        control=f"{_format_mean_percent(own)} points where its map marks, {_format_mean_percent(others)} where another image's map does",
        interval=more.scaled_interval(100),
    )


def _build_weight_claim(like: Tensor, like_others: Tensor, asked: int) -> Claim:
    name, found = "maps-come-from-the-weights", like[~like.isnan()]
    verdict, why = cam_weight_dependence_verdict(found, asked)
    if verdict == "not measured":
        return Claim(name, CLAIMS[name], verdict, value=why, command=_more_images_command())
    mean = t_interval(found.tolist())
    return Claim(
        name,
        CLAIMS[name],
        verdict,
        value=f"rank correlation {_format_correlation(mean.value)} with the untrained network's maps; {why}",
        control=f"{_format_correlation(float(like_others.nanmean()))} with this network's maps of other images, 1 with themselves",
        interval=mean.scaled_interval(1),
    )


def _more_images_command() -> str:
    return "headstart understand RUN --only grad_cam --data FOLDER, with more images"


def _write_introduction(layer: str, height: int, width: int) -> str:
    return (
        f"Grad-CAM asks each place of a layer's maps how much it speaks for the answer. Here the layer is {layer}, the "
        f"deepest whose maps still have {MIN_MAP_SIDE}×{MIN_MAP_SIDE} places: {height}×{width}, and a map is no finer. "
        "Bright places speak for the answer; dark ones do not, or against it."
    )


def _build_pictures(
    subject: Subject, some: Tensor, answers: Tensor, maps: Tensor, random: Tensor
) -> list[str | Picture]:
    if subject.labels is None:
        return [
            _render_sheet(subject, some, answers, maps, random, torch.arange(min(NUM_PICTURES, len(some))), "Answers")
        ]
    right = answers == subject.labels[some]
    content: list[str | Picture] = []
    for which, title in ((right, "Right answers"), (~right, "Wrong answers")):
        chosen = which.nonzero()[:NUM_PICTURES, 0]
        if len(chosen):
            content.append(_render_sheet(subject, some, answers, maps, random, chosen, title))
        else:
            content.append(f"{title}: there are none among {len(some)} images.")
    return content


def _render_sheet(
    subject: Subject, some: Tensor, answers: Tensor, maps: Tensor, random: Tensor, chosen: Tensor, title: str
) -> Picture:
    """A row of pictures, a row of maps over them, and a row of the untrained network's."""
    pictures = [fit_to_square(subject.pictures[some[i]], PICTURE_SIZE).expand(3, -1, -1) for i in chosen]
    over = [
        ((picture.float().mean(dim=0) + color_heatmap(_fit_map_to_square(of[i])).float()) / 2).round().byte()
        for of in (maps, random)
        for picture, i in zip(pictures, chosen, strict=True)
    ]
    said = ", ".join(_format_answer(subject, int(some[i]), int(answers[i])) for i in chosen)
    caption = f"{title}, drawn by lot: {said}. Below each its map, and the map that the untrained network gives."
    return Picture(render_image(tile_images(torch.stack(pictures + over), columns=len(chosen)), caption), caption)


def _fit_map_to_square(map_: Tensor) -> Tensor:
    height, width = map_.shape
    most = max(height, width)
    to = max(round(PICTURE_SIZE * height / most), 1), max(round(PICTURE_SIZE * width / most), 1)
    scaled = F.interpolate(map_[None, None], size=to, mode="bilinear")[0, 0]
    square = torch.zeros(PICTURE_SIZE, PICTURE_SIZE)
    y, x = (PICTURE_SIZE - to[0]) // 2, (PICTURE_SIZE - to[1]) // 2
    square[y : y + to[0], x : x + to[1]] = scaled
    return square


def _format_answer(subject: Subject, image: int, answer: int) -> str:
    label = None if subject.labels is None else int(subject.labels[image])
    if label is None or label == answer:
        return subject.classes[answer]
    return f"{subject.classes[label]} taken for {subject.classes[answer]}"


def _write_interpretation(own: Tensor, others: Tensor, like: Tensor, like_others: Tensor) -> list[str]:
    found = like[~like.isnan()]
    alike = _format_correlation(float(found.mean())) if len(found) else "–"
    return [
        f"Do the marked places decide? The {100 * COVERED_SHARE:.0f} % of the pixels that a map marks most are covered by "
        f"the image's mean colour. The answer's probability falls by {_format_mean_percent(own)} points on average; by "
        f"{_format_mean_percent(others)} where what another image's map marks is covered instead.",
        "Do the maps need these weights? A map that an untrained network gives as well shows the image's edges or the "
        f"middle of the picture, and nothing of this network. The rank correlation of the two networks' maps is "
        f"{alike} on average over {len(found)} images; between this network's maps of different images it is "
        f"{_format_correlation(float(like_others.nanmean()) if len(like_others) else 0)}. 1 would be the same map, 0 is no "
        "likeness.",
    ]
