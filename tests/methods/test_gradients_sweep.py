"""Every classification model of torchvision: gradients against a difference, ruled ones against another way, CAMs."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch
from torchvision import models

import cnnwidgets as cw
from cnnwidgets.net.relu_rules import NoRule
from tests.net import relu_by_functions
from tests.net.networks import cheap, unchanged
from tests.net.test_sweep import OPTIONS, SIDES
from tests.net.torchvision_models import every_model

pytestmark = pytest.mark.sweep

SMOOTH = {
    "efficientnet": "SiLU",
    "mobilenet_v3": "hard swish",
    "vit": "GELU",
    "swin": "GELU",
    "convnext": "GELU",
    "maxvit": "GELU",
}


@every_model
def test_every_torchvision_model(name):
    options = OPTIONS.get(name, {})
    model = cheap(getattr(models, name), **options)
    side = options.get("image_size", SIDES.get(name, 64))
    image = torch.rand(3, side, side, generator=torch.Generator().manual_seed(0))
    net = cw.bind(model, input_shape=(3, side, side))
    with unchanged(model, values=False):
        found = cw.methods.saliency(net, image, 7, reduce="none").values
        ruled = {}
        for method in ("deconvnet", "guided_backprop"):
            try:
                ruled[method] = cw.methods.attribute(net, image, 7, method=method, reduce="none").values
            except NoRule as error:
                ruled[method] = str(error)
        cam = cw.methods.grad_cam(net, image, 7)

    expected = relu_by_functions.gradient(model, image[None], 7, "backpropagation")[0].numpy()
    assert found.any()
    assert np.allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    reason = next((why for family, why in SMOOTH.items() if name.startswith(family)), None)
    for method, rule in (("deconvnet", "deconvnet"), ("guided_backprop", "guided")):
        if reason:
            assert reason in ruled[method]
        else:
            expected = relu_by_functions.gradient(model, image[None], 7, rule)[0].numpy()
            assert np.allclose(ruled[method], expected, atol=1e-4 * np.abs(expected).max())
    assert cam.values.shape[0] > 1 and np.isfinite(cam.values).all() and cam.layer in net.layers
    del model, net
    gc.collect()
