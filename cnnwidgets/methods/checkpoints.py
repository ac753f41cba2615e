"""A training's checkpoints as networks: those that ship with a bundled one, a folder's, or your own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor, nn

from cnnwidgets import samples
from cnnwidgets.methods.checkpoint_folder import checkpoint_files
from cnnwidgets.methods.copies import trainable_copy
from cnnwidgets.net import BoundModel
from cnnwidgets.net.arguments import said
from cnnwidgets.net.layers import format_shape

ROOM = 512 * 2**20
"""Bytes that the weights of all checkpoints may take together; if there are more, evenly spaced ones are used."""

EXPECTED = "a folder written by cw.monitor(..., checkpoints=), or a list of bound networks or of (name, state dict)"


class Checkpoints(NamedTuple):
    """Networks along a training, the last of which is its end.

    Attributes:
        names: ``epoch 3``.
        nets: one a name.
        epochs: of those that ship with a bundled network; empty for others.
        note: a sentence on which of them are used; empty if all are.
    """

    names: tuple[str, ...]
    nets: tuple[BoundModel, ...]
    epochs: tuple[int, ...] = ()
    note: str = ""


def checkpoints_of(net: BoundModel, given: Any = None) -> Checkpoints:
    """The checkpoints of a training, bound as a network is.

    Parameters:
        net: says how pictures are prepared, and what the classes are called; its own weights do not matter.
        given: a folder, or a list of bound networks or of (name, state dict); None: those that ship with a bundled network.

    Raises:
        FileNotFoundError: there is no such folder.
        TypeError: it is none of these.
        ValueError: there are fewer than two, or they do not fit the network.
    """
    if given is None or isinstance(given, Checkpoints):
        return given or _bundled(net)
    if isinstance(given, (str, Path)):
        return _made(net, [(one.name, one.read) for one in checkpoint_files(given)])
    if not isinstance(given, Sequence):
        raise TypeError(f"checkpoints is {said(given)}; expected {EXPECTED}")
    if given and all(isinstance(one, BoundModel) for one in given):
        _enough(len(given))
        return Checkpoints(_told_apart([one.name for one in given]), tuple(_fitting(net, one) for one in given))
    made: list[tuple[str, Callable[[], Any]]] = []
    for place, one in enumerate(given):
        if not (isinstance(one, (tuple, list)) and len(one) == 2 and isinstance(one[0], str) and hasattr(one[1], "items")):
            raise TypeError(f"checkpoints[{place}] is {said(one)}; expected {EXPECTED}")
        made.append((one[0], partial(dict, one[1])))
    return _made(net, made)


def _bundled(net: BoundModel) -> Checkpoints:
    if not net.sample:
        raise ValueError(f"no checkpoints ship with {net.name}: give checkpoints=, {EXPECTED}")
    epochs = samples.sample(net.sample).epochs
    _enough(len(epochs), f" with {net.sample!r}")
    names = tuple(f"epoch {epoch}" for epoch in epochs)
    nets = [net.alike(samples.sample(net.sample, epoch).module, name) for epoch, name in zip(epochs, names, strict=True)]
    return Checkpoints(names, tuple(nets), epochs)


def _made(net: BoundModel, given: Sequence[tuple[str, Callable[[], Any]]]) -> Checkpoints:
    """Networks like this one with the weights that are given, as far as there is room for them."""
    _enough(len(given))
    size = sum(tensor.nbytes for tensor in (*net.original.parameters(), *net.original.buffers()))
    most = max(2, ROOM // max(1, size))
    taken = np.unique(np.linspace(0, len(given) - 1, min(most, len(given))).round().astype(int))
    note = (
        ""
        if len(taken) == len(given)
        else f"{len(taken)} of {len(given)} checkpoints are used, since all of them would fill the memory"
    )
    names = _told_apart([given[place][0] for place in taken])
    nets = [_with(net, name, given[place][1]()) for name, place in zip(names, taken, strict=True)]
    return Checkpoints(names, tuple(nets), note=note)


def _with(net: BoundModel, name: str, state: Any) -> BoundModel:
    """The network with other weights."""
    module = trainable_copy(net.original)
    _check(name, module, state)
    module.load_state_dict(state)
    return net.alike(module.eval(), name)


def _check(name: str, module: nn.Module, state: Any) -> None:
    """Raise a ValueError for the first weight that does not fit."""
    own = {key: value for key, value in module.state_dict().items() if isinstance(value, Tensor)}
    for key in own:
        if key not in state:
            raise ValueError(f"the checkpoint {name!r} has no {key}: it belongs to another network")
    for key, value in state.items():
        if key not in own:
            raise ValueError(f"the checkpoint {name!r} has a {key}, and the network has none: it belongs to another network")
        if not isinstance(value, Tensor) or value.shape != own[key].shape:
            shape = format_shape(value.shape) if isinstance(value, Tensor) else said(value)
            raise ValueError(
                f"{key} of the checkpoint {name!r} is {shape or 'one number'}; expected {format_shape(own[key].shape)}"
            )


def _fitting(net: BoundModel, one: BoundModel) -> BoundModel:
    if one.input_shape != net.input_shape:
        mine, theirs = format_shape(net.input_shape), format_shape(one.input_shape)
        raise ValueError(f"the checkpoint {one.name!r} takes inputs of {theirs}; expected {mine}, as {net.name} takes")
    return one


def _enough(count: int, of: str = "") -> None:
    if count < 2:
        raise ValueError(f"expected at least two checkpoints{of}, got {count}")


def _told_apart(names: Sequence[str]) -> tuple[str, ...]:
    """The names; where one comes twice, with their numbers."""
    return tuple(names) if len({*names}) == len(names) else tuple(f"{place} {name}" for place, name in enumerate(names))
