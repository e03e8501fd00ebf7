"""Statistics of a sweep: intervals, tests, verdicts, power."""
