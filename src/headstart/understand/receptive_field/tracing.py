"""What a network does to an image, as a list of tensor operations: recorded while it runs on tensors without data.

A tensor without data costs no arithmetic, and its size is known at each step: so functional pools, flattening and
branches that ask for a size are seen as they happen. Only a network whose course hangs on an image's values has no
such list. What does not come from the image (weights, tables of positions) is no part of it.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)
from torch.utils._python_dispatch import TorchDispatchMode

from headstart.errors import HeadstartError
from headstart.networks.call_recorder import CallRecorder
from headstart.networks.copying import clone_network
from headstart.networks.isolation import isolated_execution


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor that depends on the image, of this size."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class Constant:
    """A tensor of this size that no image changes."""

    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Call:
    """One tensor operation.

    Args:
        name: of PyTorch's operator, such as ``"convolution"``; one that writes into its input is called as the other.
        tags: PyTorch's own words about it, such as "pointwise".
        arguments: by the operator's names; a tensor stands there as ``Value`` or ``Fixed``.
        outputs: what it gives, in order; what is no tensor is left out.
        where: the module that it happens in, ``""`` for the network itself.
    """

    name: str
    tags: frozenset[Any]
    arguments: dict[str, Any]
    outputs: tuple[Value, ...]
    module_name: str

    def input_values(self) -> Iterator[Value]:
        """The tensors that it reads and that depend on the image."""
        for argument in self.arguments.values():
            yield from (each for each in _as_list(argument) if isinstance(each, Value))


@dataclass(frozen=True)
class NamedOutput:
    """A place in the network that has a name.

    Args:
        name: of the module, ``"layer1.0.conv1"``, or of a function in its module, ``"layer1.0.add"``; what comes
            again is ``"relu_1"``.
        kind: the module's class or the function's name.
        value: what comes out there.
        layer: False for a module that is made of others.
    """

    name: str
    kind: str
    value: Value
    is_leaf: bool


@dataclass(frozen=True)
class Graph:
    """A network's operations on one image, in order, and the names of what they give."""

    image: Value
    calls: list[Call]
    named_outputs: list[NamedOutput]


def trace_network(network: nn.Module, shape: tuple[int, int, int]) -> Graph:
    """The operations of a network in eval mode on one image of C×H×W; the network stays as it was.

    Raises:
        HeadstartError: it takes no such image, its course depends on the image's values, or it writes into a part of
            a tensor, which a list of operations cannot say.
    """
    first = next(network.parameters(), torch.zeros(()))
    network = clone_network(network).requires_grad_(False)
    try:
        with (
            _suppress_fake_tensor_log(),
            isolated_execution(first.device),
            torch.no_grad(),
            FakeTensorMode(allow_non_fake_inputs=True),
        ):
            image = torch.zeros(1, *shape, dtype=first.dtype, device=first.device)
            recorder = _OperationRecorder(image)
            listener = recorder.call_recorder = CallRecorder(network, recorder.record_output)
            with recorder, listener:
                network(image)
    except HeadstartError:
        raise
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        if isinstance(error, DataDependentOutputException | DynamicOutputShapeException):
            reason = f"its course depends on the image's values ({error.func})"
        size = "x".join(map(str, shape))
        raise HeadstartError(f"{type(network).__name__} cannot be traced on an image of {size}: {reason}") from error
    return Graph(recorder.image, recorder.calls, recorder.named_outputs)


@contextmanager
def _suppress_fake_tensor_log() -> Iterator[None]:
    """PyTorch logs a trace where a size does not fit, beside the exception that says so."""
    log = logging.getLogger("torch._subclasses.fake_tensor")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


class _OperationRecorder(TorchDispatchMode):
    """Notes each operation that depends on the image."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.named_outputs: list[NamedOutput] = []
        self.call_recorder: CallRecorder
        self._values: dict[int, Value] = {}
        self._live_tensors: list[Tensor] = []  # alive, so that no other tensor takes its id
        self._written_storages: set[int] = set()
        self.image = self._register(image)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = dict(zip((argument.name for argument in func._schema.arguments), args, strict=False)) | kwargs
        arguments = {argument.name: argument.default_value for argument in func._schema.arguments}
        arguments |= {name: self._resolve(value) for name, value in given.items()}
        name = func._schema.name.split("::")[1].rstrip("_")
        # PyTorch's own way to the sizes of this one takes more time than all the rest.
        result = (torch.empty_like(args[0]),) * 3 if name == "native_batch_norm" else func(*args, **kwargs)
        read = [each for value in arguments.values() for each in _as_list(value) if isinstance(each, Value)]
        tensors = [each for each in _as_list(result) if isinstance(each, Tensor)]
        if read and func._schema.is_mutable and not tensors:
            raise HeadstartError(f"the operation {name}, which gives nothing, is not known: receptive fields end there")
        if not read or not tensors:
            return result
        if func._schema.is_mutable:
            self._invalidate_aliases(tensors[0], read)
        outputs = tuple(self._register(tensor) for tensor in tensors)
        self.calls.append(Call(name, frozenset(func.tags), arguments, outputs, self.call_recorder.current_module))
        return result

    def record_output(self, name: str, kind: str, output: Any, layer: bool) -> None:
        if isinstance(output, Tensor) and id(output) in self._values:
            self.named_outputs.append(NamedOutput(name, kind, self._values[id(output)], layer))

    def _register(self, tensor: Tensor) -> Value:
        self._live_tensors.append(tensor)
        value = self._values[id(tensor)] = Value(tuple(tensor.shape))
        return value

    def _resolve(self, argument: Any) -> Any:
        if isinstance(argument, (list, tuple)):
            return tuple(self._resolve(each) for each in argument)
        if not isinstance(argument, Tensor):
            return argument
        if id(argument) in self._values:
            return self._values[id(argument)]
        if self._written_storages and argument.untyped_storage()._cdata in self._written_storages:
            where = self.call_recorder.current_module or "the network"
            if self.call_recorder.current_function == "pad":
                raise HeadstartError(
                    f"circular padding in {where} is not known: receptive fields end there; "
                    "padding by zeros, reflection or replication is"
                )
            raise HeadstartError(
                f"{where} reads a tensor of which a part was written over: receptive fields end there; "
                "put channels together by torch.cat"
            )
        return Constant(tuple(argument.shape))

    def _invalidate_aliases(self, target: Tensor, read: list[Value]) -> None:
        """What shares memory with a tensor that took in another is no longer what was noted of it."""
        if len(set(read)) == 1 and id(target) in self._values:
            return
        place = target.untyped_storage()._cdata
        shared = [t for t in self._live_tensors if t is not target and t.untyped_storage()._cdata == place]
        for tensor in shared:
            self._values.pop(id(tensor), None)
        self._written_storages.add(place)


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
