"""The split is fixed by content, nested by budget and decided by nothing else."""

import shutil
from itertools import pairwise

import numpy as np
import pytest

from headstart.data import Folder, available_budgets
from headstart.data.source import Catalogue
from headstart.data.split import make_split
from headstart.errors import HeadstartError


def catalogue(counts, parts=None, digests=None):
    """Images without pixels: ``counts`` of each class."""
    labels = np.repeat(np.arange(len(counts)), counts)
    n = len(labels)
    return Catalogue(
        names=[f"{label}/{i}" for i, label in enumerate(labels)],
        labels=labels,
        classes=tuple(f"class{k}" for k in range(len(counts))),
        parts=np.array(parts if parts is not None else [""] * n),
        digests=digests or [f"{(i * 7919) % 10_007:05}" for i in range(n)],
        pixels=np.zeros((n, 1, 8, 8), np.uint8),
        rows=np.arange(n),
    )


def split(images, budget=None, test=None, validation=0.2, seed=0):
    return make_split(images, test, budget, validation, seed)


def per_class(images, positions):
    return np.bincount(images.labels[positions], minlength=len(images.classes)).tolist()


def refusal(*args, **kwargs):
    with pytest.raises(HeadstartError) as caught:
        split(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_fifth_of_each_class_is_sealed_whatever_the_seed_and_the_budget():
    images = catalogue([50, 100])
    sealed = split(images).test
    assert per_class(images, sealed) == [10, 20]
    for seed, budget in ((1, None), (0, 5), (2, 20)):
        np.testing.assert_array_equal(split(images, budget, seed=seed).test, sealed)


def test_the_parts_share_no_image():
    chosen = split(catalogue([60, 60]))
    together = np.concatenate([chosen.train, chosen.val, chosen.test])
    assert sorted(together) == list(range(120))


def test_the_test_part_follows_the_files_when_the_folder_moves_and_they_are_renamed(image_folder, tmp_path):
    root = image_folder(classes=2, per_class=10)
    moved = tmp_path / "elsewhere" / "My photos (1)"
    for i, path in enumerate(sorted(root.rglob("*.png"), reverse=True)):
        target = moved / path.parent.name / f"photo {i}.PNG"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    here, there = Folder(root=str(root)), Folder(root=str(moved))
    for part in ("train", "val", "test"):
        rows = [[r["sha256"] for r in s.split.rows() if r["part"] == part] for s in (here, there)]
        assert sorted(rows[0]) == sorted(rows[1])
    assert here.digest == there.digest


def test_exact_copies_stay_on_one_side_even_in_two_classes():
    digests = [f"{i:03}" for i in range(20)] * 2
    images = catalogue([20, 20], digests=digests)
    chosen = split(images)
    sealed = {digests[i] for i in chosen.test}
    assert not sealed & {digests[i] for i in chosen.train}
    assert len(chosen.test) == 8


def test_a_copy_of_a_given_test_image_never_trains():
    images = catalogue([4, 4], ["test", "train", "train", "train"] * 2, list("aabc") + list("defg"))
    chosen = split(images)
    assert chosen.test.tolist() == [0, 4]
    assert 1 not in chosen.train and len(chosen.train) == 5


def test_of_exact_copies_one_is_used_so_that_none_trains_and_validates():
    digests = [f"{i // 2:03}" for i in range(120)]  # each image twice
    for parts in (None, ["train", "val"] * 60):  # in the second, each copy of a training image stands in val
        chosen = split(catalogue([60, 60], parts, digests))
        used = [digests[i] for i in (*chosen.train, *chosen.val)]
        assert len(chosen.val) and len(used) == len(set(used)) == 48


def test_a_given_test_part_that_is_not_the_one_asked_for_does_not_train():
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


def test_a_part_that_is_not_there_is_an_error_that_says_which_are():
    images = catalogue([10, 10], (["train"] * 8 + ["val"] * 2) * 2)
    assert refusal(images, test="test") == "data.test=test: the data bring no such part (they bring: train, val)"


def test_a_budget_too_large_names_the_class_its_images_and_what_fits():
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
    rows = Folder(root=str(image_folder(classes=2, per_class=10))).split.rows()
    assert {len(row["sha256"]) for row in rows} == {64}
    assert [row["part"] for row in rows] == ["train"] * 16 + ["test"] * 4
    assert all(row["image"].startswith(row["class"] + "/") for row in rows)


@pytest.mark.parametrize(("per_class", "budgets"), [(6, [5]), (16, [5, 10]), (30, [5, 10, 20]), (4, [])])
def test_up_to_three_budgets_fit_the_rarest_class(image_folder, per_class, budgets):
    root = image_folder(classes=["rare"], per_class=per_class)
    image_folder(classes=["plenty"], per_class=60, root=root, seed=1)
    assert available_budgets(Folder(root=str(root))) == budgets
