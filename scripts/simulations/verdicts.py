"""False answers, power and ties of the verdict on simulated sweeps."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from headstart.compare.declaration import DEFAULT_LEVEL, Comparison
from headstart.compare.inference.correctness import CorrectnessTable
from headstart.compare.inference.looks import plan_looks, take_looks
from headstart.compare.inference.power import minimum_detectable_difference
from headstart.compare.inference.verdict import Verdict, compute_verdict
from simulations.generators import ARMS, GENERATORS, Generator, draw_normal, draw_patients, rotate

IMAGES = 359  # as many as a fifth of scikit-learn's digits
MAX_SEEDS = 20
PATIENTS, PER_PATIENT = 60, 6
SPREADS = (0.04, 0.065, 0.09)  # in the middle a fold's images scatter as much as the seeds

Judge = Callable[[np.random.Generator, Generator, np.ndarray, float], Verdict]


def build_table(correct: np.ndarray, rotates: bool = False, groups: np.ndarray | None = None) -> CorrectnessTable:
    """The table of some arms.

    Args:
        correct: bool (arms, S, n).
        rotates: whether seed s tests fold s mod 5 alone.
        groups: int (n,); None: each image is a group.
    """
    arms, seeds, images = correct.shape
    names = ARMS[-arms:]
    values = rotate(correct) if rotates else correct.astype(float)
    return CorrectnessTable(
        "simulated",
        None,
        tuple(range(seeds)),
        dict(zip(names, values, strict=True)),
        {arm: arm for arm in names},
        np.zeros(images, dtype=np.int64),
        groups=groups,
        folds=5 if rotates else 1,
        rotates=rotates,
        schedule=plan_looks(seeds) if seeds == MAX_SEEDS else (),
    )


def judge(table: CorrectnessTable) -> Verdict:
    """The verdict of a table; with a schedule after its last look."""
    if not table.schedule:
        return compute_verdict(table, DEFAULT_LEVEL)
    verdict = take_looks(table, DEFAULT_LEVEL, Comparison()).verdict
    assert verdict is not None
    return verdict


def judge_once(seeds: int, rotates: bool = False) -> Judge:
    """Judges a number of seeds, ``MAX_SEEDS`` of them in looks."""
    return lambda rng, generator, accuracy, spread: judge(
        build_table(generator(rng, accuracy, seeds, IMAGES, spread), rotates)
    )


def judge_patients(seeds: int) -> Judge:
    """Judges the images of patients, which are groups."""
    groups = np.repeat(np.arange(PATIENTS), PER_PATIENT)
    return lambda rng, _, accuracy, spread: judge(
        build_table(draw_patients(rng, accuracy, seeds, PATIENTS, PER_PATIENT, spread), groups=groups)
    )


PROCEDURES = {
    "3 seeds": judge_once(3),
    "5 seeds": judge_once(5),
    "3 rotate": judge_once(3, rotates=True),
    "5 rotate": judge_once(5, rotates=True),
    "looks": judge_once(MAX_SEEDS),
    "looks rotate": judge_once(MAX_SEEDS, rotates=True),
}


def measure_false_answers(sweeps: int, accuracy: tuple[float, ...]) -> list[list[str]]:
    """Rates of sweeps with a false answer: an arm is called worse than one that it equals or beats."""
    rows = [
        [
            name,
            f"{100 * spread:g}",
            *(
                f"{_count_false(sweeps, procedure, generator, accuracy, spread):.1%}"
                for procedure in PROCEDURES.values()
            ),
        ]
        for name, generator in GENERATORS.items()
        for spread in SPREADS
    ]
    for spread in SPREADS:
        rates = [
            _count_false(sweeps, judge_patients(seeds), draw_normal, accuracy, spread) for seeds in (3, 5, MAX_SEEDS)
        ]
        three, five, looks = (f"{rate:.1%}" for rate in rates)
        rows.append([f"{PATIENTS} patients", f"{100 * spread:g}", three, five, "", "", looks, ""])
    return rows


def _count_false(
    sweeps: int, procedure: Judge, generator: Generator, accuracy: tuple[float, ...], spread: float
) -> float:
    rng, truth = np.random.default_rng(1), dict(zip(ARMS, accuracy, strict=True))
    verdicts = (procedure(rng, generator, np.array(accuracy), spread) for _ in range(sweeps))
    return float(np.mean([_has_false_answer(verdict, truth) for verdict in verdicts]))


def _has_false_answer(verdict: Verdict, truth: dict[str, float]) -> bool:
    return any(truth[worse] >= truth[better] for worse, winners in verdict.beaten_by.items() for better in winners)


def measure_power(sweeps: int) -> list[list[str]]:
    """How often a true gap is found by five typed seeds, and by looks up to 5, 8 and 20 seeds: in the declared contrast
    (of four arms that differ), and of one arm behind three equal ones."""
    rows = []
    for spread in (0.04, 0.09):
        for gap in (0.05, 0.10, 0.12, 0.15, 0.20):
            contrast = np.array([0.70, 0.80 - gap, 0.74, 0.80])
            behind = np.array([0.80 - gap, 0.8, 0.8, 0.8])
            cells = []
            for accuracy, is_found in (
                (contrast, lambda verdict: verdict.is_first_better is True),
                (behind, lambda verdict: ARMS[0] in verdict.beaten_by),
            ):
                rng = np.random.default_rng(2)
                found: list[list[bool]] = []
                for _ in range(sweeps):
                    correct = draw_normal(rng, accuracy, MAX_SEEDS, IMAGES, spread)
                    typed = [judge(build_table(correct[:, :5], rotates)) for rotates in (False, True)]
                    looks = [_judge_up_to(build_table(correct), seeds) for seeds in (5, 8, MAX_SEEDS)]
                    found.append([is_found(verdict) for verdict in (*typed, *looks)])
                cells += [f"{share:.0%}" for share in np.mean(found, axis=0)]
            least = minimum_detectable_difference(IMAGES, 5, 1, spread=spread)
            rows.append([f"{100 * spread:.0f}", f"{100 * gap:.0f}", *cells, f"{100 * least:.0f}"])
    return rows


def _judge_up_to(table: CorrectnessTable, seeds: int) -> Verdict:
    """The verdict of the last look at up to a number of seeds."""
    correct = {arm: rows[:seeds] for arm, rows in table.correct.items()}
    verdict = take_looks(replace(table, correct=correct), DEFAULT_LEVEL, Comparison()).verdict
    assert verdict is not None
    return verdict


def measure_work(sweeps: int) -> list[list[str]]:
    """The share of all runs that a sweep with looks trains, and how often an arm drops out that 20 seeds leave
    unbeaten."""
    rows = []
    for accuracy in ((0.8, 0.8, 0.8, 0.8), (0.65, 0.72, 0.8, 0.82), (0.5, 0.6, 0.75, 0.9)):
        rng, trained, wrongly = np.random.default_rng(7), [], []
        for _ in range(sweeps):
            share, is_wrong = replay(build_table(draw_normal(rng, np.array(accuracy), MAX_SEEDS, IMAGES, 0.04)))
            trained.append(share)
            wrongly.append(is_wrong)
        figures = [f"{np.mean(trained):.0%}", f"{np.mean(wrongly):.1%}"]
        rows.append([", ".join(f"{100 * each:.0f}" for each in accuracy), *figures])
    return rows


def replay(table: CorrectnessTable) -> tuple[float, bool]:
    """The share of the runs of a table that its looks train, and whether they drop an arm that all seeds, judged once,
    leave unbeaten."""
    verdict = judge(table)
    last = verdict.looks[-1].seeds
    trained = np.mean([verdict.dropped.get(arm, last) for arm in table.correct])
    whole = compute_verdict(replace(table, schedule=()), DEFAULT_LEVEL)
    return float(trained) / len(table.seeds), bool(set(verdict.dropped) & set(whole.unbeaten))


def measure_ties(sweeps: int) -> list[list[str]]:
    """How often two arms are called a tie."""
    rows = []
    for gap, images, seeds, accuracy, spread in ((0.0, 20_000, 10, 0.95, 0.003), (0.015, 40, 5, 0.9, 0.02)):
        rng = np.random.default_rng(3)
        two = np.array([accuracy - gap, accuracy])
        rate = np.mean([judge(build_table(draw_normal(rng, two, seeds, images, spread))).is_tie for _ in range(sweeps)])
        rows.append([f"{100 * gap:g}", f"{images:,}", str(seeds), f"{100 * spread:g}", f"{rate:.1%}"])
    return rows
