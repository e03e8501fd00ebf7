"""timm's pretrained weights by huggingface_hub: from its cache, or fetched once; a hub that does not answer is not
waited for."""

from contextlib import suppress
from pathlib import Path

from headstart.errors import HeadstartError

WEIGHT_FILENAMES = ("model.safetensors", "pytorch_model.bin")
HUB_TIMEOUT_SECONDS = 3.0  # seconds until a hub that does not answer counts as unreachable


def fetch_hub_weights(name: str) -> Path:
    """The cached file of timm's pretrained weights for the network ``name``, fetched when it is not there.

    Raises:
        HeadstartError: timm has none for it, or the hub cannot be reached.
    """
    import timm
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    cfg = timm.get_pretrained_cfg(name)
    if cfg is None or not cfg.hf_hub_id:
        raise HeadstartError(f"backbone.name={name}: timm has no pretrained weights on the hub for it")
    for filename in WEIGHT_FILENAMES:
        with suppress(LocalEntryNotFoundError):
            return Path(hf_hub_download(cfg.hf_hub_id, filename, local_files_only=True))
    for filename in WEIGHT_FILENAMES:
        try:
            # The download itself would try again for minutes where nobody answers.
            get_hf_file_metadata(hf_hub_url(cfg.hf_hub_id, filename), timeout=HUB_TIMEOUT_SECONDS)
            return Path(hf_hub_download(cfg.hf_hub_id, filename))
        except EntryNotFoundError:
            continue
        except Exception as error:
            first = (str(error).strip() or type(error).__name__).splitlines()[0][:120]
            raise HeadstartError(
                f"backbone.weights=hub: {cfg.hf_hub_id} is not cached and the hub cannot be reached ({first}); "
                "use backbone.weights=embedded or a file"
            ) from error
    raise HeadstartError(f"backbone.weights=hub: {cfg.hf_hub_id} holds no weight file that timm reads")
