"""What a person sees while a run trains."""

import lightning as L
import pytest

from headstart.models import ScratchCNN
from headstart.training.callbacks import progress_line


@pytest.fixture
def shown(spec, loader, capsys, monkeypatch):
    """The lines of a run of two epochs; ``between``: seconds between two of its lines."""

    def run(between):
        monkeypatch.setattr(progress_line, "SECONDS_BETWEEN_LINES", {True: between, False: between})
        trainer = L.Trainer(
            max_epochs=2,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[progress_line.ProgressLine("[1/3] scratch_cnn", num_images=12, seconds_left=600.0)],
        )
        model = ScratchCNN(spec)
        trainer.fit(model, loader)
        trainer.test(model, loader, verbose=False)
        return [line for line in capsys.readouterr().err.splitlines() if "scratch_cnn" in line]

    return run


def test_a_file_gets_a_line_when_a_run_begins_and_one_when_it_ends(shown):
    begins, ends = shown(between=60.0)
    assert begins == "[1/3] scratch_cnn: 12 images, 2 epochs"
    assert ends.startswith("[1/3] scratch_cnn: accuracy ")


def test_long_work_says_in_between_how_far_it_is_how_fast_and_what_is_left(shown):
    _, *between, _ = shown(between=-1.0)
    assert len(between) == 4  # two batches in each of two epochs
    assert between[0].startswith("[1/3] scratch_cnn: epoch 1/2, ")
    assert " images/s, 10 min left" in between[-1]
