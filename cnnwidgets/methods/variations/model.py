"""``model=``: networks that a spec names, with what their builders take."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

from cnnwidgets import samples
from cnnwidgets.methods.stacks import LinearStack
from cnnwidgets.net.arguments import KINDS, check
from cnnwidgets.net.layers import nearest

BUILDERS: dict[str, Callable[..., nn.Module]] = {
    "lenet5": samples.LeNet5,
    "small_resnet": samples.SmallResNet,
    "stack": samples.Stack,
    "linear_stack": LinearStack,
    "mlp": samples.MLP,
}
"""Networks by the names that a spec may give; put your own in: ``cw.methods.BUILDERS["mine"] = MyNet``."""


def settle(given: Any) -> dict[str, Any]:
    """A builder's name and arguments as a dict. A function that is no builder is told by its name alone.

    Raises:
        TypeError: it is neither a name, a dict nor a function, or the builder takes no such argument.
        ValueError: there is no such builder.
    """
    if callable(given) and not isinstance(given, nn.Module):
        known = next((name for name, builder in BUILDERS.items() if builder is given), None)
        return {"builder": known or getattr(given, "__name__", type(given).__name__)}
    given = {"builder": given} if isinstance(given, str) else given
    if not isinstance(given, dict) or not isinstance(given.get("builder"), str):
        raise TypeError(f"model is {given!r}; expected the name of a builder, a dict with a builder, or a function")
    builder, arguments = _builder(given["builder"]), {name: value for name, value in given.items() if name != "builder"}
    taken = inspect.signature(builder).parameters
    if not any(one.kind is inspect.Parameter.VAR_KEYWORD for one in taken.values()):
        for name in arguments:
            if name not in taken:
                has = f" It takes: {', '.join(taken)}" if taken else " It takes none"
                raise TypeError(f"builder {given['builder']!r} takes no {name!r}.{nearest(name, [*taken])}{has}")
    return {"builder": given["builder"], **arguments}


def build(given: dict[str, Any] | Callable[[], nn.Module]) -> nn.Module:
    """A new network, with its first random weights."""
    if callable(given):
        made = given()
    else:
        made = _builder(given["builder"])(**{name: value for name, value in given.items() if name != "builder"})
    check("what a builder makes", made, [KINDS["nn.Module"]])
    return made


def replace_head(network: nn.Module, outputs: int) -> None:
    """Put a new linear layer with so many outputs in the place of the last one.

    Raises:
        ValueError: there is no linear layer.
    """
    name, last = next(((n, m) for n, m in reversed([*network.named_modules()]) if isinstance(m, nn.Linear)), ("", None))
    if last is None or not name:
        raise ValueError(f"{type(network).__name__} has no linear layer in it whose outputs could be replaced")
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, nn.Linear(last.in_features, outputs, last.bias is not None))


def _builder(name: str) -> Callable[..., nn.Module]:
    if name not in BUILDERS:
        raise ValueError(
            f"there is no builder {name!r}: use {', '.join(BUILDERS)}, or add yours to cw.methods.BUILDERS."
            f"{nearest(name, [*BUILDERS])}"
        )
    return BUILDERS[name]
