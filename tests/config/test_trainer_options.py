"""Tests of the checks of ``trainer.KEY``: it reaches Lightning's Trainer, or is refused in one line."""

import pytest
from omegaconf import OmegaConf

from headstart.config.trainer_options import (
    REFUSED_TRAINER_OPTIONS,
    check_trainer_options,
    find_debug_reason,
    is_single_device,
)
from headstart.errors import HeadstartError

DEFAULT = {"_target_": "lightning.Trainer", "max_epochs": None, "accelerator": "cpu", "devices": 1}


class OpenTrainer:
    def __init__(self, **kwargs):
        self.options = kwargs


def check(**options):
    check_trainer_options(OmegaConf.create({**DEFAULT, **options}))


class TestCheckTrainerOptions:
    @pytest.mark.parametrize("key", sorted(REFUSED_TRAINER_OPTIONS))
    def test_takes_values_that_change_nothing(self, key):
        for harmless in REFUSED_TRAINER_OPTIONS[key][0]:
            check(**{key: harmless})

    def test_rejects_a_key_that_lightning_lacks(self):
        with pytest.raises(HeadstartError, match=r"no key 'trainer\.max_step'.*did you mean 'trainer\.max_steps'"):
            check(max_step=3)

    @pytest.mark.parametrize("devices", [2, 0, -1, [0, 1], "2"])
    def test_rejects_several_devices(self, devices):
        assert not is_single_device(devices)
        with pytest.raises(HeadstartError, match=r"trainer\.devices=.*one device"):
            check(devices=devices)

    @pytest.mark.parametrize("precision", ["bf16-true", "16-true", "64-true", 64])
    def test_rejects_precisions_that_convert_weights(self, precision):
        with pytest.raises(HeadstartError, match=rf"trainer\.precision={precision}: it converts the weights"):
            check(precision=precision)

    @pytest.mark.parametrize(
        "option",
        [{"limit_test_batches": 0}, {"limit_predict_batches": 0}, {"min_steps": 5}, {"limit_train_batches": 0},
         {"max_steps": 0}, {"accumulate_grad_batches": 0}, {"gradient_clip_val": 0}, {"val_check_interval": 0.5},
         {"val_check_interval": 3}, {"val_check_interval": "00:00:00:01"}, {"gradient_clip_algorithm": "norm"}],
    )  # fmt: skip
    def test_rejects_options_without_effect(self, option):
        with pytest.raises(HeadstartError, match=rf"trainer\.{next(iter(option))}"):
            check(**option)

    @pytest.mark.parametrize("value", [False, True, "csv"])
    def test_rejects_loggers_beside_their_group(self, value):
        with pytest.raises(HeadstartError, match=rf"trainer\.logger={value}: loggers are named by their group"):
            check(logger=value)

    def test_takes_any_key_of_a_trainer_that_takes_any(self):
        check(_target_=f"{__name__}.OpenTrainer", log_every_n_steps=1)


class TestFindDebugReason:
    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ({}, None),
            ({"limit_train_batches": 1.0, "fast_dev_run": False, "overfit_batches": 0}, None),
            ({"fast_dev_run": 3}, "trainer.fast_dev_run=3"),
            ({"limit_test_batches": 1}, "trainer.limit_test_batches=1"),
            ({"overfit_batches": 0.5}, "trainer.overfit_batches=0.5"),
        ],
    )
    def test_names_options_that_leave_out_images(self, options, reason):
        assert find_debug_reason(OmegaConf.create({"trainer": {**DEFAULT, **options}, "debug": None})) == reason

    def test_names_the_choice_of_the_debug_group(self):
        assert find_debug_reason(OmegaConf.create({"trainer": DEFAULT, "debug": "profiler"})) == "debug=profiler"
