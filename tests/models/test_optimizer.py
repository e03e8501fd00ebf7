"""AdamW, its groups and its schedule."""

import pytest
import torch
from torch import nn

from headstart.models import FineTuned, Frozen
from headstart.models import optimizer as optim


class TestParameterGroups:
    def test_hold_each_parameter_once_with_its_rate(self, spec):
        model = FineTuned(spec, backbone_lr=1e-4, head_lr=1e-2)
        groups = model.parameter_groups()
        ids = [id(p) for group in groups for p in group["params"]]
        assert sorted(ids) == sorted(id(p) for p in model.parameters())
        assert {group["lr"] for group in groups} == {1e-4, 1e-2}
        head = {id(p) for p in model.head.parameters()}
        assert all((id(p) in head) == (group["lr"] == 1e-2) for group in groups for p in group["params"])

    def test_hold_only_the_head_of_a_frozen_model(self, spec):
        model = Frozen(spec)
        ids = {id(p) for group in model.parameter_groups() for p in group["params"]}
        assert ids == {id(p) for p in model.head.parameters()}

    def test_decay_no_biases_and_normalization(self):
        module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
        spared, decayed = optim.build_parameter_groups(module, 0.1, 0.5)
        assert [p.ndim for p in decayed["params"]] == [4] and decayed["weight_decay"] == 0.5
        assert all(p.ndim == 1 for p in spared["params"]) and spared["weight_decay"] == 0.0


class TestSchedule:
    def test_warms_up_and_decays_to_zero(self):
        weight = nn.Parameter(torch.zeros(2, 2))
        made = optim.build_adamw_cosine([{"params": [weight], "lr": 1.0}], steps=100)
        optimizer, schedule = made["optimizer"], made["lr_scheduler"]["scheduler"]
        rates = []
        for _ in range(100):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        assert rates[0] < 0.2 and max(rates) == pytest.approx(0.98, abs=0.03) and rates[-1] < 0.01
