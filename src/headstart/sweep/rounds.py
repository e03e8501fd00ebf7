"""The rounds of a sweep: the runs up to the next look, of the arms that train on. Torch-free."""

from collections.abc import Iterator

from headstart.runs.result import iter_results, read_result
from headstart.runs.sweep_file import PlannedRun
from headstart.sweep.plan import SweepPlan
from headstart.sweep.progress_table import print_progress

Job = tuple[PlannedRun, tuple[str, ...]]  # a run and its overrides
Cell = tuple[str, int | None, str]  # data set, budget and key of an arm
NUM_FIRST_ARMS = 2  # the cheapest: what a frozen and a small network give is known after one run of each


def iterate_rounds(plan: SweepPlan) -> Iterator[list[Job]]:
    """Yields the runs to train next, until none is left; without looks all pending runs at once.

    The caller trains a round before it takes the next. What a look decides depends on its runs alone, so that an
    interrupted sweep goes on as if it had not been.

    Args:
        plan: of the sweep.
    """
    if not plan.command.looks:
        if plan.num_pending:
            yield plan.pending
        return
    first = list_next_jobs(plan)[:NUM_FIRST_ARMS]
    if first and not any(iter_results(plan.directory)):
        yield first
    previous: list[Job] = []
    # Equal to the round before where none has ended: time is up, or another process has them.
    while (jobs := list_next_jobs(plan)) and jobs != previous:
        print_progress(plan)
        yield _sort_jobs(jobs, plan.command.arms)
        previous = jobs


def list_next_jobs(plan: SweepPlan) -> list[Job]:
    """The runs without a result up to the next look, of the arms that train on; empty where the sweep is over."""
    seeds = find_next_seeds(plan)
    return [
        (run, overrides)
        for run, overrides in zip(plan.command.runs, plan.jobs, strict=True)
        if run.seed in seeds[_cell(run)] and not read_result(plan.directory / run.directory)
    ]


def _sort_jobs(jobs: list[Job], arms: tuple[str, ...]) -> list[Job]:
    """Sorts the first seed before the others, so that each arm soon has a figure, and the last arms before the others:
    a round that ended with a long training would keep a core waiting. The arms of ``experiment=compare`` begin with the
    cheapest."""
    first_seed = jobs[0][0].seed
    return sorted(jobs, key=lambda job: (job[0].seed != first_seed, -arms.index(job[0].arm_key)))


def find_next_seeds(plan: SweepPlan) -> dict[Cell, tuple[int, ...]]:
    """The seeds up to the next look, by data set, budget and arm; none for an arm that trains no more."""
    seeds = plan.command.seeds
    upcoming = dict.fromkeys(map(_cell, plan.command.runs), seeds[: plan.command.looks[0].seeds])
    if not any(iter_results(plan.directory)):
        return upcoming
    from headstart.compare.inference.analysis import find_progress

    for progress in find_progress(plan.directory):
        look = progress.state.next_look
        for arm, key in progress.arm_keys.items():
            is_running = look is not None and arm not in progress.stopped_arms
            cell = progress.data, progress.table.labels_per_class, key
            upcoming[cell] = seeds[: look.seeds] if is_running and look else ()
    return upcoming


def _cell(run: PlannedRun) -> Cell:
    return run.data, run.labels_per_class, run.arm_key
