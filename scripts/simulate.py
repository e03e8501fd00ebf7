"""What the verdict does where the truth is known: simulated sweeps, judged by the code that judges real ones.

    python scripts/simulate.py [--sweeps 1000]

Correctness is drawn for each arm, seed and image from a latent normal variable: how hard an image is for all
arms, how hard it is for this arm, how lucky this training was, and chance. Folds are simulated by classifiers that
really learn. Prints the tables of docs/protocol.md, in a few minutes.
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
QUIET = Console(stderr=True)  # progress is not part of what was measured
SHARED, OWN = 0.5, 0.15  # parts of the latent variance: the image's for all arms, the image's for one arm

SHARE = np.array([0.4, 0.25, 0.15, 0.1, 0.08, 0.02])  # of six classes of images
CLASSES, FEATURES = 4, 10  # of the data that folds are simulated on

Draw = Callable[[np.random.Generator, np.ndarray, int, int, float], np.ndarray]


def latent(rng: np.random.Generator, accuracy: np.ndarray, images: int, luck: np.ndarray, spread: float) -> np.ndarray:
    """Correctness, bool (arms, S, n), whose expectation is ``accuracy``.

    Args:
        rng: the stream of all draws.
        accuracy: float (arms,), or (arms, n) by image.
        images: n.
        luck: of each training, mean 0 and variance 1 in expectation, (arms, S, 1), or (arms, S, n) by image.
        spread: the deviation that it gives to the accuracy of a training; that of a difference is √2 times it.
    """
    sd = spread / np.sqrt(2) / norm.pdf(norm.ppf(accuracy.mean()))
    arms, seeds = luck.shape[:2]
    hard = np.sqrt(SHARED) * rng.normal(size=images) + np.sqrt(OWN) * rng.normal(size=(arms, 1, images))
    chance = np.sqrt(1 - SHARED - OWN) * rng.normal(size=(arms, seeds, images))
    typical = norm.ppf(accuracy).reshape(arms, 1, -1)
    return typical * np.sqrt(1 + sd**2) + hard + chance + sd * luck > 0


def normal(rng: np.random.Generator, accuracy: np.ndarray, seeds: int, images: int, spread: float) -> np.ndarray:
    """Trainings scatter normally."""
    return latent(rng, accuracy, images, rng.normal(size=(len(accuracy), seeds, 1)), spread)


def collapsing(rng: np.random.Generator, accuracy: np.ndarray, seeds: int, images: int, spread: float) -> np.ndarray:
    """One training in ten fails badly, the others scatter little; the deviation is the same."""
    bad = rng.random((len(accuracy), seeds, 1)) < 0.1
    return latent(rng, accuracy, images, np.where(bad, -3.0, 1 / 3), spread)


def rare_classes(rng: np.random.Generator, accuracy: np.ndarray, seeds: int, images: int, spread: float) -> np.ndarray:
    """Six classes, the smallest of 2 %, and each training is good at some and bad at others."""
    label = rng.choice(len(SHARE), size=images, p=SHARE)
    return by_class(rng, accuracy, seeds, label, spread / np.sqrt((SHARE**2).sum()), harder=0.0)


def by_class(
    rng: np.random.Generator, accuracy: np.ndarray, seeds: int, label: np.ndarray, spread: float, harder: float
) -> np.ndarray:
    """Luck scatters by ``spread`` on each class; the rarest is ``harder`` than the middle, the commonest easier."""
    luck = rng.normal(size=(len(accuracy), seeds, len(SHARE)))
    on_class = norm.cdf(norm.ppf(accuracy)[:, None] - harder * np.linspace(-1, 1, len(SHARE)))
    return latent(rng, on_class[:, label], len(label), luck[:, :, label], spread)


def hard_and_easy(rng: np.random.Generator, accuracy: np.ndarray, seeds: int, images: int, spread: float) -> np.ndarray:
    """Two images in three are right whatever one does; trainings toss coins over the rest."""
    hard = rng.random(images) < 1 / 3
    luck = 3 * spread / np.sqrt(2) * rng.normal(size=(len(accuracy), seeds, 1))
    rate = np.clip(1 - 3 * (1 - accuracy)[:, None, None] + luck, 0, 1)
    return (rng.random((len(accuracy), seeds, images)) < rate) | ~hard


GENERATORS: dict[str, Draw] = {
    "normal": normal,
    "collapsing": collapsing,
    "rare classes": rare_classes,
    "hard and easy": hard_and_easy,
}


def judged(draw: Draw, rng: np.random.Generator, accuracy: np.ndarray, seeds: int, images: int, spread: float,
           budgets: int = BUDGETS) -> Verdict:  # fmt: skip
    """The verdict at one of a sweep's budgets."""
    arms = ARMS[-len(accuracy) :]
    correct = dict(zip(arms, draw(rng, accuracy, seeds, images, spread), strict=True))
    labels = np.zeros(images, dtype=np.int64)
    table = CorrectnessTable("simulated", None, tuple(range(seeds)), correct, {arm: arm for arm in arms}, labels)
    return compute_verdict(table, DEFAULT_LEVEL / budgets)


def false_answers(sweeps: int, accuracy: tuple[float, ...], kinds: tuple[tuple[int, float], ...]) -> list[list[str]]:
    """How many sweeps hold a false answer: an arm called worse than one that it equals."""
    rows = []
    truth = dict(zip(ARMS, accuracy, strict=True))
    for name, draw in GENERATORS.items():
        for seeds, spread in kinds:
            rng = np.random.default_rng(1)
            contrast_wrong, beaten_wrong = [], []
            for _ in _sweeps(sweeps, name):
                found = [judged(draw, rng, np.array(accuracy), seeds, 153, spread) for _ in range(BUDGETS)]
                wrong = [
                    (worse, better)
                    for v in found
                    for worse, winners in v.beaten_by.items()
                    for better in winners
                    if truth[worse] >= truth[better]
                ]
                contrast_wrong.append(any({worse, better} == set(DEFAULT_CONTRAST) for worse, better in wrong))
                beaten_wrong.append(bool(wrong))
            figures = [f"{np.mean(w):.1%}" for w in (contrast_wrong, beaten_wrong)]
            rows.append([name, str(seeds), f"{100 * spread:.0f}", *figures])
    return rows


def power(sweeps: int) -> list[list[str]]:
    """How often a true gap is found at a budget of a sweep with three: in the declared contrast, and between the
    others and an arm outside it, where the declared arms are equal."""
    rows = []
    for seeds, spread in ((3, 0.04), (5, 0.04), (5, 0.09), (10, 0.04), (10, 0.09)):
        cells = []
        for outside in (False, True):
            for gap in (0.05, 0.10, 0.15, 0.20):
                rng = np.random.default_rng(2)
                accuracy = np.array([0.8 - gap, 0.8, 0.8, 0.8] if outside else
                                    [0.6, 0.75 - gap / 2, 0.75, 0.75 + gap / 2])  # fmt: skip
                told = [judged(normal, rng, accuracy, seeds, 153, spread) for _ in _sweeps(sweeps, "power")]
                found = [ARMS[0] in v.beaten_by if outside else v.is_first_better is True for v in told]
                cells.append(f"{np.mean(found):.0%}")
        least = minimum_detectable_difference(153, seeds, BUDGETS, spread=spread)
        rows.append([str(seeds), f"{100 * spread:.0f}", *cells, f"{100 * least:.0f}"])
    return rows


def _sweeps(count: int, what: str) -> Iterable[int]:
    return track(range(count), what, console=QUIET)


def ties(sweeps: int) -> list[list[str]]:
    """How often two arms are called a tie."""
    rows = []
    for gap, images, seeds, accuracy, spread in ((0.0, 20_000, 10, 0.95, 0.003), (0.015, 40, 5, 0.9, 0.02)):
        rng = np.random.default_rng(3)
        two = np.array([accuracy - gap, accuracy])
        found = [judged(normal, rng, two, seeds, images, spread, 1) for _ in _sweeps(sweeps, "ties")]
        tied = np.mean([v.is_tie for v in found])
        rows.append([f"{100 * gap:g}", f"{images:,}", str(seeds), f"{100 * spread:g}", f"{tied:.1%}"])
    return rows


def expected(draw: Draw, rng: np.random.Generator, accuracy: np.ndarray, spread: float) -> float:
    one, other = draw(rng, accuracy, 500, 2000, spread)
    return float(other.mean() - one.mean())


def coverage(sweeps: int) -> list[list[str]]:
    """How often one 95 % interval holds the true difference."""
    rows = []
    for name, draw in GENERATORS.items():
        for seeds, images, spread in ((5, 153, 0.04), (5, 153, 0.09), (3, 863, 0.04), (10, 863, 0.04)):
            rng = np.random.default_rng(4)
            two = np.array([0.75, 0.85])
            truth = np.mean([expected(draw, rng, two, spread) for _ in range(10)])
            inside = []
            for _ in _sweeps(sweeps, f"coverage, {name}"):
                one, other = draw(rng, two, seeds, images, spread)
                low, high = contrast_interval(compute_contrast(other.astype(float) - one), 0.05)
                inside.append(low <= truth <= high)
            rows.append([name, str(seeds), str(images), f"{100 * spread:.0f}", f"{np.mean(inside):.1%}"])
    return rows


def balanced_coverage(sweeps: int) -> list[list[str]]:
    """How often one 95 % interval of balanced accuracy holds the true difference, 2 % of the images in one class."""
    rows = []
    for name, harder in (("all classes alike", 0.0), ("rare ones hard", 0.7), ("rare ones easy", -0.7)):
        for seeds, images, spread in ((5, 153, 0.04), (5, 300, 0.09), (10, 863, 0.04), (1, 153, 0.0)):
            rng = np.random.default_rng(5)
            two = np.array([0.75, 0.85])
            label = np.repeat(np.arange(len(SHARE)), np.round(SHARE * images).astype(int))
            many = np.repeat(np.arange(len(SHARE)), 1000)
            one, other = np.mean(
                [by_class(rng, two, 200, many, spread, harder).mean(axis=(1, 2)) for _ in range(10)], 0
            )
            inside = []
            for _ in _sweeps(sweeps, f"balanced, {name}"):
                worse, better = by_class(rng, two, seeds, label, spread, harder)
                low, high = contrast_interval(compute_contrast(better.astype(float) - worse, label), 0.05)
                inside.append(low <= other - one <= high)
            rows.append([name, str(seeds), str(images), f"{100 * spread:.0f}", f"{np.mean(inside):.1%}"])
    return rows


def predicted(images: np.ndarray, labels: np.ndarray, tested: np.ndarray, luck: np.ndarray, ridge: bool) -> np.ndarray:
    """What one of two classifiers, nearest centroid or ridge regression, says of ``tested``, whose weights are off by
    ``luck``."""
    wanted = np.eye(CLASSES)[labels]
    if not ridge:
        centroids = wanted.T @ images / wanted.sum(axis=0)[:, None] + luck
        return (tested @ centroids.T - (centroids**2).sum(axis=1) / 2).argmax(axis=1)
    images, tested = (np.c_[part, np.ones(len(part))] for part in (images, tested))
    weights = np.linalg.solve(images.T @ images + np.eye(FEATURES + 1), images.T @ wanted)
    weights[:FEATURES] += luck.T / 20
    return (tested @ weights).argmax(axis=1)


def by_fold(rng: np.random.Generator, images: np.ndarray, labels: np.ndarray, fold: np.ndarray, budget: int,
            scatter: float) -> np.ndarray:  # fmt: skip
    """One seed's difference in correctness on every image, each fold tested by trainings on others' images, (n,)."""
    difference = np.zeros(len(labels))
    for k in range(fold.max() + 1):
        pool = np.flatnonzero(fold != k)
        chosen = np.concatenate([rng.permutation(pool[labels[pool] == c])[:budget] for c in range(CLASSES)])
        luck = scatter * rng.normal(size=(CLASSES, FEATURES))
        said = [predicted(images[chosen], labels[chosen], images[fold == k], luck, ridge) for ridge in (True, False)]
        right, other = (each == labels[fold == k] for each in said)
        difference[fold == k] = right.astype(float) - other
    return difference


def drawn(rng: np.random.Generator, centres: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(count) % CLASSES
    return centres[labels] + rng.normal(size=(count, FEATURES)), labels


def folds_coverage(sweeps: int) -> list[list[str]]:
    """How often one 95 % interval holds the difference to expect of new training and test images: five folds with the
    correction for what their trainings share, and without, and one split with a fifth of the images as its test."""
    rows = []
    for images, budget, scatter in ((200, 40, 0.3), (200, 40, 0.02), (200, 10, 0.3), (100, 20, 0.02)):
        rng = np.random.default_rng(6)
        centres = 0.45 * rng.normal(size=(CLASSES, FEATURES))

        true = []
        for _ in range(3000):
            (trained, labels), (tested, wanted) = drawn(rng, centres, CLASSES * budget), drawn(rng, centres, 400)
            luck = scatter * rng.normal(size=(CLASSES, FEATURES))
            right, other = (np.mean(predicted(trained, labels, tested, luck, r) == wanted) for r in (True, False))
            true.append(right - other)
        fold = np.arange(images) // CLASSES % 5
        intervals = []
        for _ in _sweeps(sweeps, "folds"):
            photographs, labels = drawn(rng, centres, images)
            table = np.array([by_fold(rng, photographs, labels, fold, budget, scatter) for _ in range(5)])
            three = compute_contrast(table, folds=5), compute_contrast(table), compute_contrast(table[:, fold == 0])
            intervals.append([contrast_interval(one, 0.05) for one in three])
        low, high = np.moveaxis(np.array(intervals), 2, 0)
        inside = ((low <= np.mean(true)) & (np.mean(true) <= high)).mean(axis=0)
        widths = (high - low).mean(axis=0) / 2
        figures = [f"{share:.1%} (±{100 * width:.1f})" for share, width in zip(inside, widths, strict=True)]
        rows.append([str(images), str(budget), f"{scatter:g}", *figures])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweeps", type=int, default=1000, help="simulated sweeps for each figure (1000)")
    sweeps = parser.parse_args().sweeps
    wrong = ["generator", "seeds", "spread", "contrast", "an arm beaten"]
    gaps = ["5 points", "10", "15", "20"]
    covered = ["seeds", "images", "spread", "covered"]
    for title, headers, rows in (
        ("Four equal arms, three budgets, 153 images: sweeps with a false answer", wrong,
         false_answers(sweeps, (0.8, 0.8, 0.8, 0.8), ((5, 0.04), (5, 0.09), (3, 0.04), (1, 0.0)))),
        ("Two pairs of equal arms, 20 points apart: sweeps with a false answer", wrong,
         false_answers(sweeps, (0.65, 0.65, 0.85, 0.85), ((5, 0.04), (5, 0.09)))),
        ("Power: a true gap is found, in the contrast or of one arm outside it; 153 images, three budgets",
         ["seeds", "spread", *gaps, *(f"outside: {gap}" for gap in gaps), "80 % foretold at"], power(sweeps)),
        ("Ties of two arms", ["gap", "images", "seeds", "spread", "tie"], ties(sweeps)),
        ("Coverage of one 95 % interval", ["generator", *covered], coverage(sweeps)),
        ("Coverage of one 95 % interval of balanced accuracy", ["classes", *covered], balanced_coverage(sweeps)),
        ("Five folds, five seeds: coverage of one 95 % interval (and half its width in points)",
         ["images", "labels/class", "luck", "five folds", "uncorrected", "one split"], folds_coverage(sweeps)),
    ):  # fmt: skip
        print(f"\n{title}")
        print_table(headers, rows, right_aligned=headers[1:])


if __name__ == "__main__":
    main()
