"""Draws the correctness of arms whose accuracies are known.

Correctness is drawn for each arm, seed and image from a latent normal variable: the difficulty of the image for all
arms, its difficulty for this arm, the luck of the training, and chance.
"""

from collections.abc import Callable

import numpy as np
from scipy.stats import norm

ARMS = ("scratch_cnn", "scratch_backbone", "frozen", "finetune")
# Parts of the latent variance: of the image for all arms, and of the image for one arm.
SHARED_VARIANCE, ARM_VARIANCE = 0.5, 0.15

CLASS_SHARES = np.array([0.4, 0.25, 0.15, 0.1, 0.08, 0.02])

Generator = Callable[[np.random.Generator, np.ndarray, int, int, float], np.ndarray]


def draw_correctness(
    rng: np.random.Generator, accuracy: np.ndarray, images: int, luck: np.ndarray, spread: float
) -> np.ndarray:
    """Correctness, bool (arms, S, n), whose expectation is ``accuracy``.

    Args:
        rng: random generator.
        accuracy: float (arms,), or (arms, n) by image.
        images: n.
        luck: (arms, S, 1), or (arms, S, n) by image: of each training, with mean 0 and variance 1 in expectation.
        spread: standard deviation of the difference of two trainings' accuracies.
    """
    sd = spread / np.sqrt(2) / norm.pdf(norm.ppf(accuracy.mean()))
    arms, seeds = luck.shape[:2]
    difficulty = np.sqrt(SHARED_VARIANCE) * rng.normal(size=images) + np.sqrt(ARM_VARIANCE) * rng.normal(
        size=(arms, 1, images)
    )
    chance = np.sqrt(1 - SHARED_VARIANCE - ARM_VARIANCE) * rng.normal(size=(arms, seeds, images))
    typical = norm.ppf(accuracy).reshape(arms, 1, -1)
    return typical * np.sqrt(1 + sd**2) + difficulty + chance + sd * luck > 0


def draw_normal(rng: np.random.Generator, accuracy: np.ndarray, seeds: int, images: int, spread: float) -> np.ndarray:
    """Accuracies of trainings are normally distributed."""
    return draw_correctness(rng, accuracy, images, rng.normal(size=(len(accuracy), seeds, 1)), spread)


def draw_collapsing(
    rng: np.random.Generator, accuracy: np.ndarray, seeds: int, images: int, spread: float
) -> np.ndarray:
    """One training in ten fails, the others vary little; the standard deviation is that of ``draw_normal``."""
    bad = rng.random((len(accuracy), seeds, 1)) < 0.1
    return draw_correctness(rng, accuracy, images, np.where(bad, -3.0, 1 / 3), spread)


def draw_rare_classes(
    rng: np.random.Generator, accuracy: np.ndarray, seeds: int, images: int, spread: float
) -> np.ndarray:
    """Six classes, the smallest with 2 % of the images; each training is good at some and bad at others."""
    label = rng.choice(len(CLASS_SHARES), size=images, p=CLASS_SHARES)
    return draw_by_class(rng, accuracy, seeds, label, spread / np.sqrt((CLASS_SHARES**2).sum()), harder=0.0)


def draw_by_class(
    rng: np.random.Generator, accuracy: np.ndarray, seeds: int, label: np.ndarray, spread: float, harder: float
) -> np.ndarray:
    """Luck varies by ``spread`` on each class; the rarest class is ``harder`` than the middle, the commonest easier."""
    luck = rng.normal(size=(len(accuracy), seeds, len(CLASS_SHARES)))
    on_class = norm.cdf(norm.ppf(accuracy)[:, None] - harder * np.linspace(-1, 1, len(CLASS_SHARES)))
    return draw_correctness(rng, on_class[:, label], len(label), luck[:, :, label], spread)


def draw_hard_and_easy(
    rng: np.random.Generator, accuracy: np.ndarray, seeds: int, images: int, spread: float
) -> np.ndarray:
    """Two images in three are always right; the others are right by chance, at a rate of the training."""
    hard = rng.random(images) < 1 / 3
    luck = 3 * spread / np.sqrt(2) * rng.normal(size=(len(accuracy), seeds, 1))
    rate = np.clip(1 - 3 * (1 - accuracy)[:, None, None] + luck, 0, 1)
    return (rng.random((len(accuracy), seeds, images)) < rate) | ~hard


def draw_unequal_spreads(
    rng: np.random.Generator, accuracy: np.ndarray, seeds: int, images: int, spread: float
) -> np.ndarray:
    """Arms whose trainings vary 0.3, 1, 1 and 1.6 times as much as those of ``draw_normal``."""
    factors = np.array([0.3, 1.0, 1.0, 1.6])[-len(accuracy) :]
    luck = rng.normal(size=(len(accuracy), seeds, 1)) * factors[:, None, None]
    return draw_correctness(rng, accuracy, images, luck, spread)


def draw_patients(
    rng: np.random.Generator, accuracy: np.ndarray, seeds: int, patients: int, per_patient: int, spread: float
) -> np.ndarray:
    """Images of one patient are alike: a third of the latent variance belongs to the patient for one arm.

    Returns:
        bool (arms, S, patients × per_patient); the images of a patient stand together.
    """
    patient = np.repeat(np.arange(patients), per_patient)
    arms, images = len(accuracy), len(patient)
    sd = spread / np.sqrt(2) / norm.pdf(norm.ppf(accuracy.mean()))
    latent = np.sqrt(1 / 3) * rng.normal(size=(arms, 1, patients))[:, :, patient]
    latent = latent + np.sqrt(1 / 3) * rng.normal(size=images) + np.sqrt(1 / 3) * rng.normal(size=(arms, seeds, images))
    typical = norm.ppf(accuracy).reshape(arms, 1, 1)
    return typical * np.sqrt(1 + sd**2) + latent + sd * rng.normal(size=(arms, seeds, 1)) > 0


def rotate(correct: np.ndarray, folds: int = 5) -> np.ndarray:
    """What seeds test that rotate through folds: float (arms, S, n), NaN outside of fold s mod ``folds``."""
    fold = np.arange(correct.shape[2]) % folds
    rotated = correct.astype(float)
    for seed in range(correct.shape[1]):
        rotated[:, seed, fold != seed % folds] = np.nan
    return rotated


GENERATORS: dict[str, Generator] = {
    "normal": draw_normal,
    "unequal spreads": draw_unequal_spreads,
    "collapsing": draw_collapsing,
    "rare classes": draw_rare_classes,
    "hard and easy": draw_hard_and_easy,
}
