"""Networks whose answer depends on the batch: every method shows them one picture at a time, and says so."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import cnnwidgets as cw
from tests.methods.small import picture, small
from tests.net.mixing import MIXING
from tests.net.networks import Function

SHAPE = (3, 12, 12)
OPTIONS = {
    "occlusion": {"patch": 4, "stride": 4},
    "rise": {"n_samples": 24, "cells": 3},
    "lime": {"n_samples": 24, "superpixels": np.arange(144).reshape(12, 12) // 36},
    "score_cam": {"layer": "conv"},
    "smoothgrad": {"n_samples": 6},
    "integrated_gradients": {"steps": 9},
}


def attribution(net, method, **more):
    found = getattr(cw.methods, method)(net, picture(), 1, **{**OPTIONS[method], **more})
    return found.attribution().values if method == "lime" else found.values


@pytest.mark.parametrize("how", MIXING)
@pytest.mark.parametrize("method", ["occlusion", "rise", "lime", "smoothgrad", "integrated_gradients"])
def test_a_map_of_a_network_that_mixes_is_that_of_pictures_shown_alone(method, how):
    model = MIXING[how]()
    net = cw.bind(model, input_shape=SHAPE)
    apart = cw.bind(
        Function(lambda self, x: torch.cat([self.body(one) for one in x.split(1)]), body=model), input_shape=SHAPE
    )
    expected = attribution(apart, method)
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(attribution(net, method), expected, rtol=1e-3, atol=1e-4 * np.ptp(expected))


@pytest.mark.parametrize("method", ["rise", "lime", "smoothgrad", "integrated_gradients", "score_cam"])
def test_the_map_says_that_pictures_were_shown_one_at_a_time(method):
    net = cw.bind(MIXING["minus the mean"](), input_shape=SHAPE)
    found = getattr(cw.methods, method)(net, picture(), 1, **OPTIONS[method])
    assert any("depends on the others in its batch" in note for note in found.notes)
    plain = cw.methods.rise(cw.bind(small(), input_shape=SHAPE), picture(), 1, n_samples=8)
    assert not any("one at a time" in note for note in plain.notes)


def test_score_cam_weighs_each_map_by_the_score_of_its_picture_alone():
    model = MIXING["minus the mean"]()
    net = cw.bind(model, input_shape=SHAPE)
    image = picture()[None]
    with torch.no_grad():
        maps = model.conv(image)[0]
        masks = torch.nn.functional.interpolate(maps[None], SHAPE[1:], mode="bilinear", align_corners=False)[0]
        low, high = masks.amin((1, 2), keepdim=True), masks.amax((1, 2), keepdim=True)
        scores = torch.stack([model(image * mask)[0, 1] for mask in (masks - low) / (high - low)])
        expected = (scores.softmax(0)[:, None, None] * maps).sum(0).clamp(min=0)
    found = cw.methods.score_cam(net, picture(), 1, layer="conv")
    np.testing.assert_allclose(found.values, expected, rtol=1e-4, atol=1e-6)


def test_faithfulness_curves_are_those_of_pictures_shown_alone():
    model = MIXING["batch norm without running statistics"]()
    net = cw.bind(model, input_shape=SHAPE)
    of = cw.methods.saliency(net, picture(), 1)
    found = cw.methods.faithfulness(net, picture(), of, steps=4, randoms=1, fill="zero")
    order = np.argsort(-of.values.ravel(), kind="stable")
    for step, count in enumerate(np.rint(np.linspace(0, 144, 5)).astype(int)):
        shown = np.ones(144, np.float32)
        shown[order[:count]] = 0
        with torch.no_grad():
            chance = model(picture()[None] * torch.from_numpy(shown).view(12, 12)).softmax(1)[0, 1]
        assert found.deletion[step] == pytest.approx(chance.item(), abs=1e-5)


@pytest.mark.parametrize("how", MIXING)
def test_features_and_scans_do_not_depend_on_the_batch_size(how):
    images = [picture() + 0.2 * picture(seed=k) for k in range(1, 8)]
    model = MIXING[how]()
    layer = "0" if how in ("a hook", "nn.BatchNorm2d") else "conv"
    with torch.no_grad():
        answers = torch.cat([model(image[None]) for image in images])
    for size in (1, 3, 7):
        net = cw.bind(model, input_shape=SHAPE)
        scan = cw.methods.scan(net, images, [Scores()], batch_size=size)
        np.testing.assert_array_equal(scan.results[0], answers)
        found = cw.methods.features(net, images, layer, batch_size=size)
        np.testing.assert_allclose(found.chances[:, 0], answers.softmax(1).amax(1), atol=1e-6)


class Scores:
    """The reducer that keeps the scores."""

    def __init__(self):
        self.rows = []

    def update(self, batch):
        self.rows.append(batch.scores.numpy())

    def merge(self, other):
        self.rows += other.rows

    def result(self):
        return np.concatenate(self.rows)


MIXED = {
    "softmax over the pictures": lambda output: output.softmax(0)[:, 1],
    "over the largest": lambda output: output[:, 1] / output.abs().max(),
    "over how many": lambda output: output[:, 1] / len(output),
}


@pytest.mark.parametrize("function", MIXED)
@pytest.mark.parametrize("method", ["rise", "occlusion", "smoothgrad"])
def test_a_score_function_that_mixes_is_asked_of_one_picture_at_a_time(method, function):
    score = MIXED[function]
    net = cw.bind(small(), input_shape=SHAPE)
    found = getattr(cw.methods, method)(net, picture(), score, **OPTIONS[method]).values
    alone = lambda output: torch.stack([score(one[None])[0] for one in output])  # noqa: E731
    expected = getattr(cw.methods, method)(net, picture(), alone, **OPTIONS[method]).values
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
