"""The same seed gives the same samples, however many of them fit into memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import cnnwidgets as cw
from tests.methods.small import picture, small

SEGMENTS = np.arange(144).reshape(12, 12) // 24
SAMPLING = {
    "smoothgrad": {"n_samples": 9},
    "rise": {"n_samples": 9, "cells": 3},
    "lime": {"n_samples": 9, "superpixels": SEGMENTS, "fill": "noise"},
    "integrated_gradients": {"baseline": "noise", "steps": 9},
    "score_cam": {"layer": "0"},
}
MEMORIES = [1, 60_000, 100_000, 150_000, 300_000, 2**29]


def shown(method, seed, memory, size=12):
    """The pictures that the network is shown, in order, and the map."""
    model, seen = small(size), []
    model.register_forward_pre_hook(lambda module, args: seen.append(args[0].detach().clone()))
    net = cw.bind(model, input_shape=(3, size, size))
    net.takes_batches()
    seen.clear()
    options = SAMPLING[method] | ({"seed": seed} if method in ("smoothgrad", "rise", "lime") else {})
    found = getattr(cw.methods, method)(net, picture(size), 1, **options, max_memory=memory)
    values = found.attribution().values if method == "lime" else found.values
    return torch.cat(seen), values, max(map(len, seen))


@pytest.mark.parametrize("method", SAMPLING)
def test_what_the_network_is_shown_does_not_depend_on_memory(method):
    pictures, values, largest = zip(*(shown(method, 3, memory) for memory in MEMORIES), strict=True)
    assert len(set(largest)) > 2
    for other, map_of_it in zip(pictures[1:], values[1:], strict=True):
        assert torch.equal(other, pictures[0])
        np.testing.assert_allclose(map_of_it, values[0], rtol=1e-4, atol=1e-5 * np.abs(values[0]).max())


@settings(max_examples=10, derandomize=True, deadline=None)
@given(st.sampled_from(sorted(SAMPLING)), st.integers(0, 2**31), st.integers(1, 400_000))
def test_nor_for_any_seed_and_any_memory(method, seed, memory):
    assert torch.equal(shown(method, seed, memory)[0], shown(method, seed, 1)[0])


def test_another_seed_gives_other_samples():
    for method in ("smoothgrad", "rise", "lime"):
        assert not torch.equal(shown(method, 1, 1)[0], shown(method, 2, 1)[0])


@pytest.mark.parametrize("memory", [1, 2**29])
def test_the_noise_of_an_occlusion_is_that_of_the_seed(memory):
    net = cw.bind(small(), input_shape=(3, 12, 12))
    options = {"patch": 4, "stride": 2, "fill": "noise", "seed": 5}
    first = cw.methods.occlusion(net, picture(), 1, **options, max_memory=2**28).values
    found = cw.methods.occlusion(net, picture(), 1, **options, max_memory=memory).values
    np.testing.assert_allclose(found, first, rtol=1e-4, atol=1e-6)
