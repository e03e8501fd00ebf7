"""Records calls of a network's modules, and of torch functions beside them, by unique names."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn
from torch.overrides import TorchFunctionMode

# Functions that a network calls beside its modules and that get a name. Others (activations, views) change no field.
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
    """Context manager that reports each call of a network's modules and of the functions beside them.

    A function's name is its module's and its own (``"layer1.0.add"``); repeated calls are numbered: ``"relu_1"``.

    Args:
        network: a copy, since it has hooks meanwhile.
        record: called with name, kind (class or function name), output, and whether it is a leaf (a module without
            children, or a function).

    Attributes:
        current_function: name of the running torch function, ``""`` for none.

    Example:
        >>> names = []
        >>> with CallRecorder(copy, lambda name, kind, output, is_leaf: names.append(name)):
        ...     copy(images)
    """

    def __init__(self, network: nn.Module, record: Callable[[str, str, Any, bool], None]) -> None:
        super().__init__()
        self._network, self._record, self.current_function = network, record, ""

    def __enter__(self) -> "CallRecorder":
        self._counts = Counter[str]()
        self._stack: list[tuple[str, bool]] = [("", False)]
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
        """Name of the running module, ``""`` for the network itself."""
        return self._stack[-1][0]

    def _enter_module(self, name: str, module: nn.Module, _inputs: Any) -> None:
        self._stack.append((name, not any(True for _ in module.children())))

    def _exit_module(self, name: str, module: nn.Module, _inputs: Any, output: Any) -> None:
        _, is_leaf = self._stack.pop()
        self._record(self._unique_name(name), type(module).__name__, output, is_leaf)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "").strip("_")
        self.current_function, caller = name, self.current_function
        output = func(*args, **(kwargs or {}))
        self.current_function = caller
        module_name, is_leaf = self._stack[-1]
        kind = NAMED_FUNCTIONS.get(name)
        if kind is not None and not is_leaf:
            self._record(self._unique_name(f"{module_name}.{kind}".lstrip(".")), kind, output, True)
        return output

    def _unique_name(self, name: str) -> str:
        self._counts[name] += 1
        return f"{name}_{self._counts[name] - 1}" if self._counts[name] > 1 else name
