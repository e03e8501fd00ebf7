"""Error rates of the verdict on real trainings: small comparisons on MNIST, whose truth 10,000 test images give.

    headstart-train -m model=scratch_cnn data=mnist data.root=PATH data.labels_per_class=20 \\
        model.epochs=12,16,20,26,34,45,60,80,100,120 'seed=range(20)' hydra.sweep.dir=runs/truth
    python scripts/truth.py runs/truth [--comparisons 1000] [--replays 200]

The arms are one network, trained for 12 to 120 epochs. Each comparison takes two arms, five seeds and 300 of the
official test images. The code that judges real sweeps judges it. The truth is the difference over all seeds and all
test images. Each replay gives four arms, all seeds in random order and 300 images to the looks of a sweep. Prints the
tables of docs/error_rates.md.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

import numpy as np

from headstart.compare.collect.sweep_runs import collect_runs
from headstart.compare.declaration import DEFAULT_LEVEL
from headstart.compare.inference.correctness import CorrectnessTable, build_correctness_tables
from headstart.compare.inference.looks import plan_looks
from headstart.compare.inference.verdict import compute_verdict
from headstart.reporting.console import print_table
from simulations.verdicts import replay

SEEDS, IMAGES = 5, 300
GAPS = ((0.0, 0.01), (0.01, 0.03), (0.03, 0.06), (0.06, 0.10), (0.10, 0.14), (0.14, 0.16))


def draw_comparisons(table: CorrectnessTable, count: int) -> Iterator[tuple[float, CorrectnessTable]]:
    """``count`` small comparisons with their true gaps, equally many from each range of gaps."""
    truth = {arm: right.mean() for arm, right in table.correct.items()}
    pairs = [sorted(pair, key=truth.__getitem__, reverse=True) for pair in combinations(truth, 2)]
    rng = np.random.default_rng(0)
    for number in range(count):
        low, high = GAPS[number % len(GAPS)]
        candidates = [(a, b) for a, b in pairs if low <= truth[a] - truth[b] < high]
        better, worse = candidates[rng.integers(len(candidates))]
        seeds = rng.choice(len(table.seeds), SEEDS, replace=False)
        images = rng.choice(table.num_images, IMAGES, replace=False)
        correct = {arm: table.correct[arm][np.ix_(seeds, images)] for arm in (better, worse)}
        models = {better: "better", worse: "worse"}
        yield (
            truth[better] - truth[worse],
            CorrectnessTable("mnist", 20, tuple(seeds), correct, models, table.labels[images]),
        )


def classify_verdict(table: CorrectnessTable) -> str:
    """``right``, ``wrong``, ``tie`` or ``undecided``."""
    verdict = compute_verdict(table, DEFAULT_LEVEL, declared=("better", "worse"))
    if verdict.beaten_by:
        (worse,) = verdict.beaten_by
        return "right" if table.models[worse] == "worse" else "wrong"
    return "tie" if verdict.is_tie else "undecided"


def draw_replays(table: CorrectnessTable, count: int) -> Iterator[CorrectnessTable]:
    """``count`` sweeps with looks, of four arms each, their seeds in random order."""
    rng = np.random.default_rng(1)
    for _ in range(count):
        arms = rng.choice(sorted(table.correct), 4, replace=False)
        seeds = rng.permutation(len(table.seeds))
        images = np.sort(rng.choice(table.num_images, IMAGES, replace=False))
        correct = {str(arm): table.correct[arm][np.ix_(seeds, images)] for arm in arms}
        models = {arm: arm for arm in correct}
        schedule = plan_looks(len(seeds))
        yield replace(table, correct=correct, models=models, labels=table.labels[images], schedule=schedule)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sweep")
    parser.add_argument("--comparisons", type=int, default=1000)
    parser.add_argument("--replays", type=int, default=200)
    args = parser.parse_args()
    (table,) = build_correctness_tables(collect_runs(args.sweep))
    answers = [(gap, classify_verdict(comparison)) for gap, comparison in draw_comparisons(table, args.comparisons)]
    rows = []
    for low, high in GAPS:
        selected = [answer for gap, answer in answers if low <= gap < high]
        counts = [str(selected.count(kind)) for kind in ("right", "wrong", "tie", "undecided")]
        rows.append([f"{100 * low:.0f} to {100 * high:.0f}", str(len(selected)), *counts])
    headers = ["true gap, points", "comparisons", "right", "wrong", "tie", "undecided"]
    print_table(headers, rows, right_aligned=headers[1:])
    replays = [replay(sweep) for sweep in draw_replays(table, args.replays)]
    trained, wrong = (np.array(column) for column in zip(*replays, strict=True))
    print(
        f"\n{len(replays)} replays of {len(table.seeds)} seeds: {trained.mean():.0%} of the runs are trained; "
        f"{wrong.sum()} drop an arm that all seeds leave unbeaten"
    )


if __name__ == "__main__":
    main()
