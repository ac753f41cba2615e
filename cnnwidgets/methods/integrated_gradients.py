"""Integrated gradients: shares of a score that add up to its change from a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from cnnwidgets.methods.activations import one_picture
from cnnwidgets.methods.arguments import real, whole
from cnnwidgets.methods.attribution import Attribution, Question, Target, Unit, one_or_many
from cnnwidgets.methods.differentiating import is_signed, reduction_of, scores_of, summed, tell
from cnnwidgets.methods.fills import fill_picture
from cnnwidgets.net import BoundModel, Cancelled
from cnnwidgets.net.arguments import checked
from cnnwidgets.net.progress import Cancel, OnUpdate
from cnnwidgets.numbers import number

FIRST_STEPS = 9
"""Smallest number of gradients between a baseline and the picture."""


@one_or_many
@checked
def integrated_gradients(
    net: BoundModel,
    image: Any,
    target: Target = None,
    *,
    unit: Unit | Sequence[Unit] | None = None,
    reduce: str = "signed",
    baseline: str | Tensor = "zero",
    tolerance: float = 0.01,
    steps: int = 729,
    max_memory: int = 512 * 2**20,
    on_update: OnUpdate[Any] | None = None,
    cancel: Cancel | None = None,
) -> Attribution | list[Attribution]:
    """Integrated gradients: the mean gradient on the straight line from a baseline to the picture, times their difference.

    Its values add up to the score's change from the baseline (completeness). The number of steps is tripled until they do,
    within the tolerance; ``gap`` is what is missing.

    Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks (ICML 2017).

    Parameters:
        net: a bound network.
        image: one picture, as ``net.prepare`` takes it.
        target: a class's index or name; a function of the network's output that returns one number per picture; or a list
            of them; by default the predicted class.
        unit: (layer, unit) for the sum of a unit's map, or (layer, unit, row, column) for one of its values, instead of a
            target; or a list of them.
        reduce: how the channels are combined: ``"max"``, the largest size; ``"sum"``, the sum of the sizes; ``"signed"``,
            the sum with its sign; ``"none"``, not at all: values are (C, H, W).
        baseline: ``"zero"`` (after preprocessing), ``"mean"``, ``"gray"``, ``"noise"`` or ``"blur"`` of
            :mod:`~cnnwidgets.methods.fills`; or one picture, such as an input tensor (C, H, W).
        tolerance: largest gap, as a share of the score's change.
        steps: largest number of gradients.
        max_memory: memory to use beside the network's own, in bytes.
        on_update: called with the result of the steps so far, and the fraction done if all of them are needed.
        cancel: an object with ``is_set()``.

    Returns:
        An :class:`Attribution` with values (H, W), or (C, H, W) with ``reduce="none"``, in units of the score; for a list of
        targets or units, a list of them.

    Raises:
        KeyError: there is no such layer; similar names are listed.
        TypeError, ValueError: a picture, target, unit or reduction does not fit, or a score is not finite.
        Cancelled: cancel was set; its ``partial`` is the result of the steps so far, None if there are none.
    """
    tolerance, steps = real("tolerance", tolerance, 0), whole("steps", steps, 1)
    question, reduction = Question(net, image, target, unit), reduction_of(reduce)
    inputs = question.inputs
    if isinstance(baseline, str):
        start = fill_picture(net, inputs, baseline, (inputs.shape[2] // 4, inputs.shape[3] // 4))
    else:
        start = one_picture(net, baseline)
    difference = (inputs - start)[0].float().cpu()
    last, first = scores_of(question), scores_of(question, start)
    wanted = torch.tensor(last, dtype=torch.float64) - torch.tensor(first, dtype=torch.float64)

    def mean_gradient(places: Tensor) -> Tensor:
        total = torch.zeros(len(wanted), *inputs.shape[1:])
        for some in places.split(question.at_once(max_memory)):
            if cancel is not None and cancel.is_set():
                raise Cancelled("cancelled", partial=result() if points else None)
            total += summed(question, start + some.to(inputs).reshape(-1, 1, 1, 1) * (inputs - start))
        return total / len(places)

    def gaps() -> Tensor:
        return (mean * difference).flatten(1).double().sum(1) - wanted

    def result() -> Any:
        found = zip(map(reduction, mean * difference), last, strict=True)
        made = question.answer(list(found), method="integrated_gradients", signed=is_signed(reduce))
        about = zip(made if question.many else [made], gaps().tolist(), taken.tolist(), strict=True)
        several = [replace(one, gap=gap, notes=(_completeness(count, gap), *one.notes)) for one, gap, count in about]
        return several if question.many else several[0]

    # the midpoint rule: a step is divided into thirds, and the gradient in the middle of the middle one is known
    points, taken, going_on = 0, torch.zeros(len(wanted), dtype=torch.long), torch.ones(len(wanted), dtype=torch.bool)
    mean = mean_gradient((torch.arange(FIRST_STEPS) + 0.5) / FIRST_STEPS)
    points = FIRST_STEPS
    while True:
        taken[going_on] = points
        going_on &= gaps().abs() > tolerance * wanted.abs()
        if not going_on.any() or 3 * points > steps:
            return result()
        tell(on_update, cancel, result, points / steps)
        new = (torch.arange(points)[:, None] + torch.tensor([1 / 6, 5 / 6])) / points
        mean = torch.where(going_on[:, None, None, None], (mean + 2 * mean_gradient(new.flatten())) / 3, mean)
        points *= 3


def _completeness(steps: int, gap: float) -> str:
    """How well the shares add up."""
    return f"{steps} steps from the baseline; the shares miss the score by {number(abs(gap), 1)}"
