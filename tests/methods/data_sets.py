"""Data sets to scan: small, with bad pictures in them, slow, drawing random numbers; and what a bare loop says of them."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import torch

import cnnwidgets as cw
from tests.methods.small import small


class Pictures(torch.utils.data.Dataset):
    """Item i is a random picture (3, 12, 12), always the same, and the label i modulo 4."""

    def __init__(self, size: int = 50):
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, i: int):
        return torch.randn(3, 12, 12, generator=torch.Generator().manual_seed(i)), i % 4


class Bad(Pictures):
    """Some items raise, are none, have another size, a NaN or two pictures; these are ``Bad.indices``."""

    indices = (0, 3, 11, 12, 13, 14, 15, 29, 49)

    def __getitem__(self, i: int):
        picture, label = super().__getitem__(i)
        match self.indices.index(i) if i in self.indices else None:
            case 0:
                raise OSError("the file is truncated")
            case 1:
                return None
            case 2:
                return torch.zeros(3, 9, 12), label
            case 3:
                return torch.full((3, 12, 12), float("nan")), label
            case 4:
                return torch.zeros(2, 3, 12, 12), label
            case 5:
                raise KeyError("gone")
            case 6:
                return {"text": "no picture"}
            case 7:
                return Path("there is no such file.png"), label
            case 8:
                return "not a path\0", label
        return picture, label


class Drawing(Pictures):
    """Every item is changed at random, by the three global generators."""

    def __getitem__(self, i: int):
        picture, label = super().__getitem__(i)
        return picture + torch.rand(1) + np.random.rand() + random.random(), label


class Slow(Bad):
    """Takes its time."""

    def __getitem__(self, i: int):
        time.sleep(0.01)
        return super().__getitem__(i)


class Deadly(Slow):
    """The first process that asks for item 33 dies of it, once; ``note`` is a file that says whether one has."""

    def __init__(self, note: Path):
        super().__init__()
        self.note = note

    def __getitem__(self, i: int):
        if i == 33 and not self.note.exists():
            self.note.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(i)


def network() -> cw.BoundModel:
    return cw.bind(small(), input_shape=(3, 12, 12))


def bare_loop(net: cw.BoundModel, numbers, batch_size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (n, 4) and the second ReLU's maps (n, 8, 4, 4) of some items of Pictures, by plain torch."""
    logits, maps = [], []
    data = Pictures()
    with torch.no_grad():
        for start in range(0, len(numbers), batch_size):
            inputs = torch.stack([data[i][0] for i in numbers[start : start + batch_size]])
            maps.append(net.module[:6](inputs))
            logits.append(net.module(inputs))
    return torch.cat(logits), torch.cat(maps)
