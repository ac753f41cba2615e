"""A bound network can be sent to another process: it says the same there, and takes no recorded maps along."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
import torchvision

import cnnwidgets as cw
from tests.net.networks import Residual, cheap


def networks():
    torch.manual_seed(0)
    weights = torchvision.models.ResNet18_Weights.DEFAULT
    resnet = cheap(torchvision.models.resnet18)
    return {
        "digits": cw.load("digits"),
        "scenes": cw.load("scenes"),
        "own": cw.bind(Residual().train(), input_shape=(3, 9, 9)),
        "torchvision's preprocessing": cw.bind(resnet, preprocess=weights.transforms(), input_shape=(3, 64, 64)),
    }


@pytest.mark.parametrize("send", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))], ids=["copied", "pickled"])
@pytest.mark.parametrize("name", ["digits", "scenes", "own", "torchvision's preprocessing"])
def test_a_bound_network_arrives_whole(name, send):
    net = networks()[name]
    picture = torch.randn(2, *net.input_shape)
    maps = net.trace(picture)
    other = send(net)
    assert other.module is not net.module
    assert [part.training for part in other.module.modules()] == [part.training for part in net.module.modules()]
    assert (other.classes, other.input_shape, other.name) == (net.classes, net.input_shape, net.name)
    assert repr(other.preprocess) == repr(net.preprocess)
    assert repr(other.layers) == repr(net.layers)
    assert torch.equal(other.scores(picture), net.scores(picture))
    for layer, values in other.trace(picture).items():
        assert torch.equal(values, maps[layer])


def test_maps_that_were_recorded_stay_at_home():
    net = networks()["scenes"]
    before = len(pickle.dumps(net.module))
    net.trace(torch.randn(50, 3, 64, 64))
    assert len(pickle.dumps(net)) < before + 100_000
