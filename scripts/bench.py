"""Measures Headstart against bare loops and Pillow on this machine; prints the lines of docs/benchmarks.md.

    make bench ARGS="--repeats 3 frozen finetuning"

Without names, all are measured; growth writes 200,000 images. The machine should do nothing else meanwhile.
"""

import argparse
import logging
import os
import platform
import sys
import warnings
from collections.abc import Callable
from datetime import date

import torch

from benchmarks.finetuning import measure_finetuning
from benchmarks.frozen import measure_frozen
from benchmarks.measure import Figure
from benchmarks.mnist import measure_mnist
from benchmarks.opening import measure_growth, measure_opening
from benchmarks.small_runs import measure_small_runs
from headstart.process import prepare_process


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = "frozen, finetuning, mnist, small_runs, opening, growth"
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {names}; none: all")
    parser.add_argument("--repeats", type=int, default=5, help="measured calls of each function (default: 5)")
    parser.add_argument("--mnist", metavar="FOLDER", help="where MNIST's files lie; else they are downloaded")
    args = parser.parse_args()
    benchmarks: dict[str, Callable[[], list[Figure]]] = {
        "frozen": lambda: measure_frozen(args.repeats),
        "finetuning": lambda: measure_finetuning(args.repeats),
        "mnist": lambda: measure_mnist(args.repeats, args.mnist),
        "small_runs": lambda: measure_small_runs(args.repeats),
        "opening": lambda: measure_opening(args.repeats),
        "growth": measure_growth,
    }
    if unknown := set(args.names) - set(benchmarks):
        parser.error(f"{', '.join(sorted(unknown))}: there is no such benchmark; give some of {names}")
    prepare_process()
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    print(
        f"{date.today()}, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, "
        f"torch {torch.__version__}; medians of {args.repeats} interleaved repeats\n"
    )
    print("| what | figure | asked | seconds |\n| --- | --- | --- | --- |")
    for name in args.names or benchmarks:
        for figure in benchmarks[name]():
            print(f"| {figure.name} | {figure.value} | {figure.limit} | {figure.details} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
