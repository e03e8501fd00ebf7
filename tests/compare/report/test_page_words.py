"""What the page says, in which words, and how it is built."""

import json
import re
from pathlib import Path

import pytest

from headstart.compare.inference.analysis import analyze_sweep
from headstart.compare.report import text as words
from headstart.compare.report.content import write_report
from headstart.compare.report.html import render_report
from headstart.compare.report.terminal import print_analysis
from headstart.reporting.html import format_percent, format_si, format_signed_points


def test_every_section_stands_on_the_page_with_what_it_has_to_say(fake_sweep, visible):
    said = json.loads(write_report(fake_sweep(compare={"margin": 0.01})).with_name("report.json").read_text())
    data = said["data"][0]
    answer, look, split, run = data["answers"][0], data["closer"], data["splits"][0], said["runs"][0]
    pair, same, row = answer["pairs"][0], look["agreement"][0], look["confusion"]["recall"][0]
    shown_in = {
        "no verdict": "No verdict: there is none",
        "question": f"{answer['question']} {answer['helped']}",
        "declared contrast": "finetune minus scratch_backbone:",
        "difference of the verdict": f"{format_signed_points(answer['declared']['difference'])} points, ",
        "interval of the verdict": f"{format_signed_points(answer['declared']['low'])} to {format_signed_points(answer['declared']['high'])}",
        "what nothing beat": f"Which arms did nothing beat? {answer['unbeaten']} 3 seeds, 60 test images",
        "frozen loss": answer["frozen_loss"],
        "price": "of memory",
        "arms": "The arms finetune: a pretrained network that goes on training on these images frozen:",
        "next steps": f"What to do next {' '.join(said['next_steps'])}",
        "cautions": f"Before you trust it {' '.join(said['cautions'])}",
        "heading of the pairs": "The difference of every two arms first minus second labels per class",
        "pairs": f"{pair['first']} minus {pair['second']} 5 {format_signed_points(pair['difference'])} "
        f"{format_signed_points(pair['low'])} to {format_signed_points(pair['high'])} {pair['p_value']:.4f}",
        "confusion": " ".join(map(str, [row["class"], *look["confusion"]["counts"][0], format_percent(row["recall"])])),
        "calibration": f"{look['arm']} {format_percent(look['calibration'][0]['ece'])}",
        "agreement": f"{same['first']} and {same['second']} {format_percent(same['same'])} {format_percent(same['both_right'])}",
        "origins": "finetune and frozen begin from: resnet18, weights embedded, trained on photographs, 45.5 %",
        "names in common": "It saw 3 classes; of the same name as yours: ant, bee",
        "splits": f"5 {split['train']} {split['val']} {split['test']} 3 20 1 0, 1, 2",
        "skipped": "1 file left out broken.png: is truncated",
        "command": run["command"],
        "versions": "cores 2, gpu none, system Linux; headstart 0.1.0, torch 2.13.0",
    }  # fmt: skip
    text = visible(render_report({**said, "no_verdict": "there is none"}, {}, ""))
    assert said["next_steps"] and said["cautions"]
    assert [section for section, told in shown_in.items() if told not in text] == []


def test_a_metric_that_is_not_accuracy_is_named_wherever_it_counts(fake_sweep, capsys, visible):
    sweep = fake_sweep(budgets=(5,), compare={"metric": "balanced_accuracy"})
    text = visible(write_report(sweep).read_text())
    print_analysis(analyze_sweep(sweep))
    for part in ("points of balanced accuracy, ", "points of balanced accuracy interval",
                 "points of balanced accuracy (to", "Plain accuracy on the sealed",
                 "Which arms did nothing beat by balanced accuracy?",
                 "go by balanced accuracy; the table shows plain accuracy."):  # fmt: skip
        assert part in text
    said = capsys.readouterr().out
    for part in ("intervals in points of balanced accuracy", "beat by balanced accuracy?", "balanced accuracy (to",
                 "go by balanced accuracy; the table shows plain accuracy."):  # fmt: skip
        assert part in said
    plain = fake_sweep(budgets=(5,), sweep="plain").with_name("plain")
    assert "balanced accuracy" not in visible(write_report(plain).read_text())


def test_a_difference_that_rounds_to_nothing_has_no_minus():
    assert format_signed_points(-0.0001) == "+0.0" and format_signed_points(-0.001) == "−0.1"


def test_the_page_names_the_protocol_by_its_title(fake_sweep, visible):
    first = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text().splitlines()[0]
    title = first.removeprefix("# Protocol: ")
    assert f"“{title[0].upper()}{title[1:]}”" in words.PROTOCOL_REFERENCE
    text = visible(write_report(fake_sweep(budgets=(5,), seeds=(0,))).read_text())
    assert text.count(words.PROTOCOL_REFERENCE) == 2 and "of Headstart" in words.PROTOCOL_REFERENCE


def test_every_table_can_be_scrolled_where_it_is_wider_than_a_phone(fake_sweep):
    text = write_report(fake_sweep(budgets=(5,), seeds=(0,))).read_text()
    assert text.count("<table") == len(re.findall(r'<div class="scroll"[^>]*>\s*<table', text)) > 5


def test_the_same_runs_give_the_same_bytes(fake_sweep):
    sweep = fake_sweep(seeds=(0,))
    assert write_report(sweep).read_bytes() == write_report(sweep).read_bytes()


def test_charts_take_the_pages_colours_and_say_what_they_show(fake_sweep):
    text = write_report(fake_sweep()).read_text()
    charts = re.findall(r"<figure>.*?</figure>", text, flags=re.DOTALL)
    assert len(charts) == 7  # labels, seconds, loss and validation at two budgets, calibration
    for chart in charts:
        assert 'role="img" aria-label="' in chart and "var(--arm-" in chart and "currentColor" in chart
        assert not re.search(r"#[0-9a-f]{6}", chart)
        assert "font-family" not in chart and "metadata" not in chart


def test_many_classes_and_images_make_no_large_page(fake_run, tmp_path):
    classes = [f"class number {k}" for k in range(200)]
    for arm in ("finetune", "scratch_backbone"):
        fake_run(arm, classes=classes, images=50_000)
    page = write_report(tmp_path / "sweep")
    assert sum(path.stat().st_size for path in page.parent.glob("report.*")) < 5_000_000
    assert "What it takes for what most often" in page.read_text()


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (254592, "255 k"), (22246400, "22.2 M"), (1102393344, "1.10 G"), (7, "7"), (999_999, "1.00 M")],
)
def test_large_numbers_have_three_figures(value, text):
    assert format_si(value) == text
