"""Which folders are parts and classes, which files are images, and what is passed over: told or refused."""

import unicodedata

import pytest
from PIL import Image

from headstart.data import ImageFolder
from headstart.data.audit.audit import audit_folder
from headstart.data.layout.layout import read_layout
from headstart.data.layout.part_names import read_part_name
from headstart.errors import HeadstartError

CLASSES = ("apple", "banana", "cherry")
NFC, NFD = unicodedata.normalize("NFC", "café"), unicodedata.normalize("NFD", "café")


@pytest.fixture
def tree(tmp_path):
    """A function that writes files of these names: images, each of another color, or text."""

    def write(*names):
        for number, name in enumerate(names):
            path = tmp_path / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".png":
                Image.new("RGB", (8, 8), (number, number // 2, 7)).save(path)
            else:
                path.write_text("text")
        return tmp_path / "data"

    return write


def images(*folders, count=2):
    return [f"{folder}/{i}.png" for folder in folders for i in range(count)]


def parts(*names):
    return images(*(f"{part}/{label}" for part in names for label in CLASSES))


def read(root):
    return ImageFolder(root=str(root), image_size=8).catalog


def refusal(root):
    """The one line by which training refuses a folder."""
    with pytest.raises(HeadstartError) as caught:
        read(root)
    line = str(caught.value)
    assert "\n" not in line and line.startswith(f"data.root={root}: ")
    return line.removeprefix(f"data.root={root}: ")


def findings(root, kind):
    return [finding.text for finding in audit_folder(root).findings_of(kind)]


class TestPartNames:
    @pytest.mark.parametrize(
        ("part", "names"),
        [
            ("train", "train Training TRAIN_SET trainset train-images TrainData train2017 trainval trn my_train_x"),
            ("val", "val Valid validation_set val_images ValSet dev DEV development"),
            ("test", "test Testing test-set testset test1 eval evaluation hold-out holdout HoldOut tst"),
        ],
    )
    def test_reads_the_part_of_a_name(self, part, names):
        assert {read_part_name(name).part for name in names.split()} == {part}

    @pytest.mark.parametrize("name", ["trainer", "testudo", "control", "bus", "valley", "contest", "2017", "?", ""])
    def test_leaves_other_names_alone(self, name):
        assert read_part_name(name) is None

    def test_tells_plain_names_from_others(self):
        assert read_part_name("Test Set 2").is_plain and not read_part_name("seg_test").is_plain


class TestParts:
    @pytest.mark.parametrize(
        ("train", "val", "test"),
        [
            ("Training", "Validation", "Test"),
            ("train_set", "val_set", "test_set"),
            ("training-set", "DEV", "holdout"),
            ("TrainImages", "valid", "testing"),
            ("train2017", "val2017", "eval"),
        ],
    )
    def test_knows_parts_by_other_names(self, tree, train, val, test):
        root = tree(*parts(train, val, test))
        catalogue = read(root)
        assert catalogue.classes == CLASSES and set(catalogue.parts) == {"train", "val", "test"}
        assert audit_folder(root).classes["apple"] == {"train": 2, "val": 2, "test": 2}

    @pytest.mark.parametrize("names", [("seg_train", "seg_test"), ("a_train", "b_test"), ("learning", "test")])
    def test_refuses_what_looks_like_parts(self, tree, names):
        root = tree(*parts(*names))
        assert "name them train, val and test" in refusal(root) and names[1] in refusal(root)
        with pytest.raises(HeadstartError, match="name them train, val and test"):
            audit_folder(root)

    @pytest.mark.parametrize(
        "names", [("test-tube", "pipette"), ("training shoes", "boots"), ("covid test", "pregnancy test")]
    )
    def test_takes_classes_that_hold_the_word_of_a_part(self, tree, names):
        root = tree(*parts(*names))
        assert read(root).classes == tuple(sorted(names))
        assert any("if those are the classes" in note for note in read(root).notes)

    def test_unwraps_a_part_in_a_part(self, tree):
        root = tree(*parts("train/train", "test/Test"), "train/loose.png")
        assert read(root).classes == CLASSES and [name for _, name in read(root).ignored] == ["train/loose.png"]

    @pytest.mark.parametrize("names", [("train", "training"), ("train1", "train2", "test"), ("train", "dev", "val")])
    def test_refuses_two_folders_for_one_part(self, tree, names):
        assert "each would be the" in refusal(tree(*parts(*names)))

    def test_refuses_classes_in_file_names(self, tree):
        names = [f"{part}/{name}.{i}.png" for part in ("train", "test") for name in ("cat", "dog") for i in range(2)]
        line = refusal(tree(*names))
        assert line.startswith(
            "test, train: named like parts of a data set, with 8 images (their names begin with cat,"
        )
        assert "train/<class>/" in line and "if they are classes, give them other names" in line

    def test_names_the_table_that_is_not_read(self, tree):
        assert "a table such as _classes.csv is not read" in refusal(
            tree("train/0.png", "train/_classes.csv", "valid/1.png", "test/2.png")
        )

    @pytest.mark.parametrize("place", ["test", "Test1", "test/test", "test/images", "test/unknown"])
    def test_passes_over_a_test_without_labels(self, tree, place):
        root = tree(*parts("train"), *images(place))
        source = ImageFolder(root=str(root), image_size=8)
        assert source.catalog.classes == CLASSES and set(source.catalog.parts) == {"train"}
        (group,) = source.ignored
        assert group["count"] == 2 and group["images"][0] == f"{place}/0.png"
        assert "without labels): 2" in source.remarks[0] and "20 % of each class become the test" in source.remarks[1]
        assert findings(root, "ignored") == [f"2 {group['reason']}"] and findings(root, "layout_note")

    @pytest.mark.parametrize("inside", [".keep", "apple/.keep"])
    def test_says_that_a_test_is_empty(self, tree, inside):
        root = tree(*parts("train"), f"test/{inside}")
        if inside == ".keep":
            assert "test is empty" in ImageFolder(root=str(root), image_size=8).remarks[0]
        else:
            assert "test has folders of classes, but no images" in refusal(root)

    def test_refuses_a_flat_train(self, tree):
        assert "no folders of classes" in refusal(tree(*images("train"), *images("test/ant", "test/bee")))

    def test_refuses_classes_that_train_lacks(self, tree):
        root = tree(*images("train/ant", "train/bee", "test/ant", "test/wasp"))
        assert refusal(root).startswith("classes that train has no image of: test/wasp (train has ant, bee)")
        assert findings(root, "layout") == [refusal(root)]

    def test_says_which_classes_a_test_lacks(self, tree):
        root = tree(*images("train/ant", "train/bee", "test/ant"))
        assert ImageFolder(root=str(root), image_size=8).remarks == [f"data.root={root}: test has no image of bee"]

    @pytest.mark.parametrize(
        ("one", "other", "how"),
        [(NFC, NFD, "how an accent is stored"), (NFD, NFC, "how an accent"), ("Ant", "ant", "how they are spelt")],
    )
    def test_names_both_of_a_pair_of_twins(self, tree, one, other, how):
        root = tree(*images(f"train/{one}", "train/tea", f"test/{other}", "test/tea"))
        line = refusal(root)
        assert f"classes train/{one} and test/{other} differ only in {how}" in line
        assert ascii(one) in line and ascii(other) in line and findings(root, "layout") == [line]

    def test_tells_twins_in_one_part_apart(self, tree):
        root = tree(*images(f"train/{NFC}", f"train/{NFD}"))
        assert read(root).classes == (NFD, NFC) and len(findings(root, "case")) == 1

    def test_passes_over_folders_without_images(self, tree):
        assert read(tree(*parts("train", "test"), "docs/how.md", "LICENSE")).ignored == []


class TestClasses:
    @pytest.mark.parametrize(
        "names", [("test", "control"), ("train", "bus", "car"), ("steam train", "test tube", "bus")]
    )
    def test_takes_classes_with_names_of_parts(self, tree, names):
        assert read(tree(*images(*names))).classes == tuple(sorted(names))

    def test_refuses_train_and_test_as_the_only_classes(self, tree):
        assert "if they are classes, give them other names" in refusal(tree(*images("train", "test")))

    def test_refuses_parts_within_classes(self, tree):
        root = tree(*images("ant/train", "ant/test", "bee/train", "bee/test"))
        assert "parts within classes: ant/test, ant/train, bee/test, …; make it test/ant and so on" in refusal(root)
        assert findings(root, "layout") == [refusal(root)]

    @pytest.mark.parametrize("place", ["dataset", "data/data"])
    def test_names_the_folder_around_the_classes(self, tree, place):
        root = tree(*images(f"{place}/ant", f"{place}/bee"))
        assert refusal(root).endswith(f"the classes or parts seem to lie in it: data.root={root / place}")
        assert f"data.root={root / place}" in findings(root, "single_class")[0]

    def test_names_the_folder_around_the_parts(self, tree):
        assert "data.root=" in refusal(tree(*parts("images/train", "images/test"), "labels.csv"))

    def test_names_the_folder_around_the_classes_of_a_part(self, tree):
        root = tree(*images("Final_Test/Images", "Final_Training/Images/0", "Final_Training/Images/1"))
        assert refusal(root).endswith("seem to lie in Final_Training/Images: move them up into Final_Training")

    def test_names_the_table_beside_one_folder(self, tree):
        assert "a table such as train.csv is not read" in refusal(tree(*images("images"), "train.csv"))

    @pytest.mark.parametrize("other", ["masks", "labels", "Ground_Truth", "SegmentationClass"])
    def test_refuses_pictures_and_annotations(self, tree, other):
        assert "like pictures and their annotations" in refusal(tree(*images("images", other)))

    def test_refuses_masks_beside_their_class(self, tree):
        assert refusal(tree(*images("ant", "bee", "ant_masks"))).startswith("ant_masks: named like masks or labels of")

    def test_says_that_a_class_holds_a_part(self, tree):
        root = tree(*images("ant", "ant/test", "bee"))
        (remark,) = ImageFolder(root=str(root), image_size=8).remarks
        assert remark.endswith("images in folders within a class count to that class: ant (test)")

    @pytest.mark.parametrize("name", ["0_mask", "0-mask", "0_mask_1", "0 label", "0.gt", "0_SEG"])
    def test_refuses_masks_beside_their_images(self, tree, name):
        root = tree(*images("ant", "bee"), f"ant/{name}.png")
        assert refusal(root).startswith(f"1 file named like masks or labels of the images beside them: ant/{name}.png")

    def test_takes_masks_of_nothing_for_images(self, tree):
        assert len(read(tree(*images("face", "mask"), "mask/my mask.png", "mask/mask_2.png")).names) == 6

    def test_refuses_pieces_of_one_data_set(self, tree):
        line = refusal(tree(*parts("fold1", "fold2")))
        assert line.startswith("fold1, fold2 look like pieces of one data set") and "data.folds=5" in line

    def test_refuses_annotations_within_classes(self, tree):
        root = tree(*[f"{name}/{kind}/{i}.png" for name in CLASSES for kind in ("images", "masks") for i in range(2)])
        assert "classes hold pictures and their annotations" in refusal(root)

    def test_says_that_all_folders_hold_the_same_folders(self, tree):
        domains = ("amazon", "dslr", "webcam")
        root = tree(
            *[f"{name}/images/{kind}/{i}.png" for name in domains for kind in ("bike", "mug") for i in range(2)]
        )
        assert "all of these folders hold bike, mug" in " ".join(read(root).notes)

    def test_takes_one_file_named_like_a_mask_and_says_so(self, tree):
        files = [f"{name}/{i}.png" for name in CLASSES for i in range(9)]
        root = tree(*files, "apple/wine.png", "apple/wine_label.png")
        assert "1 file named like masks" in " ".join(read(root).notes)

    def test_takes_a_class_that_is_called_like_a_mask(self, tree):
        root = tree(*[f"{name}/{name}{i}.png" for name in ("oxygen", "oxygen mask") for i in range(3)])
        assert read(root).classes == ("oxygen", "oxygen mask")

    def test_says_that_unlabeled_counts_as_a_class(self, tree):
        root = tree(*[f"{name}/{i}.png" for name in (*CLASSES, "unlabeled") for i in range(3)])
        assert "unlabeled counts as a class of its own" in " ".join(read(root).notes)

    def test_says_that_folders_within_a_class_count_to_it(self, tree):
        root = tree(*images("animals/cat", "animals/dog", "vehicles/bus"))
        (remark,) = ImageFolder(root=str(root), image_size=8).remarks
        assert remark.endswith("images in folders within a class count to that class: animals (cat, dog)")
        assert findings(root, "layout_note") == [remark.removeprefix(f"data.root={root}: ")]

    def test_says_what_to_do_with_loose_images_alone(self, tree):
        line = refusal(tree("cat.0.png", "cat.1.png", "dog.0.png", "dog.1.png"))
        assert line.startswith("no folders in it, but 4 images (their names begin with cat, dog)")

    def test_says_that_an_archive_is_to_be_unpacked(self, tree):
        assert refusal(tree("data.zip")).startswith("no folders in it, but data.zip, to be unpacked")


class TestIgnored:
    def test_counts_images_outside_of_classes(self, tree):
        root = tree(*images("ant", "bee"), "1.png", "2.png", "README.md", "labels.csv")
        Image.new("RGB", (8, 8)).save(root / "scan", format="png")  # an image by its content
        source = ImageFolder(root=str(root), image_size=8)
        assert source.ignored == [
            {"reason": "images outside of the folders of the classes", "count": 3, "images": ["1.png", "2.png", "scan"]}
        ]
        assert source.remarks == [
            f"data.root={root}: passed over: images outside of the folders of the classes: 3 (1.png, …)"
        ]

    def test_counts_hidden_images_but_no_system_files(self, tree):
        names = [
            ".DS_Store",
            "ant/Thumbs.db",
            "ant/._0.png.txt",
            "bee/desktop.ini",
            ".git/config",
            "__MACOSX/ant/._0.png",
        ]
        root = tree(*images("ant", "bee"), *names)
        assert read(root).ignored == []
        tree("ant/.a.png", "ant/.cache/b.png")
        assert read(root).ignored == [
            ("hidden images", "ant/.a.png"),
            ("images in hidden folders or folders of the system", "ant/.cache/b.png"),
        ]

    def test_of_many_names_twenty(self, tree):
        root = tree(*images("ant", "bee"), *(f"{i:02}.png" for i in range(30)))
        (group,) = ImageFolder(root=str(root), image_size=8).ignored
        assert group["count"] == 30 and group["images"] == [f"{i:02}.png" for i in range(20)]

    def test_a_directory_named_like_an_image_is_a_folder(self, tree):
        root = tree(*images("ant/x.png", "bee"))
        assert "ant/x.png/0.png" in read(root).names


def test_a_layout_is_read_without_decoding(tree, monkeypatch):
    monkeypatch.setattr("headstart.decoding.decoder.decode", lambda *_: pytest.fail("decoded"))
    folders = read_layout(tree(*parts("train"))).classes
    assert [(folder.part, folder.name) for folder in folders] == [("train", label) for label in CLASSES]
