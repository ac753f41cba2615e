"""What a network says of pictures with one layer's output changed, for many changes: only what is behind it is run again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from cnnwidgets.net.bound import BoundModel
from cnnwidgets.net.changed import Change, Changed
from cnnwidgets.net.incremental.proof import alike, largest
from cnnwidgets.net.incremental.refusals import NoWindows, first_line
from cnnwidgets.net.incremental.tail import Tail
from cnnwidgets.net.incremental.tracing import version
from cnnwidgets.net.layers import Layer
from cnnwidgets.net.progress import Cancel
from cnnwidgets.net.trace import Cancelled, tensors_in

HELD = 0.1
"""Seconds that the network is held at a time: Ctrl-C waits so long, and other threads run a spare double."""


class Reruns:
    """Runs what is behind a layer; whole passes, with the output replaced on the way, where the network has no graph.

    Two pictures are run both ways at first: a graph that gives other answers is not used.

    Parameters:
        net: a bound network.
        layer: a row of ``net.layers``, one that gives a single tensor.
        cancel: an object with ``is_set()``; asked before every answer.

    Attributes:
        why_whole: why whole passes are made; empty where only what is behind the layer is run again.
    """

    def __init__(self, net: BoundModel, layer: Layer, cancel: Cancel | None = None):
        self.net, self.layer, self.cancel = net, layer, cancel
        self.why_whole = ""
        self._tail: Tail | None = None

    def __deepcopy__(self, memo: dict) -> Reruns:
        return self  # copies of what holds this ask the same network

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_tail": None, "cancel": None}  # of this process

    def answers(self, inputs: Tensor, changes: Iterable[Change | None]) -> Iterator[Any]:
        """What the network gives for some pictures with each change of the layer's output; as it is, where that is None.

        Parameters:
            inputs: (N, C, H, W), preprocessed.

        Raises:
            ValueError: the layer gives several tensors.
            RuntimeError: these pictures take a path through the network on which the layer does not lie.
            Cancelled: cancel was set.
        """
        inputs = inputs.to(self.net.device, self.net.dtype)
        tail, read = self._started(inputs)
        left = deque(changes)
        while left:
            found: list[Any] = []
            with self.net.running() as module, torch.no_grad():
                until = time.perf_counter() + (HELD if tail else 0)
                while left and (not found or time.perf_counter() < until):
                    if self.cancel is not None and self.cancel.is_set():
                        raise Cancelled("cancelled")
                    change = left.popleft()
                    if tail is not None and tail.module is module:
                        found.append(_behind(tail, read, change))
                    else:
                        found.append(self._whole(module, inputs, change))
            yield from found

    def _started(self, inputs: Tensor) -> tuple[Tail | None, tuple]:
        """The part behind the layer and what it reads; None where whole passes are made."""
        if self.why_whole:
            return None, ()
        with self.net.running() as module, torch.no_grad():
            tail = self._tail  # of another thread's double, perhaps
            if tail is None or tail.module is not module:
                tail = self._tail = self._made(module, inputs[:2])
            return tail, tail.before(inputs.clone()) if tail else ()

    def _whole(self, module: nn.Module, inputs: Tensor, change: Change | None) -> Any:
        changed = Changed(module, self.layer, change or Tensor.clone)
        with changed.watching():
            output = module(inputs.clone())
        if not changed.is_done:
            raise RuntimeError(
                f"these pictures take a different path through {self.net.name}: {self.layer.name} was not run"
            )
        return output

    def _made(self, module: nn.Module, inputs: Tensor) -> Tail | None:
        try:
            if self.net.draws:
                raise NoWindows(self.net.why_alone())
            tail = Tail(module, self.layer, inputs)
            self._prove(tail, inputs)
            return tail
        except Exception as error:  # of any kind: a network's code is anybody's
            self.why_whole = first_line(error)
            return None

    def _prove(self, tail: Tail, inputs: Tensor) -> None:
        """Whether both ways give the same, with the layer's output as it is and with nothing of it left."""
        read = tail.before(inputs.clone())
        kept = [*tensors_in(read)]
        before = [*map(version, kept)]
        changes = None, torch.zeros_like
        fast = [_numbers(_behind(tail, read, change)) for change in changes]
        plain = [_numbers(self._whole(tail.module, inputs, change)) for change in changes]
        effect = largest(plain[0] - plain[1])
        same = (alike(one, other, effect, self.net.dtype) for one, other in zip(fast, plain, strict=True))
        if [*map(version, kept)] != before or not all(same):
            raise NoWindows("its graph gives other answers than the network itself")


def _behind(tail: Tail, read: tuple, change: Change | None) -> Any:
    maps, *others = read
    return tail.behind(change(maps) if change else maps, *others)


def _numbers(output: Any) -> Tensor:
    return torch.cat([tensor.flatten().double() for tensor in tensors_in(output)])
