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

    def cover(self, windows: torch.Tensor, fills: torch.Tensor, down: np.ndarray, across: np.ndarray) -> torch.Tensor:
        """Crops (N, C, h, w) of the picture, with patches that begin so many rows and columns after their first cells.

        ``fills`` are the same crops of the fill.
        """
        rows = torch.arange(windows.shape[2]) - torch.as_tensor(down)[:, None]
        columns = torch.arange(windows.shape[3]) - torch.as_tensor(across)[:, None]
        covered = _inside(rows, self.size[0])[:, :, None] & _inside(columns, self.size[1])[:, None, :]
        if not self.mask.all():
            rows, columns = rows.clamp(0, self.size[0] - 1), columns.clamp(0, self.size[1] - 1)
            covered &= self.mask.cpu()[rows[:, :, None], columns[:, None, :]]
        return torch.where(covered[:, None].to(windows.device), fills, windows)

    def pictures(self, tops: np.ndarray, lefts: np.ndarray) -> torch.Tensor:
        """The whole pictures (N, C, H, W), each with the patch at one place."""
        return self.cover(self.picture.expand(len(tops), -1, -1, -1), self.fill, tops, lefts)


def _inside(positions: torch.Tensor, size: int) -> torch.Tensor:
    return (positions >= 0) & (positions < size)
