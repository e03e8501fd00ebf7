"""A folder of images looked through before anything trains: all that may be wrong with it. Torch-free."""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from headstart.data import paths as places
from headstart.data import pixel_cache
from headstart.data.audit import checks as findings
from headstart.data.audit.checks import Finding
from headstart.data.audit.kinds import KINDS
from headstart.data.audit.near_duplicates import Fingerprint, fingerprint
from headstart.data.image_folder import File, list_class_files, name_below
from headstart.data.layout.class_folders import ClassFolder
from headstart.data.layout.layout import read_layout
from headstart.decoding.bit_depth import DepthError
from headstart.decoding.decoder import is_image
from headstart.file_names import encode_name

EXAMPLES = 20  # of each kind, in a summary


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
    alike: dict[str, int]
    depth: str = ""

    def of(self, kind: str) -> list[Finding]:
        return [finding for finding in self.findings if finding.kind == kind]

    @property
    def counts(self) -> dict[str, int]:
        """How many findings there are of each kind that was found, of pairs that look the same even unlisted ones."""
        counts = Counter(finding.kind for finding in self.findings) | Counter(near_duplicate=self.alike["pairs"])
        return {kind: counts[kind] for kind in KINDS if counts[kind]}

    def to_dict(self, limit: int | None = None) -> dict[str, Any]:
        """Plain JSON: all counts, and of each kind at most ``limit`` findings with at most ``limit`` paths each."""
        return {
            "name": self.name,
            "images": self.images,
            "classes": self.classes,
            "counts": self.counts,
            "alike": self.alike,
            "depth": self.depth,
            "findings": {
                kind: [{"paths": list(found.paths[:limit]), "text": found.text} for found in self.of(kind)[:limit]]
                for kind in self.counts
            },
        }

    @property
    def how_sure(self) -> str:
        """What the pairs that look the same are worth, in a sentence or two."""
        alike, pairs = self.alike, self.alike["pairs"]
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
        return self.to_dict(EXAMPLES)


def audit(root: str | Path) -> Audit:
    """Looks at every image of ``root/<class>/*`` or ``root/{train,val,test}/<class>/*``; writes nothing.

    Raises:
        HeadstartError: there is no such folder, or its layout cannot be told.
    """
    place = places.existing(root)
    layout = read_layout(place)
    files, troubles = _files(place, layout.classes)
    names, good, prints = [], [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow on odd metadata, or on a photograph that is merely large
        paths = [file.path for file in files]
        headers = pixel_cache.read_headers(paths)
        try:
            depth, depth_troubles = pixel_cache.find_depth(paths, headers)
        except DepthError as error:
            depth, depth_troubles = pixel_cache.Depth(), {i: str(error) for i, h in enumerate(headers) if h.is_deep}
        look = partial(fingerprint, depth=depth.name)
        looked = list(pixel_cache.in_threads(look, paths, "looking at images"))
    for i, (file, seen) in enumerate(zip(files, looked, strict=True)):
        name = name_below(place, file.path)
        if isinstance(seen, Fingerprint):
            names.append(name)
            good.append(file)
            prints.append(seen)
        else:
            kind = "unreadable" if is_image(file.path) else "no_image"
            troubles.append(Finding(kind, (name,), depth_troubles.get(i, seen)))
    counts = {
        label: dict.fromkeys((folder.part for folder in layout.classes if encode_name(folder.name) == label), 0)
        for label in sorted({encode_name(folder.name) for folder in layout.classes})
    }
    for file in good:
        counts[file.label][file.part] += 1
    pairs, alike = findings.near_copies(names, good, prints)
    found = [
        *findings.layout(layout),
        *troubles,
        *findings.copies(names, good, prints),
        *pairs,
        *findings.sizes(names, prints),
        *findings.classes(place, layout.classes, counts),
        *findings.passed_over(layout),
        *findings.junk(place),
    ]
    found.sort(key=lambda finding: list(KINDS).index(finding.kind))
    return Audit(encode_name(place.absolute().name), len(good), counts, found, alike, depth.text)


def _files(root: Path, folders: Sequence[ClassFolder]) -> tuple[list[File], list[Finding]]:
    """The files of all classes, and what is wrong with a class's folder."""
    files, troubles = [], []
    empty: dict[str, list[str]] = {}
    for folder in folders:
        name = name_below(root, folder.path)
        if folder.listing.troubles:
            path, reason = folder.listing.troubles[0]
            where = "" if path == folder.path else f"{name_below(root, path)}: "
            troubles.append(Finding("unreadable", (name,), f"nothing in it was looked at: {where}{reason}"))
            continue
        files += list_class_files(folder)
        if not folder.listing.files:
            empty.setdefault(encode_name(folder.name), []).append(name)
    for names in empty.values():
        mend = "fill or remove the folder" if len(names) == 1 else "fill or remove the folders"
        troubles.append(Finding("empty_class", tuple(names), f"no images in it; {mend}"))
    return files, troubles
