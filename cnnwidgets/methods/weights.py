"""The weights that a run leaves: of its best epoch and of its last one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from cnnwidgets.net.randomness import Stream

if TYPE_CHECKING:
    from cnnwidgets.methods.tasks import Task


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights and buffers by epoch, counted from 1, and the task that makes a network for them.

    Attributes:
        task: None while they travel between processes.
        by_epoch: copies of all parameters and buffers, by their names.
    """

    task: Task | None = None
    by_epoch: dict[int, dict[str, Tensor]] = field(default_factory=dict)

    def network(self, epoch: int) -> nn.Module:
        """A new network with the weights of an epoch, in evaluation mode."""
        assert self.task is not None
        with Stream(0).flowing():  # its first weights, which nobody will see
            made = self.task.start()
        put(self.by_epoch[epoch], made)
        return made.eval()


def copied(network: nn.Module) -> dict[str, Tensor]:
    """Copies of all parameters and buffers of a network."""
    both = (*network.named_parameters(), *network.named_buffers())
    return {name: tensor.detach().clone() for name, tensor in both}


def put(weights: dict[str, Tensor], network: nn.Module) -> None:
    """Write copies of weights into a network of the same structure."""
    both = dict((*network.named_parameters(), *network.named_buffers()))
    with torch.no_grad():
        for name, tensor in weights.items():
            both[name].copy_(tensor)
