"""A copy of a network, to be trained in its place."""

from __future__ import annotations

import dis
import types
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from cnnwidgets.net.replica import CannotReplicate, duplicate


def trainable_copy(network: nn.Module) -> nn.Module:
    """A copy of a network with weights of its own, whose training leaves the network as it is.

    Raises:
        ValueError: the network cannot be copied, or its copy would train the network itself; a sentence says why.
    """
    if holder := _holder(network):
        raise ValueError(
            f"{holder} holds a function that uses the network itself, so a copy would train yours: expected a network "
            f"without such a function, or a function that makes the network"
        )
    if isinstance(network, torch.fx.GraphModule) and "train" in vars(network):  # which refuses to be called
        raise ValueError("a network of torch.export cannot be trained: expected the network that was exported")
    try:
        return duplicate(network)
    except CannotReplicate as error:
        raise ValueError(f"a copy of the network is trained, and it cannot be copied ({error})") from error


def _holder(network: nn.Module) -> str | None:
    """The part of a network that holds a function which uses the network: a copy of the part would use it too."""
    own = {id(each) for each in (*network.modules(), *network.parameters(), *network.buffers())}
    for name, part in network.named_modules():
        if hasattr(part, "_orig_mod"):  # torch.compile's own functions are made anew for a copy
            continue
        held = [*vars(part).values()]  # dicts of hooks among them
        held += [each for value in held if isinstance(value, dict) for each in value.values()]
        if any(_uses(value, own) for value in held if isinstance(value, types.FunctionType)):
            return name or type(network).__name__
    return None


def _uses(function: types.FunctionType, own: set[int]) -> bool:
    """Whether a function, or one that it calls by name, uses an object of these, or a method of one."""
    todo, seen = [function], set[int]()
    while todo:
        one = todo.pop()
        seen.add(id(one))
        for value in _reached(one):
            if id(value) in own or id(getattr(value, "__self__", None)) in own:
                return True
            if isinstance(value, types.FunctionType) and id(value) not in seen:
                todo.append(value)
    return False


def _reached(function: types.FunctionType) -> Iterator[Any]:
    """What a function has at hand: what it closes over, its defaults, and the globals that it names."""
    yield from (cell.cell_contents for cell in function.__closure__ or () if cell != types.CellType())
    yield from function.__defaults__ or ()
    codes = [function.__code__]
    for code in codes:
        codes += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
        names = {step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"}
        yield from (function.__globals__[name] for name in names & function.__globals__.keys())
