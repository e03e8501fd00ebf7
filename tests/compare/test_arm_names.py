"""Arms are named by what differs, and by no more."""

from headstart.compare.arm_names import arm_names
from headstart.runs.result import RunResult


def name(*arms):
    """The names of arms that are given as (model, settings), in their order."""
    return arm_names([RunResult("finished", model, "photos", 0, settings=settings) for model, settings in arms])


class TestArmNames:
    def test_are_models_where_each_has_one_arm(self):
        assert name(("frozen", {"lr": 0.1}), ("finetune", {"lr": 0.2})) == ["frozen", "finetune"]

    def test_leave_out_seed_budget_data_and_fold(self):
        runs = [
            RunResult("finished", "frozen", "digits", 0, labels_per_class=5),
            RunResult("finished", "frozen", "mnist", 1, labels_per_class=10, fold=1),
        ]
        assert arm_names(runs) == ["frozen", "frozen"]

    def test_distinguish_arms_within_a_data_set(self):
        runs = [
            RunResult("finished", "frozen", data, 0, settings={"model.lr": lr})
            for data, lrs in (("digits", (0.1, 0.01)), ("mnist", (0.1,)))
            for lr in lrs
        ]
        assert arm_names(runs) == ["frozen lr=0.1", "frozen lr=0.01", "frozen"]

    def test_have_each_setting_that_is_needed(self):
        backbones = {"small": ("embedded", 1e-3), "resnet18": ("hub", 1e-4)}
        arms = [
            (
                "finetune",
                {
                    "model.head_lr": lr,
                    "model.weight_decay": 0.1,
                    "model.backbone.name": backbone,
                    "model.backbone.weights": weights,
                    "model.backbone_lr": backbone_lr,
                },
            )
            for lr in (1e-3, 1e-4)
            for backbone, (weights, backbone_lr) in backbones.items()
        ]
        assert name(*arms) == [
            "finetune backbone=small head_lr=0.001",
            "finetune backbone=resnet18 head_lr=0.001",
            "finetune backbone=small head_lr=0.0001",
            "finetune backbone=resnet18 head_lr=0.0001",
        ]

    def test_have_one_of_settings_that_differ_together(self):
        arms = ("cnn", {"model.lr": 0.1, "model.warmup": 5}), ("cnn", {"model.lr": 0.2, "model.warmup": 9})
        assert name(*arms) == ["cnn lr=0.1", "cnn lr=0.2"]

    def test_show_values_of_any_type(self):
        values = [None, True, "plain", {"5": 100}, [0.9, 0.95]]
        assert name(*[("cnn", {"model.x": value}) for value in values]) == [
            "cnn x=null",
            "cnn x=true",
            "cnn x=plain",
            'cnn x={"5":100}',
            "cnn x=[0.9,0.95]",
        ]

    def test_leave_out_a_setting_that_the_arm_lacks(self):
        arms = ("cnn", {"model.lr": 0.1}), ("cnn", {"model.lr": 0.1, "model.mixup": 0.2})
        assert name(*arms) == ["cnn", "cnn mixup=0.2"]

    def test_distinguish_networks_of_one_name_by_weights(self):
        embedded = {
            "model.backbone.name": "resnet18",
            "model.backbone.weights": "embedded",
            "model.backbone.mean": [0.48],
            "model.backbone.options.stem_width": 16,
            "model.backbone_lr": None,
            "data.image_size": 64,
        }
        hub = {
            "model.backbone.name": "resnet18",
            "model.backbone.weights": "hub",
            "model.backbone.mean": None,
            "model.backbone.options": {},
            "model.backbone_lr": 1e-4,
            "data.image_size": 64,
        }
        assert name(("finetune", embedded), ("finetune", hub)) == ["finetune weights=embedded", "finetune weights=hub"]
