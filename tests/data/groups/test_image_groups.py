"""Which images are of one group, by folder, file name or likeness; what makes no groups is refused in one line."""

import shutil
from collections import Counter

import pytest

from headstart.data import ImageFolder
from headstart.errors import HeadstartError


def name_groups(root, group, **settings):
    """The group of each image by name."""
    catalog = ImageFolder(root=str(root), image_size=8, group=group, **settings).catalog
    return dict(zip(catalog.names, catalog.groups, strict=True))


def refusal(root, group):
    with pytest.raises(HeadstartError) as caught:
        name_groups(root, group)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(f"data.group={group}: ")
    return str(caught.value)


@pytest.fixture
def root(image_folder):
    """Two classes with images ``0.png`` to ``11.png``, named anew ``p<patient>_<index>.png``, three of a patient."""
    root = image_folder(classes=["ant", "bee"], per_class=12, size=8)
    for path in sorted(root.rglob("*.png")):
        path.rename(path.with_name(f"p{int(path.stem) % 4}_{path.stem}.png"))
    return root


@pytest.fixture
def folders(root):
    """The same images in folders of patients."""
    for path in sorted(root.rglob("*.png")):
        folder = path.parent / path.stem.partition("_")[0]
        folder.mkdir(exist_ok=True)
        path.rename(folder / path.name)
    return root


class TestPattern:
    def test_group_is_the_first_capture_group(self, root):
        groups = name_groups(root, r"(p\d)_(\d+)")
        assert Counter(groups.values()) == {f"p{k}": 6 for k in range(4)}
        assert groups["ant/p1_5.png"] == groups["bee/p1_9.png"] == "p1"

    def test_without_one_it_is_the_whole_match(self, root):
        assert set(name_groups(root, r"p\d_").values()) == {f"p{k}_" for k in range(4)}

    def test_sees_the_path_below_the_root(self, root):
        assert len(set(name_groups(root, r"^(\w+/p\d)").values())) == 8

    def test_accents_may_be_stored_in_two_ways(self, root):
        for label, name in (("ant", "jose\u0301_0.png"), ("bee", "jos\u00e9_1.png")):
            shutil.move(root / label / "p0_0.png", root / label / name)
        assert name_groups(root, r"/([^_]+)_")["ant/jose\u0301_0.png"] == "jos\u00e9"

    @pytest.mark.parametrize("pattern", [r"p[0-2]_", r"(p3)?_", r"x*$|p[0-2]_"])
    def test_refuses_images_without_a_match(self, root, pattern):
        line = refusal(root, pattern)
        assert " of 24 images have no match in their names (ant/p" in line

    @pytest.mark.parametrize("pattern", ["(", "*", ""])
    def test_refuses_what_is_no_regular_expression(self, root, pattern):
        assert "give folder, copies, or a regular expression" in refusal(root, pattern)

    @pytest.mark.parametrize("value", [3, True, ["a"]])
    def test_refuses_what_is_no_text(self, root, value):
        with pytest.raises(HeadstartError, match=r"^data\.group=.*: give folder, copies"):
            ImageFolder(root=str(root), group=value)


class TestFolder:
    def test_group_is_the_folder_below_the_class(self, folders):
        assert Counter(name_groups(folders, "folder").values()) == {f"p{k}": 6 for k in range(4)}

    def test_deeper_folders_belong_to_it(self, folders):
        (folders / "ant" / "p0" / "left").mkdir()
        (folders / "ant" / "p0" / "p0_0.png").rename(folders / "ant" / "p0" / "left" / "p0_0.png")
        assert name_groups(folders, "folder")["ant/p0/left/p0_0.png"] == "p0"

    def test_parts_change_nothing(self, folders, tmp_path):
        for part in ("train", "test"):
            shutil.copytree(folders, tmp_path / "parts" / part)
        assert name_groups(tmp_path / "parts", "folder")["test/bee/p2/p2_6.png"] == "p2"

    def test_refuses_images_directly_in_their_class(self, folders):
        (folders / "ant" / "p0" / "p0_0.png").rename(folders / "ant" / "loose.png")
        assert "1 of 24 images lie directly in the folder of their class (ant/loose.png)" in refusal(folders, "folder")


class TestGroups:
    def test_refuses_a_single_group(self, root):
        assert "all 24 images are of one group (p)" in refusal(root, "p")

    def test_refuses_a_group_for_each_image(self, root):
        assert "each of 24 images is a group of its own" in refusal(root, r".*")

    def test_exact_copies_join_their_groups(self, root):
        shutil.copy(root / "ant" / "p0_0.png", root / "ant" / "p3_99.png")
        groups = name_groups(root, r"p\d")
        assert Counter(groups.values()) == {"p0": 13, "p1": 6, "p2": 6}
        assert groups["bee/p3_11.png"] == "p0"

    def test_null_means_none(self, root):
        assert ImageFolder(root=str(root), image_size=8).catalog.groups == []

    def test_are_counted_before_a_training(self, root):
        (remark,) = ImageFolder(root=str(root), image_size=8, group=r"p\d").remarks
        assert remark == r"data.group=p\d: 24 images in 4 groups, the largest p0 (6 images)"
