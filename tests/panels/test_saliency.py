"""SaliencyPanel: its maps are the methods', classes are rows, units come by link."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods import METHODS
from cnnwidgets.numbers import number
from tests.base.tiny import is_shown

FAST = ["saliency", "guided_backprop", "grad_cam"]


@pytest.fixture
def panel(net, pictures):
    return cw.SaliencyPanel(net, 3, images=pictures, methods=FAST)


def sent(table, row, column):
    """The values of one cell as the browser reads them."""
    number = row * len(table.columns) + column
    sizes = [int(np.prod(about["shape"])) if "shape" in about else 0 for about in table.cells]
    start, about = sum(sizes[:number]), table.cells[number]
    codes = np.frombuffer(table.values, np.int16)[start : start + sizes[number]].reshape(about["shape"])
    return codes / 32767 * about["peak"]


def test_the_table_gets_the_methods_numbers(panel, net, pictures):
    result = panel.result
    assert (panel.table.rows, panel.table.columns) == (["class 6"], ["saliency", "guided backprop", "Grad-CAM"])
    for k, method in enumerate(FAST):
        own = cw.methods.attribute(net, pictures[3], method=method)
        np.testing.assert_array_equal(result.maps[method][0].values, own.values)
        np.testing.assert_allclose(sent(panel.table, 0, k), own.values, atol=np.abs(own.values).max() / 32767)
        quantile = np.quantile(np.abs(own.at_input()), 0.995)
        assert panel.table.cells[k]["scale"] == pytest.approx(quantile, rel=1e-5)
    assert panel.table.pixels == net.picture(pictures[3][0]).tobytes()


def test_several_classes_are_rows_and_share_each_methods_scale(net, pictures):
    panel = cw.SaliencyPanel(net, 3, [6, "5"], images=pictures, methods=["grad_cam", "occlusion"])
    assert panel.table.rows == ["class 6", "class 5"] or panel.wait()
    cam = panel.result.maps["grad_cam"]
    own = cw.methods.grad_cam(net, pictures[3], [6, 5])
    assert all(np.array_equal(one.values, other.values) for one, other in zip(cam, own, strict=True))
    scales = [about["scale"] for about in panel.table.cells]
    assert scales[0] == scales[2] and scales[1] == scales[3]
    assert (panel.target, panel.other_targets) == ("6", ["5"])


def test_classes_of_the_same_name_are_told_apart():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).eval()
    net = cw.bind(model, input_shape=(3, 2, 2), classes=["cat", "cat", "dog"])
    panel = cw.SaliencyPanel(net, torch.rand(3, 2, 2), [0, 1, 2], methods=["saliency"])
    assert [row.name for row in panel.result.rows] == ["cat (0)", "cat (1)", "dog"]


def test_a_data_set_may_call_something_else_its_mask(net, pictures):
    class Masked(torch.utils.data.Dataset):
        mask = None

        def __len__(self):
            return 1

        def __getitem__(self, number):
            return pictures[number]

    panel = cw.SaliencyPanel(net, Masked(), methods=["saliency"])
    assert panel.result.maps.keys() == {"saliency"} and panel.error is None


def test_a_method_that_refuses_says_why_in_its_cell_and_the_others_go_on():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.SiLU(), nn.Flatten(), nn.Linear(4 * 36, 3)).eval()
    panel = cw.SaliencyPanel(
        cw.bind(model, input_shape=(3, 8, 8)), torch.rand(3, 8, 8), methods=["guided_backprop", "saliency"]
    )
    assert panel.result.maps.keys() == {"saliency"}
    assert "SiLU" in panel.table.cells[0]["text"] and "shape" not in panel.table.cells[0]
    assert panel.table.cells[1]["shape"] == [8, 8] and panel.error is None


def test_whether_a_maximum_lies_on_the_object_is_said_where_the_pictures_know_it(panel, net, pictures):
    _ = panel.result
    for k, method in enumerate(FAST):
        own = cw.methods.attribute(net, pictures[3], method=method)
        place = np.unravel_index(own.at_input().argmax(), (64, 64))
        assert panel.table.cells[k]["text"].startswith("✓" if pictures.mask(3)[place] else "✗")
    panel.image = pictures.picture(3)
    _ = panel.result
    assert not any("peak" in about["text"] for about in panel.table.cells)


def test_a_network_that_has_learned_since_is_explained_as_it_is_now():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2)).eval()
    panel = cw.SaliencyPanel(cw.bind(model, input_shape=(3, 2, 2)), torch.rand(3, 2, 2), 0, methods=["saliency"])
    before = panel.result.maps["saliency"][0].values
    with torch.no_grad():
        model[1].weight *= 2
    panel.ask()
    np.testing.assert_allclose(panel.result.maps["saliency"][0].values, 2 * before, rtol=1e-6)


def test_a_unit_that_is_clicked_in_a_linked_browser_is_explained(net, pictures):
    browser = cw.FeatureMapBrowser(net, 3, images=pictures, layer="layer2.1.relu:2")
    panel = cw.SaliencyPanel(net, 3, images=pictures, methods=["saliency", "grad_cam", "occlusion", "rise"])
    cw.link(browser, panel)
    browser.unit = 7
    result = panel.result
    own = cw.methods.saliency(net, pictures[3], unit=("layer2.1.relu:2", 7))
    np.testing.assert_array_equal(result.maps["saliency"][0].values, own.values)
    assert panel.table.rows == ["unit 7 of layer2.1.relu:2"]
    assert result.maps["grad_cam"][0].layer == "layer2.1.add"
    assert result.maps["occlusion"][0].unit == ("layer2.1.relu:2", 7) and panel.table.cells[2]["quantity"] == "value lost"
    assert result.maps["rise"][0].unit == ("layer2.1.relu:2", 7)
    assert panel.table.cells[3]["quantity"] == "mean value if visible"
    panel.explain = "position"
    browser.y, browser.x = 20.0, 41.0
    place = net.layers["layer2.1.relu:2"].to_position(20, 41, (64, 64))
    own = cw.methods.saliency(net, pictures[3], unit=("layer2.1.relu:2", 7, *place))
    np.testing.assert_array_equal(panel.result.maps["saliency"][0].values, own.values)


@pytest.mark.parametrize("unit", [("layer2.1.relu:2", 7), ("layer2.1.relu:2", 7, 0, 15), ("layer1.0.relu", 3, 30, 2)])
def test_a_unit_is_given_as_methods_take_it(net, pictures, unit):
    panel = cw.SaliencyPanel(net, 3, images=pictures, unit=unit, methods=["saliency", "grad_cam"])
    assert panel.result.maps["grad_cam"][0].unit == unit
    own = cw.methods.saliency(net, pictures[3], unit=unit)
    np.testing.assert_array_equal(panel.result.maps["saliency"][0].values, own.values)
    restored = cw.SaliencyPanel(net, 3, images=pictures, methods=["saliency"])
    restored.restore(panel.state)
    assert restored.result.maps["saliency"][0].unit == unit


def test_while_a_unit_is_explained_no_class_is_offered(net, pictures):
    panel = cw.SaliencyPanel(net, 3, images=pictures, unit=("relu", 3), methods=["saliency"])
    panel.wait()
    assert [panel.controls[name]["absent"] for name in ("target", "other_targets")] == [True, True]
    panel.explain = "class"
    panel.wait()
    assert [panel.controls[name]["absent"] for name in ("target", "other_targets")] == [False, False]


def test_a_unit_of_which_only_the_number_is_given_is_explained(net, pictures):
    panel = cw.SaliencyPanel(net, 3, images=pictures, layer="relu", unit=3, methods=["saliency"])
    assert panel.result.maps["saliency"][0].unit == ("relu", 3)
    panel = cw.SaliencyPanel(net, 3, images=pictures, unit=("relu", 3), explain="class", methods=["saliency"])
    assert panel.result.maps["saliency"][0].target == 6


def test_a_position_that_the_unit_does_not_have_is_said_and_the_next_one_works(net, pictures):
    with pytest.raises(ValueError, match=r"unit is \('relu', 3, 1\); expected \(layer, unit\)"):
        cw.SaliencyPanel(net, 3, images=pictures, unit=("relu", 3, 1))
    panel = cw.SaliencyPanel(net, 3, images=pictures, unit=("layer2.1.relu:2", 7, 16, 0), methods=["saliency"])
    assert "here is no row 16: layer2.1.relu:2 has 16, numbered from 0" in panel.status.message
    panel.explain = "unit"
    assert panel.result.maps["saliency"][0].unit == ("layer2.1.relu:2", 7)


def test_a_cursor_that_moves_leaves_no_maps_behind(net, pictures):
    panel = cw.SaliencyPanel(net, 3, images=pictures, methods=["saliency"])
    of_class = panel.result.maps["saliency"]
    panel.restore({"layer": "relu", "unit": 3, "explain": "position", "y": 5.0, "x": 5.0})
    seen = []
    for panel.x in (10.0, 20.0, 30.0):
        seen.append(weakref.ref(panel.result.maps["saliency"][0]))
    gc.collect()
    assert [one() is None for one in seen] == [True, True, False]
    panel.explain = "class"
    assert panel.result.maps["saliency"] is of_class


def test_a_link_takes_over_the_unit_of_whichever_panel_has_one(net, pictures):
    browser = cw.FeatureMapBrowser(net, 3, images=pictures, layer="layer1.0.relu", unit=2)
    panel = cw.SaliencyPanel(net, 3, images=pictures, methods=["saliency"])
    cw.link(panel, browser)
    assert (panel.unit, browser.unit) == (2, 2)


def test_a_lock_keeps_the_class_when_a_unit_is_clicked(net, pictures):
    panel = cw.SaliencyPanel(net, 3, images=pictures, methods=["saliency"], lock=["explain"])
    panel.layer, panel.unit = "layer1.0.relu", 2
    assert panel.explain == "class" and panel.result.rows[0].target == 6


def test_a_method_that_autograd_cannot_follow_leaves_the_others_alone():
    from torch.utils.checkpoint import checkpoint

    class Checkpointed(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.last = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)

        def forward(self, x):
            return self.last(checkpoint(self.body, x, use_reentrant=True).relu().mean((2, 3)))

    net = cw.bind(Checkpointed().eval(), input_shape=(3, 16, 16))
    panel = cw.SaliencyPanel(net, torch.rand(3, 16, 16), methods=["saliency", "occlusion"])
    assert panel.result.maps.keys() == {"occlusion"} and panel.table.cells[0]["text"]


def test_a_batch_is_no_picture(net):
    panel = cw.SaliencyPanel(net, torch.rand(2, 3, 64, 64), methods=["saliency"])
    assert panel.wait(30) and panel.status.message == "Expected one picture, got 2"


def test_curves_of_deletion_and_insertion_are_the_methods(panel, net, pictures):
    panel.faithful = True
    result = panel.result
    own = cw.methods.faithfulness(net, pictures[3], result.maps["grad_cam"][0])
    np.testing.assert_allclose(result.faithful["grad_cam"].deletion, own.deletion, atol=1e-6)
    assert is_shown(panel, panel.curves) and f"Grad-CAM: {number(own.deletion_area)}, " in panel.curves.figure


def test_the_curves_of_a_unit_say_whose_value_they_show(net, pictures):
    panel = cw.SaliencyPanel(net, 3, images=pictures, methods=["saliency"], unit=("layer2.1.relu:2", 7), faithful=True)
    curves = panel.result.faithful["saliency"]
    assert is_shown(panel, panel.curves) and curves.unit == ("layer2.1.relu:2", 7)
    shown = f"saliency: {number(curves.deletion_area)}, {number(curves.insertion_area)}"
    for words in ("Sum of unit 7 of layer2.1.relu:2; the area is its mean", "value of the unit", shown):
        assert words in panel.curves.figure


def test_what_is_cut_out_is_outlined_and_measured(panel, net, pictures):
    panel.outline = "segmentation"
    _ = panel.result
    own = cw.methods.segment(net, pictures[3], "6")
    np.testing.assert_array_equal(np.frombuffer(panel.table.mask, np.uint8).reshape(64, 64), own.mask)
    overlap = cw.methods.intersection_over_union(own.mask, pictures.mask(3))
    assert f"intersection over union with the object: {overlap:.2f}" in panel.status.message
    panel.outline = "object"
    _ = panel.result
    np.testing.assert_array_equal(np.frombuffer(panel.table.mask, np.uint8).reshape(64, 64), pictures.mask(3))


def assert_code_gives_what_is_shown(panel):
    scope: dict = {}
    exec(panel.code(), scope)
    for method, found in panel.result.maps.items():
        values = np.asarray(torch.as_tensor(scope["maps"][method]).detach())
        np.testing.assert_allclose(values, found[0].values, atol=1e-5 * np.abs(found[0].values).max(), err_msg=method)


def test_the_code_gives_the_same_maps(net, pictures):
    assert_code_gives_what_is_shown(cw.SaliencyPanel(net, 3, images=pictures, methods=METHODS))


def test_the_code_gives_the_maps_of_the_randomized_network(panel):
    panel.randomized, panel.seed = 2, 3
    assert_code_gives_what_is_shown(panel)


@pytest.mark.parametrize("layer", ["bn1", "layer2.1.bn2"])
def test_the_code_keeps_a_map_that_is_overwritten(panel, layer):
    panel.restore({"methods": ["grad_cam", "layer_cam"], "cam_layer": layer})
    assert_code_gives_what_is_shown(panel)


@pytest.mark.parametrize("relu", ["nn.ReLU6()", "nn.Threshold(0, 0)"])
def test_the_code_knows_other_relus(relu, pictures):
    model = f"nn.Sequential(nn.Conv2d(3, 4, 3), {relu}, nn.Conv2d(4, 2, 3), {relu}, nn.AdaptiveAvgPool2d(1), nn.Flatten())"
    code = f"from torch import nn\ntorch.manual_seed(0)\nmodel = {model}"
    scope = {"torch": torch}
    exec(code, scope)
    net = cw.bind(scope["model"], input_shape=(3, 64, 64))
    net.code = code
    panel = cw.SaliencyPanel(net, 3, images=pictures, methods=["deconvnet", "guided_backprop"])
    assert panel.result.maps.keys() == {"deconvnet", "guided_backprop"}
    assert_code_gives_what_is_shown(panel)


def test_without_a_method_there_is_nothing_to_draw_and_nothing_wrong(net, pictures):
    panel = cw.SaliencyPanel(net, 3, images=pictures, methods=[])
    assert panel.wait(30)
    bundle, _ = panel._repr_mimebundle_()
    assert "image/png" not in bundle and panel.status.kind == "ready"


def test_a_method_that_is_added_leaves_the_others_as_they_were(panel):
    before = panel.result.maps["saliency"]
    panel.methods = [*FAST, "layer_cam"]
    assert panel.result.maps["saliency"] is before and "layer_cam" in panel.result.maps


@pytest.mark.parametrize("method", ["smoothgrad", "integrated_gradients", "score_cam", "occlusion", "rise", "lime"])
def test_a_cancel_within_a_method_leaves_the_maps_that_there_are(panel, method, monkeypatch):
    _ = panel.result

    def cancelled(net, image, target, **options):
        panel.cancel()
        raise cw.Cancelled("cancelled", partial="a part of a map")

    monkeypatch.setitem(METHODS, method, replace(METHODS[method], function=cancelled))
    panel.methods = ["layer_cam", method]
    assert panel.wait(30) and isinstance(panel.error, cw.Cancelled)
    assert panel.shown.maps.keys() == {"layer_cam"} and panel.table.columns == ["Layer-CAM", METHODS[method].title]
    assert ["shape" in about for about in panel.table.cells] == [True, False], "its column keeps its place"
    assert panel.status.kind == "ready" and panel.status.message.startswith("Cancelled. Prediction: 6")
    panel.methods = FAST
    assert panel.result.maps.keys() == set(FAST)


def test_every_method_is_a_button_and_what_no_method_takes_is_not_asked(panel):
    methods = panel.controls["methods"]
    assert (methods["kind"], methods["options"]) == ("several", [[one.title, name] for name, one in METHODS.items()])
    asked = {"saliency": ["reduce"], "grad_cam": ["cam_layer"], "guided_grad_cam": ["cam_layer"], "rise": []}
    for method, names in asked.items():
        panel.methods = [method]
        assert [name for name in ("cam_layer", "reduce") if not panel.controls[name]["absent"]] == names


def test_a_state_goes_round(panel, net, pictures):
    panel.other_targets, panel.randomized, panel.cam_layer = ["1"], 2, "layer2"
    other = cw.SaliencyPanel(net, 0, images=pictures)
    other.restore(panel.state)
    assert other.state == panel.state
    assert all(
        np.array_equal(a.values, b.values)
        for a, b in zip(other.result.maps["grad_cam"], panel.result.maps["grad_cam"], strict=True)
    )


def test_a_state_of_a_class_stays_one_though_a_unit_was_chosen_before(panel, net, pictures):
    panel.layer, panel.unit = "relu", 3
    assert panel.explain == "unit"
    panel.explain = "class"
    other = cw.SaliencyPanel(net, 0, images=pictures, methods=FAST)
    other.restore(panel.state)
    assert other.state == panel.state and other.result.rows == panel.result.rows


def test_the_still_twin_holds_the_maps(panel):
    arrays = [image.get_array() for axes in panel.figure().axes for image in axes.images]
    np.testing.assert_array_equal(arrays[0], panel.data()["picture"])
    for drawn, method in zip(arrays[2::2], FAST, strict=True):  # each over the picture in gray
        (one,) = panel.result.maps[method]
        np.testing.assert_allclose(drawn, one.values, atol=np.abs(one.values).max() / 30_000)


@pytest.mark.parametrize(
    "wrong, words",
    [
        ({"target": "cat"}, "there is no class 'cat'"),
        ({"other_targets": [11]}, "there is no class 11"),
        ({"explain": "unit"}, "no unit is selected"),
        ({"explain": "unit", "layer": "relu", "unit": 99}, "there is no unit 99"),
        ({"randomized": 99}, "has 16 layers with weights"),
        ({"cam_layer": "fc"}, None),
    ],
)
def test_what_is_wrong_is_a_sentence_and_the_next_good_thing_works(panel, wrong, words):
    before = panel.result
    for name, value in wrong.items():
        setattr(panel, name, value)
    assert panel.wait(30)
    if words is None:  # one method's own affair: it is said in its cell
        assert "no height and width" in panel.table.cells[2]["text"] and panel.error is None
    else:
        assert panel.status.kind == "error" and words in panel.status.message.lower()
        assert panel.shown is before
    panel.restore({"target": None, "other_targets": [], "explain": "class", "randomized": 0, "cam_layer": None})
    assert np.array_equal(panel.result.maps["grad_cam"][0].values, before.maps["grad_cam"][0].values)
