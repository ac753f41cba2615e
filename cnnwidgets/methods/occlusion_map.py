"""What occlusion finds: a map of answers where the network was asked, joined in between."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy import interpolate, ndimage

from cnnwidgets.methods.attribution import Attribution, Unit, subject, value_of
from cnnwidgets.methods.code.occlusion import occlusion_lines
from cnnwidgets.net import BoundModel
from cnnwidgets.net.layers import format_shape
from cnnwidgets.numbers import number, percent

MOST_TRIANGLES = 5_000
"""Known positions beyond which the others take the nearest one's value: joining so many takes longer than a batch."""

SURE = 0.1
"""Share of the positions that must be known before the time left is told."""

FEW = 10
"""Seconds below which the time left is "a few"."""


@dataclass(frozen=True, repr=False)
class Answer:
    """What the network says of one picture.

    Attributes:
        value: the score that is watched.
        probability: of the target; the value itself where that is the score of no class.
        classes: (k,) the most probable classes' indices, the most probable first; none where there are no probabilities.
        chances: (k,) their probabilities.
    """

    value: float
    probability: float
    classes: np.ndarray
    chances: np.ndarray

    @property
    def plain(self) -> dict[str, Any]:
        """The same as JSON can carry it."""
        lists = {"classes": self.classes.tolist(), "chances": self.chances.tolist()}
        return {"value": self.value, "probability": self.probability, **lists}

    def __repr__(self) -> str:
        most = ", ".join(f"{index} ({chance:.3g})" for index, chance in zip(self.classes, self.chances, strict=True))
        if not most:
            return f"<answer: value {self.value:.3g}>"
        return f"<answer: value {self.value:.3g}, probability {self.probability:.3g}, most probable classes {most}>"


@dataclass(frozen=True, repr=False)
class OcclusionMap:
    """What a patch does to the network's answer, for every position (row, column) of a grid.

    Attributes:
        target: the class that is watched, by its index, or the name of the function; of a unit the class that is predicted,
            None where the network gives none.
        unit: (layer, unit) or (layer, unit, row, column) that is watched; None for a class or a function.
        score: what is watched: ``"probability"`` or ``"logit"`` of the target; ``"value"`` of a regression, a function or a
            unit.
        clean: the score without a patch.
        values: float32 (rows, columns), the score with the patch there.
        probability: float32 (rows, columns), the target's probability with the patch there; the values where it has none.
        classes: int (rows, columns, k), the most probable classes with the patch there, the most probable first; -1 where it
            is not known. k is 0 where the network gives no probabilities.
        chances: float32 (rows, columns, k), their probabilities.
        known: bool (rows, columns), where the network was asked; elsewhere values are estimates.
        estimate: float32 (rows, columns), the first-order estimate of the values, from one gradient.
        ys, xs: int (rows,), (columns,): the patch's first row and column, in pixels of the input.
        patch: (rows, columns) of the patch, in pixels. At the border it is cut off, not shifted.
        stride: (rows, columns) from one position to the next, in pixels.
        mask: bool (rows, columns), the shape of the patch.
        size: (height, width) of the input.
        answer: what the network says of the picture without a patch.
        passes: positions that the network was asked for.
        remaining: seconds that the positions not yet known are expected to take.
        how: how they are computed.
        output: what the network gives, and how that is known.
        notes: sentences on the network and on the picture, and what to beware of.
        draws: whether the network draws random numbers when it answers: then the values are those of one draw.
        fill, shape, seed: what covers the picture: its values, its form, and the seed of its noise.
        alone: whether the score is a function that takes one picture at a time.
        session: the :class:`Occlusion` that the map is of, ready for a patch anywhere; None in what :func:`occlusion` gives.
    """

    target: int | str | None
    unit: Unit | None
    score: str
    clean: float
    values: np.ndarray
    probability: np.ndarray
    classes: np.ndarray
    chances: np.ndarray
    known: np.ndarray
    estimate: np.ndarray
    ys: np.ndarray
    xs: np.ndarray
    patch: tuple[int, int]
    stride: tuple[int, int]
    mask: np.ndarray
    size: tuple[int, int]
    answer: Answer
    passes: int
    remaining: float
    how: str
    output: str
    notes: tuple[str, ...] = ()
    draws: bool = False
    fill: str = "mean"
    shape: str = "rectangle"
    seed: int = 0
    alone: bool = False
    session: Any = field(default=None, compare=False)

    @property
    def complete(self) -> bool:
        """Whether the network was asked for every position."""
        return bool(self.known.all())

    @property
    def exact(self) -> bool:
        """Whether every value is exact: of a network that draws random numbers none is."""
        return self.complete and not self.draws

    @property
    def top(self) -> np.ndarray:
        """(rows, columns): the most probable class with the patch there; -1 where it is not known, or there is none."""
        return self.classes[..., 0] if self.classes.shape[2] else np.full(self.known.shape, -1)

    @property
    def drop(self) -> np.ndarray:
        """(rows, columns): how much of the score is lost with the patch there, ``clean - values``."""
        return self.clean - self.values

    def by_area(self) -> tuple[list[int], np.ndarray]:
        """The most probable classes, and int (rows, columns): each position's place among them.

        The class of the picture without a patch is the first, the others follow by area. A position that is not known yet
        has the class of its nearest neighbor; -1 if none is known, or there is none.
        """
        if not len(self.answer.classes):
            return [], self.top
        first = int(self.answer.classes[0])
        if not self.known.any():
            return [first], np.full(self.known.shape, -1)
        tops = self.top[_nearest(self.known)]
        found, counts = np.unique(tops, return_counts=True)
        order = [first, *(int(c) for c in found[np.argsort(-counts, kind="stable")] if c != first)]
        return order, np.vectorize({index: place for place, index in enumerate(order)}.get)(tops)

    @property
    def span(self) -> tuple[float, float]:
        """The lowest and the highest value, with a patch and without; 0 and 1 for a probability."""
        values = [*self.values.flat, self.clean]
        return (0.0, 1.0) if self.score == "probability" else (float(min(values)), float(max(values)))

    @property
    def has_rim(self) -> bool:
        """Whether pixels at the border of the picture are no patch's center."""
        steps = [places[1] - places[0] if len(places) > 1 else self.patch[k] for k, places in enumerate((self.ys, self.xs))]
        first = [places[0] + (self.patch[k] - steps[k]) / 2 for k, places in enumerate((self.ys, self.xs))]
        last = [first[k] + len(places) * steps[k] for k, places in enumerate((self.ys, self.xs))]
        return bool(min(first) >= 1 or any(last[k] <= self.size[k] - 1 for k in range(2)))

    @property
    def hottest(self) -> tuple[float, float]:
        """Row and column of the patch's center where the score is lowest."""
        i, j = np.unravel_index(self.values.argmin(), self.values.shape)
        return float(self.ys[i] + (self.patch[0] - 1) / 2), float(self.xs[j] + (self.patch[1] - 1) / 2)

    def placed(self, y: float, x: float) -> tuple[list[int], float, float]:
        """The patch's box [top, left, height, width] with its center there, and the center.

        It stays in the picture, or on the grid: beyond that the center is that of the box.
        """
        (tall, wide), (height, width) = self.patch, self.size
        top = min(max(0, round(y - (tall - 1) / 2)), max(height - tall, int(self.ys[-1])))
        left = min(max(0, round(x - (wide - 1) / 2)), max(width - wide, int(self.xs[-1])))
        middle = top + (tall - 1) / 2, left + (wide - 1) / 2
        moved = max(abs(y - middle[0]), abs(x - middle[1])) >= 1
        return [top, left, tall, wide], *(middle if moved else (y, x))

    def at(self, top: int, left: int) -> Answer | None:
        """The answer with the patch's first row and column there; None if the network was not asked for it."""
        i, j = np.flatnonzero(self.ys == top), np.flatnonzero(self.xs == left)
        if not (len(i) and len(j) and self.known[i[0], j[0]]):
            return None
        here = int(i[0]), int(j[0])
        return Answer(float(self.values[here]), float(self.probability[here]), self.classes[here], self.chances[here])

    @cached_property
    def agreement(self) -> float:
        """Pearson's correlation of the first-order estimate with the exact values known so far; NaN for constant ones."""
        values, estimate = self.values[self.known], self.estimate[self.known]
        if len(values) < 3 or np.ptp(values) == 0 or np.ptp(estimate) == 0:
            return float("nan")
        return float(np.corrcoef(values, estimate)[0, 1])

    def by_center(self) -> np.ndarray:
        """float32 (height, width): the value with the patch where its center is nearest to each pixel."""
        nearest = [
            np.abs(np.arange(size)[:, None] - places - (patch - 1) / 2).argmin(1)
            for size, places, patch in zip(self.size, (self.ys, self.xs), self.patch, strict=True)
        ]
        return self.values[np.ix_(*nearest)]

    def per_pixel(self) -> np.ndarray:
        """float32 (height, width): the mean drop of the patches that cover each pixel; 0 where none does."""
        total, count = np.zeros((2, *self.size))
        for y, drops in zip(self.ys, self.drop, strict=True):
            for x, drop in zip(self.xs, drops, strict=True):
                here = slice(y, y + self.patch[0]), slice(x, x + self.patch[1])
                covered = self.mask[: self.size[0] - y, : self.size[1] - x]
                total[here] += drop * covered
                count[here] += covered
        return (total / np.maximum(count, 1)).astype(np.float32)

    def attribution(self) -> Attribution:
        """By pixel, the mean of what the score loses under the patches that cover it."""
        return Attribution(
            values=self.per_pixel(),
            method="occlusion",
            target=None if self.unit else self.target,
            unit=self.unit,
            score=self.clean,
            size=self.size,
            signed=True,
            notes=(*self.notes, self.output, f"patch of {self.patch[0]}×{self.patch[1]} pixels"),
        )

    def quantity(self, name: str) -> str:
        """What the values are, where the target is called so."""
        if self.unit:
            return value_of(self.unit)
        return {"probability": f"p({name})", "logit": f"logit({name})"}.get(self.score, name)

    def written(self, value: float) -> str:
        """A value as a person reads it."""
        return percent(value) if self.score == "probability" else number(value)

    def summary(self, quantity: str) -> str:
        """What was found, in a sentence, and on further lines the facts; ``quantity`` says what the values are."""
        if not self.known.any():
            return self.progress()
        values, count = self.values[self.known], self.known.size
        lowest, highest, clean = map(self.written, (values.min(), values.max(), self.clean))
        far = "" if self.complete else " so far"
        if values.min() < self.clean and lowest != clean:
            finding = f"{quantity} falls from {clean} to {lowest}{far}."
        elif values.max() > self.clean and highest != clean:
            finding = f"{quantity} only rises, from {clean} to {highest}{far}."
        else:
            finding = f"{quantity} stays at {clean}, wherever the patch lies{far}."
        every = f"All {count:,} positions" if count > 1 else "The only position was"
        how = "with one draw of the network's random numbers" if self.draws else "exactly"
        facts = [f"{self.passes:,} forward pass{'es' * (self.passes > 1)}, {self.how}", self.output]
        if np.isfinite(self.agreement):
            facts.insert(0, f"the first guess, from one gradient, had correlation {self._agreed} with the values")
        extent = f"with the patch {lowest} to {highest}, without it {clean}"
        done = f"{every} computed {how}." if self.complete else self._so_far
        return "\n".join([f"{finding} {done}", *(f"{fact[:1].upper()}{fact[1:]}." for fact in (extent, *facts))])

    def progress(self) -> str:
        """How far a partial map is, in a sentence."""
        if not self.known.any():
            guess = "Quick guess from one gradient. " if np.ptp(self.estimate) else ""
            return f"{guess}Computing {self.known.size:,} position{'s' * (self.known.size > 1)} …"
        sure = self.known.mean() >= SURE
        return f"{self._so_far} {_duration(self.remaining)} left." if sure else self._so_far

    @property
    def _agreed(self) -> str:
        """The agreement with two decimals, without a minus before 0."""
        return number(round(self.agreement, 2) + 0.0)

    @property
    def _so_far(self) -> str:
        return f"{self.known.sum():,} of {self.known.size:,} positions computed; the paler ones are still estimates."

    def code(self, net: BoundModel) -> str:
        """Plain PyTorch lines that make the ``values`` of all positions, of ``model`` and its input ``x`` (1, C, H, W)."""
        return occlusion_lines(
            net,
            target=self.target,
            unit=self.unit,
            score=self.score,
            ys=self.ys,
            xs=self.xs,
            patch=self.patch,
            stride=self.stride,
            fill=self.fill,
            shape=self.shape,
            seed=self.seed,
            alone=self.alone,
        )

    def __repr__(self) -> str:
        how = "of one draw" if self.draws else "exact"
        known = how if self.complete else f"{self.known.sum()} of {self.known.size} {how}"
        return (
            f"<occlusion of {subject(self.target, self.unit)}: {format_shape(self.values.shape)} positions, {known}, "
            f"{self.values.min():.3g} to {self.values.max():.3g}, clean {self.clean:.3g}>"
        )


def join(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Values between the known ones: linear on the triangles that join them, beyond them that of the nearest."""
    if known.all():
        return values
    found = values[_nearest(known)].astype(float)
    places = np.argwhere(known)
    if 3 <= len(places) <= MOST_TRIANGLES and (np.ptp(places, axis=0) > 0).all():
        between = interpolate.LinearNDInterpolator(places, values[known])(np.argwhere(~known))
        found[~known] = np.where(np.isnan(between), found[~known], between)
    return found


def _nearest(known: np.ndarray) -> tuple[np.ndarray, ...]:
    """Row and column of the known position that is nearest to each."""
    return tuple(ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True))


def _duration(seconds: float) -> str:
    """Seconds or minutes, in words."""
    if seconds < FEW:
        return "A few seconds"
    return f"About {10 * round(seconds / 10)} s" if seconds < 90 else f"About {seconds / 60:.0f} min"
