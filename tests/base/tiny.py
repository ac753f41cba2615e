"""A panel that does next to nothing, whose computation can be made to stand still; and networks to test on."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import ipywidgets as w
import numpy as np
import torch
import torch.nn.functional as F
import traitlets as t
from PIL import Image
from torch import nn

from cnnwidgets.base import Panel, controls, draws
from cnnwidgets.base.image import Image as Picture
from cnnwidgets.base.traits import Choice, Cursor, public
from cnnwidgets.net import Cancelled
from cnnwidgets.net.preprocess import Preprocess
from cnnwidgets.views import MatrixView

PATIENCE = 20.0


class Doubler(Panel):
    """Twice a number. Its computation waits at a gate; ``deaf`` says that it does not hear a cancel there."""

    number = public(t.Int(1, help="what is doubled"), controls.Slider(bounds=lambda panel: (-9, 99)))
    word = Choice(("one", "two"), texts=("One", "Two"), then="nothing", help="a word")
    place = Cursor(help="a place")
    picture = public(Picture(None, help="a picture"), None, then="nothing")

    def __init__(self, net: nn.Module | None = None, *, deaf: bool = False, **options):
        self.gate, self.started, self.deaf = threading.Event(), threading.Event(), deaf
        self.gate.set()
        self.begun: list[int] = []
        self.drawn: list[int] = []
        super().__init__(net or nn.Identity(), **options)

    def build(self):
        self.view = MatrixView()
        return self.view

    def compute(self, state, job):
        self.begun.append(state.number)
        self.started.set()
        while not self.gate.wait(0.001):
            if job.is_set() and not self.deaf:
                raise Cancelled
        if state.number < 0:
            raise ValueError(f"{state.number} is below zero")
        return 2 * state.number

    @draws()
    def draw_number(self, result):
        self.drawn.append(result)
        self.view.show(np.full((1, 1, 1), result))

    @draws("place")
    def draw_place(self, result):
        if self.place is not None and self.place > 1:
            raise ValueError(f"there is no place {self.place}")
        self.view.caption = f"at {self.place}"

    def summary(self, result):
        return f"twice {self.number} is {result}"

    def data(self):
        return {"values": np.array([[self.result]], float)}

    def code(self):
        return f"values = [[2.0 * {self.number}]]"

    @contextmanager
    def standing_still(self, number: int) -> Iterator[None]:
        """Inside, the computation for a number has begun and does not end."""
        self.gate.clear()
        self.started.clear()
        try:
            self.number = number
            assert self.started.wait(PATIENCE)
            yield
        finally:
            self.gate.set()


class Gated(nn.Module):
    """A convolution and a ReLU, between which a forward pass waits while the gate is shut."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3)
        self.gate, self.reached = threading.Event(), threading.Event()
        self.gate.set()

    def forward(self, x):
        x = self.conv(x)
        self.reached.set()
        assert self.gate.wait(PATIENCE)
        return F.relu(x).mean((2, 3))

    @contextmanager
    def shut(self) -> Iterator[None]:
        self.gate.clear()
        self.reached.clear()
        try:
            yield
        finally:
            self.gate.set()


def control(panel: Panel, name: str) -> dict:
    """A control as the browser gets it; a KeyError where there is none."""
    return panel.controls[name]


def is_shown(panel: Panel, part) -> bool:
    """Whether a view, or a box of views, is on screen."""
    return not any(part in box.hidden for box in panel._box.boxes())


def under(widget: w.Widget) -> Iterator[w.Widget]:
    """A widget and all that it holds."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from under(child)


# networks for code that runs in a fresh process: the same weights every time


class Several(nn.Module):
    """Rows of every sort: grouped transposed convolution, free weight, functions, channels last, tokens behind a
    class token, vectors."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.up = nn.ConvTranspose2d(6, 4, 2, stride=2, groups=2)
        self.free = nn.Parameter(torch.randn(4, 4, 3, 3))
        self.norm = nn.LayerNorm(4)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.head = nn.Linear(4, 5)
        self.token = nn.Parameter(torch.randn(1, 1, 4))

    def forward(self, x):
        x = F.relu(self.conv(x))
        x = self.up(x)
        x = F.relu(F.conv2d(x, self.free, stride=2))
        x = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        x = x + x.abs()
        x = x.flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), 1, 4), x], 1)
        x = x + self.attention(x, x, x)[0]
        return self.head(x.mean(1))


def several() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Several().eval()


preprocess = Preprocess((3, 8, 8))


def by_hand(picture: Image.Image) -> torch.Tensor:
    """A preprocessing of one's own, which knows what to do with 16 bits and is for three channels else."""
    values = torch.from_numpy(np.array(picture.resize((8, 8)), np.float32))
    return (values / 4095).expand(3, 8, 8) if values.ndim == 2 else values.permute(2, 0, 1) / 255


def picture_tensor(shape=(3, 8, 8)) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


def are_gone(references, seconds: float = 2.0) -> bool:
    """Whether weak references come to nothing; a timer's thread that is about to end may hold them for a moment."""
    end = time.monotonic() + seconds
    while any(one() for one in references) and time.monotonic() < end:
        gc.collect()
        time.sleep(0.01)
    return not any(one() for one in references)
