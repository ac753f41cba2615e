"""The sample networks have the parameters and the shapes that their papers' tables say."""

from itertools import pairwise

import pytest
import torch

import cnnwidgets as cw
from cnnwidgets.samples import LeNet5, SmallAlexNet, SmallResNet, SmallVGG


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("layer", "parameters"), [("conv1", 156), ("conv2", 2_416), ("fc1", 48_120), ("fc2", 10_164), ("fc3", 850)]
)
def test_lenet5_layers_have_the_parameters_of_the_lecture(layer, parameters):
    assert count(getattr(LeNet5(), layer)) == parameters


def test_lenet5_has_61706_parameters():
    assert count(LeNet5()) == 61_706


def test_small_resnet_has_175258_parameters():
    assert count(SmallResNet()) == 175_258


def weights(side: int, *channels: int) -> int:
    """Of convolutions in a row, without biases."""
    return sum(side**2 * a * b for a, b in pairwise(channels))


def test_small_vgg_has_3x3_convolutions_8_to_32_wide_a_scale_and_shift_for_each_channel_and_one_linear_layer():
    wide = (8, 16, 16, 24, 24, 32)
    assert count(SmallVGG()) == weights(3, 3, *wide) + 2 * sum(wide) + 33 * 10 == 19_794


def test_more_than_half_of_small_alexnet_is_its_first_layer():
    wide = (16, 16, 24, 24, 32)
    assert count(SmallAlexNet().conv1) == 64 * 11 * 11 * 3 == 23_232  # AlexNet's 23,296 but for 64 biases
    assert count(SmallAlexNet()) == 23_232 + 64 * 16 + weights(3, *wide) + 2 * (64 + sum(wide)) + 33 * 10 == 42_794


@pytest.mark.parametrize(("name", "poolings", "additions"), [("plain", 3, 0), ("edges", 2, 0), ("scenes", 0, 6)])
def test_plain_and_edges_have_max_pooling_and_no_shortcut_which_scenes_has(name, poolings, additions):
    kinds = [row.kind for row in cw.load(name).layers]
    assert (kinds.count("MaxPool2d"), kinds.count("add")) == (poolings, additions)


def test_the_first_layer_of_edges_has_64_filters_of_11x11_pixels_in_color():
    first = cw.load("edges").layers["conv1"]
    assert (first.output_shape, first.parameters) == ((64, 32, 32), 64 * 3 * 11 * 11)
    assert cw.load("edges").module.conv1.weight.shape == (64, 3, 11, 11)


@pytest.mark.parametrize(
    ("network", "layer", "shape"),
    [
        (LeNet5, "conv1", (6, 28, 28)),
        (LeNet5, "pool1", (6, 14, 14)),
        (LeNet5, "conv2", (16, 10, 10)),
        (LeNet5, "pool2", (16, 5, 5)),
        (LeNet5, "fc3", (10,)),
        (SmallResNet, "conv1", (16, 32, 32)),
        (SmallResNet, "layer1.1.conv2", (16, 32, 32)),
        (SmallResNet, "layer2.0.downsample.0", (32, 16, 16)),
        (SmallResNet, "layer3.1.bn2", (64, 8, 8)),
        (SmallResNet, "avgpool", (64, 1, 1)),
        (SmallResNet, "fc", (10,)),
        (SmallVGG, "conv1", (8, 64, 64)),
        (SmallVGG, "pool1", (8, 32, 32)),
        (SmallVGG, "conv3", (16, 32, 32)),
        (SmallVGG, "conv5", (24, 16, 16)),
        (SmallVGG, "conv6", (32, 8, 8)),
        (SmallVGG, "fc", (10,)),
        (SmallAlexNet, "conv1", (64, 32, 32)),
        (SmallAlexNet, "conv3", (16, 32, 32)),
        (SmallAlexNet, "conv5", (24, 16, 16)),
        (SmallAlexNet, "conv6", (32, 8, 8)),
        (SmallAlexNet, "fc", (10,)),
    ],
)
def test_layers_give_maps_of_the_documented_shape(network, layer, shape):
    network = network().eval()
    seen = []
    network.get_submodule(layer).register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    network(torch.zeros(2, 1, 32, 32) if isinstance(network, LeNet5) else torch.zeros(2, 3, 64, 64))
    assert seen == [(2, *shape)]


def test_small_resnet_reuses_in_place_relus_like_torchvision():
    calls = []
    network = SmallResNet().eval()
    for name, module in network.named_modules():
        if isinstance(module, torch.nn.ReLU):
            assert module.inplace
            module.register_forward_hook(lambda module, inputs, output, name=name: calls.append(name))
    network(torch.zeros(1, 3, 64, 64))
    assert calls[:3] == ["relu", "layer1.0.relu", "layer1.0.relu"]
    assert len(calls) == 13
