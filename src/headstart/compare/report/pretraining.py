"""Describes what the pretrained arms start from: which network, which images, which size."""

from collections.abc import Sequence

from headstart.compare.collect.provenance import collect_starting_weights
from headstart.compare.collect.sweep_runs import LoadedRun
from headstart.reporting.formats import join_with_and

NETWORK_NAMES = {
    "tf_efficientnet_lite0": "EfficientNet-Lite0",
    "tf_efficientnet_lite2": "EfficientNet-Lite2",
    "resnet18": "ResNet-18",
    "mobilenetv2_100": "MobileNetV2",
}
DATA_NAMES = {"tiny_imagenet": "Tiny-ImageNet"}


def describe_pretraining(runs: Sequence[LoadedRun]) -> list[str]:
    """Describes each set of pretrained weights: ``EfficientNet-Lite0 on ImageNet, at 128 pixels``.

    Args:
        runs: of one data set. Where their arms start from several sets, each description names its arms.
    """
    starts = collect_starting_weights([(run.arm, run.result) for run in runs], [])
    descriptions = []
    for start in starts:
        network = start["networks"][0]
        name = NETWORK_NAMES.get(network["name"], str(network["name"]))
        data = str(network["data"] or f"unknown images ({network['weights']})").partition(",")[0]
        sizes = sorted({size for run in runs if run.arm in start["arms"] if (size := _image_size(run))})
        at_size = f", at {join_with_and(list(map(str, sizes)))} pixels" if sizes else ""
        arms = f" ({join_with_and(start['arms'])})" if len(starts) > 1 else ""
        descriptions.append(f"{name} on {DATA_NAMES.get(data, data)}{at_size}{arms}")
    return descriptions


def _image_size(run: LoadedRun) -> int | None:
    size = run.result.settings.get("data.image_size")
    return size if isinstance(size, int) else None
