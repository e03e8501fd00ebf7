"""What the pretrained arms start from."""

from headstart.compare.collect.sweep_runs import collect_runs
from headstart.compare.report.pretraining import describe_pretraining


def start_from(name, **card):
    return {"backbone": {"name": name, "weights": "some", "card": card}}


class TestDescribePretraining:
    def test_names_network_images_and_size(self, fake_run):
        settings = {"data.image_size": 128}
        fake_run("scratch_cnn", settings=settings)
        starts = start_from("tf_efficientnet_lite0", data="ImageNet, 1,000 classes")
        runs = collect_runs(fake_run("frozen", settings=settings, starts=starts).parent)
        assert describe_pretraining(runs.finished) == ["EfficientNet-Lite0 on ImageNet, at 128 pixels"]

    def test_names_the_arms_of_several_starts(self, fake_run):
        fake_run("frozen", starts=start_from("mynet", data="birds"))
        runs = collect_runs(fake_run("finetune", starts=start_from("other")).parent)
        assert sorted(describe_pretraining(runs.finished)) == [
            "mynet on birds (frozen)",
            "other on unknown images (some) (finetune)",
        ]

    def test_is_empty_without_pretrained_arms(self, fake_run):
        assert describe_pretraining(collect_runs(fake_run("scratch_cnn").parent).finished) == []
