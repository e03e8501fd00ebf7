"""How sure a mean over images is."""

import numpy as np
from torch import Tensor

LEVEL = 0.95
DRAWS = 2000


def over_images(values: Tensor, seed: int = 0) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of a mean, images drawn anew (Efron and Tibshirani 1993, chapter 13).

    Args:
        values: float or bool (N,): one an image, such as the share of shifts under which its class stayed.

    Where all values are equal a bootstrap sees no spread at all. For shares, a Wilson interval of that many images
    stands in then, which knows that the next image may differ.
    """
    array = values.double().numpy()
    if (array == array[0]).all():
        return wilson(float(array[0]), len(array)) if 0 <= array[0] <= 1 else (float(array[0]), float(array[0]))
    drawn = np.random.default_rng(seed).integers(len(array), size=(DRAWS, len(array)))
    low, high = np.quantile(array[drawn].mean(axis=1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def wilson(share: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share of ``count`` (Wilson 1927)."""
    z = 1.959964
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * (share * (1 - share) / count + z * z / (4 * count * count)) ** 0.5
    return max(0.0, centre - half), min(1.0, centre + half)
