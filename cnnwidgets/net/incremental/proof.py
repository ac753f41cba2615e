"""What shows, at run time, that windows give what whole pictures give: noise that covers the picture at some places."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from cnnwidgets.net.incremental.patches import Patches

EFFECT = 2e-4
"""Difference between two ways to the same numbers that is let pass, in parts of what the patch changes of them ..."""

UNITS = {torch.float16: 8, torch.bfloat16: 8}
"""... and of rounding, in units of the last place of the largest number; 32 of those of other dtypes."""


def noise(patches: Patches) -> Patches:
    """The same picture under noise of its own range: whatever the picture is, a patch changes every pixel that it covers."""
    values = torch.cat([patches.picture, patches.fill, torch.zeros_like(patches.fill)]).float()
    low, high = values.amin().item(), values.amax().item()
    generator = torch.Generator().manual_seed(0)
    drawn = torch.rand(patches.fill.shape, generator=generator) * (high - low or 1.0) + low
    return Patches(patches.picture, drawn.to(patches.fill), torch.ones_like(patches.mask))


def places(patches: Patches, stride: tuple[int, int]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of a grid of that stride a position in the middle and the last one, where the border cuts the patch off.

    Alone, each has the smallest windows that there are: no map is whole that is computed in windows beside other positions.
    """
    sizes = patches.picture.shape[2:]
    rows, columns = (np.arange(0, size, step) for size, step in zip(sizes, stride, strict=True))
    middle = rows[[(len(rows) - 1) // 2]], columns[[(len(columns) - 1) // 2]]
    return [middle, (rows[-1:], columns[-1:])]


def beside(maps: Tensor) -> Tensor:
    """The maps of N positions beside one a hundred times as large, which would show in their scores if they were mixed."""
    return torch.cat([maps, 100 * maps[:1]])


def alike(one: Tensor, other: Tensor, effect: float, dtype: torch.dtype) -> bool:
    """Whether two ways gave the same numbers, of which a patch changes as much as ``effect``, up to rounding in a dtype."""
    one, other = one.double().cpu(), other.double().cpu()
    unit = UNITS.get(dtype, 32) * torch.finfo(dtype).eps
    finite = one.isfinite() & other.isfinite()
    one, other, rest = one[finite], other[finite], torch.equal(one[~finite].nan_to_num(), other[~finite].nan_to_num())
    tolerance = EFFECT * effect + unit * largest(other)
    return rest and largest(one - other) <= tolerance


def largest(values: Tensor) -> float:
    """The largest magnitude, 0 of none; of numbers that are not finite the largest that is."""
    values = values[values.isfinite()]
    return values.abs().amax().item() if values.numel() else 0.0
