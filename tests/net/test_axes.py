"""What each axis of an output counts follows from the operations: units first, units last, positions, tokens."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnnwidgets.net import bind
from tests.net.networks import Function


def table(forward, shape=(4, 6, 8), **parts):
    return bind(Function(lambda self, x: forward(self, x), **parts).eval(), input_shape=shape).layers


class Wave(nn.Module):
    """Raw audio, a picture of one row: two convolutions in one dimension, a mean over time, a head."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 16, 64, stride=4, padding=24)
        self.norm = nn.BatchNorm1d(16)
        self.pool = nn.MaxPool1d(4)
        self.head = nn.Linear(16, 5)

    def forward(self, x):
        x = self.pool(F.relu(self.norm(self.conv(x.squeeze(2)))))
        return self.head(x.mean(2))


def test_a_wave_has_16_units_of_496_steps():
    net = bind(Wave().eval(), input_shape=(1, 1, 2000))
    for name in ("conv", "norm", "relu"):
        row = net.layers[name]
        assert (row.layout, row.output_shape, row.map_shape) == ("sequence", (16, 497), (16, 1, 497))
    assert net.layers["pool"].map_shape == (16, 1, 124)
    image = torch.rand(1, 1, 2000)
    found = net.layers["conv"].by_unit(net.trace(image, ["conv"])["conv"])
    torch.testing.assert_close(found[0, :, 0], net.module.conv(image)[0].detach())


POSITIONS_LAST = {
    "Conv1d": nn.Conv1d(4, 5, 3),
    "strided Conv1d": nn.Conv1d(4, 5, 3, 2),
    "ConvTranspose1d": nn.ConvTranspose1d(4, 5, 3, 2),
    "BatchNorm1d": nn.BatchNorm1d(4),
    "InstanceNorm1d": nn.InstanceNorm1d(4),
    "GroupNorm": nn.GroupNorm(2, 4),
    "LayerNorm over the positions": nn.LayerNorm(48),
    "MaxPool1d": nn.MaxPool1d(2),
    "AvgPool1d": nn.AvgPool1d(3, 2),
    "AdaptiveAvgPool1d": nn.AdaptiveAvgPool1d(7),
    "AdaptiveMaxPool1d": nn.AdaptiveMaxPool1d(7),
    "Upsample": nn.Upsample(scale_factor=2),
    "ReLU": nn.ReLU(),
    "PReLU": nn.PReLU(4),
    "Dropout1d": nn.Dropout1d(),
}


@pytest.mark.parametrize("name", POSITIONS_LAST)
def test_in_one_dimension_units_come_first(name):
    row = table(lambda self, x: self.part(x.flatten(2)), part=POSITIONS_LAST[name])["part"]
    units, positions = row.output_shape
    assert row.layout == "sequence" and row.map_shape[0] == units
    assert row.map_shape[1] * row.map_shape[2] == positions


UNITS_LAST = {
    "Linear": nn.Linear(4, 5),
    "LayerNorm": nn.LayerNorm(4),
    "GELU": nn.GELU(),
    "LSTM": nn.LSTM(4, 5, batch_first=True),
    "GRU, both ways": nn.GRU(4, 5, batch_first=True, bidirectional=True),
    "TransformerEncoderLayer": nn.TransformerEncoderLayer(4, 2, 8, batch_first=True),
    "TransformerEncoder": nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), 2),
}


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("name", UNITS_LAST)
def test_tokens_have_their_units_last(name):
    row = table(lambda self, x: self.part(x.flatten(2).transpose(1, 2)), part=UNITS_LAST[name])["part"]
    assert (row.layout, row.grid) == ("tokens", (6, 8, 0))
    assert row.map_shape == (row.output_shape[1], 6, 8)


def by_hand(self, tokens):
    """Attention with two heads, each product by itself."""
    n, count, units = tokens.shape
    q, k, v = (part(tokens).view(n, count, 2, -1).transpose(1, 2) for part in (self.q, self.k, self.v))
    return ((q @ k.transpose(2, 3)).softmax(-1) @ v).transpose(1, 2).reshape(n, count, units)


def fused(self, tokens):
    n, count, units = tokens.shape
    q, k, v = self.qkv(tokens).reshape(n, count, 3, 2, -1).permute(2, 0, 3, 1, 4)
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, count, units)


def by_letters(self, tokens):
    q, k, v = self.qkv(tokens).chunk(3, -1)
    return torch.einsum("bij,bjd->bid", torch.einsum("bid,bjd->bij", q, k).softmax(-1), v)


def whole(self, tokens):
    return self.attention(tokens, tokens, tokens)[0]


def encoder_layer(self, tokens):
    return self.layer(tokens)


def tokens_second(self, tokens):
    tokens = tokens.transpose(0, 1)
    return self.second(tokens, tokens, tokens)[0].transpose(0, 1)


ATTENTIONS = {
    "by hand": by_hand,
    "fused": fused,
    "einsum": by_letters,
    "module": whole,
    "batch second": tokens_second,
    "encoder layer": encoder_layer,
}


class Classifier(nn.Module):
    """Patches, tokens in front of them, attention, and a head on the first token or the mean of all."""

    def __init__(self, attend, front: int, last: str = "class token"):
        super().__init__()
        self.attend, self.last = attend, last
        self.embed, self.norm, self.head = nn.Conv2d(3, 8, 4, 4), nn.LayerNorm(8), nn.Linear(8, 5)
        self.tokens = nn.Parameter(torch.zeros(1, front, 8))
        self.q, self.k, self.v, self.qkv = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 24)
        self.attention, self.second = nn.MultiheadAttention(8, 2, batch_first=True), nn.MultiheadAttention(8, 2)
        self.layer = nn.TransformerEncoderLayer(8, 2, 8, batch_first=True)
        self.mlp = nn.Linear(8, 8)

    def forward(self, x):
        x = torch.cat([self.tokens.expand(len(x), -1, -1), self.embed(x).flatten(2).transpose(1, 2)], 1)
        x = x + self.attend(self, self.norm(x))
        x = x + self.mlp(x)
        return self.head(x[:, 0] if self.last == "class token" else x.mean(1))


@pytest.mark.parametrize("front", [1, 2, 5])
@pytest.mark.parametrize("attend", ATTENTIONS.values(), ids=ATTENTIONS)
def test_attention_keeps_tokens_on_their_grid_and_only_what_goes_into_it_goes_on(attend, front):
    layers = bind(Classifier(attend, front).eval(), input_shape=(3, 8, 20)).layers
    assert {layers[name].grid for name in ("cat", "norm", "add", "mlp", "add:2")} == {(2, 5, front)}
    leads_to = {row.name: row.leads_to for row in layers if row.has_places}
    assert [name for name in leads_to if leads_to[name] == "last attention"] == ["norm"]
    assert [leads_to[name] for name in ("embed", "cat")] == ["output"] * 2
    assert [leads_to[name] for name in ("add", "mlp", "add:2")] == ["nothing"] * 3


@pytest.mark.parametrize("attend", ATTENTIONS.values(), ids=ATTENTIONS)
def test_without_a_class_token_all_positions_go_on(attend):
    layers = bind(Classifier(attend, 1, "mean").eval(), input_shape=(3, 8, 20)).layers
    assert [layers[name].leads_to for name in ("embed", "cat", "add", "mlp", "add:2")] == ["output"] * 5


def test_the_place_of_a_token_in_the_picture_is_the_middle_of_its_patch():
    row = bind(Classifier(fused, 2).eval(), input_shape=(3, 8, 20)).layers["add:2"]
    assert row.to_pixel(1, 3, (8, 20)) == (4 + 1.5, 12 + 1.5)
    assert row.to_position(5, 14, (8, 20)) == (1, 3)


NOT_ON_A_GRID = {
    "sorted": lambda x: x.sort(1)[0],
    "the strongest": lambda x: x.gather(1, x.sum(2, keepdim=True).topk(4, 1)[1].expand(-1, -1, x.shape[2])),
    "in an order of its own": lambda x: x[:, torch.randperm(x.shape[1], generator=torch.Generator().manual_seed(0))],
    "the first half": lambda x: x[:, :24],
    "every other": lambda x: x[:, ::2],
    "rolled": lambda x: x.roll(1, 1),
    "of two grids": lambda x: torch.cat([x, x * 2], 1),
    "mixed": lambda x: torch.ones(10, x.shape[1]) @ x,
}


@pytest.mark.parametrize("name", NOT_ON_A_GRID)
def test_tokens_whose_order_is_lost_have_no_grid(name):
    row = table(lambda self, x: NOT_ON_A_GRID[name](x.flatten(2).transpose(1, 2)) * 1)[-1]
    assert (row.layout, row.grid, row.map_shape) == ("tokens", None, (4, 1, row.output_shape[0]))


NEITHER = {
    "products of units": lambda x: x.flatten(2) @ x.flatten(2).mT * 1,
    "products of positions": lambda x: x.flatten(2).mT @ x.flatten(2) * 1,
    "one unit's map": lambda x: x[:, 0] * 1,
}


@pytest.mark.parametrize("name", NEITHER)
def test_what_has_units_on_both_axes_or_on_none_is_neither(name):
    assert table(lambda self, x: NEITHER[name](x))[-1].layout == "other"


BACK_TO_MAPS = {
    "tokens reshaped": lambda x: x.flatten(2).transpose(1, 2).transpose(1, 2).reshape(x.shape),
    "channels last and back": lambda x: x.permute(0, 2, 3, 1).flatten(1, 2).unflatten(1, (6, 8)).permute(0, 3, 1, 2),
    "branches in a stack": lambda x: torch.stack([x, x * 2], 1).sum(1),
    "with the units shuffled": lambda x: x[:, [2, 0, 3, 1]],
}


@pytest.mark.parametrize("name", BACK_TO_MAPS)
def test_maps_that_come_back_see_what_they_saw(name):
    row = table(lambda self, x: BACK_TO_MAPS[name](self.conv(x)) * 1, (4, 8, 12), conv=nn.Conv2d(4, 4, (3, 5)))[-1]
    assert (row.layout, row.map_shape) == ("map", (4, 6, 8))
    assert str(row.receptive_field) == ("all" if "stack" in name else "3×5")
