"""Training, audit and prediction take the same files of any folder for images, and know what is passed over."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from headstart.cli.predict import list_images
from headstart.data import ImageFolder
from headstart.data.audit.audit import audit_folder
from headstart.errors import HeadstartError

PARTS = {"train": "train", "Training": "train", "train_set": "train", "val": "val", "dev": "val", "Test": "test"}
PARTS |= {"testing": "test", "test-set": "test", "holdout": "test"}
SYSTEM = {"Thumbs.db", "desktop.ini", ".DS_Store", "._0.png"}
# What may lie in a class's folder, and beside such folders.
IMAGES = ["0.png", "1.jfif", "scan", "x.ppm", "deep/2.png"]
FILES = st.builds(set.union, st.sets(st.sampled_from(IMAGES)), st.sets(st.sampled_from([".h.png", *sorted(SYSTEM)])))
FULL = st.builds(set.union, st.sets(st.sampled_from(IMAGES), min_size=1), FILES)
BESIDE = st.sets(st.sampled_from(["a.png", "picture", ".hidden.png", "notes.txt", "__MACOSX/b.png", *sorted(SYSTEM)]))


def class_folders(least, names=("ant", "bee", "wasp")):
    return st.dictionaries(st.sampled_from(names), FULL | FILES, min_size=least)


@st.composite
def trees(draw):
    """The parts with their classes, or loose files; the classes of a tree without parts; what lies beside them."""
    beside = draw(BESIDE)
    if draw(st.booleans()):
        return {}, draw(class_folders(1, ("ant", "bee", "test"))), beside
    parts = {}
    for part, least in (("train", 1), ("val", 0), ("test", 0)):
        names = st.sampled_from([name for name in PARTS if PARTS[name] == part])
        inside = class_folders(2) if part == "train" else class_folders(1) | BESIDE
        parts |= draw(st.dictionaries(names, inside, min_size=least, max_size=draw(st.sampled_from([1, 1, 1, 2]))))
    return parts, {}, beside


def paths(parts, classes, beside):
    """The files of a tree, as (path, part, class): an independent and plain account of it."""
    rows = [(name, None, None) for name in beside]
    rows += [(f"{label}/{name}", "", label) for label, names in classes.items() for name in names]
    for part, inside in parts.items():
        if isinstance(inside, dict):
            rows += [(f"{part}/{c}/{n}", PARTS[part], c) for c, names in inside.items() for n in names]
        else:
            rows += [(f"{part}/{name}", PARTS[part], None) for name in inside]
    return rows


def is_visible(path):
    return not any(piece in SYSTEM | {"__MACOSX"} or piece.startswith(".") for piece in path.split("/"))


def is_hidden_image(path):
    name = path.split("/")[-1]
    return not is_visible(path) and name.endswith(".png") and not name.startswith("._")


def reference(rows):
    """(part, class, path) of the images and the paths that are passed over; None where a folder must be refused."""
    labels = {(part, label) for _, part, label in rows if label}
    images = sorted((part, label, path) for path, part, label in rows if label and is_visible(path))
    full = {(part, label) for part, label, _ in images}
    train = {label for part, label in full if part in ("", "train")}
    folders = {(part, path.split("/")[0]) for path, part, _ in rows if part and is_visible(path)}
    if len({part for part, _ in folders}) < len(folders):  # two folders for one part
        return None
    if {label for _, label in labels} != train or len(train) < 2:  # an empty class, or one that train lacks
        return None
    if any(part not in {p for p, _ in full} for part, _ in labels):  # a part of empty classes
        return None
    beside = [path for path, _, label in rows if not label and is_visible(path) and not path.endswith(".txt")]
    return images, sorted(beside + [path for path, _, _ in rows if is_hidden_image(path)])


def write(root, rows):
    root.mkdir()
    for number, (name, _, _) in enumerate(rows):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith((".txt", ".db", ".ini", ".DS_Store")):
            path.write_text("text")
        else:
            form = {".jfif": "jpeg", ".ppm": "ppm"}.get(path.suffix, "png")
            Image.new("RGB", (8, 8), (number % 256, number // 256, 90)).save(path, format=form)
    return root


def training(root):
    try:
        catalogue = ImageFolder(root=str(root), image_size=8).catalog
    except HeadstartError as error:
        assert "\n" not in str(error)
        return None
    rows = zip(catalogue.parts, catalogue.labels, catalogue.names, strict=True)
    images = sorted((str(part), catalogue.classes[label], name) for part, label, name in rows)
    return images, sorted(name for _, name in catalogue.ignored)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("trees")


@given(trees())
@example(({"Training": {"ant": {"0.png"}, "bee": {"1.jfif"}}, "Test": {"ant": {"scan"}, "bee": {"x.ppm"}}}, {}, set()))
@example(({"train": {"ant": {"0.png"}, "bee": {"scan"}}, "Test": {"a.png"}}, {}, {"a.png", ".hidden.png"}))
@example(({"train": {"ant": {"0.png"}, "bee": {"scan"}}, "Test": {".hidden.png"}}, {}, set()))
def test_training_audit_and_prediction_agree(place, tree):
    rows = paths(*tree)
    root = write(place / str(len(list(place.iterdir()))), rows)
    answer = training(root)
    assert answer == reference(rows)
    if answer is None:
        return
    images, ignored = answer
    looked = audit_folder(root)
    counts = {(label, part): n for label, of_part in looked.classes.items() for part, n in of_part.items() if n}
    assert counts == Counter((label, part) for part, label, _ in images)
    assert not looked.findings_of("layout") and looked.images == len(images)
    listing = list_images([str(root)])
    visible = {name for name in ignored if is_visible(name)}
    texts = {path for path, _, _ in rows if path.endswith(".txt")}  # named when they cannot be read
    assert names_below(root, listing.paths) == {path for _, _, path in images} | visible | texts
    assert names_below(root, (path for _, path in listing.ignored)) == {*ignored} - visible


def names_below(root, paths):
    return {Path(path).relative_to(root).as_posix() for path in paths}
