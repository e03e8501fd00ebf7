"""Builds timm networks without their classifier."""

from typing import TYPE_CHECKING, Any

from headstart.backbones.timm_options import check_backbone_options, find_pretrained_cfg
from headstart.errors import HeadstartError, first_line
from headstart.networks.modes import evaluation_mode

if TYPE_CHECKING:
    from torch import nn


def build_backbone(resolved: dict[str, Any]) -> Any:
    """Builds the network for three channels, without its classifier, with random weights.

    Its kernels are stored channels-last: convolutions on CPUs and tensor cores are fastest then.

    Raises:
        HeadstartError: timm does not have the name, or the network does not take the options.
    """
    import timm
    import torch

    name, options = resolved["name"], resolved["options"]
    if not timm.is_model(name):
        from difflib import get_close_matches

        matches = get_close_matches(name, timm.list_models(), n=3)
        hint = f"; did you mean {' or '.join(matches)}?" if matches else "; timm.list_models() lists all"
        raise HeadstartError(f"backbone.name={name}: timm has no such network{hint}")
    check_backbone_options(options)
    find_pretrained_cfg(name)
    try:
        network = timm.create_model(name, pretrained=False, num_classes=0, **options)
    except Exception as error:
        raise HeadstartError(
            f"backbone.options={options}: {name} does not take them ({first_line(error)[:120]}); give others, or none"
        ) from error
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def feature_width(backbone: "nn.Module", resolved: dict[str, Any], size: tuple[int, int]) -> int:
    """Number of features of an image of ``size`` (height, width).

    timm's ``num_features`` does not count the last layers of some networks.

    Raises:
        HeadstartError: the network does not take three channels of that size, or its features are not one row.
    """
    import torch

    try:
        with evaluation_mode(backbone), torch.no_grad():
            features = backbone(torch.zeros(1, 3, *size))
    except Exception as error:
        raise HeadstartError(
            f"backbone.name={resolved['name']}: does not take {size[0]}×{size[1]} pixels ({first_line(error)[:120]}); "
            f"give another data.image_size, or the network's own option, such as backbone.options.img_size={size[0]}"
        ) from error
    if features.ndim != 2:
        raise HeadstartError(
            f"backbone.options={resolved['options']}: {resolved['name']} gives features of shape "
            f"{tuple(features.shape[1:])}, and the head takes one row; give backbone.options.global_pool=avg"
        )
    return features.shape[1]
