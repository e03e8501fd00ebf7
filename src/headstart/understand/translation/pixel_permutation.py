"""The permutation test: with its pixels in another order, an image is as good as before to whoever ignores space."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.networks.isolation import single_threaded
from headstart.understand.claims import ClaimVerdict
from headstart.understand.statistics import Estimate, bootstrap_mean
from headstart.understand.translation.shifts import shift_images

IMAGE_SIDE = 16
MIN_IMAGES = 40  # images, below which no small network learns enough to lose any of it
MAX_IMAGES = 300  # images: more would only take longer


@dataclass(frozen=True)
class PermutationResult:
    """How often new networks were right on images that they were not trained on, bool (repeats, N) each.

    Args:
        chance: the share of the most frequent class.
        cnn, cnn_permuted: the small convolutional network on the images, and on the permuted ones.
        mlp, mlp_permuted: the fully connected one.
    """

    chance: float
    cnn: Tensor
    cnn_permuted: Tensor
    mlp: Tensor
    mlp_permuted: Tensor

    def accuracy_loss(self, kind: str) -> Tensor:
        """What permuting costs ``"cnn"`` or ``"mlp"``, 1, 0 or −1 for each repeat and image."""
        return getattr(self, kind).double() - getattr(self, f"{kind}_permuted").double()

    def mean_accuracy_loss(self, kind: str) -> Estimate:
        """The loss of accuracy, with its interval over images."""
        return bootstrap_mean(self.accuracy_loss(kind).mean(dim=0))


def permute_pixels(images: Tensor, seed: int = 0) -> Tensor:
    """Every image's pixels in one and the same random order, the channels of a pixel kept together."""
    order = torch.randperm(images.shape[2] * images.shape[3], generator=torch.Generator().manual_seed(seed))
    return images.flatten(2)[:, :, order].view_as(images)


def shift_randomly(images: Tensor, distance: int, seed: int = 0) -> Tensor:
    """Each image moved by a random shift of its own, up to ``distance`` pixels along both axes."""
    draw = torch.Generator().manual_seed(seed)
    shifts = torch.randint(-distance, distance + 1, (len(images), 2), generator=draw).tolist()
    return torch.cat([shift_images(image[None], *shift) for image, shift in zip(images, shifts, strict=True)])


def build_small_cnn(channels: int, classes: int) -> nn.Sequential:
    """Three convolutions and a global maximum: all that it knows of an image it knows by neighbourhoods."""
    return nn.Sequential(
        nn.Conv2d(channels, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1, stride=2), nn.BatchNorm2d(32), nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
        nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(32, classes),
    )  # fmt: skip


def build_small_mlp(channels: int, classes: int) -> nn.Sequential:
    """One hidden layer over all pixels at once."""
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
        images: float32 (N, C, H, W); 300 of them are used, evenly spread, as 16×16.
        labels: int64 (N,).
        distance: by how much each image is moved before that, at random, in pixels of those 16. Where all lie alike,
            a convolutional network can learn the new order by heart; where they do not, it must look for a pattern.
        repeats: trainings of each, from different weights.
    """
    some = torch.linspace(0, len(images) - 1, min(MAX_IMAGES, len(images))).round().long()
    images, labels = (
        shift_randomly(F.interpolate(images[some], (IMAGE_SIDE, IMAGE_SIDE), mode="area"), distance, seed),
        labels[some],
    )
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    train, test = order[: len(order) // 2], order[len(order) // 2 :]
    classes = int(labels.max()) + 1

    def right(build: Callable[[int, int], nn.Module], pixels: Tensor) -> Tensor:
        rows = []
        for repeat in range(repeats):
            torch.manual_seed(seed + repeat)
            network = build(images.shape[1], classes)
            _train(network, pixels[train], labels[train], epochs)
            with torch.no_grad():
                rows.append(network.eval()(pixels[test]).argmax(dim=1) == labels[test])
        return torch.stack(rows)

    mixed = permute_pixels(images, seed)
    with single_threaded(), torch.enable_grad():
        return PermutationResult(
            float(labels[test].bincount().max()) / len(test),
            right(build_small_cnn, images), right(build_small_cnn, mixed), right(build_small_mlp, images), right(build_small_mlp, mixed),
        )  # fmt: skip


def _train(network: nn.Module, images: Tensor, labels: Tensor, epochs: int, batch: int = 32) -> None:
    steps = epochs * -(-len(images) // batch)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=1e-2, total_steps=steps)
    for _ in range(epochs):
        for some in torch.randperm(len(images)).chunk(-(-len(images) // batch)):
            optimiser.zero_grad()
            F.cross_entropy(network(images[some]), labels[some]).backward()
            optimiser.step()
            schedule.step()


def permutation_verdict(result: PermutationResult) -> ClaimVerdict:
    """Whether a fully connected network ignores where pixels lie, as a convolutional one cannot.

    Holds where permuting costs the convolutional network accuracy for sure and more, for sure, than the fully
    connected one; fails where it costs that one something for sure, and not surely less; depends where these images
    do not tell; not measured where the convolutional network did not even learn the plain images.
    """
    if bootstrap_mean(result.cnn.double().mean(dim=0)).low <= result.chance:
        return "not measured"
    excess = bootstrap_mean((result.accuracy_loss("cnn") - result.accuracy_loss("mlp")).mean(dim=0))
    if result.mean_accuracy_loss("cnn").low > 0 and excess.low > 0:
        return "holds"
    return "fails" if result.mean_accuracy_loss("mlp").low > 0 else "depends"
