"""What a report is made from, as a digest: where it is the same, the report need not be made again."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from headstart.compare.summary_table import Found
from headstart.reporting.html import STYLE
from headstart.runs import run_directory
from headstart.version import __version__

KEPT = (
    run_directory.RESULT,
    run_directory.CONFIG,
    run_directory.PREDICTIONS,
    run_directory.SPLIT,
    run_directory.METRICS,
    run_directory.THUMBNAILS,
)


def digest(every: Found) -> str:
    """SHA-256 of the runs' and the audits' files, wherever they lie, and of what makes a report of them."""
    told = hashlib.sha256(__version__.encode())
    for path in _files(every):
        told.update(f"\0{path.parent.name}/{path.name}\0".encode(errors="surrogateescape"))
        told.update(hashlib.sha256(path.read_bytes()).digest() if path.is_file() else b"missing")
    return told.hexdigest()


def _files(every: Found) -> Iterator[Path]:
    yield from sorted(path for path in Path(__file__).parent.iterdir() if path.is_file())
    yield STYLE
    for directory in every.directories:
        yield directory.resolve() / "report"  # it names the directories
        yield from sorted(directory.rglob(run_directory.AUDIT))
    for place, _ in [*every.finished, *every.again, *every.superseded, *every.failures]:
        yield from (place / name for name in KEPT)
    yield from (path.with_name(name) for path in every.unreadable for name in (path.name, run_directory.CONFIG))
    yield from (place / run_directory.IDENTITY for place in every.begun)
