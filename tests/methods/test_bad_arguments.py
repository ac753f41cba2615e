"""What a method cannot take is told in one sentence, with what is expected."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import cnnwidgets as cw
from cnnwidgets.methods import scan

METHODS = cw.methods
FEATURES = np.random.default_rng(0).normal(size=(12, 4))


@pytest.fixture(scope="module")
def net():
    return cw.load("digits")


@pytest.fixture(scope="module")
def data():
    digits = cw.samples.digits()
    return [digits[i] for i in range(4)]


UNITS = [
    (3, "unit is 3; expected (layer, unit) or (layer, unit, row, column), or a list of them"),
    ("conv1", "unit is 'conv1'; expected (layer, unit)"),
    ({"conv1": 3}, "unit is {'conv1': 3}; expected (layer, unit)"),
    (np.zeros(3), "unit is an array 3; expected (layer, unit)"),
    ([1, 2, 3], "unit is 1; expected (layer, unit)"),
    (("conv1", "first"), "unit is ('conv1', 'first'); expected (layer, unit)"),
    (("conv1", 1.5), "unit is ('conv1', 1.5); expected (layer, unit)"),
    (("conv1", 99), "there is no unit 99: conv1 has 6, numbered from 0"),
    ([], "the list of targets or units is empty"),
]


@pytest.mark.parametrize(("unit", "sentence"), UNITS)
@pytest.mark.parametrize("method", ["saliency", "integrated_gradients", "grad_cam", "score_cam", "rise", "lime"])
def test_a_unit_is_a_layer_and_a_number(net, data, method, unit, sentence):
    with pytest.raises(ValueError) as raised:
        getattr(METHODS, method)(net, data[0], unit=unit)
    assert str(raised.value).startswith(sentence)


REDUCERS = [
    (None, "reducers is None; expected a list of reducers, or a dict of them"),
    ("confusion", "reducers is 'confusion'; expected a list of reducers"),
    (METHODS.Confusion, "reducers is the class Confusion; expected a list of reducers"),
    (METHODS.Confusion(), "reducers is a Confusion; expected a list of reducers"),
    ([METHODS.Confusion], "the class Confusion is no reducer, which has update(), merge() and result(): give an instance"),
    (["confusion"], "'confusion' is no reducer, which has update(), merge() and result()"),
    ({"accuracy": 3}, "3 is no reducer"),
]


@pytest.mark.parametrize(("reducers", "sentence"), REDUCERS)
def test_what_gathers_can_gather(net, data, reducers, sentence):
    with pytest.raises(TypeError) as raised:
        scan(net, data, reducers)
    assert str(raised.value).startswith(sentence)
    assert scan(net, data, [METHODS.Confusion()]).results[0].counts.sum() == 4


def task() -> cw.methods.Task:
    batch = [(torch.zeros(2, 4), torch.zeros(2, dtype=torch.long))]
    return METHODS.Task(torch.nn.Linear(4, 2), batch, batch)


OTHERS = [
    (lambda net, x: METHODS.lr_finder(task(), low="small"), ValueError, "the rates go from 'small' to 10.0; they must be"),
    (lambda net, x: METHODS.lr_finder(task(), momentum=-1), ValueError, "momentum is -1; expected a number of at least 0"),
    (lambda net, x: METHODS.lr_finder(task(), weight_decay="no"), ValueError, "weight_decay is 'no'; expected a number"),
    (lambda net, x: METHODS.lr_finder(task(), seed=None), ValueError, "seed is None; expected a whole number from 0 to"),
    (lambda net, x: METHODS.race(task(), 3, steps=1), TypeError, "specs is 3; expected a list of schedules"),
    (lambda net, x: METHODS.nearest(FEATURES, 3, metric="euclidian"), ValueError, "metric is 'euclidian'; expected one"),
    (lambda net, x: METHODS.nearest(FEATURES, 3, rows=[]), ValueError, "rows is []; expected at least one whole number"),
    (lambda net, x: METHODS.nearest(FEATURES, 3, rows=[0.5]), ValueError, "rows is [0.5]; expected at least one whole nu"),
    (lambda net, x: METHODS.nearest(FEATURES, 3, rows=[12]), ValueError, "there is no point 12: there are 12, numbered"),
    (lambda net, x: METHODS.trust(FEATURES, FEATURES[:, :2], 2, most=0), ValueError, "most is 0; expected a whole number o"),
    (
        lambda net, x: METHODS.rise(net, x, cells=10**9),
        ValueError,
        "cells is 1000000000; expected at most 32 for 32×32 pixels",
    ),
    (
        lambda net, x: METHODS.segment(net, x, smooth=1e9),
        ValueError,
        "smooth is 1000000000.0; expected a number of pixels",
    ),
    (lambda net, x: METHODS.features(net, [x] * 3, workers=10**9), ValueError, "workers is 1,000,000,000; at most 256 are"),
    (lambda net, x: METHODS.task(["digits"]), TypeError, "name is ['digits']; expected a text"),
    (lambda net, x: METHODS.attribute(net, x, method="gradcam"), ValueError, "method is 'gradcam'; expected one of"),
    (
        lambda net, x: METHODS.saliency(net, x, redcue="sum"),
        TypeError,
        "saliency has no 'redcue'. Did you mean 'reduce'? It ",
    ),
    (lambda net, x: METHODS.align(["a"], FEATURES), TypeError, "points is ['a']; expected an array of numbers"),
    (lambda net, x: METHODS.smoothgrad(net, x, noise_level=math.nan), ValueError, "noise_level is nan; expected a number"),
    (
        lambda net, x: METHODS.early_stopping(["low"], 1),
        TypeError,
        "losses is ['low']; expected a list of numbers, one per ep",
    ),
    (
        lambda net, x: METHODS.early_stopping([1.0], 1, "a"),
        ValueError,
        "min_delta is 'a'; expected a number of at least 0",
    ),
    (lambda net, x: METHODS.activations(net, x, [3.5]), TypeError, "layers is [3.5]; expected a list of texts or a text or"),
    (
        lambda net, x: METHODS.activations(net, x, cancel="now"),
        TypeError,
        "cancel is 'now'; expected an object with is_set()",
    ),
]


@pytest.mark.parametrize(("ask", "kind", "sentence"), OTHERS)
def test_what_is_no_argument_is_told(net, data, ask, kind, sentence):
    with pytest.raises(kind) as raised:
        ask(net, data[0][0])
    assert str(raised.value).startswith(sentence)


def test_numbers_of_numpy_are_seeds_too(net, data):
    one, other = (METHODS.smoothgrad(net, data[0][0], n_samples=2, seed=seed).values for seed in (3, np.int64(3)))
    np.testing.assert_array_equal(one, other)


CHOICES = [
    (lambda net, x: METHODS.attribute(net, x, method="gradcam"), "Did you mean 'grad_cam'"),
    (lambda net, x: METHODS.saliency(net, x, reduce="maxx"), "Did you mean 'max'"),
    (lambda net, x: METHODS.occlusion(net, x, fill="meen"), "Did you mean 'mean'"),
    (lambda net, x: METHODS.occlusion(net, x, shape="elipse"), "Did you mean 'ellipse'"),
    (lambda net, x: METHODS.occlusion(net, x, edges="insde"), "Did you mean 'inside'"),
    (lambda net, x: METHODS.features(net, [x], pool="grd"), "Did you mean 'grid'"),
    (lambda net, x: METHODS.nearest(FEATURES, 3, metric="euclidian"), "Did you mean 'euclidean'"),
    (lambda net, x: cw.bind(net.module, outputs="logit"), "Did you mean 'logits'"),
]


@pytest.mark.parametrize(("ask", "near"), CHOICES)
def test_a_misspelled_choice_offers_the_nearest(net, data, ask, near):
    with pytest.raises(ValueError) as raised:
        ask(net, data[0][0])
    assert "expected one of" in str(raised.value)
    assert near in str(raised.value)
