"""Windows of maps give what whole pictures give: on random networks, with patches of any size and step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods import occlusion
from cnnwidgets.methods.fills import fill_picture, patch_mask
from cnnwidgets.net.incremental import scorer
from cnnwidgets.net.incremental.routes import Move
from tests.net.brute_force import answers, lively
from tests.net.networks import Function


class FunctionalConv(nn.Module):
    """A convolution whose weights are given to a function."""

    def __init__(self, channels_in, channels, kernel, **options):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, channels_in // options.get("groups", 1), *kernel))
        self.bias = nn.Parameter(torch.empty(channels))
        self.options = options

    def forward(self, x):
        return F.conv2d(x, self.weight, bias=self.bias, **self.options)


class Residual(nn.Module):
    """x + branch(x), the sum written in one of five ways."""

    def __init__(self, channels, how):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, (1, 5), padding=(0, 2))
        self.how = how

    def forward(self, x):
        y = self.conv2(self.relu(self.bn(self.conv1(x))))
        match self.how:
            case "+":
                y = y + x
            case "+=":
                y += x
            case "add_":
                y = y.add_(x)
            case "torch.add":
                y = torch.add(y, x, alpha=0.5)
            case "iadd relu":
                y += x
                y = F.relu(y, inplace=True)
        return self.relu(y)


class Shrinking(nn.Module):
    """A residual block whose way past has a stride too."""

    def __init__(self, channels):
        super().__init__()
        self.long = nn.Conv2d(channels, channels, 3, 2, 1)
        self.short = nn.Conv2d(channels, channels, 1, 2)

    def forward(self, x):
        return F.relu(self.long(x) + self.short(x))


class Branches(nn.Module):
    """Branches side by side, joined along the channels, as in GoogLeNet and DenseNet."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, 2, 3, padding=1)
        self.last = nn.Conv2d(2 * channels + 2, channels, 1)

    def forward(self, x):
        return self.last(torch.cat([self.conv(x), F.max_pool2d(x, 3, 1, 1), x], 1))


C = 4
"""Channels of every map."""

ELEMENTWISE = {
    "bn": lambda: nn.BatchNorm2d(C),
    "plain bn": lambda: nn.BatchNorm2d(C, affine=False),
    "relu": nn.ReLU,
    "relu in place": lambda: nn.ReLU(inplace=True),
    "F.relu": lambda: Function(lambda self, x: F.relu(x)),
    "F.relu_": lambda: Function(lambda self, x: F.relu_(x)),
    "x.relu_": lambda: Function(lambda self, x: x.relu_()),
    "gelu": nn.GELU,
    "prelu": lambda: nn.PReLU(C),
    "hardswish": lambda: nn.Hardswish(inplace=True),
    "dropout": lambda: nn.Dropout(0.5),
    "lrn": lambda: nn.LocalResponseNorm(3),
    "channels": lambda: Function(lambda self, x: torch.cat([x[:, 2:], x[:, :2]], dim=1)),
    "scaled": lambda: Function(lambda self, x: x * self.norm.weight[:, None, None] - 0.1, norm=nn.BatchNorm2d(C)),
    "shuffle": lambda: nn.ChannelShuffle(2),
    "residual +": lambda: Residual(C, "+"),
    "residual +=": lambda: Residual(C, "+="),
    "residual add_": lambda: Residual(C, "add_"),
    "residual torch.add": lambda: Residual(C, "torch.add"),
    "residual iadd relu": lambda: Residual(C, "iadd relu"),
    "shrinking": lambda: Shrinking(C),
    "branches": lambda: Branches(C),
}

pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))
small_pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def convolutions(draw, channels_in: int = C):
    kernel, groups = draw(pairs), draw(st.sampled_from([1, 2, C])) if channels_in == C else 1
    if draw(st.booleans()):
        options = {"padding": draw(st.sampled_from(["same", "valid"])), "dilation": draw(small_pairs), "groups": groups}
    else:
        options = {
            "stride": draw(small_pairs),
            "padding": draw(st.tuples(st.integers(0, 3), st.integers(0, 3))),
            "dilation": draw(small_pairs),
            "groups": groups,
        }
    if draw(st.booleans()):
        return FunctionalConv(channels_in, C, kernel, **options)
    return nn.Conv2d(channels_in, C, kernel, bias=draw(st.booleans()), **options)


@st.composite
def pools(draw):
    kernel = draw(pairs)
    options = {
        "stride": draw(st.one_of(st.none(), small_pairs)),
        "padding": tuple(draw(st.integers(0, k // 2)) for k in kernel),
        "ceil_mode": draw(st.booleans()),
    }
    as_function = draw(st.booleans())
    if draw(st.booleans()):
        options["dilation"] = draw(small_pairs)
        return (
            Function(lambda self, x: F.max_pool2d(x, kernel, **options)) if as_function else nn.MaxPool2d(kernel, **options)
        )
    options["count_include_pad"] = draw(st.booleans())
    options["divisor_override"] = draw(st.sampled_from([None, None, 3]))
    return Function(lambda self, x: F.avg_pool2d(x, kernel, **options)) if as_function else nn.AvgPool2d(kernel, **options)


def fits(part: nn.Module, shape) -> bool:
    try:
        with torch.no_grad():
            output = part(torch.zeros(1, *shape))
        return min(output.shape) > 0 and bool(output.isfinite().all())  # a pooling may see nothing but padding
    except RuntimeError:  # a kernel larger than the map
        return False


HEADS = {
    "flatten": (lambda x: x.flatten(1), lambda c, h, w: c * h * w),
    "view": (lambda x: x.view(x.size(0), -1), lambda c, h, w: c * h * w),
    "mean": (lambda x: x.mean((2, 3)), lambda c, h, w: c),
    "pool": (lambda x: F.adaptive_avg_pool2d(x, 1).flatten(1), lambda c, h, w: c),
    "max": (lambda x: torch.amax(x, (2, 3)), lambda c, h, w: c),
}


@st.composite
def networks(draw, size):
    """A chain of layers that all slide or look at single cells, and a fully connected head; its number of convolutions."""
    parts, shape = [], (2, *size)
    wanted = [
        draw(convolutions(2)),
        *(
            draw(
                st.one_of(
                    convolutions(), pools(), st.sampled_from(sorted(ELEMENTWISE)).map(lambda name: ELEMENTWISE[name]())
                )
            )
            for _ in range(draw(st.integers(0, 6)))
        ),
    ]
    for part in wanted:
        if not parts and not fits(part, shape):
            part = nn.Conv2d(2, C, 3, padding=1)
        lively(part)
        if fits(part, shape):
            parts.append(part)
            with torch.no_grad():
                shape = tuple(part(torch.zeros(1, *shape)).shape[1:])
    flat, count = HEADS[draw(st.sampled_from(sorted(HEADS)))]
    body = nn.Sequential(*parts)
    head = nn.Linear(count(*shape), 3)
    net = lively(Function(lambda self, x: self.head(flat(self.body(x))), body=body, head=head), draw(st.integers(0, 99)))
    return net, sum(isinstance(part, (nn.Conv2d, FunctionalConv)) for part in net.modules())


def assert_equal_to_brute_force(net, picture, tolerance=1e-5, **options):
    """Occlusion's logits of one class are those of the loop; returns what says how they were found."""
    result = occlusion(net, picture, 1, score="logit", **options)
    inputs = net.prepare(picture).to(net.dtype)
    fill = fill_picture(net, inputs, options.get("fill", "mean"), result.patch)[0]
    mask = patch_mask(options.get("shape", "rectangle"), result.patch)
    training = net.module.training
    wanted = answers(net.module.eval(), inputs[0], fill, mask, result.ys, result.xs)
    net.module.train(training)
    assert np.abs(result.values - wanted[..., 1]).max() <= tolerance * np.abs(wanted).max()
    assert result.exact
    assert result.passes == result.values.size
    np.testing.assert_array_equal(result.mask, mask)
    chances = torch.from_numpy(wanted).softmax(-1)
    assert np.abs(result.probability - chances[..., 1].numpy()).max() <= tolerance * (1 + np.abs(wanted).max())
    np.testing.assert_allclose(result.chances[..., 0], chances.amax(-1), atol=tolerance * (1 + np.abs(wanted).max()))
    return result.how


@pytest.mark.filterwarnings("ignore:Using padding=.same.")
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_windows_are_exact_on_random_networks(data, monkeypatch):
    height, width = size = data.draw(st.tuples(st.integers(5, 19), st.integers(5, 19)), "size")
    module, convs = data.draw(networks(size), "network")
    kind = data.draw(st.sampled_from([torch.float32, torch.float32, torch.float64]), "dtype")
    monkeypatch.setattr(scorer, "BATCH", data.draw(st.integers(1, 17), "batch"))
    net = cw.bind(module.to(kind), input_shape=(2, *size))
    picture = torch.randn(2, *size, generator=torch.Generator().manual_seed(height * width))
    how = assert_equal_to_brute_force(
        net,
        picture,
        patch=data.draw(st.tuples(st.integers(1, height), st.integers(1, width)), "patch"),
        stride=data.draw(st.tuples(st.integers(1, 6), st.integers(1, 6)), "stride"),
        fill=data.draw(st.sampled_from(["mean", "zero", "noise", "blur"]), "fill"),
        shape=data.draw(st.sampled_from(["rectangle", "ellipse"]), "shape"),
    )
    assert how == f"exact windows in {convs} of {convs} convolutions"


@pytest.mark.parametrize("name", sorted(ELEMENTWISE))
@pytest.mark.parametrize("size", [(12, 12), (9, 14)])
def test_every_kind_of_layer_is_computed_in_windows(name, size):
    body = nn.Sequential(nn.Conv2d(2, C, 3, padding=1), ELEMENTWISE[name](), nn.Conv2d(C, 3, 3, 2), nn.Flatten())
    out = [(n - 3) // 2 + 1 for n in ([(n + 1) // 2 for n in size] if name == "shrinking" else size)]
    net = cw.bind(lively(nn.Sequential(body, nn.Linear(3 * out[0] * out[1], 3))), input_shape=(2, *size))
    torch.manual_seed(0)
    how = assert_equal_to_brute_force(net, torch.randn(2, *size), patch=(3, 4), stride=2)
    convs = sum(isinstance(part, nn.Conv2d) for part in net.module.modules())
    assert how == f"exact windows in {convs} of {convs} convolutions"


@pytest.mark.parametrize("options", [{"stride": 2}, {"stride": (1, 3)}, {"stride": 2, "padding": 1}, {"groups": 3}])
def test_a_convolution_of_single_cells_copies_no_map(monkeypatch, options):
    """It takes every cell of the windows, or every second or third; only padding makes it take crops of the clean map."""
    conv = nn.Conv2d(6, 6, 1, **options)
    body = nn.Sequential(nn.Conv2d(2, 6, 1), conv, nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(54, 3))
    net, picture = cw.bind(lively(body), input_shape=(2, 20, 20)), torch.randn(2, 20, 20)
    how = assert_equal_to_brute_force(net, picture, patch=(4, 6), stride=1)
    assert how == "exact windows in 2 of 2 convolutions"
    crops, plain = [], Move.crop
    monkeypatch.setattr(Move, "crop", lambda move, cells: crops.append(move) or plain(move, cells))
    occlusion(net, picture, patch=(4, 6), stride=1, region=(6, 6, 8, 8))  # not cut off by the border
    parts = [move for move in crops if move.size != move.canvas.step.size]  # whole maps are what the average takes
    assert bool(parts) == ("padding" in options)


def test_a_padding_that_mirrors_the_map_takes_whole_maps():
    body = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect"), nn.Flatten())
    net = cw.bind(lively(nn.Sequential(body, nn.Linear(3 * 8 * 8, 3))), input_shape=(2, 10, 10))
    assert (
        assert_equal_to_brute_force(net, torch.randn(2, 10, 10), patch=3, stride=1) == "exact windows in 1 of 2 convolutions"
    )
