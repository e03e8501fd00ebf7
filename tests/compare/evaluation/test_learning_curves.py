"""Whether training ended before its loss leveled out."""

import pytest

from headstart.compare.evaluation.learning_curves import describe_falling_losses, load_learning_curve
from headstart.compare.inference.analysis import analyze_sweep
from headstart.compare.report.content import build_report
from headstart.files import write_text
from headstart.runs.run_directory import METRICS_FILE


@pytest.fixture
def fake_losses(fake_run):
    """Writes a run with these training losses."""

    def write(arm, losses, budget=5):
        run = fake_run(arm, budget=budget)
        rows = [f"{epoch},{epoch},{loss}" for epoch, loss in enumerate(losses)]
        write_text(run / METRICS_FILE, "\n".join(["epoch,step,train/loss", *rows]) + "\n")
        return run

    return write


class TestLastFall:
    def test_is_large_where_the_loss_still_fell(self, fake_losses):
        curve = load_learning_curve([fake_losses("finetune", [2 - 0.05 * epoch for epoch in range(30)])])
        assert curve["last_fall"] == pytest.approx(0.15 / 1.35)
        curve = load_learning_curve([fake_losses("frozen", [1 + 1 / (1 + epoch) for epoch in range(30)])])
        assert 0 < curve["last_fall"] < 0.05

    @pytest.mark.parametrize("losses", [[1.0], [], [0.0] * 3, [1.0] * 2, [float("nan")] * 3])
    def test_is_unknown_where_losses_do_not_fall(self, fake_losses, losses):
        curve = load_learning_curve([fake_losses("finetune", losses)])
        assert curve is None or curve["last_fall"] is None


class TestDescribeFallingLosses:
    def test_names_arm_and_budgets_in_the_report(self, fake_losses):
        for budget in (5, 20):
            run = fake_losses("finetune", [2 - 0.05 * epoch for epoch in range(30)], budget)
        report = build_report(analyze_sweep(run.parent))
        expected = describe_falling_losses("photos", report["data"][0]["learning"])
        assert len(expected) == 1 and "finetune" in expected[0] and "5, 20 labels" in expected[0]
        assert expected[0] in report["cautions"]
