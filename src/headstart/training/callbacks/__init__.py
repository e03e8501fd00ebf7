"""Callbacks of a run: its checkpoint and its progress line."""

from headstart.training.callbacks.progress_line import ProgressLine
from headstart.training.callbacks.run_checkpoint import RunCheckpoint

__all__ = ["ProgressLine", "RunCheckpoint"]
