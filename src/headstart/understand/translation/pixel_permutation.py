"""The permutation test: permuting the pixels of all images costs a convolutional network, not a fully connected one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.networks.isolation import single_threaded
from headstart.understand.claims import ClaimVerdict
from headstart.understand.decision import decide_by
from headstart.understand.statistics import Estimate, bootstrap_mean
from headstart.understand.translation.shifts import shift_images

IMAGE_SIDE = 16
MIN_IMAGES = 40  # with fewer, a small network learns too little to lose any
MAX_IMAGES = 300  # more would only take longer
PERMUTATION_BATCH_SIZE = 32
LEARNING_RATE = 1e-2


@dataclass(frozen=True)
class PermutationResult:
    """Which held-out images new networks classified correctly, bool (repeats, N) each.

    Args:
        chance: share of the most frequent class.
        cnn, cnn_permuted: the small convolutional network on plain and on permuted images.
        mlp, mlp_permuted: the fully connected network.
    """

    chance: float
    cnn: Tensor
    cnn_permuted: Tensor
    mlp: Tensor
    mlp_permuted: Tensor

    def accuracy_loss(self, kind: Literal["cnn", "mlp"]) -> Tensor:
        """The loss by permuting, 1, 0 or −1 for each repeat and image, float64 (repeats, N)."""
        plain, permuted = (self.cnn, self.cnn_permuted) if kind == "cnn" else (self.mlp, self.mlp_permuted)
        return plain.double() - permuted.double()

    def mean_accuracy_loss(self, kind: Literal["cnn", "mlp"]) -> Estimate:
        """The loss of accuracy by permuting, with its interval over images."""
        return bootstrap_mean(self.accuracy_loss(kind).mean(dim=0))


def permute_pixels(images: Tensor, seed: int = 0) -> Tensor:
    """Images (N, C, H, W) with their pixels in one random order for all; a pixel's channels stay together."""
    order = torch.randperm(images.shape[2] * images.shape[3], generator=torch.Generator().manual_seed(seed))
    return images.flatten(2)[:, :, order].view_as(images)


def shift_randomly(images: Tensor, distance: int, seed: int = 0) -> Tensor:
    """Each image shifted by its own random shift of up to ``distance`` pixels along both axes."""
    generator = torch.Generator().manual_seed(seed)
    shifts = torch.randint(-distance, distance + 1, (len(images), 2), generator=generator).tolist()
    return torch.cat([shift_images(image[None], *shift) for image, shift in zip(images, shifts, strict=True)])


def build_small_cnn(channels: int, classes: int) -> nn.Sequential:
    """Three convolutions and a global maximum, which use neighborhoods alone."""
    return nn.Sequential(
        nn.Conv2d(channels, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1, stride=2),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(32, classes),
    )


def build_small_mlp(channels: int, classes: int) -> nn.Sequential:
    """One hidden layer over all pixels."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(channels * IMAGE_SIDE * IMAGE_SIDE, 64),
        nn.BatchNorm1d(64),
        nn.ReLU(),
        nn.Linear(64, classes),
    )


def run_permutation_test(
    images: Tensor, labels: Tensor, distance: int = 0, repeats: int = 2, epochs: int = 20, seed: int = 0
) -> PermutationResult:
    """Trains both networks on half of the images, plain and permuted, and tests them on the other half.

    Args:
        images: float32 (N, C, H, W); ``MAX_IMAGES`` of them, evenly spaced, are used at 16×16 pixels.
        labels: int64 (N,).
        distance: largest random shift of each image before permuting, in pixels of 16. At 0, a convolutional network
            can memorize the permuted order; with shifts it has to find a pattern.
        repeats: trainings of each network, from different weights.
        epochs: of each training.
        seed: of shifts, split, order and weights.
    """
    indices = torch.linspace(0, len(images) - 1, min(MAX_IMAGES, len(images))).round().long()
    resized = F.interpolate(images[indices], (IMAGE_SIDE, IMAGE_SIDE), mode="area")
    images, labels = shift_randomly(resized, distance, seed), labels[indices]
    permuted = permute_pixels(images, seed)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    train, test = order[: len(order) // 2], order[len(order) // 2 :]
    classes = int(labels.max()) + 1

    def test_network(build_network: Callable[[int, int], nn.Module], pixels: Tensor) -> Tensor:
        correct = []
        for repeat in range(repeats):
            torch.manual_seed(seed + repeat)
            network = build_network(images.shape[1], classes)
            _train(network, pixels[train], labels[train], epochs)
            with torch.no_grad():
                correct.append(network.eval()(pixels[test]).argmax(dim=1) == labels[test])
        return torch.stack(correct)

    with single_threaded(), torch.enable_grad():
        return PermutationResult(
            chance=float(labels[test].bincount().max()) / len(test),
            cnn=test_network(build_small_cnn, images),
            cnn_permuted=test_network(build_small_cnn, permuted),
            mlp=test_network(build_small_mlp, images),
            mlp_permuted=test_network(build_small_mlp, permuted),
        )


def _train(network: nn.Module, images: Tensor, labels: Tensor, epochs: int) -> None:
    num_batches = -(-len(images) // PERMUTATION_BATCH_SIZE)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=LEARNING_RATE, total_steps=epochs * num_batches)
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).chunk(num_batches):
            optimizer.zero_grad()
            F.cross_entropy(network(images[batch]), labels[batch]).backward()
            optimizer.step()
            schedule.step()


def permutation_verdict(result: PermutationResult) -> ClaimVerdict:
    """The verdict on the claim that a fully connected network ignores where pixels lie, unlike a convolutional one.

    Holds where permuting costs the convolutional network accuracy and costs it more than the fully connected one.
    Fails where it costs the fully connected one accuracy, and not less than the convolutional one. Not measured where
    the convolutional network did not learn the plain images.
    """
    if bootstrap_mean(result.cnn.double().mean(dim=0)).low <= result.chance:
        return "not measured"
    excess = bootstrap_mean((result.accuracy_loss("cnn") - result.accuracy_loss("mlp")).mean(dim=0))
    holds = result.mean_accuracy_loss("cnn").low > 0 and excess.low > 0
    return decide_by(holds=holds, fails=not holds and result.mean_accuracy_loss("mlp").low > 0)
