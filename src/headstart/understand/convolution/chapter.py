"""Convolution by hand: the sum itself, on the lesson's square, in the network's layers, and learned."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.networks.copying import clone_network
from headstart.networks.hooks import LayerInfo, list_layers
from headstart.understand.claims import Chapter, Claim, ClaimVerdict, Picture, Table
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
from headstart.understand.subject import Subject
from headstart.understand.translation.locality import MapUnit, unit_boxes

CLAIMS = {
    "sliding-sum": "A convolution is nothing but a small grid slid over an image: multiply what overlaps, add up.",
    "edges-by-hand": "Slid over an image, a Sobel kernel turns vertical edges into bright spots.",
    "kernels-are-learned": "Nobody needs to write a kernel down: backpropagation finds it.",
    "stride-halves": "A step of two halves the size of a map.",
    "padding-preserves": "Zeros around the border keep the size of a map.",
    "dilation-widens": "Gaps in a kernel let it see further without another weight.",
}
NUM_TRIALS = 1000
NUM_PICTURES = 3
PICTURE_SIZE = 64  # pixels of a picture on the page


@torch.random.fork_rng(devices=[])  # fresh layers draw from the stream that everybody shares
def build_convolution_chapter(subject: Subject, report_progress: Callable[[str], None]) -> Chapter:
    found = Chapter("convolution", "Convolution by hand")
    report_progress("the sum by hand")
    _add_worked_example(found)
    _add_picture_edges(found, subject)
    report_progress("the layers of the network")
    _add_layer_checks(found, subject)
    _add_dilation(found)
    report_progress("a kernel is learned")
    _add_learned_kernel(found)
    return found


def _add_claim(
    found: Chapter, name: str, verdict: ClaimVerdict, value: str, control: str = "", command: str = ""
) -> None:
    found.claims.append(Claim(name, CLAIMS[name], verdict, value, control, command=command))


def _add_worked_example(found: Chapter) -> None:
    image, kernel = build_square_image(), torch.tensor(SOBEL)
    results = {
        "as it is": convolve(image, kernel[None, None]),
        "padded by 1": convolve(image, kernel[None, None], padding=1),
        "stride 2": convolve(image, kernel[None, None], stride=2),
        "dilation 2": convolve(image, kernel[None, None], dilation=2),
    }
    turned = convolve(image, kernel.flip(0, 1)[None, None])
    trials = sample_output_sizes(NUM_TRIALS)
    right = sum(formula == measured for _, formula, measured in trials)
    found.content += [
        "Take the lesson's picture: a white square of 3×3 pixels (1) amid black (0), 5×5 in all. The Sobel kernel has "
        "the rows −1 0 1, −2 0 2 and −1 0 1. It fits into the picture at nine places. At each, multiply the nine pairs "
        "of numbers that lie over each other and add the products up.",
        Picture(
            render_kernel_positions(build_square_image()[0, 0], torch.tensor(SOBEL)),
            "The nine places of the kernel. In the outlined window stand the nine products, below it their sum.",
        ),
        "Look at the signs. The left edge of the square, from black to white, gives 3, 4 and 3: bright. The right "
        "edge, "
        "from white to black, gives −3, −4 and −3: the darkest values of all. So bright spots mark only the edges that "
        "brighten from left to right. To see both one looks at the size of the number without its sign.",
        Table(
            "The same kernel on the same picture, by four ways of sliding it",
            ("sliding", "size", "result, row by row"),
            [(way, f"{v.shape[2]}×{v.shape[3]}", _format_rows(v[0, 0])) for way, v in results.items()],
        ),
        "A word on the name: mathematics turns the kernel by half a turn before it slides it and calls that a "
        "convolution. Deep learning does not turn it, which is a correlation by its proper name. For a learned kernel "
        f"that makes no difference. For this one it turns the signs: {_format_rows(turned[0, 0])}.",
        "How large the result is follows from one formula: (size + 2·padding − dilation·(kernel − 1) − 1) / stride, "
        f"rounded down, plus 1. In {right:,} of {NUM_TRIALS:,} random settings torch gives a map of that size.",
    ]
    found.numbers |= {
        "sobel": {way: v[0, 0].tolist() for way, v in results.items()},
        "turned": turned[0, 0].tolist(),
        "sizes_right": right,
        "sizes_tried": NUM_TRIALS,
    }


def _format_rows(values: Tensor) -> str:
    return " / ".join(" ".join(format_short_number(v) for v in row) for row in values.tolist())


def _add_picture_edges(found: Chapter, subject: Subject) -> None:
    pictures = subject.pictures[subject.held_out_indices(50)].float().mean(dim=1, keepdim=True) / 255
    side = min(PICTURE_SIZE, *pictures.shape[2:])
    response = convolve(F.interpolate(pictures, (side, side), mode="area"), torch.tensor(SOBEL)[None, None])
    strongest = response.abs() >= response.abs().flatten().quantile(0.9)
    dark = float((response[strongest] < 0).float().mean())
    shades = ((response[:NUM_PICTURES] / 8 + 0.5) * 255).round().clamp(0, 255).byte()
    seen = (F.interpolate(pictures[:NUM_PICTURES], shades.shape[2:], mode="area") * 255).round().byte()
    found.content.append(
        Picture(
            render_image(
                tile_images(torch.cat([seen, shades]), NUM_PICTURES), "Your pictures and their vertical edges", scale=2
            ),
            "Some of your own pictures in grey, and below each what the Sobel kernel makes of it. Middle grey is 0, "
            f"white a rising edge, black a falling one. Of the strongest tenth {100 * dark:.0f} % are dark.",
        )
    )
    square = convolve(build_square_image(), torch.tensor(SOBEL)[None, None])[0, 0]
    edges = torch.tensor([True, False, True]).expand(3, 3)
    across = convolve(build_square_image(), torch.tensor(SOBEL).T[None, None])[0, 0]
    _add_claim(
        found, "edges-by-hand", edge_detection_verdict(square, edges),
        f"the square's left edge gives 4, its right edge −4; in your pictures {100 * dark:.0f} % of the strongest "
        "edges are dark",
        f"the kernel for horizontal edges finds them nowhere ({edge_detection_verdict(across, edges)})",
    )  # fmt: skip
    found.numbers["dark_edges"] = dark


def _add_layer_checks(found: Chapter, subject: Subject) -> None:
    passed = list_layers(clone_network(subject.network), subject.images, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d))
    kinds: dict[tuple[object, ...], list[LayerInfo]] = {}
    for layer in passed:
        if isinstance(c := layer.module, nn.Conv2d):
            # Depthwise, or in groups, or not: which is what the reader must know, not how many channels.
            kinds.setdefault((c.kernel_size, c.stride, c.padding, c.dilation, c.groups > 1), []).append(layer)
    checked = [convolution_error(group[0].module) for group in kinds.values() if isinstance(group[0].module, nn.Conv2d)]
    apart = [d for d in checked if d is not None]
    square = nn.Conv2d(1, 1, 3)  # the lesson's own, so that there is one in any case
    found.numbers |= {"layer_kinds": len(kinds), "differences": apart}
    if kinds:
        found.content.append(
            Table(
                "The convolutions of your network, one row a setting, and how far torch is from the sum by hand",
                ("kernel", "stride", "padding", "dilation", "in groups", "layers", "largest difference"),
                [
                    (*(_format_setting(v) for v in kind[:4]), "yes" if kind[4] else "no", len(group), _format_error(d))
                    for (kind, group), d in zip(kinds.items(), checked, strict=True)
                ],
            )
        )
    else:
        found.content.append("Your network has no convolution, so there is no layer of it to compute by hand.")
    across = convolve(build_square_image(), torch.tensor(SOBEL).flip(0, 1)[None, None]) - F.conv2d(
        build_square_image(), torch.tensor(SOBEL)[None, None]
    )
    _add_claim(
        found, "sliding-sum", sliding_sum_verdict([*apart, convolution_error(square) or 0.0]),
        f"computed by hand, {len(apart)} of your {len(kinds)} {'kind' if len(kinds) == 1 else 'kinds'} of layer; "
        f"largest difference {_format_tiny(max(apart, default=0))}",
        "with the kernel turned by half a turn the lesson's square comes out different by "
        f"{format_short_number(float(across.max()))}",
    )  # fmt: skip
    _add_map_sizes(found, passed)


def _format_setting(value: object) -> str:
    return "×".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _format_error(value: float | None) -> str:
    return "pads in its own way" if value is None else _format_tiny(value)


def _format_tiny(value: float) -> str:
    return f"{value:.0e}" if value else "0"


def _add_map_sizes(found: Chapter, passed: list[LayerInfo]) -> None:
    """What the network's strides and paddings do to the sizes of its maps."""
    steps, padded = [], []
    for layer in passed:
        stride, around = (_last_axis(getattr(layer.module, key)) for key in ("stride", "padding"))
        sizes = layer.input_shape[-1], layer.output_shape[-1]
        if stride == 2:
            steps.append(sizes)
        if stride == 1 and around not in (0, "valid"):
            padded.append(sizes)
    halved, kept = sum(2 * b == a for a, b in steps), sum(a == b for a, b in padded)
    found.content += [
        f"Your network has {len(steps)} layers of stride 2 (pools among them, where they are layers), and {halved} of "
        "them halve their map exactly. It takes an even size and a padding that fits: the lesson's 5×5 becomes 2×2 "
        "without padding and 3×3 with it, and neither is a half of five.",
        f"It has {len(padded)} padded layers of stride 1, and {kept} of them keep the size of their map. They do so "
        "where "
        "the padding is dilation·(kernel − 1)/2. But zeros are not nothing: on an evenly white picture padded by one, "
        "the Sobel kernel finds an edge of strength 4 along the left border and of −4 along the right one (3 and −3 in "
        "the corners), where the picture has none.",
    ]
    lesson = [(28, output_size(28, 2, stride=2)), (5, output_size(5, 3, stride=2))]
    _add_claim(
        found, "stride-halves", stride_halving_verdict([*steps, *lesson]),
        f"{halved} of {len(steps)} layers of stride 2 halve exactly; the lesson's pool makes 14 of 28, Sobel 2 of 5",
        "the formula for the size, against torch",
    )  # fmt: skip
    _add_claim(
        found, "padding-preserves", padding_verdict([*padded, (5, output_size(5, 3, padding=1))]),
        f"{kept} of {len(padded)} padded layers of stride 1 keep their size; the lesson's 5×5 stays 5×5 with padding 1",
        "without padding the lesson's 5×5 becomes 3×3",
    )  # fmt: skip
    found.numbers["stride_2"] = {"layers": len(steps), "halved": halved}
    found.numbers["padded"] = {"layers": len(padded), "kept": kept}


def _last_axis(value: object) -> object:
    return value[-1] if isinstance(value, tuple) else value


def _add_dilation(found: Chapter) -> None:
    layers_ = [nn.Conv2d(1, 1, 3, padding=d, dilation=d) for d in (1, 2, 3, 4)]
    boxes = [unit_boxes(layer, [MapUnit("", 7, 7)], (1, 15, 15))[0] for layer in layers_]
    wide, weights = [box.right - box.left for box in boxes], [layer.weight.numel() for layer in layers_]
    found.content.append(
        f"With dilation 1, 2, 3 and 4 a 3×3 kernel covers {', '.join(f'{w}×{w}' for w in wide)} pixels, and it has "
        "nine "
        f"weights each time. The price: it still looks at nine pixels, so at dilation 4 it skips {wide[-1] ** 2 - 9} "
        "of "
        f"the {wide[-1] ** 2} that it covers."
    )
    _add_claim(
        found, "dilation-widens", dilation_verdict(wide, weights),
        f"{', '.join(map(str, wide))} pixels wide with {weights[0]} weights",
        f"without dilation a kernel {wide[-1]} pixels wide has {wide[-1] ** 2} weights",
    )  # fmt: skip
    found.numbers |= {"dilated_fields": wide, "dilated_weights": weights, "undilated_weights": wide[-1] ** 2}


def _add_learned_kernel(found: Chapter) -> None:
    goal, pictures = torch.tensor(SOBEL), sample_noise_images()
    way = learn_kernel(pictures, goal)
    flat = learn_kernel(pictures.mean(dim=(2, 3), keepdim=True).expand_as(pictures), goal)
    shades = ((way.kernels[:, None] / 6 + 0.5) * 255).round().clamp(0, 255).byte()
    steps = ", ".join(map(str, way.steps))
    found.content += [
        "Can a kernel be learned? Here a kernel starts as nine random numbers. It is shown random pictures and what "
        "the "
        "Sobel kernel makes of them, never the Sobel kernel itself. Backpropagation says how to change each number so "
        "that the two results come closer.",
        Picture(
            render_image(tile_images(shades, len(shades)), "A random kernel becomes the Sobel kernel", scale=16),
            f"The kernel after {steps} steps. Black is −3, middle grey 0, white 3. At the end each of its numbers is "
            f"within {way.errors[-1]:.0e} of Sobel's.",
        ),
        Table(
            "The way there",
            ("step", "largest error", "kernel, row by row"),
            [
                (
                    s,
                    f"{e:.2g}",
                    " / ".join(
                        " ".join(f"{round(v, 2) + 0.0:.2f}".replace("-", "−") for v in row) for row in k.tolist()
                    ),
                )
                for s, e, k in zip(way.steps, way.errors, way.kernels, strict=True)
            ],
        ),
        f"Trained on evenly grey pictures alone, the same kernel stays {flat.errors[-1]:.2g} away: where there is no "
        "edge, nothing can be learned about edges.",
    ]
    _add_claim(
        found, "kernels-are-learned", learned_kernel_verdict(way, flat),
        f"largest error {way.errors[-1]:.0e} after {way.steps[-1]} steps, from {way.errors[0]:.2g} at the start "
        f"(learned: below {LEARNED_TOLERANCE:g})",
        f"trained on evenly grey pictures: {flat.errors[-1]:.2g}",
    )  # fmt: skip
    found.numbers["learned"] = {
        "steps": way.steps, "errors": way.errors, "kernels": way.kernels.tolist(), "control_error": flat.errors[-1],
    }  # fmt: skip
