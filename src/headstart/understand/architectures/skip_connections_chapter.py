"""The arc from LeNet to ResNet: what depth is worth with skip connections and without, on the subject's images."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from headstart.networks.copying import clone_network
from headstart.networks.isolation import single_threaded
from headstart.reporting.charts import PALETTE, render_svg
from headstart.understand.architectures import skip_connections
from headstart.understand.claims import Chapter, Claim, ClaimVerdict, Picture, Table
from headstart.understand.statistics import Estimate
from headstart.understand.subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CLAIMS = {
    "deeper-is-worse-without-skips": "Without skip connections a deeper network trains worse than a shallower one.",
    "skips-make-depth-harmless": "With skip connections more depth does no harm.",
    "only-skips-keep-gradients": "It takes skip connections to keep the gradients of a deep network even.",
}
SHALLOW, DEEP = 20, 44  # two of the depths of He et al. 2016, section 4.2
SIDE = 8  # pixels of a side at most: so fifteen short trainings take some fifteen seconds
IMAGES = 256
STEPS = 40
SEEDS = 3  # that are trained
GRADIENT_SEEDS = 8  # seeds whose first gradients are looked at: those take no training
DASHES = ("--", ":", "-", "-.")
NetworkKind = tuple[bool, bool, int]  # skips, BatchNorm, depth
KINDS: list[NetworkKind] = [(False, True, SHALLOW), (False, True, DEEP), (True, True, SHALLOW), (True, True, DEEP)]
KINDS += [(True, False, DEEP)]
VERDICT_TEXTS = {
    "deeper-is-worse-without-skips": {
        "holds": "Without skips the deeper network trains worse, although it could do all that the shallower one does: "
        "its further layers would only have to pass on what they get.",
        "depends": "Whether the deeper network trains worse for the want of skips is not sure here: so few steps on "
        "these images do not tell the two apart, or with skips depth may do as much harm.",
        "fails": "Even without skips the deeper network trains as well as the shallower one here.",
    },
    "skips-make-depth-harmless": {
        "holds": "With skips the deeper network trains as well as the shallower one, and needs no BatchNorm for that.",
        "depends": "Skips are not enough for that by themselves, or the steps are too few to be sure; the table shows "
        "which. A block adds to what it gets: without BatchNorm the numbers grow from block to block until they burst.",
        "fails": "In so few steps the deeper network trains worse here in spite of its skips.",
    },
    "only-skips-keep-gradients": {
        "holds": "BatchNorm alone does not keep the gradients even: without skips some layers are pulled far more "
        "than others, at both depths.",
        "depends": "The depth decides, or the seeds differ too much to be sure; the table shows which. Where BatchNorm "
        "alone does not keep the gradients even, they do not vanish at first: they grow a little in each layer on "
        "their way back to the image, and a little many times is much. After some steps of training that is another "
        "matter, as the table shows.",
        "fails": "BatchNorm alone keeps the gradients even here, or they are uneven with skips too: skips are not what "
        "makes the difference.",
    },
}


def build_arc_chapter(subject: Subject, report_progress: Callable[[str], None]) -> Chapter:
    """Small networks with and without skips, trained for a moment on the subject's images."""
    images, labels = _downsample_images(subject)
    told = Chapter("arc", "From LeNet to ResNet: depth and skip connections")
    told.content.append(
        "LeNet (1998) showed that convolutions can be learned, AlexNet (2012) that they scale, ResNet (2015) that a "
        "network can be very deep. What made the last step? Here small networks are built to find out, the same in all "
        f"but one thing at a time: {SHALLOW} or {DEEP} layers, with or without skip connections (the input of each "
        "block of two layers is added to its output), with or without BatchNorm (each map is brought to mean 0 and "
        "spread 1 over the batch). Skips add no weights, so two networks of one depth have equally many. The same "
        "seed gives them the same first weights and the same images in the same order; the images are yours, "
        f"averaged down to {images.shape[2]}×{images.shape[3]} pixels."
    )
    if len(labels.unique()) < 2:
        told.content.append("All images have one label here, so there is nothing to learn from them.")
        told.claims += [_build_unmeasured_claim(name, "give images of two classes or more") for name in VERDICT_TEXTS]
    else:
        with single_threaded():
            _compare_depths(told, images, labels, report_progress)
    return told


def _downsample_images(subject: Subject) -> tuple[Tensor, Tensor]:
    """The first images, averaged down, and their labels counted from 0: the network's own where nobody gave any."""
    images = subject.images[:IMAGES]
    if subject.labels is None:
        network = clone_network(subject.network)
        with torch.no_grad():
            labels = torch.cat([network(some).argmax(dim=1) for some in images.split(32)])
    else:
        labels = subject.labels[:IMAGES]
    if max(images.shape[2:]) > SIDE:
        images = F.adaptive_avg_pool2d(images, SIDE)
    return images, labels.unique(return_inverse=True)[1]


def _compare_depths(told: Chapter, images: Tensor, labels: Tensor, tell: Callable[[str], None]) -> None:
    classes = int(labels.max()) + 1
    pulls, later = {}, {}
    losses: dict[NetworkKind, list[list[float]]] = {}
    for kind in KINDS:
        skips, norm, layers = kind
        nets = [
            skip_connections.build_cifar_resnet(layers, skips, norm, images.shape[1], classes, seed)
            for seed in range(GRADIENT_SEEDS)
        ]
        pulls[kind] = [skip_connections.relative_gradient_norms(net, images[:64], labels[:64]) for net in nets]
        nets = nets[:SEEDS]
        losses[kind] = []
        for seed, net in enumerate(nets):
            tell(f"{layers} layers {_format_kind(skips, norm)}: {STEPS} steps of training, {seed + 1} of {SEEDS} times")
            losses[kind].append(skip_connections.train_network(net, images, labels, STEPS, seed))
        later[kind] = _gradient_ratio_over_seeds(
            [skip_connections.relative_gradient_norms(net, images[:64], labels[:64]) for net in nets]
        )
    ends = {kind: [skip_connections.final_loss(run, classes) for run in runs] for kind, runs in losses.items()}
    uneven = {kind: _gradient_ratio_over_seeds(runs) for kind, runs in pulls.items()}
    above = {
        "plain": skip_connections.paired_difference(ends[False, True, SHALLOW], ends[False, True, DEEP]),
        "skips": skip_connections.paired_difference(ends[True, True, SHALLOW], ends[True, True, DEEP]),
        "without_batch_norm": skip_connections.paired_difference(ends[True, True, DEEP], ends[True, False, DEEP]),
        "plain_beyond_skips": skip_connections.paired_difference(
            *(_depth_penalty(ends, skips) for skips in (True, False))
        ),
    }
    told.claims += _build_claims(ends, above, uneven, classes)
    told.content += [
        Picture(
            _render_losses(losses),
            f"Training loss with BatchNorm, the mean of {SEEDS} seeds; lower is better. It is the loss on the "
            "images that a network trains on: where it stays high the network does not overfit, it cannot be trained.",
        ),
        Picture(
            _render_gradients(pulls),
            f"How strongly the loss pulls at each of {DEEP - 1} convolutions before any training: the size of the "
            f"gradient relative to that of the weights, the median of {GRADIENT_SEEDS} seeds. On a flat line all layers "
            "can learn at one rate.",
        ),
        Table(
            f"The strongest pull at a layer as a multiple of the weakest, before and after the {STEPS} steps, the mean "
            f"over seeds with its 95 % interval, and the loss reached, in nats (guessing is {np.log(classes):.2f})",
            ("network", "layers", "strongest / weakest", "after", "loss reached"),
            [
                (
                    _format_kind(*kind[:2]),
                    kind[2],
                    _format_ratio(uneven[kind]),
                    _format_ratio(later[kind]),
                    f"{np.mean(ends[kind]):.2f}",
                )
                for kind in KINDS
            ],
        ),
        *(VERDICT_TEXTS[claim.name][claim.verdict] for claim in told.claims),
    ]
    told.numbers |= {"layers": [SHALLOW, DEEP], "guessing": float(np.log(classes))}
    told.numbers["loss_above"] = {what: one.to_json() for what, one in above.items()}
    told.numbers["depth"] = [
        {
            "skips": s,
            "batch_norm": n,
            "layers": d,
            "losses": [[_finite_or_none(loss) for loss in run] for run in losses[s, n, d]],
            "losses_reached": ends[s, n, d],
            "loss_reached": float(np.mean(ends[s, n, d])),
            "unevenness": uneven[s, n, d].to_json(),
            "unevenness_after": later[s, n, d].to_json(),
            "pulls": [[_finite_or_none(pull) for pull in run] for run in pulls[s, n, d]],
        }
        for s, n, d in KINDS
    ]


def _gradient_ratio_over_seeds(runs: list[list[float]]) -> Estimate:
    return skip_connections.gradient_ratio_interval([skip_connections.gradient_ratio(pulls) for pulls in runs])


def _depth_penalty(ends: dict[NetworkKind, list[float]], skips: bool) -> list[float]:
    """Loss of the deeper network above that of the shallower one, seed by seed."""
    return [deep - shallow for shallow, deep in zip(ends[skips, True, SHALLOW], ends[skips, True, DEEP], strict=True)]


def _build_claims(
    ends: dict[NetworkKind, list[float]],
    differences: dict[str, Estimate],
    uneven: dict[NetworkKind, Estimate],
    classes: int,
) -> list[Claim]:
    plain, skipped, alone, beyond = differences.values()
    learned = {
        skips: skip_connections.is_below_chance_loss(ends[skips, True, SHALLOW], classes) for skips in (False, True)
    }
    even = {skips: [uneven[skips, True, layers] for layers in (SHALLOW, DEEP)] for skips in (False, True)}
    above = f"{DEEP} layers end {{:+.2f}} nats above {SHALLOW}"
    return [
        _build_claim(
            "deeper-is-worse-without-skips",
            skip_connections.depth_without_skips_verdict(plain, beyond, learned[False]),
            above.format(plain.value),
            f"with skips {skipped.value:+.2f}; without them {beyond.format_decimal()} more",
            (plain.low, plain.high),
        ),
        _build_claim(
            "skips-make-depth-harmless",
            skip_connections.depth_with_skips_verdict(skipped, alone, learned[True]),
            above.format(skipped.value),
            f"{DEEP} layers without BatchNorm end {alone.value:+.2f} nats above {DEEP} with it",
            (skipped.low, skipped.high),
        ),
        _build_claim(
            "only-skips-keep-gradients",
            skip_connections.gradient_ratio_verdict(even[False], even[True]),
            f"before training, without skips, a factor of {_format_ratio(even[False][0])} between the layers of {SHALLOW}, "
            f"{_format_ratio(even[False][1])} between those of {DEEP}",
            f"with skips {_format_ratio(even[True][0])} and {_format_ratio(even[True][1])}",
        ),
    ]


def _render_losses(losses: dict[NetworkKind, list[list[float]]]) -> str:
    def draw(axes: "Axes") -> None:
        for i, (skips, norm, layers) in enumerate(kind for kind in KINDS if kind[1]):
            mean = np.mean(losses[skips, norm, layers], axis=0)
            name = f"{layers} layers, {'with skips' if skips else 'plain'}"
            axes.plot(range(1, len(mean) + 1), mean, DASHES[i], color=PALETTE[i], label=name)
        axes.set_xlabel("step of training")
        axes.set_ylabel("training loss, nats")
        axes.legend(frameon=False)

    return render_svg(
        "arc-losses",
        draw,
        f"Training loss against steps for {SHALLOW} and {DEEP} layers, plain and with skips. The losses reached are in "
        "the table below.",
    )


def _render_gradients(pulls: dict[NetworkKind, list[list[float]]]) -> str:
    deep = [kind for kind in KINDS if kind[2] == DEEP]

    def draw(axes: "Axes") -> None:
        for i, (skips, norm, layers) in enumerate(deep):
            median = np.median(pulls[skips, norm, layers], axis=0)
            axes.plot(range(1, len(median) + 1), median, DASHES[i], color=PALETTE[i], label=_format_kind(skips, norm))
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, position: f"{value:g}")
        axes.yaxis.set_minor_formatter(lambda value, position: "")
        axes.set_xlabel("convolution, from the image to the output")
        axes.set_ylabel("pull of the loss")
        axes.legend(frameon=False)

    return render_svg(
        "arc-pulls",
        draw,
        f"Size of the gradient at each convolution of {DEEP} layers, on a logarithmic scale, for three kinds of "
        "networks. How uneven each is stands in the table below.",
    )


def _build_claim(
    name: str, verdict: ClaimVerdict, value: str, control: str, interval: tuple[float, float] | None = None
) -> Claim:
    return Claim(name, CLAIMS[name], verdict, value.replace("-", "−"), control.replace("-", "−"), interval)


def _build_unmeasured_claim(name: str, mend: str) -> Claim:
    return Claim(name, CLAIMS[name], "not measured", command=mend)


def _format_kind(skips: bool, norm: bool) -> str:
    if skips:
        return "skips and BatchNorm" if norm else "skips alone"
    return "BatchNorm alone"


def _format_ratio(found: Estimate) -> str:
    """A factor with its interval, in two digits or in all before the point."""
    if found.value > skip_connections.MAX_RATIO / 2:
        return "∞"
    middle, low, high = (f"{value:,.0f}" if value >= 10 else f"{value:.2g}" for value in found)
    return f"{middle} ({low} to {high})"


def _finite_or_none(value: float) -> float | None:
    """JSON knows no infinity."""
    return value if np.isfinite(value) else None
