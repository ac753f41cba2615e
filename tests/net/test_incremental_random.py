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


@pytest.mark.parametrize(
    "part", [part if part % 3 == 0 else pytest.param(part, marks=pytest.mark.nightly) for part in range(PARTS)]
)
def test_random_networks(part):
    hows = Counter(how for seed in range(part, COUNT, PARTS) for how in check(seed))
    assert hows["exact windows"] > 0.2 * hows.total(), hows


def check(seed: int) -> list[str]:
    """Two maps of a random network beside the loop, with a small patch after a large one; returns how they were found."""
    module, shape, picture, rng = draw(seed)
    own = copy.deepcopy(module)
    net = cw.bind(module, input_shape=shape)
    hows = []
    for patch in sorted((tuple(rng.integers(1, 1 + np.array(shape[1:])).tolist()) for _ in range(2)), reverse=True):
        stride, fill = tuple(rng.integers(1, 5, 2).tolist()), ["mean", "zero", "noise"][rng.integers(3)]
        options = {"patch": patch, "stride": stride, "fill": fill, "score": "logit"}
        try:
            here = cw.methods.Occlusion(net, picture, 0, **options, shape="rectangle", region=None, seed=0)
            result = here.map()
            compare(own, picture, result, here.cover, rng)
        except BaseException:
            print(f"seed {seed}: {net.dtype}, {shape}, {options}", *module.lines, own, sep="\n")
            raise
        hows.append(" ".join(result.how.split()[:2]).rstrip(":"))
    return hows


def compare(module, picture, result, cover, rng) -> None:
    """At some positions, and beside the clean picture: within 1e-5 of the effect or what the network itself rounds."""
    rows, columns = (rng.choice(len(places), min(3, len(places)), replace=False) for places in (result.ys, result.xs))
    mask = torch.ones(result.patch, dtype=torch.bool)
    dtype = next(module.parameters()).dtype
    picture, cover = picture.to(dtype), cover.to(dtype)
    pictures = [picture, *(covered(picture, cover, mask, result.ys[i], result.xs[j]) for i in rows for j in columns)]
    all_of_them = logits(module, pictures)
    finer = logits(copy.deepcopy(module).double(), [one.double() for one in pictures])
    own, wanted = np.abs(all_of_them - finer).max(), all_of_them[:, 0]
    found = np.concatenate([[result.clean], result.values[np.ix_(rows, columns)].ravel()])
    effect, scale = np.abs(wanted - wanted[0]).max(), np.abs(all_of_them).max()
    unit = torch.finfo(dtype).eps
    rounding = 4 * own + 8 * max(unit, torch.finfo(torch.float32).eps) * scale
    if (
        np.abs(found - wanted).max() > 1e-5 * effect + rounding
    ):  # does the network itself tell pictures apart that are as near?
        signs = (torch.randint(0, 2, picture.shape, generator=torch.Generator().manual_seed(k)) * 2 - 1 for k in range(4))
        near = [[(one.double() * (1 + 2 * unit * sign)).to(dtype) for one in pictures] for sign in signs]
        rounding += 4 * max(np.abs(logits(module, moved) - all_of_them).max() for moved in near)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * effect + rounding)


def logits(module, pictures) -> np.ndarray:
    """(N, 3): of one picture after the other."""
    with torch.no_grad():
        return np.array([copy.deepcopy(module)(picture[None])[0].double().numpy() for picture in pictures])


def draw(seed: int):
    """A network, its pictures' shape, one of them, and the generator; the first of the seed's that gives finite numbers."""
    while True:
        module, shape, rng = network(seed)
        picture = draw_picture(rng, shape)
        dtype = DTYPES[rng.integers(len(DTYPES))]
        for found in (module.to(dtype), module.float()):
            try:
                if np.isfinite(logits(found, [picture.to(next(found.parameters()).dtype)])).all():
                    return found, shape, picture, rng
            except (RuntimeError, NotImplementedError):  # not every operation exists in every dtype
                pass
        seed += COUNT


def draw_picture(rng, shape) -> torch.Tensor:
    """Most are noise; some are of one color."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    noise = torch.randn(shape, generator=generator)
    return [noise, noise, noise, torch.zeros(shape), torch.full(shape, 0.7)][rng.integers(5)]
