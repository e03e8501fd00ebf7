"""Distillation: the teacher sees each image once, is never trained and never saved."""

import pytest
import torch
from safetensors.torch import save_file

from headstart.backbones.build import build_backbone
from headstart.backbones.resolve import resolve_backbone
from headstart.errors import HeadstartError
from headstart.models import Distilled


@pytest.fixture
def teacher(tmp_path):
    """Settings of a small teacher whose weights lie in a file."""
    settings = {"name": "resnet10t", "weights": "none"}
    torch.manual_seed(7)
    network = build_backbone(resolve_backbone(settings))
    path = tmp_path / "teacher.safetensors"
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, path)
    return {**settings, "weights": str(path)}


@pytest.fixture
def model(spec, teacher):
    return Distilled(spec, teacher=teacher, teacher_size=32, epochs=2)


class TestDistilled:
    def test_features_learn_the_teachers_features(self, model, fitted, loader):
        fitted(model)
        images, labels = next(iter(loader))
        before = model.projection.weight.clone()
        optimizer = torch.optim.SGD(model.projection.parameters(), lr=0.1)
        losses = []
        for _ in range(20):
            torch.manual_seed(0)
            loss = model.loss(images, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < losses[0] and not torch.equal(before, model.projection.weight)

    def test_loads_without_the_teachers_file(self, model, fitted, teacher, tmp_path, loader):
        from pathlib import Path

        fitted(model).save_checkpoint(tmp_path / "model.ckpt", weights_only=True)
        Path(teacher["weights"]).unlink()
        images, _ = next(iter(loader))
        again = Distilled.load_from_checkpoint(tmp_path / "model.ckpt").eval()
        assert torch.equal(again(images), model.eval()(images))


class TestTeacher:
    @pytest.mark.parametrize("size", [0, 0.5, 128.7, True])
    def test_size_is_a_whole_number(self, spec, teacher, size):
        with pytest.raises(HeadstartError, match=rf"model\.teacher_size={size}: give a whole number"):
            Distilled(spec, teacher=teacher, teacher_size=size)

    def test_gets_each_image_once(self, model, fitted, loader):
        calls = []

        def listen(m):
            m.teacher.register_forward_hook(lambda module, inputs, output: calls.append(len(output)))

        fitted(model, on_start=listen)
        assert model.epochs == 2 and sum(calls) == len(loader.dataset)

    def test_stays_in_eval_mode_and_draws_no_numbers(self, model, fitted, loader):
        fitted(model)
        model.train()
        images, _ = next(iter(loader))
        state = torch.get_rng_state()
        model.teacher_features(images.flip(0) // 2)  # images that it has not seen
        assert not model.teacher.training and torch.equal(torch.get_rng_state(), state)

    def test_is_not_trained_and_not_in_the_checkpoint(self, model, fitted, tmp_path):
        before = {}

        def remember(m):
            before.update({k: v.clone() for k, v in m.teacher.state_dict().items()})

        trainer = fitted(model, on_start=remember)
        assert all(torch.equal(v, before[k]) for k, v in model.teacher.state_dict().items())
        trainer.save_checkpoint(tmp_path / "model.ckpt", weights_only=True)
        kept = torch.load(tmp_path / "model.ckpt", weights_only=True)["state_dict"]
        assert {k.split(".")[0] for k in kept} == {"backbone", "head", "projection", "pixel_mean", "pixel_std"}
