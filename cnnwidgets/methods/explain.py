"""Attribution by the name of the method: for whoever compares them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cnnwidgets.methods.attribution import Attribution, Target
from cnnwidgets.methods.cam import grad_cam, grad_cam_plus_plus, guided_grad_cam, layer_cam, score_cam
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


@checked
def attribute(
    net: BoundModel, image: Any, target: Target = None, *, method: str = "saliency", **options
) -> Attribution | list[Attribution]:
    """How much each part of a picture matters to a score, by the method of a name in :data:`METHODS`.

    >>> cw.methods.attribute(net, "cat.jpg", method="grad_cam")

    Parameters:
        options: those of the method's own function.

    Raises:
        ValueError: there is no such method, or what the function raises.
    """
    return METHODS[one_of("method", method, METHODS)](net, image, target, **options)


def occlusion_drops(net: BoundModel, image: Any, target: Target = None, **options) -> Attribution | list[Attribution]:
    """By pixel, the mean of what the score loses under the patches that cover it; see :func:`occlusion`."""
    if isinstance(target, (list, tuple)):
        return [occlusion_drops(net, image, one, **options) for one in target]  # type: ignore[misc]
    found = occlusion(net, image, target, **options)  # type: ignore[arg-type]
    return Attribution(
        values=found.per_pixel(),
        method="occlusion",
        target=found.target,
        unit=None,
        score=found.clean,
        size=found.size,
        signed=True,
        notes=(*found.notes, found.output, f"{found.score} lost under a patch of {found.patch[0]}×{found.patch[1]}"),
    )


def lime_coefficients(net: BoundModel, image: Any, target: Target = None, **options) -> Attribution | list[Attribution]:
    """By pixel, what its superpixel adds to the score in a linear model; see :func:`lime`."""
    if isinstance(target, (list, tuple)):
        return [one.attribution() for one in lime(net, image, target, **options)]  # type: ignore[union-attr]
    return lime(net, image, target, **options).attribution()  # type: ignore[union-attr]


METHODS: dict[str, Callable[..., Any]] = {
    "saliency": saliency,
    "gradient_x_input": gradient_x_input,
    "smoothgrad": smoothgrad,
    "integrated_gradients": integrated_gradients,
    "deconvnet": deconvnet,
    "guided_backprop": guided_backprop,
    "grad_cam": grad_cam,
    "grad_cam_plus_plus": grad_cam_plus_plus,
    "layer_cam": layer_cam,
    "score_cam": score_cam,
    "guided_grad_cam": guided_grad_cam,
    "occlusion": occlusion_drops,
    "rise": rise,
    "lime": lime_coefficients,
}
"""By name: functions of (net, image, target, **options), each giving one :class:`Attribution` a target."""
