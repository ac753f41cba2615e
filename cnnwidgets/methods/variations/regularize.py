"""``regularize=``: what keeps a network from learning its training pictures by heart."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from cnnwidgets.methods.parameters import Parameter, settle_by

REGULARIZE: dict[str, Parameter] = {
    "weight_decay": Parameter(0.0, "Weight decay of the optimizer: L2 penalty (decoupled for AdamW).", 0.0, 100.0),
    "dropout": Parameter(
        None, "Share of the values that dropout sets to 0, where it is; else in front of the linear layers.", 0.0, 0.99
    ),
    "label_smoothing": Parameter(0.0, "How much of each label is spread over all classes.", 0.0, 1.0),
    "batch_norm": Parameter(None, "Batch norm after every convolution, or none at all.", choices=(False, True)),
}

CONVOLUTIONS: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv1d: nn.BatchNorm1d,
    nn.Conv2d: nn.BatchNorm2d,
    nn.Conv3d: nn.BatchNorm3d,
}
NORMS = tuple(CONVOLUTIONS.values())
DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


def settle(given: Any) -> dict[str, Any]:
    return settle_by(REGULARIZE, "regularize", given)


def draws(what: dict[str, Any]) -> bool:
    """Whether a network so regularized draws random numbers while it trains."""
    return bool(what.get("regularize", {}).get("dropout"))


def alter(network: nn.Module, what: dict[str, Any]) -> None:
    """Set a network's dropout and batch norm. Names of weights that it already has stay.

    Raises:
        ValueError: there is no place for it.
    """
    if "batch_norm" in what:
        _add_norms(network) if what["batch_norm"] else _drop_norms(network)
    if "dropout" in what:
        _set_dropout(network, what["dropout"])


def _drop_norms(network: nn.Module) -> None:
    for part in [*network.modules()]:
        for name, child in part.named_children():
            if isinstance(child, NORMS):
                setattr(part, name, nn.Identity())


def _add_norms(network: nn.Module) -> None:
    """A batch norm in each convolution, applied to what comes out of it."""
    if any(isinstance(part, NORMS) for part in network.modules()):
        return
    convolutions = [part for part in network.modules() if type(part) in CONVOLUTIONS]
    if not convolutions:
        raise ValueError(f"{type(network).__name__} has no convolution after which a batch norm could come")
    for part in convolutions:
        part.add_module("bn", CONVOLUTIONS[type(part)](part.out_channels))
        part.register_forward_hook(_normalized)


def _normalized(layer: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
    return layer.bn(output)  # type: ignore[operator]


def _set_dropout(network: nn.Module, share: float) -> None:
    """Of the layers that drop; where there are none, in front of each linear layer that follows another layer."""
    if found := [part for part in network.modules() if isinstance(part, DROPOUTS)]:
        for each in found:
            each.p = share
        return
    linear = [part for part in network.modules() if isinstance(part, nn.Linear)]
    weighted = [part for part in network.modules() if isinstance(part, (nn.Linear, *CONVOLUTIONS))]
    linear = [part for part in linear if part is not weighted[0]]
    if not linear:
        raise ValueError(
            f"{type(network).__name__} has no linear layer after another one in front of which dropout could be"
        )
    for part in linear:
        part.dropout = share  # type: ignore[assignment]
        part.register_forward_pre_hook(_dropped)


def _dropped(layer: nn.Module, inputs: tuple) -> tuple:
    return (F.dropout(inputs[0], layer.dropout, layer.training), *inputs[1:])  # type: ignore[arg-type]
