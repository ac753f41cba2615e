"""The plain lines that a result knows, run here, give the result again."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import cnnwidgets as cw
from cnnwidgets.methods import METHODS, activations, attribute, compare, occlusion
from cnnwidgets.methods.code.pictures import picture_lines
from cnnwidgets.methods.code.text import tidy
from tests.methods.small import bound, picture


def run(lines: str, net, **given):
    scope = {"torch": torch, "np": np, "cw": cw, "model": net.module, "x": picture()[None], "preprocess": None, **given}
    exec(lines, scope)
    return scope


def close(found, expected) -> None:
    np.testing.assert_allclose(torch.as_tensor(found).detach().numpy(), expected, atol=1e-5 * np.abs(expected).max())


@pytest.fixture(scope="module")
def net():
    return bound()


@pytest.mark.parametrize("layer", ["0", "3", "5", "7"])
def test_feature_maps(net, layer):
    maps = activations(net, picture(), layer)[layer]
    close(run(maps.code(net), net)["values"], maps.values)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"fill": "noise", "seed": 3, "patch": (4, 3), "stride": 2},
        {"fill": "blur", "shape": "ellipse", "patch": 5},
        {"fill": "zero", "score": "logit", "target": 2},
        {"unit": ("4", 3), "edges": "inside"},
        {"unit": ("4", 3, 1, 2)},
        {"target": lambda output: output[:, 1] - output[:, 0]},
        {"target": lambda output: output[0, 1]},
    ],
)
def test_occlusion_maps_know_what_covered_the_picture(net, options):
    found = occlusion(net, picture(), **options)
    lines = found.code(net).replace("own_score = ...  # your function of the output\n", "")
    close(run(lines, net, own_score=options.get("target"))["values"], found.values)


@pytest.mark.parametrize("name", METHODS)
def test_each_method_of_a_class(net, name):
    found = attribute(net, picture(), 1, method=name)
    close(run("maps = {}\n" + METHODS[name].code(net, found, {}), net)["maps"][name], found.values)


@pytest.mark.parametrize("reduce", ["max", "sum", "signed", "none"])
@pytest.mark.parametrize("name", ["saliency", "gradient_x_input", "deconvnet", "guided_backprop"])
def test_each_gradient_with_its_channels_reduced(net, name, reduce):
    found = attribute(net, picture(), 1, method=name, reduce=reduce)
    lines = METHODS[name].code(net, found, {"reduce": reduce})
    assert "cw.methods" not in lines
    close(run("maps = {}\n" + lines, net)["maps"][name], found.values)


@pytest.mark.parametrize("question", [{"unit": ("4", 2)}, {"unit": ("4", 2, 1, 1)}, {"targets": [3, 1]}])
def test_a_comparison_s_lines_give_the_maps_of_its_first_row(net, question):
    found = compare(net, picture(), list(METHODS), reduce="sum", layer="2", seed=4, **question)
    maps = run(found.code(net), net)["maps"]
    assert maps.keys() == found.maps.keys()
    for method, rows in found.maps.items():
        close(maps[method], rows[0].values)


def test_a_sample_s_data_set_knows_the_expression_that_makes_it():
    net, pictures = cw.load("digits"), cw.samples.digits("train")
    assert eval(pictures.code, {"cw": cw}).split == "train"
    scope: dict = {}
    exec(picture_lines(net, 5, pictures), scope)
    assert torch.equal(scope["x"], net.prepare(pictures[5]))
    assert "dataset = ...  # your data set" in picture_lines(net, 0, [pictures[0]])


def test_imports_come_first_each_once():
    assert tidy("a = 1\nimport torch\nb = 2\nimport torch\nfrom torch import nn") == (
        "import torch\nfrom torch import nn\na = 1\nb = 2"
    )
