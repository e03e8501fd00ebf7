"""Collects the findings in the images: of the audit before training, and of the runs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from headstart.file_names import encode_name
from headstart.runs.result import RunResult
from headstart.runs.run_directory import AUDIT_FILE, read_audits


def load_audit_findings(directory: Path) -> Iterator[dict[str, Any]]:
    """Yields the findings of each audited data set of the sweeps below ``directory``."""
    for path in sorted(directory.rglob(AUDIT_FILE)):
        for audit in read_audits(path.parent):
            try:
                yield {
                    "sweep": encode_name(path.resolve().parent.name),
                    "data": audit["name"],
                    "counts": dict(audit["counts"]),
                    "findings": [
                        {"kind": kind, **finding}
                        for kind, findings in audit["findings"].items()
                        for finding in findings
                    ],
                }
            except (ValueError, KeyError, TypeError, AttributeError):
                continue


def collect_skipped_files(results: Sequence[RunResult]) -> list[dict[str, str]]:
    """Collects the files that could not be read, each once."""
    reasons = {row["image"]: row["reason"] for result in results for row in result.skipped or []}
    return [{"image": image, "reason": reason} for image, reason in sorted(reasons.items())]
