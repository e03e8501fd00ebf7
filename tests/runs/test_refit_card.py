"""The card of a refit marks its folder, and says whose figure it gives."""

from dataclasses import replace

import pytest

from headstart.errors import HeadstartError
from headstart.runs.refit_card import (
    find_refit_card,
    read_finished_refit,
    read_refit_card,
    write_refit_card,
)
from headstart.runs.result import iter_results
from headstart.runs.run_directory import IDENTITY_FILE, REFIT_FILE, best_checkpoint_path, find_incomplete_runs


class TestReadRefitCard:
    def test_reads_what_was_written(self, tmp_path, refit_card):
        write_refit_card(tmp_path, refit_card)
        assert read_refit_card(tmp_path) == read_finished_refit(tmp_path) == refit_card

    def test_of_a_begun_refit_is_not_finished(self, tmp_path, refit_card):
        write_refit_card(tmp_path, replace(refit_card, status="begun"))
        assert read_refit_card(tmp_path).status == "begun" and read_finished_refit(tmp_path) is None

    def test_is_none_without_a_card(self, tmp_path):
        assert read_refit_card(tmp_path) is None and read_refit_card(tmp_path / "nowhere") is None

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"status": "finished"}'])
    def test_names_a_damaged_card(self, tmp_path, text):
        (tmp_path / REFIT_FILE).write_text(text)
        with pytest.raises(HeadstartError, match=f"{REFIT_FILE}: not the card of a refit"):
            read_refit_card(tmp_path)


class TestDescribe:
    def test_gives_the_figure_and_whose_it_is(self, refit_card):
        line = refit_card.describe()
        for part in ("frozen on birds", "91.2 ± 1.2 %", "359 test images", "88.0 to 94.0", "seeds 0 and 1"):
            assert part in line
        assert "20 labels per class" in line and "sweep-birds" in line and "not measured on this model" in line

    def test_of_one_seed_has_no_spread(self, refit_card):
        line = replace(refit_card, spread=None, seeds=(3,), labels_per_class=None, folds=5).describe()
        assert "±" not in line and "seed 3" in line and "all labels" in line and "5 folds" in line


class TestFindRefitCard:
    def test_finds_that_of_a_folder_and_of_its_checkpoint(self, tmp_path, refit_card):
        write_refit_card(tmp_path, refit_card)
        best_checkpoint_path(tmp_path).parent.mkdir()
        best_checkpoint_path(tmp_path).touch()
        assert find_refit_card(tmp_path) == find_refit_card(best_checkpoint_path(tmp_path)) == refit_card
        assert find_refit_card(tmp_path / "other.ckpt") is None


def test_a_refit_is_no_run(tmp_path, refit_card):
    (tmp_path / IDENTITY_FILE).write_text("1a2b")
    assert list(find_incomplete_runs(tmp_path)) == [tmp_path]
    write_refit_card(tmp_path, replace(refit_card, status="begun"))
    assert not list(find_incomplete_runs(tmp_path)) and not list(iter_results(tmp_path))
