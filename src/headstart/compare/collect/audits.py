"""What was found in the images themselves: by an audit before the training, and by the runs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from headstart.compare.arm_names import RunResult
from headstart.file_names import encode_name
from headstart.runs import run_directory


def load_audit_findings(directory: Path) -> Iterator[dict[str, Any]]:
    """What was found in the images of the sweeps below ``directory``, a data set after the other."""
    for path in sorted(directory.rglob(run_directory.AUDIT_FILE)):
        for audit in run_directory.read_audits(path.parent):
            try:
                findings = [{"kind": kind, **found} for kind, every in audit["findings"].items() for found in every]
                yield {
                    "sweep": encode_name(path.resolve().parent.name),
                    "data": audit["name"],
                    "counts": dict(audit["counts"]),
                    "findings": findings,
                }
            except (ValueError, KeyError, TypeError, AttributeError):
                continue


def collect_skipped_files(results: Sequence[RunResult]) -> list[dict[str, str]]:
    """Files that could not be read and were left out, each once."""
    every = {row["image"]: row["reason"] for result in results for row in result.get("skipped") or []}
    return [{"image": image, "reason": reason} for image, reason in sorted(every.items())]
