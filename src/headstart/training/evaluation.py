"""What a run shows of itself for whoever judges it: whether it learned its own training images, and where it was most
sure and wrong."""

import io
import math
from typing import TYPE_CHECKING

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from headstart.data.datamodule import build_eval_loader
from headstart.runs.predictions import most_confident_errors

if TYPE_CHECKING:
    from headstart.data.image_source import ImageSource

THUMBNAIL_SIZE = 96  # pixels of a picture's side, at most


def train_set_loss(trainer: L.Trainer, model: L.LightningModule, source: "ImageSource") -> dict[str, float]:
    """How well the model knows the images that trained it, as they are.

    Args:
        trainer: has fitted the model.
        model: a classifier of raw images.
        source: the images, of which those of the training part are read as they are.

    Returns:
        ``loss``: its cross-entropy on them; ``label_entropy``: that of guessing by the share of each class; in nats.
    """
    scores = torch.cat(trainer.predict(model, build_eval_loader(source, source.split.train))).float()  # type: ignore[arg-type]
    labels = torch.from_numpy(source.catalog.labels[source.split.train])
    shares = torch.bincount(labels).double() / len(labels)
    return {
        "loss": F.cross_entropy(scores.double(), labels).item(),
        "label_entropy": -sum(share * math.log(share) for share in shares.tolist() if share),
    }


def render_error_thumbnails(
    source: "ImageSource", labels: np.ndarray, probabilities: np.ndarray
) -> tuple[list[str], list[bytes]]:
    """The test images of which the model was most sure and wrong: their names, and small WebP pictures of them.

    Args:
        source: whose test part was predicted.
        labels: int64 (N,).
        probabilities: float32 (N, num_classes).
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
