"""What test images and seeds can find: before any training, and what it would take where a verdict is open.

Quick, and without data.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri

from headstart.compare.declaration import DEFAULT_LEVEL
from headstart.compare.inference.contrast import CrossedContrast, howe_half_width, minimum_half_width
from headstart.compare.inference.verdict import DECLARED_SHARE, Verdict

POWER = 0.8  # the chance of finding a difference that is there
EVEN_POWER = 0.5  # the least chance for which anybody would go on
# What pairs of arms had on digits, flowers5 and hymenoptera (docs/protocol.md):
TYPICAL_SEED_SPREAD = 0.03  # standard deviation of their difference from seed to seed: 0 to 4 points
TYPICAL_DISCORDANCE = 0.25  # share of the test images on which one seed's runs differ: 3 to 39 %
PERSISTENT_SHARE = 0.2  # part of that which an image keeps from seed to seed: none to a half
MAX_TEST_IMAGES, MAX_TEST_SEEDS = 1_000_000, 100  # beyond these nobody goes on


@dataclass(frozen=True)
class RequiredSample:
    """What would settle an open contrast, if the difference is what it seems: from an even chance to ``POWER``.

    Args:
        images: more test images, to two figures, with the seeds there are; infinite where ``most_images`` do not do.
        seeds: more seeds, with the images there are; infinite where ``most_seeds`` do not do.
        most_images: test images in all that were tried.
        most_seeds: seeds in all that were tried.
        chances: of an answer with the first and the second number.
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
    """The smallest difference of the declared contrast, of 1, that is found with a chance of ``POWER``.

    Args:
        images: test images, over all folds.
        seeds: S.
        budgets: over which the level is split.
        folds: parts in which the images are tested.
        level: of the sweep.
        spread: standard deviation of the two arms' difference from seed to seed.
        discordant: share of the images on which one seed's runs differ.
    """
    alpha = DECLARED_SHARE * level / budgets
    if seeds == 1:
        return float((ndtri(1 - alpha / 2) + ndtri(POWER)) * math.sqrt(discordance / images))
    rng = np.random.default_rng(0)
    lasting, rest = PERSISTENT_SHARE * discordance, (1 - PERSISTENT_SHARE) * discordance

    def seen(mean_square: float, freedom: int) -> np.ndarray:
        return mean_square * rng.chisquare(freedom, size=4000) / freedom

    half = howe_half_width(
        seeds,
        images,
        seen(images * spread**2 / folds + rest, seeds - 1),
        seen(seeds * lasting + rest, images - 1),
        seen(rest, (seeds - 1) * (images - 1)),
        alpha,
        folds,
    )
    error = math.sqrt(spread**2 / (folds * seeds) + lasting / images + rest / (seeds * images))
    reached = np.maximum(half, minimum_half_width(images, alpha)) + error * rng.normal(size=4000)
    return min(1.0, float(np.quantile(reached, POWER)))


def required_sample_size(verdict: Verdict) -> RequiredSample | None:
    """What would settle the declared contrast; None where it is settled, missing, or has one seed alone, which says
    nothing of how trainings scatter."""
    if verdict.declared_pair is None or verdict.is_first_better is not None:
        return None
    found = verdict.contrasts[verdict.declared_pair]
    if not isinstance(found, CrossedContrast) or found.seeds < 2:
        return None
    each = verdict.table.num_images / found.images  # images that say as much as one, where classes count equally

    def more(power: float) -> tuple[float, float]:
        def lacks(images: float, seeds: float) -> float:
            return _detectable_difference(found, images, seeds, verdict.declared_alpha, power) - abs(found.mean)

        images = _find_root(lambda n: lacks(n, found.seeds), found.images, MAX_TEST_IMAGES)
        seeds = _find_root(lambda s: lacks(found.images, s), found.seeds, MAX_TEST_SEEDS)
        more_seeds = max(math.ceil(seeds - found.seeds), 1) if seeds < math.inf else math.inf
        return each * (images - found.images), more_seeds

    even, good = more(EVEN_POWER), more(POWER)
    images, seeds = (_round_to_two_digits(even[0]), _round_to_two_digits(good[0])), (even[1], good[1])
    return RequiredSample(images, seeds, most_images=_round_to_two_digits(each * MAX_TEST_IMAGES))


def _detectable_difference(found: CrossedContrast, images: float, seeds: float, alpha: float, power: float) -> float:
    """The difference that so many images and seeds would find with that chance, if their parts of the variance are
    what they seem."""
    between = max(found.mean_square_seeds - found.mean_square_residual, 0.0) / found.images
    lasting = max(found.mean_square_images - found.mean_square_residual, 0.0) / found.seeds
    half = howe_half_width(
        seeds,
        images,
        images * between + found.mean_square_residual,
        seeds * lasting + found.mean_square_residual,
        found.mean_square_residual,
        alpha,
        found.folds,
    )
    error = math.sqrt(between / seeds + lasting / images + found.mean_square_residual / (seeds * images))
    return max(float(half), minimum_half_width(images, alpha)) + float(ndtri(power)) * error


def _find_root(falling: Callable[[float], float], least: float, most: float) -> float:
    """Where a falling function reaches zero; infinite where not before ``most``."""
    if falling(most) > 0:
        return math.inf
    return float(brentq(falling, least, most)) if falling(least) > 0 else least


def _round_to_two_digits(figure: float) -> float:
    """To two figures: more are not known."""
    return float(f"{max(figure, 1):.2g}")


def min_images_for_tie(alpha: float, margin: float) -> int:
    """The fewest test images on which two arms can be found equal within ``margin``: even without a single image on
    which they differ, fewer leave the 1 - 2 ``alpha`` interval wider."""
    return math.floor(math.log(alpha) / math.log(1 - margin)) + 1
