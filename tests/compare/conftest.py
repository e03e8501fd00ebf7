"""Run directories as training leaves them, without any training."""

import html
import json
import re

import numpy as np
import pytest

from headstart.files import write_json, write_text
from headstart.runs import run_directory
from headstart.runs.predictions import write_predictions

CARD = {"data": "photographs", "accuracy": 0.455, "terms": "research", "seen": ["ant", "bee", "wasp"]}


@pytest.fixture
def fake_run(tmp_path):
    """Writes one finished run into ``tmp_path / sweep``; its answers follow from its arm, seed and budget."""

    def write(
        arm="finetune", seed=0, budget=5, right=0.7, classes=("ant", "bee", "cat"), images=60, data="photos",
        sweep="sweep", fold=0, settings=None, names=None, nan=False, **more,
    ):  # fmt: skip
        k = len(classes)
        place = tmp_path / sweep / f"{arm}-{data}-{budget}-seed{seed}-{fold}-{len(json.dumps(settings))}"
        place.mkdir(parents=True)
        draw = np.random.default_rng([seed, budget or 0, fold, *arm.encode()])
        labels = np.arange(images) % k
        logits = draw.normal(size=(images, k)) + 4 * right * np.eye(k)[np.where(draw.random(images) < right, labels, 0)]
        probabilities = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
        probabilities = np.full_like(probabilities, np.nan) if nan else probabilities
        names = names or [f"{classes[label]}/{fold}-{i:05}.png" for i, label in enumerate(labels)]
        write_predictions(place, names, labels, probabilities)
        tested = [{"image": name, "sha256": "0", "class": classes[label], "part": "test"}
                  for name, label in zip(names, labels, strict=True)]  # fmt: skip
        trained = [{"image": f"{c}/t{i}.png", "sha256": "0", "class": c, "part": "train"}
                   for c in classes for i in range(budget or 7)]  # fmt: skip
        write_text(place / run_directory.SPLIT_FILE, json.dumps([*trained, *tested]))
        rows = [f"{epoch},{epoch * 3},{2 / (epoch + 1 + seed)},{0.1 * epoch}" for epoch in range(4)]
        write_text(place / run_directory.METRICS_FILE, "\n".join(["epoch,step,train/loss,val/accuracy", *rows]) + "\n")
        accuracy = float((probabilities.argmax(axis=1) == labels).mean())
        result = {
            "status": "finished", "model": arm, "arm": arm, "data": data, "labels_per_class": budget, "seed": seed,
            "fold": fold, "identity": f"{sweep}{place.name}", "settings": settings or {},
            "starts": {"backbone": {"name": "resnet18", "weights": "embedded", "sha256": "1", "card": CARD}}
            if arm in ("finetune", "frozen") else {},
            "command": f"headstart-train model={arm} seed={seed} data.labels_per_class={budget}",
            "metrics": {"test/accuracy": accuracy, "test/balanced_accuracy": accuracy - 0.01,
                        "test/macro_f1": accuracy - 0.02, "test/log_loss": float("nan") if seed == 2 else 0.731},
            "skipped": [{"image": "broken.png", "reason": "is truncated"}],
            "cost": {"seconds": 10.5 + seed, "seconds_in_all": 11.25, "parameters": 2813434,
                     "trainable_parameters": 2570 if arm == "frozen" else 2813434, "flops": 22246400,
                     "peak_memory_bytes": 1102393344},
            "versions": {"headstart": "0.1.0", "torch": "2.13.0"},
            "hardware": {"system": "Linux", "cores": 2, "gpu": None},
        } | more  # fmt: skip
        write_json(place / run_directory.RESULT_FILE, result)
        return place

    return write


@pytest.fixture
def fake_sweep(fake_run, tmp_path):
    """A comparison of four arms over budgets and seeds; its directory."""

    def write(budgets=(5, 20), seeds=(0, 1, 2), **how):
        arms = {"scratch_cnn": 0.3, "scratch_backbone": 0.4, "frozen": 0.75, "finetune": 0.8}
        for budget in budgets:
            for arm, right in arms.items():
                for seed in seeds:
                    fake_run(arm, seed, budget, right, **how)
        return tmp_path / "sweep"

    return write


@pytest.fixture
def visible():
    def words(text):
        """The page's words as a reader sees them, charts left out."""
        text = re.sub(r"<(style|svg|title)\b.*?</\1>", "", text, flags=re.DOTALL)
        words_ = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())
        return re.sub(r" (?=[,.:;])", "", words_)

    return words
