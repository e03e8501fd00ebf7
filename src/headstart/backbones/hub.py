"""Fetches timm's pretrained weights by huggingface_hub, from its cache or once from the hub."""

from contextlib import suppress
from pathlib import Path

from headstart.errors import HeadstartError, first_line

WEIGHT_FILENAMES = ("model.safetensors", "pytorch_model.bin")
HUB_TIMEOUT_SECONDS = 3.0


def fetch_hub_weights(name: str, timeout: float = HUB_TIMEOUT_SECONDS) -> Path:
    """The cached file of timm's pretrained weights for the network ``name``, downloaded when it is missing.

    Args:
        name: timm's name of the network.
        timeout: seconds after which a hub that does not answer is unreachable.

    Raises:
        HeadstartError: timm has no weights for it, or the hub cannot be reached.
    """
    import timm
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    cfg = timm.get_pretrained_cfg(name)
    if cfg is None or not cfg.hf_hub_id:
        raise HeadstartError(
            f"backbone.name={name}: timm has no weights on the hub for it; give backbone.weights=none or a file"
        )
    for filename in WEIGHT_FILENAMES:
        with suppress(LocalEntryNotFoundError):
            return Path(hf_hub_download(cfg.hf_hub_id, filename, local_files_only=True))
    for filename in WEIGHT_FILENAMES:
        try:
            # Without this request, the download would retry for minutes where no hub answers.
            get_hf_file_metadata(hf_hub_url(cfg.hf_hub_id, filename), timeout=timeout)
            return Path(hf_hub_download(cfg.hf_hub_id, filename))
        except EntryNotFoundError:
            continue
        except Exception as error:
            raise HeadstartError(
                f"backbone.weights=hub: {cfg.hf_hub_id} is not cached and the hub cannot be reached "
                f"({first_line(error)[:120]}); give a file, or backbone=efficientnet_lite0, which needs no hub"
            ) from error
    raise HeadstartError(
        f"backbone.weights=hub: {cfg.hf_hub_id} holds no file that timm reads; give a file of your own"
    )
