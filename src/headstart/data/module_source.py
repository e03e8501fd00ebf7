"""An image source around a user's own LightningDataModule."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

import lightning as L
import numpy as np
import torch
from torch.utils.data import DataLoader, RandomSampler

from headstart.data.catalog import Catalog
from headstart.data.image_source import ImageSource
from headstart.data.split import Split
from headstart.errors import HeadstartError
from headstart.image_spec import ImageSpec

READ_BATCH_SIZE = 256


@dataclass(eq=False)
class DataModuleSource(ImageSource):
    """The images of a data module without an image source, read once into memory.

    The module has an ``ImageSpec`` as ``spec`` after ``setup``, and loaders of uint8 (N, C, H, W) and int64 (N,).
    Its parts are the split. The module itself applies the budget and the seed.

    Args:
        module: the data module.

    Raises:
        HeadstartError: ``module`` is no LightningDataModule.

    Example:
        >>> source = DataModuleSource(module=ShapesDataModule(root="shapes"))
        >>> source.split.train
        array([0, 1, 2, 3])
    """

    module: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.module, L.LightningDataModule):
            raise HeadstartError(f"data: {type(self.module).__qualname__} is no LightningDataModule")

    @property
    def name(self) -> str:
        return type(self.module).__name__.removesuffix("DataModule").lower()

    @property
    def has_test_part(self) -> bool:
        return True  # the module splits its images itself

    @cached_property
    def catalog(self) -> Catalog:
        self.module.prepare_data()
        self.module.setup("fit")
        self.module.setup("test")
        if not isinstance(getattr(self.module, "spec", None), ImageSpec):
            raise self._error("has no ImageSpec as its attribute spec after setup")
        test_loader = self.module.test_dataloader()
        if isinstance(test_loader, DataLoader) and isinstance(test_loader.sampler, RandomSampler):
            raise self._error("shuffles its test images; predictions need them in a fixed order")
        loaders = {"train": self.module.train_dataloader(), "val": self.module.val_dataloader(), "test": test_loader}
        batches = {part: self._read(part, loader) for part, loader in loaders.items()}
        pixels, labels = (np.concatenate([part[i] for part in batches.values() if len(part[1])]) for i in (0, 1))
        return Catalog(
            names=[f"{part}/{i:05}" for part, (_, part_labels) in batches.items() for i in range(len(part_labels))],
            labels=labels,
            classes=self.module.spec.classes,
            parts=np.array([part for part, (_, part_labels) in batches.items() for _ in part_labels]),
            digests=[sha256(image.tobytes()).hexdigest() for image in pixels],
            pixels=pixels,
            rows=np.arange(len(labels)),
            depth=self.module.spec.depth,
            notes=["the order of the training images is that of its own loader; seed it for equal runs"],
        )

    @cached_property
    def split(self) -> Split:
        train, val, test = (np.flatnonzero(self.catalog.parts == part) for part in ("train", "val", "test"))
        return Split(self.catalog, train, val, test, [])

    @cached_property
    def spec(self) -> ImageSpec:
        self.catalog  # noqa: B018  sets the module up
        return self.module.spec

    def check_equal(self, other: "DataModuleSource") -> None:
        """Checks that another instance of the data module has the same images in the same parts and order.

        A run and the plan of its sweep, or two arms, set up an instance each; their images must be the same.

        Raises:
            HeadstartError: it has not.
        """
        catalogs = (self.catalog, other.catalog)
        contents = [(c.digests, c.labels.tolist(), c.parts.tolist()) for c in catalogs]
        if contents[0] != contents[1]:
            raise self._error("gives other images, other parts or another order each time it is set up; seed its split")

    @property
    def remarks(self) -> list[str]:
        return [f"data={self.name}: {note}" for note in self.catalog.notes]

    def _read(self, part: str, loader: Any) -> tuple[np.ndarray, np.ndarray]:
        """All images and labels of a part in the order of its data set; none where there is no loader."""
        if not isinstance(loader, DataLoader):
            if part != "val" or (isinstance(loader, Iterable) and list(loader)):
                raise self._error(f"gives no DataLoader for the {part} part")
            return np.zeros((0,), np.uint8), np.zeros((0,), np.int64)
        ordered: DataLoader[Any] = DataLoader(loader.dataset, READ_BATCH_SIZE, collate_fn=loader.collate_fn)
        images, labels = zip(*[self._check_batch(part, batch) for batch in ordered], strict=True)
        if not torch.equal(images[0], next(iter(ordered))[0]):
            raise self._error(f"gives other pixels each time in the {part} part; the model augments, not the data")
        return torch.cat(images).numpy(), torch.cat(labels).numpy()

    def _check_batch(self, part: str, batch: Any) -> tuple[torch.Tensor, torch.Tensor]:
        images, labels = batch
        if images.dtype != torch.uint8 or images.ndim != 4:
            kind = f"{images.dtype} {tuple(images.shape)}".removeprefix("torch.")
            raise self._error(f"yields {kind} in the {part} part; give uint8 (N, C, H, W), the model normalizes")
        if labels.dtype != torch.int64 or labels.ndim != 1:
            raise self._error(f"yields labels of {labels.dtype} in the {part} part; give int64 (N,)")
        return images, labels

    def _error(self, text: str) -> HeadstartError:
        return HeadstartError(f"data: {type(self.module).__qualname__} {text}")
