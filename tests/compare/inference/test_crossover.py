"""Between which budgets the order of two arms changes."""

import numpy as np

from headstart.compare.inference.correctness import CorrectnessTable
from headstart.compare.inference.crossover import Crossover, find_crossovers
from headstart.compare.inference.sweep_verdicts import compute_verdicts
from headstart.compare.report.text import describe_crossovers

BUDGETS = (5, 10, 20, 40, None)


def compute_curves(budgets=BUDGETS, data="flowers", folds=1, **accuracies):
    """Verdicts of arms with these accuracies at the budgets, on 1,000 images and 5 seeds."""
    draw = np.random.default_rng(0)
    tables = [
        CorrectnessTable(
            data,
            budget,
            tuple(range(5)),
            {arm: draw.random((5, 1000)) < accuracy[k] for arm, accuracy in accuracies.items()},
            {arm: arm for arm in accuracies},
            np.arange(1000) % 5,
            folds=folds,
        )
        for k, budget in enumerate(budgets)
    ]
    return compute_verdicts(tables)


class TestFindCrossovers:
    def test_finds_a_planted_change_of_order(self):
        verdicts = compute_curves(
            finetune=(0.5, 0.6, 0.65, 0.9, 0.95),
            scratch_backbone=(0.3, 0.4, 0.5, 0.75, 0.8),
            frozen=(0.7, 0.75, 0.8, 0.8, 0.8),
        )
        assert find_crossovers(verdicts) == [Crossover("flowers", 20, 40, first="frozen", then="finetune")]
        (sentence,) = describe_crossovers(verdicts)
        assert sentence.startswith(
            "The order of frozen and finetune changes between 20 and 40 labels per class: frozen is"
        )

    def test_skips_a_budget_with_an_open_order(self):
        verdicts = compute_curves((10, 20, 40), finetune=(0.5, 0.7, 0.9), scratch_backbone=(0.7, 0.7, 0.7))
        assert find_crossovers(verdicts) == [Crossover("flowers", 10, 40, first="scratch_backbone", then="finetune")]

    def test_finds_none_between_parallel_curves(self):
        for gap in (0.0, 0.02, 0.2):
            rising = np.array([0.4, 0.5, 0.6, 0.65, 0.7])
            verdicts = compute_curves(finetune=rising + gap, scratch_backbone=rising, frozen=rising + gap / 2)
            assert find_crossovers(verdicts) == describe_crossovers(verdicts) == []

    def test_finds_none_across_data_sets(self):
        birds = compute_curves((5,), finetune=(0.9,), scratch_backbone=(0.6,))
        bees = compute_curves((10,), data="bees", finetune=(0.6,), scratch_backbone=(0.9,))
        assert find_crossovers(birds + bees) == describe_crossovers(birds + bees) == []

    def test_compares_budgets_within_a_data_set(self):
        flowers = compute_curves((5, 20), finetune=(0.4, 0.9), scratch_backbone=(0.9, 0.4))
        bees = compute_curves((5, 20), data="bees", finetune=(0.9, 0.9), scratch_backbone=(0.4, 0.4))
        mixed = sorted(flowers + bees, key=lambda verdict: verdict.table.labels_per_class)
        assert find_crossovers(mixed) == [Crossover("flowers", 5, 20, first="scratch_backbone", then="finetune")]
        (changed,) = describe_crossovers(mixed)
        assert changed.startswith("flowers: The order of")
