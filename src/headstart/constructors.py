"""The arguments that the constructor of a class takes. Torch-free."""

import inspect
import typing
from typing import Any


def constructor_arguments(cls: type[Any]) -> list[str] | None:
    """Names of the keyword arguments of a class's constructor, in the order of its signature.

    ``**recipe: Unpack[RecipeArguments]`` counts as the keys of that ``TypedDict``.

    Returns:
        The names; None where the constructor takes any keyword (``**kwargs`` without such an annotation).
    """
    names: list[str] = []
    for name, parameter in inspect.signature(cls).parameters.items():
        if parameter.kind is not parameter.VAR_KEYWORD:
            names.append(name)
        elif typing.get_origin(parameter.annotation) is typing.Unpack:
            names += typing.get_args(parameter.annotation)[0].__annotations__
        else:
            return None
    return names
