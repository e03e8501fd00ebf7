"""What the verdict does where ten thousand images tell the truth: small comparisons of real trainings on MNIST.

    headstart-train -m model=scratch_cnn data=mnist data.root=PATH data.labels_per_class=20 \\
        model.epochs=12,16,20,26,34,45,60,80,100,120 seed=0,1,2,3,4,5,6,7,8,9 hydra.sweep.dir=runs/truth
    python scripts/truth.py runs/truth [--comparisons 100]

The arms are one network trained for longer and longer. Each comparison takes two of them, five of their seeds and 300
of the official test images, and is judged by the code that judges real ones. What all seeds and all test images say is
the truth. Prints the table of docs/protocol.md.
"""

import argparse
from collections.abc import Iterator
from itertools import combinations

import numpy as np

from headstart.compare.collect.sweep_runs import collect_runs
from headstart.compare.declaration import DEFAULT_LEVEL
from headstart.compare.inference.correctness import CorrectnessTable, build_correctness_tables
from headstart.compare.inference.verdict import compute_verdict
from headstart.reporting.console import print_table

SEEDS, IMAGES = 5, 300
GAPS = ((0.0, 0.01), (0.01, 0.03), (0.03, 0.06), (0.06, 0.10), (0.10, 0.14), (0.14, 0.16))


def comparisons(whole: CorrectnessTable, count: int) -> Iterator[tuple[float, CorrectnessTable]]:
    """So many small comparisons, as many from each range of true gaps as from any other, each with its true gap."""
    truth = {arm: right.mean() for arm, right in whole.correct.items()}
    pairs = [sorted(pair, key=truth.__getitem__, reverse=True) for pair in combinations(truth, 2)]
    rng = np.random.default_rng(0)
    for turn in range(count):
        low, high = GAPS[turn % len(GAPS)]
        fitting = [(a, b) for a, b in pairs if low <= truth[a] - truth[b] < high]
        better, worse = fitting[rng.integers(len(fitting))]
        seeds = rng.choice(len(whole.seeds), SEEDS, replace=False)
        images = rng.choice(whole.num_images, IMAGES, replace=False)
        correct = {arm: whole.correct[arm][np.ix_(seeds, images)] for arm in (better, worse)}
        models = {better: "better", worse: "worse"}
        yield (
            truth[better] - truth[worse],
            CorrectnessTable("mnist", 20, tuple(seeds), correct, models, whole.labels[images]),
        )


def judged(small: CorrectnessTable) -> str:
    told = compute_verdict(small, DEFAULT_LEVEL, declared=("better", "worse"))
    if told.beaten_by:
        (worse,) = told.beaten_by
        return "right" if small.models[worse] == "worse" else "wrong"
    return "tie" if told.is_tie else "undecided"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sweep")
    parser.add_argument("--comparisons", type=int, default=100)
    asked = parser.parse_args()
    (whole,) = build_correctness_tables(collect_runs(asked.sweep))
    told = [(gap, judged(small)) for gap, small in comparisons(whole, asked.comparisons)]
    rows = []
    for low, high in GAPS:
        answers = [answer for gap, answer in told if low <= gap < high]
        counts = [str(answers.count(kind)) for kind in ("right", "wrong", "tie", "undecided")]
        rows.append([f"{100 * low:.0f} to {100 * high:.0f}", str(len(answers)), *counts])
    headers = ["true gap, points", "comparisons", "right", "wrong", "tie", "undecided"]
    print_table(headers, rows, right_aligned=headers[1:])


if __name__ == "__main__":
    main()
