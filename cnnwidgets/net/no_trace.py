"""Passes that are not cut off in the middle; and for what cannot be copied, the way to run it itself and put it back."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Inside, Ctrl-C waits for the end, the second one excepted: it would leave hooks and modes of torch behind.

    Only the main thread is ever interrupted.
    """
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if main else None
    if not callable(before) or getattr(before, "waits", False):
        yield
        return
    pressed: list[FrameType | None] = []

    def wait(number: int, frame: FrameType | None) -> None:
        pressed.append(frame)
        if len(pressed) > 1:
            before(number, frame)

    wait.waits = True  # type: ignore[attr-defined]
    signal.signal(signal.SIGINT, wait)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if len(pressed) == 1:
            before(signal.SIGINT, pressed[0])


@contextmanager
def put_back_by(restore: Callable[[], object]) -> Iterator[None]:
    """Call a function at the end, whatever ends it, an interrupt in the middle of that included: then once more."""
    try:
        try:
            yield
        finally:
            with uninterrupted():
                restore()
    except KeyboardInterrupt:
        with uninterrupted():
            restore()
        raise


@contextmanager
def no_trace(module: nn.Module) -> Iterator[None]:
    """Run the module in evaluation mode and put back what that changed: modes, buffers, and the tensors it is made of.

    Everything is put back after an exception or a cancelled call too. Gradients are the caller's part: functions of this
    package use ``torch.autograd.grad``, never ``backward``.
    """
    modes = [(part, part.training) for part in module.modules()]
    buffers = [(part, dict(part._buffers.items())) for part in module.modules()]
    values = [(held, held.clone()) for _, named in buffers for held in named.values() if held is not None]
    try:
        if any(training for _, training in modes):
            module.eval()
        yield
    finally:
        for part, training in modes:
            if part.training != training:
                part.training = training
        for part, named in buffers:
            _put_back(part, named)
        for held, value in values:
            _give_values(held, value)


@contextmanager
def without_inference_tensors(module: nn.Module) -> Iterator[None]:
    """Inside, a module that was made under ``torch.inference_mode`` has copies of its tensors that autograd takes."""
    copies: dict[int, Tensor] = {}
    homes: list[tuple[Any, str, Tensor]] = []
    for part in module.modules():
        if isinstance(part, torch.jit.ScriptModule):
            continue
        for home in (part._parameters, part._buffers):
            homes += [(home, name, held) for name, held in home.items() if held is not None and held.is_inference()]
    with torch.inference_mode(False), torch.no_grad():
        for home, name, held in homes:
            twin = copies.get(id(held))
            if twin is None:
                twin = held.clone() if not isinstance(held, nn.Parameter) else nn.Parameter(held.clone(), held.requires_grad)
            home[name] = copies[id(held)] = twin
    try:
        yield
    finally:
        for home, name, held in homes:
            home[name] = held


def _put_back(part: nn.Module, named: dict[str, Tensor | None]) -> None:
    """Give a module the very buffers that it had, those that are None included, and no others."""
    now = dict(part._buffers.items())
    for name in now.keys() - named.keys():
        delattr(part, name)
    for name, held in named.items():
        if name not in now or now[name] is not held:
            part._buffers[name] = held


def _give_values(held: Tensor, value: Tensor) -> None:
    with torch.no_grad():
        if held.shape != value.shape:  # resized in the forward pass
            held.resize_(value.shape)
        if not torch.equal(held, value):  # by value: a change through ``.data`` leaves no other sign
            held.copy_(value)
