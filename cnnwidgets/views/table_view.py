"""A table to choose from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import traitlets as t

from cnnwidgets.views.view import View


class TableView(View, module="table_view.js"):
    """A table of which one row is selected; the arrow keys move through it."""

    without_kernel: ClassVar[Mapping[str, Any]] = {"locked": True}

    heads = t.List(t.Unicode(), help="names of the columns").tag(sync=True)
    rows = t.List(t.List(t.Unicode()), help="cells, row by row").tag(sync=True)
    left = t.Int(1, help="how many columns are aligned to the left").tag(sync=True)
    selected = t.Int(-1, help="index of the selected row; -1 for none").tag(sync=True)
    locked = t.Bool(False, help="whether the selection cannot be changed by hand").tag(sync=True)
    height = t.Int(250, help="largest height in CSS pixels; more is scrolled").tag(sync=True)
    description = t.Unicode(help="what the table lists, for those who cannot see it").tag(sync=True)
