"""Computes the features of a frozen backbone in one fixed way, so that they may be cached."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import timm
import torch
from torch import Tensor, nn

FEATURE_BATCH_SIZE = 32  # batches of other sizes give other last bits: the last one is padded
FEATURE_VIEWS = {"plain": lambda images: images, "mirror": lambda images: images.flip(-1)}


@dataclass(frozen=True, eq=False)
class BackboneFeatures:
    """A frozen backbone with its normalization; features are float32 (N, width).

    Features have the same bits whoever computes them and when: the batch size is fixed, and each batch has one thread.

    Args:
        backbone: the network, in eval mode.
        normalize: maps images, float (N, C, H, W) in [0, 1], to the backbone's input.
        settings: what names the backbone: its name, options, mean and std.
        width: number of features.
        device: where the backbone is.
        train_views: the views that training uses, names in ``FEATURE_VIEWS``; None: training needs the pixels.

    Example:
        >>> extractor = model.feature_extractor  # doctest: +SKIP
        >>> extractor.compute(images, "mirror").shape  # doctest: +SKIP
        (32, 1280)
    """

    backbone: nn.Module
    normalize: Callable[[Tensor], Tensor]
    settings: dict[str, Any]
    width: int
    device: torch.device
    train_views: tuple[str, ...] | None
    batch_size: ClassVar[int] = FEATURE_BATCH_SIZE

    @property
    def name(self) -> str:
        """The backbone's name."""
        return self.settings["name"]

    @property
    def key(self) -> str:
        """Hash of all that features depend on but pixels and view: weights, normalization, versions, processor."""
        parts = [
            self.settings,
            FEATURE_BATCH_SIZE,
            torch.__version__,
            timm.__version__,
            self.device.type,
            torch.backends.cpu.get_cpu_capability(),
        ]
        digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode())
        for name, tensor in self.backbone.state_dict().items():
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().numpy().tobytes())
        return digest.hexdigest()[:32]

    def compute(self, images: np.ndarray, view: str) -> np.ndarray:
        """Features, float32 (N, width), of at most ``FEATURE_BATCH_SIZE`` images, uint8 (N, C, H, W).

        Args:
            images: the images.
            view: a name in ``FEATURE_VIEWS``.
        """
        batch = np.zeros((FEATURE_BATCH_SIZE, *images.shape[1:]), np.uint8)
        batch[: len(images)] = images
        with torch.inference_mode():
            pixels = FEATURE_VIEWS[view](torch.from_numpy(batch).to(self.device).float() / 255)
            return self.backbone(self.normalize(pixels))[: len(images)].float().cpu().numpy()

    @contextmanager
    def one_thread_per_batch(self) -> Iterator[None]:
        """Within the block each call of ``compute`` uses one thread, whichever thread calls it."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # threads that start from now on take it over
        try:
            yield
        finally:
            torch.set_num_threads(threads)
