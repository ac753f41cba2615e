"""Class activation maps: the feature maps of a late layer, weighted by their effect on a score, and added up.

Such a map is small (7×7 in most networks), so it says where, not what. Each result names the layer that was used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from cnnwidgets.methods.attribution import Attribution, Question, Target, Unit, enlarge, one_or_many
from cnnwidgets.methods.gradients import guided_backprop
from cnnwidgets.net import BoundModel, Cancelled, Layer
from cnnwidgets.net.arguments import checked
from cnnwidgets.net.graph import Graph
from cnnwidgets.net.layers import format_shape
from cnnwidgets.net.progress import Cancel, OnUpdate

Weigh = Callable[[Tensor, Tensor], Tensor]
"""Takes a layer's maps and their gradient, both (units, rows, columns); returns the map (rows, columns)."""


@one_or_many
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
    """Grad-CAM: the sum of a layer's feature maps, each weighted by the mean of its gradient; then a ReLU.

    With a the maps (units, rows, columns) and g = d score / d a: max(0, sum over units of mean(g) · a).

    Selvaraju, Cogswell, Das, Vedantam, Parikh and Batra, Grad-CAM (ICCV 2017).

    >>> cam = cw.methods.grad_cam(net, "both.jpg", "tabby")
    >>> cam.values.shape, cam.layer
    ((7, 7), 'layer4.1.relu:2')
    >>> cam.at_input().shape
    (224, 224)

    Parameters:
        net: a bound network.
        image: one picture, as ``net.prepare`` takes it.
        target: a class's index or name; a function of the network's output that returns one number per picture; or a list
            of them; by default the predicted class.
        unit: (layer, unit) for the sum of a unit's map, or (layer, unit, row, column) for one of its values, instead of a
            target; or a list of them.
        layer: a name in ``net.layers`` whose output has a height and a width, or gives tokens on a grid (class tokens and
            registers are left out); by default see :func:`cam_layer`.
        relu: whether negative values, which speak against the score, are set to 0.
        upsample: ``"bilinear"`` or ``"nearest"``: values are per pixel of the input; by default they are per position of
            the layer.

    Returns:
        An :class:`Attribution` with values (rows, columns) of the layer, or (H, W) with ``upsample``; for a list of targets
        or units, a list of them.

    Raises:
        KeyError: there is no such layer; similar names are listed.
        TypeError, ValueError: a picture, target, unit or layer does not fit, or a score is not finite.
    """

    def weigh(maps: Tensor, slope: Tensor) -> Tensor:
        return (slope.mean((1, 2), keepdim=True) * maps).sum(0)

    return _weighted("grad_cam", weigh, net, image, target, unit, layer, relu, upsample)


@one_or_many
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
    """Grad-CAM++: Grad-CAM in which each position's positive gradient has its own weight, so that several objects show.

    With a the maps and g their gradient, a map's weight is the sum over its positions of
    max(g, 0) · g² / (2 g² + sum(a) · g³).

    Chattopadhay, Sarkar, Howlader and Balasubramanian, Grad-CAM++ (WACV 2018).

    Parameters:
        net: a bound network.
        image: one picture, as ``net.prepare`` takes it.
        target: a class's index or name; a function of the network's output that returns one number per picture; or a list
            of them; by default the predicted class.
        unit: (layer, unit) for the sum of a unit's map, or (layer, unit, row, column) for one of its values, instead of a
            target; or a list of them.
        layer: a name in ``net.layers`` whose output has a height and a width, or gives tokens on a grid (class tokens and
            registers are left out); by default see :func:`cam_layer`.
        relu: whether negative values, which speak against the score, are set to 0.
        upsample: ``"bilinear"`` or ``"nearest"``: values are per pixel of the input; by default they are per position of
            the layer.

    Returns:
        An :class:`Attribution` with values (rows, columns) of the layer, or (H, W) with ``upsample``; for a list of targets
        or units, a list of them.

    Raises:
        KeyError: there is no such layer; similar names are listed.
        TypeError, ValueError: a picture, target, unit or layer does not fit, or a score is not finite.
    """

    def weigh(maps: Tensor, slope: Tensor) -> Tensor:
        below = 2 * slope**2 + maps.sum((1, 2), keepdim=True) * slope**3
        share = torch.where(below != 0, slope**2 / torch.where(below != 0, below, 1), 0)
        return ((slope.clamp(min=0) * share).sum((1, 2), keepdim=True) * maps).sum(0)

    return _weighted("grad_cam_plus_plus", weigh, net, image, target, unit, layer, relu, upsample)


@one_or_many
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
    """Layer-CAM: each value of a map is weighted by its own positive gradient, which also suits earlier layers.

    With a the maps and g their gradient: max(0, sum over units of max(g, 0) · a).

    Jiang, Zhang, Hou, Cheng and Wei, LayerCAM (IEEE Transactions on Image Processing 2021).

    Parameters:
        net: a bound network.
        image: one picture, as ``net.prepare`` takes it.
        target: a class's index or name; a function of the network's output that returns one number per picture; or a list
            of them; by default the predicted class.
        unit: (layer, unit) for the sum of a unit's map, or (layer, unit, row, column) for one of its values, instead of a
            target; or a list of them.
        layer: a name in ``net.layers`` whose output has a height and a width, or gives tokens on a grid (class tokens and
            registers are left out); by default see :func:`cam_layer`.
        relu: whether negative values, which speak against the score, are set to 0.
        upsample: ``"bilinear"`` or ``"nearest"``: values are per pixel of the input; by default they are per position of
            the layer.

    Returns:
        An :class:`Attribution` with values (rows, columns) of the layer, or (H, W) with ``upsample``; for a list of targets
        or units, a list of them.

    Raises:
        KeyError: there is no such layer; similar names are listed.
        TypeError, ValueError: a picture, target, unit or layer does not fit, or a score is not finite.
    """

    def weigh(maps: Tensor, slope: Tensor) -> Tensor:
        return (slope.clamp(min=0) * maps).sum(0)

    return _weighted("layer_cam", weigh, net, image, target, unit, layer, relu, upsample)


@one_or_many
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
    """Score-CAM: each feature map is weighted by the score of the picture seen through it; no gradient is needed.

    The weights are the softmax, over the maps, of the scores of picture times map, where each map is enlarged and scaled to
    [0, 1]; a map that is constant has no weight. It takes one forward pass per unit of the layer.

    Wang, Wang, Du, Yang, Zhang, Ding, Mardziel and Hu, Score-CAM (CVPR workshop 2020).

    Parameters:
        net: a bound network.
        image: one picture, as ``net.prepare`` takes it.
        target: a class's index or name; a function of the network's output that returns one number per picture; or a list
            of them; by default the predicted class.
        unit: (layer, unit) for the sum of a unit's map, or (layer, unit, row, column) for one of its values, instead of a
            target; or a list of them.
        layer: a name in ``net.layers`` whose output has a height and a width, or gives tokens on a grid (class tokens and
            registers are left out); by default see :func:`cam_layer`.
        relu: whether negative values, which speak against the score, are set to 0.
        upsample: ``"bilinear"`` or ``"nearest"``: values are per pixel of the input; by default they are per position of
            the layer.
        max_memory: memory to use beside the network's own, in bytes.
        on_update: called with None and the fraction done: there is no map before the last unit.
        cancel: an object with ``is_set()``.

    Returns:
        An :class:`Attribution` with values (rows, columns) of the layer, or (H, W) with ``upsample``; for a list of targets
        or units, a list of them.

    Raises:
        KeyError: there is no such layer; similar names are listed.
        TypeError, ValueError: a picture, target, unit or layer does not fit, or a score is not finite.
        Cancelled: cancel was set.
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


@one_or_many
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
    """Guided Grad-CAM: guided backpropagation times Grad-CAM, the fine map where the coarse one is high.

    Selvaraju, Cogswell, Das, Vedantam, Parikh and Batra, Grad-CAM (ICCV 2017).

    Parameters:
        net: a bound network.
        image: one picture, as ``net.prepare`` takes it.
        target: a class's index or name; a function of the network's output that returns one number per picture; or a list
            of them; by default the predicted class.
        unit: (layer, unit) for the sum of a unit's map, or (layer, unit, row, column) for one of its values, instead of a
            target; or a list of them.
        layer: of Grad-CAM, a name in ``net.layers``; by default see :func:`cam_layer`.
        reduce: how guided backpropagation combines the channels: ``"max"``, ``"sum"``, ``"signed"`` or ``"none"``.
        upsample: how Grad-CAM is enlarged, ``"bilinear"`` or ``"nearest"``.

    Returns:
        An :class:`Attribution` with values (H, W), or (C, H, W) with ``reduce="none"``; for a list of targets or units, a
        list of them.

    Raises:
        KeyError: there is no such layer; similar names are listed.
        TypeError, ValueError: a picture, target, unit or layer does not fit, or a score is not finite.
        NoRule: a ValueError: the network has no ReLUs, or some that have no such rule.
    """
    where = grad_cam(net, image, target, unit=unit, layer=layer, upsample=upsample)
    what = guided_backprop(net, image, target, unit=unit, reduce=reduce)
    made = [
        replace(fine, values=fine.values * coarse.values, method="guided_grad_cam", layer=coarse.layer, notes=coarse.notes)
        for fine, coarse in zip(*([both] if isinstance(both, Attribution) else both for both in (what, where)), strict=True)
    ]
    return made[0] if isinstance(where, Attribution) else made


def cam_layer(net: BoundModel, before: Sequence[str] = ()) -> tuple[Layer, str]:
    """The layer that class activation maps use by default, and the reason in words.

    It is the last layer that is no pooling, has more than one position, each at its place in the picture, and whose
    positions all lead to the output. For a transformer with a class token it is what goes into the last attention: after
    that only the class token reaches the scores.

    Where the output is not a table of scores (a segmentation's map, a detector's boxes), the last maps may be that output
    itself; then it is the last of the layers with the most units, where most backbones end.

    Parameters:
        before: layers that it must come before, where the score is that of a unit of theirs.

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
        return row, f"from the last feature maps with the most units, {row.name}"
    for row in reversed(rows):
        is_one = row.has_places and max(row.map_shape[1:]) > 1 and "pool" not in row.kind.lower()
        if is_one and row.leads_to == "another order" and not to_unit:
            raise ValueError(f"{net.name} puts the tokens of {row.name} into an unknown order: {_NAME}")
        if is_one and (row.leads_to != "nothing" or to_unit):
            if row.is_map:
                return row, f"from the last feature maps, {row.name}"
            last = "tokens before the last attention" if row.leads_to == "last attention" else "last tokens on a grid"
            return row, f"from the {last}, {row.name}"
    where = f" before {before[0]}" if before else ""
    raise ValueError(f"{net.name} has no layer with a height and a width{where}, and no tokens on a known grid")


_NAME = "name a layer whose tokens are still in the picture's order"


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
        raise ValueError(f"upsample is {upsample!r}; expected 'bilinear', 'nearest' or None")


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
    table = question.net.layers
    row, rows = table[layer], list(table)
    for name in question.layers:
        if rows.index(row) > rows.index(table[name]):
            raise ValueError(f"layer is {layer!r}; expected one before {name}, whose unit is explained, or {name} itself")
    if not row.has_places and row.layout in ("tokens", "sequence"):
        raise ValueError(f"it is not known where the {row.output} of {row.name} lie in the picture: {_NAME}")
    if not row.has_places:
        raise ValueError(f"{row.name} gives {format_shape(row.output_shape)} values, which have no height and width")
    return row, f"from the {'feature maps' if row.is_map else 'tokens'} of {row.name}"
