"""FilterGrid shows the weights, and says of a chosen filter what linear algebra says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.numbers import number
from cnnwidgets.panels import filters as module
from tests.base.tiny import control, is_shown
from tests.net.networks import LeNet5, unchanged
from tests.views.stills import tiles


@pytest.fixture(scope="module")
def digits():
    return cw.load("digits")


@pytest.fixture
def grid(digits):
    panel = cw.FilterGrid(digits)
    assert panel.result
    yield panel
    panel.close()


def shown(view) -> np.ndarray:
    """The values of an ImageGrid's maps, to 1/255 of each one's range."""
    count, height, width, channels = view.shape
    pixels = np.frombuffer(view.pixels, np.uint8).reshape(count, -1)
    lo, hi = (np.frombuffer(end, np.float32)[:, None] for end in (view.lo, view.hi))
    values = (lo + pixels / 255 * (hi - lo)).reshape(count, height, width, channels)
    return values[:, :, :, 0] if channels == 1 else values


def kernels(panel) -> np.ndarray:
    return np.frombuffer(panel.kernel.values, np.float32).reshape(panel.kernel.shape)


def close(a, b) -> bool:
    return np.abs(a - b).max() <= np.ptp(b) / 255


# the grid


@pytest.mark.parametrize("net", ["module", "bound"])
def test_a_network_bound_or_bare_shows_its_first_filters(net):
    module = LeNet5()
    with unchanged(module):
        panel = cw.FilterGrid(module if net == "module" else cw.bind(module))
        values = panel.data()["values"]
        panel.close()
    np.testing.assert_array_equal(values, module.conv1.weight.detach().numpy())
    assert panel.layer == "conv1"


def test_first_filters_of_a_color_network_are_in_color():
    panel = cw.FilterGrid(cw.load("scenes"))
    values = panel.data()["values"]
    assert panel.grid.shape == [16, 3, 3, 3]
    assert close(shown(panel.grid), values.transpose(0, 2, 3, 1))


def test_deep_filters_show_all_channels_side_by_side_or_one(grid):
    grid.layer = "conv2"
    values = grid.data()["values"]
    assert values.shape == (16, 6, 5, 5)
    assert (grid.grid.shape, grid.grid.mosaic) == ([16, 10, 15, 1], [5, 5, 6])  # six parts: two rows of three
    assert close(shown(grid.grid)[:, 5:10, 5:10], values[:, 4])
    assert grid.channel is None
    grid.channel = 4
    assert (grid.grid.shape, grid.grid.mosaic) == ([16, 5, 5, 1], [])
    assert close(shown(grid.grid), values[:, 4])
    np.testing.assert_array_equal(grid.data()["values"], values[:, 4])


def test_a_fully_connected_layer_shows_the_maps_that_its_rows_weigh(grid):
    grid.layer = "fc1"
    assert grid.data()["values"].shape == (120, 16, 5, 5)
    assert grid.grid.mosaic == [5, 5, 16]
    assert "Each row of the weight matrix is drawn as the map that it weights." in grid.status.message


def test_a_fully_connected_layer_on_a_vector_shows_a_square_of_weights(grid):
    grid.layer = "fc2"
    values = grid.data()["values"]
    assert values.shape == (84, 1, 1, 120)
    assert (grid.grid.shape, grid.grid.mosaic) == ([84, 11, 11, 1], [1, 1, 120])
    assert close(shown(grid.grid).reshape(84, 121)[:, :120], values.reshape(84, 120))


def test_templates_of_a_linear_classifier_of_color_pictures_are_in_color():
    panel = cw.FilterGrid(cw.bind(nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 10)), input_shape=(3, 8, 8)))
    panel.wait()
    assert panel.grid.shape == [10, 8, 8, 3]


def test_the_last_layers_templates_have_the_names_of_their_classes_and_no_other_filters_have(grid, digits):
    grid.layer = "fc3"
    grid.wait()
    assert grid.grid.labels == list(digits.classes)
    texts = [text.get_text() for axes in grid.figure().axes for text in axes.texts]
    assert set(digits.classes) <= set(texts)
    grid.layer = "fc2"
    grid.wait()
    assert grid.grid.labels == []


@pytest.mark.parametrize("sort", ["index", "norm", "similarity"])
def test_the_orders_that_the_browser_gets_are_those_of_the_method(grid, sort):
    order = np.frombuffer(grid.grid.orders[sort], np.int32)
    np.testing.assert_array_equal(order, grid.result.order(sort))


def test_sorting_scaling_and_coloring_ask_for_no_computation(grid):
    job = grid._job
    grid.sort, grid.scale, grid.colors, grid.unit = "norm", "fixed", "gray", 2
    assert grid._job is job
    assert (grid.grid.sort, grid.grid.scale, grid.grid.colors, grid.grid.selected) == ("norm", "fixed", "gray", 2)


def test_what_the_browser_chooses_is_read_in_python(grid):
    grid.grid.selected, grid.grid.sort = 3, "similarity"
    assert (grid.unit, grid.sort) == (3, "similarity")


def test_dead_filters_are_crossed_out_and_counted():
    model = LeNet5()
    model.conv1.weight.data[[1, 4]] = 0
    panel = cw.FilterGrid(model)
    panel.wait()
    assert np.flatnonzero(np.frombuffer(panel.grid.dim, np.uint8)).tolist() == [1, 4]
    assert panel.status.message == "conv1 · 6 filters, 1×5×5 weights each, 2 dead"
    panel.unit = 4
    assert "Norm 0. Dead" in panel.kernel.caption


def test_a_layer_of_very_many_weights_is_cut_and_says_so(digits, monkeypatch):
    monkeypatch.setattr(module, "MOST_WEIGHTS", 4000)
    panel = cw.FilterGrid(digits, "fc1", unit=50)
    assert panel.data()["values"].shape == (120, 16, 5, 5)
    assert panel.grid.shape == [10, 20, 20, 1]
    assert "Only the first 10 are shown." in panel.status.message
    assert panel.status.kind == "ready"


def test_the_name_of_a_block_stands_for_the_call_that_ends_it():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Conv2d(3, 4, 3)))
    panel = cw.FilterGrid(cw.bind(model, input_shape=(1, 9, 9)), "1")
    assert panel.result.layer.name == "1.2"
    assert panel.status.message.startswith("1.2 · 4 filters")


def test_no_layer_is_the_first(grid):
    grid.layer = "conv2"
    grid.layer = None
    assert grid.result.layer.name == "conv1"
    assert grid.status.message.startswith("conv1 · 6 filters")


# the channel


def test_the_channel_of_a_layer_with_fewer_channels_is_its_last(grid):
    grid.restore({"layer": "conv2", "channel": 5})
    grid.wait()
    assert (grid.channel, control(grid, "channel")["max"]) == (5, 5)
    grid.layer = "conv1"
    grid.wait()
    assert (grid.channel, grid.data()["values"].shape) == (0, (6, 5, 5))


def test_a_channel_can_be_given_at_first_or_with_its_layer(digits, grid):
    panel = cw.FilterGrid(digits, "conv2", channel=3)
    panel.wait()
    assert (panel.channel, control(panel, "channel")["max"]) == (3, 5)
    grid.restore({"channel": 3, "layer": "conv2"})
    grid.wait()
    assert (grid.channel, grid.status.kind) == (3, "ready")


def test_a_channel_that_is_not_there_is_a_sentence_and_the_next_one_works(grid):
    grid.layer = "conv2"
    grid.wait()
    grid.channel = 6
    assert grid.status.kind == "error"
    assert grid.status.message == "There is no channel 6: conv2 has 6, numbered from 0"
    assert "image/png" in grid._repr_mimebundle_()[0]  # what stays on screen
    grid.channel = 5
    assert (grid.status.kind, grid.error) == ("ready", None)
    assert close(shown(grid.grid), grid.result.values[:, 5])


# the chosen filter


def test_a_chosen_filter_shows_its_numbers_and_its_norm(grid):
    assert (grid.unit, is_shown(grid, grid.alike)) == (0, True), "the first one, until a hand chooses"
    np.testing.assert_array_equal(kernels(grid), grid.result.values[0])
    grid.unit = 3
    assert is_shown(grid, grid.alike)
    np.testing.assert_array_equal(kernels(grid), grid.result.values[3])
    norm = np.sqrt((grid.result.values[3].astype(float) ** 2).sum())
    assert grid.kernel.caption == f"Norm {number(norm)}."
    grid.unit = -1
    assert not is_shown(grid, grid.alike)
    assert grid.kernel.shape == [0, 0, 0]
    assert grid.kernel.caption.startswith("Click a filter")


def test_of_many_channels_the_strongest_are_shown(grid):
    grid.layer = "conv2"
    grid.wait()
    grid.unit = 7
    values = grid.result.values[7]
    strongest = np.argsort(-np.sqrt((values**2).sum((1, 2))))[:3]
    np.testing.assert_array_equal(kernels(grid), values[strongest])
    assert [title.split(",")[0] for title in grid.kernel.titles] == [f"channel {c}" for c in strongest]
    assert "Shown: its 3 strongest input channels of 6." in grid.kernel.caption
    grid.channel = 2
    np.testing.assert_array_equal(kernels(grid), values[[2]])


def test_a_color_filter_shows_red_green_and_blue():
    panel = cw.FilterGrid(cw.load("scenes"), unit=5)
    panel.wait()
    np.testing.assert_array_equal(kernels(panel), panel.result.values[5])
    assert [title.split(",")[0] for title in panel.kernel.titles] == ["red", "green", "blue"]


def test_the_filters_most_alike_stand_beside_the_chosen_one_with_their_cosine(grid):
    grid.unit = 2
    rows = grid.result.values.reshape(6, -1).astype(float)
    rows /= np.sqrt((rows**2).sum(1, keepdims=True))
    cosines = rows @ rows[2]
    order = [i for i in np.argsort(-cosines) if i != 2]
    assert grid.alike.labels == ["no. 2", *(f"no. {i} · {cosines[i]:.2f}".replace("-", "−") for i in order)]
    assert close(shown(grid.alike), grid.result.values[[2, *order], 0])


def test_the_choice_stays_when_the_layer_changes_if_there_is_such_a_filter(grid):
    grid.unit = 5
    grid.layer = "conv2"
    grid.wait()
    assert grid.unit == 5
    np.testing.assert_array_equal(grid.kernel.shape, [3, 5, 5])
    grid.unit = 15
    grid.layer = "fc3"
    grid.wait()
    assert grid.unit == grid.grid.selected == -1


# words, traces


def test_the_repr_says_what_is_shown(grid):
    grid.restore({"layer": "conv2", "channel": 3, "sort": "norm"})
    grid.wait()
    assert repr(grid) == "FilterGrid(digits, layer='conv2', channel=3, sort='norm')"


def test_a_choice_between_orders_that_are_there_is_offered(digits, monkeypatch):
    grid = cw.FilterGrid(digits)
    grid.wait()
    assert [value for _, value in control(grid, "sort")["options"]] == ["index", "norm", "similarity"]
    monkeypatch.setattr(module, "MOST_WEIGHTS", 4000)
    grid.layer = "fc1"
    grid.wait()
    assert [value for _, value in control(grid, "sort")["options"]] == ["index", "norm"]


def test_the_layer_can_be_chosen_by_hand_among_those_that_have_filters(grid, digits):
    values = [value for _, value in control(grid, "layer")["options"]]
    assert values == [row.name for row in digits.layers.weighted]
    grid.set_state({"layer": "fc3"})
    assert grid.result.layer.name == "fc3"


def test_a_whole_session_leaves_the_network_as_it_was():
    torch.manual_seed(0)
    model = LeNet5().train()
    with unchanged(model):
        panel = cw.FilterGrid(model)
        for name in ("conv2", "nowhere", "fc1"):
            panel.layer = name
            panel.wait()
        panel.figure()
        panel.code()
        panel.close()


def test_a_layer_without_filters_shows_those_of_the_layer_before_it():
    panel = cw.FilterGrid(cw.load("digits"))
    panel.layer = "relu1"
    assert panel.result.layer.name == "conv1"
    assert panel.layer == "relu1"
    assert (control(panel, "layer")["shown"], panel.grid.title.split()[0]) == ("conv1", "conv1")
    assert panel.status.message.startswith(
        "A ReLU has no filters. These are those of conv1, the last layer before it with any."
    )


def test_the_figure_carries_every_weight_on_a_scale_with_zero_in_its_middle():
    panel = cw.FilterGrid(cw.load("scenes"), "layer1.0.conv1", unit=-1)
    values = panel.data()["values"]  # 16 channels of 3x3, as 4x4 parts
    (image,) = [image for axes in panel.figure().axes for image in axes.images]
    most = np.abs(values).max()
    assert image.get_clim() == pytest.approx((-most, most))
    for tile, one in zip(tiles(image.get_array().filled(np.nan), 16, 12, 12), values, strict=True):
        np.testing.assert_allclose(tile.reshape(4, 3, 4, 3).swapaxes(1, 2).reshape(16, 3, 3), one, atol=np.ptp(one) / 500)
