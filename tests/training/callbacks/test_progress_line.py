"""Tests of the progress line."""

import lightning as L
import pytest

from headstart.models import ScratchCNN
from headstart.training.callbacks import ProgressLine


@pytest.fixture
def read_lines(spec, loader, capsys):
    """A function that returns the lines of a run of two epochs with two batches each."""

    def run(refresh_seconds=None, prepare=lambda line: None, seconds_left=600.0, stop_at=None, **options):
        line = ProgressLine("[1/3] scratch_cnn", 12, seconds_left, stop_at, refresh_seconds)
        prepare(line)
        trainer = L.Trainer(
            max_epochs=2,
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            callbacks=[line],
            **options,
        )
        model = ScratchCNN(spec)
        trainer.fit(model, loader)
        trainer.test(model, loader, verbose=False)
        return [line for line in capsys.readouterr().err.splitlines() if "scratch_cnn" in line]

    return run


class TestProgressLine:
    def test_a_file_gets_one_line_at_each_end(self, read_lines):
        first, last = read_lines()
        assert first == "[1/3] scratch_cnn: 12 images, 2 epochs"
        assert last.startswith("[1/3] scratch_cnn: accuracy ")

    def test_shows_epoch_speed_and_time_left(self, read_lines):
        _, *between, _ = read_lines(refresh_seconds=0.0)
        assert len(between) == 4
        assert between[0].startswith("[1/3] scratch_cnn: epoch 1/2, ")
        assert " images/s, 10 min left" in between[-1]

    def test_a_sweep_with_a_limit_has_no_more_time_left(self, read_lines):
        _, *between, _ = read_lines(refresh_seconds=0.0, stop_at=0.0)
        assert all(line.endswith(" images/s, 0 s left") for line in between)

    def test_says_where_the_time_is_that_of_the_run(self, read_lines):
        _, *between, _ = read_lines(refresh_seconds=0.0, seconds_left=None)
        assert all(line.endswith(" left in this run") for line in between)

    def test_prints_nothing_while_it_is_disabled(self, read_lines):
        assert read_lines(prepare=lambda line: line.disable()) == []
        assert len(read_lines(prepare=lambda line: (line.disable(), line.enable()))) == 2
