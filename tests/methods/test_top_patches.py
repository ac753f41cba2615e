"""Top patches: what brute force finds, merged in any order; and a crop alone gives its unit the same value."""

from __future__ import annotations

import copy
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods import Batch, Patch, strongest, top_patches
from cnnwidgets.methods.strongest import Strongest, priorities
from tests.methods.data_sets import Bad, Pictures, network
from tests.net.brute_force import lively

N = 40
NET = network()
LAYER = NET.layers["5"]
UNITS, HEIGHT, WIDTH = LAYER.map_shape


@pytest.fixture(scope="module")
def maps():
    """What the layer gives for every picture: everything stored."""
    return NET.trace(torch.stack([Pictures()[i][0] for i in range(N)]), ["5"])["5"].numpy()


def test_strongest_and_weakest_are_those_of_everything_sorted(maps):
    found = top_patches(NET, Pictures(N), "5", 4, batch_size=7)
    for unit in range(UNITS):
        rows = [(float(m[unit].max()), i, int(m[unit].argmax())) for i, m in enumerate(maps)]
        for patches, sign in ((found["5"].strongest(unit), -1), (found["5"].weakest(unit), 1)):
            best = sorted(rows, key=lambda row: (sign * row[0], row[1]))[:4]
            assert [(p.index, p.row * WIDTH + p.column, p.label) for p in patches] == [(i, at, i % 4) for _, i, at in best]
            np.testing.assert_allclose([p.value for p in patches], [value for value, *_ in best], rtol=1e-5)
    assert (found.seen, found.total, found.skipped) == (N, N, [])


def test_several_positions_of_a_picture_are_taken_where_they_may_be(maps):
    found = top_patches(NET, Pictures(N), "5", 12, one_per_picture=False, batch_size=7)
    for unit in range(UNITS):
        best = np.sort(maps[:, unit].ravel())[::-1][:12]
        patches = found["5"].strongest(unit)
        np.testing.assert_allclose([p.value for p in patches], best, rtol=1e-5)
        np.testing.assert_allclose([maps[p.index, unit, p.row, p.column] for p in patches], best, rtol=1e-5)
        assert len({(p.index, p.row, p.column) for p in patches}) == 12
    assert any(len({p.index for p in found["5"].strongest(unit)}) < 12 for unit in range(UNITS))


def test_each_decile_holds_its_tenth_of_the_maxima(maps):
    found = top_patches(NET, Pictures(N), "5", seed=3)
    for unit in range(UNITS):
        order = sorted(range(N), key=lambda i: (maps[i, unit].max(), i))
        for tenth in range(10):
            some = [p.index for p in found["5"].decile(unit, tenth, most=9)]
            assert sorted(some) == sorted(order[4 * tenth : 4 * tenth + 4])


def test_the_sample_is_bounded_and_fair(monkeypatch):
    """Of 400 seeds, a sample of 10 of 40 pictures holds each about 100 times; the standard deviation is 8.7."""
    monkeypatch.setattr(strongest, "SAMPLE", 10)
    found = top_patches(NET, Pictures(N), "5", batch_size=7)
    assert found["5"].sampled == 10
    drawn = [np.argsort(priorities(np.arange(N), seed))[:10] for seed in range(400)]
    counts = np.bincount(np.concatenate(drawn), minlength=N)
    assert abs(counts - 100).max() < 5 * 8.7
    assert {p.index for tenth in range(10) for p in found["5"].decile(0, tenth, 9)} == set(drawn[0].tolist())


VALUES = torch.randint(-2, 3, (24, UNITS, HEIGHT, WIDTH), generator=torch.Generator().manual_seed(0)).float()  # many ties


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(range(24)), cuts=st.sets(st.integers(1, 23), max_size=5), one=st.booleans())
def test_parts_in_any_order_give_the_same(order, cuts, one):
    def gathered(numbers):
        part = Strongest(LAYER, 5, one, seed=0)
        inputs = torch.zeros(len(numbers), 3, 12, 12)
        part.update(Batch(np.array(numbers), np.array(numbers) % 4, inputs, None, {"5": VALUES[numbers]}))
        return part

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strongest, "SAMPLE", 6)
        whole = gathered(list(range(24)))
        edges = [0, *sorted(cuts), 24]
        parts = [gathered(list(order[a:b])) for a, b in itertools.pairwise(edges)]
        merged = Strongest(LAYER, 5, one, seed=0)
        for part in parts:
            before = copy.deepcopy(part.state())
            merged.merge(part)
            _assert_same(part.state(), before)
    _assert_same(merged.state(), whole.state())


def _assert_same(found, wanted):
    for name in ("strong", "weak", "sample"):
        for column, values in wanted[name].items():
            np.testing.assert_array_equal(found[name][column], values, err_msg=f"{name} {column}")
    np.testing.assert_array_equal(found["alive"], wanted["alive"])
    np.testing.assert_array_equal(found["priority"], wanted["priority"])


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.second = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        x = self.first(x).relu()
        return self.second(x).relu() + x


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.narrow = nn.Conv2d(3, 2, 1)
        self.wide = nn.Conv2d(3, 2, 5, padding=2)

    def forward(self, x):
        return torch.cat([self.narrow(x), self.wide(x)], 1)


NETS = {
    "padding": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1)), "exact"),
    "dilation": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3, padding=2, dilation=2), nn.MaxPool2d(2)), "exact"),
    "residual": (Residual, "exact"),
    "concatenation": (Branches, "bound"),
}


@pytest.mark.parametrize("kind", NETS)
def test_a_crop_alone_at_its_place_gives_the_unit_the_same_value(kind):
    build, status = NETS[kind]
    net = cw.bind(lively(build(), 0), input_shape=(3, 12, 12))
    name, data = net.layers.names[-1], Pictures(10)
    found = top_patches(net, data, name, 3, one_per_picture=False)[name]
    beyond = 0
    for unit in range(len(found.dead)):
        for patch in found.strongest(unit):
            crop = found.crop(net, data, patch)
            assert crop.status == status
            assert not crop.values[:, ~crop.inside].any()
            beyond += not crop.inside.all()
            alone = torch.zeros(1, 3, 12, 12)
            rows, columns = (np.flatnonzero(crop.inside.any(axis)) for axis in (1, 0))
            seen = torch.from_numpy(crop.values[:, rows][:, :, columns])
            top, left = crop.top + rows[0], crop.left + columns[0]
            alone[0, :, top : top + len(rows), left : left + len(columns)] = seen
            value = net.trace(alone, [name])[name][0, unit, patch.row, patch.column]
            assert abs(float(value) - patch.value) <= 1e-5 * max(1, abs(patch.value))
    assert beyond


def test_the_patch_of_a_vector_s_unit_is_the_whole_picture():
    last = NET.layers.names[-1]
    found, data = top_patches(NET, Pictures(9), last, 2)[last], Pictures(9)
    scores = torch.cat([NET.run(data[i][0][None]) for i in range(9)])
    for unit in range(len(found.dead)):
        patch = found.strongest(unit)[0]
        assert (patch.index, patch.row, patch.column) == (int(scores[:, unit].argmax()), 0, 0)
        crop = found.crop(NET, data, patch)
        assert (crop.top, crop.left, crop.status, crop.inside.all()) == (0, 0, "global", True)
        np.testing.assert_array_equal(crop.values, data[patch.index][0])


def test_pictures_in_which_a_unit_gives_0_are_counted():
    module = nn.Sequential(nn.Conv2d(3, 1, 12, bias=False), nn.ReLU())
    with torch.no_grad():
        module[0].weight.fill_(1)
    net, data = cw.bind(module, input_shape=(3, 12, 12)), [torch.full((3, 12, 12), float(v)) for v in (-1, 2, 0, 3, -4)]
    assert top_patches(net, data, "1", batch_size=2)["1"].silent.tolist() == [3]


def test_a_dead_unit_has_no_patches():
    module = nn.Sequential(nn.Conv2d(3, 3, 3), nn.ReLU())
    with torch.no_grad():
        module[0].bias[1] = -1e3
    net = cw.bind(module, input_shape=(3, 12, 12))
    found = top_patches(net, Pictures(9), ["0", "1"])
    assert found["1"].dead.tolist() == [False, True, False]
    assert found["1"].strongest(1) == found["1"].weakest(1) == found["1"].decile(1, 9) == []
    assert not found["0"].dead.any()
    assert "1 dead" in repr(found["1"])


def test_a_unit_that_is_never_above_zero_is_not_dead():
    class Negative(nn.Module):
        def forward(self, x):
            return -x.relu()

    net = cw.bind(Negative(), input_shape=(3, 12, 12))
    (name,) = net.layers.names[-1:]
    assert not top_patches(net, Pictures(5), name)[name].dead.any()


def test_bad_pictures_are_left_out_and_told():
    found = top_patches(NET, Bad(), "5", 50)
    assert [i for i, _ in found.skipped] == list(Bad.indices)
    assert {p.index for p in found["5"].strongest(0)} == set(range(50)) - set(Bad.indices)


def test_what_does_not_fit_is_told():
    for ask, error, words in (
        (lambda: top_patches(NET, Pictures(3), "conv9"), KeyError, "no layer 'conv9'"),
        (lambda: top_patches(NET, Pictures(3), "5", 0), ValueError, "k is 0; expected a whole number of at least 1"),
        (lambda: top_patches(NET, Pictures(3), []), ValueError, "layers is empty"),
        (lambda: top_patches(NET, Pictures(3), "5")["5"].strongest(UNITS), IndexError, f"no unit {UNITS}: 5 has {UNITS}"),
        (lambda: top_patches(NET, Pictures(3), "5")["5"].decile(0, 10), ValueError, "decile is 10"),
        (
            lambda: top_patches(NET, Pictures(3), "5")["5"].crop(NET, Pictures(3), 3),
            TypeError,
            "patch is 3; expected a Patch",
        ),
    ):
        with pytest.raises(error, match=words):
            ask()


def test_patches_are_numbers_of_the_data_set():
    found = top_patches(NET, Pictures(N), "5", indices=[30, 7, 21])
    assert {p.index for p in found["5"].strongest(0)} == {30, 7, 21}
    assert isinstance(found["5"].strongest(0)[0], Patch)
