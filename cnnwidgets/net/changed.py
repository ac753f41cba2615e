"""A forward pass in which the output of one call is replaced by another one, whatever the call is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from cnnwidgets.net.layers import Layer
from cnnwidgets.net.trace import Calls

Change = Callable[[Tensor], Tensor]
"""Makes another output of a layer's: a new tensor of the same shape."""


class Changed(Calls):
    """Replaces the output of one layer in every forward pass that is run while this is watching.

    What is done in place is changed in place: whoever else holds that tensor sees the change, too.

    Attributes:
        is_done: whether the layer was run.
    """

    def __init__(self, module: nn.Module, layer: Layer, change: Change):
        super().__init__(module, self._look)
        self._layer, self._change = layer.name, change
        self._is_here = self.is_done = False

    def _look(self, name: str, output: Tensor) -> None:
        self._is_here = name == self._layer

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        return self._replaced(super().__torch_function__(func, types, args, kwargs), args)

    def _leave(self, module: nn.Module, args: tuple, output: Any) -> Any:
        super()._leave(module, args, output)
        return self._replaced(output, args)

    def _replaced(self, output: Any, args: tuple) -> Any:
        if not self._is_here:
            return output
        self._is_here, self.is_done = False, True
        if not isinstance(output, Tensor):
            raise ValueError(f"{self._layer} gives a {type(output).__name__}; expected a layer that gives one tensor")
        with self._stepping_aside():
            changed = self._change(output)
            return output.copy_(changed) if any(output is given for given in args) else changed
