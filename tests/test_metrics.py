"""Metrics of a run, compared with those of scikit-learn."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from headstart import metrics
from headstart.errors import DivergedError
from headstart.models.evaluation import compute_metrics
from headstart.runs import run_directory
from headstart.runs.predictions import read_predictions, read_probabilities

METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss")


def compute_reference(labels, probabilities):
    """scikit-learn's metrics of the rows of a ``predictions.parquet``."""
    predicted, classes = probabilities.argmax(axis=1), list(range(probabilities.shape[1]))
    rows = probabilities.astype(np.float64)
    present = sorted(set(labels.tolist()))
    return {
        "accuracy": sklearn.accuracy_score(labels, predicted),
        "balanced_accuracy": sklearn.recall_score(labels, predicted, labels=present, average="macro", zero_division=0),
        "macro_f1": sklearn.f1_score(labels, predicted, average="macro", zero_division=0),
        "log_loss": sklearn.log_loss(labels, rows / rows.sum(axis=1, keepdims=True), labels=classes),
    }


@st.composite
def scores_and_labels(draw):
    """Scores of 2 to 7 classes with many ties, in any precision, and labels of some of the classes."""
    classes, images = draw(st.integers(2, 7)), draw(st.integers(1, 30))
    dtype = draw(st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64]))
    present = draw(st.lists(st.integers(0, classes - 1), min_size=1, max_size=classes))
    score = st.sampled_from([-3.0, 0.0, 1.0, 1.0000001, 2.5])
    row = st.lists(score, min_size=classes, max_size=classes)
    scores = torch.tensor(draw(st.lists(row, min_size=images, max_size=images)), dtype=dtype)
    return scores, torch.tensor(draw(st.lists(st.sampled_from(present), min_size=images, max_size=images)))


class TestComputeMetrics:
    @settings(max_examples=20)
    @given(scores_and_labels())
    def test_equals_scikit_learn_for_any_predictions(self, pair):
        scores, labels = pair
        probabilities = scores.float().softmax(dim=1).numpy()
        values = {name: float(value) for name, value in compute_metrics(scores, labels).items()}
        assert values == pytest.approx(compute_reference(labels.numpy(), probabilities), abs=2e-6)

    def test_balanced_accuracy_leaves_absent_classes_out(self):
        scores = torch.eye(3)[torch.tensor([0, 2, 2, 1])]
        values = compute_metrics(scores, torch.tensor([0, 0, 1, 1]))
        assert float(values["balanced_accuracy"]) == 0.5

    def test_predicts_the_first_of_equal_probabilities(self):
        # The scores differ, the probabilities do not, and those are what predictions.parquet holds.
        scores = torch.tensor([[0.0, 1e-9]])
        assert scores.argmax(dim=1).tolist() == [1]
        assert float(compute_metrics(scores, torch.tensor([0]))["accuracy"]) == 1.0

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
    def test_rejects_scores_that_are_not_finite(self, value):
        scores = torch.tensor([[1.0, 2.0], [value, 0.0]])
        with pytest.raises(DivergedError, match="no finite scores for 1 of 2 images"):
            compute_metrics(scores, torch.tensor([0, 0]))


class TestMetrics:
    @settings(max_examples=20)
    @given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40))
    def test_numpy_and_torch_equal_scikit_learn(self, pairs):
        labels, predicted = np.array(pairs).T
        counts = [np.bincount(each, minlength=5) for each in (labels[labels == predicted], labels, predicted)]
        present = sorted(set(labels.tolist()))
        expected = (
            sklearn.accuracy_score(labels, predicted),
            sklearn.recall_score(labels, predicted, labels=present, average="macro", zero_division=0),
            sklearn.f1_score(labels, predicted, average="macro", zero_division=0),
        )
        for arrays, tolerance in ((counts, 1e-12), ([torch.from_numpy(each) for each in counts], 1e-6)):
            correct, actual, predictions = arrays
            values = (
                metrics.accuracy(correct, actual),
                metrics.balanced_accuracy(correct, actual),
                metrics.macro_f1(correct, actual, predictions),
            )
            assert [float(value) for value in values] == pytest.approx(expected, abs=tolerance)


class TestRun:
    def test_metrics_leave_a_class_without_test_images_out(self, command, image_folder):
        # Classes 0 and 2 look alike, and class 2 has most training images but none to test.
        root = image_folder(["train/a", "train/b"], per_class=8)
        image_folder(["train/c"], per_class=24, root=root, seed=1)
        image_folder(["test/a", "test/b"], per_class=6, root=root, seed=2)
        options = ["data=folder", f"data.root={root}", "data.image_size=16", "data.validation=0", "data.batch_size=8"]
        done = command("model=scratch_cnn", *options, "trainer.max_epochs=20", "hydra.run.dir=run")
        assert done.code == 0, done.err
        run = done.folder / "run"
        result = json.loads((run / run_directory.RESULT_FILE).read_text(encoding="utf-8"))["metrics"]
        predictions = read_predictions(run)
        labels, predicted = predictions.labels, predictions.predicted
        assert 2 in predicted and 2 not in labels and result["test/accuracy"] > 0
        expected = compute_reference(labels, read_probabilities(run))
        assert {name: result[f"test/{name}"] for name in METRICS} == pytest.approx(expected, abs=2e-6)
