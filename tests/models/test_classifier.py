"""What all models share."""

import lightning as L
import pytest
import torch

from headstart.errors import HeadstartError
from headstart.models import FineTuned, Frozen, ScratchBackbone, ScratchCNN
from headstart.spec import ImageSpec

ALL = [ScratchCNN, ScratchBackbone, Frozen, FineTuned]


@pytest.mark.parametrize("cls", ALL)
def test_a_checkpoint_loads_with_no_argument_and_gives_the_same_logits(cls, spec, fitted, tmp_path):
    model = cls(spec, epochs=1)
    trainer = fitted(model)
    trainer.save_checkpoint(tmp_path / "kept.ckpt")
    again = cls.load_from_checkpoint(tmp_path / "kept.ckpt", weights_only=True).eval()
    images = torch.randint(0, 256, (4, *spec.shape), dtype=torch.uint8)
    assert torch.equal(model.eval()(images), again(images))


def test_loading_a_checkpoint_reads_no_weight_file(spec, fitted, tmp_path, monkeypatch):
    trainer = fitted(FineTuned(spec, epochs=1))
    trainer.save_checkpoint(tmp_path / "kept.ckpt")
    monkeypatch.setattr("headstart.backbones.file_of", lambda *_: pytest.fail("a weight file was looked for"))
    FineTuned.load_from_checkpoint(tmp_path / "kept.ckpt", weights_only=True)


def test_hyperparameters_are_plain_values(spec):
    def plain(value):
        if isinstance(value, dict):
            return all(plain(k) and plain(v) for k, v in value.items())
        if isinstance(value, list):
            return all(plain(v) for v in value)
        return value is None or type(value) in (str, int, float, bool)

    for cls in ALL:
        assert plain(dict(cls(spec).hparams)), cls


@pytest.mark.parametrize(("labels", "epochs"), [(3, 100), (5, 100), (7, 100), (10, 50), (39, 50), (40, 20), (5000, 20)])
def test_the_epochs_table_gives_the_row_of_the_largest_count_not_above_the_datas(spec, labels, epochs):
    small = ImageSpec.from_dict({**spec.to_dict(), "labels_per_class": labels})
    assert ScratchCNN(small, epochs={5: 100, 10: 50, 40: 20}).epochs == epochs


def test_a_bare_trainer_trains_as_long_as_the_recipe(spec, loader):
    model = ScratchCNN(spec, epochs=2)
    trainer = L.Trainer(logger=False, enable_checkpointing=False, enable_progress_bar=False)
    trainer.fit(model, loader)
    assert trainer.current_epoch == 2


@pytest.mark.parametrize("wrong", [{"lr": -1.0}, {"lr": 0.0}, {"weight_decay": -0.1}, {"epochs": 0}])
def test_a_wrong_number_is_named(spec, wrong):
    with pytest.raises(HeadstartError, match=f"model.{next(iter(wrong))}"):
        ScratchCNN(spec, **wrong)


def test_a_loss_that_is_not_a_number_ends_in_one_line(spec, loader):
    model = ScratchCNN(spec, lr=1e30, epochs=5)
    trainer = L.Trainer(logger=False, enable_checkpointing=False, enable_progress_bar=False)
    with pytest.raises(HeadstartError, match="lower the learning rate"):
        trainer.fit(model, loader)


def test_predictions_come_from_raw_tensors_one_or_many(spec):
    model = ScratchCNN(spec)
    many = model.predict(torch.randint(0, 256, (5, *spec.shape), dtype=torch.uint8), batch_size=2)
    assert len(many) == 5 and many.probabilities.shape == (5, spec.num_classes)
    assert many.classes == [spec.classes[i] for i in many.labels]
    torch.testing.assert_close(many.probabilities.sum(dim=1), torch.ones(5))
    assert len(model.predict(torch.zeros(spec.shape, dtype=torch.uint8))) == 1


def test_a_float_tensor_is_refused(spec):
    with pytest.raises(HeadstartError, match="uint8"):
        ScratchCNN(spec).predict(torch.zeros(2, *spec.shape))
