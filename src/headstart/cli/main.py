"""Entry point of `headstart`: parses the command line and calls the command's function."""

import argparse
import sys
from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from headstart.errors import HeadstartError
from headstart.file_names import expand_home
from headstart.process import prepare_process, raise_on_sigterm, run_command
from headstart.version import __version__

CLI_PROGRAM = "headstart"
REFIT_RESUME_HINT = "; the same command starts at the last resume point, or anew"
EXIT_USAGE = 2  # exit code for wrong usage


def main() -> None:
    prepare_process()
    sys.exit(run_cli(sys.argv[1:]))


def run_cli(argv: list[str]) -> int:
    """Runs a command line. Returns the exit code: 0, or 1 for a failure; wrong usage exits with 2."""
    parser, commands = _build_parser()
    if argv and not argv[0].startswith("-") and argv[0] not in commands:
        matches = get_close_matches(argv[0], commands, n=1)
        hint = f"did you mean '{matches[0]}'?" if matches else f"the commands are {', '.join(commands)}"
        parser.error(f"no command '{argv[0]}'; {hint}")
    args = parser.parse_args(argv)

    def call_command() -> int:
        with raise_on_sigterm():
            return _import_and_call(commands[args.command], args)

    resume_hint = REFIT_RESUME_HINT if args.command == "refit" else ""
    return run_command(CLI_PROGRAM, call_command, resume_hint)


def _import_and_call(command: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Imports the modules of ``--import``, so that checkpoints of their classes load, then calls the command."""
    for module in getattr(args, "modules", ()):
        try:
            import_module(module)
        except ImportError as error:
            raise HeadstartError(
                f"--import {module}: {error}; name a module, and its folder in PYTHONPATH=FOLDER before the command"
            ) from error
    return command(args)


def run_predict(args: argparse.Namespace) -> int:
    """Prints the predicted class of each image. Every visible file in a folder counts as an image; a file that cannot
    be read is a row with the reason. The exit code is 0, or 1 if a file could not be read."""
    from headstart.cli.predict import predict_and_print

    return predict_and_print(args.model, args.images, args.batch_size, args.json)


def run_report(args: argparse.Namespace) -> int:
    """Prints the report of one or more sweeps and writes it as HTML, JSON and CSV. Reads only the run directories."""
    from headstart.compare.inference.analysis import analyze_sweep
    from headstart.compare.report.terminal import print_analysis, print_conclusions

    if len(args.sweeps) > 1 and args.out is None:
        raise HeadstartError("several sweeps make one report: give its folder by --out")
    analysis = analyze_sweep(*args.sweeps)
    print_analysis(analysis)
    from headstart.compare.report.content import write_report

    print(f"report: {write_report(args.out or args.sweeps[0], analysis)}")
    print_conclusions(analysis, args.sweeps[0] if len(args.sweeps) == 1 else None)
    return 0


def run_best(args: argparse.Namespace) -> int:
    """Prints the path of the best arm's checkpoint; the reason goes to the error stream."""
    from headstart.compare.best_checkpoint import find_best_checkpoint
    from headstart.reporting.console import print_path

    choice = find_best_checkpoint(args.sweep)
    print(choice.reason, file=sys.stderr)
    if choice.refit_command:
        print(f"{choice.refit_command} trains this arm on all images", file=sys.stderr)
    print_path(choice.path)
    return 0


def run_refit(args: argparse.Namespace) -> int:
    """Trains the best arm of a finished sweep on all labelled images, those of its test part included, for use; prints
    its folder. The sweep's figure, which was not measured on this model, goes to the error stream."""
    from headstart.cli.refit import refit_and_print

    return refit_and_print(args.sweep, args.out, args.modules)


def run_audit(args: argparse.Namespace) -> int:
    """Finds problems of an image folder: unreadable files, copies, classes, sizes."""
    from headstart.cli.audit import audit_and_print

    return audit_and_print(args.folder, args.json)


def run_cache(args: argparse.Namespace) -> int:
    """Lists or deletes what is kept to compute nothing twice: decoded images, and features of frozen networks."""
    from headstart.cli.cache import clear_caches, list_caches

    return clear_caches() if args.action == "clear" else list_caches()


def run_understand(args: argparse.Namespace) -> int:
    """Measures claims about convolutional networks on a trained network and writes the results as HTML and JSON."""
    if args.simulation:
        return _write_simulation(expand_home(args.simulation), args.model)
    if not args.model:
        raise HeadstartError("give a run directory or a checkpoint; only --simulation FILE needs none")
    from headstart.runs.checkpoint import resolve_checkpoint

    resolve_checkpoint(args.model)  # before the seconds that torch takes
    from headstart.cli.understand import explain_model

    page = explain_model(args.model, args.data, args.only, args.sweep, args.out, _print_status)
    print(f"understanding: {page}")
    return 0


def _write_simulation(page: Path, model: str | None) -> int:
    from headstart.files import write_text
    from headstart.runs.checkpoint import resolve_checkpoint
    from headstart.understand.simulation import render_simulation

    layers = None
    if model:
        resolve_checkpoint(model)
        from headstart.cli.understand import list_model_layers

        layers = list_model_layers(model)
    write_text(page, render_simulation(layers))
    print(f"simulation: {page}")
    return 0


def _print_status(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def run_export(args: argparse.Namespace) -> int:
    """Writes a model's backbone to a file for ``backbone.weights=FILE``."""
    from headstart.backbones.export import export_backbone
    from headstart.runs.refit_card import find_refit_card

    path = export_backbone(args.model, args.out, args.terms)
    if card := find_refit_card(args.model):
        _print_status(card.describe())
    print(path)
    return 0


class _ArgumentParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"{CLI_PROGRAM}: {message}; {self.prog} --help shows how\n")


def _build_parser() -> tuple[_ArgumentParser, dict[str, Callable[[argparse.Namespace], int]]]:
    parser = _ArgumentParser(
        CLI_PROGRAM, description="Uses trained models and compares runs. headstart-train trains them."
    )
    parser.add_argument("--version", action="version", version=f"{CLI_PROGRAM} {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = commands.add_parser("predict", help="predict the class of each image", description=run_predict.__doc__)
    command.add_argument("model", metavar="CKPT_OR_RUN", help="a checkpoint or a run directory")
    command.add_argument("images", nargs="+", metavar="IMAGE", help="image files, folders of them, or patterns")
    command.add_argument("--json", action="store_true", help="print all probabilities as JSON")
    command.add_argument(
        "--batch-size", type=_parse_count, default=64, metavar="N", help="number of images at a time (64)"
    )

    command = commands.add_parser("report", help="report the results of sweeps", description=run_report.__doc__)
    command.add_argument("sweeps", nargs="+", metavar="SWEEP", help="directories of runs, such as those in runs/")
    command.add_argument("--out", metavar="FOLDER", help="folder for report.html, .json and .csv (the sweep)")

    command = commands.add_parser("best", help="print a sweep's best checkpoint", description=run_best.__doc__)
    command.add_argument("sweep", metavar="SWEEP", help="a directory of runs, such as those in runs/")

    command = commands.add_parser("refit", help="train a sweep's best arm on all images", description=run_refit.__doc__)
    command.add_argument("sweep", metavar="SWEEP", help="the directory of a finished sweep")
    command.add_argument("--out", metavar="FOLDER", help="folder for the model (a new one in the sweep)")

    command = commands.add_parser("audit", help="find problems of an image folder", description=run_audit.__doc__)
    command.add_argument("folder", metavar="PATH", help="PATH/<class>/* or PATH/{train,val,test}/<class>/*")
    command.add_argument("--json", action="store_true", help="print all findings as JSON")

    command = commands.add_parser(
        "cache", help="list or delete cached images and features", description=run_cache.__doc__
    )
    command.add_argument("action", choices=["list", "clear"], help="what to do")

    command = commands.add_parser(
        "understand", help="measure what a network has learned", description=run_understand.__doc__
    )
    command.add_argument("model", nargs="?", metavar="RUN_OR_CKPT", help="a run directory or a checkpoint")
    command.add_argument("--data", metavar="PATH", help="a folder of images to measure on (the run's images)")
    command.add_argument("--only", nargs="+", default=[], metavar="PART", help="chapters to measure (all)")
    command.add_argument(
        "--sweep", nargs="+", default=[], metavar="SWEEP", help="runs for the claims that need several"
    )
    command.add_argument(
        "--simulation", metavar="FILE", help="write only the simulation of receptive fields, to this file"
    )
    command.add_argument("--out", metavar="FOLDER", help="folder for understanding.html and .json (the run)")

    command = commands.add_parser("export", help="write a model's backbone to a file", description=run_export.__doc__)
    command.add_argument("model", metavar="CKPT_OR_RUN", help="a checkpoint or a run directory")
    command.add_argument("--format", required=True, choices=["backbone"], help="what to write")
    command.add_argument(
        "--out", default="backbone.safetensors", metavar="FILE", help="the file (backbone.safetensors)"
    )
    command.add_argument(
        "--terms", default="", metavar="TEXT", help="terms of use of the training images, for the model card"
    )
    for name in ("predict", "refit", "understand", "export"):
        commands.choices[name].add_argument(
            "--import", action="append", default=[], dest="modules", metavar="MODULE",
            help="module of your own model; a file never chooses what is imported",
        )  # fmt: skip
    return parser, {
        "predict": run_predict,
        "report": run_report,
        "best": run_best,
        "refit": run_refit,
        "audit": run_audit,
        "cache": run_cache,
        "understand": run_understand,
        "export": run_export,
    }


def _parse_count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of images; give 1 or more")
    return int(text)
