"""Evaluates an arm's predictions: confusion, calibration, errors, agreement, learning curves."""
