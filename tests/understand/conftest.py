"""Images for the small network, and runs of a sweep."""

import pytest
import torch

from headstart.understand.architectures import skip_connections_chapter
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
def transplanted():
    """A function that gives the runs of a transferability curve of two stages."""

    def run(kept, way, seed, accuracy, labels=5):
        return {
            "status": "finished",
            "model": "partial_transfer",
            "data": "digits",
            "labels_per_class": labels,
            "seed": seed,
            "settings": {"model.num_stages": kept, "model.mode": way},
            "metrics": {"test/accuracy": accuracy + 0.01 * seed},
        }

    def sweep(frozen=(0.5, 0.795, 0.6), tuned=0.8, seeds=3):
        """A sweep of two stages; ``frozen`` by how many are kept, and both kept and fine-tuned."""
        accuracies = {"frozen": frozen, "finetuned": (frozen[0], 0.7, tuned), "random_frozen": (frozen[0], 0.3, 0.2)}
        return [
            run(kept, way, seed, accuracies[way][kept] + 0.001 * (seed * kept % 2))
            for way in MODE_LABELS
            for kept in range(3)
            for seed in range(seeds)
        ]

    return sweep


@pytest.fixture
def shallow(monkeypatch):
    """Networks of 8 and 14 layers, trained for two steps."""
    kinds = [
        (skips, norm, {skip_connections_chapter.SHALLOW: 8, skip_connections_chapter.DEEP: 14}[layers])
        for skips, norm, layers in skip_connections_chapter.KINDS
    ]
    for name, value in {"KINDS": kinds, "SHALLOW": 8, "DEEP": 14, "STEPS": 2, "SIDE": 8}.items():
        monkeypatch.setattr(skip_connections_chapter, name, value)
