"""Maps over one picture, in a table."""

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
    """One map of a table, or the sentence why there is none.

    Attributes:
        values: (rows, columns), over the whole picture whatever their number; None where there is no map.
        scale: the size that has the last color; above 0.
        signed: whether values below 0 say something of their own.
        text: a sentence below the map, or in its place.
    """

    values: np.ndarray | None
    scale: float = 1.0
    signed: bool = False
    text: str = ""


class MapTable(View, module="map_table.js"):
    """Maps of the same picture side by side, each laid over it; a cursor at the same pixel of all of them.

    >>> table.show(picture, [[Cell(map, scale=0.2), Cell(other)]], rows=["cat"], columns=["saliency", "Grad-CAM"])

    Hovering, or the arrow keys, move the cursor; below each map is its value there. Colors are in parts of each map's
    scale, which its caption tells.
    """

    pixels = t.Bytes(help="(height, width, 3) bytes: the picture").tag(sync=True)
    shape = t.List(t.Int(), [0, 0], help="[height, width] of the picture, in pixels").tag(sync=True)
    values = t.Bytes(help="int16 codes of all maps, one after the other; 32767 is a map's peak").tag(sync=True)
    cells = t.List(t.Dict(), help="row by row: shape, peak, scale, signed, text; no shape for none").tag(sync=True)
    rows = t.List(t.Unicode(), help="what each row shows").tag(sync=True)
    columns = t.List(t.Unicode(), help="what each column shows").tag(sync=True)
    mask = t.Bytes(help="(height, width) bytes: 1 inside of an outline that is drawn; empty for none").tag(sync=True)
    opacity = t.Float(0.75, min=0.0, max=1.0, help="of the maps over the picture").tag(sync=True)
    sign = t.Enum(("both", "for", "against"), "both", help="which evidence of signed maps is shown").tag(sync=True)
    cursor = t.List(t.Float(), help="[row, column] of the picture, in pixels; empty for none").tag(sync=True)
    lock = t.Bool(False, help="whether the cursor cannot be moved by hand").tag(sync=True)
    width = t.Int(240, help="largest width of a map, in CSS pixels").tag(sync=True)

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
            cells: a list a row.
            rows, columns: their titles.
            mask: bool (height, width), whose outline is drawn over the picture.
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
    about = {"scale": float(cell.scale), "signed": cell.signed, "text": cell.text}
    return {"shape": list(cell.values.shape), "peak": _peak(cell.values), **about}
