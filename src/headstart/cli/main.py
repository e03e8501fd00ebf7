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
from headstart.process import prepare_process, terminable, told
from headstart.version import __version__

PROGRAM = "headstart"
USAGE = 2  # the exit code of a command that was typed wrongly


def main() -> None:
    prepare_process()
    sys.exit(run(sys.argv[1:]))


def run(argv: list[str]) -> int:
    """Does what the command line says. The exit code: 0, 1 for a failure, 2 for wrong usage."""
    parser, commands = _parser()
    if argv and not argv[0].startswith("-") and argv[0] not in commands:
        near = get_close_matches(argv[0], commands, n=1)
        mend = f"did you mean '{near[0]}'?" if near else f"the commands are {', '.join(commands)}"
        parser.error(f"no command '{argv[0]}'; {mend}")
    args = parser.parse_args(argv)

    def work() -> int:
        with terminable():
            return _import_and_call(commands[args.command], args)

    return told(PROGRAM, work, again="")


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


def predict(args: argparse.Namespace) -> int:
    """Prints the class of each image. Every visible file in a folder counts as an image; one that cannot be read is a
    row with the reason. The exit code is 0 where all files were answered, 1 where some could not be read."""
    from headstart.cli.file_prediction import list_images, predict_files
    from headstart.data.ignored import describe_ignored, group_ignored
    from headstart.reporting.console import harmless

    images = list_images(args.images)
    import headstart

    model = headstart.load(args.model)
    if images.ignored:
        _told(harmless(f"passed over: {describe_ignored(group_ignored(images.ignored))}"))
    rows = predict_files(model.predict, images, args.batch_size)
    if args.json:
        print(json.dumps(rows, indent=1))  # in ASCII: a name may hold what a terminal cannot show or obeys
    else:
        _print_predictions(rows)
    errors = sum("error" in row for row in rows)
    if errors:
        _told(f"{errors:,} of {len(rows):,} file{'s' if len(rows) > 1 else ''} could not be read")
    return int(errors > 0)


def _print_predictions(rows: list[dict[str, Any]]) -> None:
    from headstart.reporting.console import print_table

    errors = any("error" in row for row in rows)
    cells = [
        [row["image"], row.get("class", ""), f"{row['probability']:.3f}" if "class" in row else ""]
        + [row.get("error", "")] * errors
        for row in rows
    ]
    print_table(["image", "class", "probability", *["error"] * errors], cells, numbers=["probability"])


def report(args: argparse.Namespace) -> int:
    """Prints what sweeps say, from their files alone, and writes it as a page, as JSON and as CSV."""
    from headstart.compare.inference.analysis import judged
    from headstart.compare.report.terminal import show

    if len(args.sweeps) > 1 and args.out is None:
        raise HeadstartError("several sweeps make one report: name the folder for it by --out")
    told = judged(*args.sweeps)
    show(told)
    from headstart.compare.report.content import write

    print(f"report: {write(args.out or args.sweeps[0], told)}")
    return 0


def best(args: argparse.Namespace) -> int:
    """Prints the checkpoint that a sweep's verdict speaks for; why, on the error stream."""
    from headstart.compare.best_checkpoint import best
    from headstart.reporting.console import print_path

    choice = best(args.sweep)
    print(choice.why, file=sys.stderr)
    print_path(choice.checkpoint)
    return 0


def audit(args: argparse.Namespace) -> int:
    """Tells what may be wrong with a folder of images: unreadable files, copies, classes, sizes."""
    from headstart.data.audit.audit import EXAMPLES
    from headstart.data.audit.audit import audit as look_through
    from headstart.data.audit.kinds import KINDS
    from headstart.reporting.console import harmless, print_table

    found = look_through(args.folder)
    if args.json:
        print(json.dumps(found.to_dict(), indent=1))  # in ASCII, as above
        return 0
    filled = sum(any(parts.values()) for parts in found.classes.values())
    print(f"{harmless(found.name)}: {found.images:,} images of {filled:,} classes")
    if found.depth:
        print(found.depth)
    if not found.findings:
        print("nothing to mend was found")
        return 0
    counts = [(kind, f"{count:,}", KINDS[kind]) for kind, count in found.counts.items()]
    print_table(["kind", "found", "what"], counts, numbers=["found"])
    if found.alike["pairs"]:
        print(f"\n{found.how_sure}")
    print()
    rows = []
    for kind, count in found.counts.items():
        for finding in found.of(kind)[:EXAMPLES]:
            first, *others = finding.paths[:EXAMPLES]
            rows += [(kind, first, finding.text), *(("", path, "") for path in others)]
        if count > EXAMPLES:
            rows.append(("", f"and {count - EXAMPLES:,} more; --json names all", ""))
    print_table(["kind", "path", "what was found"], rows)
    return 0


def understand(args: argparse.Namespace) -> int:
    """Measures what the lesson says of convolutional networks on a trained one, and writes it as a page."""
    if args.simulation:
        return _simulated(expand_home(args.simulation), args.model)
    if not args.model:
        raise HeadstartError("name a run's directory or a checkpoint; only --simulation FILE does without")
    from headstart.runs import run_directory

    run_directory.checkpoint(args.model)  # before the seconds that torch takes
    from headstart.cli.understand import understand

    page = understand(args.model, args.data, args.only, args.sweep, args.out, _told)
    print(f"understanding: {page}")
    return 0


def _simulated(page: Path, model: str | None) -> int:
    from headstart.runs import run_directory
    from headstart.understand.simulation import simulation

    own = None
    if model:
        run_directory.checkpoint(model)
        from headstart.cli.understand import layers_of

        own = layers_of(model)
    run_directory.write_text(page, simulation(own))
    print(f"simulation: {page}")
    return 0


def _told(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def export(args: argparse.Namespace) -> int:
    """Writes a model's backbone to a file that ``backbone.weights=FILE`` reads."""
    from headstart.backbones import model_card

    print(model_card.export(args.model, args.out, args.terms))
    return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{PROGRAM}: {message}; {self.prog} --help shows how\n")


def _parser() -> tuple[_Parser, dict[str, Callable[[argparse.Namespace], int]]]:
    parser = _Parser(PROGRAM, description="What one does with trained runs; headstart-train makes them.")
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = commands.add_parser("predict", help="the class of each image", description=predict.__doc__)
    command.add_argument("model", metavar="CKPT_OR_RUN", help="a checkpoint, or a run's directory")
    command.add_argument("images", nargs="+", metavar="IMAGE", help="image files, folders of them, or patterns")
    command.add_argument("--json", action="store_true", help="all probabilities, as JSON")
    command.add_argument("--batch-size", type=_count, default=64, metavar="N", help="images at a time (64)")

    command = commands.add_parser("report", help="what sweeps say, as a page too", description=report.__doc__)
    command.add_argument("sweeps", nargs="+", metavar="SWEEP", help="directories of runs, such as those in runs/")
    command.add_argument("--out", metavar="FOLDER", help="where report.html, .json and .csv go (the sweep itself)")

    command = commands.add_parser("best", help="a sweep's best checkpoint", description=best.__doc__)
    command.add_argument("sweep", metavar="SWEEP", help="a directory of runs, such as those in runs/")

    command = commands.add_parser("audit", help="what is wrong with a folder of images", description=audit.__doc__)
    command.add_argument("folder", metavar="PATH", help="PATH/<class>/* or PATH/{train,val,test}/<class>/*")
    command.add_argument("--json", action="store_true", help="all of it, as JSON")

    command = commands.add_parser("understand", help="what a network sees, as a page", description=understand.__doc__)
    command.add_argument("model", nargs="?", metavar="RUN_OR_CKPT", help="a run's directory, or a checkpoint")
    command.add_argument("--data", metavar="PATH", help="a folder of images to look at (those of the run)")
    command.add_argument("--only", nargs="+", default=[], metavar="PART", help="parts of it (all)")
    command.add_argument("--sweep", nargs="+", default=[], metavar="SWEEP", help="runs that tell what takes many")
    command.add_argument("--simulation", metavar="FILE", help="only the simulation of receptive fields, to this file")
    command.add_argument("--out", metavar="FOLDER", help="where understanding.html and .json go (the run itself)")

    command = commands.add_parser("export", help="a model's backbone as a file", description=export.__doc__)
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
        "predict": predict,
        "report": report,
        "best": best,
        "audit": audit,
        "understand": understand,
        "export": export,
    }


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of images; give 1 or more")
    return int(text)
