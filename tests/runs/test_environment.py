"""Tests of what a result records of its machine."""

from types import SimpleNamespace

import torch

from headstart.runs.environment import environment_info


class TestEnvironmentInfo:
    def test_names_the_device_and_precision_that_computed(self):
        trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("cpu")), precision="bf16-mixed")
        hardware = environment_info(trainer)["hardware"]
        assert (hardware["device"], hardware["precision"], hardware["gpu"]) == ("cpu", "bf16-mixed", None)
