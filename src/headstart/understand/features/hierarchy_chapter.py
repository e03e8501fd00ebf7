"""The chapter on feature hierarchy: top patches of each stage, class selectivity, and loss by tile shuffling."""

from collections.abc import Callable
from dataclasses import asdict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.errors import HeadstartError
from headstart.networks.hooks import capture_activations
from headstart.networks.stages import find_stages
from headstart.reporting.charts import PALETTE, ChartLine, render_line_chart
from headstart.understand.claims import Chapter, ClaimVerdict, Picture, Table
from headstart.understand.features.stage_statistics import COARSE_TILES, StageStatistics, compute_stage_statistics
from headstart.understand.features.top_patches import channel_peaks, crop_top_patches, fit_to_square
from headstart.understand.pictures import render_image, rescale_contrast, tile_images
from headstart.understand.receptive_field.fields import ReceptiveField, receptive_fields
from headstart.understand.statistics import Estimate
from headstart.understand.subject import Subject

HIERARCHY_CLAIMS = {
    "middle-layers-make-parts": "Middle layers combine what early ones found into textures and parts of things.",
    "deep-layers-see-objects": "Deep layers answer to whole objects.",
    "as-in-the-brain": "The order of the layers is that of the visual cortex, from V1 to IT.",
}

MAX_HIERARCHY_IMAGES, MAX_HIERARCHY_PIXELS = 200, 5_000_000  # of all measured images
MIN_STATISTICS_IMAGES = 20  # for the statistics
NUM_CHANNELS, NUM_PATCHES, PATCH_SIZE = 4, 6, 32
NUM_MAPS, MAP_SIZE = 8, 40
STAGE_LINE_STYLES = {
    "this network": ("-o", PALETTE[0]),
    "scrambled": ("--^", PALETTE[1]),
    "untrained": (":s", PALETTE[2]),
}


def build_hierarchy_chapter(subject: Subject, report_progress: Callable[[str], None]) -> Chapter:
    """Maps and top patches by stage; class selectivity and loss by shuffling by stage, trained and untrained."""
    chapter = Chapter("hierarchy", "From edges to objects", sentences=HIERARCHY_CLAIMS)
    names = find_stages(subject.network, subject.image_shape)
    fields, reason = _find_fields(subject.network, subject.image_shape)
    indices, is_measurable = _select_images(subject)
    report_progress(f"{len(indices)} images through the network")
    images, pictures = subject.images[indices], subject.pictures[indices]
    summaries = capture_activations(subject.network, images, names, transform=_summarize_channels)
    chapter.content += [
        "Each time the network makes its maps smaller, a stage ends. This one has "
        f"{len(names)} {'stage' if len(names) == 1 else 'stages'}, named by their last layers: {', '.join(names)}.",
        *_render_maps(subject, names, int(indices[0])),
        *_build_patches(pictures, summaries, fields, reason),
    ]
    chapter.numbers = {
        "stages": names,
        "images": len(indices),
        "channels": {name: summaries[name].shape[1] for name in names},
        "fields": {name: fields[name].size for name in names if name in fields},
    }
    statistics = None
    if is_measurable and subject.labels is not None:
        report_progress("the same images in shuffled tiles, and all through the untrained network")
        statistics = compute_stage_statistics(
            subject.network,
            subject.random_network,
            images,
            subject.labels[indices],
            {name: summary[:, :, 0] for name, summary in summaries.items()},
            choose_tiles(fields, names, subject.image_shape),
        )
        chapter.content += _build_figures(statistics, names, fields)
        chapter.numbers |= asdict(statistics)
    else:
        chapter.content.append(
            f"The figures need at least {MIN_STATISTICS_IMAGES} labelled images that the network was not trained on."
        )
    _add_claims(chapter, statistics, names, fields.get(names[-1]), subject.image_shape)
    return chapter


def choose_tiles(fields: dict[str, ReceptiveField], names: list[str], shape: tuple[int, int, int]) -> int:
    """Tiles along a side, larger than the first stage's receptive field and smaller than the middle stage's.

    Their size is the geometric mean of the two fields, as far as the image allows it.
    """
    first, middle = fields.get(names[0]), fields.get(names[len(names) // 2])
    if first is None or middle is None:
        return COARSE_TILES
    side = (max(first.size) * max(middle.size)) ** 0.5
    return min(max(round(min(shape[1:]) / side), 2), min(shape[1:]))


def part_detector_verdict(increase: Estimate, increase_over_untrained: Estimate) -> tuple[ClaimVerdict, str]:
    """Whether the middle stage combines features, and the reason; at most "depends": parts are not measured.

    Args:
        increase: loss by shuffling at the middle stage minus that at the first.
        increase_over_untrained: loss at the middle stage minus the untrained network's.
    """
    if increase.low <= 0:
        return "fails", "the middle depends on the arrangement no more than the first stage does"
    if increase_over_untrained.low <= 0:
        return "depends", "it combines, but no more than an untrained network does; what it combines is not measured"
    return "depends", "it combines; only the patches can show whether into textures and parts"


def object_detector_verdict(statistics: StageStatistics, sees_whole_image: bool) -> tuple[ClaimVerdict, str]:
    """Whether the last stage responds to whole objects, and the reason.

    Its class selectivity must exceed the first stage's, chance and an untrained network's, and shuffled tiles must
    leave less than half of it.

    Args:
        statistics: of all stages.
        sees_whole_image: whether a unit of the last stage sees all of the image.
    """
    if statistics.share[-1].value <= statistics.chance[-1][1] or statistics.share_grows.low <= 0:
        return "fails", "the last stage depends on the class no more than the first, or than chance"
    if statistics.share_learned.low <= 0:
        return "fails", "the last stage depends on the class no more than an untrained network's"
    if not sees_whole_image:
        return "depends", "it depends on the class, but no unit sees all of the image"
    remainder = f"{100 * max(statistics.share_scrambled[-1].value, 0):.0f} % in scrambled pictures"
    if statistics.share_needs_whole.low <= 0:
        return "depends", f"{remainder}: parts without their arrangement are enough for much of it"
    return "holds", f"{remainder}: most of it needs the whole"


def _select_images(subject: Subject) -> tuple[Tensor, bool]:
    """Indices of a random sample, int64 (n,), and whether statistics are possible: then it is held out."""
    _, height, width = subject.image_shape
    max_count = min(MAX_HIERARCHY_IMAGES, max(MAX_HIERARCHY_PIXELS // (height * width), MIN_STATISTICS_IMAGES))
    order = torch.randperm(len(subject.images), generator=torch.Generator().manual_seed(0))
    held_out = order[~subject.train_mask[order]][:max_count]
    if _has_enough_labels(subject.labels, held_out):
        return held_out, True
    return order[:max_count], False


def _has_enough_labels(labels: Tensor | None, indices: Tensor) -> bool:
    if labels is None or len(indices) < MIN_STATISTICS_IMAGES:
        return False
    counts = labels[indices].bincount()
    return int((counts > 1).sum()) > 1 and len(indices) > 2 * int((counts > 0).sum())


def _summarize_channels(maps: Tensor) -> Tensor:
    """Mean, largest response and its position of each channel, (N, K, 3)."""
    return torch.cat([maps.mean(dim=(2, 3))[:, :, None], channel_peaks(maps)], dim=2)


def _find_fields(network: nn.Module, shape: tuple[int, int, int]) -> tuple[dict[str, ReceptiveField], str]:
    """Receptive fields by layer, and why there are none."""
    try:
        return {field.name: field for field in receptive_fields(network, shape)}, ""
    except HeadstartError as error:
        return {}, str(error)


def _render_maps(subject: Subject, names: list[str], index: int) -> list[Picture]:
    """One image, and its maps with the largest variance, a row for each stage."""
    activations = capture_activations(subject.network, subject.images[index][None], names)
    cells: list[Tensor] = []
    for maps in (batch[0] for batch in activations.values()):
        varying = maps[maps.flatten(1).std(dim=1, correction=0).argsort(descending=True)[:NUM_MAPS]]
        if varying[0].numel() > 1:
            gray = rescale_contrast(varying[:, None])
        else:  # a map of one number has no contrast of its own
            gray = rescale_contrast(varying[None]).transpose(0, 1)
        padded = F.pad(gray, (0, 0, 0, 0, 0, 0, 0, NUM_MAPS - len(gray)), value=255)
        cells += [fit_to_square(cell, MAP_SIZE) for cell in padded]
    image_caption = "One image, whose maps follow."
    maps_caption = (
        f"A row for each stage, first to last: the {NUM_MAPS} channels that vary most over this image, from their "
        "minimum (black) to their maximum (white). Maps of a single number are scaled together within their row."
    )
    picture = render_image(fit_to_square(subject.pictures[index], 96), image_caption)
    sheet = render_image(tile_images(torch.stack(cells), columns=NUM_MAPS), maps_caption)
    return [Picture(picture, image_caption), Picture(sheet, maps_caption)]


def _build_patches(
    pictures: Tensor, summaries: dict[str, Tensor], fields: dict[str, ReceptiveField], reason: str
) -> list[str | Picture]:
    if reason:
        return [f"Top patches are not shown, since the receptive fields are not known: {reason}"]
    content: list[str | Picture] = [
        f"What do units respond to? Below are {NUM_CHANNELS} channels of each stage, a row each, drawn by lot. A row "
        f"shows the {NUM_PATCHES} pictures with the channel's largest responses, cropped to the exact receptive field "
        "of its strongest unit there. What do the pictures of a row have in common?"
    ]
    generator = torch.Generator().manual_seed(0)
    for name, peaks in ((name, summary[:, :, 1:]) for name, summary in summaries.items() if name in fields):
        varying = (peaks[:, :, 0].std(dim=0, correction=0) > 0).nonzero()[:, 0]
        if not len(varying):
            content.append(f"{name}: every channel responds the same to all images.")
            continue
        channels = varying[torch.randperm(len(varying), generator=generator)[:NUM_CHANNELS]].sort().values
        count = min(NUM_PATCHES, len(pictures))
        patches = crop_top_patches(pictures, peaks[:, channels], fields[name], count, PATCH_SIZE)
        height, width = fields[name].size
        end = ", and something of the whole image besides." if fields[name].whole_image else "."
        caption = f"{name}: {len(channels)} of its {peaks.shape[1]} channels; a unit sees {height}×{width} pixels{end}"
        sheet = tile_images(patches.flatten(0, 1), columns=patches.shape[1])
        content.append(Picture(render_image(sheet, caption, scale=2), caption))
    return content


def _build_figures(
    statistics: StageStatistics, names: list[str], fields: dict[str, ReceptiveField]
) -> list[str | Picture | Table]:
    middle = names[len(names) // 2]
    coarse, fine = f"{COARSE_TILES}×{COARSE_TILES}", f"{statistics.tiles}×{statistics.tiles}"
    return [
        "Two figures accompany the pictures, both on images that the network was not trained on. A channel's mean over "
        "its map is one number for each image. First: how much of its variance between images does the class explain? "
        "0 % is chance, 100 % a channel that determines the class and nothing else. The dashed line is the same for "
        f"pictures cut into {coarse} shuffled tiles: their parts stay, their arrangement does not, and no object is "
        "whole.",
        _render_chart(
            "share",
            "explained by the class, %",
            {
                "this network": statistics.share,
                "scrambled": statistics.share_scrambled,
                "untrained": statistics.share_random,
            },
        ),
        f"Second: do the middle layers combine? Here the tiles are {fine}: if the image allows it, a tile is larger "
        f"than what a unit of {names[0]} sees and smaller than what one of {middle} does. What a unit finds within a "
        "tile survives the shuffling; what it combines from several tiles does not. How much of the variance between "
        "images is lost? New edges between tiles cost something too; the first stage and the untrained network show "
        "how much.",
        _render_chart(
            "lost",
            "lost by scrambling, %",
            {"this network": statistics.lost, "untrained": statistics.lost_random},
        ),
        _build_table(statistics, names, fields),
    ]


def _render_chart(name: str, label: str, estimates: dict[str, list[Estimate]]) -> Picture:
    stages = range(1, len(estimates["this network"]) + 1)
    lines = []
    for network, line in estimates.items():
        value, low, high = ([100 * number for number in column] for column in zip(*line, strict=True))
        lines.append(ChartLine(stages, value, network, *STAGE_LINE_STYLES[network], low, high))
    caption = f"{label.removesuffix(', %').capitalize()} at each stage, in %, with 95 % intervals over images."
    chart = render_line_chart(f"hierarchy-{name}", lines, caption, x_label="stage", y_label=label, x_ticks=stages)
    return Picture(chart, caption)


def _build_table(statistics: StageStatistics, names: list[str], fields: dict[str, ReceptiveField]) -> Table:
    columns = (
        statistics.share,
        statistics.share_scrambled,
        statistics.share_random,
        statistics.lost,
        statistics.lost_random,
    )
    rows = []
    for i, name in enumerate(names):
        size = "×".join(map(str, fields[name].size)) if name in fields else "–"
        low, high = (f"{100 * share:.1f}".replace("-", "−") for share in statistics.chance[i])
        rows.append((name, size, f"{low} to {high} %", *(column[i].format_percent() for column in columns)))
    return Table(
        "Both figures by stage, mean over channels, with 95 % intervals over images; chance is the range of 95 of 100 "
        "random labellings",
        ("stage", "a unit sees", "chance", "class", "scrambled", "class, untrained", "lost", "lost, untrained"),
        rows,
    )


def _add_claims(
    chapter: Chapter,
    statistics: StageStatistics | None,
    names: list[str],
    last: ReceptiveField | None,
    shape: tuple[int, int, int],
) -> None:
    if statistics is None or len(names) < 2:
        chapter.add_unmeasured(
            "too few labelled images that did not train it" if statistics is None else "one stage alone",
            ["middle-layers-make-parts", "deep-layers-see-objects"],
            "headstart understand RUN --only hierarchy --data FOLDER, with labelled images that did not train it",
        )
    else:
        _add_parts_claim(chapter, statistics, names)
        sees_all = last is not None and (last.whole_image or (last.size[0] >= shape[1] and last.size[1] >= shape[2]))
        _add_objects_claim(chapter, statistics, names, sees_all)
    chapter.add_unmeasured(
        "this takes recordings from brains, which no network holds; Brain-Score compares networks with such"
    )


def _add_parts_claim(chapter: Chapter, statistics: StageStatistics, names: list[str]) -> None:
    name, middle = "middle-layers-make-parts", len(names) // 2
    if len(names) < 3:
        command = "headstart understand RUN --only hierarchy, for a network of three stages or more"
        return chapter.add_unmeasured("two stages have no middle", [name], command)
    verdict, reason = part_detector_verdict(statistics.lost_grows, statistics.lost_learned)
    chapter.add_claim(
        name,
        verdict,
        f"scrambling loses {_format_share(statistics.lost[middle])} at {names[middle]}, "
        f"{_format_share(statistics.lost[0])} at {names[0]}; {reason}",
        f"{_format_share(statistics.lost_random[middle])} at {names[middle]}, untrained",
        statistics.lost[middle].scaled_interval(100),
    )


def _add_objects_claim(chapter: Chapter, statistics: StageStatistics, names: list[str], sees_all: bool) -> None:
    verdict, reason = object_detector_verdict(statistics, sees_all)
    chapter.add_claim(
        "deep-layers-see-objects",
        verdict,
        f"the class explains {_format_share(statistics.share[-1])} at {names[-1]}, "
        f"{_format_share(statistics.share[0])} at {names[0]}; {reason}",
        f"{_format_share(statistics.share_random[-1])} at {names[-1]} untrained, "
        f"{100 * statistics.chance[-1][1]:.1f} % at most by chance",
        statistics.share[-1].scaled_interval(100),
    )


def _format_share(estimate: Estimate) -> str:
    return estimate.format_percent().partition(" (")[0]
