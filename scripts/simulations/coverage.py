"""Coverage of the intervals on simulated sweeps."""

from itertools import combinations

import numpy as np

from headstart.compare.inference.contrast import compute_contrast, contrast_interval
from headstart.compare.inference.moderation import moderate_contrasts
from simulations.generators import (
    CLASS_SHARES,
    GENERATORS,
    Generator,
    draw_by_class,
    draw_patients,
    rotate,
)

LEVEL = 0.05
SETTINGS = ((5, 153, 0.04), (5, 153, 0.09), (3, 863, 0.04), (10, 863, 0.04))  # seeds, images, spread
ACCURACY = np.array([0.7, 0.72, 0.75, 0.85])  # the last two are asked about


def measure_coverage(sweeps: int) -> list[list[str]]:
    """How often one 95 % interval of two of four arms holds the true difference: seeds test all images, or a fold."""
    rows = []
    for name, generator in GENERATORS.items():
        for seeds, images, spread in SETTINGS:
            rng = np.random.default_rng(4)
            truth = np.mean([true_difference(generator, rng, spread) for _ in range(10)])
            inside: list[list[bool]] = []
            for _ in range(sweeps):
                correct = generator(rng, ACCURACY, seeds, images, spread).astype(float)
                inside.append([_covers(correct, truth, 1), _covers(rotate(correct), truth, 5)])
            shares = [f"{share:.1%}" for share in np.mean(inside, axis=0)]
            rows.append([name, str(seeds), str(images), f"{100 * spread:.0f}", *shares])
    return rows


def _covers(correct: np.ndarray, truth: float, folds: int, groups: np.ndarray | None = None) -> bool:
    """Whether the interval of the last arm less the one before it holds the truth."""
    pairs = {
        (str(first), str(second)): compute_contrast(correct[second] - correct[first], folds=folds, groups=groups)
        for first, second in combinations(range(len(correct)), 2)
    }
    contrast = moderate_contrasts(pairs)[str(len(correct) - 2), str(len(correct) - 1)]
    low, high = contrast_interval(contrast, LEVEL)
    return low <= truth <= high


def true_difference(generator: Generator, rng: np.random.Generator, spread: float) -> float:
    correct = generator(rng, ACCURACY, 300, 2000, spread)
    return float(correct[-1].mean() - correct[-2].mean())


def measure_groups_coverage(sweeps: int) -> list[list[str]]:
    """How often one 95 % interval holds the true difference where images of one patient are alike, with the patients as
    groups and without."""
    rows = []
    for patients, per_patient, seeds in ((20, 12, 3), (20, 12, 5), (60, 6, 5)):
        rng, groups = np.random.default_rng(8), np.repeat(np.arange(patients), per_patient)
        truth, inside = ACCURACY[-1] - ACCURACY[-2], []
        for _ in range(sweeps):
            correct = draw_patients(rng, ACCURACY, seeds, patients, per_patient, 0.04).astype(float)
            inside.append([_covers(correct, truth, 1, groups), _covers(correct, truth, 1)])
        shares = [f"{share:.1%}" for share in np.mean(inside, axis=0)]
        rows.append([str(patients), str(per_patient), str(seeds), *shares])
    return rows


def measure_balanced_coverage(sweeps: int) -> list[list[str]]:
    """How often one 95 % interval of balanced accuracy holds the true difference, 2 % of the images in one class."""
    rows = []
    for name, harder in (("all classes alike", 0.0), ("rare ones hard", 0.7), ("rare ones easy", -0.7)):
        for seeds, images, spread in ((5, 153, 0.04), (5, 300, 0.09), (10, 863, 0.04), (1, 153, 0.0)):
            rng = np.random.default_rng(5)
            two = np.array([0.75, 0.85])
            label = np.repeat(np.arange(len(CLASS_SHARES)), np.round(CLASS_SHARES * images).astype(int))
            many = np.repeat(np.arange(len(CLASS_SHARES)), 1000)
            one, other = np.mean(
                [draw_by_class(rng, two, 200, many, spread, harder).mean(axis=(1, 2)) for _ in range(10)], 0
            )
            inside = []
            for _ in range(sweeps):
                worse, better = draw_by_class(rng, two, seeds, label, spread, harder)
                low, high = contrast_interval(compute_contrast(better.astype(float) - worse, label), LEVEL)
                inside.append(low <= other - one <= high)
            rows.append([name, str(seeds), str(images), f"{100 * spread:.0f}", f"{np.mean(inside):.1%}"])
    return rows
