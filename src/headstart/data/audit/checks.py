"""The checks of an audit: copies, sizes, classes, ignored images and folders."""

import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headstart.data.audit.near_duplicates import SURE_AGREEMENT, Fingerprint, find_similar_pairs
from headstart.data.exact_copies import group_duplicates
from headstart.data.layout.class_folders import ClassFolder
from headstart.data.layout.file_list import JUNK_FOLDERS, JUNK_REASON, is_visible
from headstart.data.layout.hints import describe_count
from headstart.data.layout.layout import Layout, describe_one_class
from headstart.data.layout.scan import LabeledFile, relative_name
from headstart.decoding.decoder import has_image_suffix
from headstart.errors import join_with_limit
from headstart.file_names import encode_name

MAX_LISTED_PAIRS = 1000  # pairs that look the same
IMBALANCE_RATIO = 3  # times fewer images than the largest class
# An odd size: a side three times the median side, and five robust standard deviations away.
FAR_LOG2_RATIO, FAR_DEVIATIONS = np.log2(3), 5


@dataclass(frozen=True)
class Finding:
    """A finding of an audit.

    Args:
        kind: a key of ``headstart.reporting.finding_kinds.FINDING_KINDS``.
        paths: the files or folders, relative to the root, or the classes.
        text: a few words on the problem.
    """

    kind: str
    paths: tuple[str, ...]
    text: str


def find_exact_copies(
    names: Sequence[str], files: Sequence[LabeledFile], fingerprints: Sequence[Fingerprint]
) -> Iterator[Finding]:
    """Finds groups of images with the same pixels."""
    for group in group_duplicates(range(len(fingerprints)), lambda i: fingerprints[i].content):
        paths, (labels, parts) = tuple(names[i] for i in group), _describe_spread(files, group)
        same = "the same image" if len(group) == 2 else f"the same image, {len(group):,} times,"
        if labels:
            yield Finding("mislabelled", paths, f"{same} under {labels}")
        if parts:
            yield Finding("cross_split", paths, f"{same} in {parts}")
        if not labels and not parts:
            yield Finding("exact_duplicate", paths, same.rstrip(","))


def find_near_copies(
    names: Sequence[str], files: Sequence[LabeledFile], fingerprints: Sequence[Fingerprint]
) -> tuple[list[Finding], dict[str, int]]:
    """Finds at most 1,000 pairs that look the same, those across labels or parts first; and ``Audit.pair_counts``."""
    unique = sorted({p.content: i for i, p in reversed(list(enumerate(fingerprints)))}.values())
    similar = find_similar_pairs([fingerprints[i] for i in unique])
    crossing: list[Finding] = []
    rest: list[Finding] = []
    across_labels = across_parts = 0
    for pair, agreement in zip(similar.pairs, similar.agreement, strict=True):
        both = [unique[i] for i in pair]
        labels, parts = _describe_spread(files, both)
        across_labels, across_parts = across_labels + bool(labels), across_parts + bool(parts)
        where = (f", under {labels}" if labels else "") + (f", in {parts}" if parts else "")
        text = (
            f"{'almost surely' if agreement >= SURE_AGREEMENT else 'perhaps'} the same picture ({agreement:.3f}){where}"
        )
        finding = Finding("near_duplicate", tuple(names[i] for i in both), text)
        (crossing if where else rest).append(finding)
    sure = int((similar.agreement >= SURE_AGREEMENT).sum())
    return (crossing + rest)[:MAX_LISTED_PAIRS], {
        "candidates": similar.num_candidates,
        "compared": similar.num_compared,
        "pairs": len(similar.pairs),
        "sure": sure,
        "perhaps": len(similar.pairs) - sure,
        "mislabelled": across_labels,
        "cross_split": across_parts,
    }


def find_odd_sizes(names: Sequence[str], fingerprints: Sequence[Fingerprint]) -> list[Finding]:
    """Finds images with a side far from the median side, the farthest first."""
    if not fingerprints:
        return []
    sides = np.log2([(p.width, p.height) for p in fingerprints])
    median = np.median(sides, axis=0)
    apart = np.abs(sides - median)
    spread = 1.4826 * np.median(apart, axis=0)  # of a normal distribution, its standard deviation
    excess = (apart / np.maximum(FAR_LOG2_RATIO, FAR_DEVIATIONS * spread)).max(axis=1)
    usual = " × ".join(f"{side:,.0f}" for side in 2**median)
    return [
        Finding(
            "size", (names[i],), f"{fingerprints[i].width:,} × {fingerprints[i].height:,} pixels; the median is {usual}"
        )
        for i in np.argsort(-excess, kind="stable")
        if excess[i] > 1
    ]


def find_layout_findings(layout: Layout) -> list[Finding]:
    """Findings for what training refuses in a layout, and for what is ambiguous."""
    return [
        Finding(kind, tuple(relative_name(layout.root, path) for path in remark.paths), remark.text)
        for kind, remarks in (("layout", layout.problems), ("layout_note", layout.notes))
        for remark in remarks
    ]


def find_ignored_images(layout: Layout) -> list[Finding]:
    """Findings for images that training ignores, by reason, except those in junk folders (``find_junk_folders``)."""
    groups: dict[str, list[str]] = defaultdict(list)
    for reason, path in layout.ignored:
        if reason != JUNK_REASON:
            groups[reason].append(relative_name(layout.root, path))
    return [Finding("ignored", tuple(sorted(names)), f"{len(names):,} {reason}") for reason, names in groups.items()]


def find_class_problems(
    root: Path, folders: Sequence[ClassFolder], counts: Mapping[str, Mapping[str, int]]
) -> list[Finding]:
    """Finds problems of the classes: a single one, similar names, imbalance, classes missing in a part.

    Args:
        root: the folder of images.
        folders: the class folders.
        counts: number of images by class and part.
    """
    findings = []
    if len(counts) == 1:
        findings.append(Finding("single_class", tuple(counts), describe_one_class(root, folders)))
    labels = list(counts)
    for group in group_duplicates(range(len(labels)), lambda i: unicodedata.normalize("NFC", labels[i]).casefold()):
        text = "names that differ only by case, or in how an accent is stored"
        findings.append(Finding("case", tuple(labels[i] for i in group), text))
    total = {label: sum(part_counts.values()) for label, part_counts in counts.items()}
    largest = max(total, key=lambda label: total[label])
    for label, count in sorted(total.items(), key=lambda item: item[1]):
        if 0 < count * IMBALANCE_RATIO <= total[largest]:
            text = f"{describe_count(count, 'image')}; {largest}, the largest class, has {total[largest]:,}"
            findings.append(Finding("imbalance", (label,), text))
    for part in dict.fromkeys(folder.part for folder in folders):
        class_folders = {encode_name(folder.name): folder.path.parent for folder in folders if folder.part == part}
        place = relative_name(root, next(iter(class_folders.values())))
        for label in counts.keys() - class_folders.keys() if part else ():
            if not total[label]:
                continue  # an empty class has a finding of its own
            findings.append(Finding("missing_class", (f"{place}/{label}",), f"class {label} is missing in {part}"))
    return findings


def find_junk_folders(root: Path) -> Iterator[Finding]:
    """Finds ignored folders that a user may not know of: known junk folders, and hidden folders with images."""
    for base, below, _ in os.walk(root):
        for folder in sorted(Path(base, name) for name in below if not is_visible(name)):
            inside = [path for path in folder.rglob("*") if path.is_file()]
            if folder.name in JUNK_FOLDERS or any(map(has_image_suffix, inside)):
                text = f"passed over, with {describe_count(len(inside), 'file')} in it"
                yield Finding("junk", (relative_name(root, folder),), text)
        below[:] = sorted(filter(is_visible, below))


def _describe_spread(files: Sequence[LabeledFile], group: Sequence[int]) -> tuple[str, str]:
    """Texts on the labels and the parts of a group of files, each empty if there is only one."""
    labels = Counter(files[i].label for i in group)
    parts = Counter(files[i].part for i in group)
    return (
        f"{len(labels)} labels: {join_with_limit(list(labels))}" if len(labels) > 1 else "",
        f"{len(parts)} parts: {join_with_limit(list(parts))}" if len(parts) > 1 else "",
    )
