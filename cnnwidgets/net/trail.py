"""Which positions go on: what a map or tokens were made of, position by position, and what became of them.

Of a network with a class token, nothing that comes after its last attention reaches the answer but for that one token. So
each tensor whose positions lie in the picture has a :class:`Trail`. A function that brings the positions together marks it
read, with all that it was made of; one that takes nothing but tokens beside the grid marks it cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from cnnwidgets.net.axes import Axes, are_placed, grid_of, has_places, is_units
from cnnwidgets.net.call import ATTENTIONS, PICKS, PRODUCTS, PROJECTING, REDUCTIONS, REGROUPS, TURNS, Call

_PROJECTIONS = frozenset("linear conv1d conv2d".split())


@dataclass(eq=False)
class Trail:
    """What a tensor was made of, position by position.

    Attributes:
        name: the function that gave it.
        made_of: the trails of its inputs whose positions are its own.
        kept: whether another tensor is made of it, position by position.
        read: whether all positions go on from here, brought together or in another order.
        cut: whether, on some way from here, only tokens beside the grid do.
        is_projection: whether it is an attention's own product, of which keys or values are taken.
    """

    name: str
    made_of: tuple[Trail, ...] = ()
    kept: bool = False
    read: bool = False
    cut: bool = False
    is_projection: bool = False

    def mark(self, what: str) -> None:
        """Mark this one and all that it was made of as ``"read"`` or ``"cut"``."""
        left = [self]
        while left:
            trail = left.pop()
            if not getattr(trail, what):
                setattr(trail, what, True)
                left += trail.made_of

    @property
    def goes_on(self) -> bool:
        """Whether its positions go on to the output, as far as was seen.

        They do not if they, or what they were made of, were cut and nothing has read them, or if an attention has made keys
        and values of them for itself.
        """
        left, seen = [self], set()
        while left and not self.read:
            trail = left.pop()
            if trail.cut:
                return False
            if trail not in seen:
                seen.add(trail)
                left += trail.made_of
        return not self.is_projection

    def before_projection(self) -> Trail:
        """What keys or values of an attention were made of by a linear layer or a convolution; this itself if by none.

        What lies between belongs to the attention.
        """
        ways = [self]
        while len(ways[-1].made_of) == 1:
            ways += ways[-1].made_of
            if ways[-2].name in _PROJECTIONS and ways[-1].made_of:
                for trail in ways[:-1]:
                    trail.is_projection = True
                return ways[-1]
        if ways[-1].name in PRODUCTS:  # queries times keys
            for trail in ways[-1].made_of:
                trail.before_projection()
        return self

    def laid_out(self) -> Iterator[Trail]:
        """This, and the same before it was only laid out in another way."""
        trail = self
        yield trail
        while len(trail.made_of) == 1 and trail.name in REGROUPS | TURNS:
            trail = trail.made_of[0]
            yield trail


class Trails:
    """Follows the positions of a forward pass.

    Attributes:
        attended: what went into the last attention; empty if that does not lie in the picture.
        disordered: what was put into another order before such an attention.
    """

    def __init__(self) -> None:
        self.attended: list[Trail] = []
        self.disordered: list[Trail] = []
        self._reordered: list[Trail] = []

    def leads_to(self, trail: Trail) -> str:
        """As told by :attr:`cnnwidgets.net.Layer.leads_to`."""
        if trail in self.attended:
            return "last attention"
        if trail in self.disordered and not trail.kept:
            return "another order"
        return "output" if trail.goes_on else "nothing"

    def after(
        self, call: Call, trails: Sequence[Trail | None], softmaxed: Sequence[torch.Tensor], axes: Axes
    ) -> Trail | None:
        """The trail of a function's output; None if its positions do not lie in the picture.

        Parameters:
            trails: of each tensor in ``call.known``.
            softmaxed: those tensors that are shares, which a softmax gave.
            axes: of the output.
        """
        is_placed, made_of = are_placed(axes), []
        for (tensor, _), trail in zip(call.known, trails, strict=True):
            fates = _fates(call, tensor, softmaxed, is_placed)
            if "attended" in fates:
                self.attended = []
                self.disordered = [] if trail else self._reordered
            if trail is None:
                continue
            if "attended" in fates:
                source = trail if call.name in PROJECTING else trail.before_projection()
                source.mark("read")
                self.attended = list(source.laid_out())
            if "shared out" in fates:
                trail.before_projection()
            if "kept" in fates:
                made_of.append(trail)
                trail.kept = True
            for fate in fates & {"read", "cut"}:
                trail.mark(fate)
            if "read" in fates and call.output.ndim == tensor.ndim and call.name not in REDUCTIONS | _PROJECTIONS:
                self._reordered = [*self._reordered, trail]
        return Trail(call.name, tuple(made_of)) if is_placed else None


def _fates(call: Call, tensor: torch.Tensor, softmaxed: Sequence[torch.Tensor], is_placed: bool) -> set[str]:
    """What a function does to the positions of one of its tensors."""
    if call.name in ATTENTIONS:
        query, key, value = call.queries_keys_values
        return {fate for fate, each in (("kept", query), ("attended", key), ("attended", value)) if each is tensor}
    kept = {"kept"} if is_placed else set()
    summed = call.summed_axes(tensor)
    if summed is not None and any(tensor is each for each in softmaxed):
        return kept | {"shared out"}  # over values, which are read
    if summed is not None and softmaxed and summed and not any(map(is_units, summed)):
        return {"attended"}
    if summed is not None and any(map(has_places, summed)):
        return {"read"}
    return kept or ({"cut"} if _takes_beside_the_grid(call) else {"read"})


def _takes_beside_the_grid(call: Call) -> bool:
    """Whether of tokens a function takes class tokens or the like alone."""
    if call.name not in PICKS:
        return False
    try:
        picks = call.picks
    except LookupError:
        return False
    for dim, taken in picks:
        grid = None if dim is None else grid_of(call.axes[dim])
        if grid and taken is not None:
            rows, columns, first = grid
            start, stop = (taken.start, taken.stop) if isinstance(taken, range) else (taken, taken + 1)
            return stop <= first or start >= first + rows * columns
    return False
