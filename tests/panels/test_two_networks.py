"""TwoNetworks: what it compares is what the methods give for each network, and both are asked the same."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from torch import nn

import cnnwidgets as cw
from cnnwidgets.base.image import ImagePanel
from cnnwidgets.base.picture_maps import PictureMaps
from cnnwidgets.net import Cancelled
from cnnwidgets.panels.two_networks.pairs import at_pixels, pairs_of
from cnnwidgets.views import Cell
from tests.base.tiny import PATIENCE, Doubler, control, is_shown
from tests.net.networks import unchanged
from tests.views.wire import sent

UNDECIDED = 22  # a picture that scenes takes for an 8 and grass for a 3
COARSE = {"patch": 16, "stride": 8}


@pytest.fixture(scope="module")
def grass():
    return cw.load("grass")


@pytest.fixture(scope="module")
def early():
    return cw.load("scenes", weights=2)


@pytest.fixture
def made():
    """Makes a panel that is closed afterwards."""
    opened = []

    def make(*arguments, **options):
        opened.append(cw.TwoNetworks(*arguments, **options))
        return opened[-1]

    yield make
    for panel in opened:
        panel.close()


def shown(panel, number):
    """The values of a map on screen, right to 1/32767 of its largest."""
    return panel.table.map(number)


# the maps and their difference


def test_the_difference_of_two_occlusions_is_that_of_their_maps_at_the_nearest_center(made, net, grass, pictures):
    panel = made(cw.OcclusionSlider, net, grass, UNDECIDED, images=pictures, **COARSE)
    one, other = (cw.methods.occlusion(each, pictures[UNDECIDED][0], "8", **COARSE) for each in (net, grass))
    (pair,) = panel.result.pairs
    for y, x in ((0, 0), (13, 40), (31, 32), (63, 63)):
        i, j = (np.abs(places + 7.5 - at).argmin() for places, at in ((one.ys, y), (one.xs, x)))
        assert pair.difference[y, x] == pytest.approx(other.values[i, j] - one.values[i, j], abs=1e-5)
    assert pair.name == "p(8)"
    assert pair.apart == pytest.approx(np.abs(other.values - one.values).max(), abs=1e-5)


def test_the_difference_of_feature_maps_is_numpys(made, net, early, pictures):
    panel = made(cw.FeatureMapBrowser, early, net, 3, "layer2.0.conv1", images=pictures)
    one, other = (cw.methods.activations(each, pictures[3][0], "layer2.0.conv1") for each in (early, net))
    values, others = (maps["layer2.0.conv1"].values for maps in (one, other))
    data = panel.data()
    for unit in range(32):
        np.testing.assert_array_equal(data[str(unit)], [values[unit], others[unit], others[unit] - values[unit]])
    most = np.abs(others - values).max((1, 2)).argmax()
    assert panel.result.named("").name == str(most)
    assert f"Of 32 units, unit {most} differs most" in panel.status.finding
    np.testing.assert_allclose(shown(panel, 2), others[most] - values[most], atol=2e-4)


def test_the_difference_of_grad_cams_is_numpys_in_a_row_a_class(made, net, grass, pictures):
    panel = made(cw.SaliencyPanel, net, grass, UNDECIDED, ["8", "3"], images=pictures, methods=["grad_cam"])
    found = [cw.methods.grad_cam(each, pictures[UNDECIDED][0], ["8", "3"]) for each in (net, grass)]
    for pair, one, other in zip(panel.result.pairs, *found, strict=True):
        np.testing.assert_allclose(pair.difference, other.values - one.values, atol=1e-6)
    assert len(panel.table.cells) == 6
    assert not is_shown(panel, panel.grid)


@pytest.mark.parametrize(
    ("kind", "options"),
    [(cw.OcclusionSlider, COARSE), (cw.FeatureMapBrowser, {}), (cw.SaliencyPanel, {"methods": ["grad_cam", "saliency"]})],
)
def test_a_network_with_itself_gives_zeros_and_says_so(made, net, pictures, kind, options):
    panel = made(kind, net, net, pictures, **options)
    assert not any(pair.difference.any() for pair in panel.result.pairs)
    assert panel.status.finding.startswith("Nothing differs: both networks give the same ")
    assert panel.result.names == ("scenes", "scenes (second)")
    assert not shown(panel, 2).any()
    assert panel.table.cells[2]["text"] == "no difference"


@pytest.mark.parametrize("larger", [0, 1])
def test_both_maps_have_one_scale_and_the_difference_is_signed_around_zero(made, net, early, pictures, larger):
    panel = made(cw.FeatureMapBrowser, *[(early, net), (net, early)][larger], pictures, "layer3.1.relu:2")
    pair = panel.result.named("")
    assert (pair.second.max() > pair.first.max()) == larger
    first, second, difference = panel.table.cells
    assert first["scale"] == second["scale"] == pytest.approx(max(pair.first.max(), pair.second.max()))
    assert (first["signed"], difference["signed"]) == (False, True)
    assert difference["scale"] == pytest.approx(pair.apart)
    assert panel.grid.colors == "diverging"


def test_what_is_larger_than_the_maps_colors_is_drawn_in_their_last_color():
    maps = [PictureMaps(np.zeros((2, 2, 3), np.uint8), {"m": Cell(np.full((2, 2), v), 2.0)}) for v in (-2.0, 2.0)]
    *both, difference = pairs_of(*maps, ("a", "b"), ("", "")).pairs[0].cells()
    assert [cell.scale for cell in both] == [2.0, 2.0]
    assert (difference.scale, difference.text) == (2.0, "up to 4 apart")


# what the second network is asked


def test_the_second_explains_the_class_that_the_first_predicts(made, net, grass, pictures):
    panel = made(cw.SaliencyPanel, net, grass, UNDECIDED, images=pictures, methods=["saliency"])
    assert panel.result is not None
    assert grass.predict(pictures[UNDECIDED][0], k=1)[0][0][0] == "3"
    assert (panel.first.target, panel.second.target) == (None, "8")
    wanted = cw.methods.saliency(grass, pictures[UNDECIDED][0], "8").values
    np.testing.assert_allclose(panel.result.pairs[0].second, wanted, atol=1e-6)


def test_what_the_first_is_set_to_the_second_is_asked_too(made, net, grass, pictures):
    panel = made(cw.OcclusionSlider, net, grass, pictures, **COARSE)
    assert panel.result.pairs[0].name == "p(2)"
    panel.first.put(image=UNDECIDED, target="3", fill="zero", stride=16)
    assert panel.result.pairs[0].name == "p(3)"
    told = panel.second.result
    assert (panel.second.image, told.target, told.fill, told.stride) == (UNDECIDED, 3, "zero", (16, 16))


def test_a_layer_of_another_name_is_the_one_at_the_same_depth_and_units_that_both_have_are_compared(made, net, pictures):
    plain = cw.load("plain")
    panel = made(cw.FeatureMapBrowser, net, plain, pictures, "layer2.1.relu:2")
    mine, theirs = ([row.name for row in each.layers.with_units] for each in (net, plain))
    place = mine.index("layer2.1.relu:2") / (len(mine) - 1)
    wanted = theirs[round(place * (len(theirs) - 1))]
    assert panel.result.names == ("scenes", f"plain · {wanted}")
    assert panel.second.result.maps.layer.name == wanted
    assert len(panel.result.pairs) == 24
    assert "scenes has 32 units; the 24 that both networks have are compared." in panel.status.message


@pytest.mark.parametrize(
    ("layer", "wanted"),
    [("flatten", "flatten"), ("fc", "fc3"), ("layer1.1.relu:2", "conv2")],  # the third after 16 of 51 steps: 3.45 of 11
)
def test_a_layer_goes_by_its_name_or_else_by_its_depth(made, net, pictures, layer, wanted):
    panel = made(cw.FeatureMapBrowser, net, cw.load("digits"), pictures, layer)
    assert panel.result.names[1] == ("digits" if layer == wanted else f"digits · {wanted}")
    assert panel.second.layer == wanted


def test_the_second_sees_what_the_first_one_sees_where_its_input_is_another(made, net, pictures):
    digits = cw.load("digits")
    panel = made(cw.SaliencyPanel, net, digits, pictures, ["2"], methods=["grad_cam"])
    seen = digits.prepare(net.intensities(net.prepare(pictures[0][0])))
    assert panel.result.notes == ("maps of 8×8 and 10×10 positions are compared at the picture's pixels",)
    np.testing.assert_array_equal(panel.second.result.inputs, seen)
    one, other = cw.methods.grad_cam(net, pictures[0][0], "2").values, cw.methods.grad_cam(digits, seen, "2").values
    for y, x in ((0, 0), (20, 41), (63, 63)):
        wanted = other[int((y + 0.5) * 10 / 64), int((x + 0.5) * 10 / 64)] - one[y // 8, x // 8]
        assert panel.result.pairs[0].difference[y, x] == pytest.approx(wanted, abs=1e-6)


def test_a_map_at_pixels_is_the_value_of_the_position_over_each():
    values = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(at_pixels(values, (4, 6)), values.repeat(2, 0).repeat(2, 1))


def test_maps_that_have_nothing_in_common_are_told():
    maps = [PictureMaps(np.zeros((2, 2, 3), np.uint8), {name: Cell(np.zeros((2, 2)))}) for name in "xy"]
    with pytest.raises(
        ValueError, match="one and two have no map in common: expected at least one of the same name in both"
    ):
        pairs_of(*maps, ("one", "two"), ("", ""))


def test_what_the_second_cannot_do_is_told_with_its_name_and_the_next_one_works(made, net, pictures):
    animals = cw.bind(cw.load("grass").module, classes=[f"animal {k}" for k in range(10)], input_shape=(3, 64, 64))
    panel = made(cw.SaliencyPanel, net, animals, pictures, "3", methods=["saliency"])
    with pytest.raises(ValueError, match=r"^SmallResNet: There is no class '3'"):
        _ = panel.result
    assert panel.status.message.startswith("SmallResNet: There is no class '3'")
    panel.first.put(explain="unit", layer="conv1", unit=3)
    assert panel.result.pairs[0].name == "saliency"


def test_a_unit_that_comes_with_a_class_is_not_taken_for_a_click(made, net, grass, pictures):
    panel = made(cw.SaliencyPanel, net, grass, pictures, methods=["saliency"])
    panel.first.put(layer="conv1", unit=3, explain="class")
    assert panel.result is not None
    assert (panel.first.explain, panel.second.explain, panel.second.unit) == ("class", "class", 3)


# one cursor, one strip


@pytest.mark.parametrize(
    ("kind", "options"),
    [(cw.OcclusionSlider, COARSE), (cw.FeatureMapBrowser, {}), (cw.SaliencyPanel, {"methods": ["grad_cam"]})],
)
def test_a_hand_moves_one_cursor_of_all_once_and_nothing_comes_back(made, net, grass, pictures, monkeypatch, kind, options):
    panel = made(kind, net, grass, pictures, **options)
    assert panel.result is not None
    told = []
    for one in (panel, panel.first, panel.second):
        one.observe(lambda change: told.append((change.owner, change.name, change.new)), ["y", "x"])
    with sent(panel.table, monkeypatch) as messages:
        panel.table.set_state({"cursor": [20.0, 41.0]})
    wanted = [(one, name, at) for name, at in (("y", 20.0), ("x", 41.0)) for one in (panel, panel.first, panel.second)]
    assert sorted(told, key=repr) == sorted(wanted, key=repr)
    assert [one for one in messages if one["method"] == "update"] == []


def test_the_cursor_is_the_first_panels_too(made, net, grass, pictures):
    panel = made(cw.FeatureMapBrowser, net, grass, pictures)
    assert panel.result is not None
    panel.first.put(y=7.0, x=9.0)
    assert (panel.y, panel.x, panel.second.y, panel.second.x) == (7.0, 9.0, 7.0, 9.0)
    assert panel.table.cursor == [7.0, 9.0]


def test_a_value_at_the_cursor_is_explained_in_both(made, net, grass, pictures):
    at = cw.methods.saliency(net, pictures[0][0], unit=("layer3.1.relu:2", 7, 2, 5)).values
    panel = made(cw.SaliencyPanel, net, grass, pictures, unit=("layer3.1.relu:2", 7, 2, 5), methods=["saliency"])
    np.testing.assert_allclose(panel.result.pairs[0].first, at, atol=1e-7)
    panel.put(y=40.0, x=10.0)
    place = net.layers["layer3.1.relu:2"].to_position(40.0, 10.0, (64, 64))
    for each, values in ((net, panel.result.pairs[0].first), (grass, panel.result.pairs[0].second)):
        wanted = cw.methods.saliency(each, pictures[0][0], unit=("layer3.1.relu:2", 7, *place)).values
        np.testing.assert_allclose(values, wanted, atol=1e-7)


def test_there_is_one_strip_with_what_changes_the_maps_and_no_more(made, net, grass, pictures):
    panel = made(cw.SaliencyPanel, net, grass, pictures, methods=["grad_cam"], hide=["seed"])
    assert panel.controls == panel.second.controls == {}
    assert {"image", "target", "methods", "randomized"} <= set(panel.first.controls)
    assert {"seed", "faithful", "outline", "check_all"}.isdisjoint(panel.first.controls)
    assert control(panel.first, "methods")["more"]
    assert panel.first.is_bare and is_shown(panel, panel.first) and not is_shown(panel, panel.second)


def test_a_layer_is_chosen_in_the_strip_where_there_is_no_table(made, net, early, pictures):
    panel = made(cw.FeatureMapBrowser, early, net, pictures)
    assert not control(panel.first, "layer")["absent"]
    panel.first.set_state({"layer": "layer1.0.conv2"})
    assert panel.result.pairs[0].first.shape == (32, 32)
    assert panel.second.layer == panel.settings["layer"] == "layer1.0.conv2"


def test_a_value_that_is_refused_in_the_strip_is_told_in_the_status_line(made, net, grass, pictures):
    panel = made(cw.OcclusionSlider, net, grass, pictures, **COARSE)
    assert panel.result is not None
    panel.first.set_state({"fill": "meen"})
    assert panel.status.kind == "error"
    assert panel.status.message.startswith("There is no fill 'meen'. Did you mean 'mean'")


def test_a_hand_chooses_among_the_differences(made, net, early, pictures):
    panel = made(cw.FeatureMapBrowser, early, net, pictures, "layer3.1.relu:2")
    found = panel.result
    assert is_shown(panel, panel.grid)
    order = np.frombuffer(panel.grid.orders["apart"], np.int32)
    apart = [found.pairs[k].apart for k in order]
    assert apart == sorted(apart, reverse=True)
    panel.grid.set_state({"selected": 5})
    assert panel.chosen == "5"
    assert panel.table.rows == ["unit 5"]
    np.testing.assert_allclose(shown(panel, 0), found.pairs[5].first, atol=1e-3)


# as panels are


def test_it_comes_back_from_its_state(made, net, grass, pictures):
    panel = made(
        cw.OcclusionSlider, net, grass, UNDECIDED, images=pictures, target="3", fill="zero", **COARSE, y=30.0, x=8.0
    )
    assert panel.result is not None
    other = made(cw.OcclusionSlider, net, grass, pictures, patch=9, stride=9)
    other.restore(json.loads(json.dumps(panel.state)))
    np.testing.assert_array_equal(other.data()["p(3)"], panel.data()["p(3)"])
    assert other.state == panel.state
    assert (other.first.fill, other.second.fill, other.y) == ("zero", "zero", 30.0)


def test_settings_that_do_not_fit_change_nothing(made, net, grass, pictures):
    panel = made(cw.OcclusionSlider, net, grass, pictures, **COARSE)
    before = panel.state
    with pytest.raises(TypeError, match="OcclusionSlider has no 'fil'"):
        panel.settings = {"fil": "zero"}
    with pytest.raises(ValueError, match="there is no fill 'zerro'"):
        panel.restore({"settings": {"fill": "zerro"}})
    assert panel.state == before


def test_its_code_gives_the_difference(made, net, grass, pictures):
    panel = made(cw.SaliencyPanel, net, grass, pictures, "2", methods=["saliency", "grad_cam"])
    exec(panel.code(), space := {})
    for pair in panel.result.pairs:
        name = {"saliency": "saliency", "Grad-CAM": "grad_cam"}[pair.name]
        np.testing.assert_allclose(space["values"][name], pair.difference, atol=1e-5)


def test_what_cannot_be_made_leaves_no_widget(net, grass, pictures):
    before = {*_instances}
    for other, options in ((3, {}), (grass, {"y": "top"}), (grass, {"settings": {"fil": "zero"}})):
        with pytest.raises((TypeError, ValueError)):
            cw.TwoNetworks(cw.OcclusionSlider, net, other, pictures, **options)
    assert {*_instances} == before


def test_neither_network_is_changed(net, grass, pictures):
    with unchanged(net.module), unchanged(grass.module):
        panel = cw.TwoNetworks(cw.SaliencyPanel, net, grass, pictures, methods=["guided_backprop", "grad_cam"])
        assert panel.result is not None
        panel.close()


def test_cancel_stops_both(made, net, grass, pictures, monkeypatch):
    gate, begun = threading.Event(), threading.Event()
    compute = cw.OcclusionSlider.compute

    def slow(panel, state, job):
        if panel.net is grass:
            begun.set()
            while not gate.wait(0.01):
                if job.cancelled:
                    raise Cancelled
        return compute(panel, state, job)

    monkeypatch.setattr(cw.OcclusionSlider, "compute", slow)
    panel = made(cw.OcclusionSlider, net, grass, pictures, **COARSE)
    assert begun.wait(PATIENCE)
    panel.cancel()
    assert panel.wait(PATIENCE) and panel.second.wait(PATIENCE)
    with pytest.raises(Cancelled):
        _ = panel.result
    with pytest.raises(Cancelled):
        _ = panel.second.result


class Brightness(ImagePanel):
    """A panel of one's own: how bright the picture is, times the network's first weight."""

    def build(self):
        return []

    def compute(self, state, job):
        weight = next(self.net.module.parameters()).flatten()[0].item()
        return weight * self.net.prepare(state.image)[0].mean(0).numpy()

    def maps_of(self, found):
        return PictureMaps(np.zeros((64, 64, 3), np.uint8), {"brightness": Cell(found, 1.0, True)})


def test_a_panel_of_ones_own_that_says_its_maps_is_compared(made, net, grass, pictures):
    panel = made(Brightness, net, grass, pictures)
    weights = [next(each.module.parameters()).flatten()[0].item() for each in (net, grass)]
    wanted = (weights[1] - weights[0]) * net.prepare(pictures[0][0])[0].mean(0).numpy()
    np.testing.assert_allclose(panel.result.pairs[0].difference, wanted, atol=1e-6)


@pytest.mark.parametrize(
    "panel", [cw.BackwardRules, cw.AugmentationGallery, cw.FilterGrid, Doubler, nn.Identity(), ImagePanel]
)
def test_a_panel_without_maps_of_a_picture_is_refused(panel, net, grass):
    with pytest.raises(
        TypeError, match=r"panel is \w+; expected the class of a panel that shows maps of a picture, such as Sal"
    ):
        cw.TwoNetworks(panel, net, grass)
