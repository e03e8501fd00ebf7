"""The chapter on Grad-CAM: maps of correct and wrong predictions, and two tests of the maps."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from headstart.networks.hooks import capture_activations
from headstart.networks.stages import find_stages
from headstart.understand.claims import Chapter, ClaimVerdict, Picture
from headstart.understand.decision import decide
from headstart.understand.features.grad_cam import confidence_drop, grad_cam, rank_correlation
from headstart.understand.features.top_patches import fit_to_square, scale_into_square
from headstart.understand.pictures import color_heatmap, render_image, tile_images
from headstart.understand.statistics import t_interval
from headstart.understand.subject import Subject

GRAD_CAM_CLAIMS = {
    "maps-mark-what-decides": "An answer comes from certain places of the image, and Grad-CAM marks them.",
    "maps-come-from-the-weights": "Grad-CAM's maps come from the network's weights, and not merely from its build.",
}

MAX_CAM_IMAGES, MAX_CAM_PIXELS = 64, 2_500_000  # of all measured images
MIN_MAPS = 10  # for a verdict
MIN_CAM_SIDE = 4  # positions along a side that a map needs to localize anything
COVERED_SHARE = 0.2  # of an image's pixels
MIN_DROP = 0.01  # of probability: a smaller drop counts as none
CORRELATION_THRESHOLD = 0.5  # maps with a larger rank correlation count as similar
NUM_CAM_PICTURES, CAM_PICTURE_SIZE = 6, 64
MORE_IMAGES_COMMAND = "headstart understand RUN --only grad_cam --data FOLDER, with more images"


@dataclass(frozen=True)
class CamResults:
    """Maps of N images and their tests.

    Args:
        indices: of the images, int64 (N,).
        predictions: of the network, int64 (N,).
        maps: of the network, float32 (N, H, W).
        random_maps: of the untrained network, float32 (N, H, W).
        drop: in confidence when the M images with a map are covered by it, float32 (M,).
        other_drop: when they are covered by another image's map, float32 (M,).
        correlation: of each map with the untrained network's, float64 (N,); NaN without one of the two.
        other_correlation: of maps of different images, float64 (M,).
    """

    indices: Tensor
    predictions: Tensor
    maps: Tensor
    random_maps: Tensor
    drop: Tensor
    other_drop: Tensor
    correlation: Tensor
    other_correlation: Tensor

    @property
    def valid_correlation(self) -> Tensor:
        """The correlations that are not NaN."""
        return self.correlation[~self.correlation.isnan()]


def build_grad_cam_chapter(subject: Subject, report_progress: Callable[[str], None]) -> Chapter:
    """Maps as pictures, the cost of covering what they mark, and their correlation with an untrained network's."""
    chapter = Chapter("grad_cam", "Where an answer comes from", sentences=GRAD_CAM_CLAIMS)
    layer = select_cam_stage(subject, find_stages(subject.network, subject.image_shape))
    if layer is None:
        side = f"{MIN_CAM_SIDE}×{MIN_CAM_SIDE}"
        chapter.content.append(f"The maps of every stage are smaller than {side}: too coarse to locate anything.")
        chapter.add_unmeasured(f"no stage has a map of {side} or more")
        chapter.numbers["layer"] = None
        return chapter
    results = _compute_results(subject, layer, report_progress)
    _add_localization_claim(chapter, results)
    _add_weight_claim(chapter, results)
    image = subject.images[results.indices[:1]]
    height, width = capture_activations(subject.network, image, [layer])[layer].shape[2:]
    count, empty = len(results.indices), len(results.indices) - len(results.drop)
    chapter.content += [
        f"Grad-CAM measures how much each position of a layer's maps supports the answer. Here the layer is {layer}, "
        f"the deepest whose maps have at least {MIN_CAM_SIDE}×{MIN_CAM_SIDE} positions: {height}×{width}, which limits "
        "the resolution. Bright positions support the answer; dark ones do not, or oppose it.",
        *_build_pictures(subject, results),
        *_write_interpretation(results),
    ]
    if empty:
        chapter.content.append(f"{empty} of {count} maps are empty: no position supports the answer by itself.")
    chapter.numbers |= {
        "layer": layer,
        "map": [height, width],
        "images": count,
        "compared": len(results.valid_correlation),
        "empty": empty,
        "drop": results.drop.tolist(),
        "drop_of_another_map": results.other_drop.tolist(),
        "likeness_to_untrained": results.correlation.tolist(),
        "covered": COVERED_SHARE,
        "drop_mean": _mean_to_json(results.drop),
        "drop_of_another_map_mean": _mean_to_json(results.other_drop),
        "drop_more_than_elsewhere": _mean_to_json(results.drop - results.other_drop),
        "likeness_mean": _mean_to_json(results.correlation),
        "likeness_of_other_images": _mean_to_json(results.other_correlation),
    }
    return chapter


def select_cam_stage(subject: Subject, stage_names: list[str]) -> str | None:
    """The deepest stage whose maps have at least 4×4 positions; None without one."""
    maps = capture_activations(subject.network, subject.images[:1], stage_names)
    return next((name for name in reversed(stage_names) if min(maps[name].shape[2:]) >= MIN_CAM_SIDE), None)


def cam_localization_verdict(difference: Tensor) -> tuple[ClaimVerdict, str]:
    """Whether covering what a map marks costs more than covering what another image's map marks, and the reason.

    Args:
        difference: of the two drops in confidence, float32 (N,).
    """
    if len(difference) < MIN_MAPS:
        return "not measured", f"{len(difference)} maps are too few for a verdict"
    verdict = decide(t_interval(difference.tolist()), MIN_DROP)
    reasons = {"holds": "more than elsewhere", "fails": "no more than elsewhere"}
    return verdict, reasons.get(verdict, "perhaps more than elsewhere")


def cam_weight_dependence_verdict(correlations: Tensor, num_images: int) -> tuple[ClaimVerdict, str]:
    """Whether an untrained network has other maps (Adebayo and others, NeurIPS 2018), and the reason.

    Args:
        correlations: rank correlations of the maps that are not empty, float64 (n,).
        num_images: of which maps were requested.
    """
    if len(correlations) < max(MIN_MAPS, num_images / 2):
        return "not measured", f"both networks have a map for {len(correlations)} of {num_images} images only"
    verdict = decide(-t_interval(correlations.tolist()), -CORRELATION_THRESHOLD)
    reasons = {"holds": "other weights, other maps", "fails": "other weights give nearly the same maps"}
    return verdict, reasons.get(verdict, "the interval includes the threshold for similar maps")


def _compute_results(subject: Subject, layer: str, report_progress: Callable[[str], None]) -> CamResults:
    order = torch.randperm(len(subject.images), generator=torch.Generator().manual_seed(0))
    held_out = order[~subject.train_mask[order]]
    _, height, width = subject.image_shape
    max_count = min(MAX_CAM_IMAGES, MAX_CAM_PIXELS // (height * width) or 1)
    indices = (held_out if len(held_out) >= MIN_MAPS else order)[:max_count]
    images = subject.images[indices]
    predictions = capture_activations(subject.network, images, [""])[""].argmax(dim=1)  # "" is the network itself
    report_progress(f"maps of {len(images)} images at {layer}")
    maps = grad_cam(subject.network, images, predictions, layer)
    report_progress("maps of the untrained network")
    random_maps = grad_cam(subject.random_network, images, predictions, layer)
    report_progress("covering what the maps mark")
    valid = maps.amax(dim=(1, 2)).nonzero()[:, 0]
    others = valid.roll(1)
    drop, other_drop = (
        confidence_drop(subject.network, images[valid], maps[source], predictions[valid], COVERED_SHARE)
        for source in (valid, others)
    )
    return CamResults(
        indices,
        predictions,
        maps,
        random_maps,
        drop,
        other_drop,
        rank_correlation(maps, random_maps),
        rank_correlation(maps[valid], maps[others]),
    )


def _add_localization_claim(chapter: Chapter, results: CamResults) -> None:
    name, difference = "maps-mark-what-decides", results.drop - results.other_drop
    verdict, reason = cam_localization_verdict(difference)
    if verdict == "not measured":
        return chapter.add_unmeasured(reason, [name], MORE_IMAGES_COMMAND)
    gain = t_interval(difference.tolist())
    chapter.add_claim(
        name,
        verdict,
        f"covering the marked {100 * COVERED_SHARE:.0f} % of the image lowers the answer's probability by "
        f"{gain.format_points()} more than covering as much elsewhere",
        f"{_format_mean_points(results.drop)} points where its map marks, {_format_mean_points(results.other_drop)} "
        "where another image's map does",
        gain.scaled_interval(100),
    )


def _add_weight_claim(chapter: Chapter, results: CamResults) -> None:
    name = "maps-come-from-the-weights"
    verdict, reason = cam_weight_dependence_verdict(results.valid_correlation, len(results.indices))
    if verdict == "not measured":
        return chapter.add_unmeasured(reason, [name], MORE_IMAGES_COMMAND)
    mean = t_interval(results.valid_correlation.tolist())
    chapter.add_claim(
        name,
        verdict,
        f"rank correlation {_format_correlation(mean.value)} with the untrained network's maps; {reason}",
        f"{_format_correlation(float(results.other_correlation.nanmean()))} with this network's maps of other images, "
        "1 with themselves",
        mean.scaled_interval(1),
    )


def _mean_to_json(values: Tensor) -> list[float | None]:
    """Mean and interval of the values that are not NaN; [] without any."""
    numbers = values[~values.isnan()].tolist()
    return t_interval(numbers).to_json() if numbers else []


def _format_mean_points(values: Tensor) -> str:
    return f"{100 * float(values.mean()):.0f}" if len(values) else "–"


def _format_correlation(correlation: float) -> str:
    return f"{correlation:.2f}".replace("-", "−")


def _build_pictures(subject: Subject, results: CamResults) -> list[str | Picture]:
    count = len(results.indices)
    if subject.labels is None:
        return [_render_sheet(subject, results, torch.arange(min(NUM_CAM_PICTURES, count)), "Answers")]
    is_correct = results.predictions == subject.labels[results.indices]
    content: list[str | Picture] = []
    for mask, title in ((is_correct, "Right answers"), (~is_correct, "Wrong answers")):
        positions = mask.nonzero()[:NUM_CAM_PICTURES, 0]
        if len(positions):
            content.append(_render_sheet(subject, results, positions, title))
        else:
            content.append(f"{title}: there are none among {count} images.")
    return content


def _render_sheet(subject: Subject, results: CamResults, positions: Tensor, title: str) -> Picture:
    """A row of pictures, a row of maps over them, and a row of the untrained network's maps over them."""
    pictures = [
        fit_to_square(subject.pictures[index], CAM_PICTURE_SIZE).expand(3, -1, -1)
        for index in results.indices[positions]
    ]
    overlays = [
        _overlay_map(picture, maps[position])
        for maps in (results.maps, results.random_maps)
        for picture, position in zip(pictures, positions, strict=True)
    ]
    answers = ", ".join(
        _format_answer(subject, int(results.indices[i]), int(results.predictions[i])) for i in positions
    )
    caption = f"{title}, drawn by lot: {answers}. Below each its map, and the untrained network's map."
    sheet = tile_images(torch.stack(pictures + overlays), columns=len(positions))
    return Picture(render_image(sheet, caption), caption)


def _overlay_map(picture: Tensor, cam: Tensor) -> Tensor:
    """The mean of a gray picture, uint8 (3, S, S), and a map (H, W) in colors."""
    square = scale_into_square(cam[None], CAM_PICTURE_SIZE, "bilinear", 0.0)[0]
    return ((picture.float().mean(dim=0) + color_heatmap(square).float()) / 2).round().byte()


def _format_answer(subject: Subject, index: int, prediction: int) -> str:
    label = None if subject.labels is None else int(subject.labels[index])
    if label is None or label == prediction:
        return subject.classes[prediction]
    return f"{subject.classes[label]} taken for {subject.classes[prediction]}"


def _write_interpretation(results: CamResults) -> list[str]:
    valid, others = results.valid_correlation, results.other_correlation
    correlation = _format_correlation(float(valid.mean())) if len(valid) else "–"
    other_correlation = _format_correlation(float(others.nanmean()) if len(others) else 0)
    return [
        f"Do the marked positions decide? The {100 * COVERED_SHARE:.0f} % of the pixels that a map marks most are "
        "covered by the image's mean colour. The answer's probability falls by "
        f"{_format_mean_points(results.drop)} points on average; by {_format_mean_points(results.other_drop)} if what "
        "another image's map marks is covered instead.",
        "Do the maps depend on the weights? A map that an untrained network gives as well shows the image's edges or "
        "the middle of the picture, and nothing of this network. The rank correlation of the two networks' maps is "
        f"{correlation} on average over {len(valid)} images; between this network's maps of different images it is "
        f"{other_correlation}. 1 would be the same map, 0 is no similarity.",
    ]
