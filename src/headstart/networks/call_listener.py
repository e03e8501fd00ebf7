"""What runs in a network, by name: its modules, and the functions that stand beside them."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn
from torch.overrides import TorchFunctionMode

# Functions that stand beside a network's modules by a name of their own; the rest (activations, views) change no field.
NAMED_FUNCTIONS = {
    "conv2d": "conv2d",
    "conv_transpose2d": "conv_transpose2d",
    "max_pool2d": "max_pool2d",
    "avg_pool2d": "avg_pool2d",
    "adaptive_avg_pool2d": "adaptive_avg_pool2d",
    "adaptive_max_pool2d": "adaptive_max_pool2d",
    "interpolate": "interpolate",
    "pixel_shuffle": "pixel_shuffle",
    "pixel_unshuffle": "pixel_unshuffle",
    "linear": "linear",
    "mean": "mean",
    "amax": "amax",
    **dict.fromkeys(("add", "iadd", "radd"), "add"),
    **dict.fromkeys(("mul", "imul", "rmul"), "mul"),
    **dict.fromkeys(("cat", "concat", "concatenate"), "cat"),
}


class CallRecorder(TorchFunctionMode):
    """While it is on, tells what each module of a network gives, and each function beside them, by its name.

    Args:
        copy: of a network; it bears hooks meanwhile.
        tell: is called with a point's name, kind, output and whether it is a layer.

    Attributes:
        function: that is running, ``""`` for none.
    """

    def __init__(self, network: nn.Module, record: Callable[[str, str, Any, bool], None]) -> None:
        super().__init__()
        self._network, self._record, self.current_function = network, record, ""

    def __enter__(self) -> "CallRecorder":
        self._counts = Counter[str]()
        self._path: list[tuple[str, bool]] = [("", False)]
        modules = [(name, module) for name, module in self._network.named_modules() if name]
        self._hooks = [module.register_forward_pre_hook(partial(self._enter_module, name)) for name, module in modules]
        self._hooks += [module.register_forward_hook(partial(self._exit_module, name)) for name, module in modules]
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        for hook in self._hooks:
            hook.remove()

    @property
    def current_module(self) -> str:
        """The module that is running, ``""`` for the network itself."""
        return self._path[-1][0]

    def _enter_module(self, name: str, module: nn.Module, _inputs: Any) -> None:
        self._path.append((name, not any(True for _ in module.children())))

    def _exit_module(self, name: str, module: nn.Module, _inputs: Any, output: Any) -> None:
        _, leaf = self._path.pop()
        self._record(self._unique_name(name), type(module).__name__, output, leaf)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "").strip("_")
        self.current_function, before = name, self.current_function
        output = func(*args, **(kwargs or {}))
        self.current_function = before
        where, leaf = self._path[-1]
        kind = NAMED_FUNCTIONS.get(name)
        if kind is not None and not leaf:
            self._record(self._unique_name(f"{where}.{kind}".lstrip(".")), kind, output, True)
        return output

    def _unique_name(self, name: str) -> str:
        self._counts[name] += 1
        return f"{name}_{self._counts[name] - 1}" if self._counts[name] > 1 else name
