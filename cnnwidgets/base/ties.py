"""Traits of a panel and of its views that are the same: a tie has a leader.

The kernel sends only the leader's value, and the panel's module tells the followers, with and without a kernel. What a hand
does to a follower is told to the leader by the browser, which sends it. So each change travels once, and nothing that is
late comes back as an echo: of a follower the kernel sends none. A follower that is displayed outside of its panel hears
nothing of the kernel's changes.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import ipywidgets as w

from cnnwidgets.base.layout import reference

End: TypeAlias = tuple[w.Widget, str]


class Ties:
    """The ties of a panel.

    Attributes:
        groups: of each the ends that are the same, the leader first.
    """

    def __init__(self, panel: w.Widget):
        self._panel = panel
        self.groups: list[tuple[End, ...]] = []

    def add(self, leader: End, *followers: End) -> None:
        """Keep traits the same: the followers take the leader's value."""
        owner, name = leader
        self.groups.append((leader, *followers))

        def lead(change: Any = None) -> None:
            value = getattr(owner, name)
            for widget, trait in followers:
                told = widget.trait_metadata(trait, "to_json", widget._trait_to_json)(value, widget)
                with widget._lock_property(**{trait: told}):  # the browser has it from the leader
                    widget.set_trait(trait, value)

        def follow(change: Any) -> None:
            if change.name not in change.owner._property_lock:  # by code; what the browser sends the leader is told there
                owner.set_trait(name, change.new)

        lead()
        owner.observe(lead, name)
        for widget, trait in followers:
            widget.follows.add(trait)
            widget.observe(follow, trait)

    def of(self, end: End) -> list[End]:
        """The other ends of the ties that a trait is in."""
        return [other for group in self.groups if end in group for other in group if other != end]

    def wire(self) -> list[list[list[str]]]:
        """What the panel's module keeps the same; "" is the panel itself."""
        return [[[self._name(widget), trait] for widget, trait in group] for group in self.groups]

    def _name(self, widget: w.Widget) -> str:
        return "" if widget is self._panel else reference(widget)
