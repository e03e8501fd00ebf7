"""Compares the arms of sweeps from their run directories. Torch-free."""
