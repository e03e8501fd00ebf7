"""What a run shows of itself."""

import io
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from headstart.runs.predictions import MAX_CONFIDENT_ERRORS
from headstart.training.evaluation import render_error_thumbnails, train_set_loss


def test_guessing_by_class_shares_has_the_loss_label_entropy():
    labels = np.array([0, 0, 0, 1])
    scores = torch.tensor([[math.log(3), 0.0]]).expand(4, -1)
    trainer = SimpleNamespace(predict=lambda model, loader: [scores[:3], scores[3:]])
    catalog, split = SimpleNamespace(labels=labels), SimpleNamespace(train=np.arange(4))
    setup = SimpleNamespace(trainer=trainer, model=None, datamodule=None)
    said = train_set_loss(setup, SimpleNamespace(catalog=catalog, split=split, num_workers=0))
    assert said["loss"] == pytest.approx(said["label_entropy"]) == pytest.approx(0.5623, abs=1e-4)


def test_the_surest_mistakes_come_first_and_as_pictures():
    labels = np.zeros(30, dtype=np.int64)
    sure = np.linspace(0.51, 0.99, 30, dtype=np.float32)
    probabilities = np.stack([1 - sure, sure], axis=1)
    probabilities[29] = [0.99, 0.01]  # right
    pixels = np.random.default_rng(0).integers(0, 256, (40, 3, 200, 120), dtype=np.uint8)
    source = SimpleNamespace(
        split=SimpleNamespace(test=np.arange(10, 40)),
        catalog=SimpleNamespace(names=[f"{i}.png" for i in range(40)]),
        read_pixels=lambda positions: pixels[positions],
    )
    names, pictures = render_error_thumbnails(source, labels, probabilities)
    assert names[:2] == ["38.png", "37.png"] and len(names) == len(pictures) == MAX_CONFIDENT_ERRORS
    assert Image.open(io.BytesIO(pictures[0])).size == (58, 96)
