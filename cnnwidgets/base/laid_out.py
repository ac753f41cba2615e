"""A widget that holds views and panels: how they lie, which are shown, and what of them is the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets as w
import traitlets as t

from cnnwidgets.base.layout import Box, Part, column, reference
from cnnwidgets.base.ties import End, Ties
from cnnwidgets.views.syncing import Syncing


class LaidOut(Syncing):
    """What a panel knows of its views; its module puts them where the tree says."""

    _tree = t.Dict(help="the views by reference, in rows and columns").tag(sync=True)
    _hidden = t.List(t.Int(), help="numbers of the parts of the tree that are not shown now, counted from its root").tag(
        sync=True
    )
    is_bare = t.Bool(False, help="whether only the controls are shown: a panel around it shows what it finds").tag(sync=True)
    _ties: Any = t.List(help="groups of [reference, trait] that are the same; the first leads").tag(sync=True)

    _box: Box
    _tied: Ties

    @property
    def children(self) -> tuple[w.Widget, ...]:
        """The views and panels in it."""
        return tuple(self._box.views())

    def _take_body(self, body: Part | Sequence[Part]) -> None:
        """Lay out what ``build`` has made."""
        self._box = body if isinstance(body, Box) else column(*body) if isinstance(body, (list, tuple)) else column(body)
        self._lay_out()

    def _lay_out(self) -> None:
        with self.hold_sync():
            self._tree, self._hidden, self._ties = self._box.wire(), self._box.concealed(), self._tied.wire()

    def reveal(self, part: Part, shown: bool = True) -> bool:
        """Show a part of the layout, or leave it out; returns whether it is shown."""
        for box in self._box.boxes():
            if part in box.parts and (part in box.hidden) == shown:
                box.hidden = [other for other in box.hidden if other is not part] + ([] if shown else [part])
                self._hidden = self._box.concealed()
        return shown

    def nest(self, panel: w.Widget) -> None:
        """Put another panel below what is on screen, and bring it into sight of who has the focus here.

        It is shown, still, paged and closed with this one.
        """
        if panel not in self._box.parts:
            self._box.parts = (*self._box.parts, panel)
            self._lay_out()
        self.send({"kind": "bring", "view": reference(panel)})

    def tie(self, leader: End, *followers: End) -> None:
        """Keep traits of this panel, its views and panels the same, in the browser and here; the first leads."""
        self._tied.add(leader, *followers)
        self._ties = self._tied.wire()

    def bind(self, view: w.Widget, *same: str, **names: str) -> Any:
        """Keep traits of the panel and of a view the same: those of one name, and ``mine="theirs"``; returns the view."""
        for mine, theirs in {**{name: name for name in same}, **names}.items():
            self.tie((self, mine), (view, theirs))
        return view
