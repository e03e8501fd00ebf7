"""`headstart refit`: from a finished sweep to a model that the other commands take."""

import json
from pathlib import Path

import pytest

import headstart
from headstart.backbones.model_card import training_summary
from headstart.cli import main
from headstart.cli.run_subject import build_subject, format_display_name
from headstart.compare.inference.analysis import analyze_sweep
from headstart.runs.checkpoint import resolve_checkpoint
from headstart.runs.refit_card import read_finished_refit


@pytest.fixture
def refit(sweep_once, capsys):
    """Runs the command on a tiny sweep; gives the sweep, the printed folder and what went to the error stream."""
    sweep, images = sweep_once()
    capsys.readouterr()
    assert main.run_cli(["refit", str(sweep)]) == 0
    printed = capsys.readouterr()
    return sweep, Path(printed.out.strip()), printed.err, images


class TestRefitAndPrint:
    def test_prints_the_folder_and_the_card(self, refit):
        sweep, folder, err, _ = refit
        card = read_finished_refit(folder)
        assert folder.parent == sweep and card.describe() in err
        assert (card.sweep, card.seeds, card.test_images, card.images) == ("sweep", (0, 1), 24, 120)
        assert card.low <= card.accuracy <= card.high and card.run.startswith("scratch_cnn-folder-20-seed")
        assert json.loads((folder / "refit.json").read_text())["note"] == card.describe()

    def test_reports_a_finished_refit(self, refit, capsys):
        sweep, folder, _, _ = refit
        assert main.run_cli(["refit", str(sweep)]) == 0
        printed = capsys.readouterr()
        assert printed.out.strip() == str(folder) and "done before, nothing trained" in printed.err

    def test_writes_where_it_is_asked_to(self, refit, tmp_path, capsys):
        sweep, folder, _, _ = refit
        assert main.run_cli(["refit", str(sweep), "--out", str(tmp_path / "model")]) == 0
        assert capsys.readouterr().out.strip() == str(tmp_path / "model")
        model, own = read_finished_refit(tmp_path / "model"), read_finished_refit(folder)
        assert model.identity == own.identity and own.command == f"headstart refit {sweep}"
        assert model.command == f"headstart refit {sweep} --out {tmp_path / 'model'}"

    def test_has_a_card_with_the_modules_that_it_needs(self, refit, tmp_path, capsys):
        sweep, _, _, _ = refit
        assert main.run_cli(["refit", str(sweep), "--out", str(tmp_path / "model"), "--import", "json"]) == 0
        assert read_finished_refit(tmp_path / "model").command.endswith("--import=json")

    def test_refuses_in_one_line(self, refit, capsys):
        _, folder, _, _ = refit
        assert main.run_cli(["refit", str(folder)]) == 1
        assert capsys.readouterr().err.count("\n") == 1


class TestUse:
    def test_predicts_and_gives_the_card(self, refit, capsys):
        _, folder, _, images = refit
        for model in (folder, resolve_checkpoint(folder)):
            assert main.run_cli(["predict", str(model), str(images / "class0" / "0.png"), "--json"]) == 0
            printed = capsys.readouterr()
            assert json.loads(printed.out)[0]["class"] in ("class0", "class1")
            assert read_finished_refit(folder).describe() in printed.err
        assert headstart.load(folder).spec.classes == ("class0", "class1")

    def test_counts_in_no_table(self, refit, capsys):
        sweep, folder, _, _ = refit
        runs = analyze_sweep(sweep).runs
        assert len(runs.finished) == 4 and not (runs.incomplete or runs.unreadable or runs.failed)
        for words in (["report", str(folder)], ["best", str(folder)]):
            assert main.run_cli(words) == 1
            assert "a model of headstart refit" in capsys.readouterr().err
        assert main.run_cli(["understand", str(folder), "--sweep", str(folder)]) == 1
        assert "holds no finished run" in capsys.readouterr().err

    def test_has_no_accuracy_as_starting_weights(self, refit):
        _, folder, _, _ = refit
        card, summary = read_finished_refit(folder), training_summary(folder)
        assert summary["accuracy"] is None and summary["note"] == card.describe()
        assert training_summary(resolve_checkpoint(folder)) == summary

    def test_is_explained_on_images_that_it_has_seen(self, refit):
        _, folder, _, _ = refit
        name = format_display_name(resolve_checkpoint(folder), folder)
        assert "refit on all images" in name
        subject, cautions = build_subject(headstart.load(folder), name, folder, None)
        assert subject.train_mask.all() and any("has seen all of these images" in caution for caution in cautions)
