"""Occlusion of 1,200 random networks, in windows or not, beside the plain loop: no difference beyond rounding, no crash."""

from __future__ import annotations

import copy
from collections import Counter

import numpy as np
import pytest
import torch

import cnnwidgets as cw
from tests.net.brute_force import covered
from tests.net.random_networks import network

COUNT, PARTS = 1_200, 12
DTYPES = [torch.float32] * 5 + [torch.float64, torch.float16, torch.bfloat16]
ERROR = {torch.float16: 16, torch.bfloat16: 16}


@pytest.mark.parametrize("part", range(PARTS))
def test_random_networks(part):
    hows = Counter(how for seed in range(part, COUNT, PARTS) for how in check(seed))
    assert hows["exact windows"] > 0.3 * hows.total(), hows


def check(seed: int) -> list[str]:
    """Two maps of a random network beside the loop, with a small patch after a large one; returns how they were found."""
    module, shape, rng = network(seed)
    dtype = DTYPES[rng.integers(len(DTYPES))]
    picture = draw_picture(rng, shape)
    module = in_dtype(module, dtype, picture)
    own = copy.deepcopy(module)
    net = cw.bind(module, input_shape=shape)
    hows = []
    for patch in sorted((tuple(rng.integers(1, 1 + np.array(shape[1:])).tolist()) for _ in range(2)), reverse=True):
        stride, fill = tuple(rng.integers(1, 5, 2).tolist()), ["mean", "zero", "noise"][rng.integers(3)]
        options = {"patch": patch, "stride": stride, "fill": fill, "score": "logit"}
        try:
            here = cw.methods.Occlusion(net, picture, 0, **options, shape="rectangle", region=None, seed=0)
            result = here.map()
            compare(own, picture, result, here.cover, net.dtype, rng)
        except BaseException:
            print(f"seed {seed}: {dtype}, {shape}, {options}", *module.lines, sep="\n")
            raise
        hows.append(" ".join(result.how.split()[:2]).rstrip(":"))
    return hows


def compare(module, picture, result, cover, dtype, rng) -> None:
    """At some positions, and beside the clean picture."""
    rows, columns = (rng.choice(len(places), min(3, len(places)), replace=False) for places in (result.ys, result.xs))
    mask = torch.ones(result.patch, dtype=torch.bool)
    picture, cover = picture.to(dtype), cover.to(dtype)
    pictures = [covered(picture, cover, mask, result.ys[i], result.xs[j]) for i in rows for j in columns]
    with torch.no_grad():
        clean, *wanted = (copy.deepcopy(module)(one[None]).double()[0, 0].item() for one in [picture, *pictures])
    found = result.values[np.ix_(rows, columns)].ravel()
    effect = np.abs(np.array(wanted) - clean).max()
    scale = max(map(abs, [clean, *wanted]))
    single = torch.finfo(torch.float32).eps  # in which values are kept
    tolerance = 1e-5 * effect + max(ERROR.get(dtype, 32) * torch.finfo(dtype).eps, 2 * single) * scale
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance)
    assert abs(result.clean - clean) <= tolerance


def draw_picture(rng, shape) -> torch.Tensor:
    """Most are noise; some are of one color."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    noise = torch.randn(shape, generator=generator)
    return [noise, noise, noise, torch.zeros(shape), torch.full(shape, 0.7)][rng.integers(5)]


def in_dtype(module, dtype, picture):
    """The module in the dtype, if its operations exist there; otherwise as it is."""
    try:
        with torch.no_grad():
            copy.deepcopy(module).to(dtype)(picture[None].to(dtype))
    except (RuntimeError, NotImplementedError):
        return module.float()
    return module.to(dtype)
