"""What the second network is asked: the same as the first one, with the names that it has for it."""

from __future__ import annotations

from typing import Any

from cnnwidgets.base.image import ImagePanel
from cnnwidgets.base.target import by_name
from cnnwidgets.net import BoundModel


def translated(panel: ImagePanel, other: BoundModel, asked: dict[str, Any], predicted: int | None) -> dict[str, Any]:
    """What a panel is asked, for another network: the same class, the layer of the name or the depth, the same picture.

    Parameters:
        asked: values by the names of the panel's traits.
        predicted: the class that is explained where no target was chosen.
    """
    told = {**asked, "image": _seen(panel, other, asked["image"])}
    if predicted is not None and asked["target"] is None:
        told["target"] = by_name(panel.net, predicted)
    for name, rows in layer_names(panel).items():
        if asked[name]:
            told[name] = _same_depth(panel.net, other, asked[name], rows)
    return told


def layer_names(panel: ImagePanel) -> dict[str, str]:
    """The names of a panel's traits that are a layer's name, and which rows of ``net.layers`` there are to choose from."""
    rows = {name: trait.metadata.get("rows") for name, trait in panel.public_traits().items()}
    return {name: of for name, of in rows.items() if of}


def _same_depth(net: BoundModel, other: BoundModel, layer: str, rows: str) -> str:
    """The layer of the same name in another network, or else the one at the same depth among these rows of its layers."""
    if layer in other.layers:
        return layer
    mine, theirs = ([row.name for row in getattr(one.layers, rows)] for one in (net, other))
    depth = mine.index(net.layers[layer].name) / max(1, len(mine) - 1)
    return theirs[round(depth * (len(theirs) - 1))]


def _seen(panel: ImagePanel, other: BoundModel, image: Any) -> Any:
    """A panel's picture for another network: what the panel's own sees of it, where the two prepare it differently."""
    net = panel.net
    if other.takes_inputs_of(net) and repr(other.preprocess) == repr(net.preprocess):
        return image
    inputs = net.prepare(panel.taken(image))[0]
    return inputs if other.takes_inputs_of(net) else net.intensities(inputs)
