"""Batches come whole, raw, and in an order that the seed and the epoch alone decide."""

import contextlib

import lightning as L
import pytest
import torch

from headstart.data import ImageFolderDataModule
from headstart.data.datasets import EpochSampler, NoSingletonBatchSampler
from headstart.errors import HeadstartError


@pytest.fixture
def data(image_folder):
    root = str(image_folder(classes=2, per_class=30, size=8))

    def make(**settings):
        module = ImageFolderDataModule(root=root, image_size=8, batch_size=7, **settings)
        module.setup()
        return module

    return make


class Watcher(L.LightningModule):
    """Learns nothing; remembers the training batches of each epoch."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen = {}

    def training_step(self, batch, index):
        self.seen.setdefault(self.current_epoch, []).append(batch[0].long().sum(dim=(1, 2, 3)).tolist())
        return self.weight.sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def watched(module, epochs, resume=None, model=None):
    trainer = L.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    watcher = model or Watcher()
    trainer.fit(watcher, module, ckpt_path=resume, weights_only=True)
    return watcher.seen, trainer


class MeanExtractor:
    """Stands for a frozen network: the mean of each image, mirrored or not."""

    key, name, width, batch_size, train_views = "mean", "mean", 1, 32, ("plain", "mirror")

    def compute(self, images, view):
        return images.mean(axis=(1, 2, 3), dtype="float32")[:, None]

    def one_thread_per_batch(self):
        return contextlib.nullcontext()


class FeatureWatcher(Watcher):
    """Remembers the shapes of its batches; its data are the features of an extractor."""

    feature_extractor = MeanExtractor()

    def training_step(self, batch, index):
        self.seen.setdefault("train", set()).add(tuple(batch[0].shape[1:]))
        return self.weight.sum()

    def test_step(self, batch, index):
        self.seen.setdefault("test", set()).add(tuple(batch[0].shape[1:]))


class TestFeatures:
    def test_come_while_a_trainer_runs_and_pixels_at_other_times(self, data):
        module, watcher = data(), FeatureWatcher()
        shapes, trainer = watched(module, 1, model=watcher)
        trainer.test(watcher, module, verbose=False)
        assert shapes == {"train": {(2, 1)}, "test": {(1,)}}
        for loader in (module.train_dataloader(), module.val_dataloader(), module.test_dataloader()):
            assert next(iter(loader))[0].shape[1:] == (3, 8, 8)


def test_batches_are_raw_pixels_and_their_labels(data):
    module = data()
    images, labels = next(iter(module.train_dataloader()))
    assert (images.dtype, tuple(images.shape)) == (torch.uint8, (7, 3, 8, 8))
    assert (labels.dtype, tuple(labels.shape)) == (torch.int64, (7,))
    images, labels = next(iter(module.test_dataloader()))
    source = module.source
    assert torch.equal(images, torch.from_numpy(source.read_pixels(source.split.test)))
    assert labels.tolist() == source.catalog.labels[source.split.test].tolist()


def test_an_epoch_has_every_training_image_once(data):
    module = data()
    counted = sum(len(labels) for _, labels in module.train_dataloader())
    assert counted == len(module.source.split.train) == 40
    assert sum(len(labels) for _, labels in module.val_dataloader()) == 8


def test_without_a_validation_part_there_is_no_validation_loader(data):
    assert data(labels_per_class=5).val_dataloader() == []


def test_without_a_test_part_there_is_no_test(data):
    module = data(test="none", validation=0)
    assert sum(len(labels) for _, labels in module.train_dataloader()) == 60 and module.val_dataloader() == []
    with pytest.raises(HeadstartError, match="none is left to test on"):
        module.test_dataloader()


def test_setup_can_be_called_twice(data):
    module = data()
    spec = module.spec
    module.setup("fit")
    assert module.spec == spec


def test_a_path_is_stored_as_text(tmp_path):
    module = ImageFolderDataModule(root=tmp_path)
    assert module.hparams["root"] == str(tmp_path)
    assert module.source.root == str(tmp_path)


def test_each_epoch_has_its_order_with_and_without_workers(data):
    alone, _ = watched(data(), 3)
    helped, _ = watched(data(num_workers=2), 3)
    assert alone == helped
    assert len({str(batches) for batches in alone.values()}) == 3
    other, _ = watched(data(seed=1), 1)
    assert other[0] != alone[0]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_run_goes_on_with_the_order_of_its_epoch(data, tmp_path, workers):
    whole, _ = watched(data(), 4)
    _, trainer = watched(data(num_workers=workers), 2)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    resumed, _ = watched(data(num_workers=workers), 4, tmp_path / "last.ckpt")
    assert resumed == {epoch: whole[epoch] for epoch in (2, 3)}


@pytest.mark.parametrize(("count", "sizes"), [(8, [4, 4]), (9, [4, 5]), (10, [4, 4, 2]), (1, [1]), (5, [5]), (3, [3])])
def test_no_batch_is_a_single_image_that_could_have_company(count, sizes):
    batches = NoSingletonBatchSampler(EpochSampler(count, seed=0), 4, drop_last=False)
    assert [len(batch) for batch in batches] == sizes and len(batches) == len(sizes)
    assert sorted(position for batch in batches for position in batch) == list(range(count))


def test_an_order_without_reshuffling_is_that_of_epoch_0():
    first, later = EpochSampler(9, seed=3), EpochSampler(9, seed=3, reshuffle=False)
    later.set_epoch(4)
    assert list(first) == list(later)
