"""Places in autograd's graph of which gradients can be taken, those of views included that are overwritten later.

An in-place function on a view (``ReLU(inplace=True)`` after ``InstanceNorm2d``, which gives one) moves the view to another
place: behind a node that copies a slice into what it is a view of. From the old place no path leads to the score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, Node, get_gradient_edge
from torch.overrides import TorchFunctionMode

from cnnwidgets.net.internals import DisableTorchFunction
from cnnwidgets.net.trace import first_tensor

_SEVERAL = frozenset("split split_with_sizes chunk unbind tensor_split hsplit vsplit dsplit".split())

MOST_WRITES = 1000
"""In-place functions on one tensor that are looked through."""


@dataclass
class Place:
    """Where a tensor was in the graph when a call gave it.

    Parameters:
        tensor: what the call gave.
        was_written: whether the call has written to its argument: then whoever reads the memory later reads the tensor.
    """

    tensor: Tensor | None
    was_written: bool
    edge: GradientEdge = field(init=False)
    of_base: GradientEdge | None = None
    _index: Tensor | None = None
    _shape: torch.Size | None = None
    _write: Node | None = None

    def __post_init__(self) -> None:
        assert self.tensor is not None
        self.edge = get_gradient_edge(self.tensor)
        base = self.tensor._base
        if base is not None and base.requires_grad:
            self.of_base = get_gradient_edge(base)

    def settle(self) -> None:
        """The forward pass is over: what was written to the memory in the meantime is known."""
        tensor, self.tensor = self.tensor, None
        if tensor is None or self.of_base is None:
            return
        base = tensor._base
        assert base is not None
        self._write = None if self.was_written else _first_write(base, self.of_base)
        if self.was_written or self._write is not None:
            self._index, self._shape = _elements(tensor, base), tensor.shape
        else:
            self.of_base = None

    def gradient(self, score: Tensor, retain: bool) -> Tensor | None:
        """The gradient of a score with respect to the tensor; None where no path leads to it."""
        if self.of_base is None:
            return torch.autograd.grad(score, self.edge, retain_graph=retain, allow_unused=True)[0]
        if self._write is None:  # the call itself has written
            (whole,) = torch.autograd.grad(score, self.of_base, retain_graph=retain, allow_unused=True)
            return self._part(whole)
        came: list[Tensor | None] = []
        handle = self._write.register_hook(lambda back, above: came.append(back[0]))
        try:
            found, _ = torch.autograd.grad(score, (self.edge, self.of_base), retain_graph=retain, allow_unused=True)
        finally:
            handle.remove()
        parts = [part for part in (found, *map(self._part, came)) if part is not None]
        return sum(parts[1:], parts[0]) if parts else None

    def _part(self, whole: Tensor | None) -> Tensor | None:
        """What belongs to the tensor of a gradient with respect to what it is a view of."""
        if whole is None:
            return None
        assert self._index is not None and self._shape is not None
        return whole.reshape(-1)[self._index].reshape(self._shape)


def versions(tensors: Sequence[Tensor]) -> list[int]:
    """How often each was written to."""
    with DisableTorchFunction():
        return [0 if tensor.is_inference() else tensor._version for tensor in tensors]


class SingleViews(TorchFunctionMode):
    """Inside, what gives several views of a tensor (``chunk``) gives each by itself, which autograd lets overwrite."""

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        found = func(*args, **(kwargs or {}))
        whole = first_tensor((args, kwargs))
        if whole is None or getattr(func, "__name__", "") not in _SEVERAL or not isinstance(found, (tuple, list)):
            return found
        with DisableTorchFunction():  # no call of the network's
            return type(found)(whole.as_strided(part.shape, part.stride(), part.storage_offset()) for part in found)


def _first_write(base: Tensor, before: GradientEdge) -> Node | None:
    """The node by which a part of a tensor was first written to after it was at a place; None if no part was."""
    node, after = base.grad_fn, None
    for _ in range(MOST_WRITES):
        if node is None or node is before.node:
            break
        node, after = (node.next_functions[0][0] if node.next_functions else None), node
    is_part = node is before.node and after is not None and "CopySlices" in after.name()
    return after if is_part else None


def _elements(view: Tensor, base: Tensor) -> Tensor:
    """The numbers of a view's elements among those of its base, in order."""
    numbers = torch.empty_strided(base.shape, base.stride(), dtype=torch.long, device=base.device)
    numbers.copy_(torch.arange(base.numel(), device=base.device).view(base.shape))
    shown = numbers.as_strided(view.shape, view.stride(), view.storage_offset() - base.storage_offset())
    return shown.reshape(-1)
