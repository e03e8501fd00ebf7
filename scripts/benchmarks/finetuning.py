"""Fine-tuning EfficientNet-Lite0 against a bare loop of the same arithmetic."""

import time

import numpy as np
import timm
import torch
import torch.nn.functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.epoch_timer import EpochTimer, build_trainer
from benchmarks.measure import Figure, compare, describe, time_in_turn
from headstart.image_spec import ImageSpec
from headstart.models import FineTuned

IMAGES, SIZE, BATCH_SIZE, EPOCHS = 256, 128, 32, 2
SPEC = ImageSpec((3, SIZE, SIZE), tuple("abcde"), (0.5,) * 3, (0.25,) * 3, mirror=True, labels_per_class=40)


def measure_finetuning(repeats: int) -> list[Figure]:
    """Two epochs of 256 images of 128 pixels, without augmentation."""
    generator = np.random.default_rng(0)
    images = torch.from_numpy(generator.integers(0, 256, (IMAGES, *SPEC.shape), dtype=np.uint8))
    labels = torch.arange(IMAGES) % SPEC.num_classes
    seconds = time_in_turn(
        {"bare loop": lambda: time_loop(images, labels), "Headstart": lambda: time_headstart(images, labels)}, repeats
    )
    name = "speed of fine-tuning, bare loop / Headstart"
    return [Figure(name, compare(seconds, "bare loop", "Headstart"), "≥ 0.97", describe(seconds, *seconds))]


def time_headstart(images: torch.Tensor, labels: torch.Tensor) -> float:
    model = FineTuned(SPEC, {"name": "tf_efficientnet_lite0", "weights": "none"}, batch_norm="fixed", augment=None)
    timer = EpochTimer()
    loader = DataLoader(TensorDataset(images, labels), batch_size=BATCH_SIZE, shuffle=True)
    build_trainer(EPOCHS, timer).fit(model, loader)
    return timer.seconds


def time_loop(images: torch.Tensor, labels: torch.Tensor) -> float:
    network = timm.create_model("tf_efficientnet_lite0", num_classes=SPEC.num_classes).train()
    network.to(memory_format=torch.channels_last)
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.eval()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=True)
    start = time.perf_counter()
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(images)).split(BATCH_SIZE):
            pixels = ((images[batch].float() / 255 - 0.5) / 0.5).contiguous(memory_format=torch.channels_last)
            optimizer.zero_grad()
            F.cross_entropy(network(pixels), labels[batch]).backward()
            optimizer.step()
    return time.perf_counter() - start
