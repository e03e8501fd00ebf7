"""Console command `headstart-train`: answers `--help` and `--version` before Hydra is imported, and starts train.py."""

import sys

from headstart.config.command_line import TRAIN_PROGRAM, parse_command_line
from headstart.config.help import print_help_or_version
from headstart.process import prepare_process, run_command


def answer_or_train() -> int:
    """Answers or trains by the command line of this process; returns the exit code."""
    if print_help_or_version(parse_command_line(sys.argv[1:])):
        return 0
    from headstart.train import run_train_command

    return run_train_command()


def main() -> None:
    """The console command."""
    prepare_process()
    sys.exit(run_command(TRAIN_PROGRAM, answer_or_train))
