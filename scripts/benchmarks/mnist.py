"""An epoch of the lesson's CNN on MNIST: Headstart, a bare loop in memory, and torchvision's customary pipeline."""

import time
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import VisionDataset

from benchmarks.epoch_timer import EpochTimer, build_trainer
from benchmarks.measure import Figure, compare, describe, time_in_turn
from headstart.data import MNISTDataModule
from headstart.models import ScratchCNN

BATCH_SIZE = 128


class DecodedMNIST(VisionDataset):
    """What torchvision's MNIST does with each image: an array becomes a PIL image, which the transform takes."""

    def __init__(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        steps = [transforms.ToTensor(), transforms.Normalize((0.13,), (0.31,))]
        super().__init__(transform=transforms.Compose(steps))
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = transforms.functional.to_pil_image(self.images[index, 0].numpy(), mode="L")
        return self.transform(image), int(self.labels[index])


class CustomaryModule(L.LightningModule):
    """The network in a LightningModule as tutorials write it."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        images, labels = batch
        loss = F.cross_entropy(self.network(images), labels)
        self.log("train/loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def measure_mnist(repeats: int, root: str | None) -> list[Figure]:
    """An epoch of 48,000 images in batches of 128, without augmentation."""
    data = MNISTDataModule(root=root)
    data.prepare_data()
    data.setup("fit")
    train = data.source.split.train
    images = torch.from_numpy(data.source.read_pixels(train).copy())
    labels = torch.from_numpy(data.source.catalog.labels[train])

    def build_model() -> ScratchCNN:
        torch.manual_seed(0)
        return ScratchCNN(data.spec, augment=None, epochs=1)

    def time_loop() -> float:
        model = build_model()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
        start = time.perf_counter()
        for batch in torch.randperm(len(images)).split(BATCH_SIZE):
            optimizer.zero_grad()
            F.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()
        return time.perf_counter() - start

    def time_trainer(module: L.LightningModule, loader: Any) -> float:
        timer = EpochTimer()
        build_trainer(1, timer).fit(module, loader)
        return timer.seconds

    def time_customary() -> float:
        loader = DataLoader(DecodedMNIST(images, labels), batch_size=BATCH_SIZE, shuffle=True)
        return time_trainer(CustomaryModule(build_model().network), loader)

    functions = {
        "bare loop": time_loop,
        "Headstart": lambda: time_trainer(build_model(), data),
        "customary": time_customary,
    }
    seconds = time_in_turn(functions, repeats)
    details = describe(seconds, *seconds)
    return [
        Figure("MNIST epoch, Headstart / bare loop", compare(seconds, "Headstart", "bare loop"), "≤ 1.05", details),
        Figure("MNIST epoch, customary / Headstart", compare(seconds, "customary", "Headstart"), "≥ 3"),
    ]
