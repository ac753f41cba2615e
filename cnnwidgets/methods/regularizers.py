"""What keeps a maximized picture from being noise: penalties, shakes of the picture that is shown, edits after a step.

All of them see the network's inputs x (N, C, H, W), whose zero is the mean picture where the preprocessing subtracts one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from cnnwidgets.methods.arguments import real, whole

__all__ = ["L2", "Blur", "ClipSmall", "Jitter", "Regularizer", "RotateAndScale", "TotalVariation"]


class Regularizer:
    """Does nothing; one of your own overrides what it needs."""

    def penalty(self, x: Tensor) -> Tensor | None:
        """(N,): what is subtracted from each picture's score."""
        return None

    def shown(self, x: Tensor, draw: Generator) -> Tensor:
        """What the network is shown in place of x; the gradient goes back through it.

        Parameters:
            draw: a generator on the CPU, the same for every picture.
        """
        return x

    def edited(self, x: Tensor, step: int) -> Tensor | None:
        """What becomes of the pictures after a step, the first of which is 1; None if nothing does."""
        return None


@dataclass(frozen=True)
class L2(Regularizer):
    """Minus strength times the sum of the squares of x (Simonyan, Vedaldi and Zisserman 2013)."""

    strength: float = 0.001

    def __post_init__(self) -> None:
        real("strength", self.strength, 0)

    def penalty(self, x: Tensor) -> Tensor:
        return self.strength * x.square().sum((1, 2, 3))


@dataclass(frozen=True)
class TotalVariation(Regularizer):
    """Minus strength times the sum of the squared differences of neighboring pixels (Mahendran and Vedaldi, CVPR 2015)."""

    strength: float = 0.001

    def __post_init__(self) -> None:
        real("strength", self.strength, 0)

    def penalty(self, x: Tensor) -> Tensor:
        down, across = (x.diff(dim=dim).square().sum((1, 2, 3)) for dim in (2, 3))
        return self.strength * (down + across)


@dataclass(frozen=True)
class Jitter(Regularizer):
    """Shows the picture moved at random, around its edges (Mordvintsev, Olah and Tyka 2015).

    Attributes:
        share: of the picture's side that it is moved by at most; 1/16 is 8 of 128 pixels.
    """

    share: float = 1 / 16

    def __post_init__(self) -> None:
        real("share", self.share, 0)

    def shown(self, x: Tensor, draw: Generator) -> Tensor:
        most = [round(self.share * side) for side in x.shape[2:]]
        moves = [int(torch.randint(-far, far + 1, (), generator=draw)) for far in most]
        return x.roll(moves, (2, 3))


@dataclass(frozen=True)
class RotateAndScale(Regularizer):
    """Shows the picture turned and resized at random, about its center (Olah, Mordvintsev and Schubert 2017).

    Attributes:
        degrees: turned by at most, to either side.
        scale: resized by at most this share, larger or smaller.
    """

    degrees: float = 10.0
    scale: float = 0.1

    def __post_init__(self) -> None:
        real("degrees", self.degrees, 0)
        real("scale", self.scale, 0, below=1)

    def shown(self, x: Tensor, draw: Generator) -> Tensor:
        turn, size = (2 * torch.rand(2, generator=draw, dtype=torch.float64) - 1).tolist()
        angle, zoom = math.radians(self.degrees * turn), 1 / (1 + self.scale * size)
        height, width = x.shape[2:]
        cos, sin, aspect = zoom * math.cos(angle), zoom * math.sin(angle), width / height
        matrix = x.new_tensor([[cos, -sin / aspect, 0.0], [sin * aspect, cos, 0.0]]).expand(len(x), 2, 3)
        grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
        return F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)


@dataclass(frozen=True)
class Blur(Regularizer):
    """Blurs the picture every few steps, with a Gaussian (Yosinski, Clune, Nguyen, Fuchs and Lipson 2015).

    Attributes:
        sigma: its standard deviation, in pixels.
        every: how many steps lie between.
    """

    sigma: float = 0.5
    every: int = 4

    def __post_init__(self) -> None:
        real("sigma", self.sigma, above=0)
        whole("every", self.every, 1)

    def edited(self, x: Tensor, step: int) -> Tensor | None:
        if step % self.every:
            return None
        reach = math.ceil(3 * self.sigma)
        weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1).to(x) / self.sigma) ** 2)
        kernel = (weights / weights.sum()).expand(x.shape[1], 1, 1, -1)
        wide = F.pad(x, (reach, reach, reach, reach), mode="replicate")
        return F.conv2d(F.conv2d(wide, kernel, groups=x.shape[1]), kernel.mT, groups=x.shape[1])


@dataclass(frozen=True)
class ClipSmall(Regularizer):
    """Sets the pixels with the smallest values to zero after each step: what matters little goes (Yosinski et al. 2015).

    Attributes:
        percent: of the pixels, those with the smallest norm over the channels.
    """

    percent: float = 30.0

    def __post_init__(self) -> None:
        real("percent", self.percent, 0, below=100)

    def edited(self, x: Tensor, step: int) -> Tensor:
        sizes = x.norm(dim=1, keepdim=True)
        count = int(self.percent / 100 * sizes[0].numel())
        if not count:
            return x
        return x * (sizes > sizes.flatten(1).kthvalue(count).values[:, None, None, None])
