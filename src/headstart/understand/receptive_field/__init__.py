"""Receptive fields: theoretical, measured and effective."""
