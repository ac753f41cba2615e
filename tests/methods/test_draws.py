"""Networks that draw random numbers in evaluation mode: it is said everywhere, and a map is that of one draw."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import cnnwidgets as cw
from tests.methods.small import picture, small
from tests.net.networks import Function

SHAPE = (3, 12, 12)
DRAWING = {
    "dropout": lambda x: F.dropout(x, 0.3),
    "noise": lambda x: x + 0.3 * torch.randn_like(x),
    "numpy's noise": lambda x: x * float(np.random.rand() + 0.5),
    "python's noise": lambda x: x * (random.random() + 0.5),
    "stochastic depth": lambda x: x + x * (torch.rand(len(x), 1, 1, 1) > 0.5),
}
OPTIONS = {
    "occlusion": {"patch": 4, "stride": 4},
    "rise": {"n_samples": 24, "cells": 3},
    "lime": {"n_samples": 24, "superpixels": np.arange(144).reshape(12, 12) // 36},
    "smoothgrad": {"n_samples": 6},
    "integrated_gradients": {"steps": 9},
}


def drawing(how: str) -> cw.BoundModel:
    before = DRAWING[how]
    return cw.bind(Function(lambda self, x: self.body(before(x)), body=small()).eval(), input_shape=SHAPE)


def says(notes) -> bool:
    return any("draws random numbers" in note and "one draw of many" in note for note in notes)


@pytest.mark.parametrize("how", DRAWING)
def test_a_network_that_draws_says_so(how):
    net = drawing(how)
    _ = net.output
    assert net.draws and says(net.notes) and repr(net).endswith("draws random numbers>")


def test_the_first_layer_that_draws_is_named():
    net = cw.bind(Function(lambda self, x: self.body(F.dropout(F.relu(x))), body=small()).eval(), input_shape=SHAPE)
    _ = net.output
    assert net.layers.drawing == "dropout" and any("(first in dropout)" in note for note in net.notes)


def test_an_ordinary_network_with_dropout_modules_says_nothing():
    model = torch.nn.Sequential(torch.nn.Dropout(0.5), small()).train()
    net = cw.bind(model, input_shape=SHAPE)
    _ = net.output
    assert not net.draws and "draws" not in repr(net) and not says(net.notes) and not net.layers.drawing


@pytest.mark.parametrize("method", ["saliency", "grad_cam", *OPTIONS])
def test_every_map_says_that_it_is_of_one_draw(method):
    found = getattr(cw.methods, method)(drawing("dropout"), picture(), 1, **OPTIONS.get(method, {}))
    assert says(found.notes)


def test_what_is_no_map_says_so_too():
    net, image = drawing("dropout"), picture()
    of = cw.methods.saliency(net, image, 1)
    assert says(cw.methods.faithfulness(net, image, of, steps=2, randoms=1).notes)
    assert says(cw.methods.sanity_check(net, image, 1, methods=["saliency"], depths=[1]).notes)
    assert says(cw.methods.features(net, [image, image]).notes)
    assert says(cw.methods.scan(net, [image], [cw.methods.Confusion()]).notes)


@pytest.mark.parametrize("how", DRAWING)
def test_an_occlusion_map_is_that_of_one_draw_and_is_never_called_exact(how):
    net, image = drawing(how), picture()
    found = cw.methods.occlusion(net, image, 1, patch=4, stride=4, fill="zero", score="logit")
    for i, y in enumerate(found.ys):
        for j, x in enumerate(found.xs):
            covered = image.clone()
            covered[:, y : y + 4, x : x + 4] = 0
            assert found.values[i, j] == pytest.approx(net.scores(covered)[0, 1].item(), rel=1e-4, abs=1e-5)
    assert found.complete and not found.exact and "of one draw" in repr(found)
    assert not any("exact" in text for text in (found.how, repr(found), *found.notes))
    assert "draws random numbers" in found.how


def test_a_pixel_that_does_not_matter_moves_nothing_though_the_network_draws():
    """With numbers of its own for every position the map would be noise."""
    model = Function(lambda self, x: self.body(F.dropout(x[..., :6, :], 0.3)), body=small(6)).eval()
    model.body[7] = torch.nn.Linear(8 * 4, 4)
    net = cw.bind(model, input_shape=SHAPE)
    found = cw.methods.occlusion(net, picture(), 1, patch=2, stride=2)
    assert not found.drop[found.ys >= 6].any()
    assert found.drop[found.ys < 4].any()


@pytest.mark.parametrize("how", DRAWING)
def test_a_map_of_one_draw_does_not_depend_on_memory(how):
    for method in ("rise", "smoothgrad"):
        found = [
            getattr(cw.methods, method)(drawing(how), picture(), 1, **OPTIONS[method], max_memory=memory).values
            for memory in (1, 2**29)
        ]
        np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-7)


def test_features_of_a_network_that_draws_do_not_depend_on_the_batch():
    images = [picture(seed=k) for k in range(5)]
    found = [cw.methods.features(drawing("dropout"), images, batch_size=size).values for size in (1, 2, 5)]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    assert np.array_equal(cw.methods.features(drawing("dropout"), [images[2]]).values[0], found[0][2])
