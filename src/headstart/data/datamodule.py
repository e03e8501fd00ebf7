"""LightningDataModules: loaders around an image source."""

from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
from lightning.pytorch.trainer.states import TrainerStatus
from torch.utils.data import DataLoader, Dataset

from headstart.data.datasets import EpochSampler, FeatureDataset, ImageDataset, NoSingletonBatchSampler
from headstart.data.digits import Digits
from headstart.data.feature_cache import DEFAULT_MAX_GB, PLAIN_VIEW, FeatureExtractor, load_features
from headstart.data.image_folder import ImageFolder
from headstart.data.image_source import ImageSource
from headstart.data.mnist import MNIST
from headstart.errors import HeadstartError
from headstart.image_spec import ImageSpec

EVAL_BATCH_SIZE = 256


class ImageDataModule(L.LightningDataModule):
    """The images of a source in batches of uint8 (N, C, H, W) and int64 (N,).

    After ``setup`` the attribute ``spec`` describes the images to a model. There is no validation loader where the
    split has no validation part. ``test_reads`` counts how often the test part was opened. The order of the training
    images depends on the seed and the epoch alone.

    While a trainer runs with a model that has a ``feature_extractor`` (its backbone is frozen), the loaders yield
    cached features in place of pixels: float32 (N, V, width) with V views for training, else (N, width).
    ``max_cache_gb`` bounds their cache. At other times they yield pixels.

    A subclass names its source. Its arguments are those of the source, which checks them.

    Args:
        settings: the arguments of ``source_class``.

    Raises:
        HeadstartError: an argument has no valid value.

    Example:
        >>> class ShapesDataModule(ImageDataModule):
        ...     source_class = Shapes  # a subclass of ImageSource
    """

    source_class: type[ImageSource]
    spec: ImageSpec
    test_reads = 0
    max_cache_gb = DEFAULT_MAX_GB

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        # Lightning collects the arguments of the subclass's constructor.
        self.save_hyperparameters(logger=False)
        if isinstance(self.hparams.get("root"), Path):
            self.hparams["root"] = str(self.hparams["root"])  # a checkpoint holds no Path
        self.source = self.source_class(**self.hparams)

    def prepare_data(self) -> None:
        """Downloads or writes the images where the source makes them itself."""
        self.source.prepare()

    def setup(self, stage: str | None = None) -> None:
        self.spec = self.source.spec
        self.first_epoch = 0

    def state_dict(self) -> dict[str, int]:
        assert self.trainer is not None
        return {"epoch": self.trainer.fit_loop.epoch_progress.current.processed}  # type: ignore[attr-defined]

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.first_epoch = state_dict["epoch"]

    def train_dataloader(self) -> DataLoader:
        extractor = self._find_extractor()
        views = extractor.train_views if extractor else None
        images: Dataset = ImageDataset(self.source, self.source.split.train)
        if extractor and views:
            images = self._load_features(self.source.split.train, extractor, views)
        # Lightning's overfit_batches takes the first batches of each epoch: they must be the same ones.
        reshuffle = not getattr(self.trainer, "overfit_batches", 0)
        sampler = EpochSampler(len(self.source.split.train), self.source.seed, reshuffle)
        # A resumed run draws its first batches before Lightning sets the epoch.
        sampler.set_epoch(self.first_epoch)
        batches = NoSingletonBatchSampler(sampler, self.source.batch_size, drop_last=False)
        return _build_loader(self.source.num_workers, images, batch_sampler=batches)

    def val_dataloader(self) -> DataLoader | list[Any]:
        if not len(self.source.split.val):
            return []
        return self.eval_dataloader(self.source.split.val, self._find_extractor())

    def test_dataloader(self) -> DataLoader:
        if not len(self.source.split.test):
            raise HeadstartError("data.test=none: every image trains, so that none is left to test on; leave it out")
        self.test_reads += 1
        return self.eval_dataloader(self.source.split.test, self._find_extractor())

    def eval_dataloader(self, indices: np.ndarray, extractor: FeatureExtractor | None = None) -> DataLoader:
        """A loader of some images, once and in this order.

        Args:
            indices: int64 (N,), positions in the source's catalog.
            extractor: what computes the features that stand in place of pixels; None: pixels.
        """
        if extractor:
            features = self._load_features(indices, extractor)
            return _build_loader(0, features, batch_size=EVAL_BATCH_SIZE)
        return build_eval_loader(self.source, indices)

    def _find_extractor(self) -> FeatureExtractor | None:
        """The feature extractor of the model with which a trainer runs now; the trainer stays attached when it ends."""
        if self.trainer is None or self.trainer.state.status != TrainerStatus.RUNNING:
            return None
        return find_extractor(self.trainer.lightning_module)

    def _load_features(
        self, indices: np.ndarray, extractor: FeatureExtractor, views: tuple[str, ...] | None = None
    ) -> FeatureDataset:
        features = load_features(self.source.read_pixels, indices, extractor, views or (PLAIN_VIEW,), self.max_cache_gb)
        return FeatureDataset(features, self.source.catalog.labels[indices], has_views=views is not None)


class ImageFolderDataModule(ImageDataModule):
    """A folder of images, ``root/<class>/*`` or ``root/{train,val,test}/<class>/*``.

    See :class:`headstart.data.ImageSource` and :class:`headstart.data.ImageFolder` for the arguments.

    Example:
        >>> data = ImageFolderDataModule(root="photos", image_size=64)
        >>> data.setup("fit")
        >>> data.spec.classes
        ('bee', 'wasp')
    """

    source_class = ImageFolder

    def __init__(
        self,
        root: str | Path | None = None,
        image_size: int | None = 64,
        resize: str = "crop",
        channels: int | None = None,
        labels_per_class: int | None = None,
        test: str | None = None,
        folds: int | None = None,
        fold: int = 0,
        group: str | None = None,
        validation: float = 0.2,
        mirror: bool = True,
        batch_size: int = 32,
        num_workers: int = 0,
        on_bad_file: str = "error",
        on_copies: str = "error",
        seed: int = 0,
    ) -> None:
        super().__init__()


class MNISTDataModule(ImageDataModule):
    """MNIST from its four original files; see :class:`headstart.data.MNIST` for the arguments.

    Example:
        >>> data = MNISTDataModule(labels_per_class=20)
        >>> data.prepare_data()  # downloads the files where they are missing
    """

    source_class = MNIST

    def __init__(
        self,
        root: str | Path | None = None,
        image_size: int | None = None,
        resize: str = "crop",
        channels: int | None = 1,
        labels_per_class: int | None = None,
        test: str | None = None,
        folds: int | None = None,
        fold: int = 0,
        validation: float = 0.2,
        mirror: bool = False,
        batch_size: int = 128,
        num_workers: int = 0,
        on_bad_file: str = "error",
        on_copies: str = "error",
        seed: int = 0,
    ) -> None:
        super().__init__()


class DigitsDataModule(ImageDataModule):
    """scikit-learn's 1,797 handwritten digits; see :class:`headstart.data.Digits` for the arguments.

    Example:
        >>> data = DigitsDataModule(labels_per_class=20)
        >>> data.setup("fit")
        >>> data.spec.shape
        (1, 32, 32)
    """

    source_class = Digits

    def __init__(
        self,
        root: str | Path | None = None,
        image_size: int | None = 32,
        resize: str = "crop",
        channels: int | None = 1,
        labels_per_class: int | None = None,
        test: str | None = None,
        folds: int | None = None,
        fold: int = 0,
        validation: float = 0.2,
        mirror: bool = False,
        batch_size: int = 32,
        num_workers: int = 0,
        on_bad_file: str = "error",
        on_copies: str = "error",
        seed: int = 0,
    ) -> None:
        super().__init__()


def find_extractor(model: L.LightningModule) -> FeatureExtractor | None:
    """The feature extractor of a model; None where the model needs pixels."""
    return getattr(model, "feature_extractor", None)


def build_eval_loader(source: ImageSource, indices: np.ndarray) -> DataLoader:
    """A loader of some images of a source, once and in this order.

    Args:
        source: the images.
        indices: int64 (N,), positions in the source's catalog.
    """
    return _build_loader(source.num_workers, ImageDataset(source, indices), batch_size=EVAL_BATCH_SIZE)


def _build_loader(num_workers: int, images: Dataset, **options: Any) -> DataLoader:
    return DataLoader(
        images, num_workers=num_workers, persistent_workers=num_workers > 0, collate_fn=_return_batch, **options
    )


def _return_batch(batch: Any) -> Any:
    return batch
