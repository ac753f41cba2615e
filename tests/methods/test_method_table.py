"""The table of attribution methods: what it says is so, and whoever offers methods reads it alone."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace

import numpy as np
import pytest

import cnnwidgets as cw
from cnnwidgets.methods import METHODS, Attribution, Comparer, Method, attribute, compare
from cnnwidgets.methods.activations import one_picture
from tests.methods.small import bound, picture
from tests.net.networks import CancelAt


@pytest.fixture(scope="module")
def net():
    return bound()


@pytest.mark.parametrize("name", METHODS)
def test_each_entry_gives_a_map_for_each_target_by_its_name(net, name):
    method = METHODS[name]
    found = method.function(net, picture(), [1, 2])
    assert method.name == name and [one.target for one in found] == [1, 2]
    assert all(isinstance(one, Attribution) and one.method == name and one.at_input().shape == (12, 12) for one in found)
    assert np.array_equal(attribute(net, picture(), 2, method=name).values, found[1].values)


@pytest.mark.parametrize("name", METHODS)
def test_what_a_score_is_of_is_what_the_method_says(net, name):
    found = METHODS[name].function(net, picture(), 1)
    table = net.scores(picture())
    score = table if METHODS[name].of == "score" else table.softmax(1)
    assert found.score == pytest.approx(score[0, 1].item(), rel=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_units_are_explained_by_those_methods_that_say_so(net, name):
    if METHODS[name].units:
        assert METHODS[name].function(net, picture(), unit=("4", 0)).unit == ("4", 0)
    else:
        with pytest.raises(TypeError, match="unit"):
            METHODS[name].function(net, picture(), unit=("4", 0))


@pytest.mark.parametrize("name", METHODS)
def test_what_takes_long_can_be_cancelled(net, name):
    if METHODS[name].long:
        with pytest.raises(cw.Cancelled):
            METHODS[name].function(net, picture(), 1, cancel=CancelAt(0))
    else:
        with pytest.raises(TypeError, match="cancel"):
            METHODS[name].function(net, picture(), 1, cancel=CancelAt(0))


@pytest.mark.parametrize("name", METHODS)
def test_options_are_those_of_the_function_and_reduce_means_sizes_by_default(name):
    parameters = inspect.signature(METHODS[name].function).parameters
    assert set(METHODS[name].options) <= parameters.keys() & {"reduce", "layer"}
    assert ("layer" in METHODS[name].options) == ("layer" in parameters)
    if "reduce" in METHODS[name].options:
        assert parameters["reduce"].default == "max"


@pytest.mark.parametrize("name", [*METHODS, "attribute", "compare", "segment", "faithfulness", "sanity_check", "randomized"])
def test_the_help_lists_every_parameter(name):
    method = getattr(cw.methods, name)
    listed = inspect.getdoc(method).partition("Parameters:")[2].partition("Returns:")[0].partition("Raises:")[0]
    names = re.findall(r"^ {4}(\w[\w, ]*):", listed, re.M)
    assert [one for line in names for one in line.split(", ")] == [*inspect.signature(method).parameters]


@pytest.mark.parametrize("name", METHODS)
def test_a_method_stands_in_a_group_and_has_its_sentence(name):
    method = METHODS[name]
    assert method.group in ("gradients", "class activation maps", "perturbation") and method.values
    assert method.help.lower().startswith(f"{method.title.lower()}: ") and method.help.endswith(".")


def brightness(net, image, target=None):
    """How bright each pixel is: a map that no network had a part in."""
    values = one_picture(net, image)[0].mean(0).numpy()
    return [Attribution(values, "brightness", one, None, 0.0, values.shape, signed=True) for one in target]


@pytest.fixture
def added(monkeypatch):
    monkeypatch.setitem(METHODS, "brightness", Method("brightness", "how bright", brightness))


def test_a_method_of_ones_own_is_one_entry_and_compared_with_the_others(net, added):
    found = compare(net, picture(), ["brightness", "saliency"], 1, randomized=2)
    np.testing.assert_allclose(found.maps["brightness"][0].values, picture().mean(0), rtol=1e-5)
    assert found.agreements["brightness"][2].correlation == pytest.approx(1), "it is a map of the picture"
    assert found.agreements["saliency"][2].correlation < 0.99


def test_a_method_that_is_written_anew_is_asked_anew(net, added, monkeypatch):
    def darkness(net, image, target=None):
        return [replace(one, values=-one.values) for one in brightness(net, image, target)]

    comparer = Comparer(net)
    before = comparer.compare(picture(), ["brightness"], 1).maps["brightness"][0].values
    monkeypatch.setitem(METHODS, "brightness", replace(METHODS["brightness"], function=darkness))
    assert np.array_equal(comparer.compare(picture(), ["brightness"], 1).maps["brightness"][0].values, -before)


def test_a_method_of_ones_own_is_in_the_menu_of_a_panel_and_above_its_map(added):
    panel = cw.SaliencyPanel(bound(), picture(), 1, methods=["brightness"])
    assert panel.wait(60) and panel.error is None
    assert ["how bright", "brightness"] in panel.controls["methods"]["options"]
    assert panel.table.columns == ["how bright"] and "shape" in panel.table.cells[0]
    assert 'cw.methods.attribute(net, x.detach(), target=1, method="brightness")' in panel.code()
    panel.close()
