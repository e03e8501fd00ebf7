"""The LightningDataModule: whole uint8 batches of a source, in an order that (seed, epoch) alone decide."""

from collections.abc import Iterator
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, Sampler

from headstart.data.image_source import ImageSource
from headstart.image_spec import ImageSpec
from headstart.seeding import derive_key

EVAL_BATCH_SIZE = 256


class ImageDataModule(L.LightningDataModule):
    """The images of a source as Lightning wants them; batches are uint8 (N, C, H, W) and int64 (N,).

    After ``setup`` there is ``spec``, what the data tell a model. Where the split has no validation part,
    there is no validation loader. ``test_reads`` counts how often the sealed part was opened.
    """

    spec: ImageSpec
    test_reads = 0

    def __init__(self, source: ImageSource) -> None:
        super().__init__()
        self.source = source

    def setup(self, stage: str | None = None) -> None:
        self.spec = self.source.spec
        self.first_epoch = 0

    def state_dict(self) -> dict[str, int]:
        assert self.trainer is not None
        return {"epoch": self.trainer.fit_loop.epoch_progress.current.processed}  # type: ignore[attr-defined]

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.first_epoch = state_dict["epoch"]

    def train_dataloader(self) -> DataLoader:
        images = ImageDataset(self.source, self.source.split.train)
        order = EpochSampler(len(images), self.source.seed)
        # The first batches are drawn before Lightning says which epoch a resumed run is in.
        order.set_epoch(self.first_epoch)
        return self._build_loader(
            images, batch_sampler=NoSingletonBatchSampler(order, self.source.batch_size, drop_last=False)
        )

    def val_dataloader(self) -> DataLoader | list[Any]:
        part = self.source.split.val
        return self._build_loader(ImageDataset(self.source, part), batch_size=EVAL_BATCH_SIZE) if len(part) else []

    def train_eval_dataloader(self) -> DataLoader:
        """The training images once and in the split's order."""
        return self._build_loader(ImageDataset(self.source, self.source.split.train), batch_size=EVAL_BATCH_SIZE)

    def test_dataloader(self) -> DataLoader:
        self.test_reads += 1
        return self._build_loader(ImageDataset(self.source, self.source.split.test), batch_size=EVAL_BATCH_SIZE)

    def _build_loader(self, images: "ImageDataset", **options: Any) -> DataLoader:
        workers = self.source.num_workers
        return DataLoader(
            images, num_workers=workers, persistent_workers=workers > 0, collate_fn=_return_batch, **options
        )


class ImageDataset(Dataset):
    """Some of a source's images; a batch is fetched as a whole."""

    def __init__(self, source: ImageSource, indices: np.ndarray) -> None:
        self.source, self.indices = source, indices
        self.labels = torch.from_numpy(source.catalog.labels[indices])

    def __len__(self) -> int:
        return len(self.indices)

    def __getitems__(self, positions: list[int]) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(np.array(self.source.read_pixels(self.indices[positions]))), self.labels[positions]

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor]:
        images, labels = self.__getitems__([position])
        return images[0], labels[0]


class EpochSampler(Sampler[int]):
    """Positions in an order that depends on the seed and the epoch, which Lightning tells, alone."""

    def __init__(self, num_images: int, seed: int) -> None:
        self.num_images, self.seed, self.epoch = num_images, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self.num_images

    def __iter__(self) -> Iterator[int]:
        yield from (
            np.random.default_rng(derive_key(self.seed, "order", self.epoch)).permutation(self.num_images).tolist()
        )


class NoSingletonBatchSampler(BatchSampler):
    """Every position once an epoch; a last batch of one image joins the one before it, since BatchNorm
    has no statistics of a single image."""

    def __iter__(self) -> Iterator[list[int]]:
        batches = list(super().__iter__())
        if len(batches) > 1 and len(batches[-1]) == 1:
            last = batches.pop()
            batches[-1] += last
        return iter(batches)

    def __len__(self) -> int:
        full, rest = divmod(len(self.sampler), self.batch_size)  # type: ignore[arg-type]
        return max(full + (rest > 1), 1)


def _return_batch(batch: Any) -> Any:
    return batch
