"""Infers the verdicts of a sweep: contrasts, tests, intervals, power."""
