"""Traces a network: records its tensor operations on one image while it runs on tensors without data.

Tensors without data (PyTorch's fake tensors) cost no arithmetic and have sizes. So functional pools, flattening and
branches on sizes are recorded as they happen. Only a network whose control flow depends on pixel values has no such
record. Tensors that do not depend on the image (weights, position tables) are no part of it.
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

from headstart.errors import HeadstartError, first_line
from headstart.networks.call_recorder import CallRecorder
from headstart.networks.copying import clone_network
from headstart.networks.isolation import isolated_execution


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor that depends on the image."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class Constant:
    """A tensor that does not depend on the image."""

    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Call:
    """One tensor operation.

    Args:
        name: of PyTorch's operator, such as ``"convolution"``, without the ``_`` of in-place variants.
        tags: PyTorch's tags of the operator, such as "pointwise".
        arguments: by the operator's parameter names; tensors are ``Value`` or ``Constant``.
        outputs: its output tensors in order.
        module_name: the module that calls it, ``""`` for the network itself.
    """

    name: str
    tags: frozenset[Any]
    arguments: dict[str, Any]
    outputs: tuple[Value, ...]
    module_name: str

    def input_values(self) -> Iterator[Value]:
        """The input tensors that depend on the image."""
        for argument in self.arguments.values():
            yield from (item for item in _as_list(argument) if isinstance(item, Value))


@dataclass(frozen=True)
class NamedOutput:
    """The output of a module or function.

    Args:
        name: as ``CallRecorder`` names it: ``"layer1.0.conv1"``, ``"layer1.0.add"``; repeated: ``"relu_1"``.
        kind: the module's class or the function's name.
        value: the output tensor.
        is_leaf: False for a module with children.
    """

    name: str
    kind: str
    value: Value
    is_leaf: bool


@dataclass(frozen=True)
class Graph:
    """A network's operations on one image, in order, and the named outputs among them."""

    image: Value
    calls: list[Call]
    named_outputs: list[NamedOutput]


def trace_network(network: nn.Module, shape: tuple[int, int, int]) -> Graph:
    """Records the operations of a network in eval mode.

    Args:
        network: not changed.
        shape: (C, H, W) of an image.

    Raises:
        HeadstartError: the network does not take such an image, its control flow depends on pixel values, or it writes
            into a part of a tensor, which a list of operations cannot represent.
    """
    first = next(network.parameters(), torch.zeros(()))
    copy = clone_network(network).requires_grad_(False)
    try:
        with (
            _suppress_fake_tensor_log(),
            isolated_execution(first.device),
            torch.no_grad(),
            FakeTensorMode(allow_non_fake_inputs=True),
        ):
            image = torch.zeros(1, *shape, dtype=first.dtype, device=first.device)
            recorder = _OperationRecorder(image)
            recorder.call_recorder = CallRecorder(copy, recorder.record_output)
            with recorder, recorder.call_recorder:
                copy(image)
    except HeadstartError:
        raise
    except Exception as error:
        reason = first_line(error)
        if isinstance(error, DataDependentOutputException | DynamicOutputShapeException):
            reason = f"its control flow depends on pixel values ({error.func})"
        size = "x".join(map(str, shape))
        raise HeadstartError(f"{type(network).__name__} cannot be traced on an image of {size}: {reason}") from error
    return Graph(recorder.image, recorder.calls, recorder.named_outputs)


@contextmanager
def _suppress_fake_tensor_log() -> Iterator[None]:
    """Hides the stack trace that PyTorch logs for a size error; the exception has its message."""
    log = logging.getLogger("torch._subclasses.fake_tensor")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


class _OperationRecorder(TorchDispatchMode):
    """Records each operation that depends on the image."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.named_outputs: list[NamedOutput] = []
        self.call_recorder: CallRecorder
        self._values: dict[int, Value] = {}
        self._live_tensors: list[Tensor] = []  # kept alive, so that no other tensor gets its id
        self._written_storages: set[int] = set()
        self.image = self._register(image)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        passed = dict(zip((argument.name for argument in func._schema.arguments), args, strict=False)) | kwargs
        arguments = {argument.name: argument.default_value for argument in func._schema.arguments}
        arguments |= {name: self._resolve(value) for name, value in passed.items()}
        name = func._schema.name.split("::")[1].rstrip("_")
        # PyTorch's shape function of batch normalization takes more time than all other operations together.
        result = (torch.empty_like(args[0]),) * 3 if name == "native_batch_norm" else func(*args, **kwargs)
        inputs = [item for value in arguments.values() for item in _as_list(value) if isinstance(item, Value)]
        tensors = [item for item in _as_list(result) if isinstance(item, Tensor)]
        if inputs and func._schema.is_mutable and not tensors:
            raise HeadstartError(f"the operation {name}, which gives nothing, is not known: receptive fields end there")
        if not inputs or not tensors:
            return result
        if func._schema.is_mutable:
            self._invalidate_aliases(tensors[0], inputs)
        outputs = tuple(self._register(tensor) for tensor in tensors)
        self.calls.append(Call(name, frozenset(func.tags), arguments, outputs, self.call_recorder.current_module))
        return result

    def record_output(self, name: str, kind: str, output: Any, is_leaf: bool) -> None:
        """The callback of ``CallRecorder``."""
        if isinstance(output, Tensor) and id(output) in self._values:
            self.named_outputs.append(NamedOutput(name, kind, self._values[id(output)], is_leaf))

    def _register(self, tensor: Tensor) -> Value:
        self._live_tensors.append(tensor)
        value = self._values[id(tensor)] = Value(tuple(tensor.shape))
        return value

    def _resolve(self, argument: Any) -> Any:
        if isinstance(argument, (list, tuple)):
            return tuple(self._resolve(item) for item in argument)
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

    def _invalidate_aliases(self, target: Tensor, inputs: list[Value]) -> None:
        """Forgets the tensors that share memory with ``target``, into which another tensor was written."""
        if len(set(inputs)) == 1 and id(target) in self._values:
            return
        storage = target.untyped_storage()._cdata
        for tensor in self._live_tensors:
            if tensor is not target and tensor.untyped_storage()._cdata == storage:
                self._values.pop(id(tensor), None)
        self._written_storages.add(storage)


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
