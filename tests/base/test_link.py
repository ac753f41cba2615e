"""Linked panels share every public trait that they have in common: one cursor, everything answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

import cnnwidgets as cw
from tests.base.tiny import Doubler


@pytest.fixture(scope="module")
def digits():
    return cw.load("digits")


@pytest.fixture
def pair(digits):
    panels = cw.FilterGrid(digits, "conv2", sort="norm"), cw.FeatureMapBrowser(digits, cw.samples.digits())
    yield panels
    for panel in panels:
        panel.close()


def test_the_second_takes_over_the_values_of_the_first_and_then_they_go_together(pair):
    grid, browser = pair
    cw.link(grid, browser)
    assert (browser.layer, browser.unit, browser.scale) == ("conv2", 0, "layer")
    grid.layer, browser.unit, browser.colors = "conv1", 3, "gray"
    assert (browser.layer, grid.unit, grid.colors) == ("conv1", 3, "gray")
    assert (browser.result.maps.layer.name, grid.result.layer.name) == ("conv1", "conv1")
    assert grid.grid.selected == browser.grid.selected == 3


def test_traits_with_other_choices_are_not_shared(pair):
    grid, browser = pair
    cw.link(grid, browser)
    assert (grid.sort, browser.sort) == ("norm", "index")
    browser.sort = "mean"
    assert grid.sort == "norm"


def test_filters_follow_a_browser_to_a_layer_that_has_none(pair):
    grid, browser = pair
    cw.link(browser, grid)
    browser.layer = "relu2"
    assert grid.result.layer.name == "conv2"
    assert grid.status.message.startswith(
        "A ReLU has no filters. These are those of conv2, the last layer before it with any.\n"
    )


def test_after_unlinking_each_goes_its_own_way(pair):
    grid, browser = pair
    link = cw.link(grid, browser)
    link.unlink()
    grid.layer = "fc1"
    assert browser.layer == "conv2"
    browser.unit = 4
    assert grid.unit == 0


def test_three_panels_follow_each_other():
    panels = [Doubler(number=n) for n in (3, 4, 5)]
    cw.link(*panels)
    assert [panel.number for panel in panels] == [3, 3, 3]
    panels[2].number = 8
    assert [panel.result for panel in panels] == [16, 16, 16]
    panels[1].number = 9
    assert [panel.result for panel in panels] == [18, 18, 18]


@pytest.mark.parametrize(
    "picture",
    [
        torch.randn(1, 32, 32, generator=torch.Generator().manual_seed(0)),
        np.eye(32),
        Image.new("L", (40, 30), 200),
        5,
    ],
    ids=lambda picture: type(picture).__name__,
)
def test_a_picture_of_any_sort_is_shared(digits, picture):
    one, two = (cw.FeatureMapBrowser(digits, i, images=cw.samples.digits()) for i in (0, 1))
    cw.link(one, two)
    for panel, other, image in ((one, two, picture), (two, one, 7)):
        panel.image = image
        assert other.image is image
        np.testing.assert_array_equal(other.data()["values"], panel.data()["values"])
        np.testing.assert_array_equal(other.data()["picture"], panel.data()["picture"])


def test_the_cursor_is_at_the_same_place_of_the_picture_on_the_maps_of_both(digits):
    one = cw.FeatureMapBrowser(cw.load("scenes"), cw.samples.scenes(), "conv1")
    two = cw.FeatureMapBrowser(digits, cw.samples.digits(), "conv1")
    cw.link(one, two)
    one.wait(), two.wait()
    one.grid.set_state({"cursor": [8.0, 5.0]})  # 3x3 at step 2 and padding 1: the center is the pixel at twice the position
    assert (one.y, one.x) == (two.y, two.x) == (16, 10)
    assert two.grid.cursor == [14, 8]  # 5x5 at step 1: the center is 2 pixels further
    two.grid.set_state({"cursor": [19.0, 2.0]})
    assert (one.y, one.x) == (two.y, two.x) == (21, 4)
    assert np.abs(2 * np.array(one.grid.cursor) - [21, 4]).max() <= 1


def test_a_layer_that_the_other_network_does_not_have_is_a_sentence_there(digits):
    one = cw.FeatureMapBrowser(cw.load("scenes"), cw.samples.scenes(), "conv1")
    two = cw.FeatureMapBrowser(digits, cw.samples.digits(), "conv1")
    cw.link(one, two)
    one.layer = "layer3.1"
    assert one.result.maps.layer.name == "layer3.1.relu:2"
    two.wait()
    assert (two.status.kind, two.status.message) == ("error", "The network has no layer 'layer3.1'.")
    one.layer = "conv1"
    assert two.result.maps.layer.name == "conv1"


@pytest.mark.parametrize(
    ("panels", "match"),
    [((), "two panels or more"), ((Doubler,), "not a MetaHasTraits"), ((3, 4), "link takes panels, not a int")],
)
def test_what_cannot_be_linked_is_refused(panels, match):
    with pytest.raises(TypeError, match=match):
        cw.link(*panels)
