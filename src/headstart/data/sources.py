"""Finds the torch-free image source of a data module by its name."""

from importlib import import_module

from headstart.data.image_source import ImageSource

SUFFIX = "DataModule"


def find_source_class(target: str) -> type[ImageSource] | None:
    """The image source beside a data module: ``package.ShapesDataModule`` reads ``package.Shapes``.

    Headstart's own modules are found without importing torch.

    Args:
        target: the data module's dotted path, a ``_target_`` of the configuration.

    Returns:
        The source's class; None where the name does not end in ``DataModule`` or has no source beside it.
    """
    module_name, _, name = target.rpartition(".")
    if not module_name or not name.endswith(SUFFIX):
        return None
    # headstart.data.datamodule imports torch; headstart.data names the same classes.
    is_ours = module_name.startswith("headstart.data.") or module_name == "headstart"
    try:
        module = import_module("headstart.data" if is_ours else module_name)
    except ModuleNotFoundError as error:
        if error.name and module_name.startswith(error.name):
            return None  # the data module itself is missing, which its instantiation reports
        raise
    source = getattr(module, name.removesuffix(SUFFIX), None)
    return source if isinstance(source, type) and issubclass(source, ImageSource) else None
