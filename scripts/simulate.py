"""What the verdict does where the truth is known: simulated sweeps, judged by the code that judges real ones.

    python scripts/simulate.py [--sweeps 1000]

Correctness is drawn for each arm, seed and image from a latent normal variable: how hard an image is for all
arms, how hard it is for this arm, how lucky this training was, and chance. Prints the tables of docs/protocol.md.
"""

import argparse
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.progress import track
from scipy.stats import norm

from headstart.compare.outcomes import Outcomes
from headstart.compare.statistics import contrast, interval
from headstart.compare.verdict import LEVEL, Verdict, verdict
from headstart.terminal import print_table

ARMS = ("scratch_cnn", "scratch_backbone", "frozen", "finetune")
BUDGETS = 3
QUIET = Console(stderr=True)  # progress is not part of what was measured
SHARED, OWN = 0.5, 0.15  # parts of the latent variance: the image's for all arms, the image's for one arm

Draw = Callable[[np.random.Generator, np.ndarray, int, int, float], np.ndarray]


def latent(rng: np.random.Generator, accuracy: np.ndarray, images: int, luck: np.ndarray, spread: float) -> np.ndarray:
    """Correctness, bool (arms, S, n), whose expectation is ``accuracy``.

    Args:
        rng: the stream of all draws.
        accuracy: float (arms,).
        images: n.
        luck: of each training, mean 0 and variance 1 in expectation, (arms, S, 1), or (arms, S, n) by image.
        spread: the deviation that it gives to the accuracy of a training; that of a difference is √2 times it.
    """
    sd = spread / np.sqrt(2) / norm.pdf(norm.ppf(accuracy.mean()))
    arms, seeds = luck.shape[:2]
    hard = np.sqrt(SHARED) * rng.normal(size=images) + np.sqrt(OWN) * rng.normal(size=(arms, 1, images))
    chance = np.sqrt(1 - SHARED - OWN) * rng.normal(size=(arms, seeds, images))
    return norm.ppf(accuracy)[:, None, None] * np.sqrt(1 + sd**2) + hard + chance + sd * luck > 0


def normal(rng: np.random.Generator, accuracy: np.ndarray, seeds: int, images: int, spread: float) -> np.ndarray:
    """Trainings scatter normally."""
    return latent(rng, accuracy, images, rng.normal(size=(len(accuracy), seeds, 1)), spread)


def collapsing(rng: np.random.Generator, accuracy: np.ndarray, seeds: int, images: int, spread: float) -> np.ndarray:
    """One training in ten fails badly, the others scatter little; the deviation is the same."""
    bad = rng.random((len(accuracy), seeds, 1)) < 0.1
    return latent(rng, accuracy, images, np.where(bad, -3.0, 1 / 3), spread)


def rare_classes(rng: np.random.Generator, accuracy: np.ndarray, seeds: int, images: int, spread: float) -> np.ndarray:
    """Six classes, the smallest of 2 %, and each training is good at some and bad at others."""
    share = np.array([0.4, 0.25, 0.15, 0.1, 0.08, 0.02])
    label = rng.choice(len(share), size=images, p=share)
    luck = rng.normal(size=(len(accuracy), seeds, len(share)))
    return latent(rng, accuracy, images, luck[:, :, label], spread / np.sqrt((share**2).sum()))


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
           budgets: int = BUDGETS) -> list[Verdict]:  # fmt: skip
    arms = ARMS[-len(accuracy) :]
    found = []
    for _ in range(budgets):
        correct = draw(rng, accuracy, seeds, images, spread)
        table = Outcomes("simulated", None, tuple(range(seeds)), dict(zip(arms, correct, strict=True)),
                         {arm: arm for arm in arms}, np.zeros(images, dtype=np.int64))  # fmt: skip
        found.append(verdict(table, LEVEL / budgets))
    return found


def false_answers(sweeps: int) -> list[list[str]]:
    """Four equal arms, three budgets: how many sweeps hold any false answer."""
    rows = []
    for name, draw in GENERATORS.items():
        for seeds, spread in ((5, 0.04), (5, 0.09), (3, 0.04), (1, 0.0)):
            rng = np.random.default_rng(1)
            found = [
                judged(draw, rng, np.full(4, 0.8), seeds, 153, spread)
                for _ in track(range(sweeps), name, console=QUIET)
            ]
            contrast_wrong = np.mean([any(v.helped is not None for v in sweep) for sweep in found])
            beaten = np.mean([any(v.beaten for v in sweep) for sweep in found])
            rows.append([name, str(seeds), f"{100 * spread:.0f}", f"{contrast_wrong:.1%}", f"{beaten:.1%}"])
    return rows


def power(sweeps: int) -> list[list[str]]:
    """How often a true gap in the declared contrast is found at a budget of a sweep with three."""
    rows = []
    for seeds, spread in ((3, 0.04), (5, 0.04), (5, 0.09), (10, 0.09)):
        cells = []
        for gap in (0.05, 0.10, 0.15, 0.20):
            rng = np.random.default_rng(2)
            accuracy = np.array([0.6, 0.75 - gap / 2, 0.75, 0.75 + gap / 2])
            found = [
                judged(normal, rng, accuracy, seeds, 153, spread)[0]
                for _ in track(range(sweeps), "power", console=QUIET)
            ]
            cells.append(f"{np.mean([v.helped is True for v in found]):.0%}")
        rows.append([str(seeds), f"{100 * spread:.0f}", *cells])
    return rows


def ties(sweeps: int) -> list[list[str]]:
    """How often two arms are called a tie."""
    rows = []
    for gap, images, seeds, accuracy, spread in ((0.0, 20_000, 10, 0.95, 0.003), (0.015, 40, 5, 0.9, 0.02)):
        rng = np.random.default_rng(3)
        two = np.array([accuracy - gap, accuracy])
        found = [
            judged(normal, rng, two, seeds, images, spread, 1)[0] for _ in track(range(sweeps), "ties", console=QUIET)
        ]
        tied = np.mean([v.tie for v in found])
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
            truth = np.mean([expected(draw, rng, two, spread) for _ in range(20)])
            inside = []
            for _ in track(range(sweeps), f"coverage, {name}", console=QUIET):
                one, other = draw(rng, two, seeds, images, spread)
                low, high = interval(contrast(other.astype(float) - one), 0.05)
                inside.append(low <= truth <= high)
            rows.append([name, str(seeds), str(images), f"{100 * spread:.0f}", f"{np.mean(inside):.1%}"])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweeps", type=int, default=1000, help="simulated sweeps for each figure (1000)")
    sweeps = parser.parse_args().sweeps
    for title, headers, rows in (
        ("Four equal arms, three budgets, 153 images: sweeps with a false answer",
         ["generator", "seeds", "spread", "contrast", "an arm beaten"], false_answers(sweeps)),
        ("Power: a true gap in the contrast is found, 153 images, three budgets",
         ["seeds", "spread", "5 points", "10", "15", "20"], power(sweeps)),
        ("Ties of two arms", ["gap", "images", "seeds", "spread", "tie"], ties(sweeps)),
        ("Coverage of one 95 % interval", ["generator", "seeds", "images", "spread", "covered"], coverage(sweeps)),
    ):  # fmt: skip
        print(f"\n{title}")
        print_table(headers, rows, numbers=headers[1:])


if __name__ == "__main__":
    main()
