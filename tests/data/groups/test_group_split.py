"""No group is on two sides of a split, and content, budget and seed decide everything else."""

import shutil
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.data import ImageFolder
from headstart.data.catalog import Catalog
from headstart.data.groups.group_split import order_by_side
from headstart.data.split import list_budgets, make_split, make_whole_split
from headstart.errors import HeadstartError


def catalogue(counts, parts=None, shift=0):
    """Images without pixels: ``counts[class][group]`` of each; ``shift`` gives them other contents."""
    rows = [(c, g) for c, groups in enumerate(counts) for g, count in groups.items() for _ in range(count)]
    n = len(rows)
    labels = np.array([label for label, _ in rows])
    return Catalog(
        names=[f"class{label}/{group}_{i}" for i, (label, group) in enumerate(rows)],
        labels=labels,
        classes=tuple(f"class{label}" for label in range(len(counts))),
        parts=np.array(parts or [""] * n),
        digests=[f"{((i + shift) * 7919) % 10_007:05}" for i in range(n)],
        pixels=np.zeros((n, 1, 8, 8), np.uint8),
        rows=np.arange(n),
        groups=[group for _, group in rows],
    )


def patients(num_groups, size, classes=2):
    """Each class with groups of its own, all of one size."""
    return [{f"{label}-{k}": size for k in range(num_groups)} for label in range(classes)]


def split(images, budget=None, test=None, validation=0.2, seed=0, skip=False, folds=None, fold=0):
    return make_split(images, test, budget, validation, seed, skip, folds, fold)


def groups_of(images, positions):
    return {images.groups[i] for i in positions}


def per_class(images, positions):
    return np.bincount(images.labels[positions], minlength=len(images.classes)).tolist()


def are_apart(images, chosen):
    sides = [groups_of(images, positions) for positions in (chosen.train, chosen.val, chosen.test)]
    return sum(map(len, sides)) == len(set.union(*sides))


def refusal(*args, **kwargs):
    with pytest.raises(HeadstartError) as caught:
        split(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@st.composite
def sizes(draw):
    """Two to four classes that share some of their groups, which have unequal sizes."""
    names = st.sampled_from([f"p{k}" for k in range(12)])
    return [
        draw(st.dictionaries(names, st.integers(1, 30), min_size=3, max_size=12))
        for _ in range(draw(st.integers(2, 4)))
    ]


class TestMakeSplit:
    @given(counts=sizes(), seed=st.integers(0, 3), folds=st.sampled_from([None, 2, 3]))
    def test_no_group_is_on_two_sides(self, counts, seed, folds):
        images = catalogue(counts)
        try:
            chosen = split(images, seed=seed, folds=folds, fold=1 if folds else 0)
        except HeadstartError as error:  # groups of several classes may not leave each class an image
            assert "too few to test" in str(error) or "no image left to train on" in str(error)
            return
        assert are_apart(images, chosen)
        assert set(per_class(images, chosen.train)) & {0} == set()
        used = [*chosen.train, *chosen.val, *chosen.test]
        assert sorted(used) == list(range(len(images.names)))

    def test_a_fifth_of_each_class_tests_for_all_seeds_and_budgets(self):
        images = catalogue(patients(10, 12))
        sealed = split(images).test
        assert per_class(images, sealed) == [24, 24]
        for seed, budget in ((1, None), (0, 5), (2, 20)):
            np.testing.assert_array_equal(split(images, budget, seed=seed).test, sealed)

    def test_a_large_group_does_not_fill_the_test_part(self):
        images = catalogue([{"large": 60, **patients(10, 6)[0]}, patients(20, 6)[1]])
        assert "large" not in groups_of(images, split(images).test)

    def test_each_class_tests_and_trains_with_two_groups(self):
        images = catalogue([{"a": 30, "b": 10}, patients(20, 5)[1]])
        chosen = split(images)
        assert 0 < per_class(images, chosen.test)[0] < 40 and per_class(images, chosen.test)[1] == 20

    def test_content_decides_and_not_names(self, image_folder, tmp_path):
        root = image_folder(classes=2, per_class=30, size=8)
        moved = tmp_path / "moved"
        for path in sorted(root.rglob("*.png")):
            number = int(path.stem)
            target = moved / path.parent.name / f"{9 - number % 10}_{number}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        here, there = (
            ImageFolder(root=str(folder), image_size=8, group=group)
            for folder, group in ((root, r"\d(?=\.)"), (moved, r"(\d)_"))
        )
        parts = [{row["sha256"]: row["part"] for row in source.split.rows()} for source in (here, there)]
        assert parts[0] == parts[1]

    def test_other_content_tests_other_groups(self):
        catalogs = [catalogue(patients(10, 12), shift=50 * k) for k in range(4)]
        assert len({frozenset(groups_of(images, split(images).test)) for images in catalogs}) > 1

    def test_each_image_tests_in_one_fold(self):
        images = catalogue(patients(7, 5))
        parts = [split(images, folds=3, fold=fold, seed=fold) for fold in range(3)]
        assert sorted(np.concatenate([part.test for part in parts])) == list(range(70))
        assert all(are_apart(images, part) for part in parts)

    def test_refuses_more_folds_than_groups_of_a_class(self):
        images = catalogue([{"a": 9, "b": 9}, patients(5, 4)[1]])
        assert refusal(images, folds=3) == (
            "data.folds=3: class 'class0' has 2 groups (data.group); give no more folds than that"
        )

    def test_refuses_a_class_of_one_group(self):
        line = refusal(catalogue([{"a": 20}, patients(5, 4)[1]]))
        assert line.startswith("data.group: class 'class0' has 1 group, too few to test some")

    def test_whole_split_trains_on_all(self):
        images = catalogue(patients(3, 4))
        whole = make_whole_split(images)
        assert sorted(whole.train) == list(range(24)) and whole.rows()[0]["group"] in images.groups


class TestValidation:
    def test_whole_groups_validate(self):
        images = catalogue(patients(20, 12))
        chosen = split(images)
        assert are_apart(images, chosen) and per_class(images, chosen.val) == [36, 36]

    @pytest.mark.parametrize("seed", [0, 1])
    def test_a_smaller_budget_is_part_of_a_larger_one(self, seed):
        images = catalogue(patients(20, 12))
        used = []
        for budget in (5, 10, 17, 19, 20, 40, 80, 150, 192):
            chosen = split(images, budget, seed=seed)
            used.append({*chosen.train, *chosen.val})
            assert per_class(images, sorted(used[-1])) == [budget, budget]
        assert all(small < large for small, large in pairwise(used))
        validates = [set(split(images, budget, seed=seed).val) for budget in (20, 40, 80)]
        assert [len(val) for val in validates] == [8, 16, 32] and validates[0] < validates[1] < validates[2]

    def test_another_seed_validates_with_other_groups(self):
        images = catalogue(patients(20, 12))
        assert len({frozenset(groups_of(images, split(images, seed=seed).val)) for seed in range(4)}) > 1

    def test_below_twenty_labels_all_train(self):
        chosen = split(catalogue(patients(20, 12)), 19)
        assert (len(chosen.train), len(chosen.val)) == (38, 0)

    def test_groups_of_two_classes_are_on_one_side_in_both(self):
        images = catalogue([{f"p{k}": 8 for k in range(20)} for _ in range(2)])
        for seed in range(4):
            assert are_apart(images, split(images, 40, seed=seed))

    def test_each_class_validates_or_none_does(self):
        images = catalogue([{"a": 30, "b": 30}, patients(20, 12)[1]])
        chosen = split(images)
        assert len(chosen.val) == 0 and are_apart(images, chosen)
        assert chosen.no_validation == (
            "nothing validates: class 'class0' has 1 group beside the test part, none with at most half of its images"
        )
        assert split(images, validation=0).no_validation == split(images, 10).no_validation == ""

    def test_all_budgets_fit_that_the_images_allow(self):
        images = catalogue(patients(5, 10))
        assert list_budgets(images, None, 0.2, False, None) == [5, 10, 20]
        assert per_class(images, np.concatenate([split(images, 40).train, split(images, 40).val])) == [40, 40]


class TestGivenParts:
    PARTS = [*["train"] * 20, *["val"] * 5, *["test"] * 5] * 2

    def images(self, crossing=()):
        names = [f"g{i // 5}" for i in range(30)]
        for position, group in crossing:
            names[position] = group
        images = catalogue(patients(6, 5), self.PARTS)
        images.groups[:] = [f"0{name}" for name in names] + [f"1{name}" for name in names]
        return images

    def test_are_kept(self):
        images = self.images()
        chosen = split(images)
        assert per_class(images, chosen.train) == [20, 20] and per_class(images, chosen.val) == [5, 5]

    def test_refuse_a_group_in_two_of_them(self):
        assert refusal(self.images([(0, "g5")])) == (
            "data.group: 2 groups stand in two parts, such as 0g5 (class0/0-5_25, class0/0-0_0); move the images of "
            "each group into one part, or keep those of such groups out of training with data.on_copies=skip"
        )

    def test_skip_leaves_its_training_images_out(self):
        images = self.images([(0, "g5"), (1, "g5")])
        chosen = split(images, skip=True)
        assert per_class(images, chosen.train) == [18, 18] and len(chosen.test) == 10
        assert chosen.skipped[0] == ("class0/0-0_0", "its group stands in test too: 0g5")
        assert chosen.notes == ["4 images of 2 groups left out: these groups stand in two parts (class0/0-0_0, …)"]

    def test_a_group_of_train_and_val_keeps_its_training_images(self):
        images = self.images([(20, "g0")])
        chosen = split(images, skip=True)
        assert per_class(images, chosen.train) == [20, 20] and per_class(images, chosen.val) == [4, 4]

    def test_without_a_val_part_groups_validate(self):
        images = self.images()
        images.parts[images.parts == "val"] = "train"
        chosen = split(images)
        assert are_apart(images, chosen) and per_class(images, chosen.val) == [5, 5]

    def test_val_as_the_test_part_leaves_groups_apart(self):
        images = self.images()
        chosen = split(images, 20, test="val")
        assert are_apart(images, chosen) and set(images.parts[chosen.test]) == {"val"}


class TestDigest:
    def test_names_the_groups(self, image_folder):
        root = str(image_folder(per_class=30, size=8))
        patterns = [None, r"(\d)\.png", r"\d\.png", r"[0-4]\.|[5-9]\."]
        sources = [ImageFolder(root=root, image_size=8, group=pattern) for pattern in patterns]
        assert len({source.digest for source in sources}) == len(sources)
        assert sources[1].digest == ImageFolder(root=root, image_size=8, group=r"([0-9])\.png").digest

    def test_rows_have_a_group_where_there_are_groups(self, image_folder):
        root = str(image_folder(per_class=30, size=8))
        keys = [set(ImageFolder(root=root, image_size=8, group=group).split.rows()[0]) for group in (None, r"\d\.")]
        assert keys == [{"image", "sha256", "class", "part"}, {"image", "sha256", "class", "part", "group"}]


class TestOrderBySide:
    @given(sides=st.lists(st.booleans(), min_size=2, max_size=80), share=st.sampled_from([0.1, 0.2, 0.3, 0.45, 0.5]))
    def test_every_beginning_has_the_share(self, sides, share):
        validates = np.array(sides)
        order = order_by_side(np.arange(len(sides)), validates, share)
        assert sorted(order) == list(range(len(sides)))
        for k in range(1, len(sides) + 1):
            count = validates[order[:k]].sum()
            expected = min(max(share * k, k - (~validates).sum()), validates.sum())
            assert abs(count - expected) <= 1
