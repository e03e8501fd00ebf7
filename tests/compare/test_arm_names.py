"""Arms are named by what differs, and by no more."""

from headstart.compare.arm_names import arm_key, arm_names


def names(*arms):
    """The names of arms that are given as (model, settings), in their order."""
    results = [{"arm": model, "settings": settings, "seed": 0} for model, settings in arms]
    return arm_names(results)


def test_a_model_with_one_arm_is_named_by_the_model_alone():
    assert names(("frozen", {"model.head_lr": 0.1}), ("finetune", {"model.head_lr": 0.2})) == ["frozen", "finetune"]


def test_runs_that_differ_in_seed_budget_data_and_fold_are_one_arm():
    runs = [
        {"arm": "frozen", "settings": {}, "seed": 0, "labels_per_class": 5, "data": "digits", "fold": 0},
        {"arm": "frozen", "settings": {}, "seed": 1, "labels_per_class": 10, "data": "mnist", "fold": 1},
    ]
    assert len({arm_key(run) for run in runs}) == 1 and arm_names(runs) == ["frozen", "frozen"]


def test_an_arm_is_named_by_what_tells_it_apart_in_its_own_data_set():
    plain, slow = {"model.lr": 0.1}, {"model.lr": 0.01}
    runs = [
        {"arm": "frozen", "settings": settings, "data": data}
        for data, arms in (("digits", (plain, slow)), ("mnist", (plain,)))
        for settings in arms
    ]
    assert arm_names(runs) == ["frozen lr=0.1", "frozen lr=0.01", "frozen"]


def test_each_setting_that_is_needed_is_in_the_name():
    backbones = {"small": ("embedded", 1e-3), "resnet18": ("hub", 1e-4)}
    arms = [
        (
            "finetune",
            {
                "model.head_lr": lr,
                "model.weight_decay": 0.1,
                "model.backbone.name": name,
                "model.backbone.weights": weights,
                "model.backbone_lr": backbone_lr,
            },
        )
        for lr in (1e-3, 1e-4)
        for name, (weights, backbone_lr) in backbones.items()
    ]
    assert names(*arms) == [
        "finetune backbone=small head_lr=0.001",
        "finetune backbone=resnet18 head_lr=0.001",
        "finetune backbone=small head_lr=0.0001",
        "finetune backbone=resnet18 head_lr=0.0001",
    ]


def test_settings_that_differ_together_are_named_once():
    assert names(("cnn", {"model.lr": 0.1, "model.warmup": 5}), ("cnn", {"model.lr": 0.2, "model.warmup": 9})) == [
        "cnn lr=0.1",
        "cnn lr=0.2",
    ]


def test_values_of_any_kind_tell_arms_apart():
    values = [None, True, "plain", {"5": 100}, [0.9, 0.95]]
    assert names(*[("cnn", {"model.x": value}) for value in values]) == [
        "cnn x=null",
        "cnn x=true",
        "cnn x=plain",
        'cnn x={"5":100}',
        "cnn x=[0.9,0.95]",
    ]


def test_a_setting_that_an_arm_lacks_is_left_out_of_its_name():
    assert names(("cnn", {"model.lr": 0.1}), ("cnn", {"model.lr": 0.1, "model.mixup": 0.2})) == ["cnn", "cnn mixup=0.2"]


def test_networks_of_one_name_are_told_apart_by_their_weights():
    embedded = {"model.backbone.name": "resnet18", "model.backbone.weights": "embedded", "model.backbone.mean": [0.48],
                "model.backbone.options.stem_width": 16, "model.backbone_lr": None, "data.image_size": 64}  # fmt: skip
    hub = {"model.backbone.name": "resnet18", "model.backbone.weights": "hub", "model.backbone.mean": None,
           "model.backbone.options": {}, "model.backbone_lr": 1e-4, "data.image_size": 64}  # fmt: skip
    assert names(("finetune", embedded), ("finetune", hub)) == ["finetune weights=embedded", "finetune weights=hub"]
