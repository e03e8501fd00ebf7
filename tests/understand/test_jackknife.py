import pytest
import torch

from headstart.understand.jackknife import jackknife_intervals


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_the_jackknife_gives_the_interval_of_a_mean():
    values = noise(200)
    (mean,) = jackknife_intervals(lambda some: values[some].mean()[None], 200)
    half = 2.093 * values.std() / 200**0.5
    assert mean.value == pytest.approx(values.mean().item())
    assert (mean.high - mean.low) / 2 == pytest.approx(half.item(), rel=0.35)
    assert len(jackknife_intervals(lambda some: values[some][:3], 7)) == 3
