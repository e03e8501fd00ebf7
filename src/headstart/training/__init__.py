"""One run: set-up, callbacks, evaluation, tuning, cost."""
