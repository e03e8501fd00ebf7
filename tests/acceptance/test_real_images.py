"""Slow runs on real images and weights; CONTRIBUTING.md has the command."""

import os
from pathlib import Path

import pytest

from headstart.compare import summary_table
from headstart.compare.collect.sweep_runs import collect_runs
from headstart.runs.result import iter_results

pytestmark = pytest.mark.acceptance
DATASETS = Path(os.environ.get("HEADSTART_DATASETS", "../shared/datasets")).resolve()
MOBILENET = [
    "backbone.name=mobilenetv2_100",
    "backbone.options.pad_type=same",
    f"backbone.weights={DATASETS / 'weights' / 'mobilenetv2_100.safetensors'}",
    "backbone.mean=[0.5,0.5,0.5]",
    "backbone.std=[0.5,0.5,0.5]",
]


def mean_accuracies(folder):
    """Mean test accuracy by arm and budget."""
    rows = summary_table.summarize_arms(collect_runs(folder).finished)
    return {(row.arm, row.labels_per_class): row.accuracy for row in rows.itertuples()}


class TestRealImages:
    def test_the_small_cnn_learns_mnist(self, command):
        done = command("-m", "model=scratch_cnn", "data=mnist", f"data.root={DATASETS / 'mnist'}", "seed=0,1,2")
        results = [result for _, result in iter_results(done.folder)]
        assert done.code == 0 and all(r.cost["parameters"] == 13_242 for r in results)
        assert sum(r.metrics["test/accuracy"] for r in results) / 3 >= 0.989

    def test_an_imagenet_backbone_beats_scratch_on_hymenoptera(self, command):
        options = ["data=folder", f"data.root={DATASETS / 'hymenoptera'}", "data.test=val", "data.image_size=224"]
        done = command("experiment=compare", *options, "seed=0,1,2", *MOBILENET)
        mean = {arm: value for (arm, _), value in mean_accuracies(done.folder).items()}
        assert done.code == 0 and mean["frozen"] >= 0.93 and mean["finetune"] >= 0.92
        assert min(mean["frozen"], mean["finetune"]) >= 0.15 + max(mean["scratch_cnn"], mean["scratch_backbone"])

    def test_the_embedded_backbone_beats_scratch_on_flowers(self, command):
        root = f"data.root={DATASETS / 'flowers5'}"
        words = ["data.image_size=64", "data.labels_per_class=5,10,20", "seed=0,1,2,3,4"]
        done = command("experiment=compare", "data=folder", root, *words)
        mean = mean_accuracies(done.folder)
        for budget, floor in ((5, 0.37), (10, 0.43), (20, 0.46)):
            scratch = max(mean["scratch_backbone", budget], mean["scratch_cnn", budget])
            assert mean["scratch_backbone", budget] >= floor
            assert max(mean["frozen", budget], mean["finetune", budget]) >= 0.10 + scratch
