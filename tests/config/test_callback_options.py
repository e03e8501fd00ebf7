"""Tests of the nodes of callbacks and loggers, without torch."""

from contextlib import nullcontext

import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from headstart.config import logger_options
from headstart.config.callback_options import callback_settings, list_callback_nodes
from headstart.config.logger_options import check_loggers, list_logger_nodes
from headstart.errors import HeadstartError

LIGHTNING = "lightning.pytorch.callbacks"


def config(callbacks=None, listed=None):
    return OmegaConf.create({"callbacks": callbacks, "trainer": {} if listed is None else {"callbacks": listed}})


class TestListCallbackNodes:
    def test_joins_the_group_and_the_trainers_list(self):
        cfg = config({"one": {"_target_": "a.One"}, "off": None}, [{"_target_": "a.Other"}])
        assert list(list_callback_nodes(cfg)) == ["callbacks.one", "trainer.callbacks[0]"]

    @pytest.mark.parametrize(
        ("cfg", "line"),
        [
            (config({"mine": 3}), r"callbacks\.mine: 3 names no class; give \+callbacks\.mine\._target_=CLASS"),
            (config(None, [1]), r"trainer\.callbacks\[0\]: 1 names no class; give \[\{_target_: CLASS, \.\.\.\}\]"),
        ],
    )
    def test_rejects_a_node_without_a_class(self, cfg, line):
        with pytest.raises(HeadstartError, match=line):
            list_callback_nodes(cfg)

    @pytest.mark.parametrize(
        ("name", "option", "value", "is_taken"),
        [
            ("RunCheckpoint", "every_seconds", 0, True),
            ("RunCheckpoint", "every_seconds", "abc", False),
            ("RunCheckpoint", "every_seconds", None, False),
            ("RunCheckpoint", "title", "x", False),
            ("ProgressLine", "refresh_seconds", None, True),
            ("ProgressLine", "refresh_seconds", -1, False),
        ],
    )
    def test_checks_the_option_of_a_callback_of_the_run(self, name, option, value, is_taken):
        node = {"_target_": f"headstart.training.callbacks.{name}", option: value}
        cfg = OmegaConf.create({"callbacks": {"one": node}, "trainer": {}})
        with nullcontext() if is_taken else pytest.raises(HeadstartError, match=rf"callbacks\.one\.{option}"):
            list_callback_nodes(cfg)


class TestCallbackSettings:
    def test_names_values_of_hydra_that_a_run_has(self, monkeypatch):
        monkeypatch.setattr(HydraConfig.instance(), "cfg", None)  # as in planning
        cfg = config({"mine": {"_target_": "a.Mine", "folder": "${hydra:runtime.output_dir}/mine", "seed": "${seed}"}})
        cfg.seed = 3
        settings = callback_settings(cfg)["callbacks.mine"]
        assert settings == {"_target_": "a.Mine", "folder": "hydra:runtime.output_dir/mine", "seed": 3}
        assert list_callback_nodes(cfg)["callbacks.mine"].folder == "hydra:runtime.output_dir/mine"

    def test_leaves_out_callbacks_that_only_show(self):
        shown = [f"{LIGHTNING}.{name}" for name in ("TQDMProgressBar", "RichModelSummary", "LearningRateMonitor")]
        own = {"run_checkpoint": {"_target_": "headstart.training.callbacks.RunCheckpoint", "every_seconds": 3}}
        assert callback_settings(config(own, [{"_target_": target} for target in shown])) == {}

    def test_keeps_each_other_callback(self):
        stop = {"_target_": f"{LIGHTNING}.EarlyStopping", "monitor": "val/accuracy"}
        mine = {"_target_": "mine.ProgressBar"}
        assert callback_settings(config({"stop": stop}, [mine])) == {
            "callbacks.stop": stop,
            "trainer.callbacks[0]": mine,
        }


class TestLoggers:
    @pytest.mark.parametrize("logger", [{"csv": 1}, {"csv": {"save_dir": "x"}}])
    def test_without_a_class_are_refused(self, logger):
        with pytest.raises(HeadstartError, match=r"logger\.csv: names no class"):
            list_logger_nodes(OmegaConf.create(logger))

    def test_whose_packages_are_missing_are_refused(self, monkeypatch):
        monkeypatch.setattr(logger_options, "find_spec", lambda name: None)
        nodes = {name: {"_target_": f"lightning.pytorch.loggers.{name}"} for name in ("MLFlowLogger", "WandbLogger")}
        with pytest.raises(HeadstartError, match=r"^logger: mlflow and wandb are .*headstart\[mlflow,wandb\]$"):
            check_loggers(OmegaConf.create(nodes))
