"""A picture with a patch over it, at any place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Patches:
    """What the network is shown: the picture, but where the patch lies its fill.

    Attributes:
        picture: (1, C, H, W).
        fill: (1, C, H, W), what shows in the patch, wherever it lies.
        mask: bool (h, w), the patch's shape.
    """

    picture: torch.Tensor
    fill: torch.Tensor
    mask: torch.Tensor

    @property
    def size(self) -> tuple[int, int]:
        """(rows, columns) of the patch, in pixels."""
        rows, columns = self.mask.shape
        return rows, columns

    def cover(
        self, windows: torch.Tensor, tops: np.ndarray, lefts: np.ndarray, y: np.ndarray, x: np.ndarray
    ) -> torch.Tensor:
        """Crops (N, C, h, w) of the picture that begin at rows y and columns x, with the patches at tops and lefts."""
        rows = torch.as_tensor(y - tops)[:, None] + torch.arange(windows.shape[2])
        columns = torch.as_tensor(x - lefts)[:, None] + torch.arange(windows.shape[3])
        inside = _inside(rows, self.size[0])[:, :, None] & _inside(columns, self.size[1])[:, None, :]
        rows, columns = rows.clamp(0, self.size[0] - 1), columns.clamp(0, self.size[1] - 1)
        covered = inside.to(self.mask.device) & self.mask[rows[:, :, None], columns[:, None, :]]
        height, width = windows.shape[2:]
        down = (torch.as_tensor(y)[:, None] + torch.arange(height))[:, :, None]
        across = (torch.as_tensor(x)[:, None] + torch.arange(width))[:, None, :]
        fill = self.fill[0][:, down, across].transpose(0, 1)
        return torch.where(covered[:, None], fill, windows)

    def pictures(self, tops: np.ndarray, lefts: np.ndarray) -> torch.Tensor:
        """The whole pictures (N, C, H, W), each with the patch at one place."""
        nowhere = np.zeros(len(tops), int)
        return self.cover(self.picture.expand(len(tops), -1, -1, -1), tops, lefts, nowhere, nowhere)


def _inside(positions: torch.Tensor, size: int) -> torch.Tensor:
    return (positions >= 0) & (positions < size)
