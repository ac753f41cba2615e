"""Attribution methods in one table: all that is to be known of each, for whoever offers or compares them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cnnwidgets.methods.attribution import Attribution, Target
from cnnwidgets.methods.cam import grad_cam, grad_cam_plus_plus, guided_grad_cam, layer_cam, score_cam
from cnnwidgets.methods.code.attribution import Lines, cam_lines, gradient_lines, library_lines
from cnnwidgets.methods.gradients import (
    deconvnet,
    gradient_x_input,
    guided_backprop,
    integrated_gradients,
    saliency,
    smoothgrad,
)
from cnnwidgets.methods.lime import lime
from cnnwidgets.methods.occlusion import occlusion
from cnnwidgets.methods.rise import rise
from cnnwidgets.net import BoundModel
from cnnwidgets.net.arguments import checked, one_of


@dataclass(frozen=True)
class Method:
    """An attribution method; a new one is its function and one entry in :data:`METHODS`.

    >>> METHODS["edges"] = Method("edges", "edges", edges)  # of your own: panels offer it, too

    Attributes:
        name: what it is called in code, and the ``method`` of what it gives.
        title: what it is called in menus and above its maps.
        function: of (net, image, target, **options), where target is a class, a function of the output, or a list of them;
            it gives an :class:`Attribution`, of a list one for each.
        of: what its score is: ``"score"``, of a class before the softmax, or of a unit (the function takes ``unit=``); or
            ``"probability"``, of a class, and no unit's.
        long: whether it takes long, and ``cancel=``.
        options: those of ``"reduce"`` and ``"layer"`` that it is given where several methods are asked the same; one that
            sums with the sign by default, such as integrated gradients, goes without.
        code: what writes the lines that put its map into ``maps[name]``, of ``model`` and its input ``x`` (1, C, H, W).
    """

    name: str
    title: str
    function: Callable[..., Any]
    of: str = "score"
    long: bool = False
    options: tuple[str, ...] = ()
    code: Lines = library_lines


@checked
def attribute(
    net: BoundModel, image: Any, target: Target = None, *, method: str = "saliency", **options: Any
) -> Attribution | list[Attribution]:
    """How much each part of a picture matters to a score, by the method of a name in :data:`METHODS`.

    >>> cw.methods.attribute(net, "cat.jpg", method="grad_cam")

    Parameters:
        options: those of the method's own function.

    Raises:
        ValueError: there is no such method, or what the function raises.
    """
    return METHODS[one_of("method", method, METHODS)].function(net, image, target, **options)


def _occlusion(net: BoundModel, image: Any, target: Target = None, **options: Any) -> Attribution | list[Attribution]:
    """What is lost by pixel under a patch; see :func:`occlusion`, which takes one target at a time."""
    if isinstance(target, (list, tuple)):
        return [occlusion(net, image, one, **options).attribution() for one in target]
    return occlusion(net, image, target, **options).attribution()


def _lime(net: BoundModel, image: Any, target: Target = None, **options: Any) -> Attribution | list[Attribution]:
    """By pixel, what its superpixel adds to the score in a linear model; see :func:`lime`."""
    found = lime(net, image, target, **options)
    return [one.attribution() for one in found] if isinstance(found, list) else found.attribution()


_MEAN = "(g.mean((1, 2), keepdim=True) * a).sum(0)"
_OWN = "(g.clamp(min=0) * a).sum(0)"
_PLUS_PLUS = (
    "((g.clamp(min=0) * (g**2 / (2 * g**2 + a.sum((1, 2), keepdim=True) * g**3).where(g != 0, 1))"
    ".nan_to_num()).sum((1, 2), keepdim=True) * a).sum(0)"
)

_ALL = (
    Method("saliency", "saliency", saliency, options=("reduce",), code=gradient_lines()),
    Method(
        "gradient_x_input",
        "gradient × input",
        gradient_x_input,
        code=gradient_lines("(gradient * x.detach())[0]", reduce="signed"),
    ),
    Method("smoothgrad", "SmoothGrad", smoothgrad, long=True, options=("reduce",)),
    Method("integrated_gradients", "integrated gradients", integrated_gradients, long=True),
    Method("deconvnet", "deconvnet", deconvnet, options=("reduce",), code=gradient_lines(rule="above[0]")),
    Method("guided_backprop", "guided backprop", guided_backprop, options=("reduce",), code=gradient_lines(rule="back[0]")),
    Method("grad_cam", "Grad-CAM", grad_cam, options=("layer",), code=cam_lines(_MEAN)),
    Method("grad_cam_plus_plus", "Grad-CAM++", grad_cam_plus_plus, options=("layer",), code=cam_lines(_PLUS_PLUS)),
    Method("layer_cam", "Layer-CAM", layer_cam, options=("layer",), code=cam_lines(_OWN)),
    Method("score_cam", "Score-CAM", score_cam, long=True, options=("layer",), code=cam_lines()),
    Method("guided_grad_cam", "guided Grad-CAM", guided_grad_cam, options=("layer",)),
    Method("occlusion", "occlusion", _occlusion, of="probability", long=True),
    Method("rise", "RISE", rise, of="probability", long=True),
    Method("lime", "LIME", _lime, of="probability", long=True),
)

METHODS: dict[str, Method] = {method.name: method for method in _ALL}
"""The methods by name, in the order in which they are offered."""
