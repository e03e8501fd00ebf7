"""Loads the runs of sweeps and what is recorded beside them."""
