"""Class activation maps: the maps of a late layer, weighted by what they do to a score, and summed up.

A map is small (7x7 for most networks), so it says where, not what. Each function says which layer it took.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from cnnwidgets.methods.attribution import Attribution, Question, Target, Unit, enlarge
from cnnwidgets.methods.gradients import guided_backprop
from cnnwidgets.net import BoundModel, Cancelled, Layer
from cnnwidgets.net.arguments import checked
from cnnwidgets.net.graph import Graph
from cnnwidgets.net.layers import format_shape
from cnnwidgets.net.progress import Cancel, OnUpdate

Weigh = Callable[[Tensor, Tensor], Tensor]
"""The map (rows, columns), of a layer's maps and the gradient with respect to them, both (units, rows, columns)."""


@checked
def grad_cam(
    net: BoundModel,
    image: Any,
    target: Target = None,
    *,
    unit: Unit | Sequence[Unit] | None = None,
    layer: str | None = None,
    relu: bool = True,
    upsample: str | None = None,
) -> Attribution | list[Attribution]:
    """Grad-CAM: the maps of a layer, each weighted by the mean of its gradient, summed; then a ReLU.

    Selvaraju, Cogswell, Das, Vedantam, Parikh and Batra, Grad-CAM (ICCV 2017).

    >>> cam = cw.methods.grad_cam(net, "both.jpg", "tabby")
    >>> cam.values.shape, cam.layer
    ((7, 7), 'layer4.1.relu:2')
    >>> cam.at_input().shape
    (224, 224)

    Parameters (and those of :func:`~cnnwidgets.methods.saliency`):
        layer: a name in ``net.layers`` whose output has a height and a width, or gives tokens on a grid (class tokens and
            the like are left out); by default see :func:`cam_layer`.
        relu: whether what speaks against the score is set to 0.
        upsample: ``"bilinear"`` or ``"nearest"``: values are by pixel of the input; by default they are the layer's.

    Raises:
        KeyError: there is no such layer; names like it are offered.
        TypeError, ValueError: a picture, target, unit or layer that does not fit, or a score that is not finite.
    """

    def weigh(maps: Tensor, slope: Tensor) -> Tensor:
        return (slope.mean((1, 2), keepdim=True) * maps).sum(0)

    return _weighted("grad_cam", weigh, net, image, target, unit, layer, relu, upsample)


@checked
def grad_cam_plus_plus(
    net: BoundModel,
    image: Any,
    target: Target = None,
    *,
    unit: Unit | Sequence[Unit] | None = None,
    layer: str | None = None,
    relu: bool = True,
    upsample: str | None = None,
) -> Attribution | list[Attribution]:
    """Grad-CAM++: each position's positive gradient has a weight of its own, so that several objects show.

    With a the maps and g their gradient, the weights are the sums over the map of max(g, 0) * g**2 / (2 g**2 + sum(a) g**3).
    Chattopadhay, Sarkar, Howlader and Balasubramanian, Grad-CAM++ (WACV 2018). Parameters as of :func:`grad_cam`.
    """

    def weigh(maps: Tensor, slope: Tensor) -> Tensor:
        below = 2 * slope**2 + maps.sum((1, 2), keepdim=True) * slope**3
        share = torch.where(below != 0, slope**2 / torch.where(below != 0, below, 1), 0)
        return ((slope.clamp(min=0) * share).sum((1, 2), keepdim=True) * maps).sum(0)

    return _weighted("grad_cam_plus_plus", weigh, net, image, target, unit, layer, relu, upsample)


@checked
def layer_cam(
    net: BoundModel,
    image: Any,
    target: Target = None,
    *,
    unit: Unit | Sequence[Unit] | None = None,
    layer: str | None = None,
    relu: bool = True,
    upsample: str | None = None,
) -> Attribution | list[Attribution]:
    """Layer-CAM: every value of a map is weighted by its own positive gradient, so that earlier layers can be seen, too.

    Jiang, Zhang, Hou, Cheng and Wei, LayerCAM (IEEE Transactions on Image Processing 2021). Parameters as of
    :func:`grad_cam`.
    """

    def weigh(maps: Tensor, slope: Tensor) -> Tensor:
        return (slope.clamp(min=0) * maps).sum(0)

    return _weighted("layer_cam", weigh, net, image, target, unit, layer, relu, upsample)


@checked
def score_cam(
    net: BoundModel,
    image: Any,
    target: Target = None,
    *,
    unit: Unit | Sequence[Unit] | None = None,
    layer: str | None = None,
    relu: bool = True,
    upsample: str | None = None,
    max_memory: int = 512 * 2**20,
    on_update: OnUpdate[Any] | None = None,
    cancel: Cancel | None = None,
) -> Attribution | list[Attribution]:
    """Score-CAM: each map is weighted by the score of the picture seen through it; no gradient is needed.

    The weights are the softmax over the maps of the scores of picture times map, each map enlarged and scaled to [0, 1]; a
    map that is the same everywhere has no weight. As many forward passes as the layer has units.

    Wang et al., Score-CAM (CVPR workshop 2020). Parameters as of :func:`grad_cam`, and:
        max_memory: bytes, over those of the network.
        on_update: called with None and the fraction done: there is no map before the last unit.
        cancel: an object with ``is_set()``.
    """
    _check_upsample(upsample)
    question = Question(net, image, target, unit)
    row, note = _chosen(question, layer)
    with net.graph(question.inputs, [*question.layers, row.name]) as passed:
        clean = [scores[0].item() for scores in question.scores(passed)]
        maps = passed.maps[row.name][0].detach()
    varied = torch.nonzero(maps.amax((1, 2)) > maps.amin((1, 2))).flatten()
    scores = torch.full((len(question.asked), len(maps)), -torch.inf)
    most = question.at_once(max_memory)
    for start in range(0, len(varied), most):
        if cancel is not None and cancel.is_set():
            raise Cancelled("cancelled")
        units = varied[start : start + most]
        masks = enlarge(maps[units], question.inputs.shape[2:])
        low, high = masks.amin((1, 2), keepdim=True), masks.amax((1, 2), keepdim=True)
        seen = question.inputs * ((masks - low) / (high - low))[:, None]
        with net.graph(seen, question.layers) as passed:
            found = torch.stack([values.detach().float().cpu() for values in question.scores(passed)])
        scores[:, units.cpu()] = found
        if on_update is not None:
            on_update(None, min(1.0, (start + most) / len(varied)))
    weights = scores.softmax(1) if len(varied) else torch.zeros_like(scores)
    found = (weights[:, :, None, None] * maps.float().cpu()).sum(1)
    return _answer(question, "score_cam", found, clean, row, note, relu, upsample)


@checked
def guided_grad_cam(
    net: BoundModel,
    image: Any,
    target: Target = None,
    *,
    unit: Unit | Sequence[Unit] | None = None,
    layer: str | None = None,
    reduce: str = "max",
    upsample: str = "bilinear",
) -> Attribution | list[Attribution]:
    """Guided backpropagation times Grad-CAM: the fine map, where the coarse one says that it matters.

    Selvaraju et al., Grad-CAM (ICCV 2017). Parameters as of :func:`grad_cam` and
    :func:`~cnnwidgets.methods.saliency`.

    Raises:
        NoRule: a ValueError: the network has no ReLUs, or others that have no such rule.
    """
    where = grad_cam(net, image, target, unit=unit, layer=layer, upsample=upsample)
    what = guided_backprop(net, image, target, unit=unit, reduce=reduce)
    made = [
        replace(fine, values=fine.values * coarse.values, method="guided_grad_cam", layer=coarse.layer, notes=coarse.notes)
        for fine, coarse in zip(*([both] if isinstance(both, Attribution) else both for both in (what, where)), strict=True)
    ]
    return made[0] if isinstance(where, Attribution) else made


def cam_layer(net: BoundModel, before: Sequence[str] = ()) -> tuple[Layer, str]:
    """The layer whose maps are taken by default, and why.

    The last one with more than one position, each in its place in the picture, that is no pooling, and whose positions all
    go on to the output. Of a transformer with a class token that is what goes into its last attention: later, only that
    token reaches the scores.

    Where the output is no table of scores (a segmentation's map, a detector's boxes), the last maps may be that output
    itself: there it is the last of those with the most units, which is where most backbones end.

    Parameters:
        before: layers that it has to lie before, where the score is of a unit of theirs.

    Raises:
        ValueError: there is no such layer.
    """
    rows = list(net.layers)
    units = [net.layers[name] for name in before]
    to_unit = any(row.has_places for row in units)  # whose places count, whatever becomes of them later
    rows = rows[: min(map(rows.index, units), default=len(rows))]
    maps = [k for k, row in enumerate(rows) if row.is_map and max(row.map_shape[1:]) > 1 and "pool" not in row.kind.lower()]
    if maps and not before and net.output.is_structure:
        row = rows[max(maps, key=lambda k: (rows[k].map_shape[0], k))]
        return row, f"maps of {row.name}, the last of those with the most units"
    for row in reversed(rows):
        is_one = row.has_places and max(row.map_shape[1:]) > 1 and "pool" not in row.kind.lower()
        if is_one and row.leads_to == "another order" and not to_unit:
            raise ValueError(f"{net.name} puts the tokens of {row.name} into an order that is not known: {_NAME}")
        if is_one and (row.leads_to != "nothing" or to_unit):
            into = "go into the last attention" if row.leads_to == "last attention" else "are the last that lie on a grid"
            if row.is_map:
                return row, f"maps of {row.name}, the last with maps that is no pooling"
            return row, f"tokens of {row.name}, which {into}"
    where = f" before {before[0]}" if before else ""
    raise ValueError(f"{net.name} has no layer with a height and a width{where}, and no tokens on a known grid")


_NAME = "name a layer whose tokens still lie as in the picture"


# what they share


def _weighted(
    method: str,
    weigh: Weigh,
    net: BoundModel,
    image: Any,
    target: Target,
    unit: Any,
    layer: str | None,
    relu: bool,
    upsample: str | None,
) -> Any:
    _check_upsample(upsample)
    question = Question(net, image, target, unit)
    row, note = _chosen(question, layer)

    def work(passed: Graph) -> list[tuple[Tensor, float]]:
        maps = passed.maps[row.name][0].detach()
        slopes = [(passed.gradient(one[0], row.name)[0], one[0].item()) for one in question.scores(passed)]
        return [(weigh(maps, slope), score) for slope, score in slopes]

    found, clean = zip(*net.differentiate(question.inputs, work, [*question.layers, row.name]), strict=True)
    return _answer(question, method, found, clean, row, note, relu, upsample)


def _check_upsample(upsample: str | None) -> None:
    if upsample not in (None, "bilinear", "nearest"):
        raise ValueError(f"upsample is {upsample!r}; it must be 'bilinear', 'nearest' or None")


def _answer(
    question: Question, method: str, found: Any, clean: Any, row: Layer, note: str, relu: bool, upsample: str | None
) -> Any:
    made = []
    for values, score in zip(found, clean, strict=True):
        values = values.clamp(min=0) if relu else values
        made.append((values if upsample is None else enlarge(values, question.inputs.shape[2:], upsample), score))
    return question.answer(made, notes=[note], method=method, signed=not relu, layer=row.name)


def _chosen(question: Question, layer: str | None) -> tuple[Layer, str]:
    if layer is None:
        return cam_layer(question.net, question.layers)
    row = question.net.layers[layer]
    if not row.has_places and row.layout in ("tokens", "sequence"):
        raise ValueError(f"where the {row.output} of {row.name} lie in the picture is not known: {_NAME}")
    if not row.has_places:
        raise ValueError(f"{row.name} gives {format_shape(row.output_shape)} values: they have no height and width")
    return row, f"{'maps' if row.is_map else 'tokens'} of {row.name}"
