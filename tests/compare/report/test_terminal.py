"""What a sweep prints at its end."""

import pytest

from headstart.compare.inference.analysis import analyze_sweep
from headstart.compare.inference.looks import plan_looks
from headstart.compare.report.content import write_report
from headstart.compare.report.terminal import print_analysis, print_conclusions


@pytest.fixture
def print_end(fake_command, capsys):
    """Returns the lines at the end of a sweep, with the two paths that the sweeper prints between them."""

    def print_all(sweep):
        fake_command(sweep)
        analysis = analyze_sweep(sweep)
        print_analysis(analysis)
        print("sweep: runs/compare\nreport: runs/compare/report.html")
        print_conclusions(analysis, "runs/compare")
        return capsys.readouterr().out.splitlines()

    return print_all


class TestEndOfSweep:
    @pytest.mark.parametrize("images", [60, 600])
    @pytest.mark.parametrize("seeds", [1, 3, 5])
    def test_has_at_most_25_lines_of_80_columns(self, fake_sweep, print_end, images, seeds):
        settings = {"data.image_size": 128}
        lines = print_end(
            fake_sweep(budgets=(None,), seeds=range(seeds), images=images, command="headstart-train", settings=settings)
        )
        assert len(lines) <= 25 and max(map(len, lines)) <= 80

    def test_keeps_80_columns_with_three_budgets(self, fake_sweep, print_end):
        lines = print_end(fake_sweep(budgets=(5, 10, 20)))
        assert len(lines) <= 42 and max(map(len, lines)) <= 80

    def test_ends_with_the_command_for_the_model(self, fake_sweep, print_end):
        assert print_end(fake_sweep(budgets=(5,)))[-1] == "  headstart refit runs/compare"

    def test_shows_the_command_of_the_next_step(self, fake_sweep, print_end):
        lines = print_end(fake_sweep(budgets=(5,), seeds=(0, 1)))
        index = next(i for i, line in enumerate(lines) if line.startswith("Next ("))
        assert lines[index + 1].startswith("  headstart-train -m seed=0,1,2,")

    def test_concludes_each_data_set_and_budget(self, fake_sweep, print_end):
        for data in ("birds", "photos"):
            sweep = fake_sweep(data=data, seeds=(0, 1))
        lines = print_end(sweep)
        for start in ("birds, 20 labels per class: ", "photos, 20 labels per class: "):
            assert sum(line.startswith(start) for line in lines) == 1
        assert sum(line.startswith("5 labels per class: ") for line in lines) == 2

    def test_says_why_there_is_no_verdict(self, fake_run, print_end):
        fake_run("frozen", 0)
        lines = print_end(fake_run("finetune", 1).parent)
        assert any(line.startswith("No verdict: its arms share no seed") for line in lines)


class TestBeforeTheFirstLook:
    """An interrupted sweep with looks."""

    def interrupt(self, fake_run, fake_command, missing_run):
        sweep = fake_run("scratch_cnn", 0).parent
        pending = [missing_run(arm, seed) for arm in ("lenet", "frozen") for seed in range(3)]
        fake_command(sweep, [fake_run("lenet", 0), *sweep.glob("scratch_cnn*"), *pending[1:]], looks=plan_looks(20))
        return sweep

    def test_ends_with_the_command_and_its_least_duration(self, fake_run, fake_command, missing_run, capsys):
        sweep = self.interrupt(fake_run, fake_command, missing_run)
        print_conclusions(analyze_sweep(sweep), sweep)
        printed = capsys.readouterr().out
        assert "the first look is after 3 seeds" in printed and "Next (more than 1 minute" in printed
        assert "more than 1 minute" in write_report(sweep).read_text(encoding="utf-8")

    def test_says_nothing_of_arms_that_will_train(self, fake_run, fake_command, missing_run, capsys):
        print_analysis(analyze_sweep(self.interrupt(fake_run, fake_command, missing_run)))
        assert "has no answer" not in capsys.readouterr().out


class TestIntervals:
    @pytest.mark.parametrize("seeds", [1, 2, 3, 5])
    @pytest.mark.parametrize("images", [40, 150, 1500])
    def test_contradict_no_answer(self, fake_sweep, seeds, images):
        """Of each pair: the interval excludes zero exactly where one arm beats the other."""
        from headstart.compare.report.content import build_report

        analysis = analyze_sweep(fake_sweep(seeds=range(seeds), images=images))
        for verdict, answer in zip(analysis.verdicts, build_report(analysis)["data"][0]["answers"], strict=True):
            for pair in [*answer["pairs"], answer["declared"]]:
                beats = pair["first"] in verdict.beaten_by.get(pair["second"], [])
                is_beaten = pair["second"] in verdict.beaten_by.get(pair["first"], [])
                assert (pair["low"] > 0) == beats and (pair["high"] < 0) == is_beaten
