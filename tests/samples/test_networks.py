"""The sample networks have the parameters and the shapes that their papers' tables say."""

import pytest
import torch

from cnnwidgets.samples import LeNet5, SmallResNet


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
