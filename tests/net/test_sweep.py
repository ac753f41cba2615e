"""Every classification model of torchvision: bound, its table written, every map compared, and no trace left."""

from __future__ import annotations

import gc

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models

from cnnwidgets.net import bind
from tests.net.networks import WithoutInit, cheap, maps_by_hooks, unchanged
from tests.net.torchvision_models import NAMES, SMALLEST, every_model

pytestmark = pytest.mark.sweep

SIDES = {"inception_v3": 80, "maxvit_t": 224}
OPTIONS = {
    "inception_v3": {"init_weights": False},
    "googlenet": {"init_weights": False},
    "vit_b_16": {"image_size": 64},
    "vit_b_32": {"image_size": 64},
    "vit_l_16": {"image_size": 64},
    "vit_l_32": {"image_size": 64},
    "vit_h_14": {"image_size": 56},
}


@pytest.fixture
def plain_attention():
    """Attention by ordinary functions, not by the fused one, which FlopCounterMode does not know."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    yield
    torch.backends.mha.set_fastpath_enabled(fast)


def is_call(model: nn.Module, path: str) -> bool:
    """Whether a module is one of torch's, or derived from one, and works on the picture: swin's position biases do not."""
    kinds = type(model.get_submodule(path)).__mro__
    return ".cpb_mlp." not in path and any(k.__module__.startswith("torch.nn.") and k is not nn.Module for k in kinds)


@pytest.mark.nightly
def test_the_smallest_models_are_made_of_all_that_the_others_are_made_of():
    with WithoutInit():
        kinds = {name: {type(part) for part in getattr(models, name)(**OPTIONS.get(name, {})).modules()} for name in NAMES}
    known = set().union(*(kinds[name] for name in SMALLEST))
    assert {name: parts - known for name, parts in kinds.items() if parts - known} == {}


@every_model
def test_every_torchvision_model(name, plain_attention):
    options = OPTIONS.get(name, {})
    model = cheap(getattr(models, name), **options)
    side = options.get("image_size", SIDES.get(name, 64))
    batch = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    with FlopCounterMode(display=False) as counter:
        truth = maps_by_hooks(model, batch)
    with unchanged(model, values=False):
        net = bind(model, input_shape=(3, side, side))
        maps = net.trace(batch)

    assert net.layers.macs * 2 == counter.get_total_flops() > 0
    assert 0 < sum(row.parameters for row in net.layers) <= net.parameters
    rows = {row.source[1:]: row.name for row in net.layers if row.source[0] == "module"}
    calls = {(path, i): true for path, outputs in truth.items() for i, true in enumerate(outputs, 1) if is_call(model, path)}
    difference = sorted(calls.keys() ^ rows.keys())  # named, so that pytest prints no tensors should it fail
    assert difference == []
    wrong = [rows[call] for call, true in calls.items() if not torch.equal(maps[rows[call]], true)]
    assert wrong == []
    infinite = [name for name, values in maps.items() if not values.isfinite().all()]
    assert infinite == []
    last = net.layers[-1]
    assert last.output_shape == (1000,)
    assert net.predict(batch, k=1)[0][0][0] == str(int(maps[last.name].argmax()))
    assert all(row.receptive_field for row in net.layers.maps)
    if name.startswith("vit"):
        layouts = {row.layout for row in net.layers if ".encoder_layer" in row.name}
        assert layouts == {"tokens"}
    del model, net, maps, truth, calls  # gigabytes, some of them in cycles
    gc.collect()
