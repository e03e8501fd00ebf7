"""Why convolutions: maps that move with the image, small fields, shared weights; each measured on the network."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.networks.copying import clone_network
from headstart.networks.hooks import LayerInfo, list_layers, select_milestones
from headstart.understand.claims import Chapter, Claim, ClaimVerdict, Picture, Table
from headstart.understand.pictures import color_heatmap, render_image, tile_images
from headstart.understand.statistics import bootstrap_mean
from headstart.understand.subject import Subject
from headstart.understand.translation.equivariance import (
    EquivarianceResult,
    equivariance_error_map,
    equivariance_verdict,
    measure_equivariance,
)
from headstart.understand.translation.locality import LocalityResult, MapUnit, locality_verdict, measure_locality
from headstart.understand.translation.parameter_sharing import (
    ParameterCounts,
    build_lesson_network,
    count_layer_parameters,
    first_dense_share,
    sharing_verdict,
)
from headstart.understand.translation.pixel_permutation import (
    IMAGE_SIDE,
    MIN_IMAGES,
    PermutationResult,
    permutation_verdict,
    permute_pixels,
    run_permutation_test,
)
from headstart.understand.translation.shifts import (
    axis_shifts,
    chance_agreement,
    recognition_verdict,
    unchanged_predictions,
)

CLAIMS = {
    "translation-equivariance": "When a pattern moves in the image, its trace in a layer's map moves along, unchanged.",
    "recognised-elsewhere": "What the network recognises in one part of an image it recognises in another.",
    "locality": "Each unit depends on a small region of the image only.",
    "parameter-sharing": "The same weights at every place make the number of parameters dramatically smaller.",
    "dense-ignores-space": "A fully connected network ignores where a pixel lies; a convolutional one lives by it.",
}
NUM_EXACT_IMAGES = 4  # for what is exact, and so the same in each of them
NUM_PREDICTION_IMAGES = 60  # images whose classes are asked for
MAX_RANDOM_SHIFT = 3  # of 16 pixels
RERUN_COMMAND = "headstart understand RUN --data FOLDER --only why_convolutions"


@torch.random.fork_rng(devices=[])  # fresh layers draw from the stream that everybody shares
def build_why_convolutions_chapter(subject: Subject, report_progress: Callable[[str], None]) -> Chapter:
    found = Chapter("why_convolutions", "Why convolutions")
    network = clone_network(subject.network)
    few = subject.images[subject.held_out_indices(NUM_EXACT_IMAGES)]
    passed = list_layers(network, few)
    chosen = select_milestones([layer for layer in passed if len(layer.output_shape) == 3])
    report_progress("moving the image")
    _add_equivariance_section(found, network, chosen, few)
    _add_recognition_section(found, network, subject.images[subject.held_out_indices(NUM_PREDICTION_IMAGES)])
    report_progress("changing pixels outside and inside a field")
    _add_locality_section(found, network, chosen, few)
    _add_sharing_section(found, subject, [count_layer_parameters(layer) for layer in passed])
    report_progress("training on permuted pixels")
    _add_permutation_section(found, subject)
    return found


def _add_claim(
    chapter: Chapter, name: str, verdict: ClaimVerdict, value: str, control: str = "", command: str = "",
    interval: tuple[float, float] | None = None,
) -> None:  # fmt: skip
    chapter.claims.append(Claim(name, CLAIMS[name], verdict, value, control, interval, command))


def _add_unmeasured_section(chapter: Chapter, name: str, title: str) -> None:
    """What cannot be asked of a network without a convolution."""
    chapter.content.append(f"{title}: your network has no convolution with a map, so there is nothing to measure.")
    _add_claim(
        chapter, name, "not measured", "the network has no convolution", command="headstart understand OTHER_RUN"
    )


def _add_equivariance_section(chapter: Chapter, network: nn.Module, chosen: list[LayerInfo], images: Tensor) -> None:
    if not chosen:
        return _add_unmeasured_section(chapter, "translation-equivariance", "Does each map move with the picture?")
    shifts = [2**n for n in range(6) if 2**n <= max(1, images.shape[3] // 4)]
    rows = measure_equivariance(network, [layer.name for layer in chosen], images, shifts)
    exact = [row for row in rows if row.is_whole_step and row.interior_error is not None]
    chapter.content += [
        "Your pictures are moved to the right, pixel by pixel, with a mirrored strip where something must come in. "
        "If a "
        "layer is equivariant to translation, its map is the old one moved along. A layer with a stride of S in all "
        "(S pixels to one step in its map) can only move by whole steps, so that shifts are compared to the nearest "
        "one.",
        Table(
            "How far a layer's map is from the old one moved along, in per cent of it: in the interior, where no field "
            "reaches the border / everywhere. 0 is exact; – means that no unit of the layer is in the interior.",
            ("layer", "stride S", *(f"shift {shift}" for shift in shifts)),
            [
                (layer.name, next(r.stride for r in rows if r.layer == layer.name), *_format_errors(rows, layer.name))
                for layer in chosen
            ],
        ),
    ]
    exact_layers = list(dict.fromkeys(row.layer for row in exact))
    broken = [row.interior_error for row in rows if not row.is_whole_step and row.interior_error is not None]
    worst = max((row.interior_error or 0 for row in exact), default=0)
    if exact:
        chapter.content.append(
            f"In the interior, {len(exact_layers)} layers can be checked, and at multiples of their stride they are "
            f"{100 * worst:.2g} % off at most."
            + (f" Between two steps it is {100 * min(broken):.0f} to {100 * max(broken):.0f} %." if broken else "")
            + " Where a unit sees the border, it sees the zeros there too, and those do not move with the picture."
        )
        chapter.content.append(_draw_error_maps(network, rows, exact, images))
    else:
        chapter.content.append(
            "No unit of these layers is free of the border at both places, so exactness cannot be checked anywhere."
        )
    border = [row.overall_error for row in rows if row.is_whole_step]
    _add_claim(
        chapter, "translation-equivariance", equivariance_verdict(rows),
        f"interior, at multiples of the stride: {100 * worst:.2g} % off; between them up to "
        f"{100 * max(broken, default=0):.0f} %; with the border up to {100 * max(border, default=0):.0f} %",
        f"a map that stayed where it was is off by {100 * max((r.unshifted_error for r in exact), default=0):.0f} %",
        "" if exact else "headstart understand RUN --only why_convolutions, at a larger data.image_size",
    )  # fmt: skip
    chapter.numbers["equivariance"] = [
        {
            "layer": row.layer,
            "stride": row.stride,
            "shift": row.shift,
            "interior": row.interior_error,
            "everywhere": row.overall_error,
            "unmoved": row.unshifted_error,
        }
        for row in rows
    ]


def _format_errors(rows: list[EquivarianceResult], layer: str) -> list[str]:
    return [
        f"{'–' if row.interior_error is None else f'{100 * row.interior_error:.2g}'} / {100 * row.overall_error:.2g}"
        for row in rows
        if row.layer == layer
    ]


def _draw_error_maps(
    network: nn.Module, rows: list[EquivarianceResult], exact: list[EquivarianceResult], images: Tensor
) -> Picture:
    """For each layer that has an interior, its errors at the smallest whole shift."""
    first = {row.layer: row for row in reversed(exact)}
    errors = [
        equivariance_error_map(network, row.layer, images, row.shift, row.stride) for row in reversed(first.values())
    ]
    tiles = torch.stack([F.interpolate(color_heatmap(e)[None].float(), (96, 96))[0].byte() for e in errors])
    names = "; ".join(f"{row.layer} (shift {row.shift})" for row in reversed(first.values()))
    return Picture(
        render_image(
            tile_images(tiles, len(tiles), gap=4), "Errors after a whole shift: bright at the border, none inside"
        ),
        f"Where the map did not move along, from dark (exact) to yellow: {names}. It is the border.",
    )


def _add_recognition_section(chapter: Chapter, network: nn.Module, images: Tensor) -> None:
    distance = max(1, min(images.shape[2:]) // 4)
    stayed = unchanged_predictions(network, images, axis_shifts(distance)).float().mean(dim=0)
    share = bootstrap_mean(stayed)
    chance = chance_agreement(network, images)
    chapter.content.append(
        f"Then {len(images)} pictures are moved by a quarter of their side ({distance} pixels) up, down, left and "
        f"right. The network names the same class in {100 * share.value:.0f} % of the cases (95 % interval "
        f"{100 * share.low:.0f} to {100 * share.high:.0f} %). "
        f"Two different pictures get the same class in {100 * chance:.0f} %."
    )
    _add_claim(
        chapter, "recognised-elsewhere", recognition_verdict(share, chance),
        f"same class after a shift by a quarter of the side: {100 * share.value:.0f} %",
        f"two different pictures: {100 * chance:.0f} %", interval=share.scaled_interval(100),
    )  # fmt: skip
    told = {"share": share.value, "interval": [share.low, share.high], "by_chance": chance}
    chapter.numbers["elsewhere"] = told | {"pictures": list(images.shape), "distance": distance}


def _add_locality_section(chapter: Chapter, network: nn.Module, chosen: list[LayerInfo], images: Tensor) -> None:
    if not chosen:
        return _add_unmeasured_section(chapter, "locality", "Which pixels decide a unit?")
    rows = measure_locality(
        network, [MapUnit(x.name, x.output_shape[1] // 2, x.output_shape[2] // 2) for x in chosen], images
    )
    whole = [row for row in rows if row.outside_change is None]
    height, width = images.shape[2:]
    chapter.content += [
        "Which pixels decide a unit? For the unit amid the maps of some convolutions the field was found; then all "
        "pixels outside were replaced by those of another picture, and after that one pixel amid the field.",
        Table(
            f"The field of the middle unit, and how much the unit changes, in per cent of itself; {height}×{width} "
            "pixels",
            ("layer", "field", "share of the image", "all outside changed", "one pixel inside changed"),
            [_format_locality_row(row) for row in rows],
        ),
        "Changing everything outside changes nothing at all, and one pixel inside is noticed."
        if locality_verdict(rows) in ("holds", "depends")
        else "For these layers locality could not be shown.",
    ]
    if whole:
        chapter.content.append(
            f"But {len(whole)} of the {len(rows)} layers here see the whole picture, so that for them there is no "
            "outside: locality is a property of each step, and depth wears it away."
        )
    _add_claim(
        chapter, "locality", locality_verdict(rows),
        f"all pixels outside its field change a unit by {100 * max((r.outside_change or 0 for r in rows), default=0):.2g} %; "
        f"{len(whole)} of {len(rows)} layers see the whole picture",
        f"one pixel inside changes it by {100 * min(r.inside_change for r in rows):.2g} % at least",
    )  # fmt: skip
    chapter.numbers["locality"] = [
        {
            "layer": r.unit.layer,
            "box": list(r.box),
            "share": r.image_share,
            "outside": r.outside_change,
            "inside": r.inside_change,
        }
        for r in rows
    ]


def _format_locality_row(row: LocalityResult) -> tuple[str, ...]:
    size = f"{row.box.bottom - row.box.top}×{row.box.right - row.box.left}"
    outside = "no outside" if row.outside_change is None else f"{100 * row.outside_change:.2g}"
    share = f"{100 * row.image_share:.3g} %"
    return row.unit.layer, size, share, outside, f"{100 * row.inside_change:.3g}"


def _add_sharing_section(chapter: Chapter, subject: Subject, rows: list[ParameterCounts]) -> None:
    lesson = first_dense_share(build_lesson_network())
    assert lesson is not None
    chapter.content.append(
        "Sharing is counted. To lead from one map of 28×28 to another, a fully connected layer needs 784² = "
        f"{784**2:,} weights, one for each pair of pixels. With a window of 3×3 but a kernel of its own at each place "
        f"it needs {784 * 9:,}. With the same kernel everywhere: 9. But mind where a network's parameters are: in the "
        f"lesson's own network {100 * lesson[1]:.0f} % of them are in its first fully connected layer, which shares "
        "nothing."
    )
    if not rows:
        return _add_unmeasured_section(chapter, "parameter-sharing", "How much does sharing save?")
    own = sum(row.convolutional for row in rows)
    local = sum(row.locally_connected for row in rows)
    dense = sum(row.fully_connected for row in rows)
    chapter.content.append(
        Table(
            f"The weights of your network's {len(rows)} convolutions, biases left out, and of its twins",
            ("network", "weights", "times as many"),
            [
                ("as it is", f"{own:,}", "1"),
                ("small windows, nothing shared", f"{local:,}", f"{local / own:,.1f}"),
                ("fully connected", f"{dense:,}", f"{dense / own:,.1f}"),
            ],
        )
    )
    mine = first_dense_share(subject.network)
    if mine:
        held = f"{100 * mine[1]:.1f} % of its parameters"
        chapter.content.append(f"Your network's first fully connected layer holds {held}.")
    _add_claim(
        chapter, "parameter-sharing", sharing_verdict(rows),
        f"{own:,} weights instead of {dense:,} fully connected: {dense / own:,.1f} times fewer",
        f"small windows, nothing shared: {local:,}, {local / own:,.1f} times as many",
    )  # fmt: skip
    chapter.numbers["sharing"] = {
        "own": own, "local": local, "dense": dense, "local_times": local / own, "dense_times": dense / own,
        "first_dense": mine and mine[1], "lesson_first_dense": lesson[1],
    }  # fmt: skip


def _add_permutation_section(chapter: Chapter, subject: Subject) -> None:
    name, chosen = "dense-ignores-space", torch.arange(len(subject.images))
    if subject.labels is None or len(chosen) < MIN_IMAGES or len(subject.labels.unique()) < 2:
        chapter.content.append(
            f"The permutation test trains small networks, and needs {MIN_IMAGES} labelled images of two classes or more."
        )
        return _add_claim(chapter, name, "not measured", "too few labelled images", command=RERUN_COMMAND)
    pixels = F.interpolate(subject.images, (IMAGE_SIDE, IMAGE_SIDE), mode="area")
    lying, moving = (run_permutation_test(pixels, subject.labels, distance) for distance in (0, MAX_RANDOM_SHIFT))
    some = (
        F.interpolate(subject.pictures[subject.held_out_indices(4)].float(), (IMAGE_SIDE, IMAGE_SIDE), mode="area")
    ).byte()
    cnn, mlp = moving.mean_accuracy_loss("cnn"), moving.mean_accuracy_loss("mlp")
    accuracy = {
        kind: [float(getattr(t, kind).double().mean()) for t in (lying, moving)]
        for kind in ("cnn", "cnn_permuted", "mlp", "mlp_permuted")
    }
    chapter.content += [
        "Now all pixels of your pictures are put into another order, the same for each picture. Nothing is lost, but "
        "neighbours are torn apart. Small networks are trained from scratch on half of the pictures, and tested on the "
        f"others, plain and permuted. All pictures are {IMAGE_SIDE}×{IMAGE_SIDE} for this.",
        Picture(
            render_image(tile_images(torch.cat([some, permute_pixels(some)]), len(some)), "Pictures, plain and permuted", scale=4),
            "Above, pictures as they are; below, the same with their pixels in the new order.",
        ),
        Table(
            "Accuracy in per cent on pictures that these networks were not trained on",
            ("network", "pixels", "pictures as they lie", f"each moved at random, up to {MAX_RANDOM_SHIFT} pixels"),
            [
                (title, pixels_, *(f"{100 * a:.1f}" for a in accuracy[kind]))
                for title, pixels_, kind in (
                    ("convolutional", "plain", "cnn"), ("convolutional", "permuted", "cnn_permuted"),
                    ("fully connected", "plain", "mlp"), ("fully connected", "permuted", "mlp_permuted"),
                )
            ],
        ),
        f"Where each picture lies somewhere else, the permutation costs the convolutional network {_format_points(cnn.value)} "
        f"({_format_points(cnn.low)} to {_format_points(cnn.high)}) and the fully connected one {_format_points(mlp.value)} "
        f"({_format_points(mlp.low)} to {_format_points(mlp.high)}). Where all pictures lie alike it costs the convolutional one "
        f"{_format_points(lying.mean_accuracy_loss('cnn').value)}."
        + (" There, even a scrambled order can be learned by heart." if _is_memorized(lying, moving) else ""),
    ]  # fmt: skip
    verdict = permutation_verdict(moving)
    _add_claim(
        chapter, name, verdict,
        f"permuting the pixels costs the convolutional network {_format_points(cnn.value)}, the fully connected one "
        f"{_format_points(mlp.value)}" + (" (it learned nothing to lose)" if verdict == "not measured" else ""),
        f"pictures that all lie alike: {_format_points(lying.mean_accuracy_loss('cnn').value)} and {_format_points(lying.mean_accuracy_loss('mlp').value)}",
        RERUN_COMMAND if verdict == "not measured" else "", cnn.scaled_interval(100),
    )  # fmt: skip
    chapter.numbers["permutation"] = {
        "accuracy": {kind: dict(zip(("as_they_lie", "moved"), a, strict=True)) for kind, a in accuracy.items()},
        "side": IMAGE_SIDE, "cnn_loss": list(cnn), "mlp_loss": list(mlp),
        "loss_as_they_lie": [lying.mean_accuracy_loss("cnn").value, lying.mean_accuracy_loss("mlp").value],
    }  # fmt: skip


def _is_memorized(lying: PermutationResult, moving: PermutationResult) -> bool:
    """Permuting costs the convolutional network something for sure, but less where the pictures lie alike."""
    return moving.mean_accuracy_loss("cnn").low > max(0.0, lying.mean_accuracy_loss("cnn").value)


def _format_points(share: float) -> str:
    return f"{100 * share:.1f} points".replace("-", "−")
