"""Which step would decide an open verdict."""

import pytest

from headstart.compare.inference.analysis import analyze_sweep
from headstart.compare.inference.looks import plan_looks
from headstart.compare.inference.power import required_sample_size
from headstart.compare.report.conclusion import conclude_verdicts
from headstart.compare.report.recommendations import MAX_GROWTH, MAX_SEEDS, is_out_of_reach, recommend_next_step


@pytest.fixture
def recommend(fake_run, fake_command):
    """Returns the step for two arms with these shares of correct images, the verdict and the analysis."""

    def of_arms(shares, seeds=3, images=60, missing=(), **changes):
        for arm, right in shares.items():
            for seed in range(seeds):
                sweep = fake_run(arm, seed, right=right, images=images, **changes).parent
        fake_command(sweep, [*sweep.glob("*-seed*"), *missing])
        analysis = analyze_sweep(sweep)
        (verdict,) = analysis.verdicts
        return recommend_next_step(verdict, analysis.runs), verdict, analysis

    return of_arms


class TestRecommendNextStep:
    def test_gives_several_seeds_after_one(self, recommend):
        step, *_ = recommend({"finetune": 0.6, "scratch_backbone": 0.55}, seeds=1)
        assert step.kind == "seeds" and "seed=0,1,2,3,4" in step.command.split()

    def test_measures_time_by_the_finished_runs(self, recommend):
        cost = {"seconds": 50.0, "seconds_in_all": 60.0}
        step, *_ = recommend({"finetune": 0.6, "scratch_backbone": 0.55}, seeds=1, cost=cost)
        assert step.seconds == 4 * 2 * 60.0 and step.minutes == 8

    def test_takes_the_missing_runs_first(self, recommend, missing_run):
        shares = {"finetune": 0.6, "scratch_backbone": 0.55}
        step, *_ = recommend(shares, seeds=1, missing=[missing_run(seed=1), missing_run("scratch_backbone", 1)])
        assert step.kind == "missing" and step.command == "headstart-train -m"

    @pytest.mark.parametrize("images", [30, 60, 200, 600])
    @pytest.mark.parametrize("gap", [0.02, 0.1, 0.2])
    def test_stays_within_seeds_and_images_in_reach(self, recommend, images, gap):
        step, verdict, _ = recommend({"finetune": 0.5 + gap, "scratch_backbone": 0.5}, images=images)
        if step is None:
            assert verdict.beaten_by or is_out_of_reach(verdict)
        elif step.kind == "seeds":
            (seeds,) = (word for word in step.command.split() if word.startswith("seed="))
            assert 3 < len(seeds.split(",")) <= MAX_SEEDS
        elif step.kind == "images":
            assert step.command is None and step.images <= (MAX_GROWTH - 1) * images

    def test_has_folds_unless_the_data_bring_a_test_part(self, recommend):
        shares = {"finetune": 0.75, "scratch_backbone": 0.6}
        names = [f"test/{name}/{i}.png" for i, name in enumerate(20 * ("ant", "bee", "cat"))]
        assert "data.folds" not in str(recommend(shares, names=names, sweep="given")[0])

    def test_needs_no_step_where_arms_are_decided(self, recommend):
        step, verdict, _ = recommend({"finetune": 0.95, "scratch_backbone": 0.2}, images=300)
        assert verdict.beaten_by and step is None and not is_out_of_reach(verdict)
        assert required_sample_size(verdict) is None

    @pytest.mark.parametrize("has_run_of_each", [False, True])
    def test_says_how_long_a_first_look_takes(self, fake_run, fake_command, missing_run, has_run_of_each):
        finished = [fake_run("scratch_cnn", 0), fake_run("lenet", 0)]
        finished += [fake_run("frozen", 0)] if has_run_of_each else []
        pending = [missing_run("scratch_cnn", seed) for seed in (1, 2)]
        pending += [missing_run("lenet", seed) for seed in (1, 2)]
        pending += [missing_run("frozen", seed) for seed in range(has_run_of_each, 3)]
        fake_command(finished[0].parent, [*finished, *pending], looks=plan_looks(20))
        analysis = analyze_sweep(finished[0].parent)
        step = recommend_next_step(analysis.verdicts[0], analysis.runs)
        assert step.kind == "look" and step.seconds == len(pending) * 11.25
        assert step.is_least is not has_run_of_each
        assert ("about 1 minute" if has_run_of_each else "more than 1 minute") in step.text
        (conclusion,) = conclude_verdicts(analysis)
        assert conclusion.next_step == step and "the first look is after 3 seeds" in conclusion.text

    def test_has_no_command_without_a_sweep_file(self, fake_run):
        for arm in ("finetune", "scratch_backbone"):
            sweep = fake_run(arm).parent
        analysis = analyze_sweep(sweep)
        assert recommend_next_step(analysis.verdicts[0], analysis.runs) is None
