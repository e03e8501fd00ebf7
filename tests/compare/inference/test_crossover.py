"""Where the order of arms changes: between measured budgets, and only where both orders are sure."""

import numpy as np

from headstart.compare.inference.correctness import CorrectnessTable
from headstart.compare.inference.crossover import Crossover, find_crossovers
from headstart.compare.inference.verdict import compute_verdicts
from headstart.compare.report.recommendations import recommend_next_steps

BUDGETS = (5, 10, 20, 40, None)


def curves(budgets=BUDGETS, data="flowers", folds=1, **accuracies):
    """Verdicts of arms with these accuracies at the budgets, on 1,000 images and 5 seeds."""
    draw = np.random.default_rng(0)
    tables = [
        CorrectnessTable(data, budget, tuple(range(5)),
                 {arm: draw.random((5, 1000)) < accuracy[k] for arm, accuracy in accuracies.items()},
                 {arm: arm for arm in accuracies}, np.arange(1000) % 5, folds=folds)
        for k, budget in enumerate(budgets)
    ]  # fmt: skip
    return compute_verdicts(tables)


def test_a_planted_change_of_order_is_found_where_it_is():
    found = curves(finetune=(0.5, 0.6, 0.65, 0.9, 0.95), scratch_backbone=(0.3, 0.4, 0.5, 0.75, 0.8),
                   frozen=(0.7, 0.75, 0.8, 0.8, 0.8))  # fmt: skip
    assert find_crossovers(found) == [Crossover("flowers", 20, 40, first="frozen", then="finetune")]
    said = recommend_next_steps(found)
    assert said[0].startswith("The order of frozen and finetune changes between 20 and 40 labels per class: frozen is")
    assert "No crossover of finetune and scratch_backbone is seen between 5 labels per class and all." in said


def test_a_budget_at_which_the_order_is_open_lies_in_between():
    found = curves((10, 20, 40), finetune=(0.5, 0.7, 0.9), scratch_backbone=(0.7, 0.7, 0.7))
    assert find_crossovers(found) == [Crossover("flowers", 10, 40, first="scratch_backbone", then="finetune")]


def test_parallel_curves_have_no_crossover_however_close():
    for gap in (0.0, 0.02, 0.2):
        rising = np.array([0.4, 0.5, 0.6, 0.65, 0.7])
        found = curves(finetune=rising + gap, scratch_backbone=rising, frozen=rising + gap / 2)
        assert find_crossovers(found) == []
        open_ = all(verdict.is_first_better is None for verdict in found)
        said = "Whether the order" if open_ else "No crossover"
        assert any(said in sentence for sentence in recommend_next_steps(found))


def test_nothing_is_said_of_one_budget_or_across_data_sets():
    one = curves((5,), finetune=(0.9,), scratch_backbone=(0.6,))
    other = curves((10,), data="bees", finetune=(0.6,), scratch_backbone=(0.9,))
    assert find_crossovers(one + other) == []
    assert not any("rossover" in sentence for sentence in recommend_next_steps(one + other))


def test_an_order_is_followed_within_a_data_set_and_said_of_which():
    one = curves((5, 20), finetune=(0.4, 0.9), scratch_backbone=(0.9, 0.4))
    bees = curves((5, 20), data="bees", finetune=(0.9, 0.9), scratch_backbone=(0.4, 0.4))
    mixed = sorted(one + bees, key=lambda verdict: verdict.table.labels_per_class)
    assert find_crossovers(mixed) == [Crossover("flowers", 5, 20, first="scratch_backbone", then="finetune")]
    changed, stays = recommend_next_steps(mixed)[:2]
    assert changed.startswith("flowers: The order of") and stays.startswith("bees: No crossover")
