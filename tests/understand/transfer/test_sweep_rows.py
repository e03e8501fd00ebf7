from headstart.understand.transfer.sweep_rows import build_transfer_sweep, select_comparable_runs


def any_images(row):
    return True


def run(seed=0, labels=5, data="digits", model="partial_transfer", **settings):
    return {
        "model": model,
        "data": data,
        "labels_per_class": labels,
        "seed": seed,
        "settings": {f"model.{name}": value for name, value in settings.items()},
        "metrics": {"test/accuracy": 0.8},
    }


def test_the_runs_of_the_commonest_data_and_settings_are_comparable_whatever_stages_they_keep():
    points = [run(num_stages=kept, mode="frozen") for kept in (0, 1, 2)]
    others = [run(num_stages=1, mode="frozen", lr=1.0), run(data="flowers", num_stages=1, mode="frozen")]
    assert select_comparable_runs(points + others, any_images) == points


def test_runs_of_the_images_that_one_asks_about_come_before_a_larger_number_of_others():
    mine, others = [run(data="digits")], [run(seed, data="flowers") for seed in (0, 1)]
    assert select_comparable_runs(others + mine, lambda row: row["data"] == "digits") == mine
    assert select_comparable_runs(others, lambda row: row["data"] == "digits") == others


def test_images_of_one_name_and_other_classes_are_others():
    mine, others = [{**run(seed), "classes": ["a"]} for seed in (0, 1)], [{**run(), "classes": ["b"]}]
    assert select_comparable_runs(others + mine, any_images) == mine


def test_the_curve_is_that_of_the_smallest_budget_and_says_what_it_was_measured_on():
    rows = [run(seed, labels, num_stages=1, mode="frozen") for seed in (0, 1) for labels in (None, 20, 5)]
    found = build_transfer_sweep([*rows, run(labels=1, model="finetune")])
    assert (found.data, found.labels_per_class, found.num_runs, found.num_seeds) == ("digits", 5, 2, 2)
    assert found.curve.depths("frozen") == [1]


def test_runs_that_keep_no_stages_make_no_curve():
    assert build_transfer_sweep([]) is build_transfer_sweep([run(model="finetune")]) is None
