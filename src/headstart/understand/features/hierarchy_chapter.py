"""From edges to objects: what units see at each depth, and two figures of what they make of it, against an untrained
network."""

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.errors import HeadstartError
from headstart.networks.hooks import capture_activations
from headstart.networks.stages import find_stages
from headstart.reporting import html
from headstart.reporting.charts import PALETTE, render_svg
from headstart.understand.claims import Chapter, Claim, ClaimVerdict, Picture, Table
from headstart.understand.features.stage_statistics import COARSE_TILES, StageStatistics, compute_stage_statistics
from headstart.understand.features.top_patches import channel_peaks, crop_top_patches, fit_to_square
from headstart.understand.pictures import render_image, rescale_contrast, tile_images
from headstart.understand.receptive_field.fields import ReceptiveField, receptive_fields
from headstart.understand.statistics import Estimate
from headstart.understand.subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CLAIMS = {
    "middle-layers-make-parts": "Middle layers combine what early ones found into textures and parts of things.",
    "deep-layers-see-objects": "Deep layers answer to whole objects.",
    "as-in-the-brain": "The order of the layers is that of the visual cortex, from V1 to IT.",
}

MAX_IMAGES, MAX_PIXELS = 200, 5_000_000  # that are looked at, at most
MIN_IMAGES = 20  # images that the figures need
NUM_CHANNELS, NUM_PATCHES, PATCH_SIZE = 4, 6, 32
NUM_MAPS, MAP_SIZE = 8, 40


def build_hierarchy_chapter(subject: Subject, report_progress: Callable[[str], None]) -> Chapter:
    """Activations and patches by stage; class and arrangement by stage, trained against untrained."""
    shape = subject.images.shape[1], subject.images.shape[2], subject.images.shape[3]
    names = find_stages(subject.network, shape)
    fields, reason = _find_fields(subject.network, shape)
    most = min(MAX_IMAGES, max(MAX_PIXELS // (shape[1] * shape[2]), MIN_IMAGES))
    order = torch.randperm(len(subject.images), generator=torch.Generator().manual_seed(0))
    unseen = order[~subject.train_mask[order]][:most]
    enough = _has_enough_labels(subject.labels, unseen)
    some = unseen if enough else order[:most]
    report_progress(f"{len(some)} images through the network")
    noted = capture_activations(subject.network, subject.images[some], names, transform=_summarize_channels)
    content: list[str | Picture | Table] = [_write_introduction(names), *_render_maps(subject, names, int(some[0]))]
    content += _build_patches(subject.pictures[some], noted, fields, reason)
    depths = None
    if enough and subject.labels is not None:
        means = {name: each[:, :, 0] for name, each in noted.items()}
        report_progress("the same images scrambled, and all through the untrained network")
        images, tiles = subject.images[some], choose_tiles(fields, names, shape)
        depths = compute_stage_statistics(
            subject.network, subject.random_network, images, subject.labels[some], means, tiles
        )
        content += _build_figures(depths, names, fields)
    else:
        content.append(f"The figures need at least {MIN_IMAGES} labelled images that the network was not trained on.")
    numbers = {
        "stages": names, "images": len(some), "channels": {name: noted[name].shape[1] for name in names},
        "fields": {name: fields[name].size for name in names if name in fields},
        **({} if depths is None else asdict(depths)),
    }  # fmt: skip
    claims = _build_claims(depths, names, fields.get(names[-1]), shape)
    return Chapter("hierarchy", "From edges to objects", content, claims, numbers)


def choose_tiles(fields: dict[str, ReceptiveField], names: list[str], shape: tuple[int, int, int]) -> int:
    """Tiles a side that are larger than what a unit of the first stage sees and smaller than what one of the middle
    does: the geometric mean of the two fields, so far as the image allows it."""
    first, middle = (fields.get(name) for name in (names[0], names[len(names) // 2]))
    if first is None or middle is None:
        return COARSE_TILES
    side = (max(first.size) * max(middle.size)) ** 0.5
    return min(max(round(min(shape[1:]) / side), 2), min(shape[1:]))


def part_detector_verdict(increase: Estimate, increase_over_untrained: Estimate) -> tuple[ClaimVerdict, str]:
    """Whether the middle stage combines: scrambling must lose more of its answers than of the first stage's.

    No figure here says that what is combined are textures and parts; so the most that it can find is "depends".

    Args:
        grows: what is lost at the middle stage less what is lost at the first.
        learned: what is lost at the middle stage less what an untrained network loses there.
    """
    if increase.low <= 0:
        return "fails", "the middle depends on how things lie no more than the first stage does"
    if increase_over_untrained.low <= 0:
        return "depends", "it combines, but no more than an untrained network does; what it combines is not measured"
    return "depends", "it combines; that it makes textures and parts of it, only the patches can show"


def object_detector_verdict(depths: StageStatistics, sees_whole_image: bool) -> tuple[ClaimVerdict, str]:
    """Whether the last stage goes by the class, more than the first, chance and an untrained network, and whether it
    needs the whole: scrambled pictures must leave less than half of that.

    Args:
        sees_all: whether a unit of the last stage sees all of the image.
    """
    if depths.share[-1].value <= depths.chance[-1][1] or depths.share_grows.low <= 0:
        return "fails", "the last stage goes by the class no more than the first or than chance"
    if depths.share_learned.low <= 0:
        return "fails", "the last stage goes by the class no more than an untrained network's"
    if not sees_whole_image:
        return "depends", "it goes by the class, but no unit sees all of the image"
    left = f"{100 * max(depths.share_scrambled[-1].value, 0):.0f} % in scrambled pictures"
    if depths.share_needs_whole.low <= 0:
        return "depends", f"{left}: parts without their arrangement do for much of it"
    return "holds", f"{left}: most of it needs the whole"


def _has_enough_labels(labels: Tensor | None, unseen: Tensor) -> bool:
    if labels is None or len(unseen) < MIN_IMAGES:
        return False
    counts = labels[unseen].bincount()
    return int((counts > 1).sum()) > 1 and len(unseen) > 2 * int((counts > 0).sum())


def _summarize_channels(maps: Tensor) -> Tensor:
    """Of each channel its mean, strongest answer and the place of that, (N, K, 3)."""
    return torch.cat([maps.mean(dim=(2, 3))[:, :, None], channel_peaks(maps)], dim=2)


def _find_fields(network: nn.Module, shape: tuple[int, int, int]) -> tuple[dict[str, ReceptiveField], str]:
    try:
        return {field.name: field for field in receptive_fields(network, shape)}, ""
    except HeadstartError as unknown:
        return {}, str(unknown)


def _write_introduction(names: list[str]) -> str:
    return (
        f"Each time the network makes its maps smaller, a stage ends. This one has {len(names)} "
        f"{'stage' if len(names) == 1 else 'stages'}, named by their last layers: {', '.join(names)}."
    )


def _render_maps(subject: Subject, names: list[str], image: int) -> list[Picture]:
    """One image, and the maps that vary most over it, a row a stage."""
    given = capture_activations(subject.network, subject.images[image][None], names)
    cells: list[Tensor] = []
    for maps in (each[0] for each in given.values()):
        varying = maps[maps.flatten(1).std(dim=1, correction=0).argsort(descending=True)[:NUM_MAPS]]
        # A map of one number has no least and greatest: its grey stands for it among the others.
        grey = (
            rescale_contrast(varying[:, None])
            if varying[0].numel() > 1
            else rescale_contrast(varying[None]).transpose(0, 1)
        )
        cells += [
            fit_to_square(each, MAP_SIZE)
            for each in F.pad(grey, (0, 0, 0, 0, 0, 0, 0, NUM_MAPS - len(grey)), value=255)
        ]
    seen = "One image, and what becomes of it."
    through = (
        f"A row for each stage, first to last: the {NUM_MAPS} channels that vary most over this image, from their least "
        "(black) to their greatest answer (white). A map of a single number is compared with the others of its row."
    )
    return [
        Picture(render_image(fit_to_square(subject.pictures[image], 96), seen), seen),
        Picture(render_image(tile_images(torch.stack(cells), columns=NUM_MAPS), through), through),
    ]


def _build_patches(
    pictures: Tensor, noted: dict[str, Tensor], fields: dict[str, ReceptiveField], reason: str
) -> list[str | Picture | Table]:
    if reason:
        return [f"What units see is not shown, since their fields are not known: {reason}"]
    content: list[str | Picture | Table] = [
        f"What do units look for? Below are {NUM_CHANNELS} channels of each stage, a row each, drawn by lot and not chosen "
        f"to please. A row shows the {NUM_PATCHES} pictures on which the channel answers most, cut to what its strongest "
        "unit sees there: its exact receptive field, within the image. What do the pictures of a row have in common?"
    ]
    draw = torch.Generator().manual_seed(0)
    for name, peaks in ((name, each[:, :, 1:]) for name, each in noted.items() if name in fields):
        live = (peaks[:, :, 0].std(dim=0, correction=0) > 0).nonzero()[:, 0]
        if not len(live):
            content.append(f"{name}: every channel answers the same to all images.")
            continue
        chosen = live[torch.randperm(len(live), generator=draw)[:NUM_CHANNELS]].sort().values
        patches = crop_top_patches(
            pictures, peaks[:, chosen], fields[name], min(NUM_PATCHES, len(pictures)), PATCH_SIZE
        )
        height, width = fields[name].size
        caption = f"{name}: {len(chosen)} of its {peaks.shape[1]} channels; a unit sees {height}×{width} pixels"
        caption += ", and something of the whole image besides." if fields[name].whole_image else "."
        content.append(
            Picture(
                render_image(tile_images(patches.flatten(0, 1), columns=patches.shape[1]), caption, scale=2), caption
            )
        )
    return content


def _build_figures(
    depths: StageStatistics, names: list[str], fields: dict[str, ReceptiveField]
) -> list[str | Picture | Table]:
    middle = len(names) // 2
    return [
        "Two figures go with the pictures, both of images that the network was not trained on. A channel's mean over "
        "its map is one number an image. First: how much of the difference between images in that number goes by their "
        "class? 0 % is chance, 100 % a channel that tells the class and nothing else. The dashed line is the same for "
        f"pictures cut into {COARSE_TILES}×{COARSE_TILES} tiles that are shuffled: what is in them stays, how it lies does not, "
        "and no object is whole.",
        _render_chart(
            "share",
            "what goes by the class, %",
            {"this network": depths.share, "scrambled": depths.share_scrambled, "untrained": depths.share_random},
        ),
        f"Second: do the middle layers combine? Here the tiles are {depths.tiles}×{depths.tiles}: so, if the image "
        f"allows it, a tile is larger than what a unit of {names[0]} sees and smaller than what one of {names[middle]} "
        "does. What is found within a tile outlasts the shuffling; what is made of several tiles does not. How much of "
        "the difference between images is lost? New edges between tiles cost something too: how much, the first stage "
        "and the untrained network tell.",
        _render_chart(
            "lost", "what scrambling loses, %", {"this network": depths.lost, "untrained": depths.lost_random}
        ),
        _build_table(depths, names, fields),
    ]


def _render_chart(name: str, label: str, lines: dict[str, list[Estimate]]) -> Picture:
    looks = {"this network": ("-o", PALETTE[0]), "scrambled": ("--^", PALETTE[1]), "untrained": (":s", PALETTE[2])}

    def draw(axes: "Axes") -> None:
        for who, line in lines.items():
            x = list(range(1, len(line) + 1))
            middle, low, high = ([100 * each for each in part] for part in zip(*line, strict=True))
            axes.fill_between(x, low, high, color=looks[who][1], alpha=0.15, linewidth=0)
            axes.plot(x, middle, looks[who][0], color=looks[who][1], label=who)
            axes.set_xticks(x)
        axes.set(xlabel="stage", ylabel=label)
        axes.legend(frameon=False)

    caption = f"{label.removesuffix(', %').capitalize()} at each stage, in %, with 95 % intervals over images."
    return Picture(render_svg(f"hierarchy-{name}", draw, caption), caption)


def _build_table(depths: StageStatistics, names: list[str], fields: dict[str, ReceptiveField]) -> Table:
    def seen(name: str) -> str:
        return "×".join(map(str, fields[name].size)) if name in fields else "–"

    by_stage = (depths.share, depths.share_scrambled, depths.share_random, depths.lost, depths.lost_random)
    return Table(
        caption="Both figures by stage, mean over channels, with 95 % intervals over images; chance is where "
        "95 of 100 random labellings lie",
        headers=(
            "stage", "a unit sees", "chance", "class", "scrambled", "class, untrained", "lost", "lost, untrained",
        ),
        rows=[
            (name, seen(name), f"{html.format_percent(low)} to {html.format_percent(high)} %", *(one.format_percent() for one in figures))
            for name, (low, high), *figures in zip(names, depths.chance, *by_stage, strict=True)
        ],
    )  # fmt: skip


def _build_claims(
    depths: StageStatistics | None, names: list[str], last: ReceptiveField | None, shape: tuple[int, int, int]
) -> list[Claim]:
    brain = Claim(
        "as-in-the-brain",
        CLAIMS["as-in-the-brain"],
        "not measured",
        value="this takes recordings from brains, which no network holds; Brain-Score compares networks with such",
    )
    if depths is None or len(names) < 2:
        command = "headstart understand RUN --only hierarchy --data FOLDER, with labelled images that did not train it"
        why = "one stage alone" if depths is not None else "too few labelled images that did not train it"
        two = (name for name in CLAIMS if name != "as-in-the-brain")
        return [*(Claim(name, CLAIMS[name], "not measured", value=why, command=command) for name in two), brain]
    return [_build_parts_claim(depths, names), _build_objects_claim(depths, names, last, shape), brain]


def _build_parts_claim(depths: StageStatistics, names: list[str]) -> Claim:
    name, middle = "middle-layers-make-parts", len(names) // 2
    if len(names) < 3:
        command = "headstart understand RUN --only hierarchy, for a network of three stages or more"
        return Claim(name, CLAIMS[name], "not measured", value="two stages have no middle", command=command)
    verdict, why = part_detector_verdict(depths.lost_grows, depths.lost_learned)
    first, there, untrained = (each.value for each in (depths.lost[0], depths.lost[middle], depths.lost_random[middle]))
    return Claim(
        name,
        CLAIMS[name],
        verdict,
        value=f"scrambling loses {html.format_percent(there)} % at {names[middle]}, {html.format_percent(first)} % at {names[0]}; "
        f"{why}",
        control=f"{html.format_percent(untrained)} % at {names[middle]}, untrained",
        interval=depths.lost[middle].scaled_interval(100),
    )


def _build_objects_claim(
    depths: StageStatistics, names: list[str], last: ReceptiveField | None, shape: tuple[int, int, int]
) -> Claim:
    name = "deep-layers-see-objects"
    sees_all = last is not None and (last.whole_image or (last.size[0] >= shape[1] and last.size[1] >= shape[2]))
    verdict, why = object_detector_verdict(depths, sees_all)
    return Claim(
        name,
        CLAIMS[name],
        verdict,
        value=f"the class explains {html.format_percent(depths.share[-1].value)} % at {names[-1]}, "
        f"{html.format_percent(depths.share[0].value)} % at {names[0]}; {why}",
        control=f"{html.format_percent(depths.share_random[-1].value)} % at {names[-1]} untrained, "
        f"{100 * depths.chance[-1][1]:.1f} % at most by chance",
        interval=depths.share[-1].scaled_interval(100),
    )
