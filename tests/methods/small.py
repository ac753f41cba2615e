"""A small network with a batch norm, pooling and two convolutions, and a picture for it."""

from __future__ import annotations

import torch
from torch import nn

import cnnwidgets as cw
from tests.net.brute_force import lively


def small(size=12, seed=0) -> nn.Module:
    body = [nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3), nn.ReLU()]
    return lively(nn.Sequential(*body, nn.Flatten(), nn.Linear(8 * (size // 2 - 2) ** 2, 4)), seed)


def bound(size=12):
    return cw.bind(small(size), input_shape=(3, size, size))


def picture(size=12, seed=0):
    return torch.randn(3, size, size, generator=torch.Generator().manual_seed(seed))
