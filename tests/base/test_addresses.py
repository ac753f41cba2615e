"""The address of a unit: it prints as one writes it, and whatever takes a unit takes it."""

from __future__ import annotations

import numpy as np
import pytest

import cnnwidgets as cw
from cnnwidgets.methods import ablate, saliency
from cnnwidgets.methods.objectives import unit
from cnnwidgets.net import UnitAddress
from tests.methods.small import picture


@pytest.fixture(scope="module")
def net():
    return cw.load("scenes")


def test_an_address_prints_as_one_writes_it_and_is_the_pair(net):
    address = net["layer3"][17]
    assert repr(address) == str(address) == 'net["layer3"][17]' and eval(repr(address)) == address
    assert address == ("layer3", 17) and (address.layer, address.unit) == ("layer3", 17)
    assert {address: 1}["layer3", 17] == 1
    assert net["layer3"][np.int64(17)] == address and type(net["layer3"][np.int64(17)].unit) is int


def test_a_layer_goes_through_its_units(net):
    layer = net["layer3"]
    assert repr(layer) == 'net["layer3"]' and layer.layer == "layer3"
    assert len(layer) == 64 and [*layer] == [("layer3", k) for k in range(64)]


WRONG = {
    "no such layer": (lambda net: net["layer33"], KeyError, r"the network has no layer 'layer33'\. Did you mean 'layer3'"),
    "a number": (lambda net: net[3], TypeError, "layer is 3; expected a text"),
    "a unit beyond": (lambda net: net["layer3"][64], IndexError, "layer3 has no unit 64; expected 0 to 63, got 64"),
    "a unit below": (lambda net: net["layer3"][-1], IndexError, "expected 0 to 63, got -1"),
    "a slice": (lambda net: net["layer3"][2:4], TypeError, "a unit of layer3 is asked for by a slice; expected a whole"),
    "a text": (lambda net: net["layer3"]["5"], TypeError, "a unit of layer3 is asked for by '5'; expected a whole number"),
    "two units": (lambda net: unit(net["layer3"][1], 2), TypeError, r"expected a layer and a unit, or an address alone"),
    "no unit": (lambda net: unit("layer3"), TypeError, "layer is 'layer3' and unit is None; expected a layer and a unit"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_does_not_exist_is_told(net, what):
    ask, kind, sentence = WRONG[what]
    with pytest.raises(kind, match=sentence):
        ask(net)


def test_a_network_is_not_gone_through(net):
    with pytest.raises(TypeError):
        list(net)


def test_methods_take_an_address(net):
    image, pictures = cw.samples.scenes()[0][0], cw.samples.scenes(size=20)
    assert str(unit(net["layer3"][17])) == str(unit("layer3", 17))
    np.testing.assert_array_equal(
        saliency(net, image, unit=net["layer3"][17]).values, saliency(net, image, unit=("layer3", 17)).values
    )
    each = saliency(net, image, unit=[net["layer3"][17], net["layer3"][18]])
    assert [one.unit for one in each] == [("layer3", 17), ("layer3", 18)]
    assert ablate(net, pictures, net["layer3"][17]).sets == (("layer3", (17,)),)
    assert ablate(net, pictures, [*net["fc"]][:3]).sets == (("fc", (0,)), ("fc", (1,)), ("fc", (2,)))


def panels(net):
    pictures = cw.samples.scenes(size=12)
    return {
        "TopPatches": lambda **given: cw.TopPatches(net, pictures, **given),
        "UnitExplorer": lambda **given: cw.UnitExplorer(net, pictures, **given),
        "ActivationMaximizer": lambda **given: cw.ActivationMaximizer(net, **given),
        "FeatureMapBrowser": lambda **given: cw.FeatureMapBrowser(net, pictures[0][0], **given),
        "SaliencyPanel": lambda **given: cw.SaliencyPanel(net, pictures[0][0], **given),
        "OcclusionSlider": lambda **given: cw.OcclusionSlider(net, pictures[0][0], **given),
    }


@pytest.mark.parametrize(
    "name", ["TopPatches", "UnitExplorer", "ActivationMaximizer", "FeatureMapBrowser", "SaliencyPanel", "OcclusionSlider"]
)
def test_panels_take_an_address_and_know_the_one_that_they_show(net, name):
    panel = panels(net)[name](unit=net["layer3"][17])
    try:
        assert (panel.layer, panel.unit) == ("layer3", 17)
        assert panel.unit_address == net["layer3"][17] and isinstance(panel.unit_address, UnitAddress)
        panel.unit_address = net["layer2"][31]
        assert (panel.layer, panel.unit) == ("layer2", 31) and panel.unit_address == net["layer2"][31]
        with pytest.raises(TypeError, match="unit_address is 17; expected an address"):
            panel.unit_address = 17
    finally:
        panel.close()


def test_a_layer_s_address_is_its_name_and_two_layers_are_refused(net):
    panel = cw.FeatureMapBrowser(net, picture(32), layer=net["layer2"])
    assert panel.layer == "layer2" and panel.unit_address is None
    panel.close()
    with pytest.raises(ValueError, match=r"layer is 'layer2' and unit is net\[\"layer3\"\]\[17\]; expected"):
        cw.FeatureMapBrowser(net, picture(32), layer="layer2", unit=net["layer3"][17])


def test_a_maximizer_s_unit_is_what_is_maximized(net):
    panel = cw.ActivationMaximizer(net, net["layer3"][17])
    assert (panel.of, panel.layer, panel.unit) == ("unit", "layer3", 17)
    panel.close()


def test_a_panel_without_units_has_no_address(net):
    panel = cw.BackwardRules()
    assert panel.unit_address is None
    with pytest.raises(TypeError, match="expected an address, and a panel that shows units"):
        panel.unit_address = net["layer3"][17]
    panel.close()
