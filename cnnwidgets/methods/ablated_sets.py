"""Sets of units to ablate for comparison: random ones of the same size, and all others."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnwidgets.methods.ablation import units_of
from cnnwidgets.methods.outcomes import Units
from cnnwidgets.net import BoundModel
from cnnwidgets.net.arguments import checking


@checking("units")
def all_but(net: BoundModel, units: Any) -> Units:
    """All units of a layer except these, as :func:`ablate` takes them: to see what these can do alone.

    >>> cw.methods.ablate(net, pictures, cw.methods.all_but(net, net["layer3"][17]))

    Parameters:
        units: ``net["layer3"][17]``, ``("layer3", 17)`` or ``("layer3", [3, 5])``.

    Raises:
        KeyError, IndexError, ValueError: as in :func:`ablate`; or the layer has no others.
    """
    name, numbers = units_of(net, units)
    count = net.layers[name].map_shape[0]
    others = tuple(unit for unit in range(count) if unit not in numbers)
    if not others:
        raise ValueError(f"units is all {count:,} units of {name}; expected fewer")
    return name, others


@checking("units")
def random_sets(net: BoundModel, units: Any, draws: int = 5, seed: int = 0) -> list[Units]:
    """Random sets of as many units of the same layer, to see whether these units matter more than others.

    >>> sets = [("layer3", 17), *cw.methods.random_sets(net, ("layer3", 17))]
    >>> found = cw.methods.ablate(net, pictures, sets)
    >>> found.change[0], found.change[1:].mean(), found.change[1:].std()

    Parameters:
        units: as in :func:`all_but`.
        draws: number of sets; each is drawn from all units of the layer, without repeating one.
        seed: random seed of the draws.

    Raises:
        KeyError, IndexError, ValueError: as in :func:`ablate`; or draws is below 1.
    """
    if draws < 1:
        raise ValueError(f"draws is {draws}; expected a whole number of at least 1")
    name, numbers = units_of(net, units)
    count, random = net.layers[name].map_shape[0], np.random.default_rng(seed)
    return [(name, tuple(sorted(random.choice(count, len(numbers), replace=False).tolist()))) for _ in range(draws)]
