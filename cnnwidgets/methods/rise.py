"""RISE: look at the picture through many random masks; a pixel matters if the class is probable when it is visible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from cnnwidgets.methods.arguments import real, whole
from cnnwidgets.methods.attribution import Attribution, Question, Target, Unit, enlarge, one_or_many
from cnnwidgets.net import BoundModel, Cancelled
from cnnwidgets.net.arguments import checked
from cnnwidgets.net.progress import Cancel, OnUpdate
from cnnwidgets.numbers import number


@one_or_many
@checked
def rise(
    net: BoundModel,
    image: Any,
    target: Target = None,
    *,
    unit: Unit | Sequence[Unit] | None = None,
    cells: int = 7,
    keep: float = 0.5,
    n_samples: int = 2000,
    seed: int = 0,
    max_memory: int = 512 * 2**20,
    on_update: OnUpdate[Any] | None = None,
    cancel: Cancel | None = None,
) -> Attribution | list[Attribution]:
    """RISE: the mean probability of a class (or another score) when a pixel is visible through random masks; no gradient.

    With m a mask, whose values run from 0 (hidden: 0 after preprocessing) to 1, and p(m) the probability of the picture
    times m, a pixel's value is the mean over the masks of p(m) · m(pixel) / keep. A mask is a coarse grid of zeros and ones,
    enlarged bilinearly and shifted at random by less than a cell, so that it has no sharp edges and no fixed positions.

    Petsiuk, Das and Saenko, RISE (BMVC 2018). They use 4,000 to 8,000 masks for pictures of 224×224 pixels.

    >>> cat, dog = cw.methods.rise(net, "both.jpg", ["tabby", "beagle"])  # from the same forward passes
    >>> cat.notes[-1]
    '2000 masks; standard error of a value 0.0021 (median)'
    >>> cw.methods.rise(net, "cat.jpg", unit=("layer3", 7))               # its value, in its own scale

    Parameters:
        net: a bound network.
        image: one picture, as ``net.prepare`` takes it.
        target: a class's index or name, a function of the network's output, or a list of them; by default the predicted
            class. Of a regression, the value is explained.
        unit: (layer, unit) for the sum of a unit's map, or (layer, unit, row, column) for one of its values, instead of a
            target; or a list of them.
        cells: rows and columns of the coarse grid.
        keep: probability that one of its cells is visible, between 0 and 1.
        n_samples: number of masks, and of forward passes.
        seed: random seed of the masks.
        max_memory: memory to use beside the network's own, in bytes.
        on_update: called with the result of the masks so far, and the fraction done.
        cancel: an object with ``is_set()``.

    Returns:
        An :class:`Attribution` with values (H, W); for a list of targets or units, a list of them. Its values are
        probabilities, or values of the regression, the function or the unit, and its score is that of the whole picture.
        Where nothing matters they are not 0 but the mean over all masks. It is signed if a value is negative.

    Raises:
        KeyError: there is no such layer; similar names are listed.
        TypeError, ValueError: a picture, target, unit or number does not fit, or a score is not finite.
        Cancelled: cancel was set; its ``partial`` is the result of the masks so far, None if there are none.
    """
    cells, n_samples, seed = whole("cells", cells, 1), whole("n_samples", n_samples, 1), whole("seed", seed, 0)
    keep = real("keep", keep, above=0, below=1)
    question = Question(net, image, target, unit)
    clean = question.answers(question.inputs)[0].tolist()
    height, width = question.inputs.shape[2:]
    if cells > max(height, width):
        raise ValueError(f"cells is {cells}; expected at most {max(height, width)} for {height}×{width} pixels")
    masks = Masks((height, width), cells, keep, n_samples, seed)
    total, squares = torch.zeros(2, len(clean), height, width, dtype=torch.float64)

    def result(done: int) -> Any:
        mean = total / done
        error = (squares / done - mean**2).clamp(min=0).sqrt() / done**0.5
        made = question.answer(list(zip(mean, clean, strict=True)), method="rise", signed=False)
        said = [f"{done} masks; standard error of a value {number(float(one.median()), 2)} (median)" for one in error]
        with_errors = [
            replace(one, signed=bool((one.values < 0).any()), notes=(*one.notes, note))
            for one, note in zip(made if question.many else [made], said, strict=True)
        ]
        return with_errors if question.many else with_errors[0]

    most = question.at_once(max_memory)
    for start in range(0, n_samples, most):
        if cancel is not None and cancel.is_set():
            raise Cancelled("cancelled", partial=result(start) if start else None)
        some = masks[start : start + most]
        chances = question.answers(question.inputs * some[:, None].to(question.inputs)).T / keep
        total += torch.tensordot(chances, some, 1)
        squares += torch.tensordot(chances**2, some**2, 1)
        if on_update is not None:
            done = min(n_samples, start + most)
            on_update(result(done), done / n_samples)
    return result(n_samples)


class Masks:
    """Random masks of a picture; each is made when it is asked for, and is the same every time.

    >>> Masks((64, 64), cells=7, keep=0.5, count=1000, seed=0)[:10].shape
    torch.Size([10, 64, 64])
    """

    def __init__(self, size: tuple[int, int], cells: int, keep: float, count: int, seed: int):
        generator = torch.Generator().manual_seed(seed)
        self.size = size
        self._cell = [-(-side // cells) for side in size]
        self._whole = [(cells + 1) * side for side in self._cell]  # so that a shift by less than a cell stays inside
        self._grids = (torch.rand(count, cells, cells, generator=generator) < keep).float()
        self._shifts = torch.stack([torch.randint(side, (count,), generator=generator) for side in self._cell], 1)

    def __getitem__(self, some: slice) -> Tensor:
        large = enlarge(self._grids[some], self._whole)
        shifts = self._shifts[some].tolist()
        height, width = self.size
        return torch.stack([one[y : y + height, x : x + width] for one, (y, x) in zip(large, shifts, strict=True)])
