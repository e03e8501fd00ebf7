"""The split is fixed by content, nested by budget and decided by nothing else."""

import shutil
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from headstart.data import ImageFolder
from headstart.data.catalog import Catalog
from headstart.data.split import make_split, make_whole_split
from headstart.errors import HeadstartError


def catalogue(counts, parts=None, digests=None):
    """Images without pixels: ``counts`` of each class."""
    labels = np.repeat(np.arange(len(counts)), counts)
    n = len(labels)
    return Catalog(
        names=[f"{label}/{i}" for i, label in enumerate(labels)],
        labels=labels,
        classes=tuple(f"class{k}" for k in range(len(counts))),
        parts=np.array(parts if parts is not None else [""] * n),
        digests=digests or [f"{(i * 7919) % 10_007:05}" for i in range(n)],
        pixels=np.zeros((n, 1, 8, 8), np.uint8),
        rows=np.arange(n),
    )


def split(images, budget=None, test=None, validation=0.2, seed=0, skip_copies=False):
    return make_split(images, test, budget, validation, seed, skip_copies)


def per_class(images, positions):
    return np.bincount(images.labels[positions], minlength=len(images.classes)).tolist()


def refusal(*args, **kwargs):
    with pytest.raises(HeadstartError) as caught:
        split(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_fifth_of_each_class_tests_for_all_seeds_and_budgets():
    images = catalogue([50, 100])
    sealed = split(images).test
    assert per_class(images, sealed) == [10, 20]
    for seed, budget in ((1, None), (0, 5), (2, 20)):
        np.testing.assert_array_equal(split(images, budget, seed=seed).test, sealed)


def test_the_parts_share_no_image():
    chosen = split(catalogue([60, 60]))
    together = np.concatenate([chosen.train, chosen.val, chosen.test])
    assert sorted(together) == list(range(120))


def test_the_test_part_survives_moved_and_renamed_files(image_folder, tmp_path):
    root = image_folder(classes=2, per_class=10)
    moved = tmp_path / "elsewhere" / "My photos (1)"
    for i, path in enumerate(sorted(root.rglob("*.png"), reverse=True)):
        target = moved / path.parent.name / f"photo {i}.PNG"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    here, there = ImageFolder(root=str(root)), ImageFolder(root=str(moved))
    for part in ("train", "val", "test"):
        rows = [[r["sha256"] for r in s.split.rows() if r["part"] == part] for s in (here, there)]
        assert sorted(rows[0]) == sorted(rows[1])
    assert here.digest == there.digest


def test_exact_copies_stay_on_one_side():
    digests = [f"{i // 2:03}" for i in range(40)]  # each image twice
    chosen = split(catalogue([20, 20], digests=digests))
    assert not {digests[i] for i in chosen.test} & {digests[i] for i in chosen.train}
    assert len(chosen.test) == 8 and chosen.skipped == []


def test_only_one_of_several_exact_copies_is_used():
    digests = [f"{i // 2:03}" for i in range(120)]
    chosen = split(catalogue([60, 60], digests=digests))
    used = [digests[i] for i in (*chosen.train, *chosen.val)]
    assert len(chosen.val) and len(used) == len(set(used)) == 48


def test_an_image_under_two_labels_is_left_out_and_named():
    digests = [*"abcdefghij", *"aklmnopqrst"]
    for parts in (None, ["test", "test", *["train"] * 8, "test", "test", *["train"] * 9]):
        images = catalogue([10, 11], parts, digests)
        with_it = catalogue([10, 11], parts, [*digests[:10], "z", *digests[11:]])
        chosen = split(images)
        assert not {0, 10} & {*chosen.train, *chosen.val, *chosen.test}
        reason = "the same image stands under two labels: class0, class1"
        assert chosen.skipped == [("0/0", reason), ("1/10", reason)]
        assert split(with_it).skipped == []


def test_names_a_class_whose_images_all_have_two_labels():
    assert "class 'class0' has no image left" in refusal(catalogue([2, 9], digests=[*"ab", *"abcdefghi"]))


def test_rejects_a_given_test_part_without_labels():
    images = catalogue([3, 3], ["test", "train", "train"] * 2, [*"abc", *"ade"])
    assert refusal(images) == "each image of the test part stands under two labels; give them one, or add images"


def test_rejects_and_names_copies_across_given_parts():
    images = catalogue([4, 4], ["test", "train", "train", "train"] * 2, list("aabc") + list("defg"))
    assert refusal(images) == (
        "1 image stands in two parts: 0/0 = 0/1; remove the copies from one part, "
        "or keep them out of training with data.on_copies=skip"
    )
    validated = catalogue([4, 4], ["test", "train", "val", "train"] * 2, list("abbc") + list("deef"))
    assert refusal(validated).startswith("2 images stand in two parts: 0/1 = 0/2, 1/5 = 1/6;")


def test_skipped_copies_of_a_test_image_never_train():
    images = catalogue([4, 4], ["test", "train", "train", "train"] * 2, list("aabc") + list("defg"))
    chosen = split(images, skip_copies=True)
    assert chosen.test.tolist() == [0, 4]
    assert 1 not in chosen.train and len(chosen.train) == 5
    assert chosen.skipped == [("0/1", "the same image stands in test: 0/0")]


def test_skipped_copies_of_a_training_image_never_validate():
    digests = [f"{i // 2:03}" for i in range(120)]
    chosen = split(catalogue([60, 60], ["train", "val"] * 60, digests), skip_copies=True)
    used = [digests[i] for i in (*chosen.train, *chosen.val)]
    assert len(used) == len(set(used)) == 48
    assert chosen.skipped[0] == ("0/1", "the same image stands in train: 0/0") and len(chosen.skipped) == 60


def test_accepts_copies_in_a_given_test_part_that_is_not_chosen():
    parts = (["train"] * 6 + ["val"] * 2 + ["test"] * 2) * 2
    digests = [*"abcdefghaa", *"ijklmnopqr"]
    assert "two parts: 0/8 = 0/0;" in refusal(catalogue([10, 10], parts, digests))
    assert split(catalogue([10, 10], parts, digests), test="val").skipped == []


def test_a_copy_in_another_container_is_a_copy(image_folder):
    root = image_folder(classes=["ant", "bee"], per_class=10)
    for label, source in (("ant", "ant/0"), ("bee", "ant/1")):
        with Image.open(root / f"{source}.png") as image:
            image.save(root / label / "copy.bmp")
    source = ImageFolder(root=str(root), image_size=16)
    reason = "the same image stands under two labels: ant, bee"
    assert source.skipped == [("ant/1.png", reason), ("bee/copy.bmp", reason)]
    sides = [{row["image"] for row in source.split.rows() if row["part"] == part} for part in ("train", "test")]
    assert sum(bool({"ant/0.png", "ant/copy.bmp"} & side) for side in sides) == 1


def test_a_given_test_part_that_is_not_chosen_does_not_train():
    images = catalogue([100, 100], (["train"] * 60 + ["val"] * 20 + ["test"] * 20) * 2)
    chosen = split(images, test="val")
    assert "test" not in set(images.parts[np.concatenate([chosen.train, chosen.val, chosen.test])])


@pytest.mark.parametrize("share", [0.1, 0.2, 0.3, 0.45, 0.5])
def test_the_share_that_validates_is_the_one_asked_for(share):
    chosen = split(catalogue([500, 500]), validation=share)
    assert len(chosen.val) / (len(chosen.val) + len(chosen.train)) == pytest.approx(share, abs=0.003)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_smaller_budget_is_part_of_a_larger_one(seed):
    images = catalogue([200, 200])
    used = []
    for budget in (5, 10, 20, 40, 80):
        chosen = split(images, budget, seed=seed)
        used.append({*chosen.train, *chosen.val})
        assert per_class(images, sorted(used[-1])) == [budget, budget]
    assert all(small < large for small, large in pairwise(used))
    validates = [set(split(images, budget, seed=seed).val) for budget in (20, 40, 80)]
    assert validates[0] < validates[1] < validates[2]


def test_another_seed_draws_other_labels():
    images = catalogue([100, 100])
    assert set(split(images, 10, seed=0).train) != set(split(images, 10, seed=1).train)


def test_below_twenty_labels_all_train_and_nothing_validates():
    images = catalogue([100, 100])
    few, enough = split(images, 19), split(images, 20)
    assert (len(few.train), len(few.val)) == (38, 0)
    assert (len(enough.train), len(enough.val)) == (32, 8)


def test_few_images_in_all_are_a_small_budget_too():
    assert len(split(catalogue([20, 20])).val) == 0
    assert len(split(catalogue([40, 40])).val) > 0


def test_at_most_500_images_of_a_class_validate():
    images = catalogue([4000, 100])
    assert per_class(images, split(images).val) == [500, 16]


def test_validation_can_be_switched_off():
    chosen = split(catalogue([100, 100]), validation=0)
    assert (len(chosen.train), len(chosen.val), len(chosen.test)) == (160, 0, 40)


def test_given_parts_are_kept():
    parts = (["train"] * 60 + ["val"] * 20 + ["test"] * 20) * 2
    images = catalogue([100, 100], parts)
    chosen = split(images)
    for part in ("train", "val", "test"):
        assert set(images.parts[getattr(chosen, part)]) == {part}
    assert (len(chosen.train), len(chosen.val), len(chosen.test)) == (120, 40, 40)


def test_given_validation_images_count_within_the_budget():
    images = catalogue([100, 100], (["train"] * 60 + ["val"] * 20 + ["test"] * 20) * 2)
    chosen = split(images, 40)
    assert (len(chosen.train), len(chosen.val)) == (64, 16)
    assert set(images.parts[chosen.val]) == {"val"}
    few = split(images, 10)
    assert (len(few.train), len(few.val)) == (20, 0) and set(images.parts[few.train]) == {"train"}


def test_a_given_validation_part_can_be_the_sealed_test():
    images = catalogue([100, 100], (["train"] * 80 + ["val"] * 20) * 2)
    chosen = split(images, 20, test="val")
    assert set(images.parts[chosen.test]) == {"val"} and len(chosen.test) == 40
    assert set(images.parts[chosen.val]) == {"train"} and len(chosen.val) == 8


def test_rejects_a_missing_part_and_names_those_present():
    images = catalogue([10, 10], (["train"] * 8 + ["val"] * 2) * 2)
    assert refusal(images, test="test") == "data.test=test: the data bring no such part (they bring: train, val)"


def test_rejects_a_large_budget_and_names_class_and_limit():
    line = refusal(catalogue([100, 30]), 40)
    assert "'class1' has 24 images" in line and line.endswith("the largest budget that fits is 24")


@pytest.mark.parametrize("seed", [0, 1])
def test_the_largest_budget_that_an_error_names_does_fit(seed):
    images = catalogue([100, 30], (["train"] * 70 + ["val"] * 20 + ["test"] * 10) + ["train"] * 15 + ["val"] * 15)
    assert refusal(images, 40).endswith("fits is 30")
    chosen = split(images, 30, seed=seed)
    assert per_class(images, np.concatenate([chosen.train, chosen.val])) == [30, 30]


def test_a_class_without_a_training_image_is_named():
    assert "class 'class1' has no image left to train on" in refusal(catalogue([10, 1]))
    assert "class 'class1'" in refusal(catalogue([10, 2], digests=[*"abcdefghij", "k", "k"]))


def test_a_split_is_written_down_with_hashes(image_folder):
    rows = ImageFolder(root=str(image_folder(classes=2, per_class=10))).split.rows()
    assert {len(row["sha256"]) for row in rows} == {64}
    assert [row["part"] for row in rows] == ["train"] * 16 + ["test"] * 4
    assert all(row["image"].startswith(row["class"] + "/") for row in rows)


@pytest.mark.parametrize(("per_class", "budgets"), [(6, [5]), (16, [5, 10]), (30, [5, 10, 20]), (4, [])])
def test_up_to_three_budgets_fit_the_rarest_class(image_folder, per_class, budgets):
    root = image_folder(classes=["rare"], per_class=per_class)
    image_folder(classes=["plenty"], per_class=60, root=root, seed=1)
    assert ImageFolder(root=str(root)).available_budgets() == budgets


class TestMakeWholeSplit:
    def test_every_image_trains_whatever_its_part(self):
        images = catalogue([3, 5], parts=["train", "val", "test", "train", "train", "val", "val", "test"])
        whole = make_whole_split(images)
        assert sorted(whole.train) == list(range(8)) and not len(whole.val) and not len(whole.test)

    def test_is_decided_by_content_alone(self):
        images = catalogue([4, 4], digests=list("hgfedcba"))
        assert make_whole_split(images).train.tolist() == [7, 6, 5, 4, 3, 2, 1, 0]

    def test_takes_each_content_once_and_under_one_label(self):
        images = catalogue([4, 4], parts=["train", "test", "", "", "", "", "", ""], digests=list("aabcdecf"))
        whole = make_whole_split(images)
        assert sorted(whole.train) == [0, 2, 4, 5, 7]
        assert [name for name, _ in whole.skipped] == ["0/3", "1/6"]

    def test_rejects_a_class_without_images(self):
        with pytest.raises(HeadstartError, match="class 'class1' has no image left to train on"):
            make_whole_split(catalogue([2, 1], digests=list("aba")))


class TestNoTest:
    def test_source_holds_nothing_out(self, image_folder):
        root = str(image_folder(per_class=10))
        whole = ImageFolder(root=root, test="none", validation=0)
        assert len(whole.split.train) == 20 and whole.digest != ImageFolder(root=root, validation=0).digest
        assert whole.spec.labels_per_class == 10

    @pytest.mark.parametrize("changes", [{"labels_per_class": 5}, {"folds": 2}, {"validation": 0.2}])
    def test_rejects_what_would_hold_images_out(self, image_folder, changes):
        with pytest.raises(HeadstartError, match=r"data\.test=none: every image trains"):
            ImageFolder(**{"root": str(image_folder()), "test": "none", "validation": 0} | changes)
