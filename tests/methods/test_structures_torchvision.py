"""torchvision's segmentation and detection networks, with random weights: what torch gives by hand, and no way in fails."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import detection, segmentation

import cnnwidgets as cw
from tests.net.networks import unchanged


def area_of_5(output):
    return output["out"][:, 5].sum((1, 2))


def confidence(output):
    return sum(found["scores"][:9].sum() for found in output)


def lively(model):
    """With running statistics as those of a trained network, so that its answers depend on the picture."""
    model.eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        model(torch.rand(1, 3, 64, 64, generator=generator))
        for part in model.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.running_var.uniform_(0.02, 0.1, generator=generator)
    return model


@cache
def bound(name):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if name == "lraspp":
            model = segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None)
        elif name == "deeplab":
            model = segmentation.deeplabv3_mobilenet_v3_large(weights=None, weights_backbone=None)
        else:
            model = detection.ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None)
    return cw.bind(lively(model), input_shape=(3, 64, 64))


SCORES = {"lraspp": area_of_5, "deeplab": area_of_5, "ssdlite": confidence}
IMAGE = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", SCORES)
def test_the_gradient_is_torchs(name):
    net, score = bound(name), SCORES[name]
    x = IMAGE[None].clone().requires_grad_()
    value = score(net.module(x)).sum()
    (wanted,) = torch.autograd.grad(value, x)
    with unchanged(net.module):
        found = cw.methods.saliency(net, IMAGE, score, reduce="none")
    assert wanted.abs().max() > 0
    np.testing.assert_allclose(found.values, wanted[0], atol=1e-5 * wanted.abs().max())
    assert (found.score, found.target) == (pytest.approx(value.item(), rel=1e-5), score.__name__)


@pytest.mark.parametrize("name", SCORES)
def test_occlusion_is_the_loop_of_the_network_itself(name):
    net, score = bound(name), SCORES[name]
    with unchanged(net.module):
        found = cw.methods.occlusion(net, IMAGE, score, patch=24, stride=20, fill="zero")
    wanted = np.empty(found.values.shape)
    with torch.no_grad():
        for i, y in enumerate(found.ys):
            for j, x in enumerate(found.xs):
                covered = IMAGE.clone()
                covered[:, y : y + 24, x : x + 24] = 0
                wanted[i, j] = score(net.module(covered[None])).item()
    assert np.ptp(wanted) > 0
    np.testing.assert_allclose(found.values, wanted, atol=2e-4 * np.abs(wanted).max())


@pytest.mark.parametrize("name", SCORES)
def test_occlusion_of_a_unit_is_the_sum_of_its_map(name):
    net = bound(name)
    layer = [row for row in net.layers.maps if row.kind == "Conv2d"][7]
    found = cw.methods.occlusion(net, IMAGE, unit=(layer.name, 2), patch=32, stride=32)
    covered = IMAGE.clone()
    covered[:, 32:, 32:] = IMAGE.mean((1, 2), keepdim=True)
    wanted = layer.by_unit(net.trace(covered, [layer.name])[layer.name])[0, 2].sum().item()
    assert found.values[1, 1] == pytest.approx(wanted, rel=1e-3, abs=1e-3)


FAST = (
    "gradient_x_input",
    "smoothgrad",
    "integrated_gradients",
    "grad_cam",
    "grad_cam_plus_plus",
    "layer_cam",
    "rise",
    "lime",
)
OPTIONS = {
    "smoothgrad": {"n_samples": 2},
    "integrated_gradients": {"steps": 9},
    "rise": {"n_samples": 4},
    "lime": {"n_samples": 6, "superpixels": np.arange(16).reshape(4, 4).repeat(16, 0).repeat(16, 1)},
}


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("method", FAST)
def test_every_method_has_a_map(method, name):
    net = bound(name)
    found = cw.methods.attribute(net, IMAGE, SCORES[name], method=method, **OPTIONS.get(method, {}))
    assert np.isfinite(found.values).all() and not found.is_zero
    assert found.at_input().shape == (64, 64)


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("method", ["deconvnet", "guided_backprop", "guided_grad_cam"])
def test_a_rule_for_relus_says_which_activation_has_none(method, name):
    with pytest.raises(ValueError, match="hard swish"):
        cw.methods.attribute(bound(name), IMAGE, SCORES[name], method=method)


def test_what_they_give_is_said():
    assert bound("lraspp").output.sentence == "the network gives an OrderedDict of out (1×21×64×64)"
    assert bound("ssdlite").output.sentence.startswith("the network gives a list of a dict of boxes (")
