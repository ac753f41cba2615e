"""Gradients of layers that give views, which an in-place function overwrites: as if nothing had been overwritten."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from captum.attr import LayerGradCam
from pytorch_grad_cam import GradCAM, LayerCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

import cnnwidgets as cw
from cnnwidgets.net import bind
from tests.methods.small import picture
from tests.net.brute_force import lively
from tests.net.networks import Function, unchanged

SHAPE = (3, 12, 12)


def relu_in_a_row(h, relu, take):
    """Relu of one part, the others as they are."""
    parts = list(take(h))
    parts[0] = relu(parts[0])
    return torch.cat(parts, 1)


def part_of_a_map(self, h, relu):
    """The in-place twin writes through a slice and goes on with the whole map."""
    if relu is F.relu:
        return torch.cat([F.relu(h[:, :2]), h[:, 2:]], 1)
    h[:, :2].relu_()
    return h


def twice(self, h, relu):
    return relu(relu(h[:, :, 1:] - 0.1)[:, :, 1:] - 0.1)


def read_before(self, h, relu):
    """The view is read once before it is overwritten."""
    v = h.permute(0, 1, 3, 2)
    w = 0.5 * v
    return relu(v) + w


def whole_read_before(self, h, relu):
    """What it is a view of is read before it is overwritten, past the view."""
    v = h.permute(0, 1, 3, 2)
    w = 0.5 * h
    return relu(v) + w


VIEWS = {
    "instance norm": lambda self, h, relu: relu(self.norm(h)),
    "instance norm, functional": lambda self, h, relu: relu(F.instance_norm(h)),
    "permute": lambda self, h, relu: relu(h.permute(0, 1, 3, 2)),
    "transpose": lambda self, h, relu: relu(h.transpose(2, 3)),
    "a slice of places": lambda self, h, relu: relu(h[:, :, 1:-1, 2:]),
    "every second place": lambda self, h, relu: relu(h[:, :, ::2, 1::3]),
    "a slice of units": part_of_a_map,
    "narrow": lambda self, h, relu: relu(h.narrow(2, 1, 5)),
    "flatten": lambda self, h, relu: relu(h.flatten(2)).unflatten(2, (10, 10)),
    "view": lambda self, h, relu: relu(h.view(1, 2, 2, 10, 10)).view(1, 4, 10, 10),
    "chunk": lambda self, h, relu: relu_in_a_row(h, relu, lambda h: h.chunk(2, 1)),
    "split": lambda self, h, relu: relu_in_a_row(h, relu, lambda h: h.split([1, 3], 1)),
    "tensor_split": lambda self, h, relu: relu_in_a_row(h, relu, lambda h: torch.tensor_split(h, 2, 1)),
    "unbind": lambda self, h, relu: relu_in_a_row(h, lambda one: relu(one), lambda h: [p.unsqueeze(1) for p in h.unbind(1)]),
    "unfold": lambda self, h, relu: relu(h.unfold(2, 2, 2)).amax(-1),
    "expand": lambda self, h, relu: relu(h[:, :1].expand(-1, 4, -1, -1).contiguous()),
    "a view of a view": lambda self, h, relu: relu(h.permute(0, 2, 3, 1)[:, 1:].permute(0, 3, 1, 2)),
    "twice": twice,
    "read before it is overwritten": read_before,
    "read past the view before": whole_read_before,
}


def network(how, relu):
    def forward(self, x):
        return self.last(torch.tanh(VIEWS[how](self, self.conv(x), relu)).flatten(2).mean(2))

    parts = {"conv": nn.Conv2d(3, 4, 3), "norm": nn.InstanceNorm2d(4, affine=True), "last": nn.Linear(4, 3)}
    return lively(Function(forward, **parts)).double()


IN_PLACE = {"F.relu_": F.relu_, "inplace=True": lambda x: F.relu(x, inplace=True), "nn.ReLU": nn.ReLU(inplace=True)}


@pytest.mark.parametrize("way", IN_PLACE)
@pytest.mark.parametrize("how", VIEWS)
def test_each_layer_has_the_gradient_of_the_network_that_overwrites_nothing(how, way):
    image, plain, model = picture()[None], bind(network(how, F.relu), input_shape=SHAPE), network(how, IN_PLACE[way])
    net = bind(model, input_shape=SHAPE)
    names = [
        row.name for row in net.layers if row.name in plain.layers and row.has_units and not row.name.startswith("relu")
    ]
    names = [n for n in names if net.layers[n].output_shape == plain.layers[n].output_shape]
    assert {"conv", "last"} < {*names} and len(names) > 2
    with unchanged(model), net.graph(image, names) as passed, plain.graph(image, names) as other:
        assert torch.allclose(passed.output, other.output)
        for name in names:
            expected = other.gradient(other.output[0, 1], name)
            assert torch.allclose(passed.gradient(passed.output[0, 1], name), expected, rtol=1e-9, atol=1e-15), name
            assert torch.allclose(passed.maps[name], other.maps[name]), name


@pytest.mark.parametrize("how", ["instance norm", "permute", "a slice of places", "chunk", "narrow", "a slice of units"])
def test_the_gradient_equals_finite_differences_of_the_network_that_overwrites(how):
    model, image, step = network(how, F.relu_), picture()[None], 1e-6
    net = bind(model, input_shape=SHAPE)
    layer = next(row.name for row in net.layers if row.name not in ("conv", "norm.weight") and row.is_map)
    with net.graph(image, [layer]) as passed:
        found = passed.gradient(passed.output[0, 1], layer)

    def score(change):
        def look(name, output):
            if name == layer:
                output += change

        return net.run(image, look)[0, 1].item()

    assert found.abs().max() > 0
    for place in [(0, 0, 0), (0, 3, 2), (found.shape[1] - 1, 4, 3)]:
        moved = torch.zeros_like(found)
        moved[(0, *place)] = step
        assert found[(0, *place)].item() == pytest.approx((score(moved) - score(-moved)) / (2 * step), rel=1e-5, abs=1e-9)


class Normalized(nn.Module):
    """A style network's block: instance normalization, which gives a view, and a ReLU."""

    def __init__(self, inplace):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3)
        self.norm = nn.InstanceNorm2d(6, affine=True)
        self.relu = nn.ReLU(inplace)
        self.last = nn.Linear(6, 3)

    def forward(self, x):
        return self.last(self.relu(self.norm(self.conv(x))).mean((2, 3)))


PEERS = {"grad_cam": GradCAM, "layer_cam": LayerCAM}


@pytest.mark.parametrize("method", PEERS)
def test_the_maps_are_those_of_pytorch_grad_cam_of_the_relu_that_overwrites_nothing(method):
    model, image = lively(Normalized(inplace=False)), picture()
    with PEERS[method](model, target_layers=[model.norm]) as peer:
        theirs = peer(image[None].clone(), targets=[ClassifierOutputTarget(2)])[0]
    net = bind(lively(Normalized(inplace=True)), input_shape=SHAPE)
    found = getattr(cw.methods, method)(net, image, 2, layer="norm", upsample="bilinear")
    values = torch.from_numpy(found.values)
    scaled = (values - values.min()) / (values.max() - values.min())
    assert torch.allclose(scaled, torch.from_numpy(theirs), atol=0.02)  # theirs is enlarged by OpenCV after scaling
    assert not found.is_zero and not any("exactly 0" in note for note in found.notes)


def test_grad_cam_is_captums_of_the_relu_that_overwrites_nothing():
    model, image = lively(Normalized(inplace=False)), picture()
    theirs = LayerGradCam(model, model.norm).attribute(image[None], target=2)[0, 0].detach()
    net = bind(lively(Normalized(inplace=True)), input_shape=SHAPE)
    found = cw.methods.grad_cam(net, image, 2, layer="norm", relu=False)
    assert torch.allclose(torch.from_numpy(found.values), theirs, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("method", ["grad_cam", "grad_cam_plus_plus", "layer_cam", "score_cam"])
def test_a_map_does_not_depend_on_whether_the_relu_overwrites(method):
    image = picture()
    expected, found = (
        getattr(cw.methods, method)(bind(lively(Normalized(inplace)), input_shape=SHAPE), image, 2, layer="norm").values
        for inplace in (False, True)
    )
    assert expected.max() > 0
    assert torch.allclose(torch.from_numpy(found), torch.from_numpy(expected), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    "method", ["saliency", "integrated_gradients", "smoothgrad", "grad_cam", "score_cam", "gradient_x_input"]
)
def test_a_network_that_overwrites_one_of_several_views_has_every_map(method):
    image = picture()
    expected, found = (
        getattr(cw.methods, method)(bind(network("chunk", relu).float(), input_shape=SHAPE), image, 1).values
        for relu in (F.relu, F.relu_)
    )
    assert abs(expected).max() > 0
    assert torch.allclose(torch.from_numpy(found), torch.from_numpy(expected), rtol=1e-4, atol=1e-6)
