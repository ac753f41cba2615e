"""The filters that are shown are the weights of the network, and what is said of them is linear algebra."""

from __future__ import annotations

from functools import cache
from itertools import pairwise, product
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import pdist
from torch import nn
from torch.nn.utils import parametrizations

import cnnwidgets as cw
from cnnwidgets.methods import Filters, filters
from cnnwidgets.methods.filters import layer_with_filters, tiled
from cnnwidgets.numbers import number
from tests.net.networks import Function, LeNet5, unchanged


class Mixed(nn.Module):
    """Weights of every sort: convolution, grouped, transposed, a Parameter for F.conv2d, linear on a map and a vector."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, (3, 5), padding=(1, 2))
        self.grouped = nn.Conv2d(6, 4, 3, padding=1, groups=2)
        self.free = nn.Parameter(torch.randn(4, 4, 1, 1))
        self.transposed = nn.ConvTranspose2d(4, 5, 2, stride=2)
        self.on_map = nn.Linear(5 * 4 * 6, 7)
        self.on_vector = nn.Linear(7, 2)

    def forward(self, x):
        x = F.conv2d(self.grouped(self.conv(x)), self.free)
        x = self.transposed(F.max_pool2d(x, 4))
        return self.on_vector(self.on_map(x.flatten(1)))


@pytest.fixture(scope="module")
def mixed():
    torch.manual_seed(0)
    return cw.bind(Mixed(), input_shape=(3, 8, 12))


def of(values) -> Filters:
    """Filters without a network around them."""
    return Filters(layer=SimpleNamespace(name="conv"), values=np.asarray(values, np.float32))


@cache
def sample_filters() -> list[Filters]:
    return [filters(net, row.name) for net in map(cw.load, ("digits", "scenes")) for row in net.layers.weighted]


# values


@pytest.mark.parametrize(
    ("layer", "shape", "weight"),
    [
        ("conv", (6, 3, 3, 5), lambda m: m.conv.weight),
        ("grouped", (4, 3, 3, 3), lambda m: m.grouped.weight),
        ("conv2d", (4, 4, 1, 1), lambda m: m.free),
        ("transposed", (5, 4, 2, 2), lambda m: m.transposed.weight.transpose(0, 1)),
        ("on_map", (7, 5, 4, 6), lambda m: m.on_map.weight.reshape(7, 5, 4, 6)),
        ("on_vector", (2, 1, 1, 7), lambda m: m.on_vector.weight.reshape(2, 1, 1, 7)),
    ],
)
def test_values_are_the_weights(mixed, layer, shape, weight):
    found = filters(mixed, layer)
    assert (found.values.shape, found.values.dtype, found.layer.name) == (shape, np.float32, layer)
    np.testing.assert_array_equal(found.values, weight(mixed.module).detach().numpy())


@pytest.mark.parametrize("name", ["digits", "scenes"])
def test_every_weight_of_the_samples_is_found_once(name):
    net = cw.load(name)
    weights = [p for key, p in net.module.named_parameters() if key.endswith("weight") and p.ndim > 1]
    found = [filters(net, row.name).values for row in net.layers.weighted]
    assert sum(values.size for values in found) == sum(w.numel() for w in weights)
    assert {values.tobytes() for values in found} == {w.detach().numpy().tobytes() for w in weights}


def test_the_first_layer_with_filters_is_the_default(mixed):
    assert filters(mixed).layer.name == "conv"


def test_a_linear_classifier_has_a_template_a_class_whose_product_with_the_picture_is_the_score():
    torch.manual_seed(0)
    net = cw.bind(nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 10)), input_shape=(3, 8, 8))
    picture = torch.randn(3, 8, 8)
    templates = filters(net).values
    assert templates.shape == (10, 3, 8, 8)
    scores = (templates * picture.numpy()).sum((1, 2, 3)) + net.module[1].bias.detach().numpy()
    np.testing.assert_allclose(scores, net.scores(picture)[0].numpy(), atol=1e-5)


@pytest.mark.parametrize("functional", [False, True])
@pytest.mark.parametrize("groups", [1, 2])
def test_a_transposed_convolution_has_a_filter_for_each_output_unit(functional, groups):
    """The output of unit u for an impulse in input channel c is the filter's kernel c."""
    torch.manual_seed(0)
    conv = nn.ConvTranspose2d(4, 6, 3, groups=groups, bias=False)
    part = nn.ParameterList([conv.weight]) if functional else conv
    call = (lambda self, x: F.conv_transpose2d(x, self.part[0], groups=groups)) if functional else (lambda s, x: s.part(x))
    net = cw.bind(Function(call, part=part), input_shape=(4, 5, 5))
    values = filters(net).values
    assert values.shape == (6, 4 // groups, 3, 3)
    for channel in range(4):
        impulse = torch.zeros(1, 4, 5, 5)
        impulse[0, channel, 1, 1] = 1
        answer = conv(impulse)[0, :, 1:4, 1:4].detach().numpy()
        group, within = divmod(channel, 4 // groups)
        units = range(group * 6 // groups, (group + 1) * 6 // groups)
        np.testing.assert_allclose(answer[units], values[units, within], atol=1e-6)


def test_values_are_no_view_of_the_weights(mixed):
    before = mixed.module.conv.weight.detach().clone()
    filters(mixed, "conv").values[:] = 7
    assert torch.equal(mixed.module.conv.weight, before)


def test_half_precision_weights_are_widened_exactly():
    net = cw.bind(nn.Conv2d(1, 2, 3).bfloat16(), input_shape=(1, 8, 8))
    np.testing.assert_array_equal(filters(net).values, net.module.weight.detach().float().numpy())


def test_reading_the_filters_of_a_spectral_norm_in_training_leaves_no_trace():
    """Asking such a module for its weight in training mode moves its power iteration on by one step."""
    net = cw.bind(nn.Sequential(parametrizations.spectral_norm(nn.Conv2d(1, 4, 3))), input_shape=(1, 8, 8))
    net.module.train()
    with unchanged(net.module):
        values = filters(net).values
    np.testing.assert_allclose(values, net.module.eval()[0].weight.detach().numpy())


@pytest.mark.parametrize(
    ("weights", "in_color"), [((8, 3, 3, 3), True), ((8, 3, 1, 1), False), ((8, 4, 3, 3), False), ((8, 1, 5, 5), False)]
)
def test_filters_that_look_at_three_channels_and_more_than_a_pixel_are_color_pictures(weights, in_color):
    assert of(np.zeros(weights)).in_color is in_color


# norms, cosines, orders


def test_norms_are_euclidean():
    assert of([[[[3, 4]]], [[[0, 0]]], [[[-5, 12]]]]).norms.tolist() == [5, 0, 13]


@given(arrays(np.float32, (5, 2, 2, 3), elements=st.floats(-10, 10, width=32, allow_subnormal=False)))
def test_cosines_are_those_of_the_angles_between_filters(values):
    found = of(values)
    rows = values.reshape(5, -1).astype(np.float64)
    for i, j in product(range(5), repeat=2):
        if found.norms[i] < 1e-6 or found.norms[j] < 1e-6:
            continue
        want = rows[i] @ rows[j] / np.sqrt(rows[i] @ rows[i]) / np.sqrt(rows[j] @ rows[j])
        assert found.cosine(i)[j] == pytest.approx(want, abs=1e-5)


def test_the_cosine_with_a_filter_of_zeros_is_zero():
    found = of([[[[1, 1]]], [[[0, 0]]]])
    assert found.cosine(0).tolist() == pytest.approx([1, 0])
    assert found.cosine(1).tolist() == [0, 0]


def test_filters_most_alike_come_first_and_the_filter_itself_is_left_out():
    found = of([[[[1, 0]]], [[[0, 1]]], [[[2, 0]]], [[[-1, 0]]], [[[1, 1]]]])
    assert [index for index, _ in found.alike(0)] == [2, 4, 1, 3]
    assert [cosine for _, cosine in found.alike(0, 2)] == pytest.approx([1, 0.5**0.5])


def test_order_by_norm_falls_and_keeps_ties_in_their_place():
    assert of([[[[1]]], [[[-3]]], [[[3]]], [[[2]]]]).order("norm").tolist() == [1, 2, 3, 0]


@given(arrays(np.float32, st.integers(1, 9).map(lambda n: (n, 2, 1, 2)), elements=st.floats(-9, 9, width=32)))
def test_every_order_is_a_permutation(values):
    for by in ("index", "norm", "similarity"):
        assert sorted(of(values).order(by)) == list(range(len(values)))


def between_neighbors(found: Filters, order) -> float:
    """Sum of cosine distances between neighbors."""
    return float(sum(1 - found.cosine(a)[b] for a, b in pairwise(order)))


def orders_of(tree: np.ndarray, count: int):
    """Every order of the leaves in which the tree's branches do not cross: brute force."""
    branches = [[(leaf,)] for leaf in range(count)]
    for left, right, *_ in tree:
        pairs = list(product(branches[int(left)], branches[int(right)]))
        branches.append([a + b for a, b in pairs] + [b + a for a, b in pairs])
    return branches[-1]


@settings(max_examples=25, deadline=None)
@given(st.integers(3, 7), st.integers(0, 2**32 - 1))
def test_order_by_similarity_crosses_no_branches_of_the_average_linkage_tree(count, seed):
    values = np.random.default_rng(seed).normal(size=(count, 2, 2, 2))  # no two distances are the same: the tree is unique
    found = of(values)
    tree = linkage(pdist(values.reshape(count, -1), "cosine"), "average")
    assert tuple(found.order("similarity")) in set(orders_of(tree, count))


def test_neighbors_by_similarity_are_no_further_apart_than_by_index_in_the_samples():
    for found in sample_filters():
        assert between_neighbors(found, found.order("similarity")) <= between_neighbors(found, found.order("index"))


def test_neighbors_by_similarity_keep_families_together():
    rng = np.random.default_rng(0)
    family = rng.permutation(np.repeat(np.arange(5), 8))
    parents = rng.normal(size=(5, 3, 5, 5))
    found = of(parents[family] + 0.05 * rng.normal(size=(40, 3, 5, 5)))
    in_order = family[found.order("similarity")]
    assert (np.diff(in_order) != 0).sum() == 4


def test_filters_are_not_sorted_by_anything_else():
    with pytest.raises(ValueError, match="expected an order 'index', 'norm' or 'similarity', got 'color'"):
        of(np.ones((2, 1, 1, 1))).order("color")


# pictures


@given(st.integers(0, 3), st.integers(1, 11), st.integers(1, 4), st.integers(1, 4))
def test_every_part_lies_where_its_mosaic_says(count, parts, rows, columns):
    values = np.arange(1, count * parts * rows * columns + 1, dtype=np.float32).reshape(count, parts, rows, columns)
    maps, mosaic = tiled(values)
    assert mosaic == [rows, columns, parts]
    right = maps.shape[2] // columns
    for part in range(parts):
        top, left = part // right * rows, part % right * columns
        np.testing.assert_array_equal(maps[:, top : top + rows, left : left + columns], values[:, part])
    assert np.count_nonzero(maps) == values.size  # the rest of the square is 0


@given(st.integers(1, 200))
def test_parts_fill_a_square_with_less_than_a_row_to_spare(parts):
    maps, _ = tiled(np.ones((1, parts, 1, 1), np.float32))
    down, right = maps.shape[1:]
    assert down <= right <= down + 1
    assert 0 <= down * right - parts < right


def test_first_filters_of_a_network_in_color_are_in_color():
    found = filters(cw.load("scenes"))
    maps, mosaic = found.pictures()
    assert mosaic == []
    np.testing.assert_array_equal(maps, found.values.transpose(0, 2, 3, 1))


def test_deep_filters_have_all_channels_side_by_side_or_one():
    found = filters(cw.load("digits"), "conv2")
    maps, mosaic = found.pictures()
    assert (maps.shape, mosaic) == ((16, 10, 15), [5, 5, 6])  # six parts: two rows of three
    np.testing.assert_array_equal(maps[:, 5:10, 5:10], found.values[:, 4])
    maps, mosaic = found.pictures(4, count=3)
    assert mosaic == []
    np.testing.assert_array_equal(maps, found.values[:3, 4])


def test_weights_of_a_vector_fill_a_square():
    found = filters(cw.load("digits"), "fc2")
    maps, mosaic = found.pictures()
    assert (maps.shape, mosaic) == ((84, 11, 11), [1, 1, 120])
    np.testing.assert_array_equal(maps.reshape(84, 121)[:, :120], found.values.reshape(84, 120))


@pytest.mark.parametrize("channel", [6, -1])
def test_a_channel_that_is_not_there_is_refused(channel):
    with pytest.raises(ValueError, match=f"there is no channel {channel}: conv2 has 6, numbered from 0$"):
        filters(cw.load("digits"), "conv2").pictures(channel)


def test_the_first_filters_are_as_many_as_have_so_many_weights_and_at_least_one():
    found = of(np.arange(24).reshape(6, 1, 2, 2))
    for most, want in ((0, 1), (7, 1), (8, 2), (23, 5), (24, 6), (1000, 6)):
        count, orders = found.first(most)
        assert count == want
        assert orders["norm"].tolist() == list(range(count))[::-1]
        assert [*orders] == ["index", "norm", *(["similarity"] if count == 6 else [])]


@pytest.mark.parametrize("channel", [None, 0, 3])
def test_kernels_of_a_filter_are_the_chosen_one_or_the_three_strongest(channel):
    values = np.random.default_rng(0).normal(size=(2, 5, 3, 3)) * np.array([1, 4, 2, 0, 3])[:, None, None]
    found = of(values)
    shown = found.kernels(1, channel)
    which = [1, 4, 2] if channel is None else [channel]
    np.testing.assert_array_equal(shown.values, found.values[1, which])
    norms = np.sqrt((values[1] ** 2).sum((1, 2)))
    assert shown.titles == [f"channel {c}, norm {number(norms[c], 2)}" for c in which]
    some = " Shown: its 3 strongest input channels of 5." if channel is None else ""
    assert shown.caption == f"Norm {number(np.sqrt((norms**2).sum()))}.{some}"


def test_kernels_of_a_color_filter_are_red_green_and_blue_and_of_a_vector_its_strongest_weights():
    scenes = filters(cw.load("scenes")).kernels(5)
    assert [title.split(",")[0] for title in scenes.titles] == ["red", "green", "blue"]
    vector = of([[[[1, -4, 2, 3]]]]).kernels(0)
    assert vector.values.ravel().tolist() == [-4, 3, 2]
    assert vector.titles[0] == "channel 1, norm 4"


def test_a_summary_counts_filters_and_those_that_are_dead_or_not_shown():
    net = cw.bind(LeNet5(), input_shape=(1, 32, 32))
    net.module.conv1.weight.data[[1, 4]] = 0
    assert filters(net).title == "conv1 · Conv2d, 1×5×5"
    assert filters(net).summary() == filters(net).summary(6) == "conv1 · 6 filters, 1×5×5 weights each, 2 dead"
    assert filters(net, "fc1").summary(7).splitlines() == [
        "fc1 · 120 filters, 16×5×5 weights each, none dead",
        "Only the first 7 are shown.",
        "Each row of the weight matrix is drawn as the map that it weights.",
    ]
    one = cw.bind(nn.Conv2d(1, 1, 2), input_shape=(1, 4, 4))
    assert filters(one).summary().endswith(" · 1 filter, 1×2×2 weights, none dead")


def test_the_code_gives_the_values_and_those_of_a_channel(mixed):
    for row, channel in product(mixed.layers.weighted, (None, 0)):
        found, space = filters(mixed, row.name), {"model": mixed.module}
        exec(found.code(mixed, channel).replace(mixed.code, ""), space)
        np.testing.assert_array_equal(space["values"].numpy(), found.values if channel is None else found.values[:, 0])


def test_the_layer_before_one_without_filters_stands_for_it():
    net = cw.load("digits")
    assert layer_with_filters(net, "conv2").name == "conv2"
    assert layer_with_filters(net, "relu2").name == layer_with_filters(net, "pool2").name == "conv2"
    first = cw.bind(nn.Sequential(nn.ReLU(), nn.Conv2d(1, 2, 3)), input_shape=(1, 8, 8))
    assert layer_with_filters(first, "0").name == "0"


# dead


@pytest.mark.parametrize(
    ("norms", "dead"),
    [
        ([0, 1, 1], [0]),
        ([1e-4, 1, 1, 1], [0]),
        ([2e-3, 1, 1], []),
        ([1, 2, 3], []),
        ([0, 0, 0], [0, 1, 2]),
        ([0, 0, 0, 5], [0, 1, 2]),
        ([0.01, 1, 1, 1, 1000], []),
    ],
)
def test_dead_filters_are_a_thousand_times_weaker_than_the_median(norms, dead):
    found = of(np.reshape(norms, (-1, 1, 1, 1)))
    assert np.flatnonzero(found.dead).tolist() == dead


def test_a_filter_that_is_set_to_zero_is_dead():
    net = cw.bind(LeNet5(), input_shape=(1, 32, 32))
    net.module.conv1.weight.data[4] = 0
    assert np.flatnonzero(filters(net, "conv1").dead).tolist() == [4]


# refusals


def test_a_misspelled_layer_is_met_with_names_like_it():
    with pytest.raises(KeyError, match=r"no layer 'layer1.0.conv3'. Did you mean 'layer1.0.conv[12]'"):
        filters(cw.load("scenes"), "layer1.0.conv3")


def test_a_layer_without_filters_says_what_it_is_and_which_have_some():
    with pytest.raises(
        ValueError, match="pool1 is a MaxPool2d and has no filters; layers with filters: conv1, conv2, fc1, …"
    ):
        filters(cw.load("digits"), "pool1")


def test_a_network_without_filters_is_told_so():
    net = cw.bind(nn.Sequential(nn.ReLU(), nn.AvgPool2d(2)), input_shape=(1, 8, 8))
    with pytest.raises(
        ValueError, match="Sequential has no layer with filters: neither a two-dimensional convolution nor a linear layer"
    ):
        filters(net)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_counted(bad):
    net = cw.bind(LeNet5(), input_shape=(1, 32, 32))
    net.module.conv2.weight.data[3, 2, 1, :2] = bad
    with (
        unchanged(net.module),
        pytest.raises(ValueError, match=r"2 of the 2,400 values of the weight of conv2 \(16×6×5×5\) are NaN or infinite"),
    ):
        filters(net, "conv2")
    assert filters(net, "conv1").values.shape == (6, 1, 5, 5)


def test_unbatched_answers_leave_the_network_as_it_was(mixed):
    with unchanged(mixed.module):
        for row in mixed.layers.weighted:
            filters(mixed, row.name)
