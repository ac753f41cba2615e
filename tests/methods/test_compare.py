"""Methods side by side: each gives what it gives alone, one that refuses leaves the others, nothing is computed twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods import METHODS, Comparer, Method, attribute, compare, faithfulness, randomized, sanity_check, segment
from cnnwidgets.net import Cancelled
from cnnwidgets.net.errors import capitalized, sentence
from cnnwidgets.numbers import number
from tests.methods.small import bound, picture, small
from tests.net.networks import CancelAt, unchanged

FAST = ["saliency", "guided_backprop", "grad_cam", "occlusion"]


@pytest.fixture
def net():
    return bound()


@pytest.fixture
def counted():
    """A bound network and a list that grows with each of its forward passes."""
    module, passes = small(), []

    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = module

        def forward(self, x):
            passes.append(len(x))
            return self.body(x)

    net = cw.bind(Counting().eval(), input_shape=(3, 12, 12))
    return net, passes


def same(one, other) -> bool:
    return np.array_equal(one.values, other.values) and one.notes == other.notes and one.score == other.score


def test_the_maps_are_those_of_the_methods_one_by_one(net):
    with unchanged(net.module):
        found = compare(net, picture(), FAST, [2, 0])
    assert list(found.maps) == FAST and found.refused == {} and found.pending == ()
    assert [(row.name, row.target) for row in found.rows] == [("2", 2), ("0", 0)]
    for method, maps in found.maps.items():
        alone = attribute(net, picture(), [2, 0], method=method)
        assert all(same(one, other) for one, other in zip(maps, alone, strict=True)), method


def test_no_target_is_the_predicted_class_and_each_target_is_a_row_once(net):
    predicted = int(net.scores(picture()).argmax())
    found = compare(net, picture(), ["saliency"], [None, predicted, str(predicted), 1, 1])
    assert [row.target for row in found.rows] == list(dict.fromkeys([predicted, 1]))


def test_a_function_of_the_output_is_a_row_by_its_name(net):
    def difference(output):
        return output[:, 1] - output[:, 0]

    found = compare(net, picture(), ["saliency", "rise"], difference)
    assert found.rows[0].name == "difference" and found.answer(0) == "value"
    assert same(found.maps["saliency"][0], attribute(net, picture(), difference))


def test_units_are_explained_by_what_explains_units(net, monkeypatch):
    monkeypatch.setitem(METHODS, "own", Method("own", "own", attribute, units=False))
    found = compare(net, picture(), ["saliency", "own"], unit=[("0", 1), ("0", 1, 2, 3)])
    assert [row.name for row in found.rows] == ["unit 1 of 0", "unit 1 of 0 at row 2, column 3"]
    alone = attribute(net, picture(), unit=[("0", 1), ("0", 1, 2, 3)])
    assert all(same(one, other) for one, other in zip(found.maps["saliency"], alone, strict=True))
    assert found.refused == {"own": "explains a class, not a unit"}


def test_the_curves_and_the_cut_out_of_a_unit_are_those_of_the_methods(net):
    found = compare(net, picture(), ["saliency"], unit=[("4", 3), ("4", 1)], faithful=True, segmentation=True)
    own = faithfulness(net, picture(), attribute(net, picture(), unit=("4", 3)))
    score = number(found.maps["saliency"][0].score)
    assert found.summary().splitlines()[:2] == [f"Unit 3 of 4 sums to {score}.", capitalized(found.predicted)]
    np.testing.assert_allclose(found.faithful["saliency"].deletion, own.deletion, rtol=1e-5)
    assert found.faithful["saliency"].unit == ("4", 3) and found.answer(0) == "value"
    np.testing.assert_array_equal(found.segmentation.mask, segment(net, picture(), unit=("4", 3)).mask)


def test_random_layers_behind_a_unit_are_said_to_change_nothing(net):
    behind, before = (compare(net, picture(), ["saliency"], unit=("4", 3), randomized=depth) for depth in (1, 2))
    assert behind.agreements["saliency"][1].correlation == pytest.approx(1)
    assert before.agreements["saliency"][2].correlation < 0.999
    end = "No map changes: the units that are explained come earlier."
    assert behind.summary().splitlines()[0] == f"The last layer now has random weights. {end}"
    assert "shows the picture, not what was learned" in before.summary().splitlines()[0]


def test_options_go_to_the_methods_that_take_them(net):
    found = compare(net, picture(), ["saliency", "gradient_x_input", "grad_cam"], 1, reduce="sum", layer="0")
    assert found.asked == {"saliency": {"reduce": "sum"}, "gradient_x_input": {}, "grad_cam": {"layer": "0"}}
    assert same(found.maps["saliency"][0], attribute(net, picture(), 1, reduce="sum"))
    assert same(found.maps["grad_cam"][0], attribute(net, picture(), 1, method="grad_cam", layer="0"))


def test_a_method_that_refuses_has_a_sentence_and_the_others_have_maps():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.SiLU(), nn.Flatten(), nn.Linear(4 * 36, 3)).eval()
    found = compare(cw.bind(model, input_shape=(3, 8, 8)), picture(8), ["deconvnet", "saliency", "occlusion"])
    assert list(found.maps) == ["saliency", "occlusion"] and list(found.refused) == ["deconvnet"]
    assert "SiLU" in found.refused["deconvnet"]
    assert repr(found) == f"<comparison of {found.rows[0].name}: saliency, occlusion, refused by deconvnet>"


def test_a_second_question_makes_no_forward_pass(counted):
    net, passes = counted
    comparer = Comparer(net)
    question = {"randomized": [0, 1, 2], "faithful": True, "segmentation": True}
    first = comparer.compare(picture(), FAST, [None, 1], **question)
    made = len(passes)
    again = comparer.compare(picture(), FAST, [None, 1], **question)
    assert len(passes) == made > 0
    assert all(again.maps[method] is first.maps[method] for method in FAST)
    assert again.segmentation is first.segmentation and again.faithful == first.faithful
    comparer.compare(picture(), [*FAST, "gradient_x_input"], [None, 1])
    added = len(passes) - made
    attribute(net, picture(), [0, 1], method="gradient_x_input")
    assert added == len(passes) - made - added, "of the method that is new alone"


@pytest.mark.parametrize("change", ["picture", "weights"])
def test_another_picture_and_other_weights_are_another_question(counted, change):
    net, passes = counted
    comparer = Comparer(net)
    comparer.compare(picture(), ["saliency"], 1)
    made = len(passes)
    if change == "weights":
        with torch.no_grad():
            next(net.module.parameters()).mul_(2)
    image = picture(seed=int(change == "picture"))
    assert same(comparer.compare(image, ["saliency"], 1).maps["saliency"][0], attribute(net, image, 1))
    assert len(passes) > made


def test_depths_that_are_asked_for_one_by_one_are_those_of_the_sanity_check(net):
    comparer, methods = Comparer(net), ["saliency", "guided_backprop"]
    own = sanity_check(net, picture(), 1, methods=methods, depths=[0, 1, 2], seed=5)
    for depth in (2, 0, 1):
        found = comparer.compare(picture(), methods, 1, randomized=depth, seed=5)
        assert same(found.maps["saliency"][0], attribute(randomized(net, depth, seed=5), picture(), 1))
    at_once = compare(net, picture(), methods, 1, randomized=(0, 1, 2), seed=5)
    assert at_once.agreements == found.agreements
    for k, method in enumerate(methods):
        assert list(found.agreements[method]) == [0, 1, 2]
        for measure, expected in (("correlation", own.correlation), ("similarity", own.similarity)):
            values = [getattr(one, measure) for one in found.agreements[method].values()]
            np.testing.assert_allclose(values, expected[k], atol=1e-6)


def test_agreements_with_other_random_weights_are_not_mixed(net):
    comparer = Comparer(net)
    comparer.compare(picture(), ["saliency"], 1, randomized=2, seed=0)
    assert list(comparer.compare(picture(), ["saliency"], 1, randomized=1, seed=1).agreements["saliency"]) == [0, 1]


def test_curves_and_what_is_cut_out_are_the_methods(net):
    found = compare(net, picture(), ["saliency"], 1, faithful=True, segmentation=True)
    own = faithfulness(net, picture(), found.maps["saliency"][0], 1)
    np.testing.assert_array_equal(found.faithful["saliency"].deletion, own.deletion)
    np.testing.assert_array_equal(found.segmentation.mask, segment(net, picture(), 1).mask)


def test_what_cannot_be_cut_out_is_a_sentence():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.SiLU(), nn.Flatten(), nn.Linear(4 * 36, 3)).eval()
    net = cw.bind(model, input_shape=(3, 8, 8))
    found = compare(net, picture(8), ["saliency"], segmentation=True)
    with pytest.raises(ValueError) as refusal:
        segment(net, picture(8), found.rows[0].target)
    assert found.segmentation is None and found.refused == {"segmentation": sentence(refusal.value)}


def test_before_each_method_there_is_what_was_found_and_what_comes_next(net):
    seen = []
    compare(net, picture(), FAST[:2], 1, randomized=[0, 1], on_update=lambda *told: seen.append(told))
    assert [(one.depth, list(one.maps), one.pending, fraction) for one, fraction in seen] == [
        (0, [], ("saliency", "guided_backprop"), 0.0),
        (0, ["saliency"], ("guided_backprop",), 0.25),
        (0, ["saliency", "guided_backprop"], (), 0.5),
        (1, [], ("saliency", "guided_backprop"), 0.5),
        (1, ["saliency"], ("guided_backprop",), 0.75),
    ]


def test_a_cancel_between_methods_gives_the_maps_that_there_are(net):
    with pytest.raises(Cancelled) as stopped:
        compare(net, picture(), ["saliency", "grad_cam", "layer_cam"], 1, cancel=CancelAt(2))
    assert list(stopped.value.partial.maps) == ["saliency", "grad_cam"]
    assert stopped.value.partial.pending == ("layer_cam",)
    with pytest.raises(Cancelled) as stopped:
        compare(net, picture(), ["saliency"], 1, cancel=CancelAt(0))
    assert stopped.value.partial is None


def test_a_cancel_within_a_method_gives_the_maps_before_it_and_no_part_of_one(net, monkeypatch):
    def cancelled(*args, **options):
        raise Cancelled("cancelled", partial="a part of a map")

    monkeypatch.setitem(METHODS, "rise", replace(METHODS["rise"], function=cancelled))
    with pytest.raises(Cancelled) as stopped:
        compare(net, picture(), ["saliency", "rise"], 1)
    assert list(stopped.value.partial.maps) == ["saliency"]


def test_a_cancel_among_depths_gives_the_last_that_is_complete(net):
    with pytest.raises(Cancelled) as stopped:
        compare(net, picture(), ["saliency", "grad_cam"], 1, randomized=[0, 1, 2], cancel=CancelAt(5))
    assert (stopped.value.partial.depth, stopped.value.partial.pending) == (1, ())
    with pytest.raises(Cancelled) as stopped:
        compare(net, picture(), ["saliency", "grad_cam"], 1, randomized=[1, 2], cancel=CancelAt(1))
    assert stopped.value.partial is None


def test_one_map_s_remarks_are_not_those_of_all():
    net, pictures = cw.load("scenes"), cw.samples.scenes()
    found = compare(net, pictures[3], ["saliency", "grad_cam"])
    where = found.maps["saliency"][0].at_input()
    place = np.unravel_index(where.argmax(), where.shape)
    mask = np.zeros(where.shape, bool)
    mask[place] = True
    assert found.remarks("saliency", 0) == []
    assert found.remarks("saliency", 0, mask) == ["✓ peak on the object"]
    assert found.remarks("saliency", 0, ~mask) == ["✗ peak misses the object"]
    assert found.remarks("grad_cam", 0) == [f"from the last feature maps, {found.maps['grad_cam'][0].layer}"]


def test_a_scale_is_that_of_all_rows(net):
    found = compare(net, picture(), ["saliency"], [0, 1, 2])
    sizes = np.abs([one.values for one in found.maps["saliency"]])
    assert found.scale("saliency") == pytest.approx(np.quantile(sizes, 0.995))


WRONG = [
    ({"methods": "saliency"}, TypeError, "methods is 'saliency'; expected a list of texts"),
    ({"methods": ["gradcam"]}, ValueError, "methods is 'gradcam'; expected one of .* Did you mean 'grad_cam'"),
    ({"targets": 9}, ValueError, "there is no class 9"),
    ({"targets": []}, ValueError, "the list of targets or units is empty"),
    ({"unit": ("0", 99)}, ValueError, "there is no unit 99"),
    ({"unit": ("0", 1), "targets": 1}, ValueError, "not both"),
    ({"randomized": 9}, ValueError, "depth is 9; .* layers with weights"),
    ({"randomized": []}, ValueError, "expected at least one number of layers"),
    ({"randomized": "all"}, ValueError, "randomized is 'all'; expected a whole number or a list of whole numbers"),
    ({"image": torch.rand(2, 3, 12, 12)}, ValueError, "expected one picture, got 2"),
    ({"cancel": "now"}, TypeError, "cancel is 'now'"),
]


@pytest.mark.parametrize(("given", "error", "words"), WRONG)
def test_what_is_wrong_with_the_question_is_raised(net, given, error, words):
    with pytest.raises(error, match=words):
        compare(net, **{"image": picture(), "methods": ["saliency"], **given})


def test_the_finding_says_which_row_it_counts():
    net, pictures = cw.load("scenes"), cw.samples.scenes()
    for targets, words in (([6], "maps peak on the object"), ([6, 8], "maps in the first row peak on the object")):
        found = cw.methods.compare(net, pictures[4][0], ["saliency", "guided_backprop"], targets=targets)
        hits = sum(bool(cw.methods.pointing_game(rows[0], pictures.mask(4))) for rows in found.maps.values())
        assert found.summary(pictures.mask(4)).splitlines()[0].endswith(f"{hits} of 2 {words}.")
