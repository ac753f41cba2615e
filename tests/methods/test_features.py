"""Features are what a bare loop over the data set gives, row by row, in memory and in files."""

from __future__ import annotations

import gc
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods import features
from tests.methods.data_sets import Bad, Drawing, Pictures, bare_loop, network
from tests.net.networks import CancelAt, Residual, cheap, unchanged
from tests.net.transformers import TRANSFORMERS

FINE = [i for i in range(50) if i not in Bad.indices]


def test_features_are_those_of_a_bare_loop():
    net = network()
    logits, maps = bare_loop(net, range(50), 16)
    found = features(net, Pictures(), "5", batch_size=16)
    np.testing.assert_allclose(found.values, maps.mean((2, 3)), atol=1e-6)
    np.testing.assert_array_equal(found.indices, np.arange(50))
    np.testing.assert_array_equal(found.labels, np.arange(50) % 4)
    chances, top = logits.softmax(1).topk(3)
    np.testing.assert_array_equal(found.top, top)
    np.testing.assert_allclose(found.chances, chances, atol=1e-6)
    np.testing.assert_array_equal(found.predicted, logits.argmax(1))
    np.testing.assert_array_equal(found.confidence, found.chances[:, 0])
    np.testing.assert_array_equal(found.right, found.predicted == found.labels)
    assert found.classes == ("0", "1", "2", "3")
    assert (found.layer, found.skipped, found.total, found.remaining) == ("5", [], 50, 0)
    assert repr(found) == "<5: 50 pictures, 8 values each>"


@pytest.mark.parametrize(
    "pool, wanted",
    [("mean", lambda m: m.mean((2, 3))), ("max", lambda m: m.amax((2, 3))), ("flatten", lambda m: m.flatten(1))],
)
def test_maps_become_vectors(pool, wanted):
    net = network()
    values = features(net, Pictures(), "5", pool=pool).values
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, wanted(bare_loop(net, range(50), 64)[1]), atol=1e-6)


@pytest.mark.parametrize("pool", ["mean", "max", "grid", "flatten"])
@pytest.mark.parametrize("layer", ["conv1", "relu:2", "add", "fc", "input"])
def test_the_code_gives_the_values(pool, layer):
    torch.manual_seed(0)
    net, pictures = cw.bind(Residual(), input_shape=(3, 16, 16)), [(torch.randn(3, 16, 16), 0) for _ in range(4)]
    found = features(net, pictures, layer, pool=pool, indices=[0, 2, 3])
    code = found.code(net, pictures).replace("dataset = ...  # your data set\n", "").replace(net.code, "")
    space = {"model": net.module, "dataset": pictures}
    exec(code, space)
    np.testing.assert_allclose(space["values"], found.values, atol=1e-6)


def test_by_default_the_vector_is_what_the_classifier_gets():
    net = network()
    found = features(net, Pictures())
    assert found.layer == "6"
    weight = net.module[7]
    np.testing.assert_allclose(
        found.values @ weight.weight.detach().numpy().T + weight.bias.detach().numpy(),
        bare_loop(net, range(50), 64)[0],
        atol=1e-5,
    )


@pytest.mark.parametrize(
    "name, layer, units",
    [("resnet18", "flatten", 512), ("vgg11", "classifier.5", 4096), ("squeezenet1_0", "classifier.0", 512)],
)
def test_the_signature_of_well_known_networks(name, layer, units):
    import torchvision

    net = cw.bind(cheap(getattr(torchvision.models, name)), input_shape=(3, 64, 64))
    found = features(net, [torch.randn(3, 64, 64)])
    assert (found.layer, found.values.shape) == (layer, (1, units))


def test_pixels_are_flattened():
    found = features(network(), Pictures(), "input")
    np.testing.assert_array_equal(found.values, np.stack([x.flatten() for x, _ in (Pictures()[i] for i in range(50))]))


def test_several_layers_from_one_pass():
    net, asked = network(), []

    class Counting(Pictures):
        def __getitem__(self, i):
            asked.append(i)
            return super().__getitem__(i)

    found = features(net, Counting(), ["2", "input", "5"], indices=range(20, 50))
    assert list(found) == ["2", "input", "5"]
    assert all(asked.count(i) == 1 for i in range(21, 50))
    for layer in found:
        np.testing.assert_array_equal(found[layer].values, features(net, Pictures(), layer, indices=range(20, 50)).values)
        np.testing.assert_array_equal(found[layer].indices, np.arange(20, 50))


def test_bad_pictures_have_no_row():
    net = network()
    found = features(net, Bad(), "5", batch_size=7)
    np.testing.assert_array_equal(found.indices, FINE)
    np.testing.assert_allclose(found.values, bare_loop(net, FINE, 7)[1].mean((2, 3)), atol=1e-6)
    assert [i for i, _ in found.skipped] == list(Bad.indices)
    assert repr(found).endswith("9 skipped>")


def test_indices_keep_the_data_sets_numbering():
    found = features(network(), Pictures(), "5", indices=[-1, 7, 7, -50])
    np.testing.assert_array_equal(found.indices, [49, 7, 7, 0])
    np.testing.assert_array_equal(found.labels, [1, 3, 3, 0])
    np.testing.assert_array_equal(found.values[1], found.values[2])


class Headless(nn.Module):
    def forward(self, x):
        return {"maps": torch.relu(x)}


def test_a_network_without_scores_still_has_features():
    found = features(cw.bind(Headless(), input_shape=(3, 12, 12)), Pictures(), "relu", pool="max")
    np.testing.assert_array_equal(found.values[3], Pictures()[3][0].clamp_min(0).amax((1, 2)))
    assert found.top is found.chances is found.predicted is found.confidence is found.right is None
    assert found.classes == ()


def test_an_input_shape_that_nobody_said_is_that_of_the_data():
    torch.manual_seed(0)
    net = cw.bind(Residual())  # takes any size: on its own it would be tried with 224
    assert features(net, Pictures(), "input").values.shape == (50, 3 * 12 * 12)
    assert net.input_shape == (3, 12, 12)


def test_pictures_for_another_input_are_taken_from_the_data_set():
    net = cw.bind(Residual(), input_shape=(3, 20, 20))
    data = cw.samples.scenes(size=5)
    values = features(net, data, "input").values
    np.testing.assert_array_equal(values, torch.cat([net.prepare(data.picture(i)) for i in range(5)]).flatten(1))


# large


def test_past_the_limit_values_are_in_a_file_that_goes_with_them(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    net = network()
    wanted = features(net, Bad(), "5", batch_size=7).values
    assert not isinstance(wanted, np.memmap)
    found = features(net, Bad(), "5", batch_size=7, max_memory=1000).values
    assert isinstance(found, np.memmap)
    first = found[:3]
    np.testing.assert_array_equal(found, wanted)
    assert not list(tmp_path.iterdir())  # it has no name: a process that is killed leaves nothing
    del found
    gc.collect()
    np.testing.assert_array_equal(first, wanted[:3])


def test_values_grow_in_one_table_with_room_for_all(monkeypatch):
    monkeypatch.setattr(sys.modules["cnnwidgets.methods.scan"], "UPDATES", 0.0)
    told = []
    last = features(network(), Bad(), "5", batch_size=8, on_update=lambda found, _: told.append(found.values))
    assert len(told) > 5
    assert len(told[0]) == 6  # two of the first eight cannot be used
    assert all(np.shares_memory(values, last.values) for values in told[1:])


def test_values_at_a_path_are_an_ordinary_file(tmp_path):
    net = network()
    found = features(net, Bad(), "5", batch_size=7, path=tmp_path / "values.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "values.npy"), features(net, Bad(), "5", batch_size=7).values)
    np.testing.assert_array_equal(found.values, np.load(tmp_path / "values.npy"))


@pytest.mark.parametrize("limit", [0, 10**9])
def test_partial_results_grow_and_do_not_change(limit, monkeypatch):

    monkeypatch.setattr(sys.modules["cnnwidgets.methods.scan"], "UPDATES", 0.0)
    net, told = network(), []
    last = features(net, Pictures(), "5", batch_size=8, max_memory=limit, on_update=lambda *update: told.append(update))
    assert [len(partial.values) for partial, _ in told] == [8, 16, 24, 32, 40, 48, 50]
    assert [done for _, done in told] == [n / 50 for n in (8, 16, 24, 32, 40, 48, 50)]
    for partial, _ in told:
        np.testing.assert_array_equal(partial.values, last.values[: len(partial.values)])
        assert len(partial.top) == len(partial.labels) == len(partial.values)
        assert partial.rate > 0
        assert (partial.remaining > 0) == (len(partial.values) < 50)


# leaving no trace, errors


def test_the_network_and_the_generators_are_left_as_they_are():
    net = cw.bind(Residual().train(), input_shape=(3, 12, 12))
    with unchanged(net.module):
        first = features(net, Drawing(), "bn1")
    with unchanged(net.module):
        second = features(net, Drawing(), "bn1")
    np.testing.assert_array_equal(first.values, second.values)  # data that is drawn at random is drawn the same again


def test_cancelled_with_what_was_found():
    net = network()
    full = features(net, Pictures(), "5", batch_size=8)
    counts = []
    for ask in range(20):
        try:
            with unchanged(net.module):
                features(net, Pictures(), "5", batch_size=8, cancel=CancelAt(ask))
        except cw.Cancelled as cancelled:
            partial = cancelled.partial
            counts.append(0 if partial is None else len(partial.values))
            if partial is not None:
                np.testing.assert_array_equal(partial.values, full.values[: counts[-1]])
        else:
            break
    assert sorted(set(counts)) == [0, 8, 16, 24, 32, 40, 48]


class Overflow(nn.Module):
    def forward(self, x):
        return (x * torch.where(x.mean((1, 2, 3), keepdim=True) > 4, torch.inf, 1)).mean((2, 3))


def test_values_that_are_not_finite_name_the_picture_and_the_layer():
    data = [torch.zeros(3, 12, 12), torch.zeros(3, 12, 12), torch.full((3, 12, 12), 5.0)]
    net = cw.bind(Overflow(), input_shape=(3, 12, 12))
    with unchanged(net.module), pytest.raises(ValueError, match="picture 2: 3 of the 3 values of mul are NaN or infinite"):
        features(net, data, "mul")
    with pytest.raises(ValueError, match="picture 2: 3 of the 3 values of the output are NaN"):
        features(net, data, "input")
    assert len(features(net, data, "mul", indices=[0, 1]).values) == 2


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"layer": "conv7"}, "no layer 'conv7'"),
        ({"layer": "5", "pool": "sum"}, "pool is 'sum'; expected one of 'mean', 'max', 'grid', 'flatten'"),
        ({"layer": ["2", "5"], "path": "x.npy"}, "path= is for the values of one layer"),
        ({"indices": [50]}, "there is no item 50: the data set has 50, numbered from 0"),
    ],
)
def test_what_cannot_be_done_is_said(options, sentence):
    with pytest.raises((ValueError, KeyError, IndexError), match=sentence):
        features(network(), Pictures(), **options)


def test_a_layer_without_units_needs_flatten():
    net = cw.bind(nn.Sequential(nn.Unflatten(1, (1, 3)), nn.Flatten(), nn.Linear(432, 2)), input_shape=(3, 12, 12))
    assert net.layers[0].layout == "other"
    with pytest.raises(ValueError, match="neither maps, nor units, nor tokens"):
        features(net, Pictures(), "0")
    assert features(net, Pictures(), "0", pool="flatten").values.shape == (50, 432)


def test_lenet_on_the_digits_is_right_as_often_as_its_features_say():
    net, data = cw.load("digits"), cw.samples.digits()
    found = features(net, data)
    logits = found.values @ net.module.fc3.weight.detach().numpy().T + net.module.fc3.bias.detach().numpy()
    assert found.values.shape == (500, 84)
    np.testing.assert_array_equal(logits.argmax(1), found.predicted)
    assert found.right.mean() == (logits.argmax(1) == data.labels).mean() > 0.99


def test_a_grid_has_the_averages_of_the_maps_parts():
    net = cw.bind(nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 4, 3, padding=1)), input_shape=(3, 24, 24))
    images = torch.randn(3, 3, 24, 24)
    found = features(net, list(images), ["0", "1"], pool="grid")
    maps = net.trace(images, ["0", "1"])
    parts = maps["0"].reshape(3, 16, 8, 3, 8, 3).mean((3, 5))  # 16 units of 8 × 8 are 1,024 values
    np.testing.assert_allclose(found["0"].values, parts.flatten(1), atol=1e-6)
    assert found["1"].values.shape == (3, 4 * 16 * 16)


@pytest.mark.parametrize("pool", ["grid", "mean", "max"])
def test_tokens_on_a_grid_are_pooled_as_the_map_that_they_are(pool):
    case = TRANSFORMERS["DeiT, distilled"]
    net = cw.bind(case.build().eval(), input_shape=(3, *case.picture))
    images = torch.randn(2, 3, *case.picture)
    found = features(net, list(images), case.module, pool=pool)
    maps = case.maps(net.trace(images, [case.module])[case.module])  # 24 units of 4 × 16
    wanted = {"grid": F.adaptive_avg_pool2d(maps, (4, 6)).flatten(1), "mean": maps.mean((2, 3)), "max": maps.amax((2, 3))}
    np.testing.assert_allclose(found.values, wanted[pool], atol=1e-6)


def test_thumbnails_are_the_pictures_as_the_network_sees_them():
    data = cw.samples.scenes()
    large = features(cw.load("scenes"), data, indices=[3, 8], thumbnails=64)
    np.testing.assert_array_equal(large.pictures, [data.picture(3), data.picture(8)])
    small = features(cw.load("scenes"), data, indices=[3, 8], thumbnails=16)
    blocks = large.pictures.reshape(2, 16, 4, 16, 4, 3).mean((2, 4))
    assert np.abs(small.pictures - blocks).max() <= 1
    assert features(cw.load("scenes"), data, indices=[3]).pictures is None
