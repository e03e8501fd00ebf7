"""The chapter of probes, likeness and weight change."""

import json
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch import nn

from headstart.understand.claims import Table
from headstart.understand.transfer.chapter import TRANSFER_CLAIMS, build_transfer_chapter
from headstart.understand.transfer.stage_comparison import calibrate_batch_norm, compare_stages


def said(subject):
    made = build_transfer_chapter(subject, lambda _: None)
    json.dumps(made.numbers, allow_nan=False)
    return {claim.name: claim for claim in made.claims}, made


@pytest.fixture
def tuned(subject):
    """A network whose second stage alone was retrained, and the one that it was before; a third of the labels is wrong,
    so that no probe comes near to 100 %."""
    labels = subject.labels.clone()
    labels[::3] = labels[::3].roll(1)
    network = deepcopy(subject.random_network)
    with torch.no_grad():
        network.conv2.weight += 2 * torch.randn(network.conv2.weight.shape, generator=torch.Generator().manual_seed(0))
    return replace(
        subject,
        network=network,
        pretrained_network=subject.random_network,
        labels=labels,
        train_mask=torch.zeros(60, dtype=torch.bool),
    )


class TestCompareStages:
    def test_finds_no_gain_in_an_unchanged_stage(self, tuned):
        first, _ = compare_stages(tuned, lambda _: None).accuracy_gains("trained", "pretrained")
        assert first.value == 0

    def test_calibrates_the_random_network(self, subject):
        """With running means of 1000 its ReLU lets nothing through: without calibration a probe reads nothing."""
        layers = [nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2)]
        network = nn.Sequential(*layers, nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten())
        network = nn.Sequential(*network, nn.Linear(72, 4)).eval()
        random = deepcopy(network)
        for norm in (random[1], random[4]):
            norm.running_mean.fill_(1000.0)
        found = compare_stages(replace(subject, network=network, random_network=random), lambda _: None)
        assert found.correct["random"][-1].mean() > 0.6

    def test_permuted_labels_give_chance(self, subject):
        found = compare_stages(subject, lambda _: None)
        assert min(right.mean() for right in found.correct["trained"]) > 0.8 and max(found.chance_accuracies) < 0.5

    def test_prefers_new_images(self, tuned):
        found = compare_stages(replace(tuned, train_mask=torch.arange(60) < 30), lambda _: None)
        assert found.is_held_out and found.num_images == 30


class TestCalibrateBatchNorm:
    def test_takes_the_statistics_of_the_images(self, subject):
        network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5))
        torch.manual_seed(7)
        copy = calibrate_batch_norm(network, subject.images[:33])
        after = torch.rand(1)
        torch.manual_seed(7)
        assert torch.equal(after, torch.rand(1))
        mean = network[0](subject.images[:32]).mean(dim=(0, 2, 3))
        assert torch.allclose(copy[1].running_mean, mean, atol=1e-4) and not network[1].running_mean.any()
        assert not copy.training


class TestAdvice:
    def test_rests_on_a_curve_if_there_is_one(self, tuned, curve_rows):
        _, made = said(replace(tuned, sweep=curve_rows()))
        words = [part for part in made.content if isinstance(part, str)]
        (advice,) = (text for text in words if text.startswith("Advice:"))
        assert "freeze up to stage 1 (conv1)" in advice and "given transferability curve" in advice
        assert words[-1].startswith("The probes alone would advise:")
        assert made.numbers["freeze"]["by_curve"] == 1 and len(made.numbers["freeze"]["frozen_against_tuning_all"]) == 3
        assert made.numbers["freeze"]["probes_tested"] in ("holds", "fails")

    def test_needs_no_probes_with_a_curve(self, subject, curve_rows):
        _, made = said(replace(subject, sweep=curve_rows()))
        assert made.content[-1].startswith("Advice: freeze up to stage 1")
        assert made.numbers["freeze"]["by_probes"] is None and "probes_tested" not in made.numbers["freeze"]

    def test_ignores_a_curve_of_other_images(self, subject, curve_rows):
        _, made = said(replace(subject, sweep=curve_rows(), data_name="flowers"))
        assert "There is no advice" in made.content[-1] and "by_curve" not in made.numbers["freeze"]


class TestBuildTransferChapter:
    def test_measures_every_claim(self, tuned):
        claims, made = said(tuned)
        assert list(claims) == list(TRANSFER_CLAIMS) and "not measured" not in {
            claim.verdict for claim in claims.values()
        }
        assert made.numbers["stages"] == ["conv1", "conv2"]
        assert made.numbers["cka"][0][0] == pytest.approx(1) and made.numbers["cka"][1][0] < 0.999
        assert made.numbers["weights"][0] == 0 < made.numbers["weights"][1]
        assert (
            made.numbers["commonest"] == 0.25
            and len(made.numbers["probes"]["pretrained"]) == 2
            and min(made.numbers["shuffled"]) < 0.5
        )
        assert any(text.startswith("Advice:") for text in made.content if isinstance(text, str))

    def test_does_not_hold_for_random_pretrained_weights(self, tuned):
        assert said(tuned)[0]["edge-detectors-serve-another-task"].verdict in ("fails", "depends")

    def test_does_not_change_the_network(self, tuned):
        before = deepcopy(tuned.network.state_dict())
        said(replace(tuned, network=tuned.network.train()))
        assert tuned.network.training and all(torch.equal(before[k], v) for k, v in tuned.network.state_dict().items())

    def test_has_no_advice_without_pretraining(self, subject):
        claims, made = said(subject)
        assert {claim.verdict for claim in claims.values()} == {"not measured"}
        assert all("model=finetune" in claim.command for claim in claims.values())
        assert "no advice on how many stages to freeze: this network was not pretrained" in made.content[-1]

    def test_measures_a_frozen_backbone_against_random_weights(self, tuned):
        claims, _ = said(replace(tuned, network=deepcopy(tuned.pretrained_network)))
        assert claims["edge-detectors-serve-another-task"].verdict != "not measured"
        assert claims["lowest-layers-are-universal"].value.startswith("the backbone never changed")
        assert claims["higher-layers-change-most"].verdict == "not measured"

    def test_decides_nothing_on_training_images(self, tuned):
        claims, made = said(replace(tuned, train_mask=torch.arange(60) < 40))
        assert claims["lowest-layers-are-universal"].verdict == "not measured" and not made.numbers["held_out"]
        assert any("too good" in text for text in made.content if isinstance(text, str))

    def test_measures_changes_without_labels(self, tuned):
        claims, made = said(replace(tuned, labels=None))
        assert claims["higher-layers-change-most"].verdict != "not measured"
        assert claims["edge-detectors-serve-another-task"].value == "too few images are labelled"
        assert [part.headers[2] for part in made.content if isinstance(part, Table)] == ["CKA"]

    def test_does_not_measure_images_that_are_too_easy(self, tuned, subject):
        claims, _ = said(replace(tuned, labels=subject.labels))
        for name in ("lowest-layers-are-universal", "edge-detectors-serve-another-task"):
            assert claims[name].verdict == "not measured" and "less room above it than the margin" in claims[name].value
            assert not claims[name].command, "another training leaves no more room"
