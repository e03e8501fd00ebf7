"""How sure a mean over images is."""

import numpy as np
from torch import Tensor

from headstart.understand.statistics import wilson_interval

CONFIDENCE_LEVEL = 0.95
NUM_RESAMPLES = 2000


def bootstrap_interval(values: Tensor, seed: int = 0) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of a mean, images drawn anew (Efron and Tibshirani 1993, chapter 13).

    Args:
        values: float or bool (N,): one an image, such as the share of shifts under which its class stayed.

    Where all values are equal a bootstrap sees no spread at all. For shares, a Wilson interval of that many images
    stands in then, which knows that the next image may differ.
    """
    array = values.double().numpy()
    if (array == array[0]).all():
        same = float(array[0])
        return wilson_interval(same, len(array))[1:] if 0 <= same <= 1 else (same, same)
    drawn = np.random.default_rng(seed).integers(len(array), size=(NUM_RESAMPLES, len(array)))
    low, high = np.quantile(array[drawn].mean(axis=1), [(1 - CONFIDENCE_LEVEL) / 2, (1 + CONFIDENCE_LEVEL) / 2])
    return float(low), float(high)
