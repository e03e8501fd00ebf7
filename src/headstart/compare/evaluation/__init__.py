"""What the predictions of an arm say: calibration, confusion, agreement, errors."""
