"""The promise that a bound network is left as it was, whatever happens in between."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from cnnwidgets.net.randomness import Generators

TORCH_LOCK = threading.RLock()
"""Held whenever a bound network runs: panels compute on a thread of their own."""


@contextmanager
def no_trace(module: nn.Module) -> Iterator[None]:
    """Run the module in evaluation mode and put back what that changed: modes, buffers and the random generators.

    Everything is put back after an exception or a cancelled call too. Gradients are the caller's part: functions of this
    package use ``torch.autograd.grad``, never ``backward``.
    """
    with TORCH_LOCK:
        modes = [(part, part.training) for part in module.modules()]
        buffers = [(part, dict(part._buffers.items())) for part in module.modules()]
        values = [(held, held.clone()) for _, named in buffers for held in named.values() if held is not None]
        generators = Generators()
        try:
            if any(training for _, training in modes):
                module.eval()
            with generators.watched():
                yield
        finally:
            for part, training in modes:
                if part.training != training:
                    part.training = training
            for part, named in buffers:
                _put_back(part, named)
            for held, value in values:
                if not torch.equal(held, value):  # by value: a change through ``.data`` leaves no other sign
                    with torch.no_grad():
                        held.copy_(value)
            generators.put_back()


def _put_back(part: nn.Module, named: dict[str, torch.Tensor | None]) -> None:
    """Give a module the very buffers that it had, those that are None included, and no others."""
    now = dict(part._buffers.items())
    for name in now.keys() - named.keys():
        delattr(part, name)
    for name, held in named.items():
        if name not in now or now[name] is not held:
            part._buffers[name] = held
