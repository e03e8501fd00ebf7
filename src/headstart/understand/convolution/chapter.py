"""The chapter on convolution: the sliding sum, the network's layers, and a learned kernel."""

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.networks.copying import clone_network
from headstart.networks.hooks import LayerInfo, list_layers
from headstart.understand.claims import Chapter, Picture, Table
from headstart.understand.convolution.kernel_drawing import format_short_number, render_kernel_positions
from headstart.understand.convolution.learned_kernel import (
    LEARNED_TOLERANCE,
    learn_kernel,
    learned_kernel_verdict,
    sample_noise_images,
)
from headstart.understand.convolution.sliding_sum import (
    SOBEL,
    build_square_image,
    convolution_error,
    convolve,
    dilation_verdict,
    edge_detection_verdict,
    output_size,
    padding_verdict,
    sample_output_sizes,
    sliding_sum_verdict,
    stride_halving_verdict,
)
from headstart.understand.pictures import render_image, tile_images
from headstart.understand.prose import render_paragraphs
from headstart.understand.receptive_field.fields import receptive_fields
from headstart.understand.subject import Subject

CONVOLUTION_CLAIMS = {
    "sliding-sum": "A convolution is nothing but a small grid slid over an image: multiply what overlaps, add up.",
    "edges-by-hand": "Slid over an image, a Sobel kernel turns vertical edges into bright spots.",
    "kernels-are-learned": "Nobody needs to write a kernel down: backpropagation finds it.",
    "stride-halves": "A step of two halves the size of a map.",
    "padding-preserves": "Zeros around the border keep the size of a map.",
    "dilation-widens": "Gaps in a kernel let it see further without another weight.",
}
CONVOLUTION_PROSE = Path(__file__).with_name("chapter.txt.jinja")
NUM_TRIALS = 1000
MAX_EDGE_IMAGES = 50
NUM_EDGE_PICTURES = 3
EDGE_PICTURE_SIZE = 64  # pixels of a picture on the page


@torch.random.fork_rng(devices=[])  # new layers draw from torch's global stream
def build_convolution_chapter(subject: Subject, report_progress: Callable[[str], None]) -> Chapter:
    """The sliding sum on the course's square, on pictures and in the network's layers; a learned kernel."""
    chapter = Chapter("convolution", "Convolution by hand", sentences=CONVOLUTION_CLAIMS)
    report_progress("the sum by hand")
    _add_worked_example(chapter)
    _add_picture_edges(chapter, subject)
    report_progress("the layers of the network")
    layers = list_layers(clone_network(subject.network), subject.images, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d))
    _add_layer_checks(chapter, layers)
    _add_map_sizes(chapter, layers)
    _add_dilation(chapter)
    report_progress("a kernel is learned")
    _add_learned_kernel(chapter)
    return chapter


def _add_worked_example(chapter: Chapter) -> None:
    image, kernel = build_square_image(), _sobel_kernel()
    results = {
        "as it is": convolve(image, kernel),
        "padded by 1": convolve(image, kernel, padding=1),
        "stride 2": convolve(image, kernel, stride=2),
        "dilation 2": convolve(image, kernel, dilation=2),
    }
    rotated = convolve(image, kernel.flip(2, 3))[0, 0]
    trials = sample_output_sizes(NUM_TRIALS)
    num_correct = sum(formula == measured for _, formula, measured in trials)
    chapter.content += [
        *render_paragraphs(CONVOLUTION_PROSE, "example"),
        Picture(
            render_kernel_positions(image[0, 0], kernel[0, 0]),
            "The nine positions of the kernel. The outlined window has the nine products, below it is their sum.",
        ),
        *render_paragraphs(CONVOLUTION_PROSE, "signs"),
        Table(
            "The same kernel on the same picture, slid in four ways",
            ("sliding", "size", "result, row by row"),
            [(name, f"{v.shape[2]}×{v.shape[3]}", _format_rows(v[0, 0])) for name, v in results.items()],
        ),
        *render_paragraphs(
            CONVOLUTION_PROSE, "sizes", rotated=_format_rows(rotated), num_correct=num_correct, num_trials=NUM_TRIALS
        ),
    ]
    chapter.numbers |= {
        "sobel": {name: values[0, 0].tolist() for name, values in results.items()},
        "turned": rotated.tolist(),
        "sizes_right": num_correct,
        "sizes_tried": NUM_TRIALS,
    }


def _sobel_kernel() -> Tensor:
    """The Sobel kernel, float32 (1, 1, 3, 3)."""
    return torch.tensor(SOBEL)[None, None]


def _format_rows(values: Tensor) -> str:
    return " / ".join(" ".join(format_short_number(value) for value in row) for row in values.tolist())


def _add_picture_edges(chapter: Chapter, subject: Subject) -> None:
    pictures = subject.pictures[subject.held_out_indices(MAX_EDGE_IMAGES)].float().mean(dim=1, keepdim=True) / 255
    side = min(EDGE_PICTURE_SIZE, *pictures.shape[2:])
    responses = convolve(F.interpolate(pictures, (side, side), mode="area"), _sobel_kernel())
    is_strong = responses.abs() >= responses.abs().flatten().quantile(0.9)
    dark_share = float((responses[is_strong] < 0).float().mean())
    edges = _to_gray(responses[:NUM_EDGE_PICTURES] / 8 + 0.5)
    originals = (F.interpolate(pictures[:NUM_EDGE_PICTURES], edges.shape[2:], mode="area") * 255).round().byte()
    sheet = tile_images(torch.cat([originals, edges]), NUM_EDGE_PICTURES)
    chapter.content.append(
        Picture(
            render_image(sheet, "Your pictures and their vertical edges", scale=2),
            "Some of your pictures in grey, and below each the Sobel kernel's output. Middle grey is 0, white a rising "
            f"edge, black a falling one. Of the strongest tenth {100 * dark_share:.0f} % are dark.",
        )
    )
    is_edge = torch.tensor([True, False, True]).expand(3, 3)
    vertical = convolve(build_square_image(), _sobel_kernel())[0, 0]
    horizontal = convolve(build_square_image(), _sobel_kernel().mT)[0, 0]
    chapter.add_claim(
        "edges-by-hand",
        edge_detection_verdict(vertical, is_edge),
        f"the square's left edge gives 4, its right edge −4; in your pictures {100 * dark_share:.0f} % of the "
        "strongest edges are dark",
        f"the kernel for horizontal edges finds them nowhere ({edge_detection_verdict(horizontal, is_edge)})",
    )
    chapter.numbers["dark_edges"] = dark_share


def _to_gray(values: Tensor) -> Tensor:
    """Values from 0 to 1 as uint8; others are clamped."""
    return (values * 255).round().clamp(0, 255).byte()


def _add_layer_checks(chapter: Chapter, layers: list[LayerInfo]) -> None:
    groups: dict[tuple[object, ...], list[nn.Conv2d]] = {}
    for convolution in (layer.module for layer in layers if isinstance(layer.module, nn.Conv2d)):
        c = convolution
        groups.setdefault((c.kernel_size, c.stride, c.padding, c.dilation, c.groups > 1), []).append(c)
    errors = [convolution_error(group[0]) for group in groups.values()]
    measured = [error for error in errors if error is not None]
    chapter.numbers |= {"layer_kinds": len(groups), "differences": measured}
    if groups:
        chapter.content.append(
            Table(
                "The convolutions of your network, one row for each setting, and how far torch is from the sum by hand",
                ("kernel", "stride", "padding", "dilation", "in groups", "layers", "largest difference"),
                [
                    (
                        *(_format_setting(value) for value in setting[:4]),
                        "yes" if setting[4] else "no",
                        len(group),
                        "pads in its own way" if error is None else _format_error(error),
                    )
                    for (setting, group), error in zip(groups.items(), errors, strict=True)
                ],
            )
        )
    else:
        chapter.content.append("Your network has no convolution, so no layer of it can be computed by hand.")
    correlation = F.conv2d(build_square_image(), _sobel_kernel())
    difference = convolve(build_square_image(), _sobel_kernel().flip(2, 3)) - correlation
    course_error = convolution_error(nn.Conv2d(1, 1, 3)) or 0.0  # so that there is a layer in any case
    chapter.add_claim(
        "sliding-sum",
        sliding_sum_verdict([*measured, course_error]),
        f"computed by hand, {len(measured)} of your {len(groups)} {'kind' if len(groups) == 1 else 'kinds'} of layer; "
        f"largest difference {_format_error(max(measured, default=0))}",
        "with the kernel rotated by half a turn the course's square differs by "
        f"{format_short_number(float(difference.max()))}",
    )


def _format_setting(value: object) -> str:
    return "×".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _format_error(error: float) -> str:
    return f"{error:.0e}" if error else "0"


def _add_map_sizes(chapter: Chapter, layers: list[LayerInfo]) -> None:
    """What the network's strides and paddings do to the sizes of its maps."""
    strided, padded = [], []
    for layer in layers:
        stride, padding = _last_axis(layer.module.stride), _last_axis(layer.module.padding)
        sizes = layer.input_shape[-1], layer.output_shape[-1]
        if stride == 2:
            strided.append(sizes)
        if stride == 1 and padding not in (0, "valid"):
            padded.append(sizes)
    halved = sum(2 * output == size for size, output in strided)
    preserved = sum(output == size for size, output in padded)
    chapter.content += render_paragraphs(
        CONVOLUTION_PROSE, "map_sizes", strided=len(strided), halved=halved, padded=len(padded), preserved=preserved
    )
    course_sizes = [(28, output_size(28, 2, stride=2)), (5, output_size(5, 3, stride=2))]
    chapter.add_claim(
        "stride-halves",
        stride_halving_verdict([*strided, *course_sizes]),
        f"{halved} of {len(strided)} layers of stride 2 halve exactly; the course's pool makes 14 of 28, Sobel 2 of 5",
        "the formula for the size, against torch",
    )
    chapter.add_claim(
        "padding-preserves",
        padding_verdict([*padded, (5, output_size(5, 3, padding=1))]),
        f"{preserved} of {len(padded)} padded layers of stride 1 keep their size; the course's 5×5 stays 5×5 with "
        "padding 1",
        "without padding the course's 5×5 becomes 3×3",
    )
    chapter.numbers["stride_2"] = {"layers": len(strided), "halved": halved}
    chapter.numbers["padded"] = {"layers": len(padded), "kept": preserved}


def _last_axis(value: object) -> object:
    return value[-1] if isinstance(value, tuple) else value


def _add_dilation(chapter: Chapter) -> None:
    layers = [nn.Conv2d(1, 1, 3, padding=dilation, dilation=dilation) for dilation in (1, 2, 3, 4)]
    widths = [receptive_fields(nn.Sequential(layer), (1, 15, 15))[-1].size[1] for layer in layers]
    weights = [layer.weight.numel() for layer in layers]
    covered = widths[-1] ** 2
    sizes = ", ".join(f"{width}×{width}" for width in widths)
    chapter.content += render_paragraphs(
        CONVOLUTION_PROSE, "dilation", sizes=sizes, skipped=covered - 9, covered=covered
    )
    chapter.add_claim(
        "dilation-widens",
        dilation_verdict(widths, weights),
        f"{', '.join(map(str, widths))} pixels wide with {weights[0]} weights",
        f"without dilation a kernel {widths[-1]} pixels wide has {covered} weights",
    )
    chapter.numbers |= {"dilated_fields": widths, "dilated_weights": weights, "undilated_weights": covered}


def _add_learned_kernel(chapter: Chapter) -> None:
    target, images = torch.tensor(SOBEL), sample_noise_images()
    training = learn_kernel(images, target)
    control = learn_kernel(images.mean(dim=(2, 3), keepdim=True).expand_as(images), target)
    kernels = tile_images(_to_gray(training.kernels[:, None] / 6 + 0.5), len(training.kernels))
    steps = ", ".join(map(str, training.steps))
    chapter.content += [
        *render_paragraphs(CONVOLUTION_PROSE, "learning"),
        Picture(
            render_image(kernels, "A random kernel becomes the Sobel kernel", scale=16),
            f"The kernel after {steps} steps. Black is −3, middle grey 0, white 3. At the end each of its numbers is "
            f"within {training.errors[-1]:.0e} of Sobel's.",
        ),
        Table(
            "The training",
            ("step", "largest error", "kernel, row by row"),
            [
                (step, f"{error:.2g}", _format_rows((kernel * 100).round() / 100))
                for step, error, kernel in zip(training.steps, training.errors, training.kernels, strict=True)
            ],
        ),
        *render_paragraphs(CONVOLUTION_PROSE, "control", error=f"{control.errors[-1]:.2g}"),
    ]
    chapter.add_claim(
        "kernels-are-learned",
        learned_kernel_verdict(training, control),
        f"largest error {training.errors[-1]:.0e} after {training.steps[-1]} steps, from {training.errors[0]:.2g} at "
        f"the start (learned: below {LEARNED_TOLERANCE:g})",
        f"trained on uniformly grey pictures: {control.errors[-1]:.2g}",
    )
    chapter.numbers["learned"] = {
        "steps": training.steps,
        "errors": training.errors,
        "kernels": training.kernels.tolist(),
        "control_error": control.errors[-1],
    }
