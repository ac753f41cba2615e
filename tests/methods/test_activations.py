"""Feature maps are what the layers give, by hooks that copy or by computing them again by hand."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods import FeatureMaps, activations, zero_shares
from tests.net.networks import CancelAt, Function, LeNet5, Residual, maps_by_hooks, twins, unchanged


class Transformer(nn.Module):
    """Patches as tokens, attention, a head on their mean."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.norm = nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.mlp = nn.Linear(8, 12)
        self.head = nn.Linear(12, 5)

    def forward(self, x):
        x = self.norm(self.patches(x).flatten(2).transpose(1, 2))
        x = x + self.attention(x, x, x, need_weights=False)[0]
        return self.head(F.gelu(self.mlp(x)).mean(1))


class ConvNeXt(nn.Module):
    """A block whose normalization and linear layers work with the channels last."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 2, 2)
        self.depthwise = nn.Conv2d(6, 6, 3, padding=1, groups=6)
        self.norm = nn.LayerNorm(6)
        self.wide = nn.Linear(6, 10)
        self.narrow = nn.Linear(10, 6)

    def forward(self, x):
        x = self.stem(x)
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        return x + self.narrow(F.gelu(self.wide(y))).permute(0, 3, 1, 2)


@cache
def sample(name: str):
    return cw.load(name), getattr(cw.samples, name)()[3][0]


def bound(build, shape, seed=0):
    torch.manual_seed(seed)
    net = cw.bind(build(), input_shape=shape)
    return net, torch.randn(shape)


def named(by_hooks: dict[str, list[torch.Tensor]]) -> dict[str, torch.Tensor]:
    """conv, relu, relu:2, ... to the output of that call for the one picture."""
    return {
        name if number == 1 else f"{name}:{number}": output[0]
        for name, outputs in by_hooks.items()
        for number, output in enumerate(outputs, 1)
    }


# values


@pytest.mark.parametrize("name", ["digits", "scenes"])
def test_maps_of_the_samples_are_what_hooks_that_copy_record(name):
    net, picture = sample(name)
    found = activations(net, picture)
    wanted = named(maps_by_hooks(net.module, picture[None]))
    assert wanted.keys() <= found.keys()
    for layer, output in wanted.items():
        np.testing.assert_array_equal(found[layer].values.reshape(output.shape), output.numpy(), err_msg=layer)


def test_rows_of_functions_are_what_the_functions_give():
    net, picture = sample("scenes")
    found = activations(net, picture)
    added = found["layer2.0.downsample.1"].values + found["layer2.0.bn2"].values
    np.testing.assert_array_equal(found["layer2.0.add"].values, added)
    np.testing.assert_array_equal(found["layer2.0.relu:2"].values, added.clip(0))


def test_maps_of_a_functional_lenet5_are_those_computed_by_hand():
    net, picture = bound(LeNet5, (1, 32, 32))
    m, found = net.module, activations(net, picture)
    with torch.no_grad():
        conv1 = m.conv1(picture[None])
        pool1 = F.max_pool2d(conv1.clamp_min(0), 2)
        conv2 = m.conv2(pool1)
        fc1 = m.fc1(F.max_pool2d(conv2.clamp_min(0), 2).flatten(1))
    wanted = {"conv1": conv1, "relu": conv1.clamp_min(0), "conv2": conv2, "relu:2": conv2.clamp_min(0), "fc1": fc1}
    for layer, output in wanted.items():
        np.testing.assert_array_equal(found[layer].values.reshape(output[0].shape), output[0].numpy(), err_msg=layer)
    assert found["relu:3"].values.shape == (120, 1, 1)


def test_in_place_operations_do_not_overwrite_the_map_before_them():
    net, picture = bound(Residual, (3, 9, 9))
    found = activations(net, picture)
    with torch.no_grad():
        bn1 = net.module.eval().bn1(net.module.conv1(picture[None]))
        relu = bn1.clamp_min(0)
        conv2 = net.module.conv2(relu)
    assert found["bn1"].values.min() < 0
    for layer, output in {"bn1": bn1, "relu": relu, "conv2": conv2, "add": conv2 + relu}.items():
        np.testing.assert_array_equal(found[layer].values, output[0].numpy(), err_msg=layer)


def test_a_relu_gives_the_same_maps_however_it_is_written():
    picture = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(0))
    firsts, seconds = set(), set()
    for module in twins().values():
        net = cw.bind(module, input_shape=(3, 8, 8))
        relus = [maps.values for maps in activations(net, picture).values() if "relu" in maps.layer.kind.lower()]
        firsts.add(relus[0].tobytes())
        seconds.add(relus[1].tobytes())
    assert len(firsts) == len(seconds) == 1


@pytest.mark.parametrize(
    ("build", "shape", "layer", "wanted"),
    [
        (LeNet5, (1, 32, 32), "fc2", (84, 1, 1)),
        (Transformer, (3, 16, 8), "patches", (8, 4, 2)),
        (Transformer, (3, 16, 8), "norm", (8, 4, 2)),
        (Transformer, (3, 16, 8), "attention", (8, 4, 2)),
        (Transformer, (3, 16, 8), "mlp", (12, 4, 2)),
        (Transformer, (3, 16, 8), "head", (5, 1, 1)),
        (ConvNeXt, (3, 8, 12), "norm", (6, 4, 6)),
        (ConvNeXt, (3, 8, 12), "wide", (10, 4, 6)),
        (ConvNeXt, (3, 8, 12), "add", (6, 4, 6)),
    ],
)
def test_vectors_tokens_and_channels_last_become_units_by_height_by_width(build, shape, layer, wanted):
    net, picture = bound(build, shape)
    values = activations(net, picture, [layer])[layer].values
    assert values.shape == wanted
    output = named(maps_by_hooks(net.module.eval(), picture[None])).get(layer)
    if output is None:  # a function: no hook sees it
        return
    if output.shape != wanted and output.ndim > 1:  # the units are the last axis
        output = output.movedim(-1, 0)
    np.testing.assert_allclose(values, output.reshape(wanted).numpy(), atol=1e-6)


def test_layers_come_in_execution_order_or_in_the_order_asked_for():
    net, picture = sample("digits")
    assert list(activations(net, picture)) == [row.name for row in net.layers if row.has_units]
    assert list(activations(net, picture, ["fc1", "conv1"])) == ["fc1", "conv1"]


def test_one_name_is_one_layer():
    net, picture = sample("digits")
    assert list(activations(net, picture, "fc1")) == ["fc1"]


def test_the_name_of_a_block_stands_for_the_call_that_ends_it():
    net, picture = sample("scenes")
    maps = activations(net, picture, ["layer1.0", "layer1.0.relu:2"])
    np.testing.assert_array_equal(maps["layer1.0"].values, maps["layer1.0.relu:2"].values)


def test_values_are_float32_whatever_the_network_computes_in():
    net = cw.bind(nn.Sequential(nn.Conv2d(1, 2, 3)).double(), input_shape=(1, 6, 6))
    picture = torch.randn(1, 6, 6)
    values = activations(net, picture)["0"].values
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, net.module(picture.double()[None])[0].float().detach().numpy())


# what is said of maps


def test_maximum_mean_zeros_and_orders_are_numpys():
    values = np.array([[[0, 2], [0, 0]], [[1, 1], [1, 1]], [[-1, 2], [0, 0]]], np.float32)
    maps = FeatureMaps(layer=None, values=values)
    assert maps.maximum.tolist() == [2, 1, 2]
    assert maps.mean.tolist() == [0.5, 1, 0.25]
    assert maps.zeros == 5 / 12
    assert [maps.order(by).tolist() for by in ("index", "maximum", "mean")] == [[0, 1, 2], [0, 2, 1], [1, 0, 2]]
    with pytest.raises(ValueError, match="expected an order 'index', 'maximum' or 'mean', got 'color'"):
        maps.order("color")


@pytest.mark.parametrize("name", ["digits", "scenes"])
def test_the_share_of_zeros_is_that_of_the_maps_in_every_layer(name):
    net, picture = sample(name)
    shares = zero_shares(net, picture)
    maps = activations(net, picture)
    assert list(shares) == list(maps)
    for layer, share in shares.items():
        assert share == pytest.approx(np.count_nonzero(maps[layer].values == 0) / maps[layer].values.size, abs=1e-12)


def test_the_share_of_zeros_after_a_relu_is_the_share_of_values_that_were_not_positive():
    net, picture = sample("digits")
    maps = activations(net, picture)
    assert zero_shares(net, picture)["relu2"] == pytest.approx((maps["conv2"].values <= 0).mean())


# no trace


def holders(net) -> list[np.ndarray]:
    return [t.detach().numpy() for t in [*net.module.parameters(), *net.module.buffers()]]


@pytest.mark.parametrize(
    "module", [nn.Identity(), nn.Flatten(), Function(lambda self, x: x.view(1, 1, 6, 6).permute(0, 1, 3, 2) + 0)]
)
def test_no_result_is_a_view_of_the_picture(module):
    net, picture = cw.bind(module, input_shape=(1, 6, 6)), torch.randn(1, 6, 6)
    before = picture.clone()
    for maps in activations(net, picture).values():
        maps.values[:] = 9
    assert torch.equal(picture, before)


def test_no_result_is_a_view_into_the_model():
    module = Function(lambda self, x: self.constant(x * 0)[:, :, :1, :1] + self.constant.weight, constant=nn.Conv2d(1, 1, 1))
    net, picture = cw.bind(module, input_shape=(1, 6, 6)), torch.randn(1, 6, 6)
    with unchanged(module):
        found = activations(net, picture)
        assert not any(np.shares_memory(maps.values, held) for maps in found.values() for held in holders(net))
        for maps in found.values():
            maps.values[:] = 9


def test_a_result_that_is_held_stays_as_it_is_when_the_network_runs_again():
    net, picture = sample("digits")
    held = activations(net, picture)
    copies = {layer: maps.values.copy() for layer, maps in held.items()}
    for i in range(3):
        activations(net, cw.samples.digits()[i + 10][0])
    for layer, maps in held.items():
        np.testing.assert_array_equal(maps.values, copies[layer], err_msg=layer)


@pytest.mark.parametrize("method", [activations, zero_shares])
@pytest.mark.parametrize("asked", [0, 1, 4])
def test_cancelling_raises_and_leaves_no_trace(method, asked):
    net, picture = bound(Residual, (3, 9, 9))
    _ = net.layers
    net.module.train()
    with unchanged(net.module), pytest.raises(cw.Cancelled):
        method(net, picture, cancel=CancelAt(asked))
    with unchanged(net.module):
        method(net, picture)


# refusals


def test_values_that_are_no_numbers_are_refused_with_the_first_layer_that_has_them():
    net, picture = bound(LeNet5, (1, 32, 32))
    net.module.conv2.weight.data[0] = float("nan")
    sentence = r"100 of the 1,600 values of conv2 are NaN or infinite; no earlier layer has any"
    with unchanged(net.module), pytest.raises(ValueError, match=sentence):
        activations(net, picture, ["fc3"])
    assert np.isfinite(activations(net, picture, ["conv1"])["conv1"].values).all()


def test_a_misspelled_layer_is_met_with_names_like_it():
    net, picture = sample("digits")
    with pytest.raises(KeyError, match=r"no layer 'relu7'\. Did you mean 'relu"):
        activations(net, picture, ["conv1", "relu7"])


@pytest.mark.parametrize("method", [activations, zero_shares])
def test_several_pictures_are_refused(method):
    net, picture = sample("digits")
    with pytest.raises(ValueError, match="expected one picture, got 2"):
        method(net, [picture, picture])
    assert method(net, [picture])


def test_a_layer_without_units_is_refused_before_the_network_runs():
    module = Function(lambda self, x: x.reshape(1, 1, 2, 3, 2, 3).mean((3, 5)))  # the mean of each window
    net = cw.bind(module, input_shape=(1, 6, 6))
    (row,) = [row for row in net.layers if not row.has_units]
    with pytest.raises(ValueError, match=row.name):
        activations(net, torch.randn(1, 6, 6), [row.name])
    assert row.name not in activations(net, torch.randn(1, 6, 6))
