"""The layer table: one row for every call of a forward pass, in the order in which it happens."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

Pair = tuple[float, float]


@dataclass(frozen=True)
class ReceptiveField:
    """The pixels of the input that one position of a map can see, as a rectangle.

    Position (i, j) of the map sees the rows ``offset[0] + i * step[0]`` up to ``size[0]`` pixels further, and likewise the
    columns. A negative offset reaches into the padding.

    Attributes:
        size: height and width, in input pixels.
        step: how far the rectangle moves from one position to the next, in input pixels.
        offset: row and column of the rectangle of position (0, 0), in input pixels.
        status: ``"exact"``: its edge pixels do count; ``"bound"``: no unit sees more, some see less (concatenated
            branches); ``"global"``: every position sees the whole picture (pooling over everything, attention,
            squeeze-excite, a fully connected layer).

    Araujo, Norris and Sim, Computing Receptive Fields of Convolutional Neural Networks (Distill 2019).
    """

    size: Pair
    step: Pair
    offset: Pair
    status: str

    def box(self, row: int, column: int) -> tuple[float, float, float, float]:
        """Top, left, height and width, in input pixels, of what the position (row, column) sees."""
        return self.offset[0] + row * self.step[0], self.offset[1] + column * self.step[1], *self.size

    def __str__(self) -> str:
        if self.status == "global":
            return "all"
        height, width = (f"{side:g}" for side in self.size)
        return f"{'≤ ' if self.status == 'bound' else ''}{height}×{width}"


@dataclass(frozen=True)
class Layer:
    """One call in a forward pass: a ``torch.nn`` module, or a function such as ``F.relu``, ``+`` or ``torch.cat``.

    Attributes:
        name: the module's qualified name, or the enclosing module's name and the function (``layer1.0.add``); from the
            second call on with its number (``layer1.0.relu:2``).
        kind: the module's class (``Conv2d``) or the function (``add``).
        output_shape: shape of the output without the batch axis; of the first one, where there are several.
        parameters: number of parameters that this call is the first to use.
        macs: multiply-adds of one image, as ``torch.utils.flop_counter`` counts them (its FLOPs halved).
        receptive_field: what one position of the output sees of the input; None where the output is no map.
        layout: ``"map"`` (units, height, width), ``"map, channels last"`` (height, width, units), ``"vector"`` (units),
            ``"sequence"`` (units, positions: a one-dimensional convolution's, a flattened map's), ``"tokens"`` (tokens,
            units: a transformer's) or ``"other"``.
        grid: where tokens, or the positions of a sequence, lie in the picture: (rows, columns, first), where number
            ``first + row * columns + column`` is at (row, column), and those before or after are class, distillation or
            register tokens. None where that is not known, and of all other layouts.
        weight: the name of the weight in the module (``conv1.weight``); None where there is none.
        input_map: the shape (C, H, W) of the map whose flattened values are the input; None where it is not one.
        source: where to find the call again: ``("module" | "function", name, ordinal from 1)``.
        leads_to: what becomes of its positions: ``"output"`` (they go on to it, as far as was seen); ``"last attention"``
            (whose keys and values are made of them); ``"another order"`` (in which tokens go into the last attention, and
            which is not known); or ``"nothing"`` (later, only tokens beside the grid are taken, as after the last attention
            of a network with a class token; or these are an attention's own keys and values).
        weighing: where what the call weighs with is computed of the weight (standardized, pruned), the function that gets
            it: ``(name, ordinal from 1)``; else None.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    macs: int
    receptive_field: ReceptiveField | None
    layout: str
    grid: tuple[int, int, int] | None
    weight: str | None
    input_map: tuple[int, int, int] | None
    source: tuple[str, str, int]
    leads_to: str
    weighing: tuple[str, int] | None = None

    @property
    def output(self) -> str:
        """The output's shape in words: ``64×56×56``, ``197×768 tokens``."""
        return format_shape(self.output_shape) + (" tokens" if self.layout == "tokens" else "")

    @property
    def is_map(self) -> bool:
        """Whether the output has a height and a width: one map a unit."""
        return self.layout.startswith("map")

    @property
    def has_places(self) -> bool:
        """Whether each position has a row and a column in the picture: a map's, or those on the grid of tokens."""
        return self.is_map or self.grid is not None

    @property
    def has_units(self) -> bool:
        """Whether the output can be shown unit by unit: a map, a vector, a sequence or tokens."""
        return self.layout != "other"

    @property
    def map_shape(self) -> tuple[int, int, int]:
        """(units, height, width): a vector is a map of one position; tokens and a sequence are their grid, or a row.

        Raises:
            ValueError: the output is none of these.
        """
        match self.layout, self.output_shape:
            case "map", (units, height, width):
                return units, height, width
            case "map, channels last", (height, width, units):
                return units, height, width
            case "vector", (units,):
                return units, 1, 1
            case ("sequence", (units, positions)) | ("tokens", (positions, units)):
                return (units, *self.grid[:2]) if self.grid else (units, 1, positions)
        raise ValueError(f"{self.name} gives {format_shape(self.output_shape)} values: neither maps, nor units, nor tokens")

    @property
    def beside_grid(self) -> int:
        """How many tokens lie beside their grid (class, distillation and register tokens), and so are in no map."""
        if self.grid is None:
            return 0
        units, height, width = self.map_shape
        return math.prod(self.output_shape) // units - height * width

    def by_unit(self, output: Tensor) -> Tensor:
        """The layer's output for N pictures as (N, units, height, width), in whatever order its axes are.

        Of tokens on a grid only those are in it: class, distillation and register tokens lie beside it.

        Raises:
            ValueError: the output is neither maps, nor units, nor tokens.
        """
        units, height, width = self.map_shape
        units_first = output.movedim(-1, 1) if self.layout in ("tokens", "map, channels last") else output
        if self.grid:
            units_first = units_first.narrow(2, self.grid[2], height * width)
        return units_first.reshape(len(output), units, height, width)

    def to_pixel(self, row: float, column: float, picture: tuple[int, int]) -> tuple[float, float]:
        """The input pixel (y, x) at the center of what a position sees; the proportional place if it sees everything.

        Parameters:
            picture: height and width of the input.
        """
        (top, left), (down, right) = self._centers(picture)
        return top + row * down, left + column * right

    def to_position(self, y: float, x: float, picture: tuple[int, int]) -> tuple[int, int]:
        """The position (row, column) whose center is nearest to an input pixel: what :meth:`to_pixel` undoes."""
        (top, left), (down, right) = self._centers(picture)
        _, height, width = self.map_shape
        row, column = round((y - top) / down), round((x - left) / right)
        return min(max(row, 0), height - 1), min(max(column, 0), width - 1)

    def _centers(self, picture: tuple[int, int]) -> tuple[Pair, Pair]:
        """Pixel of the first position's center, and pixels from one center to the next, for rows and columns."""
        sees = self.receptive_field
        if sees is None or sees.status == "global":
            _, height, width = self.map_shape
            down, right = picture[0] / height, picture[1] / width
            return (down / 2 - 0.5, right / 2 - 0.5), (down, right)
        (top, left), (tall, wide) = sees.offset, sees.size
        return (top + (tall - 1) / 2, left + (wide - 1) / 2), sees.step


def format_shape(shape: Sequence[int]) -> str:
    """``3×224×224``."""
    return "×".join(map(str, shape))


def nearest(word: str, words: Sequence[str]) -> str:
    """`` Did you mean 'a' or 'b'?`` with the words that look most like the given one, or nothing."""
    by_lower = {known.lower(): known for known in words}
    found = [by_lower[close] for close in difflib.get_close_matches(word.lower(), by_lower, n=3, cutoff=0.5)]
    return f" Did you mean {' or '.join(map(repr, found))}?" if found else ""


class Ending(NamedTuple):
    """How a forward pass ends; found by the survey that writes the layer table.

    Attributes:
        shape: of the output of one picture; None where that is not a tensor.
        operation: ``"softmax"``, ``"sigmoid"`` or another of ``telling.ACTIVATIONS``, or ``"linear"``, if nothing but
            reshaping follows it; else empty.
        function, number: which call that is: the function's own name, and its ordinal from 1 among calls of that name.
        what: the output in words: ``"a dict of out (1×21×64×64) and aux (1×21×64×64)"``.
    """

    shape: tuple[int, ...] | None
    operation: str
    function: str
    number: int
    what: str


class Layers(Sequence[Layer]):
    """An ordered table of layers, read by position or by name.

    ``net.layers["conv1"]`` is a row; the name of a block (``layer1.0``, ``features``) stands for the call that ends it.

    Attributes:
        ending: how the forward pass ends.
        drawing: the first layer that random numbers are drawn for; empty if none are.
    """

    def __init__(self, rows: Sequence[Layer], ends: dict[str, str], ending: Ending, drawing: str = ""):
        self._rows, self.ending, self.drawing = tuple(rows), ending, drawing
        self._by_name = {row.name: row for row in rows}
        self._by_name |= {block: self._by_name[name] for block, name in ends.items() if block not in self._by_name}

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, str):
            return self._by_number(key)
        if key not in self._by_name:
            raise UnknownLayer(f"the network has no layer {key!r}.{nearest(key, list(self._by_name))}")
        return self._by_name[key]

    def _by_number(self, key: Any) -> Layer | tuple[Layer, ...]:
        try:
            return self._rows[key]
        except IndexError:  # which also ends a loop over the numbers
            raise IndexError(f"there is no row {key}: the network has {len(self)}, numbered from 0") from None
        except (TypeError, ValueError, RuntimeError):
            what = type(key).__name__
            raise TypeError(f"a layer is asked for by a {what}; expected its name or its number") from None

    def __contains__(self, key: object) -> bool:
        return (isinstance(key, str) and key in self._by_name) or key in self._rows

    def __iter__(self) -> Iterator[Layer]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def names(self) -> list[str]:
        return [row.name for row in self._rows]

    @property
    def maps(self) -> list[Layer]:
        """The rows whose output has a height and a width."""
        return [row for row in self._rows if row.is_map]

    @property
    def with_units(self) -> list[Layer]:
        """The rows that can be shown unit by unit: those that give maps, a vector, a sequence or tokens."""
        return [row for row in self._rows if row.has_units]

    @property
    def weighted(self) -> list[Layer]:
        """The rows that have filters: a convolution's or a fully connected layer's weight."""
        return [row for row in self._rows if row.weight]

    @property
    def macs(self) -> int:
        """Multiply-adds of one image through the whole network."""
        return sum(row.macs for row in self._rows)

    def _cells(self) -> list[tuple[str, ...]]:
        heads = ("layer", "kind", "output", "parameters", "multiply-adds", "receptive field")
        rows: list[tuple[str, ...]] = [heads]
        for row in self._rows:
            seen = str(row.receptive_field) if row.receptive_field else "no map"
            rows.append((row.name, row.kind, row.output, f"{row.parameters:,}", f"{row.macs:,}", seen))
        return rows

    def __repr__(self) -> str:
        cells = self._cells()
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        align = [str.ljust, str.ljust, str.rjust, str.rjust, str.rjust, str.rjust]
        return "\n".join(
            "  ".join(put(cell, width) for put, cell, width in zip(align, row, widths, strict=True)).rstrip()
            for row in cells
        )

    def _repr_html_(self) -> str:
        from html import escape

        head, *rows = [[escape(cell) for cell in row] for row in self._cells()]
        line = "<tr>{}</tr>".format
        body = "".join(line("".join(f"<td>{cell}</td>" for cell in row)) for row in rows)
        return f"<table><thead>{line(''.join(f'<th>{c}</th>' for c in head))}</thead><tbody>{body}</tbody></table>"


class UnknownLayer(KeyError):
    """A KeyError that prints its sentence as it is, without the quotes that KeyError puts around it."""

    def __str__(self) -> str:
        return self.args[0]
