"""`headstart refit`: trains the best arm of a sweep on all labelled images."""

import sys
from collections.abc import Collection
from pathlib import Path

from headstart.compare.best_arm import BestArm
from headstart.compare.evaluation.arm_accuracy import estimate_accuracy
from headstart.compare.inference.analysis import SweepAnalysis, analyze_sweep
from headstart.compare.refit_arm import select_refit_arm
from headstart.config.data_module import clear_source_cache
from headstart.config.identity import arm_settings
from headstart.file_names import encode_name, expand_home, quote_for_shell
from headstart.reporting.console import escape_control_characters, print_path
from headstart.runs.refit_card import RefitCard, read_finished_refit
from headstart.training.refit import RefitPlan, count_chosen_epochs, plan_refit, train_refit


def refit_and_print(sweep: str, out: str | None, modules: Collection[str] = ()) -> int:
    """Trains the best arm of a finished sweep on all labelled images, and prints the folder of the model.

    The arm, the sweep's figure and what it is not go to the error stream.

    Args:
        sweep: its directory.
        out: the folder of the model; None: one in the sweep, named by what the model is.
        modules: modules of the user's own models and data.

    Returns:
        The exit code 0.

    Raises:
        HeadstartError: the sweep is not finished, has no verdict, or its images changed.
    """
    folder = expand_home(sweep)
    analysis = analyze_sweep(folder)
    arm = select_refit_arm(folder, analysis)
    run, _ = arm.select_run()
    clear_source_cache()
    plan = plan_refit(run.directory, run.result, count_chosen_epochs([run.result for run in arm.runs]), modules)
    directory = expand_home(out) if out else folder / f"refit-{run.result.model}-{plan.identity[:8]}"
    note = "done before, nothing trained: " if read_finished_refit(directory) else ""
    _print_line(f"{arm.name} at {arm.budget}: {arm.reason}")
    words = [str(folder), *(["--out", out] if out else []), *(f"--import={module}" for module in modules)]
    command = " ".join(["headstart refit", *map(quote_for_shell, words)])
    card = train_refit(plan, directory, build_refit_card(folder, analysis, arm, plan, command))
    _print_line(f"{note}{card.describe()}")
    print_path(directory)
    return 0


def build_refit_card(sweep: Path, analysis: SweepAnalysis, arm: BestArm, plan: RefitPlan, command: str) -> RefitCard:
    """Builds the card of a refit before its training.

    Args:
        sweep: its directory.
        analysis: of the sweep.
        arm: the arm; its verdict is there.
        plan: what the refit trains.
        command: line that trains it.
    """
    verdict, (run, _) = arm.verdict, arm.select_run()
    assert verdict is not None
    accuracy = estimate_accuracy(verdict, arm.name, analysis.comparison.level)
    return RefitCard(
        status="begun",
        sweep=encode_name(sweep.resolve().name),
        arm=arm.name,
        reason=arm.reason,
        model=run.result.model,
        data=run.result.data,
        labels_per_class=arm.labels_per_class,
        metric=verdict.metric,
        accuracy=accuracy.mean,
        low=accuracy.low,
        high=accuracy.high,
        confidence=1 - analysis.comparison.level,
        spread=accuracy.spread,
        seeds=verdict.table.seeds,
        folds=verdict.table.folds,
        test_images=verdict.table.num_images,
        images=len(plan.source.split.train),
        classes=plan.source.spec.classes,
        seed=run.result.seed,
        epochs=plan.epochs,
        schedule_epochs=plan.schedule_epochs,
        settings=arm_settings(plan.config),
        starts=run.result.starts,
        run=run.name,
        run_command=run.result.command,
        command=command,
        identity=plan.identity,
        skipped=[{"image": name, "reason": reason} for name, reason in plan.source.skipped],
    )


def _print_line(text: str) -> None:
    print(escape_control_characters(text), file=sys.stderr, flush=True)
