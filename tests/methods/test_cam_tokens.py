"""Class activation maps of transformers: by plain hooks and gradients, and beside a peer that is told where tokens lie."""

from __future__ import annotations

import numpy as np
import pytest
import pytorch_grad_cam as peers
import torch
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

import cnnwidgets as cw
from tests.net.transformers import TRANSFORMERS, Placed


def bound(case: Placed) -> tuple[cw.BoundModel, torch.Tensor]:
    torch.manual_seed(0)
    model, image = case.build().eval(), torch.rand(3, *case.picture)
    with torch.no_grad():
        for part in model.modules():
            if isinstance(part, nn.Linear) and part.out_features == 5:  # some heads begin as zeros
                nn.init.normal_(part.weight)
    return cw.bind(model, input_shape=(3, *case.picture)), image


def by_hand(model: nn.Module, case: Placed, image: torch.Tensor, target: int) -> torch.Tensor:
    """Grad-CAM before the ReLU, of what the module gives."""
    found = []
    handle = model.get_submodule(case.module).register_forward_hook(lambda part, args, output: found.append(output))
    score = model(image[None])[0, target]
    handle.remove()
    (slope,) = torch.autograd.grad(score, found[0])
    maps, slopes = case.maps(found[0]).detach()[0], case.maps(slope)[0]
    return (slopes.mean((1, 2), keepdim=True) * maps).sum(0)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_by_default_grad_cam_is_of_the_last_maps_or_tokens_that_reach_the_score(name):
    case = TRANSFORMERS[name]
    net, image = bound(case)
    wanted = by_hand(net.module, case, image, 3).numpy()
    found = cw.methods.grad_cam(net, image, 3, relu=False)
    assert found.values.shape == (case.rows, case.columns) and np.abs(wanted).max() > 0
    np.testing.assert_allclose(found.values, wanted, rtol=1e-3, atol=1e-5 * np.abs(wanted).max())


INTO_THE_LAST_ATTENTION = {
    "ViT",
    "ViT that pools by attention",
    "DeiT, distilled",
    "DINOv2 with registers",
    "CaiT",
    "XCiT",
    "torchvision's ViT",
}


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_the_last_attention_is_named_only_where_the_tokens_go_into_it(name):
    net, image = bound(TRANSFORMERS[name])
    note = cw.methods.grad_cam(net, image, 3).notes[-1]
    assert ("the tokens before the last attention" in note) == (name in INTO_THE_LAST_ATTENTION)


@pytest.mark.parametrize("name", ["ViT", "DeiT, distilled", "Swin", "Mixer"])
def test_pytorch_grad_cam_gives_the_same_once_it_is_told_the_grid(name):
    case = TRANSFORMERS[name]
    net, image = bound(case)
    layer = net.module.get_submodule(case.module)
    with peers.GradCAM(model=net.module, target_layers=[layer], reshape_transform=case.maps) as theirs:
        expected = theirs(image[None], targets=[ClassifierOutputTarget(3)])[0]
    found = cw.methods.grad_cam(net, image, 3, upsample="bilinear").values
    scaled = (found - found.min()) / (found.max() - found.min())
    assert np.corrcoef(scaled.ravel(), expected.ravel())[0, 1] > 0.99  # theirs is scaled before it is enlarged
