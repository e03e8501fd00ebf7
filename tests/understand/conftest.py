"""Images for the small network, and runs of a sweep."""

import pytest
import torch

from headstart.understand.architectures.skip_connections_chapter import DepthExperiment
from headstart.understand.run_row import RunRow
from headstart.understand.subject import Subject
from headstart.understand.transfer.transfer_curve import MODE_LABELS


@pytest.fixture
def subject(lesson):
    """Sixty noisy images of four classes, a bright quarter each, and an untrained network."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 4
    pictures = torch.randint(0, 60, (60, 1, 28, 28), generator=draw, dtype=torch.uint8)
    for i, label in enumerate(labels.tolist()):
        y, x = 14 * (label // 2), 14 * (label % 2)
        pictures[i, :, y : y + 14, x : x + 14] += 150
    return Subject(
        name="lesson",
        network=lesson(0),
        random_network=lesson(1),
        images=(pictures.float() / 255 - 0.3) / 0.3,
        pictures=pictures,
        labels=labels,
        classes=("north-west", "north-east", "south-west", "south-east"),
        train_mask=torch.arange(60) < 30,
    )


@pytest.fixture
def run_row():
    """A function that builds a run of a sweep."""

    def build(model="finetune", seed=0, accuracy=0.8, **values):
        defaults = {
            "data": "digits",
            "classes": (),
            "labels_per_class": 5,
            "settings": {},
            "test_loss": 0.5,
            "training_loss": 0.01,
            "is_pretrained": not model.startswith("scratch"),
        }
        return RunRow(model=model, seed=seed, accuracy=accuracy, **(defaults | values))

    return build


@pytest.fixture
def curve_rows(run_row):
    """A function that builds the runs of a transfer curve of two stages."""

    def build(frozen=(0.5, 0.795, 0.6), finetuned=0.8, seeds=3):
        accuracies = {
            "frozen": frozen,
            "finetuned": (frozen[0], 0.7, finetuned),
            "random_frozen": (frozen[0], 0.3, 0.2),
        }
        return [
            run_row(
                "partial_transfer",
                seed,
                accuracies[mode][depth] + 0.01 * seed + 0.001 * (seed * depth % 2),
                settings={"model.num_stages": depth, "model.mode": mode},
            )
            for mode in MODE_LABELS
            for depth in range(3)
            for seed in range(seeds)
        ]

    return build


@pytest.fixture
def small_experiment():
    """Networks of 8 and 14 layers, trained for two steps."""
    return DepthExperiment(shallow=8, deep=14, steps=2, num_seeds=2, num_gradient_seeds=2)
