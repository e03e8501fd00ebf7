"""What runs in a network, by name: its modules, and the functions that stand beside them."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn
from torch.overrides import TorchFunctionMode

# Functions that stand beside a network's modules by a name of their own; the rest (activations, views) change no field.
FUNCTIONS = {
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


class Listener(TorchFunctionMode):
    """While it is on, tells what each module of a network gives, and each function beside them, by its name.

    Args:
        copy: of a network; it bears hooks meanwhile.
        tell: is called with a point's name, kind, output and whether it is a layer.

    Attributes:
        function: that is running, ``""`` for none.
    """

    def __init__(self, copy: nn.Module, tell: Callable[[str, str, Any, bool], None]) -> None:
        super().__init__()
        self._copy, self._tell, self.function = copy, tell, ""

    def __enter__(self) -> "Listener":
        self._counts = Counter[str]()
        self._path: list[tuple[str, bool]] = [("", False)]
        modules = [(name, module) for name, module in self._copy.named_modules() if name]
        self._hooks = [module.register_forward_pre_hook(partial(self._begin, name)) for name, module in modules]
        self._hooks += [module.register_forward_hook(partial(self._end, name)) for name, module in modules]
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        for hook in self._hooks:
            hook.remove()

    @property
    def where(self) -> str:
        """The module that is running, ``""`` for the network itself."""
        return self._path[-1][0]

    def _begin(self, name: str, module: nn.Module, _inputs: Any) -> None:
        self._path.append((name, not any(True for _ in module.children())))

    def _end(self, name: str, module: nn.Module, _inputs: Any, output: Any) -> None:
        _, leaf = self._path.pop()
        self._tell(self._numbered(name), type(module).__name__, output, leaf)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "").strip("_")
        self.function, before = name, self.function
        output = func(*args, **(kwargs or {}))
        self.function = before
        where, leaf = self._path[-1]
        kind = FUNCTIONS.get(name)
        if kind is not None and not leaf:
            self._tell(self._numbered(f"{where}.{kind}".lstrip(".")), kind, output, True)
        return output

    def _numbered(self, name: str) -> str:
        self._counts[name] += 1
        return f"{name}_{self._counts[name] - 1}" if self._counts[name] > 1 else name
