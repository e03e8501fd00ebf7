"""Whether training ended before its loss had levelled out."""

import pytest

from headstart.compare.evaluation.learning_curves import load_learning_curve
from headstart.compare.report.content import build_report
from headstart.files import write_text
from headstart.runs import run_directory


@pytest.fixture
def trained(fake_run):
    """Writes a run whose training losses were these."""

    def write(arm, losses, **how):
        place = fake_run(arm, **how)
        rows = [f"{epoch},{epoch},{loss}" for epoch, loss in enumerate(losses)]
        write_text(place / run_directory.METRICS_FILE, "\n".join(["epoch,step,train/loss", *rows]) + "\n")
        return place

    return write


def test_a_loss_that_still_fell_at_the_last_epoch_is_a_caution_with_its_budgets(trained, tmp_path):
    for budget in (5, 20):
        trained("finetune", [2 - 0.05 * epoch for epoch in range(30)], budget=budget)
        trained("frozen", [1 + 1 / (1 + epoch) for epoch in range(30)], budget=budget)
    said = build_report(tmp_path / "sweep")
    falling = [line for line in said["cautions"] if "still falling" in line]
    assert falling == [
        "photos: the training loss of finetune was still falling at the last epoch (5, 20 labels per class); more "
        "epochs may make it better."
    ]
    falls = {curve["arm"]: curve["last_fall"] for curve in said["data"][0]["learning"]}
    assert falls["finetune"] == pytest.approx(0.15 / 1.35) and 0 < falls["frozen"] < 0.05


@pytest.mark.parametrize("losses", [[1.0], [], [0.0] * 3, [1.0] * 2, [float("nan")] * 3])
def test_where_the_losses_tell_nothing_no_fall_is_known(trained, losses):
    curve = load_learning_curve([trained("finetune", losses)])
    assert curve is None or curve["last_fall"] is None
