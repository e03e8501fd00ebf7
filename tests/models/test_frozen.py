"""The frozen backbone: its head trains on centered and scaled features of all views."""

import torch

from headstart.models import Frozen


class TestFrozen:
    def test_starts_with_the_scale_of_the_training_images(self, spec, loader, fitted):
        model = Frozen(spec, epochs=1)
        fitted(model)
        with torch.no_grad():
            features = torch.cat([model.compute_features(images) for images, _ in loader])
        assert torch.allclose(model.feature_scale.mean, features.mean(dim=0), atol=1e-5)

    def test_trains_on_all_views_and_smooths_labels(self, spec):
        model = Frozen(spec, label_smoothing=0.2)
        torch.nn.init.normal_(model.head.weight)
        views = torch.stack([torch.zeros(8, model.feature_width), torch.ones(8, model.feature_width)], dim=1)
        labels = torch.arange(8) % 3
        with torch.no_grad():
            per_view = [
                torch.nn.functional.cross_entropy(model(views[:, v]), labels, label_smoothing=0.2) for v in (0, 1)
            ]
            losses = [model.loss(views, labels) for _ in range(20)]
        assert min(per_view) < sum(losses) / len(losses) < max(per_view)
        assert torch.allclose(model.loss(views[:, :1], labels), per_view[0])

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
