"""A projection is what transposed convolutions, switches and the rule of each ReLU make of one value, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods import project, top_patches
from tests.methods.data_sets import Pictures
from tests.net.brute_force import lively

DATA = Pictures(12)


@pytest.fixture(scope="module")
def module():
    parts = nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 5, 3), nn.ReLU()
    return lively(nn.Sequential(*parts), 0)


@pytest.fixture(scope="module")
def net(module):
    return cw.bind(module, input_shape=(3, 12, 12))


def by_hand(module, x, unit, patch, rule):
    """Zeiler and Fergus's way back: rectify, filter, put where the maxima were, rectify, filter."""
    first, _, _, second, _ = module
    with torch.no_grad():
        before = first(x[None])
        pooled, switches = F.max_pool2d(before.relu(), 2, return_indices=True)
        after = second(pooled)
        back = torch.zeros_like(after)
        back[0, unit, patch.row, patch.column] = patch.value
        for ahead, layer in ((after, second), (before, first)):
            back = {
                "deconvnet": back.clamp(min=0),
                "guided": back.clamp(min=0) * (ahead > 0),
                "gradient": back * (ahead > 0),
            }[rule]
            back = F.conv_transpose2d(back, layer.weight, padding=layer.padding)
            if layer is second:
                back = F.max_unpool2d(back, switches, 2, output_size=before.shape)
        return back[0].numpy()


@pytest.mark.parametrize("rule", ["deconvnet", "guided", "gradient"])
def test_a_projection_is_that_of_the_position_alone(net, module, rule):
    found = top_patches(net, DATA, "4", 4)["4"]
    seen = 0
    for unit in range(5):
        for patch in found.strongest(unit):
            wanted = by_hand(module, DATA[patch.index][0], unit, patch, rule)
            crop, mine = found.crop(net, DATA, patch), project(net, DATA, "4", unit, patch, rule)
            assert (mine.values.shape, mine.top, mine.left) == (crop.values.shape, crop.top, crop.left)
            rows, columns = np.flatnonzero(crop.inside.any(1)), np.flatnonzero(crop.inside.any(0))
            part = wanted[:, crop.top + rows[0] :, crop.left + columns[0] :][:, : len(rows), : len(columns)]
            np.testing.assert_allclose(mine.values[:, crop.inside].reshape(part.shape), part, atol=1e-4 * abs(part).max())
            assert abs(part).sum() == pytest.approx(abs(wanted).sum(), rel=1e-5)  # nothing comes from elsewhere
            seen += abs(part).max() > 0
    assert seen > 10


def test_on_a_linear_network_gradient_and_patch_add_up_to_the_value():
    net = cw.bind(lively(nn.Sequential(nn.Conv2d(3, 2, 5, padding=2, bias=False)), 1), input_shape=(3, 12, 12))
    found = top_patches(net, DATA, "0", 3)["0"]
    for unit in range(2):
        for patch in found.strongest(unit):
            weighted = found.crop(net, DATA, patch).values * project(net, DATA, "0", unit, patch, "gradient").values
            assert weighted.sum() == pytest.approx(patch.value**2, rel=1e-4)


def test_a_value_of_0_projects_to_nothing(net):
    found = top_patches(net, DATA, "4", 4)["4"]
    unit, patch = next((unit, patch) for unit in range(5) for patch in found.weakest(unit) if patch.value == 0)
    assert not project(net, DATA, "4", unit, patch, "deconvnet").values.any()


def test_what_does_not_fit_is_told(net):
    found = top_patches(net, DATA, "4", 1)["4"]
    patch = found.strongest(0)[0]
    with pytest.raises(ValueError, match=r"rule is 'guidd'; expected one of 'deconvnet', 'guided', 'gradient'.*'guided'"):
        project(net, DATA, "4", 0, patch, "guidd")
    with pytest.raises(ValueError, match="there is no unit 5: 4 has 5, numbered from 0"):
        project(net, DATA, "4", 5, patch)
    gelu = cw.bind(nn.Sequential(nn.Conv2d(3, 2, 3), nn.GELU()), input_shape=(3, 12, 12))
    found = top_patches(gelu, DATA, "1", 1)["1"]
    with pytest.raises(ValueError, match="a GELU"):
        project(gelu, DATA, "1", 0, found.strongest(0)[0])
