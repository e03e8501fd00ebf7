"""Convolution by hand: the sum itself, on the lesson's square, in the network's layers, and learned."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.networks.hooks import Layer, layers
from headstart.understand.claims import Chapter, Claim, Picture, Table, Verdict
from headstart.understand.convolution.kernel_drawing import number, places
from headstart.understand.convolution.learned_kernel import ENOUGH, learn_kernel, learned_verdict, speckle
from headstart.understand.convolution.sliding_sum import (
    SOBEL,
    convolved,
    difference,
    edges_verdict,
    halves_verdict,
    lesson_image,
    output_size,
    preserves_verdict,
    same_verdict,
    size_trials,
    widens_verdict,
)
from headstart.understand.pictures import sheet, shown
from headstart.understand.subject import Subject, copied
from headstart.understand.translation.locality import Unit, fields
from headstart.understand.unseen import unseen

CLAIMS = {
    "sliding-sum": "A convolution is nothing but a small grid slid over an image: multiply what overlaps, add up.",
    "edges-by-hand": "Slid over an image, a Sobel kernel turns vertical edges into bright spots.",
    "kernels-are-learned": "Nobody needs to write a kernel down: backpropagation finds it.",
    "stride-halves": "A step of two halves the size of a map.",
    "padding-preserves": "Zeros around the border keep the size of a map.",
    "dilation-widens": "Gaps in a kernel let it see further without another weight.",
}
TRIALS = 1000
PICTURES = 3
SIDE = 64  # pixels of a picture on the page


@torch.random.fork_rng(devices=[])  # fresh layers draw from the stream that everybody shares
def chapter(subject: Subject, tell: Callable[[str], None]) -> Chapter:
    found = Chapter("convolution", "Convolution by hand")
    tell("the sum by hand")
    _by_hand(found)
    _own_pictures(found, subject)
    tell("the layers of the network")
    _in_network(found, subject)
    _dilated(found)
    tell("a kernel is learned")
    _learned(found)
    return found


def _claim(found: Chapter, name: str, verdict: Verdict, value: str, control: str = "", command: str = "") -> None:
    found.claims.append(Claim(name, CLAIMS[name], verdict, value, control, command=command))


def _by_hand(found: Chapter) -> None:
    image, kernel = lesson_image(), torch.tensor(SOBEL)
    results = {
        "as it is": convolved(image, kernel[None, None]),
        "padded by 1": convolved(image, kernel[None, None], padding=1),
        "stride 2": convolved(image, kernel[None, None], stride=2),
        "dilation 2": convolved(image, kernel[None, None], dilation=2),
    }
    turned = convolved(image, kernel.flip(0, 1)[None, None])
    trials = size_trials(TRIALS)
    right = sum(formula == measured for _, formula, measured in trials)
    found.content += [
        "Take the lesson's picture: a white square of 3×3 pixels (1) amid black (0), 5×5 in all. The Sobel kernel has "
        "the rows −1 0 1, −2 0 2 and −1 0 1. It fits into the picture at nine places. At each, multiply the nine pairs "
        "of numbers that lie over each other and add the products up.",
        Picture(
            places(lesson_image()[0, 0], torch.tensor(SOBEL)),
            "The nine places of the kernel. In the outlined window stand the nine products, below it their sum.",
        ),
        "Look at the signs. The left edge of the square, from black to white, gives 3, 4 and 3: bright. The right "
        "edge, "
        "from white to black, gives −3, −4 and −3: the darkest values of all. So bright spots mark only the edges that "
        "brighten from left to right. To see both one looks at the size of the number without its sign.",
        Table(
            "The same kernel on the same picture, by four ways of sliding it",
            ("sliding", "size", "result, row by row"),
            [(way, f"{v.shape[2]}×{v.shape[3]}", _rows(v[0, 0])) for way, v in results.items()],
        ),
        "A word on the name: mathematics turns the kernel by half a turn before it slides it and calls that a "
        "convolution. Deep learning does not turn it, which is a correlation by its proper name. For a learned kernel "
        f"that makes no difference. For this one it turns the signs: {_rows(turned[0, 0])}.",
        "How large the result is follows from one formula: (size + 2·padding − dilation·(kernel − 1) − 1) / stride, "
        f"rounded down, plus 1. In {right:,} of {TRIALS:,} random settings torch gives a map of that size.",
    ]
    found.numbers |= {
        "sobel": {way: v[0, 0].tolist() for way, v in results.items()},
        "turned": turned[0, 0].tolist(),
        "sizes_right": right,
        "sizes_tried": TRIALS,
    }


def _rows(values: Tensor) -> str:
    return " / ".join(" ".join(number(v) for v in row) for row in values.tolist())


def _own_pictures(found: Chapter, subject: Subject) -> None:
    pictures = subject.pictures[unseen(subject, 50)].float().mean(dim=1, keepdim=True) / 255
    side = min(SIDE, *pictures.shape[2:])
    response = convolved(F.interpolate(pictures, (side, side), mode="area"), torch.tensor(SOBEL)[None, None])
    strongest = response.abs() >= response.abs().flatten().quantile(0.9)
    dark = float((response[strongest] < 0).float().mean())
    shades = ((response[:PICTURES] / 8 + 0.5) * 255).round().clamp(0, 255).byte()
    seen = (F.interpolate(pictures[:PICTURES], shades.shape[2:], mode="area") * 255).round().byte()
    found.content.append(
        Picture(
            shown(sheet(torch.cat([seen, shades]), PICTURES), "Your pictures and their vertical edges", scale=2),
            "Some of your own pictures in grey, and below each what the Sobel kernel makes of it. Middle grey is 0, "
            f"white a rising edge, black a falling one. Of the strongest tenth {100 * dark:.0f} % are dark.",
        )
    )
    square = convolved(lesson_image(), torch.tensor(SOBEL)[None, None])[0, 0]
    edges = torch.tensor([True, False, True]).expand(3, 3)
    across = convolved(lesson_image(), torch.tensor(SOBEL).T[None, None])[0, 0]
    _claim(
        found, "edges-by-hand", edges_verdict(square, edges),
        f"the square's left edge gives 4, its right edge −4; in your pictures {100 * dark:.0f} % of the strongest "
        "edges are dark",
        f"the kernel for horizontal edges finds them nowhere ({edges_verdict(across, edges)})",
    )  # fmt: skip
    found.numbers["dark_edges"] = dark


def _in_network(found: Chapter, subject: Subject) -> None:
    passed = layers(copied(subject.network), subject.images, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d))
    kinds: dict[tuple[object, ...], list[Layer]] = {}
    for layer in passed:
        if isinstance(c := layer.module, nn.Conv2d):
            # Depthwise, or in groups, or not: which is what the reader must know, not how many channels.
            kinds.setdefault((c.kernel_size, c.stride, c.padding, c.dilation, c.groups > 1), []).append(layer)
    checked = [difference(group[0].module) for group in kinds.values() if isinstance(group[0].module, nn.Conv2d)]
    apart = [d for d in checked if d is not None]
    square = nn.Conv2d(1, 1, 3)  # the lesson's own, so that there is one in any case
    found.numbers |= {"layer_kinds": len(kinds), "differences": apart}
    if kinds:
        found.content.append(
            Table(
                "The convolutions of your network, one row a setting, and how far torch is from the sum by hand",
                ("kernel", "stride", "padding", "dilation", "in groups", "layers", "largest difference"),
                [
                    (*(_setting(v) for v in kind[:4]), "yes" if kind[4] else "no", len(group), _difference(d))
                    for (kind, group), d in zip(kinds.items(), checked, strict=True)
                ],
            )
        )
    else:
        found.content.append("Your network has no convolution, so there is no layer of it to compute by hand.")
    across = convolved(lesson_image(), torch.tensor(SOBEL).flip(0, 1)[None, None]) - F.conv2d(
        lesson_image(), torch.tensor(SOBEL)[None, None]
    )
    _claim(
        found, "sliding-sum", same_verdict([*apart, difference(square) or 0.0]),
        f"computed by hand, {len(apart)} of your {len(kinds)} {'kind' if len(kinds) == 1 else 'kinds'} of layer; "
        f"largest difference {_tiny(max(apart, default=0))}",
        "with the kernel turned by half a turn the lesson's square comes out different by "
        f"{number(float(across.max()))}",
    )  # fmt: skip
    _sizes(found, passed)


def _setting(value: object) -> str:
    return "×".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _difference(value: float | None) -> str:
    return "pads in its own way" if value is None else _tiny(value)


def _tiny(value: float) -> str:
    return f"{value:.0e}" if value else "0"


def _sizes(found: Chapter, passed: list[Layer]) -> None:
    """What the network's strides and paddings do to the sizes of its maps."""
    steps, padded = [], []
    for layer in passed:
        stride, around = (_last(getattr(layer.module, key)) for key in ("stride", "padding"))
        sizes = layer.taken[-1], layer.given[-1]
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
    _claim(
        found, "stride-halves", halves_verdict([*steps, *lesson]),
        f"{halved} of {len(steps)} layers of stride 2 halve exactly; the lesson's pool makes 14 of 28, Sobel 2 of 5",
        "the formula for the size, against torch",
    )  # fmt: skip
    _claim(
        found, "padding-preserves", preserves_verdict([*padded, (5, output_size(5, 3, padding=1))]),
        f"{kept} of {len(padded)} padded layers of stride 1 keep their size; the lesson's 5×5 stays 5×5 with padding 1",
        "without padding the lesson's 5×5 becomes 3×3",
    )  # fmt: skip
    found.numbers["stride_2"] = {"layers": len(steps), "halved": halved}
    found.numbers["padded"] = {"layers": len(padded), "kept": kept}


def _last(value: object) -> object:
    return value[-1] if isinstance(value, tuple) else value


def _dilated(found: Chapter) -> None:
    layers_ = [nn.Conv2d(1, 1, 3, padding=d, dilation=d) for d in (1, 2, 3, 4)]
    boxes = [fields(layer, [Unit("", 7, 7)], (1, 15, 15))[0] for layer in layers_]
    wide, weights = [box.right - box.left for box in boxes], [layer.weight.numel() for layer in layers_]
    found.content.append(
        f"With dilation 1, 2, 3 and 4 a 3×3 kernel covers {', '.join(f'{w}×{w}' for w in wide)} pixels, and it has "
        "nine "
        f"weights each time. The price: it still looks at nine pixels, so at dilation 4 it skips {wide[-1] ** 2 - 9} "
        "of "
        f"the {wide[-1] ** 2} that it covers."
    )
    _claim(
        found, "dilation-widens", widens_verdict(wide, weights),
        f"{', '.join(map(str, wide))} pixels wide with {weights[0]} weights",
        f"without dilation a kernel {wide[-1]} pixels wide has {wide[-1] ** 2} weights",
    )  # fmt: skip
    found.numbers |= {"dilated_fields": wide, "dilated_weights": weights, "undilated_weights": wide[-1] ** 2}


def _learned(found: Chapter) -> None:
    goal, pictures = torch.tensor(SOBEL), speckle()
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
            shown(sheet(shades, len(shades)), "A random kernel becomes the Sobel kernel", scale=16),
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
    _claim(
        found, "kernels-are-learned", learned_verdict(way, flat),
        f"largest error {way.errors[-1]:.0e} after {way.steps[-1]} steps, from {way.errors[0]:.2g} at the start "
        f"(learned: below {ENOUGH:g})",
        f"trained on evenly grey pictures: {flat.errors[-1]:.2g}",
    )  # fmt: skip
    found.numbers["learned"] = {
        "steps": way.steps, "errors": way.errors, "kernels": way.kernels.tolist(), "control_error": flat.errors[-1],
    }  # fmt: skip
