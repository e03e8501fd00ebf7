"""Error rates and power of the verdict on simulated sweeps, whose truth is known.

    python scripts/simulate.py [--sweeps 1000]

The code that judges real sweeps judges them. Correctness is drawn for each arm, seed and image from a latent normal
variable: the difficulty of the image for all arms, its difficulty for this arm, the luck of the training, and chance.
Folds are simulated by classifiers that really learn. Prints the tables of docs/protocol.md, in a few minutes.
"""

import argparse
from collections.abc import Callable, Iterable

import numpy as np
from rich.console import Console
from rich.progress import track
from scipy.stats import norm

from headstart.compare.declaration import DEFAULT_CONTRAST, DEFAULT_LEVEL
from headstart.compare.inference.contrast import compute_contrast, contrast_interval
from headstart.compare.inference.correctness import CorrectnessTable
from headstart.compare.inference.power import minimum_detectable_difference
from headstart.compare.inference.verdict import Verdict, compute_verdict
from headstart.reporting.console import print_table

ARMS = ("scratch_cnn", "scratch_backbone", "frozen", "finetune")
BUDGETS = 3
PROGRESS_CONSOLE = Console(stderr=True)  # keeps progress out of the tables
# Parts of the latent variance: of the image for all arms, and of the image for one arm.
SHARED_VARIANCE, ARM_VARIANCE = 0.5, 0.15

CLASS_SHARES = np.array([0.4, 0.25, 0.15, 0.1, 0.08, 0.02])
CLASSES, FEATURES = 4, 10  # of the data for folds

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


GENERATORS: dict[str, Generator] = {
    "normal": draw_normal,
    "collapsing": draw_collapsing,
    "rare classes": draw_rare_classes,
    "hard and easy": draw_hard_and_easy,
}


def simulate_verdict(
    generator: Generator,
    rng: np.random.Generator,
    accuracy: np.ndarray,
    seeds: int,
    images: int,
    spread: float,
    budgets: int = BUDGETS,
) -> Verdict:
    """The verdict at one of a sweep's budgets."""
    arms = ARMS[-len(accuracy) :]
    correct = dict(zip(arms, generator(rng, accuracy, seeds, images, spread), strict=True))
    labels = np.zeros(images, dtype=np.int64)
    table = CorrectnessTable("simulated", None, tuple(range(seeds)), correct, {arm: arm for arm in arms}, labels)
    return compute_verdict(table, DEFAULT_LEVEL / budgets)


def measure_false_answers(
    sweeps: int, accuracy: tuple[float, ...], settings: tuple[tuple[int, float], ...]
) -> list[list[str]]:
    """Rates of sweeps with a false answer: an arm is called worse than one that it equals."""
    rows = []
    truth = dict(zip(ARMS, accuracy, strict=True))
    for name, generator in GENERATORS.items():
        for seeds, spread in settings:
            rng = np.random.default_rng(1)
            contrast_wrong, beaten_wrong = [], []
            for _ in _sweeps(sweeps, name):
                verdicts = [
                    simulate_verdict(generator, rng, np.array(accuracy), seeds, 153, spread) for _ in range(BUDGETS)
                ]
                wrong = [
                    (worse, better)
                    for v in verdicts
                    for worse, winners in v.beaten_by.items()
                    for better in winners
                    if truth[worse] >= truth[better]
                ]
                contrast_wrong.append(any({worse, better} == set(DEFAULT_CONTRAST) for worse, better in wrong))
                beaten_wrong.append(bool(wrong))
            figures = [f"{np.mean(w):.1%}" for w in (contrast_wrong, beaten_wrong)]
            rows.append([name, str(seeds), f"{100 * spread:.0f}", *figures])
    return rows


def measure_power(sweeps: int) -> list[list[str]]:
    """How often a true gap is found at one of three budgets: in the declared contrast, and for an arm outside it if the
    other arms are equal."""
    rows = []
    for seeds, spread in ((3, 0.04), (5, 0.04), (5, 0.09), (10, 0.04), (10, 0.09)):
        cells = []
        for outside in (False, True):
            for gap in (0.05, 0.10, 0.15, 0.20):
                rng = np.random.default_rng(2)
                equal, steps = [0.8 - gap, 0.8, 0.8, 0.8], [0.6, 0.75 - gap / 2, 0.75, 0.75 + gap / 2]
                accuracy = np.array(equal if outside else steps)
                verdicts = [
                    simulate_verdict(draw_normal, rng, accuracy, seeds, 153, spread) for _ in _sweeps(sweeps, "power")
                ]
                found = [ARMS[0] in v.beaten_by if outside else v.is_first_better is True for v in verdicts]
                cells.append(f"{np.mean(found):.0%}")
        least = minimum_detectable_difference(153, seeds, BUDGETS, spread=spread)
        rows.append([str(seeds), f"{100 * spread:.0f}", *cells, f"{100 * least:.0f}"])
    return rows


def _sweeps(count: int, what: str) -> Iterable[int]:
    return track(range(count), what, console=PROGRESS_CONSOLE)


def measure_ties(sweeps: int) -> list[list[str]]:
    """How often two arms are called a tie."""
    rows = []
    for gap, images, seeds, accuracy, spread in ((0.0, 20_000, 10, 0.95, 0.003), (0.015, 40, 5, 0.9, 0.02)):
        rng = np.random.default_rng(3)
        two = np.array([accuracy - gap, accuracy])
        verdicts = [simulate_verdict(draw_normal, rng, two, seeds, images, spread, 1) for _ in _sweeps(sweeps, "ties")]
        rate = np.mean([v.is_tie for v in verdicts])
        rows.append([f"{100 * gap:g}", f"{images:,}", str(seeds), f"{100 * spread:g}", f"{rate:.1%}"])
    return rows


def true_difference(generator: Generator, rng: np.random.Generator, accuracy: np.ndarray, spread: float) -> float:
    one, other = generator(rng, accuracy, 500, 2000, spread)
    return float(other.mean() - one.mean())


def measure_coverage(sweeps: int) -> list[list[str]]:
    """How often one 95 % interval holds the true difference."""
    rows = []
    for name, generator in GENERATORS.items():
        for seeds, images, spread in ((5, 153, 0.04), (5, 153, 0.09), (3, 863, 0.04), (10, 863, 0.04)):
            rng = np.random.default_rng(4)
            two = np.array([0.75, 0.85])
            truth = np.mean([true_difference(generator, rng, two, spread) for _ in range(10)])
            inside = []
            for _ in _sweeps(sweeps, f"coverage, {name}"):
                one, other = generator(rng, two, seeds, images, spread)
                low, high = contrast_interval(compute_contrast(other.astype(float) - one), 0.05)
                inside.append(low <= truth <= high)
            rows.append([name, str(seeds), str(images), f"{100 * spread:.0f}", f"{np.mean(inside):.1%}"])
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
            for _ in _sweeps(sweeps, f"balanced, {name}"):
                worse, better = draw_by_class(rng, two, seeds, label, spread, harder)
                low, high = contrast_interval(compute_contrast(better.astype(float) - worse, label), 0.05)
                inside.append(low <= other - one <= high)
            rows.append([name, str(seeds), str(images), f"{100 * spread:.0f}", f"{np.mean(inside):.1%}"])
    return rows


def predict(images: np.ndarray, labels: np.ndarray, tested: np.ndarray, luck: np.ndarray, ridge: bool) -> np.ndarray:
    """Predictions for ``tested`` of one of two classifiers, nearest centroid or ridge regression; ``luck`` is added to
    its weights."""
    targets = np.eye(CLASSES)[labels]
    if not ridge:
        centroids = targets.T @ images / targets.sum(axis=0)[:, None] + luck
        return (tested @ centroids.T - (centroids**2).sum(axis=1) / 2).argmax(axis=1)
    images, tested = (np.c_[part, np.ones(len(part))] for part in (images, tested))
    weights = np.linalg.solve(images.T @ images + np.eye(FEATURES + 1), images.T @ targets)
    weights[:FEATURES] += luck.T / 20
    return (tested @ weights).argmax(axis=1)


def fold_differences(
    rng: np.random.Generator, images: np.ndarray, labels: np.ndarray, fold: np.ndarray, budget: int, scatter: float
) -> np.ndarray:
    """One seed's difference in correctness on each image, (n,); each fold is tested by trainings on the other folds."""
    difference = np.zeros(len(labels))
    for k in range(fold.max() + 1):
        pool = np.flatnonzero(fold != k)
        chosen = np.concatenate([rng.permutation(pool[labels[pool] == c])[:budget] for c in range(CLASSES)])
        luck = scatter * rng.normal(size=(CLASSES, FEATURES))
        predictions = [
            predict(images[chosen], labels[chosen], images[fold == k], luck, ridge) for ridge in (True, False)
        ]
        right, other = (each == labels[fold == k] for each in predictions)
        difference[fold == k] = right.astype(float) - other
    return difference


def draw_images(rng: np.random.Generator, centers: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(count) % CLASSES
    return centers[labels] + rng.normal(size=(count, FEATURES)), labels


def measure_folds_coverage(sweeps: int) -> list[list[str]]:
    """How often one 95 % interval holds the expected difference on new training and test images: for five folds, with
    and without the correction for shared training images, and for one split with a fifth of the images as its test."""
    rows = []
    for images, budget, scatter in ((200, 40, 0.3), (200, 40, 0.02), (200, 10, 0.3), (100, 20, 0.02)):
        rng = np.random.default_rng(6)
        centers = 0.45 * rng.normal(size=(CLASSES, FEATURES))

        differences = []
        for _ in range(3000):
            trained, labels = draw_images(rng, centers, CLASSES * budget)
            tested, targets = draw_images(rng, centers, 400)
            luck = scatter * rng.normal(size=(CLASSES, FEATURES))
            right, other = (np.mean(predict(trained, labels, tested, luck, r) == targets) for r in (True, False))
            differences.append(right - other)
        fold = np.arange(images) // CLASSES % 5
        intervals = []
        for _ in _sweeps(sweeps, "folds"):
            photographs, labels = draw_images(rng, centers, images)
            table = np.array([fold_differences(rng, photographs, labels, fold, budget, scatter) for _ in range(5)])
            contrasts = compute_contrast(table, folds=5), compute_contrast(table), compute_contrast(table[:, fold == 0])
            intervals.append([contrast_interval(contrast, 0.05) for contrast in contrasts])
        low, high = np.moveaxis(np.array(intervals), 2, 0)
        inside = ((low <= np.mean(differences)) & (np.mean(differences) <= high)).mean(axis=0)
        widths = (high - low).mean(axis=0) / 2
        figures = [f"{share:.1%} (±{100 * width:.1f})" for share, width in zip(inside, widths, strict=True)]
        rows.append([str(images), str(budget), f"{scatter:g}", *figures])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweeps", type=int, default=1000, help="simulated sweeps for each figure (1000)")
    sweeps = parser.parse_args().sweeps
    error_headers = ["generator", "seeds", "spread", "contrast", "an arm beaten"]
    gaps = ["5 points", "10", "15", "20"]
    power_headers = ["seeds", "spread", *gaps, *(f"outside: {gap}" for gap in gaps), "80 % foretold at"]
    coverage_headers = ["seeds", "images", "spread", "covered"]
    fold_headers = ["images", "labels/class", "luck", "five folds", "uncorrected", "one split"]
    equal, pairs = (0.8, 0.8, 0.8, 0.8), (0.65, 0.65, 0.85, 0.85)
    settings = ((5, 0.04), (5, 0.09), (3, 0.04), (1, 0.0))

    print_titled_table(
        "Four equal arms, three budgets, 153 images: sweeps with a false answer",
        error_headers,
        measure_false_answers(sweeps, equal, settings),
    )
    print_titled_table(
        "Two pairs of equal arms, 20 points apart: sweeps with a false answer",
        error_headers,
        measure_false_answers(sweeps, pairs, settings[:2]),
    )
    print_titled_table(
        "Power: a true gap is found, in the contrast or of one arm outside it; 153 images, three budgets",
        power_headers,
        measure_power(sweeps),
    )
    print_titled_table("Ties of two arms", ["gap", "images", "seeds", "spread", "tie"], measure_ties(sweeps))
    print_titled_table("Coverage of one 95 % interval", ["generator", *coverage_headers], measure_coverage(sweeps))
    print_titled_table(
        "Coverage of one 95 % interval of balanced accuracy",
        ["classes", *coverage_headers],
        measure_balanced_coverage(sweeps),
    )
    print_titled_table(
        "Five folds, five seeds: coverage of one 95 % interval (and half its width in points)",
        fold_headers,
        measure_folds_coverage(sweeps),
    )


def print_titled_table(title: str, headers: list[str], rows: list[list[str]]) -> None:
    print(f"\n{title}")
    print_table(headers, rows, right_aligned=headers[1:])


if __name__ == "__main__":
    main()
