"""Features are centered and have one scale."""

import torch

from headstart.networks.feature_scale import FeatureScale


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
