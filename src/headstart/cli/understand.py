"""`headstart understand`: from a run to the page that explains its network. It reads from top to bottom."""

import tempfile
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from headstart.backbones import resolve
from headstart.config.identity import build_source
from headstart.constructors import constructor_arguments
from headstart.data import ImageFolder
from headstart.errors import HeadstartError
from headstart.file_names import encode_name, expand_home, quote_for_shell
from headstart.files import write_text
from headstart.models import Classifier, loading
from headstart.models.partial_transfer import PartialTransfer
from headstart.models.pretrained_classifier import PretrainedClassifier
from headstart.process import TerminationExit
from headstart.runs import run_directory
from headstart.runs.checkpoint import resolve_checkpoint, run_of_checkpoint
from headstart.runs.environment import package_versions
from headstart.runs.result import iter_results, read_finished_result
from headstart.seeding import derive_key
from headstart.understand.claims import Chapter
from headstart.understand.html import explanation_to_json, render_explanation
from headstart.understand.run_chapters import iter_chapters, select_chapters
from headstart.understand.simulation import render_simulation_fragment
from headstart.understand.simulation.layer_list import build_layer_list
from headstart.understand.subject import Subject

MAX_TRAINING_IMAGES, MAX_NEW_IMAGES = (
    128,
    256,
)  # images that are looked at, of those the network trained on and of the others
MIN_IMAGES = 50  # images: the mean of a field over fewer is noise
SIMULATION_CHAPTER = "receptive_field"  # the part that the simulation goes with
PAGE_STEM, STOPPED_PAGE_STEM = "understanding", "understanding.stopped"  # a stopped page takes no whole one's place


def explain_model(
    path: str | Path,
    data: str | Path | None = None,
    only: Collection[str] = (),
    sweeps: Collection[str | Path] = (),
    out: str | Path | None = None,
    report_progress: Callable[[str], None] = lambda text: None,
) -> Path:
    """Measures what the lesson says on a trained network, and writes it as a page and as JSON.

    The sealed test images stay sealed: what is looked at are images beside them.

    Args:
        path: a checkpoint, or a run's directory.
        data: a folder of images to look at; None: those of the run.
        only: names of the parts that are wanted; none: all.
        sweeps: whose runs tell what takes more than one of them.
        out: the folder that gets the page; None: the run's, or the working directory for a lone checkpoint.
        tell: is told in a line what is being done.

    Returns:
        The page.

    Raises:
        HeadstartError: there is no such model, sweep or part, or there are too few images.
        KeyboardInterrupt, Terminated: it was stopped; the parts that were finished stand in
            ``understanding.stopped.html``.
    """
    wanted = select_chapters(only)
    checkpoint = resolve_checkpoint(path)
    rows = [row for sweep in sweeps for row in _load_finished_runs(sweep)] if sweeps else None
    run = run_of_checkpoint(checkpoint)
    folder = _prepare_output_folder(expand_home(out or run or "."))
    report_progress("reading the model and its images")
    subject, cautions = build_subject(loading.load(checkpoint), _format_display_name(checkpoint, run), run, data)
    command = " ".join(["headstart understand", quote_for_shell(str(path)), *_format_options(data, only, sweeps)])
    chapters: list[Chapter] = []

    def write(stem: str, notes: list[str]) -> Path:
        told = (subject.name, chapters, notes, command)
        simulated = _render_simulation(subject, chapters) if not only or SIMULATION_CHAPTER in only else ""
        write_text(folder / f"{stem}.html", render_explanation(*told, simulated))
        write_text(folder / f"{stem}.json", explanation_to_json(*told, versions=package_versions()))
        return folder / f"{stem}.html"

    try:
        for chapter in iter_chapters(replace(subject, sweep=rows), only, report_progress):
            chapters.append(chapter)
    except (KeyboardInterrupt, TerminationExit):
        if chapters:
            missing = ", ".join(wanted[len(chapters) :])
            page = write(STOPPED_PAGE_STEM, [f"Stopped before its end: these parts are missing: {missing}.", *cautions])
            report_progress(f"stopped: the finished parts are in {page}")
        raise
    page = write(PAGE_STEM, cautions)
    if not only:  # a page of some parts may be what a stopped one lacked
        for suffix in (".html", ".json"):
            (folder / f"{STOPPED_PAGE_STEM}{suffix}").unlink(missing_ok=True)
    return page


def _prepare_output_folder(folder: Path) -> Path:
    """The folder, made where it is not there; found out before minutes are spent on what goes into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise HeadstartError(f"--out {folder}: {error.strerror}; name a folder that can be written") from error


def list_model_layers(path: str | Path) -> dict[str, Any]:
    """The layers of a model as the simulation takes them.

    Args:
        path: a checkpoint, or a run's directory.

    Raises:
        HeadstartError: there is no such model, or what it does to an image is not known.
    """
    checkpoint = resolve_checkpoint(path)
    model = loading.load(checkpoint)
    one = model.normalize(torch.zeros(1, *model.spec.shape))
    return build_layer_list(
        _format_display_name(checkpoint, run_of_checkpoint(checkpoint)),
        model.network,
        (one.shape[1], one.shape[2], one.shape[3]),
    )


def _render_simulation(subject: Subject, chapters: list[Chapter]) -> str:
    """The simulation with the network's own layers, what was measured of them, and pictures to lay under."""
    _, channels, height, width = subject.images.shape
    try:
        own = build_layer_list(subject.name, subject.network, (channels, height, width))
    except HeadstartError:  # the part on receptive fields says why
        own = None
    maps = {name: weights for chapter in chapters for name, weights in chapter.sensitivity_maps.items()}
    return render_simulation_fragment(own, maps, list(subject.pictures))


def build_subject(
    model: Classifier, display_name: str, run: Path | None, data: str | Path | None
) -> tuple[Subject, list[str]]:
    """The network of ``model`` with images beside the sealed test part; and what to know before one trusts it."""
    settings = run_directory.read_config(run) if run else None
    source = _build_source(model, settings, data)
    depth = source.catalog.depth
    if depth not in (None, model.spec.depth):
        raise HeadstartError(
            f"{source.name}: images deeper than 8 bits, for which this network knows no range; "
            "give 8-bit images by --data, or train it anew"
        )
    cautions: list[str] = source.remarks if data is not None else []
    trained = run_directory.read_training_hashes(run) if run else set()
    if not run:
        cautions.append("A checkpoint alone does not say which images trained it: all are taken for new ones.")
    beside = np.setdiff1d(np.arange(len(source.catalog.labels)), source.split.test)
    seen = np.array([source.catalog.digests[i] in trained for i in beside], dtype=bool)
    chosen = np.concatenate(
        [
            _sample_balanced(beside[seen], source, MAX_TRAINING_IMAGES),
            _sample_balanced(beside[~seen], source, MAX_NEW_IMAGES),
        ]
    )
    if len(chosen) < MIN_IMAGES:
        raise HeadstartError(
            f"{source.name}: {len(chosen)} images beside the sealed test part are too few to look at; "
            f"name a folder with {MIN_IMAGES} or more by --data"
        )
    pixels = torch.from_numpy(np.ascontiguousarray(source.read_pixels(chosen)))
    known = tuple(source.catalog.classes) == tuple(model.spec.classes)
    if not known:
        cautions.append("These images have other classes than the network: what takes their labels is left out.")
    pretrained = _build_pretrained(model, settings, cautions)
    return (
        Subject(
            name=display_name,
            network=model.network.eval(),
            random_network=_build_untrained(model).network.eval(),
            images=model.normalize(pixels.float() / 255),
            pictures=pixels,
            labels=torch.from_numpy(source.catalog.labels[chosen]) if known else None,
            classes=tuple(model.spec.classes),
            train_mask=torch.tensor([source.catalog.digests[i] in trained for i in chosen]),
            pretrained_network=pretrained.network.eval() if pretrained else None,
            data_name=result.data if run and (result := read_finished_result(run)) else "",
        ),
        cautions,
    )


def _format_display_name(checkpoint: Path, run: Path | None) -> str:
    """What a page calls a network: its run in words, a lone checkpoint by its file."""
    result = read_finished_result(run) if run else None
    if result is None:
        return encode_name(checkpoint.name)
    labels = result.labels_per_class or "all"
    return f"{result.model} on {result.data}, {labels} labels per class, seed {result.seed}"


def _build_source(model: Classifier, settings: dict[str, Any] | None, data: str | Path | None) -> Any:
    channels, height, _ = model.spec.shape
    source: Any
    if data is not None:
        source = ImageFolder(root=str(data), image_size=height, channels=channels, on_bad_file="skip", on_copies="skip")
    elif not settings:
        raise HeadstartError("a checkpoint outside of its run has no images with it; name a folder of them by --data")
    else:
        source = build_source(settings["data"])
    source.depth = model.spec.depth  # whatever other files there are by now, images are read as in training
    return source


def _sample_balanced(indices: np.ndarray, source: Any, most: int) -> np.ndarray:
    """At most so many of the images, the classes as equal as they can be, the choice by content alone."""
    order = sorted(indices.tolist(), key=lambda i: source.catalog.digests[i])
    turns: dict[int, int] = {}
    ranked = []
    for i in order:
        label = int(source.catalog.labels[i])
        turns[label] = turns.get(label, 0) + 1
        ranked.append((turns[label], i))
    return np.array(sorted(i for _, i in sorted(ranked)[:most]), dtype=np.int64)


def _build_untrained(model: Classifier) -> Classifier:
    """The same model before any training, from weights of a seed of its own."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_key(0, "untrained"))
        accepted = constructor_arguments(type(model))
        fresh = type(model)(**{k: v for k, v in model.hparams.items() if accepted is None or k in accepted})
        if isinstance(fresh, PretrainedClassifier):
            fresh.head.reset_parameters()  # it begins at zero, where nothing behind it has a gradient
        return fresh


def _build_pretrained(
    model: Classifier, settings: dict[str, Any] | None, cautions: list[str]
) -> PretrainedClassifier | None:
    """The same model as its training began; None where nothing was pretrained, or its weights are not to be had."""
    if isinstance(model, PartialTransfer):
        cautions.append("Its stages began partly from random weights: there is no one beginning to compare it to.")
    if not isinstance(model, PretrainedClassifier) or isinstance(model, PartialTransfer):
        return None
    before = _build_untrained(model)
    assert isinstance(before, PretrainedClassifier)
    try:
        if not settings:
            raise HeadstartError("a checkpoint alone does not name them")
        start = resolve.resolve_backbone(settings["model"]["backbone"])
        resolve.load_weights(before.backbone, start)
    except HeadstartError as error:
        cautions.append(f"The weights that the training began from are not to be had ({error}): no comparison to them.")
        return None
    return before


def _load_finished_runs(sweep: str | Path) -> list[dict[str, Any]]:
    rows = [result.to_dict() for _, result in iter_results(expand_home(sweep)) if result.is_finished]
    if not rows:
        raise HeadstartError(
            f"--sweep {sweep}: holds no finished run; give a directory of runs, such as those in runs/"
        )
    return rows


def _format_options(data: str | Path | None, only: Collection[str], sweeps: Collection[str | Path]) -> list[str]:
    """The options as they were typed, for the page's own command."""
    typed: dict[str, list[Any]] = {"--data": [data], "--sweep": list(sweeps), "--only": list(only)}
    given = {name: [str(value) for value in values if value] for name, values in typed.items()}
    return [text for name, values in given.items() if values for text in (name, *map(quote_for_shell, values))]
