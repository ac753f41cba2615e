"""Memory for recorded maps that is used again once nobody holds them."""

from __future__ import annotations

import sys

import numpy as np
import torch


class Arena:
    """One block of float32 memory, handed out in slices.

    Recording all maps of resnet50 writes 150 MB. In fresh memory most of the time goes to page faults (measured: twice the
    bare forward pass, against 1.2 times in memory that was used before), so the block is kept, and used again as soon as
    no slice of it is alive. The memory of results that are still held is never written to.
    """

    def __init__(self) -> None:
        self._block = np.empty(0, np.float32)
        self._used = 0

    def reset(self, numbers: int) -> None:
        """Make room for so many numbers: in the same memory if all of its slices are gone and it fits, else new."""
        in_use = sys.getrefcount(self._block) > 2  # one reference is ours, one is the call's
        if in_use or not numbers <= self._block.size <= 2 * numbers:
            self._block = np.empty(numbers, np.float32)
        self._used = 0

    def __reduce__(self) -> tuple:
        """Copied or sent to another process, it is a new one: its memory is no part of a bound network."""
        return type(self), ()

    def copy(self, tensor: torch.Tensor) -> torch.Tensor:
        """A float32 copy of the tensor on the CPU."""
        part = self._block[self._used : self._used + tensor.numel()]
        self._used += tensor.numel()
        return torch.from_numpy(part).view(tensor.shape).copy_(tensor.detach())
