"""Error rates and power of the verdict on simulated sweeps, whose truth is known.

    python scripts/simulate.py [--sweeps 1000] [NAME …]

The code that judges real sweeps judges them. Prints the tables of docs/error_rates.md; all of them take an hour.
"""

import argparse
import sys
from collections.abc import Callable

from headstart.reporting.console import print_table
from simulations.coverage import measure_balanced_coverage, measure_coverage, measure_groups_coverage
from simulations.folds import measure_folds_coverage
from simulations.verdicts import PROCEDURES, measure_false_answers, measure_power, measure_ties, measure_work

EQUAL, PAIRS = (0.8, 0.8, 0.8, 0.8), (0.65, 0.65, 0.85, 0.85)
FOLDED = ["five folds", "uncorrected", "one split", "3 rotate", "5 rotate", "8 rotate", "20 rotate"]
FOUND = ["5 seeds", "5 rotate", "looks to 5", "to 8", "to 20"]
# By name: a title, the headers, and what measures the rows.
TABLES: dict[str, tuple[str, list[str], Callable[[int], list[list[str]]]]] = {
    "equal": (
        "Four equal arms, one budget, 359 images: sweeps with a false answer",
        ["generator", "spread", *PROCEDURES],
        lambda sweeps: measure_false_answers(sweeps, EQUAL),
    ),
    "pairs": (
        "Two pairs of equal arms, 20 points apart: sweeps with a false answer",
        ["generator", "spread", *PROCEDURES],
        lambda sweeps: measure_false_answers(sweeps, PAIRS),
    ),
    "power": (
        "A true gap is found, in the declared contrast and of one arm behind three equal ones; 359 images, one budget",
        ["spread", "gap", *FOUND, *(f"behind: {name}" for name in FOUND), "80 % foretold at"],
        measure_power,
    ),
    "work": (
        "Looks against all 20 seeds",
        ["accuracies", "runs trained", "a dropped arm is unbeaten at 20 seeds"],
        measure_work,
    ),
    "ties": ("Ties of two arms", ["gap", "images", "seeds", "spread", "tie"], measure_ties),
    "coverage": (
        "Coverage of one 95 % interval of two of four arms",
        ["generator", "seeds", "images", "spread", "all images", "rotating"],
        measure_coverage,
    ),
    "groups": (
        "Coverage of one 95 % interval, images of one patient alike",
        ["patients", "images of each", "seeds", "with groups", "without"],
        measure_groups_coverage,
    ),
    "balanced": (
        "Coverage of one 95 % interval of balanced accuracy",
        ["classes", "seeds", "images", "spread", "covered"],
        measure_balanced_coverage,
    ),
    "folds": (
        "Classifiers that learn: coverage of one 95 % interval of two of four (and half its width in points)",
        ["images", "labels/class", "luck", *FOLDED],
        measure_folds_coverage,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(TABLES)}; none: all")
    parser.add_argument("--sweeps", type=int, default=1000, help="simulated sweeps for each figure (1000)")
    args = parser.parse_args()
    if unknown := set(args.names) - set(TABLES):
        parser.error(f"{', '.join(sorted(unknown))}: there is no such table; give some of {', '.join(TABLES)}")
    for name in args.names or TABLES:
        title, headers, measure = TABLES[name]
        rows = measure(args.sweeps)
        print(f"\n{title}")
        print_table(headers, rows, right_aligned=headers[1:])
        sys.stdout.flush()


if __name__ == "__main__":
    main()
