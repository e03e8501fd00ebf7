"""Audits a folder of images: finds what may be wrong with them before a model trains. Torch-free."""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from headstart.data.audit import checks
from headstart.data.audit.checks import Finding
from headstart.data.audit.near_duplicates import Fingerprint, compute_fingerprint
from headstart.data.depth_choice import DepthChoice, find_depth
from headstart.data.layout.class_folders import ClassFolder
from headstart.data.layout.layout import read_layout
from headstart.data.layout.scan import LabeledFile, list_class_files, relative_name
from headstart.data.paths import resolve_root
from headstart.data.threads import thread_map
from headstart.decoding.bit_depth import DepthError
from headstart.decoding.decoder import has_image_suffix, is_deep_file
from headstart.file_names import encode_name
from headstart.reporting.finding_kinds import FINDING_KINDS

MAX_EXAMPLES = 20  # of each kind, in a summary


@dataclass(frozen=True)
class Audit:
    """The result of an audit.

    Args:
        name: name of the folder.
        images: number of readable images.
        classes: number of readable images by class and part (an empty name for data without parts).
        findings: all findings, sorted by kind in the order of ``FINDING_KINDS``.
        pair_counts: number of pairs with similar perceptual hashes (``candidates``), of those ``compared``, of those
            that look the same (``pairs``), almost surely (``sure``) or ``perhaps``, and of those with two labels
            (``mislabelled``) or in two parts (``cross_split``).
        depth: one line on how images deeper than 8 bits are read; empty if there are none.
    """

    name: str
    images: int
    classes: dict[str, dict[str, int]]
    findings: list[Finding]
    pair_counts: dict[str, int]
    depth: str = ""

    def findings_of(self, kind: str) -> list[Finding]:
        return [finding for finding in self.findings if finding.kind == kind]

    @property
    def counts(self) -> dict[str, int]:
        """Number of findings of each kind that occurs; of near-duplicates also those that are not listed."""
        counts = Counter(finding.kind for finding in self.findings) | Counter(near_duplicate=self.pair_counts["pairs"])
        return {kind: counts[kind] for kind in FINDING_KINDS if counts[kind]}

    def to_dict(self, limit: int | None = None) -> dict[str, Any]:
        """Plain values for JSON: all counts, and of each kind at most ``limit`` findings of at most ``limit`` paths."""
        return {
            "name": self.name,
            "images": self.images,
            "classes": self.classes,
            "counts": self.counts,
            "alike": self.pair_counts,
            "depth": self.depth,
            "findings": {
                kind: [
                    {"paths": list(finding.paths[:limit]), "text": finding.text}
                    for finding in self.findings_of(kind)[:limit]
                ]
                for kind in self.counts
            },
        }

    @property
    def pairs_summary(self) -> str:
        """One or two sentences on the pairs that look the same."""
        counts, pairs = self.pair_counts, self.pair_counts["pairs"]
        summary = (
            f"{counts['candidates']:,} pair{'s have' if counts['candidates'] != 1 else ' has'} similar hashes; "
            f"of {counts['compared']:,} compared, {pairs:,} look the same: {counts['sure']:,} almost surely, "
            f"{counts['perhaps']:,} perhaps ({counts['mislabelled']:,} under two labels, "
            f"{counts['cross_split']:,} in two parts)."
        )
        if pairs > self.images or 10 * counts["perhaps"] > self.images:  # copies are seldom so many
            summary += " So many are a sign of images that are alike by nature: look before you believe them."
        return summary

    def summary(self) -> dict[str, Any]:
        """The part that a report shows: all counts, and at most twenty findings of each kind."""
        return self.to_dict(MAX_EXAMPLES)


def audit_folder(root: str | Path) -> Audit:
    """Audits all images of ``root/<class>/*`` or ``root/{train,val,test}/<class>/*``; writes nothing.

    Raises:
        HeadstartError: there is no such folder, or its layout cannot be determined.
    """
    folder = resolve_root(root)
    layout = read_layout(folder)
    files, file_findings = _collect_files(folder, layout.classes)
    names, readable, fingerprints = [], [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow on odd metadata, or on a photograph that is merely large
        paths = [file.path for file in files]
        try:
            depth, depth_errors = find_depth(paths)
        except DepthError as error:
            depth = DepthChoice()
            depth_errors = {i: str(error) for i, path in enumerate(paths) if is_deep_file(path)}
        fingerprint = partial(compute_fingerprint, depth=depth.name)
        results = list(thread_map(fingerprint, paths, "looking at images"))
    for i, (file, result) in enumerate(zip(files, results, strict=True)):
        if isinstance(result, Fingerprint):
            names.append(file.name)
            readable.append(file)
            fingerprints.append(result)
        else:
            kind = "unreadable" if has_image_suffix(file.path) else "no_image"
            file_findings.append(Finding(kind, (file.name,), depth_errors.get(i, result)))
    counts: dict[str, dict[str, int]] = {}
    for class_folder in sorted(layout.classes, key=lambda class_folder: encode_name(class_folder.name)):
        counts.setdefault(encode_name(class_folder.name), {})[class_folder.part] = 0
    for file in readable:
        counts[file.label][file.part] += 1
    near_copies, pair_counts = checks.find_near_copies(names, readable, fingerprints)
    findings = [
        *checks.find_layout_findings(layout),
        *file_findings,
        *checks.find_exact_copies(names, readable, fingerprints),
        *near_copies,
        *checks.find_odd_sizes(names, fingerprints),
        *checks.find_class_problems(folder, layout.classes, counts),
        *checks.find_ignored_images(layout),
        *checks.find_junk_folders(folder),
    ]
    findings.sort(key=lambda finding: list(FINDING_KINDS).index(finding.kind))
    return Audit(encode_name(folder.absolute().name), len(readable), counts, findings, pair_counts, depth.text)


def _collect_files(root: Path, folders: Sequence[ClassFolder]) -> tuple[list[LabeledFile], list[Finding]]:
    """The files of all classes, and findings for class folders that are empty or cannot be read."""
    files, findings = [], []
    empty: dict[str, list[str]] = {}
    for folder in folders:
        name = relative_name(root, folder.path)
        if folder.listing.errors:
            path, reason = folder.listing.errors[0]
            where = "" if path == folder.path else f"{relative_name(root, path)}: "
            findings.append(Finding("unreadable", (name,), f"nothing in it was looked at: {where}{reason}"))
            continue
        files += list_class_files(root, folder)
        if not folder.listing.files:
            empty.setdefault(encode_name(folder.name), []).append(name)
    for names in empty.values():
        remedy = "fill or remove the folder" if len(names) == 1 else "fill or remove the folders"
        findings.append(Finding("empty_class", tuple(names), f"no images in it; {remedy}"))
    return files, findings
