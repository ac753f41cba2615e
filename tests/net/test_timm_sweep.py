"""One small network of each of timm's families: bound, its maps and gradients compared, a patch looked at twice."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import cnnwidgets as cw
from tests.net.networks import cheap, maps_by_hooks, unchanged
from tests.net.test_sweep import plain_attention  # noqa: F401

timm = pytest.importorskip("timm")

pytestmark = pytest.mark.nightly

FREE = (
    "byobnet:test_byobnet convmixer:convmixer_768_32 convnext:test_convnext cspnet:cs3darknet_focus_s cspnext:cspnext_tiny "
    "densenet:densenet121 dla:dla46x_c dpn:dpn48b edgenext:edgenext_xx_small efficientnet:test_efficientnet "
    "efficientvit_mit:efficientvit_b0 fasternet:fasternet_t0 fastvit:fastvit_t8 focalnet:focalnet_tiny_srf "
    "ghostnet:ghostnet_050 hardcorenas:hardcorenas_b hgnet:hgnetv2_b0 hrnet:hrnet_w18_small iformer:iformer_t "
    "inception_next:inception_next_atto lcnetv2:lcnetv2_small lowformer:lowformer_b0 mambaout:test_mambaout "
    "metaformer:poolformerv2_s12 mobilenetv3:mobilenetv3_small_050 mobilevit:mobilevit_xxs nfnet:test_nfnet "
    "nextvit:nextvit_small pvt_v2:pvt_v2_b0 rdnet:rdnet_tiny regnet:regnetx_002 repghost:repghostnet_050 repvit:repvit_m1 "
    "res2net:res2next50 resnest:resnest14d resnet:test_resnet resnetv2:resnetv2_18 rexnet:rexnet_100 selecsls:selecsls42 "
    "senet:legacy_seresnet18 shvit:shvit_s1 sknet:skresnet18 starnet:starnet_s050 tresnet:tresnet_m "
    "vovnet:ese_vovnet19b_slim_dw davit:davit_tiny"
).split()
"""Take any size: 64 pixels here."""

FIXED = {
    "cait_xxs24_224": 224,
    "coat_tiny": 224,
    "convit_tiny": 224,
    "crossvit_tiny_240": 240,
    "deit_tiny_patch16_224": 224,
    "deit_tiny_distilled_patch16_224": 224,
    "efficientformer_l1": 224,
    "efficientformerv2_s0": 224,
    "efficientvit_m0": 224,
    "gcvit_xxtiny": 224,
    "gmlp_ti16_224": 224,
    "halonet_h1": 256,
    "levit_128s": 224,
    "nest_tiny": 224,
    "pit_ti_224": 224,
    "swiftformer_xs": 224,
    "swin_tiny_patch4_window7_224": 224,
    "test_coatnet": 160,
    "test_vit": 160,
    "test_vit_relpos": 160,
    "tiny_vit_5m_224": 224,
    "twins_svt_small": 224,
    "visformer_tiny": 224,
    "vit_tiny_patch16_dinov3_qkvb": 256,
    "vit_tiny_r_s16_p8_224": 224,
    "xcit_nano_12_p8_224": 224,
    "xception41p": 128,
}

MODELS = {name.partition(":")[2]: 64 for name in FREE} | FIXED


@pytest.mark.parametrize("name", MODELS)
def test_a_network_of_every_family(name, plain_attention):  # noqa: F811
    torch.manual_seed(0)
    model, side = cheap(timm.create_model, model_name=name).requires_grad_(False), MODELS[name]
    picture = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    with FlopCounterMode(display=False) as counter:
        truth = maps_by_hooks(model, picture)
    with torch.no_grad():
        scores = model(picture)

    with unchanged(model, values=False):
        net = cw.bind(model, input_shape=(3, side, side))
        maps = net.trace(picture)
        found = cw.methods.saliency(net, picture[0], 7, reduce="none")
        places = cw.methods.occlusion(net, picture[0], 7, patch=side // 4, stride=side // 3, score="logit", fill="zero")
        try:
            cam = cw.methods.grad_cam(net, picture[0], 7)
        except ValueError as error:
            cam = str(error)

    # the table and the maps
    assert net.layers.macs * 2 == counter.get_total_flops() > 0
    assert 0 < sum(row.parameters for row in net.layers) <= net.parameters
    rows = {row.source[1:]: row.name for row in net.layers if row.source[0] == "module"}
    calls = {(path, i): true for path, outputs in truth.items() for i, true in enumerate(outputs, 1)}
    wrong = [rows[call] for call in calls.keys() & rows.keys() if not torch.equal(maps[rows[call]], calls[call])]
    assert wrong == []
    convolutions = {  # but those that work on places alone, and on no picture
        (path, i)
        for path, outputs in truth.items()
        for i in range(1, len(outputs) + 1)
        if "pos_emb" not in path
        and isinstance(model.get_submodule(path), (nn.Conv2d, nn.BatchNorm2d))
        and isinstance(outputs[i - 1], torch.Tensor)
    }
    assert sorted(convolutions - rows.keys()) == []
    torch.testing.assert_close(net.scores(picture), scores)

    # the gradient
    leaf = picture.clone().requires_grad_()
    (expected,) = torch.autograd.grad(model(leaf)[0, 7], leaf)
    assert np.allclose(found.values, expected[0].numpy(), atol=1e-4 * expected.abs().max().item())

    # a patch, by windows and by itself
    with torch.no_grad():
        for i, j in np.ndindex(places.values.shape):
            covered, (y, x) = picture.clone(), (places.ys[i], places.xs[j])
            covered[:, :, y : y + side // 4, x : x + side // 4] = 0
            wanted = float(model(covered)[0, 7])
            assert abs(places.values[i, j] - wanted) <= 1e-4 * scores.abs().max().item()

    # where it looked
    if isinstance(cam, str):
        assert "no layer with a height and a width" in cam or "expected" in cam
    else:
        assert max(cam.values.shape) > 1 and np.isfinite(cam.values).all() and cam.layer in net.layers
    del model, net, maps, truth, calls
    gc.collect()
