"""What a network says of a picture without some of its units."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnwidgets.methods.ablation import units_of
from cnnwidgets.methods.activations import one_picture
from cnnwidgets.methods.outcomes import replacing
from cnnwidgets.net import BoundModel
from cnnwidgets.net.arguments import KINDS, check, checking
from cnnwidgets.net.incremental.reruns import Reruns


@checking("units")
def predict_without(net: BoundModel, units: Any, image: Any, k: int = 5) -> list[tuple[str, float]]:
    """The most probable classes of one picture when some units give 0 at all positions.

    >>> cw.methods.predict_without(net, net["layer3"][17], pictures[3][0])

    Parameters:
        units: ``net["layer3"][17]``, ``("layer3", 17)`` or ``("layer3", [3, 5])``.
        image: one picture, as ``net.prepare`` takes it.
        k: classes at most.

    Returns:
        (name, probability) of each class, the most probable first, as ``net.predict`` gives them.

    Raises:
        KeyError, IndexError: there is no such layer, or no such unit.
        TypeError, ValueError: as in ``net.predict``; or the layer has no units, or gives several tensors; or k is below 1.
    """
    check("k", k, [KINDS["Count"]])
    name, numbers = units_of(net, units)
    layer, inputs = net.layers[name], one_picture(net, image)
    change = replacing(layer, numbers, np.zeros(layer.map_shape[0]))
    (output,) = Reruns(net, layer).answers(inputs, [change])
    return net.named(net.check_scores(output, 1).detach().float().cpu(), k)[0]
