"""What is shown beside a picture: a second picture, or a second network."""

from __future__ import annotations

from typing import Any
from weakref import WeakValueDictionary

from torch import nn

from cnnwidgets.base.fitting import Unfit
from cnnwidgets.base.image import Image
from cnnwidgets.net import BoundModel, bind

_NETWORKS: WeakValueDictionary[int, BoundModel] = WeakValueDictionary()
"""Networks named in a state, by id: as long as a network lives, the state can restore it."""


class Beside(Image):
    """A picture, its number in the panel's data set, or a network. A panel's state has only a network's name."""

    def validate(self, obj: Any, value: Any) -> Any:
        return bind(value) if isinstance(value, nn.Module) else value

    def encode(self, value: Any) -> Any:
        if not isinstance(value, BoundModel):
            return super().encode(value)
        _NETWORKS[id(value)] = value
        return {"network": value.name, "id": id(value)}

    def decode(self, value: Any) -> Any:
        if not (isinstance(value, dict) and "network" in value):
            return super().decode(value)
        found = _NETWORKS.get(value.get("id", 0))
        if found is None or found.name != value["network"]:
            raise Unfit(f"a state has only the name of the network {value['network']}; set beside to the network itself")
        return found
