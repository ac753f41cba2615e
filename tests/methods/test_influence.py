"""Influence: finite differences, other gradients, and on straight networks what goes when a unit is set to 0."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods import influence
from cnnwidgets.net.changed import Changed
from cnnwidgets.net.trace import Calls
from tests.methods.small import picture
from tests.methods.test_connections import SIDE, Attends, Branches, Gated, Last, Plain, Residual, bind
from tests.net.networks import unchanged

IMAGE = picture(SIDE)


def values(net, names, change=None, image=IMAGE):
    """By layer float64 (units,), the sums of each unit's map; with a layer's output changed by a function of its maps."""
    found = {}

    def look(name, output):
        if name in names:
            found[name] = net.layers[name].by_unit(output).double().sum((2, 3))[0].numpy().copy()

    if change is None:
        net.run(image[None], look)
        return found
    layer, function = change
    with ExitStack() as stack, torch.no_grad(), net.running() as module:
        for watching in (Calls(module, look), Changed(module, net.layers[layer], function)):
            stack.enter_context(watching.watching())
        module(image[None])
    return found


def scaled(net, layer, unit, factor):
    """What multiplies a unit's map."""
    axis = -1 if "last" in net.layers[layer].layout else 1

    def change(output):
        output = output.clone()
        output.movedim(axis, -1)[..., unit] *= factor
        return output

    return layer, change


STRAIGHT = [
    (Plain, "c2"),
    (Plain, "r1"),
    (Residual, "a1"),
    (Residual, "m1"),
    (Branches, "g"),
    (Branches, "d"),
    (Last, "act"),
]


@pytest.mark.parametrize(("kind", "layer"), STRAIGHT, ids=lambda each: getattr(each, "__name__", each))
def test_on_a_straight_network_it_is_what_goes_with_a_unit(kind, layer):
    net = bind(kind)
    if kind is Plain:
        net.module.p1 = nn.AvgPool2d(2)  # the maximum is not straight
        net = cw.bind(net.module, input_shape=(3, SIDE, SIDE))
    with unchanged(net.module):
        found = influence(net, layer, 1, IMAGE, 2 if kind in (Plain, Residual) else None)
    names = {layer, *found.after, *(name for name in found.before if name)}
    intact = values(net, names)
    assert found.value == pytest.approx(intact[layer][1], rel=1e-4)
    without = values(net, names, scaled(net, layer, 1, 0))
    assert found.after
    for name, each in found.after.items():
        np.testing.assert_allclose(each, intact[name] - without[name], rtol=1e-3, atol=1e-3)
    assert found.before
    for name, each in found.before.items():
        if name is None:
            gone = [IMAGE.clone().index_fill_(0, torch.tensor([c]), 0) for c in range(3)]
            wanted = [intact[layer][1] - values(net, names, image=image)[layer][1] for image in gone]
        else:
            wanted = [intact[layer][1] - values(net, names, scaled(net, name, k, 0))[layer][1] for k in range(len(each))]
        np.testing.assert_allclose(each, wanted, rtol=1e-3, atol=1e-3)


def test_the_influence_on_a_class_is_what_goes_with_each_unit():
    net = bind(Residual)
    found = influence(net, net["a2"][1], image=IMAGE, target=2)
    last = values(net, {"fc"})["fc"][2]
    wanted = [last - values(net, {"fc"}, scaled(net, "a2", k, 0))["fc"][2] for k in range(4)]
    np.testing.assert_allclose(found.on_target, wanted, rtol=1e-3, atol=1e-4)
    assert found.of_unit == found.on_target[1] and found.target == 2 and found.score == pytest.approx(last, rel=1e-4)


def test_on_a_bent_network_it_is_the_slope_at_the_picture():
    net = cw.load("scenes")
    image = cw.samples.scenes()[3][0]
    found = influence(net, "layer3", 40, image)
    step = 1e-2
    x = net.prepare(image)[0]
    ends = [values(net, {"layer3.1.relu:2", "fc"}, scaled(net, "layer3", 40, 1 + s), x) for s in (-step, step)]
    np.testing.assert_allclose(found.after["fc"], (ends[1]["fc"] - ends[0]["fc"]) / (2 * step), rtol=1e-2, atol=1e-3)
    assert found.target == int(net.scores(image).argmax()) and found.notes == net.notes


def test_what_is_after_is_what_gradients_give_backwards():
    net = cw.load("scenes")
    image = cw.samples.scenes()[3][0]
    found = influence(net, "layer2", 5, image)
    assert set(found.after) == {"layer3.0.relu", "layer3.0.relu:2"}
    with net.graph(image, ["layer2", *found.after]) as passed:
        for name, each in found.after.items():
            for unit in (0, 17, 63):
                slope = passed.gradient(passed.maps[name][0, unit].sum(), "layer2") * passed.maps["layer2"]
                assert each[unit] == pytest.approx(slope[0, 5].sum().item(), rel=1e-3, abs=1e-4)


def test_the_strongest_are_the_largest_by_size():
    found = influence(bind(Residual), "c1", 0, IMAGE)
    values = np.concatenate([*found.before.values()])
    each = found.strongest_before(3)
    assert [abs(one.value) for one in each] == sorted(np.abs(values), reverse=True)[:3]
    assert all(found.before[one.layer][one.unit] == one.value for one in each)
    assert len(found.strongest_after(2)) == 2 and "The strongest influence on it is that of unit" in repr(found)


@pytest.mark.parametrize(
    ("kind", "layer", "before", "after"),
    [(Attends, "embed", None, "attend"), (Gated, "c1", None, "mul"), (Gated, "mul", "c1", "c2")],
)
def test_where_the_wires_end_the_next_layers_are_taken_and_it_is_said(kind, layer, before, after):
    net = bind(kind)
    found = influence(net, layer, 1, IMAGE)
    assert any(note.startswith("connections end at") for note in found.notes)
    assert after in found.after and before in found.before and found.before[before].any() and found.after[after].any()


def test_what_does_not_fit_is_told():
    net = bind(Residual)
    with pytest.raises(IndexError, match="c1 has no unit 4; expected 0 to 3, got 4"):
        influence(net, "c1", 4, IMAGE)
    with pytest.raises(TypeError, match="expected a layer and a unit, or an address alone"):
        influence(net, "c1", image=IMAGE)
    with pytest.raises(ValueError, match="there is no class 7"):
        influence(net, "c1", 0, IMAGE, 7)
