"""Run directories and sweeps as training leaves them, without training."""

import html
import json
import re
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from headstart.files import write_json, write_text
from headstart.runs import run_directory
from headstart.runs.predictions import write_predictions
from headstart.runs.result import RunResult, read_result, write_result
from headstart.runs.sweep_file import PlannedRun, SweepCommand, append_sweep_command

CARD = {"data": "photographs", "accuracy": 0.455, "terms": "research", "seen": ["ant", "bee", "wasp"]}
COST = {
    "seconds_in_all": 11.25,
    "parameters": 2813434,
    "trainable_parameters": 2813434,
    "flops": 22246400,
    "peak_memory_bytes": 1102393344,
}


def draw_probabilities(arm, seed, budget, fold, right, labels, num_classes):
    """Random probabilities, float32 (N, num_classes), that are correct for about a share ``right`` of the images."""
    draw = np.random.default_rng([seed, budget or 0, fold, *arm.encode()])
    images = len(labels)
    logits = draw.normal(size=(images, num_classes))
    logits += 4 * right * np.eye(num_classes)[np.where(draw.random(images) < right, labels, 0)]
    return (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def fake_run(tmp_path):
    """Writes one run into ``tmp_path / sweep``; its predictions follow from its arm, seed, budget and fold.

    Keywords that are fields of RunResult replace those of the result.
    """

    def write(
        arm="finetune",
        seed=0,
        budget=5,
        right=0.7,
        classes=("ant", "bee", "cat"),
        images=60,
        data="photos",
        sweep="sweep",
        fold=0,
        settings=None,
        names=None,
        nan=False,
        **changes,
    ):
        folder = f"{arm}-{data}-{budget}-seed{seed}-{fold}-{len(json.dumps(settings))}"
        directory = tmp_path / sweep / folder
        directory.mkdir(parents=True)
        labels = np.arange(images) % len(classes)
        probabilities = draw_probabilities(arm, seed, budget, fold, right, labels, len(classes))
        probabilities = np.full_like(probabilities, np.nan) if nan else probabilities
        names = names or [f"{classes[label]}/{fold}-{i:05}.png" for i, label in enumerate(labels)]
        write_predictions(directory, names, labels, probabilities)
        test = [(name, classes[label], "test") for name, label in zip(names, labels, strict=True)]
        train = [(f"{name}/t{i}.png", name, "train") for name, i in product(classes, range(budget or 7))]
        rows = [{"image": image, "sha256": "0", "class": name, "part": part} for image, name, part in train + test]
        write_json(directory / run_directory.SPLIT_FILE, rows)
        lines = [f"{epoch},{epoch * 3},{2 / (epoch + 1 + seed)},{0.1 * epoch}" for epoch in range(4)]
        header = "epoch,step,train/loss,val/accuracy"
        write_text(directory / run_directory.METRICS_FILE, "\n".join([header, *lines]) + "\n")
        accuracy = float((probabilities.argmax(axis=1) == labels).mean())
        origin = {"name": "resnet18", "weights": "embedded", "sha256": "1", "card": CARD}
        result = RunResult(
            status="finished",
            model=arm,
            data=data,
            seed=seed,
            labels_per_class=budget,
            fold=fold,
            settings=settings or {},
            identity=f"{sweep}{folder}",
            starts={"backbone": origin} if arm in ("finetune", "frozen") else {},
            command=f"headstart-train model={arm} seed={seed} data.labels_per_class={budget}",
            metrics={
                "test/accuracy": accuracy,
                "test/balanced_accuracy": accuracy - 0.01,
                "test/macro_f1": accuracy - 0.02,
                "test/log_loss": float("nan") if seed == 2 else 0.731,
            },
            skipped=[{"image": "broken.png", "reason": "is truncated"}],
            cost=COST | {"seconds": 10.5 + seed} | ({"trainable_parameters": 2570} if arm == "frozen" else {}),
            versions={"headstart": "0.1.0", "torch": "2.13.0"},
            hardware={"system": "Linux", "cores": 2, "gpu": None},
        )
        write_result(directory, replace(result, **changes))
        return directory

    return write


@pytest.fixture
def fake_sweep(fake_run, tmp_path):
    """Writes a comparison of four arms over budgets and seeds; returns its directory."""

    def write(budgets=(5, 20), seeds=(0, 1, 2), **changes):
        arms = {"scratch_cnn": 0.3, "scratch_backbone": 0.4, "frozen": 0.75, "finetune": 0.8}
        for budget, (arm, right), seed in product(budgets, arms.items(), seeds):
            fake_run(arm, seed, budget, right, **changes)
        return tmp_path / changes.get("sweep", "sweep")

    return write


def plan_of(directory):
    """The planned run of a run directory."""
    result = read_result(directory)
    return PlannedRun(
        directory.name,
        result.identity,
        result.model,
        result.settings,
        result.data,
        result.labels_per_class,
        result.seed,
        result.fold,
        result.folds,
    )


@pytest.fixture
def fake_command():
    """Adds a command to the sweep.json of a sweep.

    ``runs`` are run directories, or planned runs that have none. Without ``runs`` it asks for all runs of the sweep.
    """

    def write(sweep, runs=None, started="2026-01-01T00:00:00+00:00", comparison=None, looks=()):
        runs = runs or [path.parent for path in sorted(sweep.rglob(run_directory.RESULT_FILE))]
        planned = tuple(run if isinstance(run, PlannedRun) else plan_of(run) for run in runs)
        append_sweep_command(sweep, SweepCommand("headstart-train -m", started, planned, comparison or {}, looks=looks))

    return write


@pytest.fixture
def missing_run():
    """A planned run without a run directory."""

    def plan(arm="finetune", seed=0, budget=5, data="photos", fold=0, folds=None):
        name = f"{arm}-{data}-{budget}-seed{seed}-{fold}-missing"
        return PlannedRun(name, name, arm, {}, data, budget, seed, fold, folds)

    return plan


@pytest.fixture
def visible():
    """Returns the words of a page as a reader sees them, without charts."""

    def strip(text):
        text = re.sub(r"<(style|svg|title)\b.*?</\1>", "", text, flags=re.DOTALL)
        words = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())
        return re.sub(r" (?=[,.:;])", "", words)

    return strip
