"""What a position sees, against the truth: raise the input and look which positions answer, or take the gradient."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torchvision import models

from cnnwidgets.net import ReceptiveField, bind
from tests.net.networks import Function, LeNet5, cheap

SIDES = (61, 67)


# the truth


def seen(model: nn.Module, shape: tuple[int, int, int]) -> list[torch.Tensor]:
    """For rows, then for columns: a boolean matrix (positions along the axis, input pixels along the axis).

    NaN goes wherever a value goes, through a maximum too, and nothing cancels it. Each picture of the batch has one row (or
    column) of NaN; an output row answers if any of its values, in any unit, does.
    """
    answers = []
    for axis in (2, 3):
        sides = shape[axis - 1]
        images = torch.rand(sides, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        for i in range(sides):
            images[i].select(axis - 1, i).fill_(math.nan)
        with torch.no_grad():
            output = model.eval()(images)
        answers.append(output.isnan().any(1).any(5 - axis - 1).T)
    return answers


def hull(sees: torch.Tensor) -> tuple[int, int]:
    """First pixel and length."""
    (pixels,) = sees.nonzero(as_tuple=True)
    return int(pixels[0]), int(pixels[-1] - pixels[0] + 1)


def inner(field: ReceptiveField, axis: int, positions: int, side: int, margin: float = 0) -> list[int]:
    """The positions whose box lies within the picture: neither padding nor its end cuts it."""
    boxes = [(i, field.offset[axis] + i * field.step[axis]) for i in range(positions)]
    return [i for i, low in boxes if low >= margin and low + field.size[axis] <= side - margin]


def check(model: nn.Module, shape: tuple[int, int, int], need_inner: bool = True, cropped: int = 0) -> str:
    """Compare the last layer's field with the truth, at every inner position of both axes; returns its status."""
    model = model.double()
    field = bind(model, input_shape=shape).layers[-1].receptive_field
    for axis, answers in enumerate(seen(model, shape)):
        side = shape[axis + 1]
        if field.status == "global":
            assert field.box(3, 5) == (0, 0, *shape[1:])
            continue
        positions = inner(field, axis, len(answers), side, cropped * field.step[axis])
        assert positions or not need_inner
        for i in positions:
            low, length = hull(answers[i])
            box = (field.box(i, 0)[axis], field.size[axis]) if axis == 0 else (field.box(0, i)[axis], field.size[axis])
            if field.status == "exact":
                assert (low, length) == box
            else:
                assert box[0] <= low and low + length <= box[0] + box[1]
    return field.status


# random networks

pair = lambda low, high: st.tuples(st.integers(low, high), st.integers(low, high))  # noqa: E731


class Same(nn.Module):
    """A block whose result has the sides of its input."""

    def __init__(self, kernel, dilation):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, kernel, padding="same", dilation=dilation)


class Add(Same):
    def forward(self, x):
        return x + self.conv(x)


class AddInPlace(Same):
    def forward(self, x):
        y = self.conv(x)
        y += x
        return F.relu_(y)


class Cat(Same):
    def __init__(self, kernel, dilation):
        super().__init__(kernel, dilation)
        self.join = nn.Conv2d(4, 2, 1)

    def forward(self, x):
        return self.join(torch.cat([self.conv(x), x], 1))


class Shuffle(nn.Module):
    def forward(self, x):
        n, c, h, w = x.shape
        return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


class ChannelsLast(nn.Module):
    def forward(self, x):
        return F.layer_norm(x.permute(0, 2, 3, 1), (2,)).permute(0, 3, 1, 2)


class Crop(nn.Module):
    def __init__(self, start, step):
        super().__init__()
        self.start, self.step = start, step

    def forward(self, x):
        return x[..., self.start[0] :: self.step[0], self.start[1] : -1 : self.step[1]]


class Pad(nn.Module):
    def __init__(self, sides):
        super().__init__()
        self.sides = sides

    def forward(self, x):
        return F.pad(x, self.sides)


@st.composite
def convolutions(draw):
    groups = draw(st.sampled_from([1, 2]))
    if draw(st.booleans()):
        return nn.Conv2d(2, 2, draw(pair(1, 4)), padding="same", dilation=draw(pair(1, 2)), groups=groups)
    return nn.Conv2d(
        2, 2, draw(pair(1, 4)), draw(pair(1, 3)), padding=draw(pair(0, 2)), dilation=draw(pair(1, 2)), groups=groups
    )


@st.composite
def poolings(draw):
    kernel = draw(pair(1, 4))
    stride = draw(st.none() | pair(1, 3))
    padding = tuple(draw(st.integers(0, side // 2)) for side in kernel)
    match draw(st.sampled_from(["max", "average", "power", "adaptive"])):
        case "max":
            return nn.MaxPool2d(kernel, stride, padding, ceil_mode=draw(st.booleans()))
        case "average":
            return nn.AvgPool2d(kernel, stride, padding, ceil_mode=draw(st.booleans()))
        case "power":
            return nn.LPPool2d(2, kernel, stride, ceil_mode=draw(st.booleans()))
        case _:
            return draw(st.sampled_from([nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d]))(draw(pair(5, 9)))


layers = st.one_of(
    convolutions(),
    poolings(),
    st.builds(Add, pair(1, 4), pair(1, 2)),
    st.builds(AddInPlace, pair(1, 4), pair(1, 2)),
    st.builds(Cat, pair(1, 4), pair(1, 2)),
    st.builds(Crop, pair(0, 3), pair(1, 2)),
    st.builds(Pad, st.tuples(*[st.integers(-2, 3)] * 4)),
    st.sampled_from([nn.ReLU(inplace=True), nn.BatchNorm2d(2), Shuffle(), ChannelsLast(), nn.Softmax2d()]),
)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@settings(
    max_examples=200,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(st.lists(layers, min_size=1, max_size=5))
def test_the_field_of_any_network_is_what_its_inner_positions_see(parts):
    model = nn.Sequential(*parts)
    try:
        assume(model.double()(torch.zeros(1, 2, *SIDES, dtype=torch.float64)).numel())
    except RuntimeError:
        assume(False)  # shrunk to less than a kernel
    crops = sum(isinstance(part, (Crop, Pad)) for part in parts)
    check(model, (2, *SIDES), need_inner=False, cropped=3 * crops)  # a crop is a border within the picture


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Conv2d(2, 2, (3, 5), (2, 1), (1, 0)), nn.AvgPool2d((2, 3), ceil_mode=True), nn.Conv2d(2, 2, 3)),
        nn.Sequential(nn.Conv2d(2, 2, (4, 2), padding="same"), Add((3, 4), (1, 2)), nn.Conv2d(2, 2, 2, 3)),
    ],
)
def test_the_field_is_the_support_of_the_gradient(model):
    model = model.double().eval()
    for parameter in model.parameters():
        parameter.data.abs_().add_(0.1)  # nothing cancels
    field = bind(model, input_shape=(2, *SIDES)).layers[-1].receptive_field
    image = torch.rand(1, 2, *SIDES, dtype=torch.float64, requires_grad=True)
    output = model(image)
    row, column = (inner(field, axis, output.shape[2 + axis], SIDES[axis])[-1] for axis in (0, 1))
    (gradient,) = torch.autograd.grad(output[0, :, row, column].sum(), image)
    (top, height), (left, width) = (hull(gradient[0].abs().sum((0, 2 - axis)) > 0) for axis in (0, 1))
    assert (field.status, field.box(row, column)) == ("exact", (top, left, height, width))


# networks whose fields are known from the literature


@pytest.mark.parametrize(
    ("layer", "size", "step"),
    [("conv1", 5, 1), ("max_pool2d", 6, 2), ("conv2", 14, 2), ("max_pool2d:2", 16, 4)],
)
def test_lenet5_fields_grow_from_5_to_16_pixels(layer, size, step):
    field = bind(LeNet5(), input_shape=(1, 32, 32)).layers[layer].receptive_field
    assert field == ReceptiveField((size, size), (step, step), (0, 0), "exact")


@pytest.mark.parametrize(
    ("build", "layer", "size", "step"),
    [
        (models.vgg16, "features", 212, 32),  # Araujo, Norris and Sim (2019), table 1
        (models.alexnet, "features", 195, 32),  # the same table
        (models.resnet18, "layer4", 435, 32),  # 7 + 2 * 2 + 4 * 8 + 8 + 3 * 16 + 16 + 3 * 32 + 32 + 3 * 64
    ],
)
def test_famous_networks_see_as_far_as_the_literature_says(build, layer, size, step):
    field = bind(cheap(build), input_shape=(3, 224, 224)).layers[layer].receptive_field
    assert (field.size, field.step, field.status) == ((size, size), (step, step), "exact")


def test_vgg16_has_the_effective_padding_of_the_literature():
    field = bind(cheap(models.vgg16).features, input_shape=(3, 64, 64)).layers[-1].receptive_field
    assert field.offset == (-90, -90)  # Araujo, Norris and Sim (2019), table 1


@pytest.mark.parametrize("sides", [(224, 224), (63, 80)])
def test_resnets_first_convolution_reaches_three_pixels_into_the_padding(sides):
    field = bind(nn.Conv2d(3, 64, 7, 2, 3), input_shape=(3, *sides)).layers[0].receptive_field
    assert field.box(0, 0) == (-3, -3, 7, 7)
    assert field.box(2, 5) == (1, 7, 7, 7)


# what sees everything, and what only may


class SqueezeExcite(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.up = nn.Conv2d(2, 1, 1), nn.Conv2d(1, 2, 1)

    def forward(self, x):
        return x * self.up(F.relu(self.down(F.adaptive_avg_pool2d(x, 1)))).sigmoid()


def attention(self, x):
    tokens = x.flatten(2)
    return (tokens @ (tokens.mT @ tokens).softmax(-1)).view_as(x)


def dynamic_filter(self, x):
    weight = x.mean((0, 2, 3)).view(2, 1, 1, 1).expand(2, 1, 3, 3)
    return F.conv2d(x, weight, groups=2)


def gate_of_one_position(self, x):
    return x * self.conv(x)


def written_in_pieces(self, x):
    out = torch.zeros(len(x), 2, x.shape[2] - 4, x.shape[3] - 4, dtype=x.dtype)
    out[:, :1] = self.conv(x)[:, :1]
    out[:, 1:] = x[:, 1:, 2:-2, 2:-2]
    return F.relu(out)


def written_through_a_view(self, x):
    y = x.clone()
    y[:, :, 2:-2, 2:-2].add_(self.conv(x))
    return F.relu(y)


def pooled_over_units(self, x):
    return F.avg_pool2d(x.permute(0, 2, 3, 1), (1, 2))


SEES_ALL = {
    "global pooling": lambda: nn.AdaptiveAvgPool2d(1),
    "squeeze-excite": SqueezeExcite,
    "attention": lambda: Function(attention),
    "filters made of the picture": lambda: Function(dynamic_filter),
    "a mean that is subtracted": lambda: Function(lambda self, x: x - x.mean((2, 3), keepdim=True)),
    "softmax over positions": lambda: Function(lambda self, x: x.softmax(-1)),
    "log-softmax over positions": lambda: Function(lambda self, x: F.log_softmax(x, 2)),
    "a sum of two step widths": lambda: Function(
        lambda self, x: x[:, :, :4, :5] + self.conv(x), conv=nn.Conv2d(2, 2, 3, stride=2)
    ),
    "softmax over everything": lambda: Function(lambda self, x: x.flatten(1).softmax(1).view_as(x)),
    "group norm": lambda: nn.GroupNorm(1, 2),
    "instance norm": lambda: nn.InstanceNorm2d(2),
    "layer norm over the map": lambda: nn.LayerNorm((2, 9, 11)),
    "one position broadcast": lambda: Function(gate_of_one_position, conv=nn.Conv2d(2, 2, (9, 11))),
    "rolled": lambda: Function(lambda self, x: x.roll(3, 2)),
    "flipped": lambda: Function(lambda self, x: x.flip(3)),
    "transposed": lambda: Function(lambda self, x: x.transpose(2, 3)),
    "a cumulative sum": lambda: Function(lambda self, x: x.cumsum(2)),
    "circular padding": lambda: nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular"),
    "pooled over columns and units": lambda: Function(pooled_over_units),
    "written through a view": lambda: Function(written_through_a_view, conv=nn.Conv2d(2, 2, 5)),
    "written in pieces": lambda: Function(written_in_pieces, conv=nn.Conv2d(2, 2, 5)),
}


@pytest.mark.parametrize("name", SEES_ALL)
def test_what_may_see_the_whole_picture_is_global(name):
    assert check(SEES_ALL[name](), (2, 9, 11)) == "global"


def test_a_global_field_is_the_picture_and_prints_as_all():
    field = bind(nn.AdaptiveAvgPool2d(1), input_shape=(3, 9, 11)).layers[0].receptive_field
    assert (field.box(0, 0), str(field)) == ((0, 0, 9, 11), "all")


def test_whatever_follows_global_pooling_is_global():
    table = bind(nn.Sequential(SqueezeExcite(), nn.Conv2d(2, 2, 3), nn.MaxPool2d(2)), input_shape=(2, 9, 11)).layers
    assert [row.receptive_field.status for row in table.maps[-3:]] == ["global"] * 3


STAYS_LOCAL = {
    "a product with its own mask": lambda x: x * (x > 0),
    "where": lambda x: torch.where(x > 0, x, 0.1 * x),
    "clamp_min": lambda x: x.clamp_min(0),
    "one over": lambda x: 1 / (1 + x),
    "softmax over units": lambda x: F.softmax(x, 1),
    "the maximum of both halves": lambda x: torch.max(*x.chunk(2, 1)),
    "the largest unit": lambda x: x.amax(1, keepdim=True),
    "zero blocks beside the units": lambda x: F.pad(x, (0, 0, 0, 0, 1, 1)),
    "a sum with zeros like it": lambda x: x + torch.zeros_like(x),
    "filled into a copy": lambda x: torch.add(x, x, out=torch.empty_like(x)),
}


@pytest.mark.parametrize("name", STAYS_LOCAL)
def test_what_works_position_by_position_keeps_the_field(name):
    model = nn.Sequential(nn.Conv2d(2, 2, (3, 5)), Function(lambda self, x: STAYS_LOCAL[name](x)))
    assert check(model, (2, 19, 21)) == "exact"
    assert str(bind(model, input_shape=(2, 19, 21)).layers[-1].receptive_field) == "3×5"


ACTIVATIONS = (
    "ReLU ReLU6 LeakyReLU PReLU RReLU ELU SELU CELU GELU SiLU Mish Sigmoid LogSigmoid Hardsigmoid Hardswish Tanh Hardtanh "
    "Tanhshrink Hardshrink Softshrink Softplus Softsign Softmax2d Dropout Dropout2d AlphaDropout Identity"
)


@pytest.mark.parametrize("activation", ACTIVATIONS.split())
def test_activations_keep_the_field(activation):
    field = (
        bind(nn.Sequential(nn.Conv2d(2, 2, 3), getattr(nn, activation)()), input_shape=(2, 9, 9)).layers[-1].receptive_field
    )
    assert field == ReceptiveField((3, 3), (1, 1), (0, 0), "exact")


@pytest.mark.filterwarnings("ignore:Implicit dimension choice")
def test_softmax_without_a_dimension_is_over_the_units():
    field = bind(nn.Sequential(nn.Conv2d(2, 2, 3), nn.Softmax()), input_shape=(2, 9, 9)).layers[-1].receptive_field
    assert field.status == "exact"


def test_concatenated_branches_are_bounded_by_the_widest():
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.small, self.large = nn.Conv2d(2, 1, 1), nn.Conv2d(2, 1, (3, 5), padding=(1, 2))

        def forward(self, x):
            return torch.cat([self.small(x), self.large(x)], 1)

    assert check(Branches(), (2, 9, 11)) == "bound"
    field = bind(Branches(), input_shape=(2, 9, 11)).layers[-1].receptive_field
    assert (field.box(4, 4), str(field)) == ((3, 2, 3, 5), "≤ 3×5")


def test_a_sum_of_two_windows_sees_the_rectangle_around_both():
    """Unlike concatenated branches, each unit of a sum sees all of them: the rectangle's edges count for every one."""
    model = Function(lambda self, x: self.a(x)[..., :-3] + self.b(x)[..., 3:], a=nn.Conv2d(2, 2, 3), b=nn.Conv2d(2, 2, 3))
    assert check(model, (2, 9, 13)) == "exact"
    assert bind(model, input_shape=(2, 9, 13)).layers[-1].receptive_field.box(0, 0) == (0, 0, 3, 6)


def test_a_residual_network_with_strided_shortcuts_stays_exact():
    """The CIFAR ResNet of He et al. (2016), option A: the shortcut takes every second pixel and pads the units."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(2, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 1, 1)

        def forward(self, x):
            return F.relu(self.conv2(F.relu(self.conv1(x))) + F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 1, 1)))

    assert check(Block(), (2, 21, 23)) == "exact"
    assert str(bind(Block(), input_shape=(2, 21, 23)).layers[-1].receptive_field) == "7×7"
