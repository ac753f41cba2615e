"""What positions at the border see, against the truth at every one of them: mirrored borders, zeros, crops."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torchvision.models import resnet18

from cnnwidgets.net import bind
from tests.net.networks import Function, cheap
from tests.net.test_receptive_field import Add, AddInPlace, Cat, Crop, hull, pair, seen

SIDES = (23, 26)


def check(model: nn.Module, shape: tuple[int, int, int], layer: int = -1) -> str:
    """Every position sees no pixel beyond its box; the box of a mirrored border is no larger than one of them needs."""
    model = model.double()
    field = bind(model, input_shape=shape).layers[layer].receptive_field
    for axis, answers in enumerate(seen(model, shape)):
        before, after = [], []
        for i, sees in enumerate(answers):
            if field.status == "global" or not sees.any():
                continue
            low, length = hull(sees)
            top = field.box(i, i)[axis]
            before.append(low - top)
            after.append(top + field.size[axis] - low - length)
        assert min(before, default=0) >= 0 and min(after, default=0) >= 0, (str(field), field.offset, axis)
        if field.status == "bound" and before:
            assert min(before) < 1e-6 or min(after) < 1e-6 or axis in _loose(model)
    return field.status


def _loose(model) -> tuple[int, ...]:
    """Axes along which a bound may be larger than needed: pooling over windows of several widths."""
    return (0, 1) if any(isinstance(part, (nn.AdaptiveAvgPool2d, Crop, Cat)) for part in model.modules()) else ()


class Pad(nn.Module):
    def __init__(self, sides, mode):
        super().__init__()
        self.sides, self.mode = sides, mode

    def forward(self, x):
        return F.pad(x, self.sides, self.mode)


MODES = st.sampled_from(["reflect", "replicate", "constant", "circular"])
PADS = {
    "reflect": nn.ReflectionPad2d,
    "replicate": nn.ReplicationPad2d,
    "circular": nn.CircularPad2d,
    "zeros": nn.ZeroPad2d,
    "constant": lambda sides: nn.ConstantPad2d(sides, 1.5),
}


@st.composite
def convolutions(draw):
    mode = draw(st.sampled_from(["reflect", "replicate", "zeros", "circular"]))
    return nn.Conv2d(2, 2, draw(pair(1, 4)), draw(pair(1, 2)), draw(pair(0, 3)), draw(pair(1, 2)), padding_mode=mode)


borders = st.one_of(
    st.builds(Pad, st.tuples(*[st.integers(-2, 4)] * 4), MODES),
    st.builds(lambda kind, sides: PADS[kind](sides), st.sampled_from(sorted(PADS)), st.tuples(*[st.integers(0, 4)] * 4)),
)
layers = st.one_of(
    borders,
    convolutions(),
    st.builds(nn.MaxPool2d, pair(1, 3), pair(1, 3), ceil_mode=st.booleans()),
    st.builds(nn.AvgPool2d, pair(1, 3), pair(1, 2)),
    st.builds(nn.AdaptiveAvgPool2d, pair(5, 9)),
    st.builds(Add, pair(1, 4), pair(1, 2)),
    st.builds(AddInPlace, pair(1, 4), pair(1, 2)),
    st.builds(Cat, pair(1, 4), pair(1, 2)),
    st.builds(Crop, pair(0, 3), pair(1, 2)),
    st.sampled_from([nn.ReLU(inplace=True), nn.BatchNorm2d(2)]),
)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@settings(
    max_examples=300,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(borders, st.lists(layers, min_size=1, max_size=4))
def test_no_position_sees_beyond_its_box(border, parts):
    model = nn.Sequential(border, *parts)
    try:
        assume(model.double()(torch.zeros(1, 2, *SIDES, dtype=torch.float64)).numel())
    except RuntimeError:
        assume(False)  # shrunk to less than a kernel, or a border wider than the map
    check(model, (2, *SIDES))


@pytest.mark.parametrize(
    ("mode", "status"),
    [("reflect", "bound"), ("replicate", "bound"), ("zeros", "exact"), ("circular", "global")],
)
def test_a_convolutions_own_border(mode, status):
    model = nn.Conv2d(2, 2, 3, padding=1, padding_mode=mode)
    assert check(model, (2, 9, 11)) == status
    field = bind(model, input_shape=(2, 9, 11)).layers[0].receptive_field
    if status != "global":
        assert (field.size, field.offset) == ((3, 3), (-1, -1))  # the mirror lies within the window


@pytest.mark.parametrize(
    ("pad", "sides", "boxes"),
    [
        # position 0 lies on rows -4 to -2, and sees rows 2 to 4 in their place: 6 more than its box, at either end
        (nn.ReflectionPad2d, 4, (15, -10)),
        # position 0 lies on rows -4 to -2, and sees row 0 in their place: 2 more
        (nn.ReplicationPad2d, 4, (7, -6)),
        (nn.ReflectionPad2d, 1, (3, -1)),
        (nn.ReplicationPad2d, 2, (3, -2)),
        (nn.ZeroPad2d, 4, (3, -4)),
        (nn.ReflectionPad2d, 2, (7, -4)),  # rows -2 to 0, and sees 0 to 2
    ],
)
def test_a_window_in_the_border_sees_the_mirrored_pixels(pad, sides, boxes):
    size, offset = boxes
    model = nn.Sequential(pad(sides), nn.Conv2d(2, 2, 3))
    field = bind(model, input_shape=(2, 20, 20)).layers[-1].receptive_field
    check(model, (2, 20, 20))
    assert (field.size, field.offset) == ((size, size), (offset, offset))


@pytest.mark.parametrize("mode", ["reflect", "replicate"])
@pytest.mark.parametrize("sides", [(-1, 3, 2, -2), (-2, -2, -2, -2), (3, -1, 0, 4), (0, 0, 3, 3)])
def test_a_negative_border_is_a_crop(mode, sides):
    assert check(nn.Sequential(Pad(sides, mode), nn.Conv2d(2, 2, 2)), (2, 12, 13)) == "bound"


def test_a_border_of_columns_alone_leaves_rows_as_they_are():
    model = nn.Sequential(Pad((3, 3, 0, 0), "reflect"), nn.Conv2d(2, 2, (3, 2)))
    field = bind(model, input_shape=(2, 12, 13)).layers[-1].receptive_field
    assert check(model, (2, 12, 13)) == "bound" and (field.size[0], field.offset[0]) == (3, 0)


def test_borders_of_a_style_networks_residual_blocks():
    """Johnson, Alahi and Fei-Fei (2016) as commonly written: reflected borders in every block, around strided layers."""

    def block():
        return nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(2, 2, 3), nn.ReLU(), nn.ReflectionPad2d(1), nn.Conv2d(2, 2, 3))

    def forward(self, x):
        x = self.second(F.relu(self.first(x)))
        return x + self.block(x)

    parts = {
        "first": nn.Sequential(nn.ReflectionPad2d(4), nn.Conv2d(2, 2, 9)),
        "second": nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(2, 2, 3, stride=2)),
        "block": block(),
    }
    assert check(Function(forward, **parts), (2, 29, 31)) == "bound"


def test_zero_borders_stay_exact():
    field = bind(cheap(resnet18), input_shape=(3, 64, 64)).layers["layer1"].receptive_field
    assert (field.size, field.status) == ((43, 43), "exact")
