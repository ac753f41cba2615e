"""Is a map faithful? Remove what it calls important and see whether the class goes; and does it point at the object?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy import integrate, ndimage

from cnnwidgets.methods.activations import one_picture
from cnnwidgets.methods.arguments import real, whole
from cnnwidgets.methods.attribution import Attribution, One, Question, Unit, one_unit, subject, value_of
from cnnwidgets.methods.fills import fill_picture
from cnnwidgets.net import BoundModel, Cancelled
from cnnwidgets.net.arguments import checked
from cnnwidgets.net.layers import format_shape
from cnnwidgets.net.progress import Cancel, OnUpdate


@dataclass(frozen=True, repr=False)
class Faithfulness:
    """The score that is explained as pixels are replaced by a fill, in the order of an attribution.

    The score is the target's probability; or the value of a regression, a function or a unit, in its own scale.

    Attributes:
        method: the name of the attribution's method.
        target: the class that is watched, or the name of the function; None for a unit.
        unit: (layer, unit) or (layer, unit, row, column) that is watched; None for a class or a function.
        quantity: what the score is, ``"probability"`` or ``"value"``.
        fractions: float64 (steps + 1,), the share of the pixels that were deleted or inserted, from 0 to 1.
        deletion: float32 (steps + 1,), the score with that share replaced by the fill; low is good.
        insertion: float32 (steps + 1,), the score of the fill with that share of the picture in it; high is good.
        random: float32 (orders, steps + 1), deletion in random orders. Read backwards these are insertions, so the areas of
            both are the same.
        fill: what replaces the pixels.
        notes: sentences on the network and on the picture.
    """

    method: str
    target: int | str | None
    unit: Unit | None
    quantity: str
    fractions: np.ndarray
    deletion: np.ndarray
    insertion: np.ndarray
    random: np.ndarray
    fill: str
    notes: tuple[str, ...] = ()

    @property
    def deletion_area(self) -> float:
        """The area under the deletion curve, by the trapezoid rule: the mean score."""
        return float(integrate.trapezoid(self.deletion, self.fractions))

    @property
    def insertion_area(self) -> float:
        """The area under the insertion curve, by the trapezoid rule."""
        return float(integrate.trapezoid(self.insertion, self.fractions))

    @property
    def random_areas(self) -> np.ndarray:
        """float64 (orders,): the areas under the curves of random orders."""
        return integrate.trapezoid(self.random, self.fractions, axis=1)

    @property
    def random_area(self) -> float:
        """Their mean: a useful attribution is below it by deletion, and above it by insertion."""
        return float(self.random_areas.mean())

    @property
    def random_spread(self) -> float:
        """Their standard deviation (of a sample); NaN for a single one."""
        return float(self.random_areas.std(ddof=1)) if len(self.random) > 1 else float("nan")

    @property
    def watched(self) -> str:
        """What the curves show, in words: the quantity, of a unit its sum or its value at a place."""
        return value_of(self.unit) if self.unit else self.quantity

    def __repr__(self) -> str:
        return (
            f"<{self.method} of {subject(self.target, self.unit)}: area {self.deletion_area:.3g} by deletion, "
            f"{self.insertion_area:.3g} by insertion, {self.random_area:.3g} ± {self.random_spread:.2g} in random order>"
        )


@checked
def faithfulness(
    net: BoundModel,
    image: Any,
    attribution: Attribution,
    target: One | None = None,
    *,
    unit: Unit | None = None,
    steps: int = 32,
    fill: str = "blur",
    randoms: int = 5,
    seed: int = 0,
    max_memory: int = 512 * 2**20,
    on_update: OnUpdate[None] | None = None,
    cancel: Cancel | None = None,
) -> Faithfulness:
    """Deletion and insertion curves of an attribution, beside those of random orders.

    Pixels are sorted from the highest value to the lowest, equal ones at random. If the map is faithful, the probability
    falls fast when the first pixels are deleted, and rises fast when they are inserted. Of a unit its value is watched, in
    its own scale: then the areas are mean values of the unit, which only those of the same unit can be compared with.

    Petsiuk, Das and Saenko, RISE (BMVC 2018). They delete with zeros and insert into a blurred picture; here both use the
    same fill, so that each curve ends where the other begins.

    >>> cam = cw.methods.grad_cam(net, "cat.jpg")
    >>> cw.methods.faithfulness(net, "cat.jpg", cam)
    <grad_cam of class 281: area 0.21 by deletion, 0.74 by insertion, 0.4 ± 0.031 in random order>

    Parameters:
        net: a bound network.
        image: the picture of the attribution, as ``net.prepare`` takes it.
        attribution: by any method; a smaller map is enlarged; the sizes of (C, H, W) values are added up.
        target: the class or the function of the output to watch; by default what the attribution explains, a class or a
            unit. Give a function again: the attribution knows only its name.
        unit: (layer, unit) for the sum of a unit's map, or (layer, unit, row, column) for one of its values, instead of a
            target.
        steps: steps of the curve; at most as many as there are pixels.
        fill: of :mod:`~cnnwidgets.methods.fills`: ``"mean"``, ``"gray"``, ``"zero"``, ``"noise"`` or ``"blur"`` (by an
            eighth of the picture).
        randoms: number of random orders.
        seed: random seed of the orders and of the noise.
        max_memory: memory to use beside the network's own, in bytes.
        on_update: called with None and the fraction done: there is no curve before the last picture.
        cancel: an object with ``is_set()``.

    Raises:
        KeyError: there is no such layer; similar names are listed.
        TypeError, ValueError: the attribution is of a picture of another size, or a target, unit or number does not fit.
        Cancelled: cancel was set.
    """
    inputs = one_picture(net, image)
    values = by_pixel(attribution)
    if target is None and unit is None:
        if isinstance(attribution.target, str):
            raise ValueError(f"the attribution is of the function {attribution.target}: give it as target=")
        target, unit = attribution.target, attribution.unit
    question = Question(net, inputs, target, one_unit(net, target, unit))
    if values.shape != inputs.shape[2:]:
        raise ValueError(
            f"the attribution is of {format_shape(values.shape)} pixels, the picture has {format_shape(inputs.shape[2:])}"
        )
    steps, randoms, seed = whole("steps", steps, 1, values.size), whole("randoms", randoms, 1), whole("seed", seed, 0)
    rng = np.random.default_rng(seed)
    shuffled = np.stack([rng.permutation(values.size) for _ in range(randoms)])
    important = shuffled[0][np.argsort(-values.ravel()[shuffled[0]], kind="stable")]
    places = np.argsort([important, important, *shuffled], axis=1).reshape(-1, *values.shape)  # of each pixel in an order
    counts = np.rint(np.linspace(0, values.size, steps + 1)).astype(int)
    kept = partial(_kept, places, counts)
    cover = fill_picture(net, inputs, fill, tuple(-(-side // 4) for side in values.shape), seed)  # type: ignore[arg-type]
    found = np.empty(len(places) * len(counts), np.float32)
    asked = question.asked[0]
    if asked.own:
        question.answers(inputs)  # tells whether the function takes several pictures
    for some in _batches(len(found), question.at_once(max_memory)):
        if cancel is not None and cancel.is_set():
            raise Cancelled("cancelled")
        shown = torch.from_numpy(kept(some)).to(inputs.device)[:, None]
        found[some] = question.answers(torch.where(shown, inputs, cover))[:, 0].numpy()
        if on_update is not None:
            on_update(None, (some[-1] + 1) / len(found))
    deletion, insertion, *others = found.reshape(len(places), len(counts))
    return Faithfulness(
        attribution.method,
        asked.name,
        asked.unit,
        asked.quantity(net.output),
        counts / values.size,
        deletion,
        insertion,
        np.stack(others),
        fill,
        question.notes,
    )


@dataclass(frozen=True)
class Pointing:
    """Whether the maximum of a map lies on the object; true if it does.

    Attributes:
        hit: whether it does.
        place: (row, column) of the maximum, in pixels; None if the map is constant and points nowhere.
        chance: the share of the pixels that would be a hit: how often a random position is one.
    """

    hit: bool
    place: tuple[int, int] | None
    chance: float

    def __bool__(self) -> bool:
        return self.hit


@checked
def pointing_game(attribution: Attribution, mask: np.ndarray, *, tolerance: float = 0) -> Pointing:
    """The pointing game: does the maximum of a map lie on the object?

    Zhang, Lin, Brandt, Shen and Sclaroff, Top-down Neural Attention by Excitation Backprop (ECCV 2016), with a tolerance of
    15 pixels in pictures of several hundred.

    >>> bool(cw.methods.pointing_game(cw.methods.grad_cam(net, scenes[0]), scenes.mask(0)))
    True

    Parameters:
        attribution: by any method; a smaller map is enlarged; the sizes of (C, H, W) values are added up. Of several maxima,
            the one nearest to their center counts.
        mask: bool (height, width), where the object is.
        tolerance: distance from the object that still counts as a hit, in pixels.

    Raises:
        ValueError: the mask has another size, or is empty.
    """
    tolerance = real("tolerance", tolerance, 0)
    values, mask = by_pixel(attribution), np.asarray(mask, bool)
    if mask.shape != values.shape or not mask.any():
        what = format_shape(mask.shape) if mask.any() else "empty"
        raise ValueError(f"the mask is {what}; expected {format_shape(values.shape)} pixels, at least one of them True")
    near = ndimage.distance_transform_edt(~mask) <= tolerance
    if np.ptp(values) == 0:
        return Pointing(False, None, float(near.mean()))
    maxima = np.argwhere(values == values.max())
    row, column = maxima[((maxima - maxima.mean(0)) ** 2).sum(1).argmin()].tolist()
    return Pointing(bool(near[row, column]), (row, column), float(near.mean()))


def by_pixel(attribution: Attribution) -> np.ndarray:
    """(height, width): one number per pixel of the input; the sizes of (C, height, width) values are added up."""
    values = attribution.at_input()
    return np.abs(values).sum(0) if values.ndim == 3 else values


def _batches(total: int, most: int) -> Iterator[np.ndarray]:
    for start in range(0, total, most):
        yield np.arange(start, min(start + most, total))


def _kept(places: np.ndarray, counts: np.ndarray, some: np.ndarray) -> np.ndarray:
    """bool (n, height, width): the visible pixels, order by order, and count by count within each."""
    order, step = np.divmod(some, len(counts))
    moved = places[order] < counts[step][:, None, None]
    return moved == (order == 1)[:, None, None]  # the second order is insertion: what was moved is shown
