"""What all models share."""

import os

import lightning as L
import pytest
import torch

from headstart.backbones.resolve import resolve_architecture
from headstart.errors import HeadstartError
from headstart.image_spec import ImageSpec
from headstart.models import FineTuned, Frozen, ScratchBackbone, ScratchCNN
from headstart.models.evaluation import compute_metrics

ALL = [ScratchCNN, ScratchBackbone, Frozen, FineTuned]
EMBEDDED_OPTIONS = resolve_architecture(None)["options"]
PLAIN_RESNET = {"name": "resnet18", "options": {}, "weights": "none"}  # the embedded network's name, not its options


def quiet_trainer(max_epochs=1, **settings):
    return L.Trainer(
        max_epochs=max_epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **settings,
    )


class TestCheckpointMonitor:
    def test_prefers_the_later_of_two_equally_accurate_epochs(self, spec, loader):
        class Recorder(L.Callback):
            def __init__(self):
                self.margins = []

            def on_validation_end(self, trainer, pl_module):
                metrics = trainer.callback_metrics
                self.margins.append(float(metrics["val/checkpoint_score"].double() - metrics["val/accuracy"].double()))

        recorder = Recorder()
        trainer = quiet_trainer(max_epochs=2, callbacks=[recorder], num_sanity_val_steps=0)
        trainer.fit(ScratchCNN(spec, epochs=2), loader, loader)
        assert recorder.margins == pytest.approx([0, 5e-6], abs=1e-7)


class TestSchedule:
    @pytest.mark.parametrize("epochs", [1, 3])
    def test_is_as_long_as_the_trainer_trains(self, spec, loader, epochs):
        trainer = quiet_trainer(max_epochs=epochs)
        trainer.fit(ScratchCNN(spec, epochs=2), loader)
        (scheduler,) = trainer.lr_scheduler_configs
        assert trainer.current_epoch == epochs
        assert scheduler.scheduler.get_last_lr()[0] == pytest.approx(0, abs=1e-9)

    def test_is_as_long_as_schedule_epochs(self, spec, loader):
        def last_rate(max_epochs, schedule_epochs=None):
            model, trainer = ScratchCNN(spec), quiet_trainer(max_epochs)
            model.schedule_epochs = schedule_epochs
            trainer.fit(model, loader)
            return trainer.lr_scheduler_configs[0].scheduler.get_last_lr()[0]

        assert last_rate(2, schedule_epochs=4) == pytest.approx(ScratchCNN(spec).lr / 2)  # the middle of a cosine
        assert last_rate(4, schedule_epochs=4) == pytest.approx(0, abs=1e-9)

    def test_needs_an_end(self, spec, loader):
        with pytest.raises(HeadstartError, match=r"trainer\.max_epochs=-1: .*give max_epochs=model\.epochs"):
            quiet_trainer(max_epochs=-1).fit(ScratchCNN(spec), loader)

    @pytest.mark.parametrize(
        ("labels", "epochs"), [(3, 100), (5, 100), (7, 100), (10, 50), (39, 50), (40, 20), (5000, 20)]
    )
    def test_epochs_come_from_the_table_row_of_the_budget(self, spec, labels, epochs):
        small = ImageSpec.from_dict({**spec.to_dict(), "labels_per_class": labels})
        assert ScratchCNN(small, epochs={5: 100, 10: 50, 40: 20}).epochs == epochs


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


class FakeData(L.LightningDataModule):
    """A data module with a specification of its images, as ``ImageDataModule`` has one after ``setup``."""

    def __init__(self, spec, loader):
        super().__init__()
        self.spec, self.loader = spec, loader

    def train_dataloader(self):
        return self.loader

    test_dataloader = val_dataloader = predict_dataloader = train_dataloader


class TestSetup:
    @pytest.mark.parametrize("stage", ["fit", "validate", "test", "predict"])
    @pytest.mark.parametrize("classes", [("bee", "cat", "dog"), ("bee", "ant", "cat"), ("ant", "bee")])
    def test_rejects_data_of_other_classes(self, spec, loader, stage, classes):
        other = ImageSpec.from_dict({**spec.to_dict(), "classes": list(classes)})
        with pytest.raises(HeadstartError) as refused:
            getattr(quiet_trainer(), stage)(ScratchCNN(spec), datamodule=FakeData(other, loader))
        said = str(refused.value)
        assert ", ".join(classes) in said and ", ".join(spec.classes) in said and "\n" not in said

    def test_rejects_images_of_another_shape(self, spec, loader):
        other = ImageSpec.from_dict({**spec.to_dict(), "shape": [1, 28, 28]})
        with pytest.raises(HeadstartError, match=r"1×28×28 .* the model's are 3×32×32"):
            quiet_trainer().test(ScratchCNN(spec), datamodule=FakeData(other, loader))

    def test_rejects_images_that_are_resized_in_another_way(self, spec, loader):
        other = ImageSpec.from_dict({**spec.to_dict(), "resize": "pad"})
        with pytest.raises(HeadstartError, match="resized by pad, but the model's by crop"):
            quiet_trainer().test(ScratchCNN(spec), datamodule=FakeData(other, loader))

    def test_rejects_images_of_another_depth(self, spec, loader):
        other = ImageSpec.from_dict({**spec.to_dict(), "depth": "uint12"})
        with pytest.raises(HeadstartError, match="read as uint12, but the model's are 8 bits"):
            quiet_trainer().test(ScratchCNN(spec), datamodule=FakeData(other, loader))

    def test_takes_other_statistics_and_plain_loaders(self, spec, loader):
        other = ImageSpec.from_dict({**spec.to_dict(), "mean": [0.1, 0.1, 0.1], "labels_per_class": 9})
        quiet_trainer().test(ScratchCNN(spec), datamodule=FakeData(other, loader), verbose=False)
        quiet_trainer().test(ScratchCNN(spec), loader, verbose=False)

    @pytest.mark.parametrize("precision", ["bf16-true", "16-true", "64-true"])
    def test_rejects_precisions_that_convert_weights(self, spec, loader, precision):
        model = ScratchCNN(spec)
        for call in ("fit", "test", "predict"):
            with pytest.raises(HeadstartError, match=rf"trainer\.precision={precision}: .*bf16-mixed"):
                getattr(quiet_trainer(precision=precision, accelerator="cpu"), call)(model, loader)
        assert {p.dtype for p in model.parameters()} == {torch.float32}

    def test_leaves_out_an_interrupted_test(self, spec, loader):
        model, trainer = ScratchCNN(spec), quiet_trainer()
        model.test_step((torch.zeros(5, *spec.shape, dtype=torch.uint8), torch.zeros(5, dtype=torch.int64)), 0)
        trainer.test(model, loader, verbose=False)
        assert len(model.test_labels) == 12


class TestCheckpoint:
    @pytest.mark.parametrize(
        ("cls", "settings"),
        [
            *((cls, {}) for cls in ALL),
            (FineTuned, {"backbone": PLAIN_RESNET}),
            (ScratchBackbone, {"architecture": PLAIN_RESNET}),
            (Frozen, {"backbone": {"name": "mobilenetv3_small_050", "options": {}, "weights": "none"}}),
        ],
    )
    def test_loads_without_arguments_with_equal_logits(self, cls, settings, spec, fitted, tmp_path):
        model = cls(spec, epochs=1, **settings)
        trainer = fitted(model)
        trainer.save_checkpoint(tmp_path / "kept.ckpt")
        again = cls.load_from_checkpoint(tmp_path / "kept.ckpt").eval()
        images = torch.randint(0, 256, (4, *spec.shape), dtype=torch.uint8)
        assert torch.equal(model.eval()(images), again(images))

    @pytest.mark.parametrize("cls", ALL)
    def test_names_each_tensor_once(self, cls, spec):
        kept = cls(spec).state_dict(keep_vars=True)
        assert len({id(tensor) for tensor in kept.values()}) == len(kept)

    def test_loads_without_the_weight_file(self, spec, fitted, tmp_path):
        weights = tmp_path / "weights.pth"
        torch.save(Frozen(spec).backbone.state_dict(), weights)
        fitted(
            Frozen(spec, epochs=1, backbone={"weights": str(weights), "name": "resnet18", "options": EMBEDDED_OPTIONS})
        ).save_checkpoint(tmp_path / "kept.ckpt")
        weights.unlink()
        Frozen.load_from_checkpoint(tmp_path / "kept.ckpt", weights_only=True)

    def test_hyperparameters_are_plain_values(self, spec):
        def plain(value):
            if isinstance(value, dict):
                return all(plain(k) and plain(v) for k, v in value.items())
            if isinstance(value, list):
                return all(plain(v) for v in value)
            return value is None or type(value) in (str, int, float, bool)

        for cls in ALL:
            assert plain(dict(cls(spec).hparams)), cls

    @pytest.mark.parametrize("cls", [ScratchCNN, FineTuned])
    def test_rejects_files_that_would_run_code(self, cls, spec, fitted, tmp_path):
        torch.save({"hyper_parameters": Evil(str(tmp_path / "ran"))}, tmp_path / "evil.ckpt")
        fitted(cls(spec, epochs=1)).save_checkpoint(tmp_path / "named.ckpt")
        kept = torch.load(tmp_path / "named.ckpt", weights_only=True)
        kept["hyper_parameters"]["_instantiator"] = "os.system"
        torch.save(kept, tmp_path / "named.ckpt")
        for name in ("evil.ckpt", "named.ckpt"):
            with pytest.raises(HeadstartError, match="refused") as refused:
                cls.load_from_checkpoint(tmp_path / name)
            assert "\n" not in str(refused.value)
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize("cls", [ScratchCNN, FineTuned])
    def test_rejects_other_classes(self, cls, spec, loader, fitted, tmp_path):
        fitted(cls(spec, epochs=1)).save_checkpoint(tmp_path / "kept.ckpt")
        other = ImageSpec.from_dict({**spec.to_dict(), "classes": ["bee", "cat", "dog"]})
        with pytest.raises(HeadstartError, match="the checkpoint are ant, bee, cat, but the model's are bee"):
            quiet_trainer().fit(cls(other), loader, ckpt_path=tmp_path / "kept.ckpt", weights_only=True)
        with pytest.raises(HeadstartError, match="the classes of the checkpoint"):
            cls.load_from_checkpoint(tmp_path / "kept.ckpt", spec=other)


class TestNetwork:
    @pytest.mark.parametrize("cls", ALL)
    def test_is_a_plain_module_that_can_be_traced(self, cls, spec):
        model = cls(spec).eval()
        if hasattr(model, "head"):
            torch.nn.init.normal_(model.head.weight)  # the head of a transfer model starts at zero
        images = torch.randint(0, 256, (2, *spec.shape), dtype=torch.uint8)
        normalised = (images / 255 - model.pixel_mean) / model.pixel_std
        traced = torch.fx.symbolic_trace(model.network)
        torch.testing.assert_close(traced(normalised), model(images))
        assert [id(p) for p in model.network.parameters()] == [id(p) for p in model.parameters()]
        assert not any(isinstance(m, L.LightningModule) for m in model.network.modules())


class TestSettings:
    @pytest.mark.parametrize("wrong", [{"lr": -1.0}, {"lr": 0.0}, {"weight_decay": -0.1}, {"epochs": 0}])
    def test_reject_numbers_out_of_range(self, spec, wrong):
        with pytest.raises(HeadstartError, match=f"model.{next(iter(wrong))}"):
            ScratchCNN(spec, **wrong)


class TestLoss:
    def test_stops_training_when_it_is_not_finite(self, spec, loader):
        with pytest.raises(HeadstartError, match="lower the learning rate"):
            quiet_trainer(max_epochs=5).fit(ScratchCNN(spec, lr=1e30), loader)

    def test_each_batch_has_its_own_seed(self, spec, loader):
        seeds = []

        class Watched(ScratchCNN):
            def loss(self, images, labels):
                seeds.append(torch.initial_seed())
                return super().loss(images, labels)

        quiet_trainer(max_epochs=3).fit(Watched(spec), loader)
        assert len(set(seeds)) == len(seeds) == 6

    def test_uses_augmentation_and_label_smoothing(self, spec):
        images = torch.randint(0, 256, (4, *spec.shape), dtype=torch.uint8)
        labels = torch.arange(4) % 3

        def loss(draw, **settings):
            torch.manual_seed(0)
            model = ScratchCNN(spec, **settings)
            torch.manual_seed(draw)
            return model.loss(images, labels).item()

        assert loss(1, augment=None) == loss(2, augment=None)
        assert loss(1) != loss(2)
        assert loss(1, augment=None) != loss(1, augment=None, label_smoothing=0.2)


class TestPredict:
    def test_takes_one_or_several_raw_tensors(self, spec):
        model = ScratchCNN(spec)
        many = model.predict(torch.randint(0, 256, (5, *spec.shape), dtype=torch.uint8), batch_size=2)
        assert len(many) == 5 and many.probabilities.shape == (5, spec.num_classes)
        assert many.predicted_classes == [spec.classes[i] for i in many.labels]
        torch.testing.assert_close(many.probabilities.sum(dim=1), torch.ones(5))
        assert len(model.predict(torch.zeros(spec.shape, dtype=torch.uint8))) == 1

    def test_rejects_float_tensors(self, spec):
        with pytest.raises(HeadstartError, match="uint8"):
            ScratchCNN(spec).predict(torch.zeros(2, *spec.shape))

    def test_runs_in_eval_mode_and_restores_the_mode(self, spec):
        model = FineTuned(spec)
        torch.nn.init.normal_(model.head.weight)
        images = torch.randint(0, 256, (4, *spec.shape), dtype=torch.uint8)
        said = model.train().predict(images)
        assert model.training
        torch.testing.assert_close(said.probabilities, model.eval()(images).softmax(dim=1).detach())

    @pytest.mark.parametrize("given", [torch.zeros(5, 32, 32, dtype=torch.uint8), [3], torch.zeros(2, 2)])
    def test_rejects_values_that_are_no_images(self, spec, given):
        with pytest.raises(HeadstartError, match="is no image; give") as refused:
            ScratchCNN(spec).predict(given)
        assert "\n" not in str(refused.value)

    def test_takes_no_images_but_no_empty_batches(self, spec):
        with pytest.raises(HeadstartError, match="batch_size=0"):
            ScratchCNN(spec).predict(torch.zeros(2, *spec.shape, dtype=torch.uint8), batch_size=0)
        assert len(ScratchCNN(spec).predict([])) == 0


class TestComputeMetrics:
    def test_equal_the_figures_by_hand(self):
        labels = torch.tensor([0, 0, 0, 0, 1, 2])
        scores = 5.0 * torch.eye(3)[torch.tensor([0, 0, 0, 1, 1, 0])]
        said = {name: float(value) for name, value in compute_metrics(scores, labels).items()}
        assert said["accuracy"] == pytest.approx(4 / 6)
        assert said["balanced_accuracy"] == pytest.approx((3 / 4 + 1 + 0) / 3)
        assert said["macro_f1"] == pytest.approx((6 / 8 + 2 / 3 + 0) / 3)
        right, wrong = (-torch.log_softmax(torch.tensor([5.0, 0.0, 0.0]), dim=0)[:2]).tolist()
        assert said["log_loss"] == pytest.approx((4 * right + 2 * wrong) / 6)
