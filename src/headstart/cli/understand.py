"""`headstart understand`: measures a trained network and writes the explanation as a page and as JSON."""

import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from headstart.cli.run_subject import build_subject, format_display_name
from headstart.errors import HeadstartError
from headstart.file_names import expand_home, quote_for_shell
from headstart.files import write_text
from headstart.models import loading
from headstart.process import TerminationExit
from headstart.runs.checkpoint import resolve_checkpoint, run_of_checkpoint
from headstart.runs.environment import package_versions
from headstart.runs.result import iter_results
from headstart.understand.chapters import CHAPTERS, ChapterBuilder, iter_chapters, select_chapters
from headstart.understand.claims import Chapter
from headstart.understand.html import explanation_to_json, render_explanation
from headstart.understand.run_row import RunRow
from headstart.understand.simulation import render_simulation_fragment
from headstart.understand.simulation.layer_list import build_layer_list
from headstart.understand.subject import Subject

SIMULATION_CHAPTER = "receptive_field"  # the page has the simulation if it has this chapter
PAGE_STEM = "understanding"
INTERRUPTED_PAGE_STEM = "understanding.stopped"  # an interrupted page never replaces a complete one


def explain_model(
    path: str | Path,
    data: str | Path | None = None,
    only: Collection[str] = (),
    sweeps: Collection[str | Path] = (),
    out: str | Path | None = None,
    report_progress: Callable[[str], None] = lambda text: None,
    builders: Mapping[str, ChapterBuilder] = CHAPTERS,
) -> Path:
    """Measures the claims on a trained network and writes them as a page and as JSON.

    It reads no sealed test image.

    Args:
        path: a checkpoint or a run directory.
        data: a folder of images; None: those of the run.
        only: names of the requested chapters; empty: all.
        sweeps: directories of runs, for the claims that need several trainings.
        out: the folder for the page; None: the run directory, or the working directory for a checkpoint alone.
        report_progress: takes lines of progress.
        builders: of all chapters, by name.

    Returns:
        The path of the page.

    Raises:
        HeadstartError: the model, a sweep or a chapter does not exist, or there are too few images.
        KeyboardInterrupt, TerminationExit: after an interruption. ``understanding.stopped.html`` has the finished
            chapters.
    """
    names = select_chapters(only, builders)
    checkpoint = resolve_checkpoint(path)
    rows = [row for sweep in sweeps for row in _load_finished_runs(sweep)] if sweeps else None
    run = run_of_checkpoint(checkpoint)
    folder = _prepare_output_folder(expand_home(out or run or "."))
    report_progress("reading the model and its images")
    subject, cautions = build_subject(loading.load(checkpoint), format_display_name(checkpoint, run), run, data)
    command = " ".join(["headstart understand", quote_for_shell(str(path)), *_format_options(data, only, sweeps)])
    chapters: list[Chapter] = []

    def write(stem: str, notes: list[str]) -> Path:
        content = (subject.name, chapters, notes, command)
        simulation = _render_simulation(subject, chapters) if not only or SIMULATION_CHAPTER in only else ""
        write_text(folder / f"{stem}.html", render_explanation(*content, simulation))
        write_text(folder / f"{stem}.json", explanation_to_json(*content, versions=package_versions()))
        return folder / f"{stem}.html"

    try:
        for chapter in iter_chapters(replace(subject, sweep=rows), only, report_progress, builders):
            chapters.append(chapter)
    except (KeyboardInterrupt, TerminationExit):
        if chapters:
            missing = ", ".join(names[len(chapters) :])
            page = write(INTERRUPTED_PAGE_STEM, [f"Stopped early. Missing parts: {missing}.", *cautions])
            report_progress(f"stopped: the finished parts are in {page}")
        raise
    page = write(PAGE_STEM, cautions)
    if not only:  # a page of some chapters does not replace an interrupted page, which may have others
        for suffix in (".html", ".json"):
            (folder / f"{INTERRUPTED_PAGE_STEM}{suffix}").unlink(missing_ok=True)
    return page


def list_model_layers(path: str | Path) -> dict[str, Any]:
    """The layers of a model for the simulation.

    Args:
        path: a checkpoint or a run directory.

    Raises:
        HeadstartError: the model does not exist, or one of its operations is unknown.
    """
    checkpoint = resolve_checkpoint(path)
    model = loading.load(checkpoint)
    _, channels, height, width = model.normalize(torch.zeros(1, *model.spec.shape)).shape
    name = format_display_name(checkpoint, run_of_checkpoint(checkpoint))
    return build_layer_list(name, model.network, (channels, height, width))


def _prepare_output_folder(folder: Path) -> Path:
    """Creates the folder if needed and checks that it can be written, before minutes of measurement."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise HeadstartError(f"--out {folder}: {error.strerror}; name a folder that can be written") from error


def _render_simulation(subject: Subject, chapters: list[Chapter]) -> str:
    """The simulation with the network's layers, the measured sensitivity maps and the pictures."""
    try:
        layers = build_layer_list(subject.name, subject.network, subject.image_shape)
    except HeadstartError:  # the chapter on receptive fields has the reason
        layers = None
    maps = {name: weights for chapter in chapters for name, weights in chapter.sensitivity_maps.items()}
    return render_simulation_fragment(layers, maps, list(subject.pictures))


def _load_finished_runs(sweep: str | Path) -> list[RunRow]:
    results = [result for _, result in iter_results(expand_home(sweep)) if result.is_finished and not result.debug]
    rows = [RunRow.from_result(result.to_dict()) for result in results]
    if not rows:
        raise HeadstartError(
            f"--sweep {sweep}: holds no finished run; give a directory of runs, such as those in runs/"
        )
    return rows


def _format_options(data: str | Path | None, only: Collection[str], sweeps: Collection[str | Path]) -> list[str]:
    """The options of the page's command, quoted for a shell."""
    values: dict[str, list[Any]] = {"--data": [data] if data else [], "--sweep": list(sweeps), "--only": list(only)}
    return [
        word
        for option, words in values.items()
        if words
        for word in (option, *(quote_for_shell(str(w)) for w in words))
    ]
