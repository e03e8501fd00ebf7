"""What a comparison asks, and by which of its runs' declarations it is judged."""

import pytest

from headstart.compare import words
from headstart.compare.comparison import Comparison
from headstart.compare.judge import comparison, judged
from headstart.compare.table import found
from headstart.errors import HeadstartError


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"contrast": ["finetune"]}, r"compare\.contrast"),
        ({"contrast": ["frozen", "frozen"]}, r"compare\.contrast"),
        ({"metric": "f1"}, r"compare\.metric=f1: give accuracy or balanced_accuracy"),
        ({"margin": 0}, r"compare\.margin=0"),
        ({"margin": "wide"}, r"compare\.margin=wide"),
        ({"level": 0.9}, r"compare\.level=0\.9"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_in_one_line(how, told):
    with pytest.raises(HeadstartError, match=told):
        Comparison(**how)


def test_old_runs_that_declared_nothing_are_judged_by_the_defaults(fake_sweep):
    assert comparison(found(fake_sweep(seeds=(0,), budgets=(5,)))) == Comparison()


def test_the_declaration_of_the_first_run_counts_since_a_later_one_knew_its_result(fake_run):
    late = {"contrast": ["frozen", "scratch_cnn"], "metric": "accuracy", "margin": 0.2, "level": 0.4}
    early = {**late, "contrast": ["frozen", "finetune"], "margin": 0.02, "metric": "balanced_accuracy", "level": 0.1}
    fake_run("frozen", compare=late, started="2026-02-01T00:00:00+00:00")
    place = fake_run("finetune", compare=early, started="2026-01-01T00:00:00+00:00")
    (verdict,) = judged(found(place.parent))
    assert verdict.declared == ("frozen", "finetune") and verdict.metric == "balanced_accuracy"
    assert (verdict.margin, verdict.alpha) == (0.02, 0.1)
    assert words.question(verdict) == "Is frozen better than finetune?"
