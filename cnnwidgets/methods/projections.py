"""What in a patch made a unit answer: the value of one position, sent back to the picture alone."""

from __future__ import annotations

from typing import Any

from cnnwidgets.methods.gradients import deconvnet, guided_backprop, saliency
from cnnwidgets.methods.patches import Crop, Patch, cut, picture_of
from cnnwidgets.net import BoundModel
from cnnwidgets.net.arguments import checked, one_of

RULES = {"deconvnet": deconvnet, "guided": guided_backprop, "gradient": saliency}
"""How a value goes back through a ReLU, by name."""


@checked
def project(net: BoundModel, dataset: Any, layer: str, unit: int, patch: Patch, rule: str = "guided") -> Crop:
    """Send the value of a patch's position back to the picture, all others being 0, and cut out what the position sees.

    Zeiler and Fergus, Visualizing and Understanding Convolutional Networks (ECCV 2014), show it beside each patch; with
    guided backpropagation Springenberg et al., Striving for Simplicity (ICLR workshop 2015). Max pooling sends it back to
    where the maximum was. By deconvnet ReLUs do not look at the picture, and without max pooling all projections of a unit
    are alike. A value of 0 projects to nothing; a negative one is sent back by its size.

    >>> patch = cw.methods.top_patches(net, pictures, "layer1.0.relu")["layer1.0.relu"].strongest(3)[0]
    >>> cw.methods.project(net, pictures, "layer1.0.relu", 3, patch).values.shape
    (3, 7, 7)

    Parameters:
        net, dataset: those that the patches are of.
        layer, unit, patch: a patch of this unit, from :func:`top_patches`.
        rule: ``"guided"``, ``"deconvnet"`` or ``"gradient"``: how a value goes back through a ReLU.

    Returns:
        A :class:`Crop`, whose values are the size of the position's value times its derivative, by that rule, with
        respect to each preprocessed value; 0 beyond the picture.

    Raises:
        KeyError: there is no such layer; names like it are offered.
        ValueError: there is no such unit or rule.
        NoRule: a ValueError: the network has ReLUs that have no such rule.
    """
    one_of("rule", rule, tuple(RULES))
    place = (layer, unit, patch.row, patch.column)
    found = RULES[rule](net, picture_of(net, dataset, patch.index), unit=place, reduce="none")
    return cut(net.layers[layer], abs(patch.value) * found.values, patch)
