"""The chapter on depth and skip connections: small networks trained briefly on the subject's images."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from headstart.networks.copying import clone_network
from headstart.networks.isolation import single_threaded
from headstart.reporting.charts import PALETTE, ChartLine, render_line_chart
from headstart.understand.architectures.skip_connections import (
    MAX_RATIO,
    build_cifar_resnet,
    depth_with_skips_verdict,
    depth_without_skips_verdict,
    final_loss,
    gradient_ratio,
    gradient_ratio_interval,
    gradient_ratio_verdict,
    is_below_chance_loss,
    paired_difference,
    relative_gradient_norms,
    train_network,
)
from headstart.understand.claims import Chapter, Picture, Table
from headstart.understand.statistics import Estimate
from headstart.understand.subject import Subject

SKIP_CONNECTION_CLAIMS = {
    "deeper-is-worse-without-skips": "Without skip connections a deeper network trains worse than a shallower one.",
    "skips-make-depth-harmless": "With skip connections more depth does no harm.",
    "only-skips-keep-gradients": "It takes skip connections to keep the gradients of a deep network even.",
}
DASHES = ("--", ":", "-", "-.")
GRADIENT_IMAGES = 64
INTRODUCTION = (
    "LeNet (1998) showed that convolutions can be learned, AlexNet (2012) that they scale, ResNet (2015) that a "
    "network can be very deep. What made the last step? Here small networks differ in one thing at a time: {shallow} "
    "or {deep} layers, with or without skip connections (the input of each block of two layers is added to its "
    "output), with or without BatchNorm (each map is normalized to mean 0 and spread 1 over the batch). Skips add no "
    "weights, so two networks of one depth have equally many. One seed gives them the same first weights and the same "
    "images in the same order; the images are yours, averaged down to {height}×{width} pixels."
)
VERDICT_TEXTS = {
    "deeper-is-worse-without-skips": {
        "holds": "Without skips the deeper network trains worse, although it could compute all that the shallower one "
        "does: its further layers would only have to pass on their input.",
        "depends": "Whether the deeper network trains worse for lack of skips is not sure here: so few steps on these "
        "images do not separate the two, or depth may do as much harm with skips.",
        "fails": "Even without skips the deeper network trains as well as the shallower one here.",
    },
    "skips-make-depth-harmless": {
        "holds": "With skips the deeper network trains as well as the shallower one, and needs no BatchNorm for that.",
        "depends": "Skips alone are not enough for that, or the steps are too few to be sure; the table shows which. A "
        "block adds to its input: without BatchNorm the numbers grow from block to block until they overflow.",
        "fails": "In so few steps the deeper network trains worse here in spite of its skips.",
    },
    "only-skips-keep-gradients": {
        "holds": "BatchNorm alone does not keep the gradients even: without skips some layers have far larger "
        "gradients than others, at both depths.",
        "depends": "The depth decides, or the seeds differ too much to be sure; the table shows which. Where BatchNorm "
        "alone does not keep the gradients even, they do not vanish at first: they grow a little in each layer on "
        "their way back to the image, and many small factors make a large one. After some steps of training that is "
        "different, as the table shows.",
        "fails": "BatchNorm alone keeps the gradients even here, or they are uneven with skips too: skips do not make "
        "the difference.",
    },
}


class NetworkKind(NamedTuple):
    """A kind of network to train: with skips or not, with BatchNorm or not, of a depth."""

    skips: bool
    batch_norm: bool
    depth: int

    @property
    def name(self) -> str:
        if self.skips:
            return "skips and BatchNorm" if self.batch_norm else "skips alone"
        return "BatchNorm alone"


@dataclass(frozen=True)
class DepthExperiment:
    """The size of the experiment; its default trains fifteen networks in about fifteen seconds.

    Args:
        shallow, deep: two depths of He et al. 2016, section 4.2.
        max_side: height and width of the images, pixels.
        num_images: at most.
        steps: of each training.
        num_seeds: that are trained.
        num_gradient_seeds: whose gradients are measured before training.

    Example:
        >>> DepthExperiment(shallow=8, deep=14, steps=2).kinds[0]
        NetworkKind(skips=False, batch_norm=True, depth=8)
    """

    shallow: int = 20
    deep: int = 44
    max_side: int = 8
    num_images: int = 256
    steps: int = 40
    num_seeds: int = 3
    num_gradient_seeds: int = 8

    @property
    def kinds(self) -> list[NetworkKind]:
        """Both depths with and without skips, and the deep network with skips alone."""
        pairs = [(skips, depth) for skips in (False, True) for depth in (self.shallow, self.deep)]
        return [*(NetworkKind(skips, True, depth) for skips, depth in pairs), NetworkKind(True, False, self.deep)]


@dataclass(frozen=True)
class DepthResults:
    """Measurements of each kind of network.

    Args:
        losses: of each step, nats, by seed.
        final_losses: nats, by seed.
        gradient_norms: before training, of each convolution, by seed.
        ratios: of the largest gradient norm to the smallest, before training.
        ratios_after: the same after training.
        num_classes: of the labels.
    """

    losses: dict[NetworkKind, list[list[float]]]
    final_losses: dict[NetworkKind, list[float]]
    gradient_norms: dict[NetworkKind, list[list[float]]]
    ratios: dict[NetworkKind, Estimate]
    ratios_after: dict[NetworkKind, Estimate]
    num_classes: int


def build_skip_connections_chapter(
    subject: Subject,
    report_progress: Callable[[str], None],
    experiment: DepthExperiment = DepthExperiment(),  # frozen
) -> Chapter:
    """Small networks with and without skips, trained briefly on the subject's images."""
    chapter = Chapter(
        "skip_connections", "From LeNet to ResNet: depth and skip connections", sentences=SKIP_CONNECTION_CLAIMS
    )
    images, labels = _downsample_images(subject, experiment)
    height, width = images.shape[2:]
    chapter.content.append(
        INTRODUCTION.format(shallow=experiment.shallow, deep=experiment.deep, height=height, width=width)
    )
    if len(labels.unique()) < 2:
        chapter.content.append("All images have one label here, so there is nothing to learn from them.")
        chapter.add_unmeasured("", command="give images of two classes or more")
        return chapter
    with single_threaded():
        results = _run_experiment(experiment, images, labels, report_progress)
    _add_claims(chapter, experiment, results)
    chapter.content += [
        Picture(
            _render_losses(experiment, results),
            f"Training loss with BatchNorm, the mean of {experiment.num_seeds} seeds; lower is better. It is the loss "
            "on the training images: where it stays high the network does not overfit, it cannot be trained.",
        ),
        Picture(
            _render_gradients(experiment, results),
            f"Relative gradient norm at each of {experiment.deep - 1} convolutions before training: the norm of the "
            f"gradient divided by that of the weights, the median of {experiment.num_gradient_seeds} seeds. On a flat "
            "line all layers can learn at one rate.",
        ),
        _build_table(experiment, results),
        *(VERDICT_TEXTS[claim.name][claim.verdict] for claim in chapter.claims),
    ]
    chapter.numbers["depth"] = [_kind_to_json(kind, results) for kind in experiment.kinds]
    return chapter


def _downsample_images(subject: Subject, experiment: DepthExperiment) -> tuple[Tensor, Tensor]:
    """The first images, averaged down, and labels from 0: the network's own predictions for unlabeled images."""
    images = subject.images[: experiment.num_images]
    if subject.labels is None:
        network = clone_network(subject.network)
        with torch.no_grad():
            labels = torch.cat([network(batch).argmax(dim=1) for batch in images.split(32)])
    else:
        labels = subject.labels[: experiment.num_images]
    if max(images.shape[2:]) > experiment.max_side:
        images = F.adaptive_avg_pool2d(images, experiment.max_side)
    return images, labels.unique(return_inverse=True)[1]


def _run_experiment(
    experiment: DepthExperiment, images: Tensor, labels: Tensor, report_progress: Callable[[str], None]
) -> DepthResults:
    num_classes = int(labels.max()) + 1
    results = DepthResults({}, {}, {}, {}, {}, num_classes)
    first_images, first_labels = images[:GRADIENT_IMAGES], labels[:GRADIENT_IMAGES]
    for kind in experiment.kinds:
        networks = [
            build_cifar_resnet(kind.depth, kind.skips, kind.batch_norm, images.shape[1], num_classes, seed)
            for seed in range(experiment.num_gradient_seeds)
        ]
        norms = [relative_gradient_norms(network, first_images, first_labels) for network in networks]
        networks = networks[: experiment.num_seeds]
        losses = []
        for seed, network in enumerate(networks):
            run = f"{seed + 1} of {experiment.num_seeds}"
            report_progress(f"{kind.depth} layers, {kind.name}: {experiment.steps} training steps, run {run}")
            losses.append(train_network(network, images, labels, experiment.steps, seed))
        norms_after = [relative_gradient_norms(network, first_images, first_labels) for network in networks]
        results.losses[kind] = losses
        results.final_losses[kind] = [final_loss(run_losses, num_classes) for run_losses in losses]
        results.gradient_norms[kind] = norms
        results.ratios[kind] = gradient_ratio_interval([gradient_ratio(run_norms) for run_norms in norms])
        results.ratios_after[kind] = gradient_ratio_interval([gradient_ratio(run_norms) for run_norms in norms_after])
    return results


def _add_claims(chapter: Chapter, experiment: DepthExperiment, results: DepthResults) -> None:
    """Adds the claims and their figures."""
    final, shallow, deep = results.final_losses, experiment.shallow, experiment.deep
    pairs = {s: (final[NetworkKind(s, True, shallow)], final[NetworkKind(s, True, deep)]) for s in (False, True)}
    without_skips, with_skips = (paired_difference(*pairs[skips]) for skips in (False, True))
    without_norm = paired_difference(final[NetworkKind(True, True, deep)], final[NetworkKind(True, False, deep)])
    penalties = {skips: [b - a for a, b in zip(*pair, strict=True)] for skips, pair in pairs.items()}
    excess = paired_difference(penalties[True], penalties[False])
    has_learned = {skips: is_below_chance_loss(pair[0], results.num_classes) for skips, pair in pairs.items()}
    chapter.add_claim(
        "deeper-is-worse-without-skips",
        depth_without_skips_verdict(without_skips, excess, has_learned[False]),
        f"{deep} layers end {_format_nats(without_skips)} nats above {shallow}",
        f"with skips {_format_nats(with_skips)}; without them {excess.format_decimal()} more",
        (without_skips.low, without_skips.high),
    )
    chapter.add_claim(
        "skips-make-depth-harmless",
        depth_with_skips_verdict(with_skips, without_norm, has_learned[True]),
        f"{deep} layers end {_format_nats(with_skips)} nats above {shallow}",
        f"{deep} layers without BatchNorm end {_format_nats(without_norm)} nats above {deep} with it",
        (with_skips.low, with_skips.high),
    )
    ratios = {s: [results.ratios[NetworkKind(s, True, depth)] for depth in (shallow, deep)] for s in (False, True)}
    chapter.add_claim(
        "only-skips-keep-gradients",
        gradient_ratio_verdict(ratios[False], ratios[True]),
        f"before training, without skips, gradient norms differ by a factor of {_format_ratio(ratios[False][0])} "
        f"between the layers of {shallow}, {_format_ratio(ratios[False][1])} between those of {deep}",
        f"with skips {_format_ratio(ratios[True][0])} and {_format_ratio(ratios[True][1])}",
    )
    chapter.numbers |= {
        "layers": [shallow, deep],
        "guessing": math.log(results.num_classes),
        "loss_above": {
            "plain": without_skips.to_json(),
            "skips": with_skips.to_json(),
            "without_batch_norm": without_norm.to_json(),
            "plain_beyond_skips": excess.to_json(),
        },
    }


def _build_table(experiment: DepthExperiment, results: DepthResults) -> Table:
    return Table(
        f"The largest gradient norm of a layer divided by the smallest, before and after the {experiment.steps} steps, "
        "mean over seeds with 95 % interval, and the final loss in nats (chance is "
        f"{math.log(results.num_classes):.2f})",
        ("network", "layers", "largest / smallest", "after", "final loss"),
        [
            (
                kind.name,
                kind.depth,
                _format_ratio(results.ratios[kind]),
                _format_ratio(results.ratios_after[kind]),
                f"{np.mean(results.final_losses[kind]):.2f}",
            )
            for kind in experiment.kinds
        ],
    )


def _kind_to_json(kind: NetworkKind, results: DepthResults) -> dict[str, object]:
    return {
        "skips": kind.skips,
        "batch_norm": kind.batch_norm,
        "layers": kind.depth,
        "losses": results.losses[kind],
        "losses_reached": results.final_losses[kind],
        "loss_reached": float(np.mean(results.final_losses[kind])),
        "unevenness": results.ratios[kind].to_json(),
        "unevenness_after": results.ratios_after[kind].to_json(),
        "pulls": results.gradient_norms[kind],
    }


def _render_losses(experiment: DepthExperiment, results: DepthResults) -> str:
    kinds = [kind for kind in experiment.kinds if kind.batch_norm]
    lines = [
        ChartLine(
            range(1, experiment.steps + 1),
            np.mean(results.losses[kind], axis=0).tolist(),
            f"{kind.depth} layers, {'with skips' if kind.skips else 'plain'}",
            DASHES[i],
            PALETTE[i],
        )
        for i, kind in enumerate(kinds)
    ]
    return render_line_chart(
        "depth-losses",
        lines,
        f"Training loss by step for {experiment.shallow} and {experiment.deep} layers, plain and with skips. The final "
        "losses are in the table below.",
        x_label="training step",
        y_label="training loss, nats",
    )


def _render_gradients(experiment: DepthExperiment, results: DepthResults) -> str:
    lines = []
    for i, kind in enumerate(kind for kind in experiment.kinds if kind.depth == experiment.deep):
        median = np.median(results.gradient_norms[kind], axis=0).tolist()
        lines.append(ChartLine(range(1, len(median) + 1), median, kind.name, DASHES[i], PALETTE[i]))
    return render_line_chart(
        "depth-gradients",
        lines,
        f"Relative gradient norm at each convolution of {experiment.deep} layers, on a logarithmic scale, for three "
        "kinds of networks. The ratios are in the table below.",
        x_label="convolution, from the image to the output",
        y_label="relative gradient norm",
        log_y=True,
    )


def _format_nats(difference: Estimate) -> str:
    return f"{difference.value:+.2f}".replace("-", "−")


def _format_ratio(ratio: Estimate) -> str:
    """A ratio with its interval, with two significant digits or all digits before the point."""
    if ratio.value > MAX_RATIO / 2:
        return "∞"
    value, low, high = (f"{number:,.0f}" if number >= 10 else f"{number:.2g}" for number in ratio)
    return f"{value} ({low} to {high})"
