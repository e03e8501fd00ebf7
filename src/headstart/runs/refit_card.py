"""The card of a refit, ``refit.json``: a sweep's best arm, trained once more on all labelled images. Torch-free.

A refit has no ``result.json``: nothing that counts runs can count it.
"""

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from headstart.errors import HeadstartError
from headstart.file_names import expand_home
from headstart.files import write_json
from headstart.reporting.formats import format_percent, join_with_and, pluralize
from headstart.runs.run_directory import REFIT_FILE, best_checkpoint_path


@dataclass(frozen=True)
class RefitCard:
    """What a refit is, and how accurate its arm was in the sweep.

    The accuracy is that of the sweep's runs on their sealed test images. It was not measured on the refit, which has
    seen these images.

    Args:
        status: ``begun`` or ``finished``.
        sweep: name of the sweep's folder.
        arm: name of the arm in the sweep.
        reason: why this arm was selected.
        model: name of the model's configuration.
        data: name of the data set.
        labels_per_class: budget of the sweep's runs; None: all labels outside their test part.
        metric: ``accuracy`` or ``balanced_accuracy``: what the verdict compares, and ``accuracy`` below is.
        accuracy: mean over the sweep's runs of the arm, of 1.
        low: lower end of the interval of ``accuracy``.
        high: its upper end.
        confidence: of the interval, of 1.
        spread: standard deviation of the accuracy over the seeds, of 1; None for one seed.
        seeds: of the sweep's runs.
        folds: number of parts in which the images were tested; 1: one split.
        test_images: number of test images of the sweep.
        images: number of images that the refit was trained on.
        classes: names of the classes; the label is the position.
        seed: of the refit's random streams.
        epochs: number of epochs that the refit was trained.
        schedule_epochs: length of the learning rate's schedule, as in the sweep.
        settings: the arm's settings by dotted key, as in the sweep.
        starts: origin of each set of starting weights, by the model's argument.
        run: the sweep's run that has the settings.
        run_command: command line that repeats that run.
        command: command line that repeats the refit.
        identity: SHA-256 of everything that the refit's weights depend on.
        started: start of the training, ISO 8601 in UTC.
        seconds: duration of the training (s); None until it ends.
        skipped: files that could not be read, and images under two labels, with the reason.
        versions: versions of the packages that compute.
        hardware: machine, device and precision.

    Example:
        >>> read_finished_refit(Path("runs/compare-digits-1a2b3c4d/refit-frozen-5e6f7a8b")).sweep  # doctest: +SKIP
        'compare-digits-1a2b3c4d'
    """

    status: str
    sweep: str
    arm: str
    reason: str
    model: str
    data: str
    labels_per_class: int | None
    metric: str
    accuracy: float
    low: float
    high: float
    confidence: float
    spread: float | None
    seeds: tuple[int, ...]
    folds: int
    test_images: int
    images: int
    classes: tuple[str, ...]
    seed: int
    epochs: int
    schedule_epochs: int
    settings: dict[str, Any]
    starts: dict[str, Any]
    run: str
    run_command: str
    command: str
    identity: str
    started: str = ""
    seconds: float | None = None
    skipped: list[dict[str, str]] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    hardware: dict[str, Any] = field(default_factory=dict)

    @property
    def is_finished(self) -> bool:
        return self.status == "finished"

    def describe(self) -> str:
        """The sweep's figure in a sentence, and that it was not measured on this model."""
        spread = "" if self.spread is None else f" ± {format_percent(self.spread)}"
        budget = "all labels" if self.labels_per_class is None else f"{self.labels_per_class} labels per class"
        seeds = f"seed{'s' if len(self.seeds) > 1 else ''} {join_with_and([str(seed) for seed in self.seeds])}"
        folds = f" in {self.folds} folds" if self.folds > 1 else ""
        return (
            f"{self.arm} on {self.data}: {format_percent(self.accuracy)}{spread} % {self.metric.replace('_', ' ')} on "
            f"{pluralize(self.test_images, 'test image')}{folds} ({100 * self.confidence:.3g} % interval "
            f"{format_percent(self.low)} to {format_percent(self.high)}; {budget}, {seeds}) in the sweep {self.sweep}; "
            f"not measured on this model, which has seen all {self.images:,} images"
        )

    def to_dict(self) -> dict[str, Any]:
        """The keys of ``refit.json``."""
        return {"note": self.describe()} | {item.name: getattr(self, item.name) for item in fields(self)}


def write_refit_card(directory: Path, card: RefitCard) -> None:
    """Writes ``refit.json`` as a whole."""
    write_json(directory / REFIT_FILE, card.to_dict())


def read_refit_card(directory: Path) -> RefitCard | None:
    """Reads the card of a refit; None where there is none.

    Raises:
        HeadstartError: the file cannot be read.
    """
    path = directory / REFIT_FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        values.pop("note", None)
        return RefitCard(**(values | {name: tuple(values[name]) for name in ("seeds", "classes")}))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise HeadstartError(
            f"{path}: not the card of a refit ({type(error).__name__}); remove the folder, then give headstart refit"
        ) from error


def read_finished_refit(directory: Path) -> RefitCard | None:
    """Reads the card of a finished refit; None for any other folder. See :func:`read_refit_card`."""
    card = read_refit_card(directory)
    return card if card and card.is_finished else None


def find_refit_card(model: str | Path) -> RefitCard | None:
    """Finds the card of a model; None where it is no refit, or a checkpoint outside of its folder.

    Args:
        model: a checkpoint or the folder that holds it.
    """
    folder = find_refit_folder(model)
    return read_refit_card(folder) if folder else None


def find_refit_folder(model: str | Path) -> Path | None:
    """Finds the folder of a refit, from itself or from its checkpoint; None for any other path."""
    path = expand_home(model)
    folder = path if path.is_dir() else path.absolute().parent.parent
    is_inside = path == folder or path.absolute() == best_checkpoint_path(folder)
    return folder if is_inside and (folder / REFIT_FILE).is_file() else None
