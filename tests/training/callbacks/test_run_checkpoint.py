"""Tests of what a run leaves while it trains."""

import lightning as L
import pandas as pd
import pytest

from headstart.models import ScratchCNN
from headstart.runs import run_directory
from headstart.training.callbacks import RunCheckpoint


class FailingCallback(L.Callback):
    """Fails at the start of the third epoch."""

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 2:
            raise RuntimeError("failed")


class TestRunCheckpoint:
    def test_an_exception_leaves_the_rows_so_far(self, spec, loader, tmp_path):
        run_checkpoint = RunCheckpoint(tmp_path, "identity", has_validation=False, every_seconds=1e6)
        quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
        trainer = L.Trainer(max_epochs=4, callbacks=[FailingCallback(), run_checkpoint], **quiet)
        with pytest.raises(RuntimeError, match="failed"):
            trainer.fit(ScratchCNN(spec), loader)
        assert list(pd.read_csv(tmp_path / run_directory.METRICS_FILE)["epoch"]) == [0, 1]
        assert not run_directory.last_checkpoint_path(tmp_path).exists()
