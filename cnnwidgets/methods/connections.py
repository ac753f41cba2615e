"""What a unit is wired to: the strongest weights to units of the layers before and after."""

from __future__ import annotations

from dataclasses import dataclass

from cnnwidgets.net import BoundModel
from cnnwidgets.net.address import UnitAddress
from cnnwidgets.net.arguments import checked


@dataclass(frozen=True)
class Connection:
    """A connection of the unit that was asked for with another one.

    Attributes:
        layer: of the other unit, a name in ``net.layers``; None for a channel of the picture.
        unit: its number, from 0.
        weight: by how much the later of the two units rises where the earlier one rises by 1 at all positions: the sum over
            the kernel, with the batch norms' gamma / sigma, and with ReLUs open. Its sign is that of the connection.
        norm: the Euclidean norm of the same kernel, which no cancelling makes small; connections are ranked by it.
        mean: the mean over the kernel.
        via: the convolution or fully connected layer whose weight it is; None where a residual add joins two units of the
            same number, whose weight is 1.
    """

    layer: str | None
    unit: int
    weight: float
    norm: float
    mean: float
    via: str | None


@dataclass(frozen=True, repr=False)
class Connections:
    """The strongest connections of a unit.

    Attributes:
        unit: whose they are.
        before, after: to units of the layers before and after, the strongest first, at most as many as were asked for.
        layers_before, layers_after: by layer (None: the picture) how many of its units are connected.
        notes: sentences on what was looked through, and on what could not be followed.
    """

    unit: UnitAddress
    before: tuple[Connection, ...]
    after: tuple[Connection, ...]
    layers_before: dict[str | None, int]
    layers_after: dict[str | None, int]
    notes: tuple[str, ...] = ()

    @property
    def sentences(self) -> list[str]:
        """What was found, in words."""
        raise NotImplementedError

    def code(self, net: BoundModel) -> str:
        """Plain PyTorch lines that put the weights of ``before`` and ``after`` into two lists."""
        raise NotImplementedError


@checked
def connections(net: BoundModel, layer: str | UnitAddress, unit: int | None = None, k: int = 8) -> Connections:
    """The strongest connections of a unit with units of the layers before and after, of the network as it is.

    As drawn in DrawNet (Torralba 2015): a unit answers to units before it by the kernels that it has for them. Looked
    through are batch norm (in evaluation mode, its gamma / sigma is in the weight), activation functions (taken as open),
    pooling (which takes or averages a unit's values), dropout, flattening, concatenation and residual adds.

    >>> cw.methods.connections(net, net["layer3"][17]).before[0]

    Parameters:
        net: a bound network.
        layer, unit: a name in ``net.layers`` and the number of a unit; or an address, ``net["layer3"][17]``, alone.
        k: connections on each side.

    Raises:
        KeyError: there is no such layer; names like it are offered.
        ValueError: the layer has no such unit, or no units; k is below 1.
    """
    raise NotImplementedError
