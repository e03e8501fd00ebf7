"""Tests of options of the Trainer whose effect depends on the images."""

from types import SimpleNamespace

import numpy as np
import pytest
from omegaconf import OmegaConf

from headstart.errors import HeadstartError
from headstart.training.trainer_limits import check_step_options, check_trainer_limits, count_train_batches


def make_source(num_train=40, num_val=8, num_test=300, batch_size=8):
    sizes = {"train": num_train, "val": num_val, "test": num_test}
    return SimpleNamespace(
        split=SimpleNamespace(**{part: np.arange(size) for part, size in sizes.items()}),
        batch_size=batch_size,
        spec=SimpleNamespace(labels_per_class=20),
    )


def check(*sources, debug=None, data="headstart.data.ImageFolderDataModule", **options):
    trainer = {"max_epochs": None, **options}
    model = {"epochs": {5: 9, 20: 3}}
    cfg = OmegaConf.create({"model": model, "trainer": trainer, "data": {"_target_": data}, "debug": debug})
    check_trainer_limits(cfg, sources or [make_source()])


class TestCheckTrainerLimits:
    @pytest.mark.parametrize(
        "option", [{"check_val_every_n_epoch": 2}, {"limit_val_batches": 1}, {"num_sanity_val_steps": 2}]
    )
    def test_rejects_options_of_a_validation_that_never_comes(self, option):
        ((key, value),) = option.items()
        check(**option)
        check(make_source(num_val=0), debug="limit", **option)
        with pytest.raises(HeadstartError, match=rf"trainer\.{key}={value}: no image validates"):
            check(make_source(), make_source(num_val=0), **option)

    @pytest.mark.parametrize(("epochs", "last"), [(None, 3), (7, 7)])
    def test_rejects_a_first_validation_after_the_last_epoch(self, epochs, last):
        check(max_epochs=epochs, check_val_every_n_epoch=last)
        with pytest.raises(HeadstartError, match=rf"every_n_epoch={last + 1}: the run ends after {last}, and no epoch"):
            check(max_epochs=epochs, check_val_every_n_epoch=last + 1)

    @pytest.mark.parametrize(
        ("option", "count"),
        [({"limit_train_batches": 0.19}, "5 train batches"), ({"limit_val_batches": 0.9}, "1 val batch "),
         ({"limit_test_batches": 0.4}, "2 test batches"), ({"limit_predict_batches": 0.9}, "1 predict batch "),
         ({"overfit_batches": 0.5}, "1 val batch ")],
    )  # fmt: skip
    def test_rejects_a_share_that_leaves_no_batch(self, option, count):
        ((key, share),) = option.items()
        check(**{key: 1.0})
        check(**{key: 1})
        check(fast_dev_run=True, **option)
        with pytest.raises(HeadstartError, match=rf"trainer\.{key}={share}: of {count.strip()} that is none"):
            check(**option)

    def test_takes_shares_that_leave_a_batch(self):
        check(limit_train_batches=0.2, limit_test_batches=0.5)
        check(make_source(num_val=0), overfit_batches=0.5)

    def test_leaves_the_batches_of_another_data_module_alone(self):
        check(limit_test_batches=0.01, data="photos.DataModule")


def check_steps(target="headstart.models.LinearProbe", epochs=1, debug=None, callbacks=(), **options):
    nodes = {name: {"_target_": f"lightning.pytorch.callbacks.{name}"} for name in callbacks}
    cfg = {
        "model": {"_target_": target, "epochs": epochs},
        "trainer": {"max_epochs": None, **options},
        "callbacks": nodes,
        "debug": debug,
        "hydra": {"runtime": {"choices": {"model": "probe"}}},
    }
    check_step_options(OmegaConf.create(cfg))


class TestCheckStepOptions:
    @pytest.mark.parametrize("model", ["LinearProbe", "NearestNeighbors", "probes.fitted_head.FittedHead"])
    @pytest.mark.parametrize(
        "option",
        [{"max_epochs": 3}, {"min_epochs": 2}, {"max_steps": 5}, {"gradient_clip_val": 1.0},
         {"accumulate_grad_batches": 2}],
    )  # fmt: skip
    def test_rejects_them_for_heads_fitted_at_once(self, model, option):
        ((key, value),) = option.items()
        with pytest.raises(HeadstartError, match=rf"trainer\.{key}={value}: model=probe"):
            check_steps(f"headstart.models.{model}", **option)

    @pytest.mark.parametrize("name", ["EarlyStopping", "GradientAccumulationScheduler"])
    def test_rejects_callbacks_of_a_training_by_steps(self, name):
        check_steps("headstart.models.Frozen", callbacks=[name])
        with pytest.raises(HeadstartError, match=rf"callbacks\.{name}: model=probe"):
            check_steps(callbacks=["LearningRateMonitor", name])

    def test_takes_values_that_change_nothing(self):
        check_steps(max_epochs=1, max_steps=-1, accumulate_grad_batches=1, gradient_clip_val=None)
        check_steps(debug="limit", max_epochs=3)

    @pytest.mark.parametrize(("target", "epochs"), [("Frozen", 1), ("LinearProbe", {5: 9}), ("Missing", 1)])
    def test_leaves_other_models_alone(self, target, epochs):
        check_steps(f"headstart.models.{target}", epochs, max_epochs=3, max_steps=5, gradient_clip_val=1.0)

    @pytest.mark.parametrize("words", [("model=knn",), ("-m", "model=frozen,knn")])
    def test_are_refused_before_anything_trains(self, plan_command, words):
        with pytest.raises(HeadstartError, match=r"trainer\.max_epochs=2: model=knn"):
            plan_command(*words, "trainer.max_epochs=2", "data.labels_per_class=20")


class TestCountTrainBatches:
    @pytest.mark.parametrize(("num_train", "count"), [(40, 5), (41, 5), (42, 6), (1, 1)])
    def test_a_last_image_joins_the_batch_before(self, num_train, count):
        assert count_train_batches(make_source(num_train)) == count
