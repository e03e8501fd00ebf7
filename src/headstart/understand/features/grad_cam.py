"""Grad-CAM: where an image gets its class from, and whether the maps say so of this network."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.errors import HeadstartError
from headstart.networks.copying import clone_network

CAM_BATCH_SIZE = 16  # images that go forth and back together
CORRELATION_GRID = 14  # a side, at which maps are compared


def grad_cam(network: nn.Module, images: Tensor, classes: Tensor, layer: str) -> Tensor:
    """How much each place speaks for a class: the layer's maps, weighed by the class score's mean gradient on each,
    summed, what is below 0 left out (Selvaraju and others, ICCV 2017), by captum.

    It works where no parameter takes a gradient and where the forward pass goes through a backbone under
    ``torch.no_grad()``, as frozen ones do: a copy is measured, which lets gradients through.

    Args:
        network: gives class scores; stays as it is.
        images: float32 (N, C, H, W), as the network takes them.
        classes: for which it is asked, int64 (N,).
        layer: name of a module that gives maps (N, K, h, w).

    Returns:
        float32 (N, H, W), each map scaled to a most of 1; all 0 where nothing speaks for the class.

    Raises:
        HeadstartError: no gradient comes back from the scores to the layer.
    """
    from captum.attr import LayerGradCam

    network = clone_network(network)
    for module in network.modules():
        module.register_forward_pre_hook(_enable_gradients)
        if hasattr(module, "inplace"):
            module.inplace = False  # type: ignore[assignment]  # else it overwrites what the gradient needs
    by = LayerGradCam(network, network.get_submodule(layer))
    parts = []
    for some, asked in zip(images.split(CAM_BATCH_SIZE), classes.split(CAM_BATCH_SIZE), strict=True):
        try:
            with torch.enable_grad():
                coarse = by.attribute(some.clone().requires_grad_(), target=asked, relu_attributions=True)
        except RuntimeError as wrong:
            reason = str(wrong).splitlines()[0]
            raise HeadstartError(f"{type(network).__name__}: no gradient comes back to {layer}: {reason}") from wrong
        parts.append(F.interpolate(coarse.detach(), size=images.shape[2:], mode="bilinear")[:, 0])
    maps = torch.cat(parts)
    return maps / maps.amax(dim=(1, 2), keepdim=True).clamp(min=torch.finfo(maps.dtype).tiny)


def _enable_gradients(module: nn.Module, taken: object) -> None:
    torch.set_grad_enabled(True)  # until the end of the caller's ``no_grad``, which puts back what was before


def cover_top_pixels(images: Tensor, maps: Tensor, share: float) -> Tensor:
    """The images without their places of the greatest values: these take the image's mean colour.

    Args:
        images: float32 (N, C, H, W).
        maps: float32 (N, H, W).
        share: of an image's pixels that is covered.
    """
    count = round(share * maps[0].numel())
    hidden = torch.zeros_like(maps, dtype=torch.bool).flatten(1)
    hidden.scatter_(1, maps.flatten(1).topk(count, dim=1).indices, True)
    return torch.where(hidden.view_as(maps)[:, None], images.mean(dim=(2, 3), keepdim=True), images)


def confidence_drop(network: nn.Module, images: Tensor, maps: Tensor, classes: Tensor, share: float) -> Tensor:
    """By how much the probability of the class falls when the map's greatest places are covered, float32 (N,)."""
    if not len(images):
        return torch.zeros(0)
    network = clone_network(network)
    with torch.no_grad():
        before, after = (
            torch.cat([network(some).softmax(dim=1) for some in all_.split(CAM_BATCH_SIZE)]).gather(
                1, classes[:, None]
            )[:, 0]
            for all_ in (images, cover_top_pixels(images, maps, share))
        )
    return before - after


def rank_correlation(maps: Tensor, other_maps: Tensor) -> Tensor:
    """Spearman's rank correlation of each map with its other, both taken at 14×14 places.

    Args:
        maps, others: float32 (N, H, W).

    Returns:
        float64 (N,); NaN where one of the two is the same everywhere.
    """
    from scipy.stats import rankdata

    ranks = []
    for each in (maps, other_maps):
        places = F.adaptive_avg_pool2d(each[:, None], min(CORRELATION_GRID, *each.shape[1:])).flatten(1)
        of = torch.from_numpy(rankdata(places.numpy(), axis=1))
        ranks.append(of - of.mean(dim=1, keepdim=True))
    scale = ranks[0].norm(dim=1) * ranks[1].norm(dim=1)
    return torch.where(scale > 0, (ranks[0] * ranks[1]).sum(dim=1) / scale, torch.nan)
