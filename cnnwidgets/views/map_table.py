"""Maps over one picture, in rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import traitlets as t

from cnnwidgets.views.map_still import draw_table
from cnnwidgets.views.paper import Paper
from cnnwidgets.views.view import View

CODES = 2**15 - 1
"""Code of a map's largest size: values travel as 16-bit numbers."""


@dataclass(frozen=True)
class Cell:
    """One map, or the sentence that stands in its place.

    Attributes:
        values: (rows, columns), laid over the whole picture; None where there is no map.
        scale: the value that has the last color; above 0.
        signed: whether negative values have a meaning of their own.
        text: notes below the map, or the sentence in its place.
        quantity: what the values are, with their unit.
    """

    values: np.ndarray | None
    scale: float = 1.0
    signed: bool = False
    text: str = ""
    quantity: str = ""


class MapTable(View, module="map_table.js"):
    """Maps of one picture side by side with it, each laid over it; one cursor marks the same pixel in all of them.

    >>> table.show(picture, [[Cell(map, scale=0.2), Cell(other)]], rows=["cat"], columns=["saliency", "Grad-CAM"])

    The pointer or the arrow keys move the cursor; the value there stands below each map, under the map's own scale. Where
    the page is narrow, a row of maps takes several lines.
    """

    pixels = t.Bytes(help="(height, width, 3) bytes: the picture").tag(sync=True)
    shape = t.List(t.Int(), [0, 0], help="[height, width] of the picture, in pixels").tag(sync=True)
    values = t.Bytes(help="int16 codes of all maps, one after the other; 32767 is a map's peak").tag(sync=True)
    cells = t.List(t.Dict(), help="row by row: shape, peak, scale, signed, text, quantity; no shape without map").tag(
        sync=True
    )
    rows = t.List(t.Unicode(), help="what each row shows").tag(sync=True)
    columns = t.List(t.Unicode(), help="what each column shows").tag(sync=True)
    mask = t.Bytes(help="(height, width) bytes: 1 inside the outline that is drawn; empty for none").tag(sync=True)
    opacity = t.Float(0.75, min=0.0, max=1.0, help="opacity of the maps over the picture").tag(sync=True)
    sign = t.Enum(("both", "for", "against"), "both", help="which values of the signed maps are shown").tag(sync=True)
    sided = t.Bool(True, help="whether signed values speak for and against: then one side can be shown alone").tag(sync=True)
    large = t.Bool(False, help="whether the values at the cursor are written large").tag(sync=True)
    cursor = t.List(t.Float(), help="[row, column] of the picture, in pixels; empty for none").tag(sync=True)
    lock = t.Bool(False, help="whether the cursor is locked against the user").tag(sync=True)
    width = t.Int(240, help="largest width and height of a map, in CSS pixels").tag(sync=True)

    def map(self, number: int) -> np.ndarray | None:
        """float64 (rows, columns): the values of a cell's map, right to 1/32767 of its largest; None if it has none."""
        sizes = [int(np.prod(about.get("shape", [0]))) for about in self.cells]
        if not sizes[number]:
            return None
        about, start = self.cells[number], 2 * sum(sizes[:number])
        codes = np.frombuffer(self.values, "<i2", sizes[number], start).reshape(about["shape"])
        return codes / CODES * about["peak"]

    def draw_on(self, paper: Paper) -> None:
        draw_table(self, paper)

    def show(
        self,
        picture: np.ndarray,
        cells: Sequence[Sequence[Cell]],
        *,
        rows: Sequence[str],
        columns: Sequence[str],
        mask: np.ndarray | None = None,
    ) -> None:
        """Show maps over a uint8 picture (height, width, 3), in one message.

        Parameters:
            cells: one list per row.
            rows, columns: their titles.
            mask: bool (height, width); its outline is drawn over the maps.
        """
        flat = [cell for row in cells for cell in row]
        with self.hold_sync():
            self.pixels, self.shape = np.ascontiguousarray(picture, np.uint8).tobytes(), list(picture.shape[:2])
            self.values = b"".join(_codes(cell) for cell in flat)
            self.cells = [_about(cell) for cell in flat]
            self.rows, self.columns = list(rows), list(columns)
            self.mask = b"" if mask is None else np.ascontiguousarray(mask, np.uint8).tobytes()


def _peak(values: np.ndarray) -> float:
    return float(np.abs(values).max()) or 1.0


def _codes(cell: Cell) -> bytes:
    return b"" if cell.values is None else np.rint(cell.values / _peak(cell.values) * CODES).astype("<i2").tobytes()


def _about(cell: Cell) -> dict:
    if cell.values is None:
        return {"text": cell.text}
    about = {"scale": float(cell.scale), "signed": cell.signed, "text": cell.text, "quantity": cell.quantity}
    return {"shape": list(cell.values.shape), "peak": _peak(cell.values), **about}
