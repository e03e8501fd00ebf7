"""The files of a run directory and of a sweep directory."""
