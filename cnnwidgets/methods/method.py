"""Attribution methods in one table: what a panel, a menu or a comparison needs to know of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cnnwidgets.methods.attribution import Attribution, Target, are_units, one_or_many
from cnnwidgets.methods.cam import grad_cam, grad_cam_plus_plus, guided_grad_cam, layer_cam, score_cam
from cnnwidgets.methods.code.attribution import Lines, cam_lines, gradient_lines, library_lines
from cnnwidgets.methods.gradients import (
    deconvnet,
    gradient_x_input,
    guided_backprop,
    saliency,
    smoothgrad,
)
from cnnwidgets.methods.integrated_gradients import integrated_gradients
from cnnwidgets.methods.lime import lime
from cnnwidgets.methods.occlusion import occlusion
from cnnwidgets.methods.rise import rise
from cnnwidgets.net import BoundModel
from cnnwidgets.net.arguments import checked, one_of

GRADIENTS, CAMS, PERTURBATION, OWN = "gradients", "class activation maps", "perturbation", "your own"
"""The groups that methods stand in; one of your own is in the last by default."""


@dataclass(frozen=True)
class Method:
    """An attribution method; a new one is its function and one entry in :data:`METHODS`.

    >>> METHODS["edges"] = Method("edges", "edges", edges)  # panels offer your own, too

    Attributes:
        name: its name in code, and the ``method`` of its results.
        title: its name in menus and above its maps.
        function: takes (net, image, target, **options), where target is a class, a function of the output, or a list of
            them; returns an :class:`Attribution`, or for a list of targets a list of them.
        of: what of a class is explained: its ``"score"``, before the softmax; or its ``"probability"``.
        units: whether it explains units, too: the function takes ``unit=``.
        long: whether it takes long, and ``cancel=``.
        options: those of ``"reduce"`` and ``"layer"`` that it is given where several methods are asked the same; one that
            keeps the sign by default, such as integrated gradients, takes no ``"reduce"``.
        code: writes the lines that put its map into ``maps[name]``, given ``model`` and its input ``x`` (1, C, H, W).
        group: the heading that it stands under.
        help: one sentence on what its maps show.
        values: what its values are, with their unit; ``{answer}`` stands for "probability", or for "value" where the output
            has no probabilities.
    """

    name: str
    title: str
    function: Callable[..., Any]
    of: str = "score"
    units: bool = True
    long: bool = False
    options: tuple[str, ...] = ()
    code: Lines = library_lines
    group: str = OWN
    help: str = ""
    values: str = ""


@one_or_many
@checked
def attribute(
    net: BoundModel, image: Any, target: Target = None, *, method: str = "saliency", **options: Any
) -> Attribution | list[Attribution]:
    """How much each part of a picture matters to a score, by a method that is named.

    >>> cw.methods.attribute(net, "cat.jpg", method="grad_cam")

    Parameters:
        net: a bound network.
        image: one picture, as ``net.prepare`` takes it.
        target: a class's index or name, a function of the network's output, or a list of them; by default the predicted
            class.
        method: a name in :data:`METHODS`.
        options: those of the method's own function, such as ``unit``.

    Returns:
        An :class:`Attribution`; for a list of targets or units a list of them.

    Raises:
        ValueError: there is no such method; also whatever the method's function raises.
    """
    return METHODS[one_of("method", method, METHODS)].function(net, image, target, **options)


def _occlusion(
    net: BoundModel, image: Any, target: Target = None, *, unit: Any = None, **options: Any
) -> Attribution | list[Attribution]:
    """How much is lost, per pixel, under a patch; see :func:`occlusion`, which takes one target or unit at a time."""
    if isinstance(target, (list, tuple)):
        return [occlusion(net, image, one, **options).attribution() for one in target]
    if are_units(unit):
        return [occlusion(net, image, unit=one, **options).attribution() for one in unit]
    return occlusion(net, image, target, unit=unit, **options).attribution()


def _lime(net: BoundModel, image: Any, target: Target = None, **options: Any) -> Attribution | list[Attribution]:
    """What each pixel's superpixel adds to the score in a linear model; see :func:`lime`."""
    found = lime(net, image, target, **options)
    return [one.attribution() for one in found] if isinstance(found, list) else found.attribution()


_MEAN = "(g.mean((1, 2), keepdim=True) * a).sum(0)"
_OWN = "(g.clamp(min=0) * a).sum(0)"
_PLUS_PLUS = (
    "((g.clamp(min=0) * (g**2 / (2 * g**2 + a.sum((1, 2), keepdim=True) * g**3).where(g != 0, 1))"
    ".nan_to_num()).sum((1, 2), keepdim=True) * a).sum(0)"
)

_SLOPE = "score per pixel value"
_SHARE = "share of the score"
_WEIGHTED = "weighted activation"

_ALL = (
    Method(
        "saliency", "saliency", saliency, options=("reduce",), code=gradient_lines(), group=GRADIENTS, values=_SLOPE,
        help="Saliency: how much each pixel would change the score; fine but noisy.",
    ),
    Method(
        "gradient_x_input", "gradient × input", gradient_x_input, group=GRADIENTS, values=_SHARE,
        code=gradient_lines("(gradient * x.detach())[0]", reduce="signed"),
        help="Gradient × input: what each pixel adds to the score, to first order; 0 where the input is 0.",
    ),
    Method(
        "smoothgrad", "SmoothGrad", smoothgrad, long=True, options=("reduce",), group=GRADIENTS, values=_SLOPE,
        help="SmoothGrad: saliency averaged over noisy copies of the picture; less noise.",
    ),
    Method(
        "integrated_gradients", "integrated gradients", integrated_gradients, long=True, group=GRADIENTS, values=_SHARE,
        help="Integrated gradients: each pixel's share of the score; the shares add up to its change from a baseline.",
    ),
    Method(
        "deconvnet", "deconvnet", deconvnet, options=("reduce",), group=GRADIENTS, values=_SLOPE,
        code=gradient_lines(rule="above[0]"),
        help="Deconvnet: keeps positive gradients at each ReLU; sharp, but shows edges of any class.",
    ),
    Method(
        "guided_backprop", "guided backprop", guided_backprop, options=("reduce",), group=GRADIENTS, values=_SLOPE,
        code=gradient_lines(rule="back[0]"),
        help="Guided backprop: keeps positive gradients where the ReLU was open; the sharpest, but knows the class badly.",
    ),
    Method(
        "grad_cam", "Grad-CAM", grad_cam, options=("layer",), code=cam_lines(_MEAN), group=CAMS, values=_WEIGHTED,
        help="Grad-CAM: where the last layer saw the class; coarse.",
    ),
    Method(
        "grad_cam_plus_plus", "Grad-CAM++", grad_cam_plus_plus, options=("layer",), code=cam_lines(_PLUS_PLUS), group=CAMS,
        values=_WEIGHTED, help="Grad-CAM++: Grad-CAM that shows several objects of a class better.",
    ),
    Method(
        "layer_cam", "Layer-CAM", layer_cam, options=("layer",), code=cam_lines(_OWN), group=CAMS, values=_WEIGHTED,
        help="Layer-CAM: weights each position by its own gradient; finer, and useful in earlier layers.",
    ),
    Method(
        "score_cam", "Score-CAM", score_cam, long=True, options=("layer",), code=cam_lines(), group=CAMS, values=_WEIGHTED,
        help="Score-CAM: weights each feature map by the score of the picture seen through it; no gradient, slow.",
    ),
    Method(
        "guided_grad_cam", "guided Grad-CAM", guided_grad_cam, options=("layer",), group=CAMS, values="product of both maps",
        help="Guided Grad-CAM: guided backprop times Grad-CAM; fine detail where the class is.",
    ),
    Method(
        "occlusion", "occlusion", _occlusion, of="probability", long=True, group=PERTURBATION, values="{answer} lost",
        help="Occlusion: how much of the probability is lost when a patch covers the place.",
    ),
    Method(
        "rise", "RISE", rise, of="probability", long=True, group=PERTURBATION,
        values="mean {answer} if visible",
        help="RISE: how probable the class is, on average, when a pixel is visible through random masks; slow.",
    ),
    Method(
        "lime", "LIME", _lime, of="probability", long=True, group=PERTURBATION, values="{answer} added",
        help="LIME: what each superpixel adds to the probability in a linear model.",
    ),
)  # fmt: skip

METHODS: dict[str, Method] = {method.name: method for method in _ALL}
"""The methods by name, in the order in which they are offered."""
