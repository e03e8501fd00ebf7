"""Reads and writes the result of a run, ``result.json``. Torch-free."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from headstart.errors import HeadstartError
from headstart.files import write_json
from headstart.runs.arm_run import ArmRun
from headstart.runs.run_directory import RESULT_FILE


@dataclass
class RunResult(ArmRun):
    """The result of a run that finished or failed.

    A failed run has its settings and its error; what training and testing measure is empty there.

    Args:
        status: ``finished`` or ``failed``.
        model: name of the model's configuration; ``result.json`` has it as ``arm``, too.
        data: name of the data set.
        seed: of all random streams.
        labels_per_class: budget; None: all labels.
        fold: number of the test fold, from 0.
        folds: number of folds; None: one split.
        settings: the arm's settings by dotted key.
        compare: the comparison that was declared before training, the keys of ``compare`` in ``conf/train.yaml``.
        started: start of the run, ISO 8601 in UTC.
        command: command line that repeats the run.
        identity: SHA-256 of everything that the outcome depends on.
        debug: why the run counts in no verdict, such as ``trainer.fast_dev_run=true``; None for a real run.
        error: why the run failed, in one line.
        starts: origin of each set of starting weights, by the model's argument.
        classes: names of the classes; the label is the position.
        depth: how pixel values of more than 8 bits were read; None: no image has them.
        metrics: test metrics and the validation metrics of the chosen epoch, by logged name.
        test_reads: how often each test image was read.
        training: ``loss`` on the training images and ``label_entropy``, the loss of guessing by class frequency.
        epoch: chosen epoch, from 0.
        epochs: number of trained epochs.
        trials: settings and seconds of each tuning trial.
        skipped: unreadable files with the reason.
        ignored: what the layout of the images leaves out.
        cost: ``seconds`` and ``seconds_in_all`` (s), ``parameters``, ``trainable_parameters``, ``flops`` (of one image,
            forward), ``peak_memory_bytes``.
        versions: versions of the packages that compute.
        hardware: machine, device and precision.
        extra: further keys of the file.

    Example:
        >>> result = RunResult(status="failed", model="frozen", data="digits", seed=0, error="the loss is NaN")
        >>> RunResult.from_dict(result.to_dict()) == result
        True
    """

    status: str
    model: str
    data: str
    seed: int
    labels_per_class: int | None = None
    fold: int = 0
    folds: int | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    compare: dict[str, Any] = field(default_factory=dict)
    started: str = ""
    command: str = ""
    identity: str = ""
    debug: str | None = None
    error: str | None = None
    starts: dict[str, Any] = field(default_factory=dict)
    classes: list[str] = field(default_factory=list)
    depth: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    test_reads: int | None = None
    training: dict[str, float] = field(default_factory=dict)
    epoch: int | None = None
    epochs: int | None = None
    trials: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    ignored: Any = None
    cost: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    hardware: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def is_finished(self) -> bool:
        return self.status == "finished"

    @property
    def is_failed(self) -> bool:
        return self.status == "failed"

    def to_dict(self) -> dict[str, Any]:
        """The keys of ``result.json``."""
        named = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "extra"}
        return {"status": self.status, "model": self.model, "arm": self.model} | named | self.extra

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "RunResult":
        """Builds a result from the keys of ``result.json``; further keys go to ``extra``.

        Raises:
            ValueError: a key is missing, or a value has another type.
        """
        names = {item.name for item in fields(cls)} - {"extra"}
        for name in ("status", "model", "data", "seed"):
            if not isinstance(values, dict) or name not in values:
                raise ValueError(f"{name} is missing")
        result = cls(
            **{name: value for name, value in values.items() if name in names},
            extra={name: value for name, value in values.items() if name not in names | {"arm"}},
        )
        kinds = {"model": str, "data": str, "seed": int, "settings": dict, "metrics": dict, "cost": dict}
        for name, kind in kinds.items():
            if not isinstance(getattr(result, name), kind):
                raise ValueError(f"{name}: {getattr(result, name)!r} is no {kind.__name__}")
        if not (result.is_failed or (result.is_finished and result.metrics)):
            raise ValueError(f"status {result.status!r} without metrics")
        return result


def read_result(directory: Path, identity: str | None = None) -> RunResult | None:
    """Reads the result of a run; None where there is no result, or no whole one.

    Args:
        directory: the run directory.
        identity: expected identity; None: any.

    Raises:
        HeadstartError: the directory holds the result of another finished run.
    """
    try:
        result = RunResult.from_dict(json.loads((directory / RESULT_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError):
        return None
    if identity is not None and result.is_finished and result.identity != identity:
        other = f"{result.identity[:8]}, not {identity[:8]}"
        raise HeadstartError(f"{directory} holds another run ({other}); give another directory, or none")
    return result


def read_finished_result(directory: Path, identity: str | None = None) -> RunResult | None:
    """Reads the result of a finished run; None for any other run. See :func:`read_result`."""
    result = read_result(directory, identity)
    return result if result and result.is_finished else None


def write_result(directory: Path, result: RunResult) -> None:
    """Writes ``result.json`` as a whole. A run is complete from then on: write it last."""
    write_json(directory / RESULT_FILE, result.to_dict())


def iter_results(directory: Path) -> Iterator[tuple[Path, RunResult]]:
    """Yields each run directory below ``directory`` (itself included) with its result, sorted by path."""
    for path in sorted(directory.rglob(RESULT_FILE)):
        if result := read_result(path.parent):
            yield path.parent, result


def delete_failed_result(directory: Path) -> None:
    """Deletes the result of a failed run, so that it is trained again."""
    if (result := read_result(directory)) and result.is_failed:
        (directory / RESULT_FILE).unlink()
