"""The torch dataset and the samplers behind the loaders of an image data module."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import BatchSampler, Dataset, Sampler

from headstart.data.feature_cache import CachedFeatures
from headstart.data.image_source import ImageSource
from headstart.seeding import derive_key


class ImageDataset(Dataset):
    """The images of a source at some positions of its catalog; a batch is read at once.

    Args:
        source: the images.
        indices: int64 (N,), positions in the source's catalog.
    """

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


class FeatureDataset(Dataset):
    """Features of images from the cache, float32 (N, V, width) with V views, or (N, width) of one view.

    Args:
        features: of the images.
        labels: int64 (N,).
        has_views: whether a batch keeps the axis of the views.
    """

    def __init__(self, features: CachedFeatures, labels: np.ndarray, has_views: bool) -> None:
        self.features, self.labels, self.has_views = features, torch.from_numpy(labels), has_views

    def __len__(self) -> int:
        return len(self.features)

    def __getitems__(self, positions: list[int]) -> tuple[Tensor, Tensor]:
        features = torch.from_numpy(self.features.read(positions))
        return features if self.has_views else features[:, 0], self.labels[positions]

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor]:
        features, labels = self.__getitems__([position])
        return features[0], labels[0]


class EpochSampler(Sampler[int]):
    """A permutation of the positions that depends on the seed and the epoch alone.

    Lightning calls ``set_epoch`` before each epoch.

    Args:
        num_images: number of positions.
        seed: of the order.
        reshuffle: whether each epoch has an order of its own; if not, each has that of epoch 0.
    """

    def __init__(self, num_images: int, seed: int, reshuffle: bool = True) -> None:
        self.num_images, self.seed, self.reshuffle, self.epoch = num_images, seed, reshuffle, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch if self.reshuffle else 0

    def __len__(self) -> int:
        return self.num_images

    def __iter__(self) -> Iterator[int]:
        generator = np.random.default_rng(derive_key(self.seed, "order", self.epoch))
        yield from generator.permutation(self.num_images).tolist()


class NoSingletonBatchSampler(BatchSampler):
    """Batches without a last batch of one image, which joins the batch before it.

    BatchNorm has no statistics of a single image.
    """

    def __iter__(self) -> Iterator[list[int]]:
        batches = list(super().__iter__())
        if len(batches) > 1 and len(batches[-1]) == 1:
            last = batches.pop()
            batches[-1] += last
        return iter(batches)

    def __len__(self) -> int:
        full, rest = divmod(len(self.sampler), self.batch_size)  # type: ignore[arg-type]
        return max(full + (rest > 1), 1)
