"""Tests of headstart.data.module_source."""

import lightning as L
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from headstart.data.module_source import DataModuleSource
from headstart.errors import HeadstartError
from headstart.image_spec import ImageSpec
from headstart.runs.result import read_result

SPEC = ImageSpec((1, 8, 8), ("dark", "light"), (0.5,), (0.25,), False, 8)


class ShapesDataModule(L.LightningDataModule):
    """Dark and light noise, without an image source beside it."""

    def __init__(self, labels_per_class: int | None = None, shuffles_test: bool = False, dtype: str = "uint8"):
        super().__init__()
        self.labels_per_class, self.shuffles_test, self.dtype = labels_per_class or 8, shuffles_test, dtype

    def setup(self, stage=None):
        self.spec = SPEC

    def _build_loader(self, seed, shuffle=False):
        labels = torch.arange(2 * self.labels_per_class) % 2
        noise = torch.randint(0, 100, (len(labels), 1, 8, 8), generator=torch.Generator().manual_seed(seed))
        images = (noise + 100 * labels[:, None, None, None]).to(getattr(torch, self.dtype))
        return DataLoader(TensorDataset(images, labels), batch_size=4, shuffle=shuffle)

    def train_dataloader(self):
        return self._build_loader(0, shuffle=True)

    def val_dataloader(self):
        return []

    def test_dataloader(self):
        return self._build_loader(2, self.shuffles_test)


class TestDataModuleSource:
    def test_parts_are_the_split(self):
        source = DataModuleSource(module=ShapesDataModule())
        assert [len(part) for part in (source.split.train, source.split.val, source.split.test)] == [16, 0, 16]
        assert source.name == "shapes" and source.spec == SPEC
        assert source.catalog.names[-1] == "test/00015"
        assert source.catalog.labels.tolist() == [0, 1] * 16

    def test_digest_follows_the_pixels(self):
        one, again, other = (DataModuleSource(module=ShapesDataModule(k)).digest for k in (8, 8, 7))
        assert one == again != other

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"dtype": "float32"}, "yields float32 .* in the train part; give uint8"),
            ({"shuffles_test": True}, "shuffles its test images"),
        ],
    )
    def test_refuses_loaders_that_break_the_contract(self, settings, message):
        with pytest.raises(HeadstartError, match=f"data: ShapesDataModule {message}"):
            DataModuleSource(module=ShapesDataModule(**settings)).catalog  # noqa: B018

    def test_refuses_random_pixels(self):
        class RandomDataset(torch.utils.data.Dataset):
            def __len__(self):
                return 4

            def __getitem__(self, index):
                return torch.from_numpy(np.random.default_rng().integers(0, 256, (1, 8, 8), dtype=np.uint8)), index % 2

        module = ShapesDataModule()
        module.train_dataloader = lambda: DataLoader(RandomDataset())
        with pytest.raises(HeadstartError, match="gives other pixels each time in the train part"):
            DataModuleSource(module=module).catalog  # noqa: B018

    def test_refuses_another_split_of_another_instance(self):
        first, same, other = (DataModuleSource(module=ShapesDataModule()) for _ in range(3))
        first.check_equal(same)
        test_images = other.module.test_dataloader().dataset.tensors
        other.module.test_dataloader = lambda: DataLoader(TensorDataset(*(part.flip(0) for part in test_images)))
        with pytest.raises(HeadstartError, match="each time it is set up"):
            first.check_equal(other)

    def test_refuses_what_is_no_data_module(self):
        with pytest.raises(HeadstartError, match="list is no LightningDataModule"):
            DataModuleSource(module=[])


class TestCommand:
    @pytest.fixture
    def run_shapes(self, command, tmp_path):
        (tmp_path / "conf" / "data").mkdir(parents=True)
        config = f"defaults: [module, _self_]\n_target_: {__name__}.ShapesDataModule\n"
        (tmp_path / "conf" / "data" / "shapes.yaml").write_text(config)

        def run(*words):
            options = ["--config-dir", str(tmp_path / "conf"), "data=shapes", "model=scratch_cnn"]
            return command(*options, "trainer.max_epochs=1", "hydra.run.dir=run", *words)

        return run

    def test_refuses_a_module_that_splits_at_random(self, run_shapes, monkeypatch):
        seeds = iter(range(100))
        monkeypatch.setattr(ShapesDataModule, "test_dataloader", lambda self: self._build_loader(next(seeds)))
        refused = run_shapes()
        assert refused.code == 1 and "seed its split" in refused.err and not (refused.folder / "run").exists()

    def test_trains_on_a_users_own_module(self, run_shapes):
        done = run_shapes("data.labels_per_class=5")
        assert done.code == 0, done.err
        result = read_result(done.folder / "run")
        assert result.data == "shapes" and result.labels_per_class == 5 and result.test_reads is None

    def test_refuses_folds_that_the_module_does_not_take(self, run_shapes):
        done = run_shapes("data.folds=2")
        assert done.code == 1 and "data.folds=2" in done.err and "takes no such argument" in done.err
