"""Class activation maps: closed forms, two peers beside us, the layer that is taken, and transformers' tokens."""

from __future__ import annotations

import captum.attr as captum
import numpy as np
import pytest
import pytorch_grad_cam as peers
import torch
import torch.nn.functional as F
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn
from torchvision import models

import cnnwidgets as cw
from cnnwidgets.methods import cam
from cnnwidgets.methods.attribution import enlarge
from tests.methods.small import bound, picture, small
from tests.net.networks import Function, cheap

CAMS = ["grad_cam", "grad_cam_plus_plus", "layer_cam", "score_cam"]


def whole_numbers():
    """Two maps, the picture and twice its mirror; the score is their means' 3 p - q."""

    def forward(self, x):
        maps = F.relu(torch.cat([x, 2 * x.flip(3)], 1))
        p, q = maps.mean((2, 3)).unbind(1)
        return torch.stack([3 * p - q, q], 1)

    return cw.bind(Function(forward).eval(), input_shape=(1, 2, 2))


IMAGE = torch.tensor([[[4.0, 8], [0, 12]]])  # its mirror, doubled: 16 8 / 24 0


def test_grad_cam_by_hand():
    # each value of the first map moves the score by 3/4, of the second by -1/4
    found = cw.methods.grad_cam(whole_numbers(), IMAGE, 0, layer="relu", relu=False)
    assert found.values.tolist() == [[0.75 * 4 - 16 / 4, 0.75 * 8 - 8 / 4], [-24 / 4, 0.75 * 12]]
    assert found.signed and found.score == 3 * 6 - 12
    assert np.array_equal(cw.methods.grad_cam(whole_numbers(), IMAGE, 0, layer="relu").values, found.positive)


def test_layer_cam_by_hand():
    found = cw.methods.layer_cam(whole_numbers(), IMAGE, 0, layer="relu", relu=False)
    assert found.values.tolist() == [[3, 6], [0, 9]]


def test_grad_cam_plus_plus_by_hand():
    # first map: g = 3/4, sum 24: weight of a value g^3 / (2 g^2 + 24 g^3); four of them; the second has no positive gradient
    found = cw.methods.grad_cam_plus_plus(whole_numbers(), IMAGE, 0, layer="relu", relu=False)
    weight = 4 * 0.75**3 / (2 * 0.75**2 + 24 * 0.75**3)
    assert np.allclose(found.values, weight * IMAGE[0].numpy())


def test_score_cam_by_hand():
    net = whole_numbers()
    masks = [IMAGE / 12, torch.tensor([[[16.0, 8], [24, 0]]]) / 24]
    weights = torch.stack([net.scores(IMAGE * mask)[0, 0] for mask in masks]).softmax(0)
    found = cw.methods.score_cam(net, IMAGE, 0, layer="relu")
    expected = weights[0] * IMAGE[0] + weights[1] * torch.tensor([[16.0, 8], [24, 0]])
    assert np.allclose(found.values, expected)


@pytest.mark.parametrize("layer", ["0", "2", "4", "5"])
def test_captums_grad_cam_gives_the_same(layer):
    model = small()
    model[2].inplace = False
    found = cw.methods.grad_cam(bound(), picture(), 1, layer=layer, relu=False)
    theirs = captum.LayerGradCam(model, model[int(layer)]).attribute(picture()[None], target=1)
    assert np.allclose(found.values, theirs[0, 0].detach().numpy(), rtol=1e-4, atol=1e-6)


def test_captums_guided_grad_cam_gives_the_same():
    model = small()
    theirs = captum.GuidedGradCam(model, model[5]).attribute(picture()[None].requires_grad_(), target=1)
    found = cw.methods.guided_grad_cam(bound(), picture(), 1, layer="5", reduce="none", upsample="nearest")
    assert np.allclose(found.values, theirs[0].detach().numpy(), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    "method, peer",
    [
        ("grad_cam", peers.GradCAM),
        ("grad_cam_plus_plus", peers.GradCAMPlusPlus),
        ("layer_cam", peers.LayerCAM),
        ("score_cam", peers.ScoreCAM),
    ],
)
def test_pytorch_grad_cam_gives_the_same_up_to_its_scale(method, peer):
    model = small()  # layer 2 has as many positions as the picture: nothing is enlarged
    with peer(model=model, target_layers=[model[2]]) as theirs:
        expected = theirs(picture()[None], targets=[ClassifierOutputTarget(1)])[0]
    found = cw.methods.attribute(bound(), picture(), 1, method=method, layer="2")
    low, high = found.values.min(), found.values.max()
    assert high > low
    assert np.allclose((found.values - low) / (high - low), expected, atol=0.01)  # Grad-CAM++ of the peer adds 1e-6 below


@pytest.mark.parametrize("method", CAMS)
def test_the_layer_is_chosen_and_said(method):
    found = cw.methods.attribute(bound(), picture(), method=method)
    assert found.layer == "5" and found.values.shape == (4, 4)
    assert found.notes[-1] == "from the last feature maps, 5"


@pytest.mark.parametrize(
    "name, layer",
    [
        ("resnet18", "layer4.1.relu:2"),
        ("vgg11", "features.19"),
        ("densenet121", "relu"),
        ("squeezenet1_1", "classifier.2"),
        ("googlenet", "inception5b.cat"),
        ("mobilenet_v2", "features.18.2"),
        ("convnext_tiny", "features.7.2.add"),
    ],
)
def test_the_layer_that_is_chosen_is_the_last_one_with_maps(name, layer):
    options = {"init_weights": False} if name == "googlenet" else {}
    net = cw.bind(cheap(getattr(models, name), **options), input_shape=(3, 64, 64))
    found = cw.methods.grad_cam(net, torch.rand(3, 64, 64), 7)
    assert found.layer == layer


@pytest.mark.parametrize("upsample", ["bilinear", "nearest"])
def test_an_enlarged_map_is_torchs(upsample):
    small_map = cw.methods.grad_cam(bound(), picture(), 2)
    assert small_map.values.any()
    found = cw.methods.grad_cam(bound(), picture(), 2, upsample=upsample)
    align = {"align_corners": False} if upsample == "bilinear" else {}
    expected = F.interpolate(torch.from_numpy(small_map.values)[None, None], (12, 12), mode=upsample, **align)[0, 0]
    assert np.allclose(found.values, expected)
    assert np.allclose(small_map.at_input(), cw.methods.grad_cam(bound(), picture(), 2, upsample="bilinear").values)


def test_tokens_are_laid_on_their_grid_without_the_class_token():
    net = cw.bind(cheap(models.vit_b_32, image_size=96), input_shape=(3, 96, 96))
    found = cw.methods.grad_cam(net, torch.rand(3, 96, 96, generator=torch.Generator().manual_seed(0)), 7, relu=False)
    assert found.values.shape == (3, 3) and found.values.any()
    assert found.notes[-1] == "from the tokens before the last attention, encoder.layers.encoder_layer_11.ln_1"
    row = net.layers[found.layer]
    assert row.output_shape == (10, 768)


class Tokens(nn.Module):
    """Patches as tokens, put into an order of the network's own, and attention."""

    def __init__(self):
        super().__init__()
        self.embed, self.attend = nn.Conv2d(3, 8, 4, 4), nn.MultiheadAttention(8, 1, batch_first=True)
        self.order = torch.tensor([3, 1, 0, 5, 4, 2])

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)[:, self.order] * 1
        return self.attend(x, x, x)[0].mean(1)


def test_tokens_that_cannot_be_placed_are_refused():
    net = cw.bind(Tokens().eval(), input_shape=(3, 8, 12))
    with pytest.raises(ValueError, match="it is not known where the 6×8 tokens of mul lie in the picture"):
        cw.methods.grad_cam(net, torch.rand(3, 8, 12), 0, layer="mul")


def test_a_network_whose_attention_gets_tokens_in_an_order_of_its_own_is_refused_but_for_a_layer_before():
    net, image = cw.bind(Tokens().eval(), input_shape=(3, 8, 12)), torch.rand(3, 8, 12)
    with pytest.raises(ValueError, match="Tokens puts the tokens of transpose into an unknown order"):
        cw.methods.grad_cam(net, image, 0)
    assert cw.methods.grad_cam(net, image, 0, layer="transpose").values.shape == (2, 3)


@pytest.mark.parametrize("layer, words", [("7", "4 values, which have no height and width"), ("9", "no layer '9'")])
def test_a_layer_that_is_no_map_is_refused(layer, words):
    with pytest.raises((ValueError, KeyError), match=words):
        cw.methods.grad_cam(bound(), picture(), layer=layer)


@pytest.mark.parametrize("method", CAMS)
def test_an_unknown_way_to_enlarge_is_refused(method):
    with pytest.raises(ValueError, match="upsample is 'cubic'; expected 'bilinear', 'nearest' or None"):
        cw.methods.attribute(bound(), picture(), method=method, upsample="cubic")


def test_a_network_without_maps_is_refused():
    net = cw.bind(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), input_shape=(3, 2, 2))
    with pytest.raises(ValueError, match="no layer with a height and a width"):
        cw.methods.grad_cam(net, torch.rand(3, 2, 2))


def test_ten_targets_take_one_forward_pass():
    model, passes = small(), []
    model.register_forward_hook(lambda *_: passes.append(1))
    net = cw.bind(model, input_shape=(3, 12, 12))
    _ = net.layers, net.classes
    passes.clear()
    cw.methods.grad_cam(net, picture(), [0, 1, 2, 3, 0, 1, 2, 3, 0, 1])
    assert len(passes) == 1


def test_the_map_of_a_unit_is_of_what_it_does_not_of_a_class():
    net, image = bound(), picture()
    found = cw.methods.grad_cam(net, image, unit=("4", 3), layer="2", relu=False)
    model = small()
    maps = model[:3](image[None])
    (slope,) = torch.autograd.grad(model[3:5](maps)[0, 3].sum(), maps)
    assert np.allclose(found.values, (slope[0].mean((1, 2), keepdim=True) * maps[0]).sum(0).detach(), atol=1e-6)


def test_the_layer_that_is_chosen_for_a_unit_lies_before_it():
    net, image = bound(), picture()
    assert cw.methods.grad_cam(net, image, unit=("4", 3)).layer == "2"  # 3 is a pooling
    assert cw.methods.grad_cam(net, image, unit=[("4", 3), ("1", 0)])[0].layer == "0"
    with pytest.raises(ValueError, match="a height and a width before 0"):
        cw.methods.grad_cam(net, image, unit=("0", 3))


CAMS = ["grad_cam", "grad_cam_plus_plus", "layer_cam", "score_cam", "guided_grad_cam"]


@pytest.mark.parametrize("method", CAMS)
def test_a_layer_behind_the_unit_has_no_say_in_it(method):
    with pytest.raises(ValueError, match="layer is '5'; expected one before 4, whose unit is explained, or 4 itself"):
        cw.methods.attribute(bound(), picture(), unit=[("5", 1), ("4", 3)], layer="5", method=method)


def test_the_map_of_a_unit_from_its_own_layer_is_its_own():
    found = cw.methods.grad_cam(bound(), picture(), unit=("4", 3), layer="4", relu=False)
    np.testing.assert_allclose(found.values, small()[:5](picture()[None])[0, 3].detach(), rtol=1e-5)


def test_score_cam_enlarges_no_more_maps_than_go_through_the_network_at_once(monkeypatch):
    seen = []
    monkeypatch.setattr(cam, "enlarge", lambda maps, size: seen.append(len(maps)) or enlarge(maps, size))
    few = cw.methods.score_cam(bound(), picture(), 1, max_memory=1)
    assert set(seen) == {1}
    assert np.allclose(few.values, cw.methods.score_cam(bound(), picture(), 1).values, atol=1e-6)


def test_a_map_that_is_the_same_everywhere_has_no_weight():
    def forward(self, x):
        return F.relu(torch.cat([x, 0 * x + 5], 1)).mean((2, 3))

    found = cw.methods.score_cam(cw.bind(Function(forward).eval(), input_shape=(1, 2, 2)), IMAGE, 0, layer="relu")
    assert np.allclose(found.values, IMAGE[0])
