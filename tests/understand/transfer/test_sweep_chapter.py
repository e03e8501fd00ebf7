"""The chapter that reads a sweep."""

import json
from dataclasses import replace

import pytest

from headstart.understand.architectures import architecture_gains
from headstart.understand.transfer.sweep_chapter import CLAIMS, build_sweeps_chapter


def result(model, seed, accuracy=0.8, loss=0.5, data="digits", labels=5, **settings):
    return {
        "status": "finished",
        "model": model,
        "data": data,
        "labels_per_class": labels,
        "seed": seed,
        "settings": {f"model.{name}": value for name, value in settings.items()},
        "starts": {} if model.startswith("scratch") else {"backbone": {"weights": "embedded"}},
        "metrics": {"test/accuracy": accuracy, "test/log_loss": loss},
        "training": {"loss": 0.01},
    }


def curve(first=0.8):
    ways = {"frozen": [0.8, first, 0.4], "finetuned": [0.8, 0.805, 0.9], "random_frozen": [0.8, 0.5, 0.2]}
    return [
        result("partial_transfer", seed, accuracies[kept] + 0.001 * (seed * kept % 2), num_stages=kept, mode=way)
        for way, accuracies in ways.items()
        for kept in range(3)
        for seed in range(3)
    ]


def comparison(scratch=1.5):
    return [
        result(model, seed, loss=loss + 0.01 * (seed % 2))
        for model, loss in {"scratch_cnn": scratch, "finetune": 0.6, "frozen": 0.4}.items()
        for seed in range(3)
    ]


@pytest.fixture
def said(subject):
    """A function that gives the claims and the chapter of a sweep's runs."""

    def say(rows, data="digits"):
        made = build_sweeps_chapter(replace(subject, sweep=rows, data_name=data), lambda _: None)
        json.dumps(made.numbers, allow_nan=False)
        return {claim.name: claim for claim in made.claims}, made

    return say


def test_without_a_sweep_nothing_is_measured_and_each_claim_says_the_command(said):
    claims, made = said(None)
    assert set(claims) == set(CLAIMS) and {claim.verdict for claim in claims.values()} == {"not measured"}
    assert "experiment=transferability" in claims["lower-layers-transfer"].command
    assert "experiment=compare" in claims["scratch-overfits"].command and "--sweep" in made.content[0]


def test_a_curve_and_a_comparison_measure_their_claims(said):
    claims, made = said(curve() + comparison())
    assert {claim.verdict for name, claim in claims.items() if name != architecture_gains.CLAIM_NAME} == {"holds"}
    assert claims["lower-layers-transfer"].interval is not None and not claims["lower-layers-transfer"].command
    assert any("surgical" in text for text in made.content if isinstance(text, str))
    assert made.numbers["frozen"]["over_scratch"][0] == pytest.approx(0, abs=0.01)
    assert (made.numbers["cases"], made.numbers["overfit"]) == (1, 1)
    assert [round(gap["accuracy"][0], 3) for gap in made.numbers["gaps"]] == [0.8] * 3


def test_the_arc_measures_its_own(said):
    rising = {"lenet": 0.7, "alexnet": 0.8, "scratch_backbone": 0.9}
    rows = [result(model, seed, accuracy + seed / 100) for model, accuracy in rising.items() for seed in range(3)]
    assert said(rows)[0][architecture_gains.CLAIM_NAME].verdict == "holds"
    assert said(curve() + comparison())[0][architecture_gains.CLAIM_NAME].verdict == "not measured"


def test_planted_sweeps_fail_the_claims(said):
    claims, _ = said(curve(first=0.6) + comparison(scratch=0.2))
    assert {claim.verdict for name, claim in claims.items() if name != architecture_gains.CLAIM_NAME} == {"fails"}


def test_one_kind_of_sweep_leaves_the_other_claims_unmeasured(said):
    assert said(comparison())[0]["lower-layers-transfer"].verdict == "not measured"
    assert said(curve())[0]["scratch-overfits"].verdict == "not measured"
    assert {claim.verdict for claim in said([])[0].values()} == {"not measured"}


def test_failed_runs_and_those_of_other_images_or_settings_do_not_count(said):
    failed = {"status": "failed", "model": "finetune", "data": "digits"}
    others = [{**row, "data": "flowers"} for row in comparison(scratch=0.2)]
    tried = result("scratch_cnn", 0, loss=0.1, lr=1.0)
    claims, made = said([failed, *curve(), *comparison(), *others, tried])
    assert claims["scratch-overfits"].verdict == "holds"
    assert made.content[0] == "10 runs are of other images or settings than those read here, and left out."


def test_every_verdict_says_of_which_images_it_is(said):
    claims, made = said(curve() + comparison(), data="digits")
    measured = [claim.value for claim in claims.values() if claim.verdict != "not measured"]
    assert len(measured) == 3 and all(value.startswith("on digits: ") for value in measured)
    assert not made.numbers["other_images"]


@pytest.mark.parametrize(("data", "classes"), [("flowers", None), ("digits", ["rose", "tulip"])])
def test_a_sweep_of_other_images_is_not_told_as_the_networks_own(said, data, classes):
    rows = [{**row, "data": data, "classes": classes} for row in curve() + comparison()]
    claims, made = said(rows, data="digits")
    measured = [claim.value for claim in claims.values() if claim.verdict != "not measured"]
    assert len(measured) == 3 and all(v.startswith(f"on {data}, not the images of this network: ") for v in measured)
    assert "this network was trained on other images" in made.content[0] and made.numbers["other_images"]


def test_runs_of_the_networks_own_images_are_read_before_more_numerous_ones_of_others(said):
    others = [{**row, "data": "flowers"} for row in curve() + comparison(scratch=0.2)]
    overfits = said(others + comparison(), data="digits")[0]["scratch-overfits"]
    assert overfits.value.startswith("on digits: ") and overfits.verdict == "holds"


def test_a_checkpoint_that_does_not_say_its_images_is_held_to_its_classes_alone(said):
    assert not said(comparison(), data="")[1].numbers["other_images"]
    other = [{**row, "classes": ["rose"]} for row in comparison()]
    assert said(other, data="")[1].numbers["other_images"]


def test_a_curve_without_depth_decides_nothing(said):
    shallow = [row for row in curve() if row["settings"]["model.num_stages"] < 2]
    assert said([row for row in shallow if row["settings"]["model.num_stages"]])[0][
        "only-higher-layers-adapt"
    ].verdict == ("not measured")


def test_the_curve_is_that_of_the_smallest_budget(said):
    more = [{**row, "labels_per_class": 20} for row in curve(first=0.6)]
    assert said(more + curve())[0]["lower-layers-transfer"].verdict == "holds"


def test_one_seed_gives_no_interval_and_decides_nothing(said):
    claims, _ = said([row for row in curve() + comparison() if row["seed"] == 0])
    assert {claim.verdict for name, claim in claims.items() if name != architecture_gains.CLAIM_NAME} == {"depends"}
    assert claims["scratch-overfits"].interval is None


def test_runs_without_their_training_loss_are_named_with_what_makes_it(said):
    old = [{key: value for key, value in row.items() if key != "training"} for row in comparison()]
    claims, made = said(old)
    assert claims["scratch-overfits"].verdict == "not measured"
    assert (
        claims["scratch-overfits"].value.startswith("9 of 9 runs hold no loss") and "training.loss" in made.content[0]
    )
    assert made.content[0].endswith("headstart-train experiment=compare.")
    claims, made = said(old[:1] + comparison()[1:])
    assert claims["scratch-overfits"].verdict == "holds" and made.content[0].startswith("1 of 9 runs")
    assert not any("training.loss" in part for part in said(comparison())[1].content if isinstance(part, str))
