"""How a panel's views lie: rows and columns, as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import ipywidgets as w

Part = Any
"""A view, a panel, or a box of them."""

BASIS = 280
"""CSS pixels that a part of a row has before the row wraps."""


@dataclass(eq=False)
class Box:
    """Parts side by side (``direction`` "row"), or one below the other ("column").

    Attributes:
        parts: views, panels, boxes.
        grow: their weights: how they share the width of a row.
        basis: the width in CSS pixels of a part below which a row wraps; one for all, or one per part.
        follows: name of a public trait, or a view and the name of its trait: what is in the box was drawn for its value,
            and is no longer true where the trait changes and no kernel answers; "" for none.
        hidden: parts that are not shown now.
    """

    direction: str
    parts: tuple[Part, ...]
    grow: Sequence[float] = ()
    basis: int | Sequence[int] = BASIS
    follows: str | tuple[w.Widget, str] = ""
    hidden: list[Part] = field(default_factory=list, init=False)

    def views(self) -> Iterator[w.Widget]:
        """The widgets in it, hidden ones too."""
        for part in self.parts:
            yield from part.views() if isinstance(part, Box) else (part,)

    def boxes(self) -> Iterator[Box]:
        """It and the boxes in it."""
        yield self
        for part in self.parts:
            if isinstance(part, Box):
                yield from part.boxes()

    @property
    def weights(self) -> Sequence[float]:
        """One a part."""
        return [*self.grow, *[1] * (len(self.parts) - len(self.grow))]

    def wire(self) -> dict[str, Any]:
        """What the panel's module lays out: its views by reference."""
        bases = [self.basis] * len(self.parts) if isinstance(self.basis, int) else self.basis
        each = zip(self.parts, self.weights, bases, strict=True)
        return {
            self.direction: [{**_wire(part), "grow": weight, "basis": basis} for part, weight, basis in each],
            "follows": _followed(self.follows),
        }

    def concealed(self) -> list[int]:
        """Numbers of the parts that are not shown: the box itself is 0, and each part is counted before what is in it."""
        return [number for number, (part, owner) in enumerate(self._numbered(None)) if owner and part in owner.hidden]

    def _numbered(self, owner: Box | None) -> Iterator[tuple[Part, Box | None]]:
        yield self, owner
        for part in self.parts:
            if isinstance(part, Box):
                yield from part._numbered(self)
            else:
                yield part, self


def row(
    *parts: Part,
    grow: Sequence[float] = (),
    basis: int | Sequence[int] = BASIS,
    follows: str | tuple[w.Widget, str] = "",
) -> Box:
    """Parts side by side; see :class:`Box`."""
    return Box("row", parts, grow, basis, follows)


def column(*parts: Part, follows: str | tuple[w.Widget, str] = "") -> Box:
    """Parts one below the other; see :class:`Box`."""
    return Box("column", parts, follows=follows)


def reference(widget: w.Widget) -> str:
    """How a module finds another widget: what the anywidget front-end standard calls a widget reference."""
    return f"anywidget:{widget.model_id}"


def _wire(part: Part) -> dict[str, Any]:
    return part.wire() if isinstance(part, Box) else {"view": reference(part)}


def _followed(follows: str | tuple[w.Widget, str]) -> list[str]:
    """The reference ("" for the panel itself) and the trait that a box follows; empty for none."""
    if isinstance(follows, str):
        return ["", follows] if follows else []
    view, name = follows
    return [reference(view), name]
