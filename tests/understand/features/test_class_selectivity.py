import pytest
import torch

from headstart.understand.features.class_selectivity import chance_selectivity_interval, class_selectivity

LABELS = torch.arange(60) % 4


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class TestClassSelectivity:
    def test_is_1_for_the_class_0_for_noise_nan_for_constants(self):
        features = torch.stack([LABELS.float() * 3 - 1, torch.full((60,), 0.7)], dim=1)
        tells, silent = class_selectivity(features, LABELS).tolist()
        assert tells == pytest.approx(1) and silent != silent
        assert class_selectivity(noise(60, 4000), LABELS).mean() == pytest.approx(0, abs=0.005)

    def test_agrees_with_scipys_f_statistic(self):
        features = (LABELS >= 2).float() + noise(60)  # SciPy's F gives the same: ε² = (F − 1) / (F + (N − C) / (C − 1))
        from scipy.stats import f_oneway

        ratio = f_oneway(*(features[each == LABELS].numpy() for each in range(4))).statistic
        assert class_selectivity(features[:, None], LABELS).item() == pytest.approx(
            (ratio - 1) / (ratio + 56 / 3), rel=1e-5
        )
        assert torch.equal(class_selectivity(features[:, None] * 9 + 5, LABELS) > 0, torch.tensor([True]))


class TestChanceSelectivityInterval:
    def test_lies_about_0_and_below_a_real_class(self):
        features = noise(60, 50)
        low, high = chance_selectivity_interval(features, LABELS)
        assert low < 0 < high < 0.05
        assert class_selectivity(features + LABELS[:, None], LABELS).mean() > high
        assert chance_selectivity_interval(features, LABELS) == (low, high)
