"""An audit names each thing that is wrong, by path and kind, and nothing else."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from headstart.data.audit import checks
from headstart.data.audit.audit import audit_folder
from headstart.errors import HeadstartError

NAMES = ["<script>alert(1)<", "猫", "\u202elive", "שלום", "ant\x1b[2J\n", "x" * 200, "$(rm)"]


def picture(number, size=64):
    """A smooth picture of its own, as photographs are."""
    rough = np.random.default_rng(number).integers(0, 256, size=(6, 6, 3), dtype=np.uint8)
    return Image.fromarray(rough).resize((size, size), Image.Resampling.BICUBIC)


@pytest.fixture
def photos(tmp_path):
    """A function that writes ``{path of a class: images}``, each image another one, as JPEG."""

    def write(classes, root="photos"):
        number = 0
        for name, count in classes.items():
            (tmp_path / root / name).mkdir(parents=True)
            for index in range(count):
                number += 1
                picture(number).save(tmp_path / root / name / f"{index}.jpg", quality=90)
        return tmp_path / root

    return write


@pytest.fixture
def parts(photos):
    return photos({f"{part}/{label}": 5 for part in ("train", "test") for label in ("ant", "bee")})


def found(root):
    return {(finding.kind, *finding.paths) for finding in audit_folder(root).findings}


def reencoded(source, target, **how):
    with Image.open(source) as image:
        image.save(target, **how)


def test_nothing_is_found_where_nothing_is_wrong(parts):
    told = audit_folder(parts)
    assert told.findings == [] and told.images == 20
    assert told.classes == {"ant": {"test": 5, "train": 5}, "bee": {"test": 5, "train": 5}}


def test_reports_exactly_the_planted_problems_by_kind_and_path(parts):
    ant, bee, tested = parts / "train/ant", parts / "train/bee", parts / "test/ant"
    (ant / "cut.jpg").write_bytes((ant / "0.jpg").read_bytes()[:600])
    (bee / "zero.jpg").touch()
    (bee / "diary.jpg").write_text("dear diary")
    (bee / "notes.txt").write_text("mostly at the window")
    picture(77).save(bee / "picture", format="png")  # an image all the same
    shutil.copy(ant / "1.jpg", tested / "copy.jpg")
    reencoded(ant / "2.jpg", tested / "again.jpg", quality=50)
    shutil.copy(ant / "3.jpg", bee / "mistaken.jpg")
    reencoded(bee / "4.jpg", bee / "4.png")
    (ant / ".ipynb_checkpoints").mkdir()
    shutil.copy(ant / "4.jpg", ant / ".ipynb_checkpoints")
    for part in ("train", "test"):
        (parts / part / "wasp").mkdir()
    for name in (".DS_Store", "Thumbs.db", "._0.jpg"):
        (ant / name).write_bytes(b"rubbish")
    assert found(parts) == {
        ("unreadable", "train/ant/cut.jpg"),
        ("unreadable", "train/bee/zero.jpg"),
        ("unreadable", "train/bee/diary.jpg"),
        ("cross_split", "test/ant/copy.jpg", "train/ant/1.jpg"),
        ("near_duplicate", "test/ant/again.jpg", "train/ant/2.jpg"),
        ("mislabelled", "train/ant/3.jpg", "train/bee/mistaken.jpg"),
        ("exact_duplicate", "train/bee/4.jpg", "train/bee/4.png"),
        ("junk", "train/ant/.ipynb_checkpoints"),
        ("empty_class", "test/wasp", "train/wasp"),
        ("no_image", "train/bee/notes.txt"),
    }
    texts = {finding.paths[0]: finding.text for finding in audit_folder(parts).findings}
    assert texts["train/ant/cut.jpg"] == "truncated" and texts["train/bee/zero.jpg"] == "empty"
    assert texts["train/bee/diary.jpg"] == "not an image"
    assert texts["train/ant/3.jpg"] == "the same image under 2 labels: ant, bee"
    assert texts["test/ant/again.jpg"].startswith("almost surely the same picture (0.99")
    assert texts["test/ant/again.jpg"].endswith("in 2 parts: test, train")


def test_a_copy_across_parts_and_labels_is_both(parts):
    shutil.copy(parts / "train/ant/0.jpg", parts / "test/bee/copy.jpg")
    assert [finding.kind for finding in audit_folder(parts).findings] == ["mislabelled", "cross_split"]


def test_audits_a_folder_with_one_class_and_no_parts(photos):
    root = photos({"ant": 3, "bee": 0})
    assert found(root) == {("empty_class", "bee")}
    (root / "bee").rmdir()
    assert found(root) == {("single_class", "ant")}


def test_names_the_missing_folder_of_a_class_that_a_part_lacks(photos):
    root = photos({"train/ant": 2, "train/bee": 2, "Valid/ant": 2})
    assert found(root) == {("missing_class", "Valid/bee")}


def test_an_empty_class_is_not_missing_as_well(photos):
    root = photos({"train/ant": 2, "train/bee": 2, "train/wasp": 0, "test/ant": 2, "test/bee": 2})
    assert found(root) == {("empty_class", "train/wasp")}


def test_names_classes_that_differ_by_case_or_accent_encoding(photos):
    root = photos({"Ant": 2, "ant": 2, "jose\u0301": 2, "jos\u00e9": 2, "bee": 2})
    assert found(root) == {("case", "Ant", "ant"), ("case", "jose\u0301", "jos\u00e9")}


def test_a_rare_class_is_named_with_the_largest(photos):
    (finding,) = audit_folder(photos({"ant": 9, "bee": 4, "rare": 3})).findings
    assert (finding.kind, finding.paths) == ("imbalance", ("rare",))
    assert finding.text == "3 images; ant, the largest class, has 9"


def test_names_images_of_unusual_size_the_farthest_first(photos):
    root = photos({"ant": 8, "bee": 8})
    picture(90, 300).save(root / "ant" / "large.png")
    picture(91, 8).save(root / "bee" / "small.png")
    picture(92, 120).save(root / "bee" / "twice.png")
    told = audit_folder(root).findings
    assert [(f.kind, f.paths) for f in told] == [("size", ("bee/small.png",)), ("size", ("ant/large.png",))]
    assert told[1].text == "300 × 300 pixels; the median is 64 × 64"


def test_sizes_that_vary_by_nature_are_no_finding(photos):
    root = photos({"ant": 1, "bee": 1})
    for i, size in enumerate((16, 24, 32, 48, 90, 128, 180, 256, 300)):
        picture(100 + i, size).save(root / "ant" / f"{i}.png")
    assert not [f for f in audit_folder(root).findings if f.kind == "size"]


def test_hidden_folders_are_named_only_where_images_hide_in_them(photos):
    root = photos({"ant": 2, "bee": 2})
    for name, inside in ((".git", "config"), (".thumbnails", "0.jpg"), ("__MACOSX", "._0.jpg")):
        (root / name).mkdir()
        (root / name / inside).write_bytes(b"x")
    told = audit_folder(root).findings
    assert {f.paths for f in told} == {(".thumbnails",), ("__MACOSX",)}
    assert {f.text for f in told} == {"passed over, with 1 file in it"}


def test_a_link_that_leads_in_a_circle_costs_its_class_alone(photos):
    root = photos({"ant": 2, "bee": 2})
    (root / "ant" / "again").symlink_to(root)
    (finding,) = audit_folder(root).findings
    assert (finding.kind, finding.paths) == ("unreadable", ("ant",))
    assert finding.text.startswith("nothing in it was looked at: ant/again: a link leads in a circle")
    assert audit_folder(root).images == 2


def test_a_folder_that_may_not_be_read_is_named(photos, monkeypatch):
    root = photos({"ant": 2, "bee": 2})
    walk = checks.os.walk

    def refused(folder, **how):
        if folder == root / "ant":
            how["onerror"](PermissionError(13, "Permission denied", str(folder)))
        return walk(folder, **how)

    monkeypatch.setattr(checks.os, "walk", refused)
    (finding,) = audit_folder(root).findings
    assert (
        finding.paths == ("ant",) and finding.text == "nothing in it was looked at: cannot be read (Permission denied)"
    )


def test_any_name_is_told_as_it_is(photos):
    root = photos(dict.fromkeys(NAMES, 2))
    for name in NAMES:
        (root / name / name).touch()
    assert found(root) == {("no_image", f"{name}/{name}") for name in NAMES}


def test_is_plain_json_and_summarizes_twenty_of_a_kind(photos):
    root = photos({"ant": 2, "bee": 2})
    for i in range(30):
        (root / "ant" / f"{i:02}.png").write_text("text")
        shutil.copy(root / "bee" / "0.jpg", root / "bee" / f"copy{i}.jpg")
    told = audit_folder(root)
    assert json.loads(json.dumps(told.to_dict())) == told.to_dict()
    assert len(told.to_dict()["findings"]["unreadable"]) == 30
    short = told.summary()
    assert short["counts"] == {"unreadable": 30, "exact_duplicate": 1, "imbalance": 1}
    assert len(short["findings"]["unreadable"]) == 20
    (copies,) = short["findings"]["exact_duplicate"]
    assert len(copies["paths"]) == 20 and copies["text"] == "the same image, 31 times"


def test_nothing_is_written_beside_the_images(parts):
    before = sorted(parts.rglob("*"))
    audit_folder(parts)
    assert sorted(parts.rglob("*")) == before


def test_a_folder_that_is_none_of_images_is_one_line(tmp_path, photos):
    for root in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(HeadstartError) as caught:
            audit_folder(root)
        assert "\n" not in str(caught.value)


def test_images_that_are_alike_by_nature_are_said_to_be(photos, monkeypatch):
    root = photos({"ant": 3, "bee": 3})
    first = Image.open(root / "ant" / "0.jpg")
    for i in range(5):
        for label in ("ant", "bee"):
            first.save(root / label / f"again{i}.jpg", quality=60 + i + 5 * (label == "bee"))
    monkeypatch.setattr(checks, "MAX_LISTED_PAIRS", 10)
    told = audit_folder(root)
    assert (
        told.counts["near_duplicate"] == told.pair_counts["pairs"] == 55
        and len(told.findings_of("near_duplicate")) == 10
    )
    assert all("under 2 labels" in finding.text for finding in told.findings_of("near_duplicate"))
    assert "look before you believe them" in told.pairs_summary
