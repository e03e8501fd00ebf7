import json
from dataclasses import replace

import pytest
import torch

from headstart.understand.architectures.skip_connections_chapter import (
    SKIP_CONNECTION_CLAIMS,
    VERDICT_TEXTS,
    build_skip_connections_chapter,
)
from headstart.understand.claims import Picture, Table


def copy_weights(network):
    return [tensor.clone() for tensor in network.state_dict().values()]


@pytest.fixture
def build(small_experiment):
    """A function that builds the chapter of a small experiment."""

    def build_chapter(subject, report_progress=str):
        return build_skip_connections_chapter(subject, report_progress, small_experiment)

    return build_chapter


class TestBuildSkipConnectionsChapter:
    def test_measures_every_claim(self, build, subject, small_experiment):
        before, progress = copy_weights(subject.network), []
        chapter = build(subject, progress.append)
        assert [claim.name for claim in chapter.claims] == list(SKIP_CONNECTION_CLAIMS)
        assert all(claim.verdict in ("holds", "depends", "fails") for claim in chapter.claims)
        assert len(progress) == len(set(progress)) == 5 * small_experiment.num_seeds
        assert [type(part) for part in chapter.content if not isinstance(part, str)] == [Picture, Picture, Table]
        assert all(torch.equal(a, b) for a, b in zip(before, copy_weights(subject.network), strict=True))
        assert all(parameter.grad is None for parameter in subject.network.parameters())

    def test_gives_the_same_numbers_twice(self, build, subject, small_experiment):
        numbers = build(subject).numbers
        assert json.dumps(numbers) == json.dumps(build(subject).numbers)
        shapes = {(len(kind["losses"]), len(run)) for kind in numbers["depth"] for run in kind["losses"]}
        assert shapes == {(small_experiment.num_seeds, small_experiment.steps)}

    def test_learns_predictions_of_unlabeled_images(self, build, subject):
        predictions = subject.network(subject.images).argmax(dim=1)
        depth = build(replace(subject, labels=None)).numbers["depth"]
        assert depth == build(replace(subject, labels=predictions)).numbers["depth"]

    def test_does_not_measure_images_of_one_label(self, build, subject):
        chapter = build(replace(subject, labels=torch.zeros(60, dtype=torch.int64)))
        assert {claim.verdict for claim in chapter.claims} == {"not measured"}
        assert all(claim.command for claim in chapter.claims)

    def test_has_a_text_for_every_verdict(self):
        assert set(VERDICT_TEXTS) == set(SKIP_CONNECTION_CLAIMS)
        assert all(set(texts) == {"holds", "depends", "fails"} for texts in VERDICT_TEXTS.values())
