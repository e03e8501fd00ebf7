"""Computes the differences that test images and seeds can detect, and the sample that an open verdict needs."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri

from headstart.compare.declaration import DEFAULT_LEVEL
from headstart.compare.inference.crossed_contrast import CrossedContrast, howe_half_width
from headstart.compare.inference.mcnemar import McNemarContrast
from headstart.compare.inference.moderation import PRIOR_SHARE
from headstart.compare.inference.rotated_contrast import RotatedContrast, count_training_sets, rotated_half_width
from headstart.compare.inference.symmetric_contrast import minimum_half_width
from headstart.compare.inference.verdict import Verdict

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
    arms: int = 4,
    rotates: bool = False,
) -> float:
    """Computes the smallest difference of two arms, of 1, that is detected with a chance of ``POWER``.

    The level is that of the first step of the step-down procedure over all pairs: later steps detect smaller ones.

    Args:
        images: number of test images over all folds.
        seeds: number of seeds, S.
        budgets: number of budgets that share the level.
        folds: number of parts in which the images are tested.
        level: of the sweep.
        spread: standard deviation of the difference between seeds, where a seed tests all images.
        discordance: share of the images on which the runs of one seed differ.
        arms: number of arms.
        rotates: whether each seed tests one fold alone.
    """
    alpha = level / budgets / math.comb(max(arms, 2), 2)
    images_of_seed = images / folds if rotates else images
    if seeds == 1:
        return float((ndtri(1 - alpha / 2) + ndtri(POWER)) * math.sqrt(discordance / images_of_seed))
    rng = np.random.default_rng(0)
    persistent, residual = PERSISTENT_SHARE * discordance, (1 - PERSISTENT_SHARE) * discordance
    freedom = (seeds - 1) * (1 + PRIOR_SHARE * (arms - 2))

    def sample_mean_square(mean_square: float, freedom: float) -> np.ndarray:
        return mean_square * rng.chisquare(freedom, size=4000) / freedom

    if rotates:
        tested = images * min(seeds, folds) / folds
        image_variance = persistent / tested + residual / (seeds * images_of_seed)
        image_part = discordance / images_of_seed
        seed_part = np.maximum(sample_mean_square(spread**2 + image_part, freedom) - image_part, 0.0)
        seed_part /= count_training_sets(seeds, folds)
        half = rotated_half_width(seed_part, image_variance, freedom, tested - 1, alpha)
        error = math.sqrt(spread**2 / seeds + image_variance)
    else:
        tested = images
        half = howe_half_width(
            seeds,
            images,
            sample_mean_square(images * spread**2 / folds + residual, freedom),
            sample_mean_square(seeds * persistent + residual, images - 1),
            sample_mean_square(residual, (seeds - 1) * (images - 1)),
            alpha,
            folds,
            freedom,
        )
        error = math.sqrt(spread**2 / (folds * seeds) + persistent / images + residual / (seeds * images))
    detected = np.maximum(half, minimum_half_width(tested, alpha)) + error * rng.normal(size=4000)
    return min(1.0, float(np.quantile(detected, POWER)))


def required_sample_size(verdict: Verdict) -> RequiredSample | None:
    """Computes the sample that would decide the declared contrast; None where it is decided, missing, or has a single
    seed, from which the spread between trainings is unknown."""
    if verdict.declared_pair is None or verdict.is_first_better is not None:
        return None
    contrast = verdict.contrasts[verdict.declared_pair]
    if isinstance(contrast, McNemarContrast) or contrast.seeds < 2:
        return None
    images_per_effective = verdict.table.num_images / contrast.images
    alpha = verdict.levels[verdict.declared_pair]

    def additional_sample(power: float) -> tuple[float, float]:
        def shortfall(images: float, seeds: float) -> float:
            half, error = predict_precision(contrast, images, seeds, alpha)
            return half + float(ndtri(power)) * error - abs(contrast.mean)

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


def predict_precision(
    contrast: CrossedContrast | RotatedContrast, images: float, seeds: float, alpha: float
) -> tuple[float, float]:
    """Predicts half the width of the 1 - ``alpha`` interval that so many images and seeds give, and the standard error
    of the mean, if the parts of the variance are the observed ones."""
    predict = _predict_crossed if isinstance(contrast, CrossedContrast) else _predict_rotated
    half, tested, variance = predict(contrast, images, seeds, alpha)  # type: ignore[arg-type]
    return max(half, minimum_half_width(tested, alpha)), math.sqrt(variance)


def _predict_crossed(
    contrast: CrossedContrast, images: float, seeds: float, alpha: float
) -> tuple[float, float, float]:
    """Half the interval's width above the floor, the number of tested images and the variance of the mean."""
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
        (seeds - 1) * contrast.seed_freedom / (contrast.seeds - 1),
    )
    variance = between / seeds + persistent / images + contrast.mean_square_residual / (seeds * images)
    return float(half), images, variance


def _predict_rotated(
    contrast: RotatedContrast, images: float, seeds: float, alpha: float
) -> tuple[float, float, float]:
    """As :func:`_predict_crossed`, where seeds rotate through ``contrast.folds``: more seeds test more of the images,
    up to all of them, and then each again. Images beyond those that were tested are counted as new ones."""
    between = max(contrast.seed_variance - contrast.image_part_of_seeds, 0.0)
    untested = contrast.folds / min(contrast.seeds, contrast.folds)  # times as many images as were tested
    tested = images * min(seeds / contrast.seeds, untested) if seeds < contrast.folds else images * untested
    repeated, repeated_so_far = (_variance_by_repeats(number / contrast.folds) for number in (seeds, contrast.seeds))
    image_variance = contrast.image_variance * contrast.images / tested * repeated / repeated_so_far
    freedom = (seeds - 1) * contrast.seed_freedom / (contrast.seeds - 1)
    seed_part = between / count_training_sets(seeds, contrast.folds)
    half = float(rotated_half_width(seed_part, image_variance, freedom, tested - 1, alpha))
    return half, tested, between / seeds + image_variance


def _variance_by_repeats(repeats: float) -> float:
    """Variance of an image's mean over repeated trainings, of that of one training."""
    return PERSISTENT_SHARE + (1 - PERSISTENT_SHARE) / max(repeats, 1.0)


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
