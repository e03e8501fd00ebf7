"""`headstart`: what one does with runs once they are there; a thin function for each command."""

import argparse
import json
import sys
from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from headstart.errors import HeadstartError
from headstart.file_names import expand_home
from headstart.process import prepare_process, raise_on_sigterm, run_command
from headstart.version import __version__

CLI_PROGRAM = "headstart"
EXIT_USAGE = 2  # the exit code of a command that was typed wrongly


def main() -> None:
    prepare_process()
    sys.exit(run_cli(sys.argv[1:]))


def run_cli(argv: list[str]) -> int:
    """Does what the command line says. The exit code: 0, 1 for a failure, 2 for wrong usage."""
    parser, commands = _build_parser()
    if argv and not argv[0].startswith("-") and argv[0] not in commands:
        near = get_close_matches(argv[0], commands, n=1)
        mend = f"did you mean '{near[0]}'?" if near else f"the commands are {', '.join(commands)}"
        parser.error(f"no command '{argv[0]}'; {mend}")
    args = parser.parse_args(argv)

    def work() -> int:
        with raise_on_sigterm():
            return _import_and_call(commands[args.command], args)

    return run_command(CLI_PROGRAM, work, resume_hint="")


def _import_and_call(command: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    """Imports what ``--import`` names, so that checkpoints of its classes load, and does what the command says."""
    for module in getattr(args, "modules", ()):
        try:
            import_module(module)
        except ImportError as error:
            raise HeadstartError(
                f"--import {module}: {error}; name a module, and its folder in PYTHONPATH=FOLDER before the command"
            ) from error
    return command(args)


def run_predict(args: argparse.Namespace) -> int:
    """Prints the class of each image. Every visible file in a folder counts as an image; one that cannot be read is a
    row with the reason. The exit code is 0 where all files were answered, 1 where some could not be read."""
    from headstart.cli.file_prediction import list_images, predict_files
    from headstart.data.ignored import describe_ignored, group_ignored
    from headstart.reporting.console import escape_control_characters

    images = list_images(args.images)
    import headstart

    model = headstart.load(args.model)
    if images.ignored:
        _print_status(escape_control_characters(f"passed over: {describe_ignored(group_ignored(images.ignored))}"))
    rows = predict_files(model.predict, images, args.batch_size)
    if args.json:
        print(json.dumps(rows, indent=1))  # in ASCII: a name may hold what a terminal cannot show or obeys
    else:
        _print_predictions(rows)
    errors = sum("error" in row for row in rows)
    if errors:
        _print_status(f"{errors:,} of {len(rows):,} file{'s' if len(rows) > 1 else ''} could not be read")
    return int(errors > 0)


def _print_predictions(rows: list[dict[str, Any]]) -> None:
    from headstart.reporting.console import print_table

    errors = any("error" in row for row in rows)
    cells = [
        [row["image"], row.get("class", ""), f"{row['probability']:.3f}" if "class" in row else ""]
        + [row.get("error", "")] * errors
        for row in rows
    ]
    print_table(["image", "class", "probability", *["error"] * errors], cells, right_aligned=["probability"])


def run_report(args: argparse.Namespace) -> int:
    """Prints what sweeps say, from their files alone, and writes it as a page, as JSON and as CSV."""
    from headstart.compare.inference.analysis import analyze_sweep
    from headstart.compare.report.terminal import print_analysis

    if len(args.sweeps) > 1 and args.out is None:
        raise HeadstartError("several sweeps make one report: name the folder for it by --out")
    told = analyze_sweep(*args.sweeps)
    print_analysis(told)
    from headstart.compare.report.content import write_report

    print(f"report: {write_report(args.out or args.sweeps[0], told)}")
    return 0


def run_best(args: argparse.Namespace) -> int:
    """Prints the checkpoint that a sweep's verdict speaks for; why, on the error stream."""
    from headstart.compare.best_checkpoint import find_best_checkpoint
    from headstart.reporting.console import print_path

    choice = find_best_checkpoint(args.sweep)
    print(choice.reason, file=sys.stderr)
    print_path(choice.path)
    return 0


def run_audit(args: argparse.Namespace) -> int:
    """Tells what may be wrong with a folder of images: unreadable files, copies, classes, sizes."""
    from headstart.data.audit.audit import MAX_EXAMPLES
    from headstart.data.audit.audit import audit_folder as look_through
    from headstart.reporting.console import escape_control_characters, print_table
    from headstart.reporting.finding_kinds import FINDING_KINDS

    found = look_through(args.folder)
    if args.json:
        print(json.dumps(found.to_dict(), indent=1))  # in ASCII, as above
        return 0
    filled = sum(any(parts.values()) for parts in found.classes.values())
    print(f"{escape_control_characters(found.name)}: {found.images:,} images of {filled:,} classes")
    if found.depth:
        print(found.depth)
    if not found.findings:
        print("nothing to mend was found")
        return 0
    counts = [(kind, f"{count:,}", FINDING_KINDS[kind]) for kind, count in found.counts.items()]
    print_table(["kind", "found", "what"], counts, right_aligned=["found"])
    if found.pair_counts["pairs"]:
        print(f"\n{found.pairs_summary}")
    print()
    rows = []
    for kind, count in found.counts.items():
        for finding in found.findings_of(kind)[:MAX_EXAMPLES]:
            first, *others = finding.paths[:MAX_EXAMPLES]
            rows += [(kind, first, finding.text), *(("", path, "") for path in others)]
        if count > MAX_EXAMPLES:
            rows.append(("", f"and {count - MAX_EXAMPLES:,} more; --json names all", ""))
    print_table(["kind", "path", "what was found"], rows)
    return 0


def run_understand(args: argparse.Namespace) -> int:
    """Measures what the lesson says of convolutional networks on a trained one, and writes it as a page."""
    if args.simulation:
        return _write_simulation(expand_home(args.simulation), args.model)
    if not args.model:
        raise HeadstartError("name a run's directory or a checkpoint; only --simulation FILE does without")
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

    own = None
    if model:
        resolve_checkpoint(model)
        from headstart.cli.understand import list_model_layers

        own = list_model_layers(model)
    write_text(page, render_simulation(own))
    print(f"simulation: {page}")
    return 0


def _print_status(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def run_export(args: argparse.Namespace) -> int:
    """Writes a model's backbone to a file that ``backbone.weights=FILE`` reads."""
    from headstart.backbones import model_card

    print(model_card.export_backbone(args.model, args.out, args.terms))
    return 0


class _ArgumentParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"{CLI_PROGRAM}: {message}; {self.prog} --help shows how\n")


def _build_parser() -> tuple[_ArgumentParser, dict[str, Callable[[argparse.Namespace], int]]]:
    parser = _ArgumentParser(CLI_PROGRAM, description="What one does with trained runs; headstart-train makes them.")
    parser.add_argument("--version", action="version", version=f"{CLI_PROGRAM} {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = commands.add_parser("predict", help="the class of each image", description=run_predict.__doc__)
    command.add_argument("model", metavar="CKPT_OR_RUN", help="a checkpoint, or a run's directory")
    command.add_argument("images", nargs="+", metavar="IMAGE", help="image files, folders of them, or patterns")
    command.add_argument("--json", action="store_true", help="all probabilities, as JSON")
    command.add_argument("--batch-size", type=_parse_count, default=64, metavar="N", help="images at a time (64)")

    command = commands.add_parser("report", help="what sweeps say, as a page too", description=run_report.__doc__)
    command.add_argument("sweeps", nargs="+", metavar="SWEEP", help="directories of runs, such as those in runs/")
    command.add_argument("--out", metavar="FOLDER", help="where report.html, .json and .csv go (the sweep itself)")

    command = commands.add_parser("best", help="a sweep's best checkpoint", description=run_best.__doc__)
    command.add_argument("sweep", metavar="SWEEP", help="a directory of runs, such as those in runs/")

    command = commands.add_parser("audit", help="what is wrong with a folder of images", description=run_audit.__doc__)
    command.add_argument("folder", metavar="PATH", help="PATH/<class>/* or PATH/{train,val,test}/<class>/*")
    command.add_argument("--json", action="store_true", help="all of it, as JSON")

    command = commands.add_parser(
        "understand", help="what a network sees, as a page", description=run_understand.__doc__
    )
    command.add_argument("model", nargs="?", metavar="RUN_OR_CKPT", help="a run's directory, or a checkpoint")
    command.add_argument("--data", metavar="PATH", help="a folder of images to look at (those of the run)")
    command.add_argument("--only", nargs="+", default=[], metavar="PART", help="parts of it (all)")
    command.add_argument("--sweep", nargs="+", default=[], metavar="SWEEP", help="runs that tell what takes many")
    command.add_argument("--simulation", metavar="FILE", help="only the simulation of receptive fields, to this file")
    command.add_argument("--out", metavar="FOLDER", help="where understanding.html and .json go (the run itself)")

    command = commands.add_parser("export", help="a model's backbone as a file", description=run_export.__doc__)
    command.add_argument("model", metavar="CKPT_OR_RUN", help="a checkpoint, or a run's directory")
    command.add_argument("--format", required=True, choices=["backbone"], help="what to write")
    command.add_argument("--out", default="backbone.safetensors", metavar="FILE", help="where (backbone.safetensors)")
    command.add_argument("--terms", default="", metavar="TEXT", help="terms of the training images, for the card")
    for name in ("predict", "understand", "export"):
        commands.choices[name].add_argument(
            "--import", action="append", default=[], dest="modules", metavar="MODULE",
            help="where a model of your own is defined; a checkpoint alone never chooses what is imported",
        )  # fmt: skip
    return parser, {
        "predict": run_predict,
        "report": run_report,
        "best": run_best,
        "audit": run_audit,
        "understand": run_understand,
        "export": run_export,
    }


def _parse_count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of images; give 1 or more")
    return int(text)
