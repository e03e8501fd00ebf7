"""The words of the page, and its layout."""

import json
import re
from pathlib import Path

import pytest

from headstart.compare.inference.analysis import analyze_sweep
from headstart.compare.report import text as text_module
from headstart.compare.report.charts import scale_intervals
from headstart.compare.report.content import write_report
from headstart.compare.report.html import render_report
from headstart.compare.report.terminal import print_analysis
from headstart.reporting.formats import format_percent, format_signed_points


class TestPageText:
    def test_has_each_section_with_its_content(self, fake_sweep, fake_command, visible):
        sweep = fake_sweep(compare={"margin": 0.01})
        fake_command(sweep)
        report = json.loads(write_report(sweep).with_name("report.json").read_text())
        data = report["data"][0]
        answer, evaluation, split, run = data["answers"][0], data["best_arm"], data["splits"][0], report["runs"][0]
        pair, same, row = answer["pairs"][0], evaluation["agreement"][0], evaluation["confusion"]["recall"][0]
        declared, recall = answer["declared"], format_percent(row["recall"])
        low, high = (format_signed_points(declared[key]) for key in ("low", "high"))
        shares = f"{format_percent(same['same'])} {format_percent(same['both_right'])}"
        parts = {
            "no verdict": "No verdict: there is none",
            "question": f"{answer['question']} {answer['answer']}",
            "declared contrast": "finetune minus scratch_backbone:",
            "difference of the verdict": f"{format_signed_points(answer['declared']['difference'])} points, ",
            "interval of the verdict": f"{low} to {high}",
            "conclusion": data["conclusions"][-1]["text"],
            "smaller budget": f"5 labels per class: {data['conclusions'][0]['brief']}",
            "next step": data["next_step"]["command"],
            "questions": " ".join(f"{item['question']} {item['answer']}" for item in data["questions"]),
            "pretraining": "Pretrained: ResNet-18 on photographs.",
            "arms in the running": f"Which approaches are still in the running? {answer['unbeaten_text']} 3 seeds, ",
            "price": "of memory",
            "arms": "The arms finetune: a pretrained network that goes on training on these images frozen:",
            "change of order": "Changes of order The order changes.",
            "cautions": f"Before you trust the answers {' '.join(report['cautions'])}",
            "heading of the pairs": "Differences of all pairs of arms first minus second labels per class",
            "pairs": f"{pair['first']} minus {pair['second']} 5 {format_signed_points(pair['difference'])} "
            f"{format_signed_points(pair['low'])} to {format_signed_points(pair['high'])} {pair['p_value']:.4f}",
            "confusion": " ".join(map(str, [row["class"], *evaluation["confusion"]["counts"][0], recall])),
            "calibration": f"{evaluation['arm']} {format_percent(evaluation['calibration'][0]['ece'])}",
            "agreement": f"{same['first']} and {same['second']} {shares}",
            "origins": "finetune and frozen start from: resnet18, weights embedded, trained on photographs, 45.5 %",
            "names in common": "It was trained on 3 classes; with names of yours: ant, bee",
            "splits": f"5 {split['train']} {split['val']} {split['test']} 3 20 1 0, 1, 2",
            "skipped": "1 file left out broken.png: is truncated",
            "command": run["command"],
            "versions": "cores 2, gpu none, system Linux; headstart 0.1.0, torch 2.13.0",
        }
        text = visible(
            render_report({**report, "no_verdict": "there is none", "next_steps": ["The order changes."]}, {})
        )
        assert report["cautions"] and len(data["questions"]) == 2
        assert [section for section, part in parts.items() if part not in text] == []

    def test_names_a_metric_other_than_accuracy(self, fake_sweep, capsys, visible):
        sweep = fake_sweep(budgets=(5,), compare={"metric": "balanced_accuracy"})
        text = visible(write_report(sweep).read_text())
        print_analysis(analyze_sweep(sweep))
        for part in (
            "points of balanced accuracy, ",
            "points of balanced accuracy interval",
            " % balanced accuracy (",
            "Plain accuracy on the sealed",
            "Which approaches are still in the running by balanced accuracy?",
            "use balanced accuracy; the table shows plain accuracy.",
        ):
            assert part in text
        report = capsys.readouterr().out
        for part in (
            "points of balanced accuracy (",
            "in the running by balanced accuracy?",
            "use balanced accuracy; the table shows plain accuracy.",
        ):
            assert part in report
        plain = fake_sweep(budgets=(5,), sweep="plain").with_name("plain")
        assert "balanced accuracy" not in visible(write_report(plain).read_text())

    def test_refers_to_the_protocol_by_its_title(self, fake_sweep, visible):
        first = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text().splitlines()[0]
        title = first.removeprefix("# Protocol: ")
        assert f"“{title[0].upper()}{title[1:]}”" in text_module.PROTOCOL_REFERENCE
        text = visible(write_report(fake_sweep(budgets=(5,), seeds=(0,))).read_text())
        assert text.count(text_module.PROTOCOL_REFERENCE) == 2 and "of Headstart" in text_module.PROTOCOL_REFERENCE


class TestFirstScreen:
    def test_has_what_to_use_how_good_it_is_and_its_cost(self, fake_sweep, visible):
        page = write_report(fake_sweep(budgets=(None,), settings={"data.image_size": 128}))
        report = json.loads(page.with_name("report.json").read_text())
        (data,) = report["data"]
        text = visible(page.read_text()).partition("The verdicts")[0]
        (answer,) = data["answers"]
        parts = [data["conclusions"][0]["text"], *(item["answer"] for item in data["questions"]), report["refit"]]
        for row in answer["arms"]:
            (cost,) = (cost for cost in data["table"] if cost["arm"] == row["arm"])
            parts += [row["arm"], f"{cost['seconds']:.1f} s"]
            parts += [format_percent(row[key]) for key in ("mean", "low", "high")]
        parts += [f"{format_percent(answer['guess'])} %", "Pretrained: ResNet-18 on photographs, at 128 pixels."]
        assert [part for part in parts if part not in text] == []

    def test_has_no_command_for_a_model_of_an_unfinished_sweep(self, fake_sweep, fake_command, missing_run, visible):
        sweep = fake_sweep(budgets=(5,))
        fake_command(sweep, [*sweep.glob("*-photos-*"), missing_run(seed=9)])
        page = write_report(sweep)
        assert json.loads(page.with_name("report.json").read_text())["refit"] is None
        assert "refit" not in visible(page.read_text()).partition("The verdicts")[0]


class TestScaleIntervals:
    def test_places_arms_and_guessing_on_one_axis(self):
        arms = [
            {"arm": "a", "mean": 0.9, "low": 0.85, "high": 0.95},
            {"arm": "b", "mean": 0.5, "low": 0.3, "high": 0.7},
        ]
        scale = scale_intervals({"arms": arms, "guess": 0.1})
        first, second = scale["arms"]["a"], scale["arms"]["b"]
        assert 0 <= scale["guess"] < second["left"] < second["mean"] < first["left"] < first["mean"] < 100
        width = 100 * (0.95 - 0.1) / (scale["high"] - scale["low"])
        assert first["left"] + first["width"] - scale["guess"] == pytest.approx(width)

    def test_ends_at_zero_and_one(self):
        arms = [{"arm": "a", "mean": 0.5, "low": 0.0, "high": 1.0}]
        scale = scale_intervals({"arms": arms, "guess": 0.5})
        assert (scale["low"], scale["high"]) == (0.0, 1.0)
        assert scale["arms"]["a"] == {"mean": 50.0, "left": 0.0, "width": 100.0}


class TestPageLayout:
    def test_scrolls_each_table(self, fake_sweep):
        text = write_report(fake_sweep(budgets=(5,), seeds=(0,))).read_text()
        assert text.count("<table") == len(re.findall(r'<div class="scroll"[^>]*>\s*<table', text)) > 5

    def test_draws_charts_in_the_colors_of_the_page(self, fake_sweep):
        text = write_report(fake_sweep()).read_text()
        charts = re.findall(r"<figure>.*?</figure>", text, flags=re.DOTALL)
        assert len(charts) == 7  # labels, seconds, loss and validation at two budgets, calibration
        for chart in charts:
            assert 'role="img" aria-label="' in chart and "var(--arm-" in chart and "currentColor" in chart
            assert not re.search(r"#[0-9a-f]{6}", chart)
            assert "font-family" not in chart and "metadata" not in chart

    def test_stays_small_with_many_classes_and_images(self, fake_run, tmp_path):
        classes = [f"class number {k}" for k in range(200)]
        for arm in ("finetune", "scratch_backbone"):
            fake_run(arm, classes=classes, images=50_000)
        page = write_report(tmp_path / "sweep")
        assert sum(path.stat().st_size for path in page.parent.glob("report.*")) < 5_000_000
        assert "Most frequent errors" in page.read_text()
