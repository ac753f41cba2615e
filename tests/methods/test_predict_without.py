"""Without some units a network says of a picture what it says where their maps are multiplied by 0."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import cnnwidgets as cw
from cnnwidgets.methods import predict_without


@pytest.fixture(scope="module")
def net():
    return cw.load("scenes")


@pytest.mark.parametrize(("layer", "units"), [("layer2", [3]), ("layer3", list(range(40))), ("layer1.0.relu", [0, 5])])
def test_it_is_the_answer_with_their_outputs_multiplied_by_zero(net, layer, units):
    picture = cw.samples.scenes()[3][0]
    inputs = net.prepare(picture)
    module = net.module.get_submodule("layer1.0.relu" if layer == "layer1.0.relu" else layer)
    calls = []

    def zero(_, given, output):
        calls.append(1)
        if layer == "layer1.0.relu" and len(calls) > 1:
            return output  # the same module is called again for the sum
        output = output.clone()
        output[:, units] = 0
        return output

    hook = module.register_forward_hook(zero)
    with torch.no_grad():
        chances = net.module(inputs).softmax(1)[0]
    hook.remove()
    found = predict_without(net, (layer, units), picture, k=3)
    order = chances.argsort(descending=True)[:3].tolist()
    assert [name for name, _ in found] == [net.classes[k] for k in order]
    np.testing.assert_allclose([p for _, p in found], chances[order].numpy(), rtol=1e-4, atol=1e-7)


def test_an_address_is_taken_and_what_is_not_there_is_said(net):
    picture = cw.samples.scenes()[3][0]
    assert predict_without(net, net["layer3"][17], picture) == predict_without(net, ("layer3", 17), picture)
    with pytest.raises(IndexError, match="no unit 64"):
        predict_without(net, ("layer3", 64), picture)
    for k in (0, -1):
        with pytest.raises(ValueError, match=f"k is {k}; expected a whole number of at least 1"):
            predict_without(net, ("layer3", 17), picture, k)
    with pytest.raises(ValueError, match="expected \\(layer, unit\\)"):
        predict_without(net, "layer3", picture)
