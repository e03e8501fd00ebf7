"""Linear probe: scikit-learn's logistic regression, kept as a linear layer."""

import copy

import lightning as L
import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from headstart.errors import HeadstartError
from headstart.models import LinearProbe, NearestNeighbors
from headstart.models.probes.linear_probe import choose_inverse_penalty, fit_logistic_regression


def make_features(num_images, num_classes=3, width=20, noise=2.0):
    generator = np.random.default_rng(0)
    labels = np.arange(num_images) % num_classes
    centers = generator.normal(size=(num_classes, width))
    return 5 + 3 * (centers[labels] + noise * generator.normal(size=(num_images, width))), labels


class TestFitLogisticRegression:
    @pytest.mark.parametrize(("num_images", "width"), [(90, 10), (30, 60)])
    def test_equals_a_fit_on_all_axes(self, num_images, width):
        features, labels = make_features(num_images, width=width)
        weight, bias = fit_logistic_regression(features, labels, 3)
        mean, scale = features.mean(axis=0), np.sqrt(features.var(axis=0).mean())
        inputs = (features - mean) / scale
        expected = LogisticRegression(C=choose_inverse_penalty(inputs, labels), max_iter=5000, tol=1e-8).fit(
            inputs, labels
        )
        new = make_features(60, width=width, noise=3.0)[0]
        scores = new @ weight.T + bias
        probabilities = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        assert np.abs(probabilities - expected.predict_proba((new - mean) / scale)).max() < 1e-3

    def test_two_classes(self):
        features, labels = make_features(40, num_classes=2)
        weight, bias = fit_logistic_regression(features, labels, 2)
        assert ((features @ weight.T + bias).argmax(axis=1) == labels).mean() > 0.9

    def test_class_without_images_is_never_predicted(self):
        features, labels = make_features(40, num_classes=2)
        weight, bias = fit_logistic_regression(features, 2 * labels, 3)
        scores = features @ weight.T + bias
        assert np.isfinite(scores).all() and set(scores.argmax(axis=1)) == {0, 2}

    def test_one_class(self):
        weight, bias = fit_logistic_regression(np.eye(3), np.ones(3, dtype=np.int64), 2)
        assert ((np.eye(3) @ weight.T + bias).argmax(axis=1) == 1).all()

    def test_one_image_of_each_class(self):
        features, labels = make_features(3)
        weight, bias = fit_logistic_regression(features, labels, 3)
        assert ((features @ weight.T + bias).argmax(axis=1) == labels).all()

    def test_rare_features_keep_their_scale(self):
        features, labels = make_features(12, width=4)
        features = np.concatenate([features, 1e-6 * np.eye(12)], axis=1)  # each tells one image from all others
        weight = fit_logistic_regression(features, labels, 3)[0]
        assert np.abs(weight[:, 4:]).max() < 1e-3 * np.abs(weight[:, :4]).max()

    def test_constant_feature_does_no_harm(self):
        features, labels = make_features(30)
        features[:, 4] = 7.0
        weight, bias = fit_logistic_regression(features, labels, 3)
        assert np.isfinite(weight).all() and np.isfinite(bias).all()


class TestFittedHeads:
    @pytest.mark.parametrize("cls", [LinearProbe, NearestNeighbors])
    def test_fits_in_one_epoch_from_pixels(self, spec, loader, fitted, cls):
        model = cls(spec)
        trainer = fitted(model)
        images, labels = next(iter(loader))
        with torch.no_grad():
            assert (model.eval()(images).argmax(dim=1) == labels).float().mean() > 0.6
        assert trainer.current_epoch == 1 and trainer.callback_metrics["train/loss"].isfinite()

    @pytest.mark.parametrize("cls", [LinearProbe, NearestNeighbors])
    def test_checkpoint_gives_equal_scores(self, spec, loader, fitted, cls, tmp_path):
        model = cls(spec)
        fitted(model).save_checkpoint(tmp_path / "model.ckpt")
        images = next(iter(loader))[0]
        loaded = cls.load_from_checkpoint(tmp_path / "model.ckpt")
        with torch.no_grad():
            assert torch.equal(loaded.eval()(images), model.eval()(images))

    @pytest.mark.parametrize("cls", [LinearProbe, NearestNeighbors])
    def test_can_be_copied(self, spec, loader, fitted, cls):
        model = cls(spec)
        fitted(model)
        images = next(iter(loader))[0]
        with torch.no_grad():
            assert torch.equal(copy.deepcopy(model).eval()(images), model.eval()(images))

    @pytest.mark.parametrize("cls", [LinearProbe, NearestNeighbors])
    def test_lightnings_checkpoint_is_saved(self, spec, loader, cls, tmp_path):
        checkpoint = L.pytorch.callbacks.ModelCheckpoint(dirpath=tmp_path)
        trainer = L.Trainer(max_epochs=1, logger=False, callbacks=[checkpoint], enable_progress_bar=False)
        trainer.fit(cls(spec), loader)
        assert cls.load_from_checkpoint(checkpoint.best_model_path).spec == spec

    @pytest.mark.parametrize("cls", [LinearProbe, NearestNeighbors])
    def test_backbone_keeps_every_bit(self, spec, fitted, cls):
        model, before = cls(spec), {}
        fitted(model, on_start=lambda m: before.update({k: v.clone() for k, v in m.backbone.state_dict().items()}))
        assert all(torch.equal(before[k], v) for k, v in model.backbone.state_dict().items())

    @pytest.mark.parametrize("cls", [LinearProbe, NearestNeighbors])
    def test_rejects_several_epochs(self, spec, cls):
        with pytest.raises(HeadstartError, match=r"model\.epochs=3"):
            cls(spec, epochs=3)
