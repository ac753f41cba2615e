"""Whatever a method is given in the place of a number, a box or a unit: it takes it, or says what it expects."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import cnnwidgets as cw
from cnnwidgets.methods.arguments import real, whole
from tests.methods.small import bound, picture

NAN = float("nan")
NO_NUMBERS = ["big", "", b"x", None, {}, [], (1, 2), object(), NAN, float("inf"), np.zeros((2, 2))]
SMALL = {
    "occlusion": {"patch": 4, "stride": 4},
    "rise": {"n_samples": 2},
    "lime": {"n_samples": 2, "superpixels": np.arange(144).reshape(12, 12) // 72},
    "smoothgrad": {"n_samples": 2},
    "integrated_gradients": {"steps": 9},
    "faithfulness": {"steps": 2, "randoms": 1},
    "sanity_check": {"depths": [1], "methods": ["saliency"]},
    "segment": {},
    "pointing_game": {},
    "randomized": {"depth": 1},
}
WHOLE = {
    "occlusion": {"seed": 0},
    "rise": {"cells": 1, "n_samples": 1, "seed": 0},
    "lime": {"n_samples": 1, "seed": 0},
    "smoothgrad": {"n_samples": 1, "seed": 0},
    "integrated_gradients": {"steps": 1},
    "faithfulness": {"steps": 1, "randoms": 1, "seed": 0},
    "sanity_check": {"seed": 0},
    "randomized": {"depth": 0, "seed": 0},
}
REAL = {
    "rise": {"keep": 0},
    "lime": {"alpha": 0, "width": 0},
    "smoothgrad": {"noise_level": 0},
    "integrated_gradients": {"tolerance": 0},
    "segment": {"foreground": 0, "background": 0, "beta": 0},
    "pointing_game": {"tolerance": 0},
}


def call(method, **options):
    net, image = bound(), picture()
    options = {**SMALL[method], **options}
    function = getattr(cw.methods, method)
    if method == "randomized":
        return function(net, **options)
    if method == "pointing_game":
        return function(cw.methods.saliency(net, image, 1), np.ones((12, 12), bool), **options)
    if method == "faithfulness":
        return function(net, image, cw.methods.saliency(net, image, 1), **options)
    return function(net, image, 1, **options)


@pytest.mark.parametrize("method, name", [(method, name) for method in WHOLE for name in WHOLE[method]])
def test_a_count_is_a_whole_number(method, name):
    for wrong in [*NO_NUMBERS, 2.5, WHOLE[method][name] - 1]:
        with pytest.raises(ValueError, match=rf"{name} is (?s:.*)expected|{name} is -1"):
            call(method, **{name: wrong})
    call(method, **{name: np.int64(1)})


@pytest.mark.parametrize("method, name", [(method, name) for method in REAL for name in REAL[method]])
def test_an_amount_is_a_finite_number(method, name):
    for wrong in NO_NUMBERS:
        with pytest.raises(ValueError, match=rf"{name} is .*; expected a number"):
            call(method, **{name: wrong})


@pytest.mark.parametrize("method", ["occlusion", "rise", "lime", "smoothgrad", "integrated_gradients"])
def test_memory_is_a_number_of_bytes(method):
    for wrong in ["big", None, (1, 2), NAN]:
        with pytest.raises(ValueError, match=r"max_memory is .*; expected a whole number of bytes"):
            call(method, max_memory=wrong)
    call(method, max_memory=np.int64(2**20))


WRONG = {
    "patch": [NAN, "big", -1, (1, 2, 3), (1, "x"), [[1, 2], [3, 4]], {}, (None, 1), 1e300],
    "stride": [NAN, "big", 0, (1, 2, 3), 1e300, [[1, 2], [3, 4]]],
    "region": [5, 2.5, NAN, "big", b"x", {}, (1, 2), (1, 2, 3), (0, 0, 4, 4, 4), (0, 0, NAN, 3), (0, 0, "x", 3)],
    "score": ["big", "loss"],
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_box_is_refused_by_occlusion_and_the_next_valid_one_works(name):
    for wrong in [*WRONG[name], object(), *([(0.5, 0, 4, 4), (True, [1], 2, 3)] if name == "region" else [])]:
        with pytest.raises(
            TypeError if name == "score" and not isinstance(wrong, str) else ValueError, match=rf"{name} is .*expected"
        ):
            call("occlusion", **{name: wrong})
    assert call("occlusion").complete


def test_a_region_may_be_an_array():
    found = call("occlusion", region=np.array([0, 0, 6, 12]))
    assert found.values.shape == call("occlusion", region=(0, 0, 6, 12)).values.shape == (2, 3)


@pytest.mark.parametrize("method", ["occlusion", "rise", "lime", "saliency", "grad_cam"])
def test_what_is_no_class_is_refused(method):
    for wrong in [NAN, float("inf"), 2.5, b"x", {}, object()]:
        with pytest.raises(ValueError, match=r"target is .*; expected a whole number or a text"):
            getattr(cw.methods, method)(bound(), picture(), wrong)
    found = getattr(cw.methods, method)(bound(), picture(), torch.tensor(2), **SMALL.get(method, {}))
    assert found.target == 2


@pytest.mark.parametrize("wrong", [5, "0", ("0",), ("0", "x"), ("0", 1.5), ("0", 1, 2), ("0", 1, None, 3), (1, 1), {}])
def test_what_is_no_unit_is_refused(wrong):
    with pytest.raises(ValueError, match=r"unit is .*; expected \(layer, unit\) or \(layer, unit, row, column\)$"):
        cw.methods.occlusion(bound(), picture(), unit=wrong)
    with pytest.raises(ValueError, match=r"unit is .*; expected \(layer, unit\)|the list is empty"):
        cw.methods.saliency(bound(), picture(), unit=wrong)


@pytest.mark.parametrize("wrong", ["saliency", 3, None])
def test_methods_and_depths_of_a_sanity_check_are_lists(wrong):
    with pytest.raises(TypeError, match=r"methods is .*; expected a list of texts"):
        call("sanity_check", methods=wrong)
    if wrong is not None:
        with pytest.raises(ValueError, match=r"depths is .*; expected a list of whole numbers"):
            call("sanity_check", depths=wrong)


def test_a_number_is_taken_in_whatever_type_it_comes():
    assert [whole("n", value) for value in (3, np.int8(3), 3.0, np.float32(3), torch.tensor(3))] == [3] * 5
    assert [real("n", value, 0) for value in (1, np.float32(0.5), torch.tensor(0.25))] == [1, 0.5, 0.25]
