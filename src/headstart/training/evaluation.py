"""Tests a trained model and measures what ``result.json`` has of it."""

import io
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from headstart.data.datamodule import ImageDataModule, build_eval_loader, find_extractor
from headstart.runs import run_directory
from headstart.runs.environment import environment_info
from headstart.runs.predictions import most_confident_errors, write_predictions, write_thumbnails
from headstart.runs.result import RunResult
from headstart.training.cost import forward_flops

if TYPE_CHECKING:
    from headstart.data.image_source import ImageSource
    from headstart.training.setup import TrainingSetup

THUMBNAIL_SIZE = 96  # longest side of a picture, in pixels


def evaluate_run(setup: "TrainingSetup", source: "ImageSource", run: RunResult) -> RunResult:
    """Tests the chosen epoch, once, and writes the predictions.

    Args:
        setup: a fitted model with its trainer.
        source: the images.
        run: the run's description.

    Returns:
        The description with what was measured.
    """
    trainer, model, run_checkpoint = setup.trainer, setup.model, setup.run_checkpoint
    directory, spec = run_checkpoint.directory, model.spec
    best = torch.load(run_directory.best_checkpoint_path(directory), weights_only=True)
    model.load_state_dict(best["state_dict"])
    trainer.test(model, setup.datamodule, verbose=False)
    metrics = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("test/")}
    rows = run_checkpoint.rows
    row = next((row for row in rows if row["epoch"] == best["epoch"]), rows[-1])  # not every epoch may validate
    metrics |= {name: value for name, value in row.items() if name.startswith("val/")}
    labels, probabilities = model.test_labels.numpy(), model.test_probabilities.numpy()
    # A debug run may test the first batches alone.
    tested = [image for image in source.split.rows() if image["part"] == "test"][: len(labels)]
    groups = [image["group"] for image in tested] if source.catalog.groups else None
    write_predictions(directory, [image["image"] for image in tested], labels, probabilities, groups)
    write_thumbnails(directory, *render_error_thumbnails(source, labels, probabilities))
    parameters = list(model.parameters())
    return replace(
        run,
        classes=list(spec.classes),
        depth=spec.depth,
        metrics=metrics,
        test_reads=getattr(setup.datamodule, "test_reads", None),
        training=train_set_loss(setup, source),
        epoch=int(row["epoch"]),
        epochs=len(rows),
        trials=run_checkpoint.trials,
        skipped=[{"image": name, "reason": reason} for name, reason in source.skipped],
        ignored=source.ignored,
        cost={
            "seconds": round(run_checkpoint.seconds, 3),
            "parameters": sum(p.numel() for p in parameters),
            "trainable_parameters": sum(p.numel() for p in parameters if p.requires_grad),
            "flops": forward_flops(model),
        },
        **environment_info(trainer),
    )


def train_set_loss(setup: "TrainingSetup", source: "ImageSource") -> dict[str, float]:
    """Computes the cross-entropy of a model on its training images, without augmentation.

    Args:
        setup: a fitted model with its trainer.
        source: the images.

    Returns:
        ``loss``: the cross-entropy; ``label_entropy``: that of guessing by class frequency; both in nats.
    """
    if isinstance(setup.datamodule, ImageDataModule):
        loader = setup.datamodule.eval_dataloader(source.split.train, find_extractor(setup.model))
    else:
        loader = build_eval_loader(source, source.split.train)
    scores = torch.cat(setup.trainer.predict(setup.model, loader)).float()  # type: ignore[arg-type]
    labels = torch.from_numpy(source.catalog.labels[source.split.train])[: len(scores)]
    shares = torch.bincount(labels).double() / len(labels)
    return {
        "loss": F.cross_entropy(scores.double(), labels).item(),
        "label_entropy": -sum(share * math.log(share) for share in shares.tolist() if share),
    }


def render_error_thumbnails(
    source: "ImageSource", labels: np.ndarray, probabilities: np.ndarray
) -> tuple[list[str], list[bytes]]:
    """Renders the test images with the most confident errors.

    Args:
        source: the source of the images.
        labels: int64 (N,).
        probabilities: float32 (N, num_classes).

    Returns:
        The names of the images, and small WebP pictures of them.
    """
    positions = source.split.test[most_confident_errors(labels, probabilities)]
    return [source.catalog.names[i] for i in positions], [
        _encode_webp(pixels) for pixels in source.read_pixels(positions)
    ]


def _encode_webp(pixels: np.ndarray) -> bytes:
    image = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
    image.thumbnail((THUMBNAIL_SIZE, THUMBNAIL_SIZE))
    out = io.BytesIO()
    image.save(out, "webp", quality=80)
    return out.getvalue()
