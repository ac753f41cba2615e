"""Small networks at random, written in all the ways that people write them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from tests.net.brute_force import lively

Operation = Callable[[nn.Module, Tensor], Tensor]
"""Of the network and a map."""


class Scaled(nn.Conv2d):
    """A convolution with a forward pass of its own: its filters are standardized when they are used."""

    def forward(self, input):
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return F.conv2d(input, weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


class Leaky(nn.ReLU):
    def forward(self, input):
        return super().forward(input) - 0.1 * super().forward(-input)


class Network(nn.Module):
    """Operations one after the other, and a head.

    Attributes:
        lines: the source of each operation, to read when a test fails.
    """

    def __init__(self):
        super().__init__()
        self.operations: list[Operation] = []
        self.lines: list[str] = []
        self.register_buffer("average", torch.zeros(()))
        self.scale = nn.Parameter(torch.ones(()))

    def add(self, operation: Operation, *said) -> None:
        self.operations.append(operation)
        self.lines.append(f"{inspect.getsource(operation).strip()}  {said}")

    def part(self, module: nn.Module) -> str:
        """Take the module as a part; returns its name."""
        name = f"part{len(self._modules)}"
        self.add_module(name, module)
        return name

    def __getitem__(self, name: str) -> Any:
        """A part, or a parameter of the network's own."""
        return getattr(self, name)

    def forward(self, x):
        for operation in self.operations:
            x = operation(self, x)
        return x


class WithDefaults(Network):
    def forward(self, x, mask=None, *, gain: float = 1.0):
        if mask is not None:
            x = x * mask
        x = super().forward(x)
        return x if gain == 1.0 else x * gain


class WithAnything(Network):
    def forward(self, *args, **kwargs):
        return super().forward(*args, **kwargs)


class Maker:
    """Draws a network for pictures of a shape.

    Attributes:
        network: what has been made so far.
        shape: (1, C, H, W) of its output.
    """

    def __init__(self, rng: np.random.Generator, shape: tuple[int, int, int]):
        self.rng, self.shape = rng, (1, *shape)
        self.network = self.one_of(Network, Network, Network, WithDefaults, WithAnything)()

    def one_of(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def flip(self) -> bool:
        return bool(self.rng.integers(2))

    def add(self, operation: Operation, *said) -> bool:
        """Whether the operation fits what there is; it is added then."""
        try:
            with torch.no_grad():
                found = operation(self.network, torch.zeros(self.shape))
        except (RuntimeError, ValueError):
            return False
        if found.ndim != 4 or min(found.shape) < 1 or max(found.shape[2:]) > 40:
            return False
        self.network.add(operation, *said)
        self.shape = tuple(found.shape)
        return True

    def grow(self, count: int, *kinds: Callable[[], bool]) -> None:
        while count:
            count -= self.one_of(*kinds)()

    def body(self) -> None:
        """Operations of which a patch changes windows; in half of the networks others as well, mostly behind them."""
        near = [self.convolution, self.convolution, self.activation, self.activation, self.pool, self.arithmetic]
        far = [*near, self.norm, self.far, self.far, self.shift]
        if self.one_of(0, 0, 0, 0, 1):
            self.grow(1, self.norm, self.far, self.shift)
        self.grow(int(self.rng.integers(1, 6)), *near)
        if self.flip():
            self.grow(int(self.rng.integers(1, 3)), *far)

    def convolution(self) -> bool:
        channels, out = self.shape[1], self.one_of(2, 4, 6)
        kernel = self.one_of(1, 2, 3, 3, (1, 3), (3, 2))
        groups = self.one_of(1, 1, 1, channels, 2)
        if channels % groups or out % groups:
            return False
        mode = self.one_of("zeros", "zeros", "zeros", "reflect", "replicate", "circular")
        options = {
            "stride": self.one_of(1, 1, 2, (1, 2), 3),
            "padding": self.one_of(0, 1, (1, 0), 2),
            "dilation": self.one_of(1, 1, 1, 2),
            "groups": groups,
            "bias": self.flip(),
        }
        make = self.one_of(nn.Conv2d, nn.Conv2d, nn.Conv2d, Scaled)
        try:
            module = make(channels, out, kernel, padding_mode=mode, **options)
        except ValueError:
            return False
        if self.one_of(0, 0, 0, 0, 1):
            module = self.one_of(parametrizations.weight_norm, parametrizations.spectral_norm)(module)
        conv = self.network.part(module)
        rest = (options["stride"], options["padding"], options["dilation"], groups)
        named = {"stride": rest[0], "padding": rest[1], "dilation": rest[2], "groups": groups}
        form = self.one_of(
            lambda net, x: net[conv](x),
            lambda net, x: net[conv](x),
            lambda net, x: net[conv](x),
            lambda net, x: net[conv](input=x),
            lambda net, x: F.conv2d(x, net[conv].weight, net[conv].bias, *rest),
            lambda net, x: F.conv2d(input=x, weight=net[conv].weight, bias=net[conv].bias, **named),
            lambda net, x: torch.conv2d(x, net[conv].weight, net[conv].bias, *rest),
            lambda net, x: F.conv2d(x, net[conv].weight, padding="same", dilation=rest[2], groups=groups),
        )
        return self.add(form, options)

    def activation(self) -> bool:
        relu, again = self.network.part(nn.ReLU(self.flip())), self.network.part(Leaky(self.flip()))
        module = self.network.part(
            self.one_of(*(nn.LeakyReLU, nn.ELU, nn.ReLU6, nn.SiLU, nn.Hardswish, nn.Hardtanh, nn.CELU, nn.SELU, nn.Mish))(
                inplace=self.flip()
            )
        )
        form = self.one_of(
            lambda net, x: net[relu](x),
            lambda net, x: net[relu](input=x),
            lambda net, x: net[module](x),
            lambda net, x: net[again](x),
            lambda net, x: F.relu(x),
            lambda net, x: F.relu(input=x, inplace=True),
            lambda net, x: F.relu(x, True),
            lambda net, x: F.relu_(x),
            lambda net, x: F.leaky_relu_(x, 0.2),
            lambda net, x: F.elu_(x),
            lambda net, x: F.hardtanh_(x, -0.5, 0.5),
            lambda net, x: F.rrelu(x),
            lambda net, x: torch.relu_(x),
            lambda net, x: torch.selu_(x),
            lambda net, x: x.relu_(),
            lambda net, x: x.clamp_(min=0),
            lambda net, x: x.clamp(-0.5, 0.7),
            lambda net, x: torch.where(x > 0, x, 0.1 * x),
            lambda net, x: torch.max(x, -x),
            lambda net, x: F.gelu(x),
            lambda net, x: torch.tanh(x),
            lambda net, x: x.sigmoid_(),
            lambda net, x: F.softmax(x, 1),
            lambda net, x: F.softmax(x, dim=-1),
            lambda net, x: F.glu(x, 1),
            lambda net, x: F.prelu(x, net.scale.view(1)),
        )
        return self.add(form)

    def norm(self) -> bool:
        channels = self.shape[1]
        batch, layer = self.network.part(nn.BatchNorm2d(channels)), self.network.part(nn.LayerNorm(channels))
        instance, group = self.network.part(nn.InstanceNorm2d(channels)), self.network.part(nn.GroupNorm(1, channels))
        without = self.network.part(nn.BatchNorm2d(channels, track_running_stats=False))
        return self.add(
            self.one_of(
                lambda net, x: net[batch](x),
                lambda net, x: net[batch](x),
                lambda net, x: net[batch](input=x),
                lambda net, x: net[instance](x),
                lambda net, x: net[group](x),
                lambda net, x: net[layer](x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2),
                lambda net, x: F.local_response_norm(x, 3),
                lambda net, x: F.layer_norm(x, x.shape[1:]),
                lambda net, x: F.normalize(x, dim=1),
                lambda net, x: net[without](x),
            )
        )

    def pool(self) -> bool:
        kernel, ceil = self.one_of(2, 3, (2, 1)), self.flip()
        stride, padding = self.one_of(None, 1, 2), self.one_of(0, 1)
        most = self.network.part(nn.MaxPool2d(kernel, stride, padding, self.one_of(1, 1, 2), ceil_mode=ceil))
        mean = self.network.part(nn.AvgPool2d(kernel, stride, padding, ceil, self.flip()))
        return self.add(
            self.one_of(
                lambda net, x: net[most](x),
                lambda net, x: net[mean](x),
                lambda net, x: net[mean](input=x),
                lambda net, x: F.max_pool2d(x, kernel, stride, padding, ceil_mode=ceil),
                lambda net, x: F.max_pool2d(input=x, kernel_size=kernel, stride=stride),
                lambda net, x: F.avg_pool2d(x, kernel, stride, padding, ceil),
            ),
            kernel, stride, padding, ceil,
        )  # fmt: skip

    def shift(self) -> bool:
        """Operations that move cells about."""
        mode, edge = self.one_of("constant", "reflect", "replicate", "circular"), self.one_of((1, 1, 1, 1), (2, 0, 0, 1))
        pad = self.network.part(self.one_of(nn.ZeroPad2d, nn.ReflectionPad2d, nn.ReplicationPad2d)(edge))
        return self.add(
            self.one_of(
                lambda net, x: F.pad(x, edge, mode),
                lambda net, x: F.pad(x, (-1, 0, 0, -1)),
                lambda net, x: net[pad](x),
                lambda net, x: x.flip(3),
                lambda net, x: torch.roll(x, 1, 2),
                lambda net, x: x.transpose(2, 3),
                lambda net, x: x[:, :, 1:],
                lambda net, x: x[..., ::2],
                lambda net, x: x[:, :2],
                lambda net, x: x.flatten(2).view(len(x), x.shape[1], *x.shape[2:]),
                lambda net, x: F.channel_shuffle(x, 2),
                lambda net, x: torch.cat(x.chunk(2, 1)[::-1], 1),
                lambda net, x: x.contiguous().detach().clone(),
            ),
            mode, edge,
        )  # fmt: skip

    def arithmetic(self) -> bool:
        channels = self.shape[1]
        same = self.network.part(nn.Conv2d(channels, channels, 3, padding=1))
        narrow = self.network.part(nn.Conv2d(channels, channels, 1))
        return self.add(
            self.one_of(
                lambda net, x: x + net[same](x),
                lambda net, x: x.add_(net[same](x)),
                lambda net, x: torch.add(input=x, other=net[same](x), alpha=2),
                lambda net, x: F.relu(net[same](x) + net[narrow](x)),
                lambda net, x: F.relu_(net[same](x).add_(x)),
                lambda net, x: torch.cat([x, net[same](x)], 1),
                lambda net, x: torch.cat(tensors=(x, net[narrow](x)), dim=1),
                lambda net, x: x + net.scale.mean(),
                lambda net, x: x.mul_(0.5).sub_(1),
                lambda net, x: 1 - x,
                lambda net, x: x**2,
                lambda net, x: -x,
                increment,
                lambda net, x: torch.einsum("nchw,cd->ndhw", x, net[narrow].weight[:, :, 0, 0]),
                lambda net, x: F.dropout(x, training=net.training),
            ),
        )

    def far(self) -> bool:
        """Operations that look at the whole map, or that a graph does not hold."""
        _, channels, height, width = self.shape
        same = self.network.part(nn.Conv2d(channels, channels, 3, padding=1))
        narrow = self.network.part(nn.Conv2d(channels, channels, 1))
        places = nn.Parameter(torch.randn(1, 1, height, width, generator=torch.Generator().manual_seed(3)))
        self.network.register_parameter(named := f"places{len(self.network.lines)}", places)
        return self.add(
            self.one_of(
                lambda net, x: torch.cat([x, x[:, :, :1]], -2),
                lambda net, x: x * torch.sigmoid(net[narrow](x.mean((2, 3), keepdim=True))),
                lambda net, x: x * net[named],
                lambda net, x: x - x.mean((2, 3), keepdim=True),
                lambda net, x: x - x.mean(0),
                lambda net, x: x / (1 + x.abs().amax()),
                overwrite_a_row,
                overwrite_channels,
                overwrite_a_view,
                copy_into,
                masked,
                remember,
                branch_on_values,
                branch_on_the_shape,
                with_no_grad,
                used_again,
                lambda net, x: torch.matmul(x, x.transpose(2, 3)) @ x,
                lambda net, x: torch.cumsum(x, 3),
                lambda net, x: torch.stack([x, net[same](x)]).amax(0),
                lambda net, x: F.adaptive_avg_pool2d(x, 4),
                lambda net, x: F.adaptive_max_pool2d(x, (3, 5)),
                lambda net, x: F.lp_pool2d(x, 2, 2),
                lambda net, x: F.interpolate(x, scale_factor=2),
                lambda net, x: F.interpolate(x, size=(9, 7), mode="bilinear"),
                lambda net, x: F.pixel_unshuffle(x, 2),
            ),
        )

    def finish(self) -> nn.Module:
        """With a head for three classes; in evaluation mode, with lively weights."""
        _, channels, height, width = self.shape
        flat = self.network.part(nn.Linear(channels * height * width, 3))
        mean = self.network.part(nn.Linear(channels, 3))
        network = self.network
        head = self.one_of(
            lambda net, x: net[flat](x.flatten(1)),
            lambda net, x: net[flat](x.reshape(len(x), -1)),
            lambda net, x: net[flat](torch.flatten(input=x, start_dim=1)),
            lambda net, x: net[mean](x.mean((2, 3))),
            lambda net, x: net[mean](F.adaptive_avg_pool2d(x, 1).flatten(1)),
            lambda net, x: net[mean](x.amax(dim=(2, 3))),
            lambda net, x: net[mean](x[:, :, height // 2, width // 2]),
            lambda net, x: net[flat](x.flatten(1)) + 1000,
        )
        network.add(head)
        if self.one_of(0, 0, 0, 0, 1):
            self.hook(self.one_of(*(network[name] for name in network._modules)))
        return lively(network, seed=int(self.rng.integers(2**31)))

    def hook(self, part: nn.Module) -> None:
        """As users put them on: to ablate, to look, to change what goes in or what comes out."""
        form = self.one_of(ablate, scale_by_place, when_low, look, mix)
        part.register_forward_hook(form)
        if self.one_of(0, 0, 1):
            part.register_forward_pre_hook(double_inputs)
        self.network.lines.append(f"{form.__name__} on {part}")


def ablate(module, args, output):
    output[:, :1] = 0


def scale_by_place(module, args, output):
    return output * torch.linspace(0, 1, output.shape[-1], dtype=output.dtype)


def when_low(module, args, output):
    return output * 2 if output.amin() < -1.5 else None


def look(module, args, output):
    module.seen = output.detach().mean().item()


def mix(module, args, output):
    return output - output.mean(0, keepdim=True) / 2


def double_inputs(module, args):
    return (args[0] * 2, *args[1:]) if args else None


def increment(net, x):
    x += 1
    return x


def overwrite_a_row(net, x):
    x = x.clone()
    x[:, :, 0] = 0
    return x


def overwrite_channels(net, x):
    x[:, :1] *= 2
    return x


def overwrite_a_view(net, x):
    x.view(-1).mul_(0.5)
    return x


def copy_into(net, x):
    other = torch.empty_like(x)
    other.copy_(x)
    return other.add_(1)


def masked(net, x):
    mask = torch.empty(x.shape[-1], dtype=x.dtype)
    mask.fill_(1)
    mask[0] = 0
    return x * mask


def remember(net, x):
    net.average = 0.9 * net.average + 0.1 * x.detach().mean()
    net.last = x
    return x


def branch_on_values(net, x):
    return F.relu(x) if x.mean() > 0 else x + 1


def branch_on_the_shape(net, x):
    return F.relu(x) if x.shape[2] > 4 else x.tanh()


def with_no_grad(net, x):
    with torch.no_grad():
        return F.relu(x)


def used_again(net, x):
    y = F.relu(x, inplace=True)
    return y * 2 + x


def network(seed: int) -> tuple[nn.Module, tuple[int, int, int], np.random.Generator]:
    """A network in evaluation mode, the shape of its pictures, and the generator for what else is to be drawn."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    shape = int(rng.integers(1, 4)), int(rng.integers(8, 17)), int(rng.integers(8, 17))
    maker = Maker(rng, shape)
    maker.body()
    return maker.finish(), shape, rng
