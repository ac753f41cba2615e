"""``init=``: the first weights."""

from __future__ import annotations

from typing import Any

from torch import nn

from cnnwidgets.methods.initialization import initialize, settle

__all__ = ["apply", "settle"]


def apply(network: nn.Module, what: dict[str, Any]) -> None:
    """Set a network's weights by the random numbers of the run."""
    initialize(network, **what)
