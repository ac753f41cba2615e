"""Networks whose answer to a picture depends on the others in its batch, each written in another way."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from tests.net.brute_force import lively
from tests.net.networks import Function


def attention(h):
    rows = h.flatten(1)
    return (torch.softmax(rows @ rows.mT / rows.shape[1] ** 0.5, -1) @ rows).view_as(h)


FORWARDS: dict[str, Callable] = {
    "batch norm without running statistics": lambda h: F.batch_norm(h, None, None, training=True),
    "minus the mean": lambda h: h - 0.9 * h.mean(0),
    "over the largest": lambda h: h / h.abs().max(),
    "attention over the batch": attention,
    "minus the picture before": lambda h: h - 0.5 * h.roll(1, 0),
    "a running sum": lambda h: h.cumsum(0),
    "times how many": lambda h: h * len(h),
    "softmax over the batch": lambda h: h + h.softmax(0),
    "a little of the others": lambda h: h + 1e-4 * h.sum(0),
}


def mixing(how: str) -> nn.Module:
    """A small network that mixes its batch in one of these ways."""
    parts = {"conv": nn.Conv2d(3, 4, 3), "last": nn.Linear(4, 3)}
    forward = FORWARDS[how]
    return lively(Function(lambda self, x: self.last(F.relu(forward(self.conv(x))).mean((2, 3))), **parts))


def with_offset() -> nn.Module:
    """The mean of the batch is taken off, and all logits get a constant beside which they are small."""
    parts = {"conv": nn.Conv2d(3, 4, 3), "last": nn.Linear(4, 3)}

    def forward(self, x):
        h = self.conv(x)
        return self.last(F.relu(h - 0.9 * h.mean(0)).mean((2, 3))) + 1000

    return lively(Function(forward, **parts))


def by_a_hook() -> nn.Module:
    """A plain network whose user has hung a hook on it that mixes."""
    model = lively(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)))
    model[1].register_forward_hook(lambda module, args, output: output - output.mean(0, keepdim=True) / 2)
    return model


def not_tracking() -> nn.Module:
    """The layer that the field knows for it: batch normalization that keeps no statistics."""
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False), nn.ReLU(), nn.AdaptiveAvgPool2d(1)]
    return lively(nn.Sequential(*layers, nn.Flatten(), nn.Linear(4, 3)))


MIXING: dict[str, Callable[[], nn.Module]] = {
    **{how: lambda how=how: mixing(how) for how in FORWARDS},
    "an offset beside which it is small": with_offset,
    "a hook": by_a_hook,
    "nn.BatchNorm2d": not_tracking,
}
