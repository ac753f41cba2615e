"""Gradients of a score with respect to the picture: which pixels would change the answer, and in which direction.

All of them differentiate the score *before* the last softmax or sigmoid, where that can be had, by autograd, for any network
that autograd can follow; the notes say which score it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor

from cnnwidgets.methods.activations import one_picture
from cnnwidgets.methods.arguments import real, whole
from cnnwidgets.methods.attribution import Attribution, Question, Target, Unit, one_or_many
from cnnwidgets.methods.fills import fill_picture
from cnnwidgets.net import BoundModel, Cancelled
from cnnwidgets.net.arguments import checked, one_of
from cnnwidgets.net.graph import Graph
from cnnwidgets.net.progress import Cancel, OnUpdate
from cnnwidgets.net.relu_rules import follow
from cnnwidgets.numbers import number

T = TypeVar("T")

REDUCTIONS = ("max", "sum", "signed", "none")
"""How the channels of a picture become one number per pixel."""

FIRST_STEPS = 9
"""Smallest number of gradients between a baseline and the picture."""


@one_or_many
@checked
def saliency(
    net: BoundModel, image: Any, target: Target = None, *, unit: Unit | Sequence[Unit] | None = None, reduce: str = "max"
) -> Attribution | list[Attribution]:
    """Saliency: the gradient of a score with respect to the picture, d score / d x.

    Simonyan, Vedaldi and Zisserman, Deep Inside Convolutional Networks (2013).

    >>> cw.methods.saliency(net, "cat.jpg", "tabby").values.shape
    (224, 224)
    >>> cat, dog = cw.methods.saliency(net, "both.jpg", ["tabby", "beagle"])  # one forward pass
    >>> cw.methods.saliency(net, "cat.jpg", unit=("layer3", 7, 4, 9))         # any unit, at any position
    >>> cw.methods.saliency(net, "street.jpg", lambda output: output["out"][:, 3].sum((1, 2)))

    Parameters:
        net: a bound network.
        image: one picture, as ``net.prepare`` takes it.
        target: a class's index or name; a function of the network's output that returns one number per picture; or a list
            of them; by default the predicted class.
        unit: (layer, unit) for the sum of a unit's map, or (layer, unit, row, column) for one of its values, instead of a
            target; or a list of them.
        reduce: how the channels are combined: ``"max"``, the largest size; ``"sum"``, the sum of the sizes; ``"signed"``,
            the sum with its sign; ``"none"``, not at all: values are (C, H, W).

    Returns:
        An :class:`Attribution` with values (H, W), or (C, H, W) with ``reduce="none"``, in units of the score per
        preprocessed pixel value; for a list of targets or units, a list of them.

    Raises:
        KeyError: there is no such layer; similar names are listed.
        TypeError, ValueError: a picture, target, unit or reduction does not fit, or a score is not finite.
    """
    return _plain("saliency", net, image, target, unit, reduce)


@one_or_many
@checked
def gradient_x_input(
    net: BoundModel, image: Any, target: Target = None, *, unit: Unit | Sequence[Unit] | None = None, reduce: str = "signed"
) -> Attribution | list[Attribution]:
    """Gradient times input, x · d score / d x: to first order, what each pixel adds to the score.

    Shrikumar, Greenside, Shcherbina and Kundaje, Not Just a Black Box (2016).

    Parameters:
        net: a bound network.
        image: one picture, as ``net.prepare`` takes it.
        target: a class's index or name; a function of the network's output that returns one number per picture; or a list
            of them; by default the predicted class.
        unit: (layer, unit) for the sum of a unit's map, or (layer, unit, row, column) for one of its values, instead of a
            target; or a list of them.
        reduce: how the channels are combined: ``"max"``, the largest size; ``"sum"``, the sum of the sizes; ``"signed"``,
            the sum with its sign; ``"none"``, not at all: values are (C, H, W).

    Returns:
        An :class:`Attribution` with values (H, W), or (C, H, W) with ``reduce="none"``, in units of the score; for a list of
        targets or units, a list of them.

    Raises:
        KeyError: there is no such layer; similar names are listed.
        TypeError, ValueError: a picture, target, unit or reduction does not fit, or a score is not finite.
    """
    return _plain("gradient_x_input", net, image, target, unit, reduce, times_input=True)


@one_or_many
@checked
def deconvnet(
    net: BoundModel, image: Any, target: Target = None, *, unit: Unit | Sequence[Unit] | None = None, reduce: str = "max"
) -> Attribution | list[Attribution]:
    """Deconvnet: the gradient, but each ReLU passes on what is positive, whether or not it was open in the forward pass.

    With g the gradient from above, a ReLU returns max(g, 0) instead of g · [x > 0].

    Zeiler and Fergus, Visualizing and Understanding Convolutional Networks (ECCV 2014).

    Parameters:
        net: a bound network.
        image: one picture, as ``net.prepare`` takes it.
        target: a class's index or name; a function of the network's output that returns one number per picture; or a list
            of them; by default the predicted class.
        unit: (layer, unit) for the sum of a unit's map, or (layer, unit, row, column) for one of its values, instead of a
            target; or a list of them.
        reduce: how the channels are combined: ``"max"``, the largest size; ``"sum"``, the sum of the sizes; ``"signed"``,
            the sum with its sign; ``"none"``, not at all: values are (C, H, W).

    Returns:
        An :class:`Attribution` with values (H, W), or (C, H, W) with ``reduce="none"``, in units of the score per
        preprocessed pixel value; for a list of targets or units, a list of them.

    Raises:
        KeyError: there is no such layer; similar names are listed.
        TypeError, ValueError: a picture, target, unit or reduction does not fit, or a score is not finite.
        NoRule: a ValueError: the network has no ReLUs, or some that have no such rule.
    """
    return _plain("deconvnet", net, image, target, unit, reduce, rule="deconvnet")


@one_or_many
@checked
def guided_backprop(
    net: BoundModel, image: Any, target: Target = None, *, unit: Unit | Sequence[Unit] | None = None, reduce: str = "max"
) -> Attribution | list[Attribution]:
    """Guided backpropagation: the gradient, but each ReLU that was open passes on only what is positive.

    With x a ReLU's input and g the gradient from above, it returns max(g, 0) · [x > 0] instead of g · [x > 0].

    Springenberg, Dosovitskiy, Brox and Riedmiller, Striving for Simplicity (ICLR workshop 2015).

    Parameters:
        net: a bound network.
        image: one picture, as ``net.prepare`` takes it.
        target: a class's index or name; a function of the network's output that returns one number per picture; or a list
            of them; by default the predicted class.
        unit: (layer, unit) for the sum of a unit's map, or (layer, unit, row, column) for one of its values, instead of a
            target; or a list of them.
        reduce: how the channels are combined: ``"max"``, the largest size; ``"sum"``, the sum of the sizes; ``"signed"``,
            the sum with its sign; ``"none"``, not at all: values are (C, H, W).

    Returns:
        An :class:`Attribution` with values (H, W), or (C, H, W) with ``reduce="none"``, in units of the score per
        preprocessed pixel value; for a list of targets or units, a list of them.

    Raises:
        KeyError: there is no such layer; similar names are listed.
        TypeError, ValueError: a picture, target, unit or reduction does not fit, or a score is not finite.
        NoRule: a ValueError: the network has no ReLUs, or some that have no such rule.
    """
    return _plain("guided_backprop", net, image, target, unit, reduce, rule="guided")


@one_or_many
@checked
def smoothgrad(
    net: BoundModel,
    image: Any,
    target: Target = None,
    *,
    unit: Unit | Sequence[Unit] | None = None,
    reduce: str = "max",
    n_samples: int = 32,
    noise_level: float = 0.15,
    seed: int = 0,
    max_memory: int = 512 * 2**20,
    on_update: OnUpdate[Any] | None = None,
    cancel: Cancel | None = None,
) -> Attribution | list[Attribution]:
    """SmoothGrad: the gradient averaged over noisy copies of the picture, mean of d score / d x at x + noise.

    Smilkov, Thorat, Kim, Viégas and Wattenberg, SmoothGrad: Removing Noise by Adding Noise (2017).

    Parameters:
        net: a bound network.
        image: one picture, as ``net.prepare`` takes it.
        target: a class's index or name; a function of the network's output that returns one number per picture; or a list
            of them; by default the predicted class.
        unit: (layer, unit) for the sum of a unit's map, or (layer, unit, row, column) for one of its values, instead of a
            target; or a list of them.
        reduce: how the channels are combined: ``"max"``, the largest size; ``"sum"``, the sum of the sizes; ``"signed"``,
            the sum with its sign; ``"none"``, not at all: values are (C, H, W).
        n_samples: number of noisy copies.
        noise_level: standard deviation of the noise, as a share of the preprocessed picture's range.
        seed: random seed of the noise.
        max_memory: memory to use beside the network's own, in bytes.
        on_update: called with the mean so far and the fraction done.
        cancel: an object with ``is_set()``.

    Returns:
        An :class:`Attribution` with values (H, W), or (C, H, W) with ``reduce="none"``, in units of the score per
        preprocessed pixel value; for a list of targets or units, a list of them.

    Raises:
        KeyError: there is no such layer; similar names are listed.
        TypeError, ValueError: a picture, target, unit or reduction does not fit, or a score is not finite.
        Cancelled: cancel was set; its ``partial`` is the mean so far.
    """
    n_samples, noise_level, seed = (
        whole("n_samples", n_samples, 1),
        real("noise_level", noise_level, 0),
        whole("seed", seed, 0),
    )
    question, reduction = Question(net, image, target, unit), _reduction(reduce)
    inputs = question.inputs
    deviation = noise_level * float(inputs.max() - inputs.min())
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(len(question.asked), *inputs.shape[1:])
    clean = _scores(question)

    def result(done: int) -> Any:
        found = zip(map(reduction, total / done), clean, strict=True)
        return question.answer(list(found), method="smoothgrad", signed=_is_signed(reduce))

    for done, count in _counted(n_samples, question.at_once(max_memory)):
        each = [torch.randn(inputs.shape[1:], generator=generator) for _ in range(count)]  # the same for any batch size
        total += _summed(question, inputs + deviation * torch.stack(each).to(inputs))
        _tell(on_update, cancel, partial(result, done), done / n_samples)
    return result(n_samples)


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
    question, reduction = Question(net, image, target, unit), _reduction(reduce)
    inputs = question.inputs
    if isinstance(baseline, str):
        start = fill_picture(net, inputs, baseline, (inputs.shape[2] // 4, inputs.shape[3] // 4))
    else:
        start = one_picture(net, baseline)
    difference = (inputs - start)[0].float().cpu()
    last, first = _scores(question), _scores(question, start)
    wanted = torch.tensor(last, dtype=torch.float64) - torch.tensor(first, dtype=torch.float64)

    def mean_gradient(places: Tensor) -> Tensor:
        total = torch.zeros(len(wanted), *inputs.shape[1:])
        for some in places.split(question.at_once(max_memory)):
            if cancel is not None and cancel.is_set():
                raise Cancelled("cancelled", partial=result() if points else None)
            total += _summed(question, start + some.to(inputs).reshape(-1, 1, 1, 1) * (inputs - start))
        return total / len(places)

    def gaps() -> Tensor:
        return (mean * difference).flatten(1).double().sum(1) - wanted

    def result() -> Any:
        found = zip(map(reduction, mean * difference), last, strict=True)
        made = question.answer(list(found), method="integrated_gradients", signed=_is_signed(reduce))
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
        _tell(on_update, cancel, result, points / steps)
        new = (torch.arange(points)[:, None] + torch.tensor([1 / 6, 5 / 6])) / points
        mean = torch.where(going_on[:, None, None, None], (mean + 2 * mean_gradient(new.flatten())) / 3, mean)
        points *= 3


# what they share


def _completeness(steps: int, gap: float) -> str:
    """How well the shares add up."""
    return f"{steps} steps from the baseline; the shares miss the score by {number(abs(gap), 1)}"


def _plain(
    name: str,
    net: BoundModel,
    image: Any,
    target: Target,
    unit: Any,
    reduce: str,
    *,
    rule: str = "backpropagation",
    times_input: bool = False,
) -> Any:
    """One gradient a score."""
    question, reduction = Question(net, image, target, unit), _reduction(reduce)

    def take(gradients: Tensor, scores: Tensor) -> tuple[Tensor, float]:
        values = gradients * question.inputs.to(gradients) if times_input else gradients
        return reduction(values[0]), scores[0].item()

    found, ruled = _each_gradient(question, question.inputs, take, rule)
    said = ["no ReLU comes before the unit: this is its plain gradient"] if ruled == 0 else []
    return question.answer(found, said, method=name, signed=_is_signed(reduce))


def _each_gradient(
    question: Question, pictures: Tensor, take: Callable[[Tensor, Tensor], T], rule: str = "backpropagation"
) -> tuple[list[T], int | None]:
    """After one forward pass of N pictures, what ``take`` makes of each score's gradients (N, C, H, W) and values (N,).

    Returns also how many ReLUs follow the rule; None without one.
    """

    def work(passed: Graph) -> tuple[list[T], int | None]:
        several = question.scores(passed)
        ruled = None if rule == "backpropagation" else follow(rule, several, needed=not question.layers)
        found = [
            take(passed.gradient(scores.sum(), last=k == len(several)).detach(), scores.detach())
            for k, scores in enumerate(several, 1)
        ]
        return found, ruled

    return question.net.differentiate(pictures, work, question.layers)


def _summed(question: Question, pictures: Tensor) -> Tensor:
    """For each score the sum of the pictures' gradients, float32 (scores, C, H, W)."""
    return torch.stack(_each_gradient(question, pictures, lambda gradients, _: gradients.sum(0).float().cpu())[0])


def _scores(question: Question, pictures: Tensor | None = None) -> list[float]:
    """Each score that is asked for, of one picture; by default of the question's own."""
    with question.net.graph(question.inputs if pictures is None else pictures, question.layers) as passed:
        return [scores[0].item() for scores in question.scores(passed)]


def _reduction(reduce: str) -> Callable[[Tensor], Tensor]:
    """(C, H, W) to (H, W), or as it is."""
    one_of("reduce", reduce, REDUCTIONS)
    return {
        "max": lambda values: values.abs().amax(0),
        "sum": lambda values: values.abs().sum(0),
        "signed": lambda values: values.sum(0),
        "none": lambda values: values,
    }[reduce]


def _is_signed(reduce: str) -> bool:
    return reduce in ("signed", "none")


def _counted(total: int, most: int) -> Iterator[tuple[int, int]]:
    """Batches of a total: how many are done after each, and how many are in it."""
    for start in range(0, total, most):
        yield min(total, start + most), min(most, total - start)


def _tell(on_update: OnUpdate[Any] | None, cancel: Cancel | None, result: Callable[[], Any], fraction: float) -> None:
    if cancel is not None and cancel.is_set():
        raise Cancelled("cancelled", partial=result())
    if on_update is not None:
        on_update(result(), fraction)
