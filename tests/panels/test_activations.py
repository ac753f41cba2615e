"""FeatureMapBrowser shows every map of every layer, of the picture that is asked for, and of no other."""

from __future__ import annotations

import io
import json
import threading
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

import cnnwidgets as cw
from cnnwidgets import Cancelled, numbers
from cnnwidgets.methods import activations, browsing, zero_shares
from cnnwidgets.views import ImageGrid
from tests.base.tiny import PATIENCE, Gated, control, several, under
from tests.net.networks import LeNet5, maps_by_hooks, unchanged
from tests.views.stills import frames, tiles


@pytest.fixture(scope="module")
def digits():
    return cw.load("digits")


@pytest.fixture(scope="module")
def data():
    return cw.samples.digits()


@pytest.fixture
def browser(digits, data):
    panel = cw.FeatureMapBrowser(digits, data)
    assert panel.result
    yield panel
    panel.close()


def gated() -> tuple[Gated, cw.FeatureMapBrowser, torch.Tensor, torch.Tensor]:
    """A network that can be made to stand still, a browser that shows one picture, and another picture."""
    torch.manual_seed(0)
    one, other = torch.randn(2, 1, 8, 8)
    model = Gated()
    panel = cw.FeatureMapBrowser(cw.bind(model, input_shape=(1, 8, 8)), one)
    assert panel.result
    return model, panel, one, other


class Counted(nn.Sequential):
    """Counts its forward passes."""

    passes = 0

    def forward(self, x):
        Counted.passes += 1  # at the class: a network itself is never run
        return super().forward(x)


# what is shown


@pytest.mark.parametrize("layer", ["conv1", "relu2", "pool2", "flatten", "fc3"])
def test_the_maps_are_those_of_the_method(browser, digits, data, layer):
    browser.layer = layer
    wanted = activations(digits, data[0][0], [layer])[layer].values
    np.testing.assert_array_equal(browser.data()["values"], wanted)
    assert browser.grid.shape == [*wanted.shape, 1]
    assert np.frombuffer(browser.grid.hi, np.float32).tolist() == wanted.max((1, 2)).tolist()
    assert browser.grid.title.startswith(layer)
    for sort, order in {"maximum": -wanted.max((1, 2)), "mean": -wanted.mean((1, 2))}.items():
        found = np.frombuffer(browser.grid.orders[sort], np.int32)
        np.testing.assert_array_equal(order[found], np.sort(order))


def test_the_picture_is_what_the_network_saw(browser, data):
    np.testing.assert_array_equal(browser.data()["picture"], np.repeat(data.picture(0)[:, :, None], 3, 2))
    assert browser.picture.pixels == browser.data()["picture"].tobytes()


def test_the_chart_has_one_bar_per_layer_with_its_share_of_zeros(browser, digits, data):
    wanted = zero_shares(digits, data[0][0])
    assert browser.result.zeros == wanted
    column, bar = json.loads(browser.chart.figure)["data"]
    assert bar["text"] == column["text"] == list(wanted)
    assert column["y"] == [100] * len(wanted)
    assert bar["y"] == pytest.approx([100 * share for share in wanted.values()])
    assert bar["text"][browser.chart.marked] == browser.result.maps.layer.name


def test_another_layer_marks_another_bar_and_sends_no_new_chart(browser):
    browser.wait()
    before = browser.chart.figure
    browser.layer = "conv2"
    assert browser.result.maps.layer.name == "conv2"
    assert json.loads(before)["data"][0]["text"][browser.chart.marked] == "conv2"
    assert browser.chart.figure is before


def test_the_caption_is_what_the_network_predicts(browser, digits, data):
    (best, chance), *_ = digits.predict(data[0][0], k=3)[0]
    assert f"{best} ({chance:.0%})" in browser.picture.caption


def test_the_strip_counts_zeros_and_silent_units(browser, digits, data):
    browser.layer = "relu2"
    values = browser.data()["values"]
    silent = (values.max((1, 2)) == 0).sum()
    finding, span, *_ = browser.status.message.splitlines()
    said = f"{silent} silent for this picture" if silent else "none silent"
    assert finding == f"relu2 · 16 units, {said}, {numbers.percent((values == 0).mean())} zeros"
    assert span == f"Values from 0 to {numbers.number(values.max())}"
    browser.layer = "conv2"
    values = browser.data()["values"]
    span = f"values from {numbers.number(values.min())} to {numbers.number(values.max())}"
    assert browser.status.message.startswith(f"conv2 · 16 units, {span}\n")


def test_every_layer_with_units_is_in_the_table_with_its_shape_parameters_and_field(browser, digits):
    assert browser.table.rows[0] == ["conv1", "Conv2d", "6×28×28", "156", "5×5"]
    assert [row[0] for row in browser.table.rows] == digits.layers.names
    assert browser.table.rows[browser.table.selected][0] == "conv1"


# choosing a layer


@pytest.mark.parametrize("how", ["table", "chart"])
def test_a_layer_is_chosen_in_the_table_or_by_its_bar(browser, how):
    number = browser.layer_names.index("pool1")
    if how == "table":
        browser.table.set_state({"selected": number})
    else:
        browser.chart.set_state({"clicked": [0, number]})
        assert browser.chart.clicked == []  # and can be clicked again
    assert browser.layer == "pool1"
    assert browser.result.maps.layer.name == "pool1"
    assert browser.table.selected == number


def test_a_locked_layer_is_not_changed_by_hand_but_by_code(digits, data):
    panel = cw.FeatureMapBrowser(digits, data, lock=["layer"])
    panel.wait()
    assert panel.table.locked and panel.chart.fixed
    assert panel.layer == "conv1"
    panel.layer = "conv2"
    assert panel.result.maps.layer.name == "conv2"


def test_going_to_another_layer_and_back_before_it_is_there_ends_where_one_is():
    model, panel, _, _ = gated()
    first, second = panel.layer_names[:2]
    with model.shut():
        panel.table.set_state({"selected": 1})
        assert model.reached.wait(PATIENCE)
        panel.table.set_state({"selected": 0})
    assert panel.result.maps.layer.name == panel.layer == first != second


def test_the_name_of_a_block_stays_and_shows_the_call_that_ends_it():
    panel = cw.FeatureMapBrowser(cw.load("scenes"), cw.samples.scenes(), "layer2.1")
    assert panel.result.maps.layer.name == "layer2.1.relu:2"
    assert panel.layer == "layer2.1"


def test_no_layer_is_the_first(browser):
    browser.layer = "conv2"
    browser.layer = None
    assert browser.result.maps.layer.name == "conv1"


def test_a_layer_seen_before_needs_no_forward_pass():
    model = Counted(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 3))
    panel = cw.FeatureMapBrowser(cw.bind(model, input_shape=(1, 8, 8)), torch.rand(1, 8, 8), "0")
    panel.wait()
    panel.layer = "2"
    values = panel.data()["values"]
    passes = model.passes
    for layer in ("0", "2"):
        panel.layer = layer
        panel.wait()
    np.testing.assert_array_equal(panel.data()["values"], values)
    assert model.passes == passes
    panel.image = torch.rand(1, 8, 8)
    panel.wait()
    assert model.passes > passes


def test_a_cache_that_is_too_small_for_a_layer_changes_no_value(browser, digits, data, monkeypatch):
    monkeypatch.setattr(browsing, "CACHE_BYTES", 1)
    for layer in ("conv1", "conv2", "conv1"):
        browser.layer = layer
        np.testing.assert_array_equal(browser.data()["values"], activations(digits, data[0][0], layer)[layer].values)


# choosing a picture


def png(mode="RGB") -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 30, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("number", [0, 7, 499])
def test_a_number_is_a_picture_of_the_data_set(browser, digits, data, number):
    browser.image = number
    np.testing.assert_array_equal(browser.data()["values"], activations(digits, data[number][0], "conv1")["conv1"].values)


def test_the_slider_runs_over_the_data_set(browser, digits, data):
    slider = control(browser, "image")
    assert (slider["min"], slider["max"]) == (0, 499)
    browser.set_state({"image": 12})
    assert browser.result.inputs.equal(digits.prepare(data[12][0]))


def test_a_number_and_a_data_set_can_be_given_apart(digits, data):
    panel = cw.FeatureMapBrowser(digits, 7, images=data)
    np.testing.assert_array_equal(panel.data()["picture"][:, :, 0], data.picture(7))


def test_pictures_of_every_sort_show_the_same_maps(digits, tmp_path):
    (tmp_path / "a.png").write_bytes(png())
    picture = Image.open(tmp_path / "a.png")
    sorts = [tmp_path / "a.png", str(tmp_path / "a.png"), picture, np.asarray(picture), png(), digits.prepare(picture)]
    values = [cw.FeatureMapBrowser(digits, image).data()["values"] for image in sorts]
    for other in values[1:]:
        np.testing.assert_array_equal(other, values[0])


def test_a_list_of_pictures_is_a_data_set(digits, data, tmp_path):
    (tmp_path / "a.png").write_bytes(png("L"))
    panel = cw.FeatureMapBrowser(digits, [tmp_path / "a.png", data[3], data[4][0]])
    for number, image in enumerate((tmp_path / "a.png", data[3][0], data[4][0])):
        panel.image = number
        np.testing.assert_array_equal(panel.data()["values"], activations(digits, image, "conv1")["conv1"].values)


def test_an_uploaded_picture_is_shown(browser, digits):
    content = png()
    browser._handle_custom_msg({"kind": "upload", "name": "image"}, [memoryview(content)])
    np.testing.assert_array_equal(browser.data()["values"], activations(digits, content, "conv1")["conv1"].values)
    assert json.loads(json.dumps(browser.state))["image"]["png"]


def test_the_input_shape_is_that_of_the_first_float_tensor():
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(3 * 18 * 11, 4))
    panel = cw.FeatureMapBrowser(model, torch.rand(2, 20, 13))
    assert panel.data()["values"].shape == (3, 18, 11)
    assert panel.net.input_shape == (2, 20, 13)


def test_a_bare_module_is_bound_and_left_as_it_is():
    torch.manual_seed(0)
    model = LeNet5().train()
    one, other = torch.randn(2, 1, 32, 32)
    with unchanged(model):
        panel = cw.FeatureMapBrowser(model, one)
        panel.wait()
        for change in ({"layer": "relu:2"}, {"image": other}, {"layer": "nowhere"}, {"layer": "fc3"}):
            panel.set_trait(*next(iter(change.items())))
            panel.wait()
        panel.figure()
        panel.code()
        panel.close()
    assert panel.net.module is model


# one picture at a time


def test_the_zeros_and_the_prediction_are_those_of_the_picture_that_is_shown():
    """Another layer is asked for before the new picture's first computation has ended."""
    model, panel, one, other = gated()
    assert zero_shares(panel.net, one) != zero_shares(panel.net, other)
    with model.shut():
        panel.image = other
        assert model.reached.wait(PATIENCE)
        panel.layer = "relu"
    result = panel.result
    assert result.zeros == zero_shares(panel.net, other)
    assert result.predicted == panel.net.output.says(panel.net.predict(other, k=2)[0])
    np.testing.assert_array_equal(result.maps.values, activations(panel.net, other, "relu")["relu"].values)


def test_cancel_keeps_maps_and_picture_together_and_leaves_no_trace():
    model, panel, one, other = gated()
    before = panel.result
    with unchanged(model):
        with model.shut():
            panel.image = other
            assert model.reached.wait(PATIENCE)
            panel.cancel()
        assert panel.wait(PATIENCE)
    assert panel.status.message.startswith("Cancelled")
    assert panel.shown is before
    with pytest.raises(Cancelled):
        panel.data()
    panel.image = one
    assert panel.result.zeros == zero_shares(panel.net, one)


def test_dragging_through_pictures_ends_with_the_last(browser, digits, data):
    for number in range(30):
        browser.image = number
        browser.layer = browser.layer_names[number % len(browser.layer_names)]
    maps = browser.result.maps
    np.testing.assert_array_equal(maps.values, activations(digits, data[29][0], browser.layer)[browser.layer].values)
    assert browser.result.zeros == zero_shares(digits, data[29][0])


def test_pictures_and_layers_set_from_several_threads_end_with_the_maps_of_the_last_state(browser, digits, data):
    def change(first):
        for number in range(first, 60, 3):
            browser.image = number
            browser.layer = browser.layer_names[number % len(browser.layer_names)]

    running = [threading.Thread(target=change, args=(first,)) for first in range(3)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(PATIENCE)
    wanted = activations(digits, data[browser.image][0], browser.layer)[browser.layer].values
    np.testing.assert_array_equal(browser.data()["values"], wanted)
    np.testing.assert_array_equal(np.frombuffer(browser.grid.hi, np.float32), wanted.max((1, 2)))
    assert browser.result.zeros == zero_shares(digits, data[browser.image][0])
    assert (browser.status.kind, browser.table.selected) == ("ready", browser.layer_names.index(browser.layer))


# the cursor


def center(row, shape, cursor) -> np.ndarray:
    """The input pixel in the middle of what a position sees."""
    field = row.receptive_field
    if field is None or field.status == "global":
        return (np.array(cursor) + 0.5) * shape[1:] / row.map_shape[1:] - 0.5
    return np.array(field.offset) + np.array(cursor) * field.step + (np.array(field.size) - 1) / 2


def step(row, shape) -> np.ndarray:
    field = row.receptive_field
    return np.array(shape[1:]) / row.map_shape[1:] if field is None or field.status == "global" else np.array(field.step)


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_the_cursor_keeps_its_place_in_the_picture_through_all_layers(data):
    panel = scenes_browser()
    shape, rows = panel.net.input_shape, [row for row in panel.net.layers if row.has_units]
    panel.layer = "conv1"
    panel.wait()
    place = data.draw(st.tuples(st.integers(0, 31), st.integers(0, 31)))
    panel.grid.set_state({"cursor": [float(at) for at in place]})
    y, x = panel.y, panel.x
    assert [y, x] == [2 * at for at in place]
    for row in data.draw(st.lists(st.sampled_from(rows), min_size=1, max_size=4)):
        panel.layer = row.name
        assert panel.wait(PATIENCE)
        assert (panel.y, panel.x) == (y, x)
        at = np.array(panel.grid.cursor)
        ends = [center(row, shape, [0, 0]), center(row, shape, np.array(row.map_shape[1:]) - 1)]
        off = np.abs(center(row, shape, at) - np.clip([y, x], *ends))  # at the border: the last position
        assert (off <= step(row, shape) / 2 + 1e-9).all()
    panel.layer = "conv1"
    panel.wait()
    assert panel.grid.cursor == list(place)


@cache
def scenes_browser() -> cw.FeatureMapBrowser:
    return cw.FeatureMapBrowser(cw.load("scenes"), cw.samples.scenes())


def test_the_picture_gets_the_receptive_field_of_the_layer(browser, digits):
    browser.layer = "pool2"
    browser.wait()
    field = digits.layers["pool2"].receptive_field
    assert browser.picture.field == {
        "size": field.size, "step": field.step, "offset": field.offset, "status": field.status
    }  # fmt: skip
    assert browser.picture.positions == [5, 5]
    assert (browser.picture, "cursor") in browser._tied.of((browser.grid, "cursor"))


# beside


def test_a_second_picture_is_beside_in_every_layer(digits, data):
    panel = cw.FeatureMapBrowser(digits, data, beside=data[5][0])
    for layer in ("conv1", "relu1", "conv2", "relu1"):
        panel.layer = layer
        values = panel.data()
        np.testing.assert_array_equal(values["values"], activations(digits, data[0][0], layer)[layer].values)
        np.testing.assert_array_equal(values["beside"], activations(digits, data[5][0], layer)[layer].values)
        assert panel.second.title.startswith(f"Beside · {layer}")
    panel.image = 5
    np.testing.assert_array_equal(panel.data()["beside"], panel.data()["values"])


def test_both_are_under_one_cursor(digits, data):
    panel = cw.FeatureMapBrowser(digits, data, beside=data[5][0])
    panel.wait()
    panel.restore({"sort": "mean", "scale": "layer", "colors": "gray", "unit": 3, "y": 10.0, "x": 12.0})
    for trait in ("cursor", "sort", "scale", "colors", "selected"):
        assert getattr(panel.grid, trait) == getattr(panel.second, trait) != ImageGrid.class_traits()[trait].default()
    panel.grid.set_state({"cursor": [2.0, 3.0]})
    assert panel.second.cursor == panel.picture.cursor == [2.0, 3.0]


# other networks


class GivesADict(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)

    def forward(self, x):
        return {"maps": self.conv(x)}


def test_a_model_that_outputs_a_dict_has_maps_and_a_sentence_for_a_prediction():
    panel = cw.FeatureMapBrowser(cw.bind(GivesADict(), input_shape=(1, 8, 8)), torch.rand(1, 8, 8))
    assert panel.data()["values"].shape == (2, 6, 6)
    assert panel.status.kind == "ready"
    assert panel.picture.caption == "the network gives a dict of maps (1×2×6×6)"


@pytest.mark.parametrize("layer", ["conv", "norm", "attention", "add:2", "head"])
def test_tokens_channels_last_and_vectors_are_shown(layer):
    panel = cw.FeatureMapBrowser(cw.bind(several(), input_shape=(3, 8, 8)), torch.rand(3, 8, 8), layer)
    assert panel.data()["values"].shape == panel.net.layers[layer].map_shape
    assert panel.status.kind == "ready"
    assert panel.grid.shape[:3] == list(panel.net.layers[layer].map_shape)


def test_tokens_are_drawn_on_their_grid_and_the_title_says_what_lies_beside_it():
    net = cw.bind(several(), input_shape=(3, 8, 12))
    image = torch.rand(3, 8, 12, generator=torch.Generator().manual_seed(0))
    (tokens,) = maps_by_hooks(net.module, image[None])["attention"]
    panel = cw.FeatureMapBrowser(net, image, "attention")
    assert tokens.shape == (1, 1 + 7 * 11, 4)
    np.testing.assert_allclose(panel.data()["values"], tokens[0, 1:].T.reshape(4, 7, 11), atol=1e-6)
    assert panel.grid.title == "attention · 78×4 tokens · laid out as 7×11 patches, without 1 extra token"
    panel.layer = "flatten"
    assert panel.result.maps.values.shape == (4, 7, 11)
    assert panel.grid.title == "flatten · 4×77 · laid out as 7×11 patches"


# words, controls


def test_the_repr_says_what_is_shown(browser):
    assert repr(browser) == "FeatureMapBrowser(digits, image=0, layer='conv1')"
    browser.restore({"layer": "relu1", "unit": 3, "y": 4.0, "x": 5.5})
    assert repr(browser) == "FeatureMapBrowser(digits, image=0, layer='relu1', unit=3)"


def test_the_selected_unit_is_read_in_python(browser):
    browser.grid.selected = 4
    assert browser.unit == 4
    browser.unit = 2
    assert browser.grid.selected == 2


def test_a_hidden_layer_table_is_not_on_the_page(digits, data):
    panel = cw.FeatureMapBrowser(digits, data, hide=["layer"])
    assert panel.table not in list(under(panel))
    panel.layer = "conv2"
    assert panel.result.maps.layer.name == "conv2"


@pytest.mark.parametrize("sort", ["index", "maximum"])
def test_the_figure_carries_the_picture_and_the_maps_in_their_order(browser, sort):
    browser.restore({"layer": "conv1", "scale": "layer", "sort": sort})
    data = browser.data()
    picture, sheet = (image.get_array() for axes in browser.figure().axes for image in axes.images)
    np.testing.assert_array_equal(picture, data["picture"])
    values = data["values"]
    order = np.argsort(-values.max((1, 2)), kind="stable") if sort == "maximum" else np.arange(len(values))
    for unit, tile in zip(order, tiles(sheet.filled(np.nan), *values.shape), strict=True):
        np.testing.assert_allclose(tile, values[unit], atol=np.ptp(values[unit]) / 500 + 1e-6)


def test_the_figure_has_the_maps_of_both_pictures(digits, data):
    panel = cw.FeatureMapBrowser(digits, data, "conv1", beside=data[5][0])
    titles = [axes.get_title("left") for axes in panel.figure().axes]
    assert "Picture · conv1 · 6×28×28 · receptive field 5×5" in titles
    assert "Beside · conv1 · 6×28×28" in titles


def test_the_figure_frames_the_chosen_unit_and_what_the_cursor_sees(browser):
    browser.restore({"unit": 3, "y": 10.0, "x": 10.0, "layer": "conv1"})
    browser.wait()
    axes = {axes.get_title("left"): axes for axes in browser.figure().axes}
    assert len(frames(axes[browser.grid.title])) == 1
    assert len(frames(axes[browser.picture.title])) == 1
