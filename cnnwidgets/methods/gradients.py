"""Gradients of a score with respect to the picture: which pixels would change the answer, and in which direction.

All of them differentiate the score *before* the last softmax or sigmoid, where that can be had, by autograd, for any network
that autograd can follow; the notes say which score it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from cnnwidgets.methods.arguments import real, whole
from cnnwidgets.methods.attribution import Attribution, Question, Target, Unit, one_or_many
from cnnwidgets.methods.differentiating import batches_of, each_gradient, is_signed, reduction_of, scores_of, summed, tell
from cnnwidgets.net import BoundModel
from cnnwidgets.net.arguments import checked
from cnnwidgets.net.progress import Cancel, OnUpdate


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
    question, reduction = Question(net, image, target, unit), reduction_of(reduce)
    inputs = question.inputs
    deviation = noise_level * float(inputs.max() - inputs.min())
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(len(question.asked), *inputs.shape[1:])
    clean = scores_of(question)

    def result(done: int) -> Any:
        found = zip(map(reduction, total / done), clean, strict=True)
        return question.answer(list(found), method="smoothgrad", signed=is_signed(reduce))

    for done, count in batches_of(n_samples, question.at_once(max_memory)):
        each = [torch.randn(inputs.shape[1:], generator=generator) for _ in range(count)]  # the same for any batch size
        total += summed(question, inputs + deviation * torch.stack(each).to(inputs))
        tell(on_update, cancel, partial(result, done), done / n_samples)
    return result(n_samples)


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
    question, reduction = Question(net, image, target, unit), reduction_of(reduce)

    def take(gradients: Tensor, scores: Tensor) -> tuple[Tensor, float]:
        values = gradients * question.inputs.to(gradients) if times_input else gradients
        return reduction(values[0]), scores[0].item()

    found, ruled = each_gradient(question, question.inputs, take, rule)
    said = ["no ReLU comes before the unit: this is its plain gradient"] if ruled == 0 else []
    return question.answer(found, said, method=name, signed=is_signed(reduce))
