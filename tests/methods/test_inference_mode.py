"""Networks and pictures made under ``torch.inference_mode``, whose tensors autograd refuses: maps are the usual ones."""

from __future__ import annotations

import threading
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from tests.methods.small import picture, small
from tests.net.networks import Function

SHAPE = (3, 12, 12)
OPTIONS = {
    "occlusion": {"patch": 4, "stride": 4},
    "rise": {"n_samples": 70, "cells": 3},
    "lime": {"n_samples": 70, "superpixels": np.arange(144).reshape(12, 12) // 24},
    "smoothgrad": {"n_samples": 5},
}


def average():
    """A network that keeps a moving average of its maps, in a buffer and in a list."""

    def forward(self, x):
        h = self.conv(x)
        self.seen.mul_(0.9).add_(h.mean((0, 2, 3)), alpha=0.1)
        self.kept[0] += 1
        return self.last((h * self.seen[:, None, None]).relu_().mean((2, 3)))

    torch.manual_seed(0)
    model = Function(forward, conv=nn.Conv2d(3, 4, 3), last=nn.Linear(4, 4)).eval()
    model.register_buffer("seen", torch.ones(4))
    model.kept = [torch.zeros(1)]
    return model


def not_to_be_copied():
    """A network that holds a lock, of which no double can be made."""
    model = small()
    model.lock = threading.Lock()
    return model


def normed():
    model = small()
    nn.utils.parametrizations.weight_norm(model[0])
    return model


NETWORKS = {
    "batch norm": small,
    "a moving average": average,
    "a lock": not_to_be_copied,
    "weight norm": normed,
    "frozen": lambda: small().requires_grad_(False),
    "half": lambda: small().bfloat16(),
}


def attribution(net, image, method):
    found = cw.methods.attribute(net, image, 2, method=method, **OPTIONS.get(method, {}))
    return found.values


@pytest.mark.parametrize("inside", [False, True], ids=["called outside", "called inside"])
@pytest.mark.parametrize("method", ["rise", "lime", "occlusion", "saliency", "grad_cam", "smoothgrad", "score_cam"])
@pytest.mark.parametrize("kind", NETWORKS)
def test_a_network_made_under_inference_mode_has_the_maps_of_any_other(kind, method, inside):
    expected = attribution(cw.bind(NETWORKS[kind](), input_shape=SHAPE), picture(), method)
    with torch.inference_mode():
        model, image = NETWORKS[kind](), picture()
    assert all(parameter.is_inference() for parameter in model.parameters())
    net = cw.bind(model, input_shape=SHAPE)
    with torch.inference_mode() if inside else nullcontext():
        found = attribution(net, image, method)
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=5e-2 * np.abs(expected).max() if kind == "half" else 1e-6)
    assert all(parameter.is_inference() for parameter in model.parameters())


def test_occlusion_has_windows_there_too():
    with torch.inference_mode():
        net = cw.bind(small(24), input_shape=(3, 24, 24))
    other = cw.bind(small(24), input_shape=(3, 24, 24))
    found, expected = (cw.methods.occlusion(one, picture(24), 1, patch=2, stride=4) for one in (net, other))
    assert found.how == expected.how and found.how.startswith("exact windows")
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-4, atol=1e-6)


def test_a_network_looked_at_under_inference_mode_can_be_differentiated_later():
    net = cw.bind(small(), input_shape=SHAPE)
    with torch.inference_mode():
        net.predict(picture())
        net.takes_batches(picture()[None])
    expected = cw.methods.saliency(cw.bind(small(), input_shape=SHAPE), picture(), 1)
    assert np.array_equal(cw.methods.saliency(net, picture(), 1).values, expected.values)


@pytest.mark.parametrize("name", ["digits", "scenes"])
def test_a_bundled_network_loaded_under_inference_mode_has_maps_and_features(name):
    with torch.inference_mode():
        net, images = cw.load(name), getattr(cw.samples, name)()
        image = images[0][0]
    other = cw.load(name)
    for method in ("rise", "lime", "saliency"):
        options = {"n_samples": 40} if method != "saliency" else {}
        found, expected = (getattr(cw.methods, method)(one, image, 1, **options) for one in (net, other))
        found, expected = (one.attribution() if method == "lime" else one for one in (found, expected))
        np.testing.assert_allclose(found.values, expected.values, rtol=1e-4, atol=1e-6)
    found, expected = (cw.methods.features(one, images, indices=range(5)).values for one in (net, other))
    np.testing.assert_array_equal(found, expected)
