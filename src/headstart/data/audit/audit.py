"""A folder of images looked through before anything trains: all that may be wrong with it. Torch-free."""

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
from headstart.data.depth_choice import DepthChoice, find_depth, read_headers
from headstart.data.layout.class_folders import ClassFolder
from headstart.data.layout.layout import read_layout
from headstart.data.layout.scan import LabeledFile, list_class_files, relative_name
from headstart.data.paths import resolve_root
from headstart.data.threads import thread_map
from headstart.decoding.bit_depth import DepthError
from headstart.decoding.decoder import has_image_suffix
from headstart.file_names import encode_name
from headstart.reporting.finding_kinds import FINDING_KINDS

MAX_EXAMPLES = 20  # of each kind, in a summary


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Args:
        name: the folder's.
        images: how many can be read.
        classes: of each class, how many of them in each part (with an empty name where there are no parts).
        findings: all of them, a kind after the other in the order of ``KINDS``.
        alike: how many pairs have similar perceptual hashes (``candidates``), how many of these were ``compared``,
            how many of these look the same (``pairs``), almost surely (``sure``) or ``perhaps``, and how many of these
            lie under two labels (``mislabelled``) or in two parts (``cross_split``).
        depth: how images deeper than 8 bits are read, in a line; empty where there are none.
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
        """How many findings there are of each kind that was found, of pairs that look the same even unlisted ones."""
        counts = Counter(finding.kind for finding in self.findings) | Counter(near_duplicate=self.pair_counts["pairs"])
        return {kind: counts[kind] for kind in FINDING_KINDS if counts[kind]}

    def to_dict(self, limit: int | None = None) -> dict[str, Any]:
        """Plain JSON: all counts, and of each kind at most ``limit`` findings with at most ``limit`` paths each."""
        return {
            "name": self.name,
            "images": self.images,
            "classes": self.classes,
            "counts": self.counts,
            "alike": self.pair_counts,
            "depth": self.depth,
            "findings": {
                kind: [
                    {"paths": list(found.paths[:limit]), "text": found.text} for found in self.findings_of(kind)[:limit]
                ]
                for kind in self.counts
            },
        }

    @property
    def pairs_summary(self) -> str:
        """What the pairs that look the same are worth, in a sentence or two."""
        alike, pairs = self.pair_counts, self.pair_counts["pairs"]
        said = (
            f"{alike['candidates']:,} pair{'s have' if alike['candidates'] != 1 else ' has'} similar hashes; "
            f"of {alike['compared']:,} compared, {pairs:,} look the same: {alike['sure']:,} almost surely, "
            f"{alike['perhaps']:,} perhaps ({alike['mislabelled']:,} under two labels, "
            f"{alike['cross_split']:,} in two parts)."
        )
        if pairs > self.images or 10 * alike["perhaps"] > self.images:  # copies are seldom so many
            said += " So many are a sign of images that are alike by nature: look before you believe them."
        return said

    def summary(self) -> dict[str, Any]:
        """What a report shows: all counts, and at most twenty findings of each kind."""
        return self.to_dict(MAX_EXAMPLES)


def audit_folder(root: str | Path) -> Audit:
    """Looks at every image of ``root/<class>/*`` or ``root/{train,val,test}/<class>/*``; writes nothing.

    Raises:
        HeadstartError: there is no such folder, or its layout cannot be told.
    """
    place = resolve_root(root)
    layout = read_layout(place)
    files, troubles = _collect_files(place, layout.classes)
    names, good, prints = [], [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow on odd metadata, or on a photograph that is merely large
        paths = [file.path for file in files]
        headers = read_headers(paths)
        try:
            depth, depth_errors = find_depth(paths, headers)
        except DepthError as error:
            depth = DepthChoice()
            depth_errors = {i: str(error) for i, header in enumerate(headers) if header.is_deep}
        look = partial(compute_fingerprint, depth=depth.name)
        looked = list(thread_map(look, paths, "looking at images"))
    for i, (file, seen) in enumerate(zip(files, looked, strict=True)):
        name = relative_name(place, file.path)
        if isinstance(seen, Fingerprint):
            names.append(name)
            good.append(file)
            prints.append(seen)
        else:
            kind = "unreadable" if has_image_suffix(file.path) else "no_image"
            troubles.append(Finding(kind, (name,), depth_errors.get(i, seen)))
    counts = {
        label: dict.fromkeys((folder.part for folder in layout.classes if encode_name(folder.name) == label), 0)
        for label in sorted({encode_name(folder.name) for folder in layout.classes})
    }
    for file in good:
        counts[file.label][file.part] += 1
    pairs, alike = checks.find_near_copies(names, good, prints)
    found = [
        *checks.find_layout_findings(layout),
        *troubles,
        *checks.find_exact_copies(names, good, prints),
        *pairs,
        *checks.find_odd_sizes(names, prints),
        *checks.find_class_problems(place, layout.classes, counts),
        *checks.find_ignored_images(layout),
        *checks.find_junk_folders(place),
    ]
    found.sort(key=lambda finding: list(FINDING_KINDS).index(finding.kind))
    return Audit(encode_name(place.absolute().name), len(good), counts, found, alike, depth.text)


def _collect_files(root: Path, folders: Sequence[ClassFolder]) -> tuple[list[LabeledFile], list[Finding]]:
    """The files of all classes, and what is wrong with a class's folder."""
    files, troubles = [], []
    empty: dict[str, list[str]] = {}
    for folder in folders:
        name = relative_name(root, folder.path)
        if folder.listing.errors:
            path, reason = folder.listing.errors[0]
            where = "" if path == folder.path else f"{relative_name(root, path)}: "
            troubles.append(Finding("unreadable", (name,), f"nothing in it was looked at: {where}{reason}"))
            continue
        files += list_class_files(folder)
        if not folder.listing.files:
            empty.setdefault(encode_name(folder.name), []).append(name)
    for names in empty.values():
        mend = "fill or remove the folder" if len(names) == 1 else "fill or remove the folders"
        troubles.append(Finding("empty_class", tuple(names), f"no images in it; {mend}"))
    return files, troubles
