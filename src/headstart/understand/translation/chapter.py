"""Chapter on why convolutions: equivariance, locality and parameter sharing, each measured on the network."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.errors import HeadstartError
from headstart.networks.copying import clone_network
from headstart.networks.hooks import list_layers, select_milestones
from headstart.understand.claims import Chapter, Picture, Table
from headstart.understand.pictures import color_heatmap, render_image, tile_images
from headstart.understand.receptive_field.fields import ReceptiveField, fields_by_module, receptive_fields
from headstart.understand.statistics import bootstrap_mean
from headstart.understand.subject import Subject
from headstart.understand.translation.equivariance import (
    EquivarianceResult,
    equivariance_error_map,
    equivariance_verdict,
    measure_equivariance,
    step_in_pixels,
)
from headstart.understand.translation.locality import LocalityResult, locality_verdict, measure_locality
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

TRANSLATION_CLAIMS = {
    "translation-equivariance": "When a pattern moves in the image, its trace in a layer's map moves along, unchanged.",
    "recognised-elsewhere": "What the network recognizes in one part of an image it recognizes in another.",
    "locality": "Each unit depends on a small region of the image only.",
    "parameter-sharing": "The same weights at every place make the number of parameters dramatically smaller.",
    "dense-ignores-space": "A fully connected network ignores where a pixel lies; a convolutional one depends on it.",
}
NUM_EXACT_IMAGES = 4  # for exact properties, which are the same in each image
NUM_PREDICTION_IMAGES = 60
MAX_RANDOM_SHIFT = 3  # of 16 pixels
OTHER_NETWORK_COMMAND = "headstart understand OTHER_RUN"
RERUN_COMMAND = "headstart understand RUN --data FOLDER --only why_convolutions"
LARGER_INTERIOR_COMMAND = "headstart understand RUN --only why_convolutions, at a larger data.image_size"
PERMUTED_NETWORKS = {
    "cnn": ("convolutional", "plain"),
    "cnn_permuted": ("convolutional", "permuted"),
    "mlp": ("fully connected", "plain"),
    "mlp_permuted": ("fully connected", "permuted"),
}


@torch.random.fork_rng(devices=[])  # new layers draw from the global random stream
def build_why_convolutions_chapter(
    subject: Subject,
    report_progress: Callable[[str], None],
    test_permutation: Callable[[Tensor, Tensor, int], PermutationResult] = run_permutation_test,
) -> Chapter:
    """The reasons for convolutions, each measured on the network.

    Args:
        subject: network and images.
        report_progress: called with a line about each step.
        test_permutation: trains small networks on images, labels and a largest random shift in pixels.
    """
    chapter = Chapter("why_convolutions", "Why convolutions", sentences=TRANSLATION_CLAIMS)
    network = clone_network(subject.network)
    images = subject.images[subject.held_out_indices(NUM_EXACT_IMAGES)]
    convolutions = list_layers(network, images)
    milestones = select_milestones([layer for layer in convolutions if len(layer.output_shape) == 3])
    layers, reason = list[ReceptiveField](), "the network has no convolution with a map"
    if milestones:
        try:
            fields = fields_by_module(network, receptive_fields(network, subject.image_shape))
            layers = [fields[layer.name] for layer in milestones if layer.name in fields]
        except HeadstartError as error:
            reason = f"its fields are not known: {error}"
    report_progress("shifting the images")
    _add_equivariance_section(chapter, network, layers, images, reason)
    _add_recognition_section(chapter, network, subject.images[subject.held_out_indices(NUM_PREDICTION_IMAGES)])
    report_progress("changing pixels outside and inside a field")
    _add_locality_section(chapter, network, layers, images, reason)
    _add_sharing_section(chapter, subject, [count_layer_parameters(layer) for layer in convolutions])
    report_progress("training on permuted pixels")
    _add_permutation_section(chapter, subject, test_permutation)
    return chapter


def _add_unmeasured_section(chapter: Chapter, name: str, title: str, reason: str) -> None:
    chapter.content.append(f"{title}: not measured, since {reason}.")
    chapter.add_unmeasured(reason, [name], OTHER_NETWORK_COMMAND)


def _add_equivariance_section(
    chapter: Chapter, network: nn.Module, layers: list[ReceptiveField], images: Tensor, reason: str
) -> None:
    if not layers:
        return _add_unmeasured_section(
            chapter, "translation-equivariance", "Does each map move with the picture?", reason
        )
    shifts = [2**n for n in range(6) if 2**n <= max(1, images.shape[3] // 4)]
    results = measure_equivariance(network, layers, images, shifts)
    exact = [result for result in results if result.is_whole_step and result.interior_error is not None]
    between = [r.interior_error for r in results if not r.is_whole_step and r.interior_error is not None]
    worst = max((result.interior_error or 0 for result in exact), default=0)
    chapter.content += [
        "Your pictures are shifted to the right by whole pixels; a mirrored strip fills the left border. If a layer is "
        "equivariant to translation, its map is the old one, shifted likewise. A layer with a total stride of S (S "
        "pixels to one step in its map) can only move by whole steps, so shifts are compared with the nearest one.",
        Table(
            "How far a layer's map is from the old one shifted along, in per cent of it: in the interior, where no "
            "field reaches the border / everywhere. 0 is exact; – means that no unit of the layer is in the interior.",
            ("layer", "stride S", *(f"shift {shift}" for shift in shifts)),
            [(layer.name, step_in_pixels(layer), *_format_errors(results, layer.name)) for layer in layers],
        ),
    ]
    if exact:
        chapter.content.append(
            f"In the interior, {len({result.layer for result in exact})} layers can be checked, and at multiples of "
            f"their stride they are {100 * worst:.2g} % off at most."
            + (f" Between two steps it is {100 * min(between):.0f} to {100 * max(between):.0f} %." if between else "")
            + " Units at the border also see its padding, mostly zeros, which do not move with the picture."
        )
        chapter.content.append(_draw_error_maps(network, exact, images))
    else:
        chapter.content.append(
            "No unit of these layers is free of the border at both places, so exactness cannot be checked anywhere."
        )
    overall = max((result.overall_error for result in results if result.is_whole_step), default=0)
    unshifted = max((result.unshifted_error for result in exact), default=0)
    chapter.add_claim(
        "translation-equivariance",
        equivariance_verdict(results),
        f"interior, at multiples of the stride: {100 * worst:.2g} % off; between them up to "
        f"{100 * max(between, default=0):.0f} %; with the border up to {100 * overall:.0f} %",
        f"a map that stayed where it was is off by {100 * unshifted:.0f} %",
        command="" if exact else LARGER_INTERIOR_COMMAND,
    )
    chapter.numbers["equivariance"] = [
        {
            "layer": result.layer,
            "stride": result.stride,
            "shift": result.shift,
            "interior": result.interior_error,
            "everywhere": result.overall_error,
            "unmoved": result.unshifted_error,
        }
        for result in results
    ]


def _format_errors(results: list[EquivarianceResult], layer: str) -> list[str]:
    return [
        f"{'–' if result.interior_error is None else f'{100 * result.interior_error:.2g}'} / "
        f"{100 * result.overall_error:.2g}"
        for result in results
        if result.layer == layer
    ]


def _draw_error_maps(network: nn.Module, exact: list[EquivarianceResult], images: Tensor) -> Picture:
    """The errors of each layer with an interior, at its smallest whole shift."""
    smallest = list({result.layer: result for result in reversed(exact)}.values())[::-1]
    errors = [equivariance_error_map(network, r.layer, images, r.shift, r.stride) for r in smallest]
    tiles = torch.stack([F.interpolate(color_heatmap(error)[None].float(), (96, 96))[0].byte() for error in errors])
    names = "; ".join(f"{result.layer} (shift {result.shift})" for result in smallest)
    alt = "Errors after a whole shift: bright at the border, none inside"
    return Picture(
        render_image(tile_images(tiles, len(tiles), gap=4), alt),
        f"Where the map did not move along, from dark (exact) to yellow: {names}. It is the border.",
    )


def _add_recognition_section(chapter: Chapter, network: nn.Module, images: Tensor) -> None:
    distance = max(1, min(images.shape[2:]) // 4)
    share = bootstrap_mean(unchanged_predictions(network, images, axis_shifts(distance)).float().mean(dim=0))
    chance = chance_agreement(network, images)
    chapter.content.append(
        f"Then {len(images)} pictures are shifted by a quarter of their side ({distance} pixels) up, down, left and "
        f"right. The network names the same class in {100 * share.value:.0f} % of the cases (95 % interval "
        f"{100 * share.low:.0f} to {100 * share.high:.0f} %). "
        f"Two different pictures get the same class in {100 * chance:.0f} %."
    )
    chapter.add_claim(
        "recognised-elsewhere",
        recognition_verdict(share, chance),
        f"same class after a shift by a quarter of the side: {100 * share.value:.0f} %",
        f"two different pictures: {100 * chance:.0f} %",
        share.scaled_interval(100),
    )
    chapter.numbers["elsewhere"] = {
        "share": share.value,
        "interval": [share.low, share.high],
        "by_chance": chance,
        "pictures": list(images.shape),
        "distance": distance,
    }


def _add_locality_section(
    chapter: Chapter, network: nn.Module, layers: list[ReceptiveField], images: Tensor, reason: str
) -> None:
    if not layers:
        return _add_unmeasured_section(chapter, "locality", "Which pixels decide a unit?", reason)
    results = measure_locality(network, layers, images)
    verdict = locality_verdict(results)
    num_whole = sum(result.outside_change is None for result in results)
    height, width = images.shape[2:]
    chapter.content += [
        "Which pixels decide a unit? For the center unit of some convolutions' maps, all pixels outside its field were "
        "replaced by those of another picture, and then one pixel in the middle of the field.",
        Table(
            f"The field of the center unit, and how much the unit changes, in per cent of itself; {height}×{width} "
            "pixels",
            ("layer", "field", "share of the image", "all outside changed", "one pixel inside changed"),
            [_format_locality_row(result) for result in results],
        ),
        "Changing everything outside changes nothing at all, and one pixel inside is noticed."
        if verdict in ("holds", "depends")
        else "For these layers locality could not be shown.",
    ]
    if num_whole:
        chapter.content.append(
            f"But {num_whole} of the {len(results)} layers here see the whole picture, so they have no outside: "
            "locality is a property of each step, and fields grow with depth."
        )
    outside_change = max((result.outside_change or 0 for result in results), default=0)
    chapter.add_claim(
        "locality",
        verdict,
        f"all pixels outside its field change a unit by {100 * outside_change:.2g} %; "
        f"{num_whole} of {len(results)} layers see the whole picture",
        f"one pixel inside changes it by {100 * min(result.inside_change for result in results):.2g} % at least",
    )
    chapter.numbers["locality"] = [
        {
            "layer": result.layer,
            "box": list(result.box),
            "share": result.image_share,
            "outside": result.outside_change,
            "inside": result.inside_change,
        }
        for result in results
    ]


def _format_locality_row(result: LocalityResult) -> tuple[str, ...]:
    top, left, bottom, right = result.box
    outside = "no outside" if result.outside_change is None else f"{100 * result.outside_change:.2g}"
    share = f"{100 * result.image_share:.3g} %"
    return result.layer, f"{bottom - top}×{right - left}", share, outside, f"{100 * result.inside_change:.3g}"


def _add_sharing_section(chapter: Chapter, subject: Subject, counts: Sequence[ParameterCounts]) -> None:
    lesson = first_dense_share(build_lesson_network())
    assert lesson is not None
    chapter.content.append(
        "Sharing is counted. To lead from one map of 28×28 to another, a fully connected layer needs 784² = "
        f"{784**2:,} weights, one for each pair of pixels. With a window of 3×3 but a kernel of its own at each place "
        f"it needs {784 * 9:,}. With the same kernel everywhere: 9. But most parameters may be elsewhere: in the "
        f"lesson's own network {100 * lesson[1]:.0f} % of them are in its first fully connected layer, which shares "
        "nothing."
    )
    if not counts:
        reason = "the network has no convolution"
        return _add_unmeasured_section(chapter, "parameter-sharing", "How much does sharing save?", reason)
    shared = sum(count.convolutional for count in counts)
    local = sum(count.locally_connected for count in counts)
    dense = sum(count.fully_connected for count in counts)
    chapter.content.append(
        Table(
            f"The weights of your network's {len(counts)} convolutions, biases left out, and without sharing",
            ("network", "weights", "times as many"),
            [
                ("as it is", f"{shared:,}", "1"),
                ("small windows, nothing shared", f"{local:,}", f"{local / shared:,.1f}"),
                ("fully connected", f"{dense:,}", f"{dense / shared:,.1f}"),
            ],
        )
    )
    first_dense = first_dense_share(subject.network)
    if first_dense:
        share = f"{100 * first_dense[1]:.1f} % of its parameters"
        chapter.content.append(f"Your network's first fully connected layer holds {share}.")
    chapter.add_claim(
        "parameter-sharing",
        sharing_verdict(counts),
        f"{shared:,} weights instead of {dense:,} fully connected: {dense / shared:,.1f} times fewer",
        f"small windows, nothing shared: {local:,}, {local / shared:,.1f} times as many",
    )
    chapter.numbers["sharing"] = {
        "own": shared,
        "local": local,
        "dense": dense,
        "local_times": local / shared,
        "dense_times": dense / shared,
        "first_dense": first_dense and first_dense[1],
        "lesson_first_dense": lesson[1],
    }


def _add_permutation_section(
    chapter: Chapter, subject: Subject, test_permutation: Callable[[Tensor, Tensor, int], PermutationResult]
) -> None:
    if subject.labels is None or len(subject.images) < MIN_IMAGES or len(subject.labels.unique()) < 2:
        chapter.content.append(
            f"The permutation test trains small networks. It needs {MIN_IMAGES} labeled images of two classes or more."
        )
        return chapter.add_unmeasured("too few labelled images", ["dense-ignores-space"], RERUN_COMMAND)
    images = F.interpolate(subject.images, (IMAGE_SIDE, IMAGE_SIDE), mode="area")
    aligned, shifted = (test_permutation(images, subject.labels, distance) for distance in (0, MAX_RANDOM_SHIFT))
    pictures = subject.pictures[subject.held_out_indices(4)].float()
    pictures = F.interpolate(pictures, (IMAGE_SIDE, IMAGE_SIDE), mode="area").byte()
    cnn, mlp = shifted.mean_accuracy_loss("cnn"), shifted.mean_accuracy_loss("mlp")
    aligned_cnn, aligned_mlp = aligned.mean_accuracy_loss("cnn"), aligned.mean_accuracy_loss("mlp")
    accuracy = {
        kind: [float(getattr(result, kind).double().mean()) for result in (aligned, shifted)]
        for kind in PERMUTED_NETWORKS
    }
    is_memorized = cnn.low > max(0.0, aligned_cnn.value)
    chapter.content += [
        "Now all pixels of your pictures are put into another order, the same for each picture. Nothing is lost, but "
        "neighbors are separated. Small networks are trained from scratch on half of the pictures, and tested on the "
        f"others, plain and permuted. All pictures are {IMAGE_SIDE}×{IMAGE_SIDE} for this.",
        Picture(
            render_image(
                tile_images(torch.cat([pictures, permute_pixels(pictures)]), len(pictures)),
                "Pictures, plain and permuted",
                scale=4,
            ),
            "Above, pictures as they are; below, the same with their pixels in the new order.",
        ),
        Table(
            "Accuracy in per cent on pictures that these networks were not trained on",
            ("network", "pixels", "pictures as they lie", f"each moved at random, up to {MAX_RANDOM_SHIFT} pixels"),
            [
                (*PERMUTED_NETWORKS[kind], *(f"{100 * value:.1f}" for value in values))
                for kind, values in accuracy.items()
            ],
        ),
        "If each picture is shifted at random, the permutation costs the convolutional network "
        f"{_format_points(cnn.value)} ({_format_points(cnn.low)} to {_format_points(cnn.high)}) and the fully "
        f"connected one {_format_points(mlp.value)} ({_format_points(mlp.low)} to {_format_points(mlp.high)}). "
        f"If all pictures are aligned it costs the convolutional one {_format_points(aligned_cnn.value)}."
        + (" There, even a permuted order can be learned by heart." if is_memorized else ""),
    ]
    verdict = permutation_verdict(shifted)
    chapter.add_claim(
        "dense-ignores-space",
        verdict,
        f"permuting the pixels costs the convolutional network {_format_points(cnn.value)}, the fully connected one "
        f"{_format_points(mlp.value)}" + (" (it learned nothing to lose)" if verdict == "not measured" else ""),
        f"pictures that are all aligned: {_format_points(aligned_cnn.value)} and {_format_points(aligned_mlp.value)}",
        cnn.scaled_interval(100),
        RERUN_COMMAND if verdict == "not measured" else "",
    )
    chapter.numbers["permutation"] = {
        "accuracy": {
            kind: dict(zip(("as_they_lie", "moved"), values, strict=True)) for kind, values in accuracy.items()
        },
        "side": IMAGE_SIDE,
        "cnn_loss": list(cnn),
        "mlp_loss": list(mlp),
        "loss_as_they_lie": [aligned_cnn.value, aligned_mlp.value],
    }


def _format_points(share: float) -> str:
    return f"{100 * share:.1f} points".replace("-", "−")
