"""Occlusion as one would write it first: cover the picture by hand, run the network, one picture after the other."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


def covered(picture: Tensor, fill: Tensor, mask: Tensor, y: int, x: int) -> Tensor:
    """The picture (C, H, W) that shows ``fill`` (C, H, W) where the patch lies; at the border the patch is cut off."""
    picture = picture.clone()
    rows, columns = slice(y, y + mask.shape[0]), slice(x, x + mask.shape[1])
    shown = picture[:, rows, columns]
    part = mask[: shown.shape[1], : shown.shape[2]]
    shown[:, part] = fill[:, rows, columns][:, part]
    return picture


def answers(module: nn.Module, picture: Tensor, fill: Tensor, mask: Tensor, ys, xs) -> np.ndarray:
    """(rows, columns, classes): the scores with the patch at each place."""
    with torch.no_grad():
        rows = [[module(covered(picture, fill, mask, y, x)[None])[0] for x in xs] for y in ys]
    return np.array([[scores.numpy() for scores in row] for row in rows])


def lively(module: nn.Module, seed: int = 0) -> nn.Module:
    """The module in evaluation mode, with random parameters and statistics that let a change of the input through."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            deviation = (2 / parameter[0].numel()) ** 0.5 if parameter.ndim > 1 else 0.3
            parameter.normal_(0, deviation, generator=generator)
        for part in module.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is not None:
                part.running_mean.normal_(0, 0.3, generator=generator)
                part.running_var.uniform_(0.5, 2, generator=generator)
                if part.affine:
                    part.weight.uniform_(0.5, 1.5, generator=generator)
    return module.eval()
