"""The frozen backbone's features are centered and scaled by the training images."""

import torch

from headstart.models import Frozen
from headstart.models.feature_scale import FeatureScale


class TestFeatureScale:
    def test_takes_mean_and_one_scale(self):
        generator = torch.Generator().manual_seed(0)
        features = 5 + torch.tensor([1.0, 3.0, 0.0]) * torch.randn(50, 3, generator=generator)
        scale = FeatureScale(width=3)
        scale.fit(features.split(20))
        assert torch.allclose(scale.mean, features.mean(dim=0), atol=1e-5)
        assert torch.allclose(scale(features).var(dim=0, correction=0).mean(), torch.tensor(1.0), atol=1e-4)
        ratio = scale(features).std(dim=0)[1] / scale(features).std(dim=0)[0]
        assert torch.allclose(ratio, features.std(dim=0)[1] / features.std(dim=0)[0], rtol=1e-4)

    def test_equal_images_give_finite_features(self):
        scale = FeatureScale(width=2)
        scale.fit([torch.ones(4, 2)])
        assert scale(torch.ones(1, 2)).isfinite().all()

    def test_changes_nothing_before_it_is_fitted(self):
        features = torch.arange(6.0).view(2, 3)
        assert torch.equal(FeatureScale(width=3)(features), features)


class TestFrozen:
    def test_starts_with_the_scale_of_the_training_images(self, spec, loader, fitted):
        model = Frozen(spec, epochs=1)
        fitted(model)
        with torch.no_grad():
            features = torch.cat([model.compute_features(images) for images, _ in loader])
        assert torch.allclose(model.feature_scale.mean, features.mean(dim=0), atol=1e-5)

    def test_second_fit_keeps_the_scale(self, spec, loader, fitted):
        model = Frozen(spec, epochs=1)
        fitted(model)
        model.feature_scale.mean += 1  # as of other images
        before = model.feature_scale.mean.clone()
        fitted(model)
        assert torch.equal(model.feature_scale.mean, before)

    def test_features_and_pixels_give_equal_scores(self, spec, loader, fitted):
        model = Frozen(spec, epochs=1)
        fitted(model)
        images = next(iter(loader))[0]
        with torch.no_grad():
            from_pixels, features = model.eval()(images), model.compute_features(images)
            assert torch.allclose(model(features), from_pixels, atol=1e-5)
            assert torch.allclose(model.network(model.normalize(images.float() / 255)), from_pixels, atol=1e-5)
