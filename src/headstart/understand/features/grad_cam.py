"""Grad-CAM maps, and two tests of them: covering marked pixels, and rank correlation with other maps."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.errors import HeadstartError, first_line
from headstart.networks.copying import clone_network

CAM_BATCH_SIZE = 16  # images of a forward and backward pass
CORRELATION_GRID = 14  # along a side, at which maps are compared


def grad_cam(network: nn.Module, images: Tensor, classes: Tensor, layer: str) -> Tensor:
    """Evidence for a class at each position: the layer's maps weighted by the class score's mean gradient on each,
    summed, negative values set to 0 (Selvaraju and others, ICCV 2017), by captum.

    It also works on frozen backbones, whose parameters have no gradient and whose forward pass may run under
    ``torch.no_grad()``: it measures a copy that lets gradients through.

    Args:
        network: maps images to class scores; not changed.
        images: float32 (N, C, H, W), as the network takes them.
        classes: the class in question for each image, int64 (N,).
        layer: name of a module whose output is maps (N, K, h, w).

    Returns:
        float32 (N, H, W), each map scaled to a maximum of 1; all 0 without evidence for the class.

    Raises:
        HeadstartError: no gradient flows from the scores to the layer.
    """
    from captum.attr import LayerGradCam

    network = clone_network(network)
    for module in network.modules():
        module.register_forward_pre_hook(_enable_gradients)
        if hasattr(module, "inplace"):
            module.inplace = False  # type: ignore[assignment]  # in-place layers overwrite values of the backward pass
    method = LayerGradCam(network, network.get_submodule(layer))
    parts = []
    for batch, targets in zip(images.split(CAM_BATCH_SIZE), classes.split(CAM_BATCH_SIZE), strict=True):
        try:
            with torch.enable_grad():
                coarse = method.attribute(batch.clone().requires_grad_(), target=targets, relu_attributions=True)
        except RuntimeError as error:
            name, reason = type(network).__name__, first_line(error)
            raise HeadstartError(f"{name}: no gradient flows to {layer}: {reason}") from error
        parts.append(F.interpolate(coarse.detach(), size=images.shape[2:], mode="bilinear")[:, 0])
    maps = torch.cat(parts)
    return maps / maps.amax(dim=(1, 2), keepdim=True).clamp(min=torch.finfo(maps.dtype).tiny)


def _enable_gradients(module: nn.Module, inputs: object) -> None:
    torch.set_grad_enabled(True)  # until the caller's ``no_grad`` ends, which restores the state before it


def cover_top_pixels(images: Tensor, maps: Tensor, share: float) -> Tensor:
    """The images with the pixels of the largest map values replaced by the image's mean color.

    Args:
        images: float32 (N, C, H, W).
        maps: float32 (N, H, W).
        share: of an image's pixels to cover.
    """
    count = round(share * maps[0].numel())
    is_covered = torch.zeros_like(maps, dtype=torch.bool).flatten(1)
    is_covered.scatter_(1, maps.flatten(1).topk(count, dim=1).indices, True)
    return torch.where(is_covered.view_as(maps)[:, None], images.mean(dim=(2, 3), keepdim=True), images)


def confidence_drop(network: nn.Module, images: Tensor, maps: Tensor, classes: Tensor, share: float) -> Tensor:
    """Drop in the probability of the class when the largest map values are covered, float32 (N,).

    Args as in :func:`grad_cam` and :func:`cover_top_pixels`.
    """
    if not len(images):
        return torch.zeros(0)
    network = clone_network(network)

    def compute_confidence(batch: Tensor) -> Tensor:
        probabilities = torch.cat([network(part).softmax(dim=1) for part in batch.split(CAM_BATCH_SIZE)])
        return probabilities.gather(1, classes[:, None])[:, 0]

    with torch.no_grad():
        return compute_confidence(images) - compute_confidence(cover_top_pixels(images, maps, share))


def rank_correlation(maps: Tensor, other_maps: Tensor) -> Tensor:
    """Spearman's rank correlation of each map with its counterpart, both averaged to 14×14 positions.

    Args:
        maps, other_maps: float32 (N, H, W).

    Returns:
        float64 (N,); NaN if one of the two is constant.
    """
    from scipy.stats import rankdata

    ranks = []
    for batch in (maps, other_maps):
        values = F.adaptive_avg_pool2d(batch[:, None], min(CORRELATION_GRID, *batch.shape[1:])).flatten(1)
        rank = torch.from_numpy(rankdata(values.numpy(), axis=1))
        ranks.append(rank - rank.mean(dim=1, keepdim=True))
    scale = ranks[0].norm(dim=1) * ranks[1].norm(dim=1)
    return torch.where(scale > 0, (ranks[0] * ranks[1]).sum(dim=1) / scale, torch.nan)
