"""What a report is made from, as a digest: where it is the same, the report need not be made again."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from headstart.compare.summary_table import SweepRuns
from headstart.reporting.html import PAGE_CSS
from headstart.runs import run_directory
from headstart.version import __version__

FINGERPRINTED_FILES = (
    run_directory.RESULT_FILE,
    run_directory.CONFIG_FILE,
    run_directory.PREDICTIONS_FILE,
    run_directory.SPLIT_FILE,
    run_directory.METRICS_FILE,
    run_directory.THUMBNAILS_FILE,
)


def report_fingerprint(sweep_runs: SweepRuns) -> str:
    """SHA-256 of the runs' and the audits' files, wherever they lie, and of what makes a report of them."""
    told = hashlib.sha256(__version__.encode())
    for path in _iter_files(sweep_runs):
        told.update(f"\0{path.parent.name}/{path.name}\0".encode(errors="surrogateescape"))
        told.update(hashlib.sha256(path.read_bytes()).digest() if path.is_file() else b"missing")
    return told.hexdigest()


def _iter_files(sweep_runs: SweepRuns) -> Iterator[Path]:
    yield from sorted(path for path in Path(__file__).parent.iterdir() if path.is_file())
    yield PAGE_CSS
    for directory in sweep_runs.directories:
        yield directory.resolve() / "report"  # it names the directories
        yield from sorted(directory.rglob(run_directory.AUDIT_FILE))
    for place, _ in [*sweep_runs.finished, *sweep_runs.duplicates, *sweep_runs.superseded, *sweep_runs.failures]:
        yield from (place / name for name in FINGERPRINTED_FILES)
    yield from (
        path.with_name(name) for path in sweep_runs.unreadable for name in (path.name, run_directory.CONFIG_FILE)
    )
    yield from (place / run_directory.IDENTITY_FILE for place in sweep_runs.incomplete)
