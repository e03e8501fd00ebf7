"""Builds the subject of an explanation from a model, its run and its images."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from headstart.backbones.resolve import resolve_backbone
from headstart.backbones.weights import load_weights
from headstart.config.data_module import build_source
from headstart.constructors import constructor_arguments
from headstart.data import ImageFolder, ImageSource
from headstart.errors import HeadstartError
from headstart.file_names import encode_name
from headstart.models import Classifier
from headstart.models.partial_transfer import PartialTransfer
from headstart.models.pretrained_classifier import PretrainedClassifier
from headstart.runs import run_directory
from headstart.runs.refit_card import read_refit_card
from headstart.runs.result import read_finished_result
from headstart.seeding import derive_key
from headstart.understand.subject import Subject

MAX_TRAINING_IMAGES = 128  # of the images that the network was trained on
MAX_NEW_IMAGES = 256  # of the others
MIN_SUBJECT_IMAGES = 50  # the mean of an effective field over fewer is noise


def build_subject(
    model: Classifier, display_name: str, run: Path | None, data: str | Path | None
) -> tuple[Subject, list[str]]:
    """The model's network with images outside the sealed test part, and cautions about the result.

    Args:
        model: a trained model.
        display_name: its name on the page.
        run: its run directory; None for a checkpoint alone.
        data: a folder of images; None: those of the run.

    Raises:
        HeadstartError: there are too few images, their bit depth is unknown to the model, or a checkpoint alone has
            no folder of images.
    """
    settings = run_directory.read_config(run) if run else None
    source = _build_source(model, settings, data)
    catalog = source.catalog
    if catalog.depth not in (None, model.spec.depth):
        raise HeadstartError(
            f"{source.name}: images deeper than 8 bits, for which this network knows no range; "
            "give 8-bit images by --data, or train it anew"
        )
    cautions = source.remarks if data is not None else []
    if not run:
        cautions.append("A checkpoint alone does not record its training images: all images count as new.")
    refit = read_refit_card(run) if run else None
    if refit and data is None:
        cautions.append("This network has seen all of these images (headstart refit); --data names others.")
    training_hashes = run_directory.read_training_hashes(run) if run else set()
    indices, train_mask = _select_images(source, training_hashes)
    has_same_classes = tuple(catalog.classes) == tuple(model.spec.classes)
    if not has_same_classes:
        cautions.append("These images have other classes than the network: what needs their labels is left out.")
    pixels = torch.from_numpy(np.ascontiguousarray(source.read_pixels(indices)))
    pretrained = _build_pretrained(model, settings, cautions)
    result = read_finished_result(run) if run else None
    subject = Subject(
        name=display_name,
        network=model.network.eval(),
        random_network=_build_untrained(model).network.eval(),
        images=model.normalize(pixels.float() / 255),
        pictures=pixels,
        labels=torch.from_numpy(catalog.labels[indices]) if has_same_classes else None,
        classes=tuple(model.spec.classes),
        train_mask=torch.from_numpy(train_mask),
        pretrained_network=pretrained.network.eval() if pretrained else None,
        data_name=result.data if result else refit.data if refit else "",
    )
    return subject, cautions


def format_display_name(checkpoint: Path, run: Path | None) -> str:
    """A network's name on a page: model, images, budget and seed of its run, or a lone checkpoint's file name."""
    if refit := read_refit_card(run) if run else None:
        return f"{refit.arm} on {refit.data}, refit on all images, seed {refit.seed}"
    result = read_finished_result(run) if run else None
    if result is None:
        return encode_name(checkpoint.name)
    labels = result.labels_per_class or "all"
    return f"{result.model} on {result.data}, {labels} labels per class, seed {result.seed}"


def _build_source(model: Classifier, settings: dict[str, Any] | None, data: str | Path | None) -> ImageSource:
    source: ImageSource
    if data is not None:
        channels, height, _ = model.spec.shape
        source = ImageFolder(
            root=str(data),
            image_size=height,
            resize=model.spec.resize,
            channels=channels,
            on_bad_file="skip",
            on_copies="skip",
        )
    elif not settings:
        raise HeadstartError("a checkpoint outside of its run has no images with it; name a folder of them by --data")
    else:
        source = build_source(settings["data"])
    source.depth = model.spec.depth  # images are decoded as in training, whatever other files the folder has now
    return source


def _select_images(source: ImageSource, training_hashes: set[str]) -> tuple[np.ndarray, np.ndarray]:
    """Indices of images outside the sealed test part, int64 (n,), and which of them trained the network, bool (n,)."""
    digests = source.catalog.digests
    candidates = np.setdiff1d(np.arange(len(source.catalog.labels)), source.split.test)
    in_training = np.array([digests[i] in training_hashes for i in candidates], dtype=bool)
    trained = _sample_balanced(candidates[in_training], source, MAX_TRAINING_IMAGES)
    new = _sample_balanced(candidates[~in_training], source, MAX_NEW_IMAGES)
    if len(trained) + len(new) < MIN_SUBJECT_IMAGES:
        raise HeadstartError(
            f"{source.name}: {len(trained) + len(new)} images beside the sealed test part are too few; "
            f"name a folder with {MIN_SUBJECT_IMAGES} or more by --data"
        )
    return np.concatenate([trained, new]), np.repeat([True, False], [len(trained), len(new)])


def _sample_balanced(indices: np.ndarray, source: ImageSource, max_count: int) -> np.ndarray:
    """At most ``max_count`` of the images, classes as equal as possible, chosen by content alone, int64 (n,)."""
    counts: dict[int, int] = {}
    ranks = []
    for i in sorted(indices.tolist(), key=lambda i: source.catalog.digests[i]):
        label = int(source.catalog.labels[i])
        counts[label] = counts.get(label, 0) + 1
        ranks.append((counts[label], i))
    return np.array(sorted(i for _, i in sorted(ranks)[:max_count]), dtype=np.int64)


def _build_untrained(model: Classifier) -> Classifier:
    """The same model before training, with weights from a seed that no run uses."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_key(0, "untrained"))
        accepted = constructor_arguments(type(model))
        untrained = type(model)(**{k: v for k, v in model.hparams.items() if accepted is None or k in accepted})
        if isinstance(untrained, PretrainedClassifier):
            untrained.head.reset_parameters()  # a head of zeros passes no gradient back
        return untrained


def _build_pretrained(
    model: Classifier, settings: dict[str, Any] | None, cautions: list[str]
) -> PretrainedClassifier | None:
    """The same model as training began; None if nothing was pretrained or its weights are not available."""
    if isinstance(model, PartialTransfer):
        cautions.append("Some stages began with random weights, so there is no comparison with the beginning.")
    if not isinstance(model, PretrainedClassifier) or isinstance(model, PartialTransfer):
        return None
    pretrained = _build_untrained(model)
    assert isinstance(pretrained, PretrainedClassifier)
    try:
        if not settings:
            raise HeadstartError("a checkpoint alone does not name them")
        backbone = resolve_backbone(settings["model"]["backbone"])
        load_weights(pretrained.backbone, backbone)
    except HeadstartError as error:
        cautions.append(f"The pretrained weights are not available ({error}), so nothing is compared with them.")
        return None
    return pretrained
