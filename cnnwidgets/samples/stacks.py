"""Networks of any depth, to race against each other: they are built, not bundled."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from torch import Tensor, nn

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "identity": nn.Identity,
    "relu": nn.ReLU,
    "leaky_relu": lambda: nn.LeakyReLU(0.1),
    "elu": nn.ELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


class Stack(nn.Module):
    """Convolutions of 3x3 one after the other, plain or with a shortcut around every two of them.

    Input ``(N, C, H, W)``, output ``(N, classes)`` logits. The first convolution has a stride, an average over all places
    precedes the linear layer. After He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2016,
    section 4.2, with a single stage, so that plain and residual networks have the same weights.

    Parameters:
        depth: layers with weights, even and at least 4: one convolution, pairs of them, and a linear layer.
        residual: whether each pair has a shortcut.
        channels: of every convolution.
        stride: of the first convolution: maps are this many times smaller than the picture.
        batch_norm: whether a batch norm follows each convolution.
        activation: one of :data:`ACTIVATIONS`.
        inputs: channels of a picture.
        classes: number of logits.

    Raises:
        ValueError: there is no such depth or activation.
    """

    def __init__(
        self,
        depth: int = 8,
        residual: bool = False,
        channels: int = 12,
        stride: int = 2,
        batch_norm: bool = True,
        activation: str = "relu",
        inputs: int = 1,
        classes: int = 10,
    ):
        super().__init__()
        if not isinstance(depth, int) or depth < 4 or depth % 2:
            raise ValueError(f"depth is {depth!r}; expected an even number of at least 4")
        self.stem = _convolution(inputs, channels, batch_norm, stride)
        self.act = _activation(activation)
        self.blocks = nn.Sequential(*(Pair(channels, residual, batch_norm, activation) for _ in range((depth - 2) // 2)))
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.blocks(self.act(self.stem(x))).mean((2, 3)))


class Pair(nn.Module):
    """Two convolutions, with a shortcut around them where they are residual."""

    def __init__(self, channels: int, residual: bool, batch_norm: bool, activation: str):
        super().__init__()
        self.first = _convolution(channels, channels, batch_norm)
        self.act1 = _activation(activation)
        self.second = _convolution(channels, channels, batch_norm)
        self.act2 = _activation(activation)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        found = self.second(self.act1(self.first(x)))
        return self.act2(found + x if self.residual else found)


class MLP(nn.Sequential):
    """Linear layers with an activation between each two.

    Input ``(N, ...)`` of so many values, output ``(N, classes)`` logits. 300 and 100 units are those of LeCun, Bottou,
    Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998, section III.C.

    Parameters:
        hidden: units of each hidden layer.
        activation: one of :data:`ACTIVATIONS`; "identity" makes one matrix of all.
        inputs: values in a picture.
        classes: number of logits.

    Raises:
        ValueError: there is no such activation.
    """

    def __init__(self, hidden: Sequence[int] = (300, 100), activation: str = "relu", inputs: int = 1024, classes: int = 10):
        layers: list[nn.Module] = [nn.Flatten()]
        for before, after in itertools.pairwise([inputs, *hidden]):
            layers += [nn.Linear(before, after), _activation(activation)]
        super().__init__(*layers, nn.Linear([inputs, *hidden][-1], classes))


def _convolution(channels_in: int, channels: int, batch_norm: bool, stride: int = 1) -> nn.Module:
    convolution = nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=not batch_norm)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels)) if batch_norm else convolution


def _activation(name: str) -> nn.Module:
    if name not in ACTIVATIONS:
        raise ValueError(f"there is no activation {name!r}; there are {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]()
