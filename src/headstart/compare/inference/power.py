"""Computes the differences that test images and seeds can detect, and the sample that an open verdict needs."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri

from headstart.compare.declaration import DEFAULT_LEVEL
from headstart.compare.inference.contrast import CrossedContrast, howe_half_width, minimum_half_width
from headstart.compare.inference.verdict import DECLARED_SHARE, Verdict

POWER = 0.8  # chance to detect a true difference
EVEN_POWER = 0.5  # lowest chance worth further training
# Measured on pairs of arms on digits, flowers5 and hymenoptera (docs/protocol.md):
TYPICAL_SEED_SPREAD = 0.03  # standard deviation of the difference between seeds: 0 to 4 points
TYPICAL_DISCORDANCE = 0.25  # share of the test images on which the runs of one seed differ: 3 to 39 %
PERSISTENT_SHARE = 0.2  # part of the discordance that an image keeps from seed to seed: none to a half
MAX_TEST_IMAGES, MAX_TEST_SEEDS = 1_000_000, 100  # largest sample that is considered


@dataclass(frozen=True)
class RequiredSample:
    """The additional sample that would decide an open contrast, if the true difference is the observed one.

    Args:
        images: additional test images, to two digits, for both chances; infinite where ``most_images`` do not suffice.
        seeds: additional seeds for both chances; infinite where ``most_seeds`` do not suffice.
        most_images: largest total number of test images that is considered.
        most_seeds: largest total number of seeds that is considered.
        chances: of a decision with the first and the second number.
    """

    images: tuple[float, float]
    seeds: tuple[float, float]
    most_images: float
    most_seeds: int = MAX_TEST_SEEDS
    chances: tuple[float, float] = (EVEN_POWER, POWER)


def minimum_detectable_difference(
    images: int,
    seeds: int,
    budgets: int,
    folds: int = 1,
    level: float = DEFAULT_LEVEL,
    spread: float = TYPICAL_SEED_SPREAD,
    discordance: float = TYPICAL_DISCORDANCE,
) -> float:
    """Computes the smallest difference of the declared contrast, of 1, that is detected with a chance of ``POWER``.

    Args:
        images: number of test images over all folds.
        seeds: number of seeds, S.
        budgets: number of budgets that share the level.
        folds: number of parts in which the images are tested.
        level: of the sweep.
        spread: standard deviation of the difference between seeds.
        discordance: share of the images on which the runs of one seed differ.
    """
    alpha = DECLARED_SHARE * level / budgets
    if seeds == 1:
        return float((ndtri(1 - alpha / 2) + ndtri(POWER)) * math.sqrt(discordance / images))
    rng = np.random.default_rng(0)
    persistent, residual = PERSISTENT_SHARE * discordance, (1 - PERSISTENT_SHARE) * discordance

    def sample_mean_square(mean_square: float, freedom: int) -> np.ndarray:
        return mean_square * rng.chisquare(freedom, size=4000) / freedom

    half = howe_half_width(
        seeds,
        images,
        sample_mean_square(images * spread**2 / folds + residual, seeds - 1),
        sample_mean_square(seeds * persistent + residual, images - 1),
        sample_mean_square(residual, (seeds - 1) * (images - 1)),
        alpha,
        folds,
    )
    error = math.sqrt(spread**2 / (folds * seeds) + persistent / images + residual / (seeds * images))
    detected = np.maximum(half, minimum_half_width(images, alpha)) + error * rng.normal(size=4000)
    return min(1.0, float(np.quantile(detected, POWER)))


def required_sample_size(verdict: Verdict) -> RequiredSample | None:
    """Computes the sample that would decide the declared contrast; None where it is decided, missing, or has a single
    seed, from which the spread between trainings is unknown."""
    if verdict.declared_pair is None or verdict.is_first_better is not None:
        return None
    contrast = verdict.contrasts[verdict.declared_pair]
    if not isinstance(contrast, CrossedContrast) or contrast.seeds < 2:
        return None
    images_per_effective = verdict.table.num_images / contrast.images

    def additional_sample(power: float) -> tuple[float, float]:
        def shortfall(images: float, seeds: float) -> float:
            return _detectable_difference(contrast, images, seeds, verdict.declared_alpha, power) - abs(contrast.mean)

        images = _find_root(lambda n: shortfall(n, contrast.seeds), contrast.images, MAX_TEST_IMAGES)
        seeds = _find_root(lambda s: shortfall(contrast.images, s), contrast.seeds, MAX_TEST_SEEDS)
        additional_seeds = max(math.ceil(seeds - contrast.seeds), 1) if seeds < math.inf else math.inf
        return images_per_effective * (images - contrast.images), additional_seeds

    (even_images, even_seeds), (images, seeds) = additional_sample(EVEN_POWER), additional_sample(POWER)
    return RequiredSample(
        (_round_to_two_digits(even_images), _round_to_two_digits(images)),
        (even_seeds, seeds),
        most_images=_round_to_two_digits(images_per_effective * MAX_TEST_IMAGES),
    )


def _detectable_difference(contrast: CrossedContrast, images: float, seeds: float, alpha: float, power: float) -> float:
    """Computes the difference that these images and seeds detect with a chance of ``power``, if the parts of the
    variance are the observed ones."""
    between = max(contrast.mean_square_seeds - contrast.mean_square_residual, 0.0) / contrast.images
    persistent = max(contrast.mean_square_images - contrast.mean_square_residual, 0.0) / contrast.seeds
    half = howe_half_width(
        seeds,
        images,
        images * between + contrast.mean_square_residual,
        seeds * persistent + contrast.mean_square_residual,
        contrast.mean_square_residual,
        alpha,
        contrast.folds,
    )
    error = math.sqrt(between / seeds + persistent / images + contrast.mean_square_residual / (seeds * images))
    return max(float(half), minimum_half_width(images, alpha)) + float(ndtri(power)) * error


def _find_root(decreasing: Callable[[float], float], low: float, high: float) -> float:
    """Finds the zero of a decreasing function; infinity where there is none up to ``high``."""
    if decreasing(high) > 0:
        return math.inf
    return float(brentq(decreasing, low, high)) if decreasing(low) > 0 else low


def _round_to_two_digits(number: float) -> float:
    return float(f"{max(number, 1):.2g}")


def min_images_for_tie(alpha: float, margin: float) -> int:
    """Computes the fewest test images on which two arms can be equal within ``margin``: with fewer, the
    1 - 2 ``alpha`` interval is wider even where the arms agree on each image."""
    return math.floor(math.log(alpha) / math.log(1 - margin)) + 1
