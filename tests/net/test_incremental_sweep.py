"""Every classification model of torchvision: what it says with a patch somewhere, by windows and by itself."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch
from torchvision import models

from cnnwidgets.net import bind
from cnnwidgets.net.incremental import Patches, Positions, Scorer
from tests.net.brute_force import covered, lively
from tests.net.networks import cheap, unchanged
from tests.net.torchvision_models import every_model

pytestmark = pytest.mark.sweep

ROUNDS = {"maxvit_t", "regnet_y_128gf"}  # in float32 they are themselves 2e-5 from what they give in float64
SIDES = {"inception_v3": 75, "maxvit_t": 224, "alexnet": 63}
OPTIONS = {
    "inception_v3": {"init_weights": False},
    "googlenet": {"init_weights": False},
    "vit_b_16": {"image_size": 32},
    "vit_b_32": {"image_size": 32},
    "vit_l_16": {"image_size": 32},
    "vit_l_32": {"image_size": 32},
    "vit_h_14": {"image_size": 28},
}


@every_model
def test_every_torchvision_model(name):
    options = OPTIONS.get(name, {})
    model = cheap(getattr(models, name), **options)
    faint = name.startswith("efficientnet")  # so deep that a patch is lost, or with larger weights rounding is blown up
    if not faint:
        lively(model)
    if name in ROUNDS:
        model.double()
    side = options.get("image_size", SIDES.get(name, 32))
    generator = torch.Generator().manual_seed(0)
    picture, fill = torch.randn(2, 1, 3, side, side, generator=generator).to(next(model.parameters()))
    mask = torch.ones(side // 5, side // 4, dtype=torch.bool)
    places = Positions(np.array([0, side // 3, side // 2, side - 3]), np.array([side // 2, side // 3, 0, side - 4]))
    net = bind(model, input_shape=(3, side, side))
    with unchanged(model, values=False):
        scorer = Scorer(net, Patches(picture, fill, mask))
        found = list(scorer.scores([places]))
    tops, lefts = (np.concatenate([part[k] for part, _ in found]) for k in range(2))
    assert sorted(zip(tops, lefts, strict=True)) == sorted(zip(*places, strict=True))
    with torch.no_grad():
        wanted = torch.cat([model(covered(picture[0], fill[0], mask, y, x)[None]) for y, x in zip(tops, lefts, strict=True)])
    difference = (torch.cat([scores.outputs for _, scores in found]) - wanted).abs().max()
    assert difference <= 2e-5 * wanted.abs().max()
    assert faint or np.ptp(wanted.numpy(), axis=0).max() > 1e-3 * wanted.abs().max()
    if not name.startswith(("vit", "swin", "maxvit")):
        assert scorer.how.startswith("exact windows in ")
    del model, net, scorer, found
    gc.collect()
