"""One cursor, everything answers: panels that share their state."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import traitlets as t

from cnnwidgets.base.state import Stateful


class Link:
    """Panels that share every public trait they have in common; made by :func:`link`."""

    def __init__(self, panels: tuple[Stateful, ...]):
        sharing: dict[tuple, list[Stateful]] = defaultdict(list)
        for panel in panels:
            for name, trait in panel.public_traits().items():
                sharing[_kind(name, trait)].append(panel)
        self._shared = {key: group for key, group in sharing.items() if len(group) > 1}
        for (name, *_), (first, *others) in self._shared.items():
            none = first.public_traits()[name].metadata.get("none")  # None, unless the trait says otherwise
            known = next((panel for panel in (first, *others) if getattr(panel, name) is not none), first)
            for panel in (first, *others):
                setattr(panel, name, getattr(known, name))
        for panel in panels:
            panel.links.append(self)
        for (name, *_), group in self._shared.items():
            for panel in group:
                panel.observe(self._spread, name)

    def unlink(self) -> None:
        """Let every panel go its own way again."""
        for panel in {panel for group in self._shared.values() for panel in group}:
            self.leave(panel)

    def leave(self, panel: Stateful) -> None:
        """Unlink a panel, and any other that then shares nothing."""
        panel.links = [link for link in panel.links if link is not self]
        for (name, *_), group in self._shared.items():
            if panel in group:
                group.remove(panel)
                panel.unobserve(self._spread, name)
        groups = self._shared.values()
        sharing = {one for group in groups if len(group) > 1 for one in group}
        for other in {one for group in groups for one in group} - sharing:
            self.leave(other)

    def _spread(self, change: Any) -> None:
        kind = _kind(change.name, change.owner.public_traits()[change.name])
        for panel in self._shared[kind]:
            if getattr(panel, change.name) is not change.new:  # "is": pictures have no == that says yes or no
                setattr(panel, change.name, change.new)


def link(*panels: Stateful) -> Link:
    """Make panels share every public trait that they have in common (``layer``, ``unit``, ``image``, ``y``, ``x``, ...).

    The first panel's values are taken over by the others; where it has none, those of the first that has one.

    >>> cw.link(filters, browser)

    Raises:
        TypeError: something is no panel, or there are fewer than two.
    """
    for panel in panels:
        if not isinstance(panel, Stateful):
            raise TypeError(f"link takes panels, not a {type(panel).__name__}")
    if len(panels) < 2:
        raise TypeError("link takes two panels or more")
    return Link(panels)


def _kind(name: str, trait: t.TraitType) -> tuple:
    """A trait's name and the values that it takes: choices from different lists (orders, say) are not shared."""
    return name, type(trait), tuple(getattr(trait, "values", None) or ())
