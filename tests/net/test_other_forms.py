"""Networks in forms that torch's tools bring them into: quantized, pruned, scripted, compiled, exported, standardized."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import torch.ao.quantization as quantization
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import prune, weight_norm

import cnnwidgets as cw
from tests.net.networks import everything, maps_by_hooks

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")

IMAGES = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.quantize, self.dequantize = quantization.QuantStub(), quantization.DeQuantStub()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.conv2, self.bn2 = nn.Conv2d(8, 8, 3, stride=2), nn.BatchNorm2d(8)
        self.relu, self.pool, self.fc = nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Linear(8, 5)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(self.quantize(x))))
        x = self.relu(self.bn2(self.conv2(x)))
        return self.dequantize(self.fc(self.pool(x).flatten(1)))


def statically_quantized() -> nn.Module:
    model = quantization.fuse_modules(Small().eval(), [["conv1", "bn1", "relu"], ["conv2", "bn2"]])
    model.qconfig = quantization.get_default_qconfig(
        "x86" if "x86" in torch.backends.quantized.supported_engines else "qnnpack"
    )
    quantization.prepare(model, inplace=True)
    model(IMAGES)
    return quantization.convert(model)


def quantization_aware() -> nn.Module:
    model = Small().train()
    model.qconfig = quantization.get_default_qat_qconfig("x86")
    return quantization.prepare_qat(model)


def trained_and_pruned() -> nn.Module:
    model = Small()
    prune.l1_unstructured(model.conv1, "weight", 0.5)
    model(IMAGES).sum().backward()
    return model


def normed() -> nn.Module:
    model = Small()
    weight_norm(model.conv1)
    model(IMAGES).sum().backward()
    return model


def compiled() -> nn.Module:
    model = torch.compile(Small().train(), backend="eager")
    model(IMAGES)
    return model


def compiled_in_part() -> nn.Module:
    model = Small()
    model.conv2 = torch.compile(model.conv2, backend="eager")
    return model


FORMS = {
    "statically quantized": statically_quantized,
    "quantization aware": quantization_aware,
    "dynamically quantized": lambda: quantization.quantize_dynamic(Small().eval(), {nn.Linear}),
    "pruned": trained_and_pruned,
    "weight norm": normed,
    "compiled": compiled,
    "compiled in part": compiled_in_part,
    "scripted": lambda: torch.jit.script(Small()),
    "scripted and frozen": lambda: torch.jit.freeze(torch.jit.script(Small().eval())),
    "traced": lambda: torch.jit.trace(Small().eval(), IMAGES),
    "traced by torch.fx": lambda: torch.fx.symbolic_trace(Small()),
    "DataParallel": lambda: nn.DataParallel(Small()),
    "bfloat16": lambda: Small().bfloat16(),
    "channels last": lambda: Small().to(memory_format=torch.channels_last),
}


def by_hand(form: str) -> torch.Tensor:
    """The scores of the network itself, in evaluation mode, of each picture alone and by a network that has seen none."""
    rows = []
    for image in IMAGES:
        torch.manual_seed(0)
        model = FORMS[form]().eval()
        dtype = next((p.dtype for p in model.parameters()), torch.float32)
        with torch.no_grad():
            rows.append(model(image[None].to(dtype)).float())
    return torch.cat(rows)


@pytest.mark.parametrize("form", FORMS)
def test_a_network_in_another_form_gives_its_scores_and_is_left_as_it_was(form):
    wanted = by_hand(form)
    torch.manual_seed(0)
    model = FORMS[form]()
    before = everything(model)
    net = cw.bind(model, input_shape=(3, 16, 16))
    scores = net.scores(IMAGES)
    maps = cw.methods.activations(net, IMAGES[0])
    found = cw.methods.occlusion(net, IMAGES[0], 1, patch=5, stride=4, score="logit")
    cw.methods.saliency(net, IMAGES[0], 1)
    after = everything(model)
    for part in before:
        assert after[part] == before[part], part
    torch.testing.assert_close(scores, wanted, rtol=1e-5, atol=1e-6)
    assert maps
    mean = IMAGES[0].mean((1, 2), keepdim=True)
    covered = IMAGES[0].clone()
    covered[:, found.ys[1] : found.ys[1] + 5, found.xs[2] : found.xs[2] + 5] = mean
    torch.testing.assert_close(torch.tensor(found.values[1, 2]), net.scores(covered)[0, 1], rtol=1e-2, atol=1e-4)


def test_maps_of_a_quantized_network_are_the_numbers_that_its_integers_stand_for():
    torch.manual_seed(0)
    model = statically_quantized()
    net = cw.bind(model, input_shape=(3, 16, 16))
    wanted = maps_by_hooks(
        model, IMAGES[:1], copy=lambda output: output.dequantize() if output.is_quantized else output.clone()
    )
    maps = cw.methods.activations(net, IMAGES[0])
    for name in ("conv1", "conv2"):
        assert np.array_equal(maps[name].values.ravel(), wanted[name][0].numpy().ravel())
    assert str(net.layers["conv2"].receptive_field) == "5×5"
    assert net.layers["conv1"].macs == 8 * 3 * 9 * 16 * 16
    assert np.array_equal(cw.methods.filters(net, "conv2").values, model.conv2.weight().dequantize().numpy())


@pytest.mark.parametrize("form", ["pruned", "weight norm", "compiled", "compiled in part", "DataParallel"])
def test_random_weights_reach_every_layer(form):
    torch.manual_seed(0)
    model = FORMS[form]()
    net = cw.bind(model, input_shape=(3, 16, 16))
    found = cw.methods.sanity_check(net, IMAGES[0], 1, methods=["saliency"])
    names = [f"module.{name}" if form == "DataParallel" else name for name in ("fc", "conv2", "conv1")]
    assert found.layers == ("", *names)
    forgetful = cw.methods.randomized(net, 3)
    for name in names:
        assert not np.allclose(cw.methods.filters(forgetful, name).values, cw.methods.filters(net, name).values)
    if form == "pruned":
        kept = cw.methods.filters(net, "conv1").values != 0
        assert np.array_equal(cw.methods.filters(forgetful, "conv1").values != 0, kept)


@pytest.mark.parametrize("form", ["scripted", "scripted and frozen", "traced"])
def test_a_network_of_which_nothing_can_be_randomized_passes_no_sanity_check(form):
    net = cw.bind(FORMS[form](), input_shape=(3, 16, 16))
    with pytest.raises(ValueError, match="nothing can be randomized"):
        cw.methods.sanity_check(net, IMAGES[0], methods=["saliency"])


def test_a_scripted_part_has_random_weights_too():
    model = nn.Sequential(torch.jit.script(nn.Conv2d(3, 4, 3)), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 14 * 14, 3))
    net = cw.bind(model, input_shape=(3, 16, 16))
    before = model[0].weight.clone()
    forgetful = cw.methods.randomized(net, 2)
    assert not torch.equal(forgetful.module[0].weight, before) and torch.equal(model[0].weight, before)


class Standardized(nn.Conv2d):
    """Weight standardization: Qiao et al., Micro-Batch Training with Batch-Channel Normalization (2019)."""

    def forward(self, x):
        return F.conv2d(x, standardized(self.weight), self.bias, self.stride, self.padding)


def standardized(weight: torch.Tensor) -> torch.Tensor:
    return (weight - weight.mean((1, 2, 3), keepdim=True)) / (weight.std((1, 2, 3), keepdim=True) + 1e-8)


def test_a_standardized_filter_is_shown_as_the_network_uses_it():
    model = nn.Sequential(Standardized(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 14 * 14, 3))
    with torch.no_grad():
        model[0].weight[1] *= 1e-5  # which changes nothing
    found = cw.methods.filters(cw.bind(model, input_shape=(3, 16, 16)), "0")
    torch.testing.assert_close(torch.tensor(found.values), standardized(model[0].weight).detach())
    assert not found.dead.any()


def test_a_pruned_filter_is_shown_as_the_network_uses_it():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 14 * 14, 3))
    prune.random_structured(model[0], "weight", amount=2, dim=0)
    found = cw.methods.filters(cw.bind(model, input_shape=(3, 16, 16)), "0")
    assert np.array_equal(found.values, model[0].weight.detach().numpy())
    assert found.dead.sum() == 2


def test_an_exported_network_is_refused_with_what_to_do():
    program = torch.export.export(Small().eval(), (IMAGES[:1],))
    for given in (program, program.module()):
        with pytest.raises(TypeError, match="bind the model that was exported"):
            cw.bind(given)


def test_a_replaced_weight_counts_in_a_copy_only():
    model = Small()
    net = cw.bind(model, input_shape=(3, 16, 16))
    before = copy.deepcopy(model.state_dict())
    cw.methods.randomized(net, 3)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
