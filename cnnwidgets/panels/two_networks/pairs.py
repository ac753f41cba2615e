"""Maps of two networks in pairs: the same map of the same picture, on one scale, and their difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cnnwidgets.base.picture_maps import PictureMaps
from cnnwidgets.net.errors import capitalized
from cnnwidgets.net.layers import format_shape
from cnnwidgets.numbers import number
from cnnwidgets.views import Cell

BESIDE = 2
"""Pairs of maps that fit side by side."""


@dataclass(frozen=True)
class Pair:
    """One map of two networks.

    Attributes:
        name: what it is called.
        first, second: (rows, columns), which lie evenly over the picture.
        scale: the value at which the colors of both end.
        signed: whether the sign of their values has a meaning.
        quantity: what the values are.
    """

    name: str
    first: np.ndarray
    second: np.ndarray
    scale: float
    signed: bool
    quantity: str

    @cached_property
    def difference(self) -> np.ndarray:
        """(rows, columns): the second network's values minus the first's."""
        return self.second - self.first

    @cached_property
    def apart(self) -> float:
        """The largest difference between the two, in size."""
        return float(np.abs(self.difference).max())

    @property
    def place(self) -> tuple[int, ...]:
        """(row, column) of the map where the two differ most."""
        return tuple(map(int, np.unravel_index(np.abs(self.difference).argmax(), self.difference.shape)))

    def cells(self) -> list[Cell]:
        """Both maps, on one scale, and their difference, whose colors end where it does, or with those of the maps."""
        both = [Cell(values, self.scale, self.signed, quantity=self.quantity) for values in (self.first, self.second)]
        said = f"up to {number(self.apart)} apart" if self.apart else "no difference"
        return [*both, Cell(self.difference, min(self.apart, self.scale) or self.scale, True, said, "difference")]


@dataclass(frozen=True)
class Pairs:
    """The maps that two networks have in common, of one picture.

    Attributes:
        picture: uint8 (height, width, 3), as the first network sees it.
        pairs: one a map.
        noun: what a map is called.
        names: what the two networks are called.
        findings: what each network's panel says.
        notes: sentences on what was compared.
    """

    picture: np.ndarray
    pairs: tuple[Pair, ...]
    noun: str
    names: tuple[str, str]
    findings: tuple[str, str]
    notes: tuple[str, ...] = ()

    @property
    def are_many(self) -> bool:
        """Whether there are more than fit side by side, so that one is chosen among all differences."""
        return len(self.pairs) > BESIDE

    @property
    def are_alike(self) -> bool:
        """Whether the values of all maps are of one kind, and so can be compared."""
        return len({pair.quantity for pair in self.pairs}) == 1

    @cached_property
    def most_first(self) -> np.ndarray:
        """int (pairs,): the pairs by how far they are apart; as they came where they cannot be compared."""
        order = [-pair.apart if self.are_alike else 0.0 for pair in self.pairs]
        return np.argsort(order, kind="stable")

    @property
    def differences(self) -> np.ndarray:
        """(pairs, rows, columns); at the picture's pixels where the maps are of several sizes."""
        found = [pair.difference for pair in self.pairs]
        if len({one.shape for one in found}) > 1:
            found = [at_pixels(one, self.picture.shape[:2]) for one in found]
        return np.stack(found)

    def named(self, name: str) -> Pair:
        """The pair of a name, or the one that comes first where there is none."""
        return next((pair for pair in self.pairs if pair.name == name), self.pairs[self.most_first[0]])

    def called(self, pair: Pair) -> str:
        """A map's name with its noun: "unit 17"."""
        return f"{self.noun} {pair.name}" if pair.name.isdigit() else pair.name

    def summary(self) -> str:
        """What differs most, a sentence; below it what was compared."""
        equal = sum(not pair.apart for pair in self.pairs)
        count = f"{len(self.pairs)} {self.noun}s"
        if equal == len(self.pairs):
            finding = f"Nothing differs: both networks give the same {f'{count}' if equal > 1 else 'map'}, value for value."
        else:
            most = self.pairs[self.most_first[0]]
            reach = number(np.abs([most.first, most.second]).max())
            by = f"by up to {number(most.apart)}, with values up to {reach}."
            finding = f"{self.called(most)} differs {by}"
            if len(self.pairs) > 1 and self.are_alike:
                finding = f"Of {count}, {self.called(most)} differs most: {by}"
        facts = [f"{equal} of {count} are equal."] if 0 < equal < len(self.pairs) else []
        said = [f"{name}: {found}" for name, found in zip(self.names, self.findings, strict=True)]
        return "\n".join([finding, *said, *facts, *(f"{capitalized(note)}." for note in self.notes)])


def pairs_of(first: PictureMaps, second: PictureMaps, names: tuple[str, str], findings: tuple[str, str]) -> Pairs:
    """The maps of one name of two networks, in pairs; maps of two sizes are compared at the picture's pixels.

    Raises:
        ValueError: no map of the one is a map of the other.
    """
    mine, theirs = (
        {name: cell.values for name, cell in maps.maps.items() if cell.values is not None} for maps in (first, second)
    )
    common = [name for name in mine if name in theirs]
    if not common:
        raise ValueError(f"{names[0]} and {names[1]} have no map in common: expected at least one of the same name in both")
    notes = [
        f"{name} has {len(maps.maps)} {maps.noun}s; the {len(common)} that both networks have are compared"
        for name, maps in zip(names, (first, second), strict=True)
        if len(maps.maps) > len(common)
    ]
    pairs = []
    for name in common:
        cells, one, other = (first.maps[name], second.maps[name]), mine[name], theirs[name]
        if one.shape != other.shape:
            sizes = " and ".join(format_shape(values.shape) for values in (one, other))
            notes.append(f"maps of {sizes} positions are compared at the picture's pixels")
            one, other = (at_pixels(values, first.picture.shape[:2]) for values in (one, other))
        scale, signed = max(cell.scale for cell in cells), any(cell.signed for cell in cells)
        pairs.append(Pair(name, one, other, scale, signed, cells[0].quantity))
    return Pairs(first.picture, tuple(pairs), first.noun, names, findings, tuple(dict.fromkeys(notes)))


def at_pixels(values: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """The values (rows, columns) at each pixel of a picture (height, width) that they lie evenly over."""
    return values[np.ix_(*(((np.arange(n) + 0.5) * m / n).astype(int) for n, m in zip(size, values.shape, strict=True)))]
