"""One cursor, everything answers: panels that share their state."""

from __future__ import annotations

from itertools import pairwise

import traitlets as t

from cnnwidgets.panels.panel import Panel


class Link:
    """Panels that share every public trait they have in common; made by :func:`link`."""

    def __init__(self, panels: tuple[Panel, ...]):
        self._links = []
        for name in {name: None for panel in panels for name in panel.public_traits()}:
            sharing = [panel for panel in panels if name in panel.public_traits()]
            for first, second in pairwise(sharing):
                if _same_kind(first.public_traits()[name], second.public_traits()[name]):
                    self._links.append(_Shared((first, name), (second, name)))

    def unlink(self) -> None:
        """Let every panel go its own way again."""
        for each in self._links:
            each.unlink()
        self._links.clear()


class _Shared(t.link):
    """A link that does not compare what it has set: a tensor is not equal or unequal as a whole."""

    def _update_target(self, change) -> None:
        self._pass_on(self.target, change)

    def _update_source(self, change) -> None:
        self._pass_on(self.source, change)

    def _pass_on(self, end, change) -> None:
        if not self.updating:
            with self._busy_updating():
                setattr(*end, change.new)


def link(*panels: Panel) -> Link:
    """Make panels share every public trait that they have in common (``layer``, ``unit``, ``image``, ``y``, ``x``, ...).

    The first panel's values are taken over by the others.

    >>> cw.link(filters, browser)

    Raises:
        TypeError: something is no panel, or there are fewer than two.
    """
    for panel in panels:
        if not isinstance(panel, Panel):
            raise TypeError(f"link takes panels, not a {type(panel).__name__}")
    if len(panels) < 2:
        raise TypeError("link takes two panels or more")
    return Link(panels)


def _same_kind(a: t.TraitType, b: t.TraitType) -> bool:
    """Whether either takes the other's values: choices from different lists (orders to sort by, say) are not shared."""
    return type(a) is type(b) and getattr(a, "values", None) == getattr(b, "values", None)
