"""What a network says of pictures with one layer's output changed, for many changes: only what is behind it is run again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from cnnwidgets.net.bound import BoundModel
from cnnwidgets.net.changed import Change, Changed
from cnnwidgets.net.incremental.proof import alike, largest
from cnnwidgets.net.incremental.refusals import NoWindows, first_line
from cnnwidgets.net.incremental.tail import Tail
from cnnwidgets.net.incremental.tracing import version
from cnnwidgets.net.layers import Layer
from cnnwidgets.net.progress import Cancel
from cnnwidgets.net.trace import Cancelled, tensors_in

Answer = Callable[[Change | None], Any]
"""What the network gives with a layer's output changed; without a change, what it gives."""


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

    @torch.no_grad()
    def start(self, inputs: Tensor) -> Answer:
        """The network's answers to some pictures (N, C, H, W), preprocessed."""
        inputs = inputs.to(self.net.device, self.net.dtype)
        if not self.why_whole:
            with self.net.running() as module:
                if self._tail is None or self._tail.module is not module:
                    self._prepare(module, inputs[:2])
                if self._tail is not None:
                    return partial(self._behind, inputs, self._tail, self._tail.before(inputs.clone()))
        return partial(self._whole, inputs)

    def _ask(self) -> None:
        if self.cancel is not None and self.cancel.is_set():
            raise Cancelled("cancelled")

    @torch.no_grad()
    def _behind(self, inputs: Tensor, tail: Tail, read: tuple, change: Change | None) -> Any:
        self._ask()
        with self.net.running() as module:
            if module is tail.module:
                maps, *others = read
                return tail.behind(change(maps) if change else maps, *others)
        return self._whole(inputs, change)

    @torch.no_grad()
    def _whole(self, inputs: Tensor, change: Change | None) -> Any:
        self._ask()
        with self.net.running() as module:
            changed = Changed(module, self.layer, change or Tensor.clone)
            with changed.watching():
                output = module(inputs.clone())
        if not changed.is_done:
            raise RuntimeError(f"these pictures take a different path through {self.net.name}: {self.layer.name} was not run")
        return output

    def _prepare(self, module: Any, inputs: Tensor) -> None:
        try:
            if self.net.draws:
                raise NoWindows(self.net.why_alone())
            self._tail = Tail(module, self.layer, inputs)
            self._prove(self._tail, inputs)
        except Cancelled:
            raise
        except Exception as error:  # of any kind: a network's code is anybody's
            self._tail, self.why_whole = None, first_line(error)

    def _prove(self, tail: Tail, inputs: Tensor) -> None:
        """Whether both ways give the same, with the layer's output as it is and with nothing of it left."""
        read = tail.before(inputs.clone())
        kept = [*tensors_in(read)]
        before = [*map(version, kept)]
        fast, plain = (
            [_numbers(answer(change)) for change in (None, torch.zeros_like)]
            for answer in (partial(self._behind, inputs, tail, read), partial(self._whole, inputs))
        )
        effect = largest(plain[0] - plain[1])
        if [*map(version, kept)] != before or not all(
            alike(one, other, effect, self.net.dtype) for one, other in zip(fast, plain, strict=True)
        ):
            raise NoWindows("its graph gives other answers than the network itself")


def _numbers(output: Any) -> Tensor:
    return torch.cat([tensor.flatten().double() for tensor in tensors_in(output)])
