"""OcclusionSlider: what its views get is what the method gives, and every way to move the patch is the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import cnnwidgets as cw
from cnnwidgets.base import jobs
from cnnwidgets.net import Cancelled
from cnnwidgets.views.palette import class_color
from tests.base.tiny import PATIENCE, picture_tensor, several
from tests.net.networks import LeNet5, maps_by_hooks, unchanged


@pytest.fixture(scope="module")
def shown(net, pictures):
    panel = cw.OcclusionSlider(net, 3, images=pictures, patch=9, stride=6)
    assert panel.result.exact
    return panel


@pytest.fixture
def panel(net, pictures):
    return cw.OcclusionSlider(net, 3, images=pictures, patch=9, stride=11)


def numbers(view, trait, dtype=np.float32):
    return np.frombuffer(getattr(view, trait), dtype)


def test_the_views_get_the_method_s_numbers(shown, net, pictures):
    own = cw.methods.occlusion(net, pictures[3][0], patch=9, stride=6)
    np.testing.assert_allclose(numbers(shown.heat, "values"), own.values.ravel(), atol=1e-5)
    np.testing.assert_array_equal(numbers(shown.answers, "classes", np.int32).reshape(own.classes.shape), own.classes)
    assert shown.heat.mark == pytest.approx(own.clean, abs=1e-5)
    assert (shown.heat.ys, shown.heat.xs) == (own.ys.tolist(), own.xs.tolist())
    assert shown.heat.span == [0.0, 1.0]
    names = [shown.tops.names[int(k)] for k in numbers(shown.tops, "values")]
    assert names == [net.classes[k] for k in own.top.ravel()]
    assert shown.answers.before["value"] == pytest.approx(own.answer.probability)
    assert shown.answers.target == own.target


def test_answers_go_by_the_classes_names(net, pictures):
    named = cw.bind(net.module, input_shape=net.input_shape, classes=[f"number {k}" for k in range(10)])
    names = cw.OcclusionSlider(named, 3, images=pictures, patch=16, stride=16)
    assert names.result.exact
    assert {"number 3"} <= set(names.answers.names.values()) and "3" not in names.answers.names.values()
    assert all(name == f"number {k}" for k, name in names.answers.names.items())


def test_the_picture_shows_the_fill_in_the_patch(shown, net, pictures):
    mean = pictures[3][0].mean((1, 2), keepdim=True).expand(3, 64, 64)
    assert shown.picture.cover == net.picture(mean, like=pictures[3][0]).tobytes()
    assert numbers(shown.picture, "mask", np.uint8).sum() == 81


def test_the_patch_begins_where_the_score_is_lowest(shown):
    i, j = np.unravel_index(shown.result.values.argmin(), shown.result.values.shape)
    assert shown.picture.box == [shown.result.ys[i], shown.result.xs[j], 9, 9]
    assert (shown.y, shown.x) == (shown.result.ys[i] + 4, shown.result.xs[j] + 4)


def test_y_x_and_the_box_say_the_same(panel):
    _ = panel.result
    panel.y, panel.x = 20, 31
    assert [view.box for view in (panel.picture, panel.answers, panel.heat, panel.tops)] == [[16, 27, 9, 9]] * 4
    panel.picture.set_state({"box": [40, 2, 9, 9]})
    assert (panel.y, panel.x) == (44, 6)


def test_a_patch_that_is_dragged_while_its_size_changes_keeps_the_new_size(panel):
    _ = panel.result
    panel.patch = 13
    assert panel.result.patch == (13, 13)
    panel.picture.set_state({"box": [20, 30, 9, 9]})  # as the hand had it
    for view in (panel.picture, panel.answers, panel.heat, panel.tops):
        assert view.box == [18, 28, 13, 13]


def test_a_pair_of_pixels_stays_one_until_a_hand_sets_a_number(net, pictures):
    panel = cw.OcclusionSlider(net, 3, images=pictures, patch=[9, 8], stride=16)
    assert panel.result.patch == (9, 8)
    assert panel.get_state("patch") == {"patch": [9, 8]}
    panel.set_state({"patch": 10})
    assert panel.result.patch == (10, 10)


def test_a_place_between_pixels_is_kept_exactly(panel):
    _ = panel.result
    panel.y = 20.25
    assert panel.y == 20.25 and panel.get_state("y") == {"y": 20.25}
    panel.set_state({"y": 21})
    assert panel.y == 21.0 and isinstance(panel.y, float)
    assert panel.picture.box[0] == 17


def test_the_patch_stays_in_the_picture(panel):
    _ = panel.result
    panel.y, panel.x = 0, 900
    assert panel.picture.box == [0, 55, 9, 9]
    assert (panel.y, panel.x) == (4, 59)


def test_a_place_that_is_not_in_the_grid_is_computed(panel, net, pictures):
    _ = panel.result
    panel.picture.set_state({"box": [13, 24, 9, 9]})
    tensor = pictures[3][0].clone()
    tensor[:, 13:22, 24:33] = tensor.mean((1, 2), keepdim=True)
    wanted = net.scores(tensor).softmax(1)[0, panel.result.target]
    assert panel.answer.probability == pytest.approx(float(wanted), abs=1e-5)
    assert jobs.POOL.wait(PATIENCE)
    assert panel.answers.answer["box"] == [13, 24, 9, 9]
    assert panel.answers.answer["value"] == pytest.approx(float(wanted), abs=1e-5)


def test_the_first_picture_is_an_estimate_and_the_last_is_exact(net, pictures):
    drawn = []

    class Watched(cw.OcclusionSlider):
        def draw(self, result):
            drawn.append((result.known.mean(), self.progress(result)))
            super().draw(result)

    panel = Watched(net, 3, images=pictures, patch=9, stride=1)
    assert panel.result.exact
    assert drawn[0][0] == 0
    assert drawn[0][1] == "Quick guess from one gradient. Computing 3,136 positions …"
    assert drawn[-1][0] == 1
    assert panel.status.message.splitlines()[0].endswith(" All 3,136 positions computed exactly.")


def test_a_cancel_keeps_what_is_there_and_says_how_much(net, pictures):
    class Stopped(cw.OcclusionSlider):
        def progress(self, partial):
            if partial.known.any():
                self.cancel()
            return super().progress(partial)

    with unchanged(net.module):
        panel = Stopped(net, 3, images=pictures, patch=9, stride=1)
        assert panel.wait(PATIENCE)
    with pytest.raises(Cancelled):
        _ = panel.result
    assert 0 < panel.shown.known.sum() < 3136
    told = f"so far. {panel.shown.known.sum():,} of 3,136 positions computed; the paler ones are still estimates."
    assert panel.status.message.startswith("Cancelled. p(") and panel.status.message.splitlines()[0].endswith(told)
    unknown = numbers(panel.heat, "known", np.uint8) == 0
    assert unknown.sum() == (~panel.shown.known).sum()


def test_a_region_restricts_the_positions(panel):
    panel.heat.region = [10, 20, 20, 30]
    assert panel.region == [10, 20, 20, 30]
    centers = panel.result.ys + 4, panel.result.xs + 4
    assert all(10 <= y < 30 for y in centers[0])
    assert all(20 <= x < 50 for x in centers[1])
    panel.region = []
    assert panel.result.ys.tolist() == [0, 11, 22, 33, 44, 55]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"score": "logit"}, "logit(6)"),
        ({"layer": "layer2.0.relu", "unit": 3}, "sum of unit 3 of layer2.0.relu"),
        ({"unit": ("layer2.0.relu", 3)}, "sum of unit 3 of layer2.0.relu"),
        ({"unit": ("layer2.0.relu", 3, 2, 4)}, "unit 3 of layer2.0.relu at row 2, column 4"),
        ({"target": "8"}, "p(8)"),
        ({"target": 8}, "p(8)"),
    ],
)
def test_what_is_watched_is_said(net, pictures, state, words):
    panel = cw.OcclusionSlider(net, 3, images=pictures, patch=9, stride=20, **state)
    assert panel.wait(PATIENCE)
    assert panel.status.message.startswith(words)
    assert panel.answers.quantity == words
    restored = cw.OcclusionSlider(net, 3, images=pictures, patch=9, stride=20)
    restored.restore(panel.state)
    np.testing.assert_array_equal(restored.result.values, panel.result.values)


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"stride": 0}, "stride is 0"),
        ({"patch": [9, 65]}, "The patch is 9×65 pixels, larger than the input of 64×64"),
        ({"target": "cat"}, "There is no class 'cat'"),
        ({"target": 10}, "There is no class 10"),
        ({"score": "loss"}, "score is 'loss'"),
        ({"layer": "layer2.0.relu", "unit": 99}, "There is no unit 99: layer2.0.relu has"),
        ({"layer": "layer2.0.relu", "unit": 3, "position": [99, 0]}, "There is no row 99: layer2.0.relu has"),
        ({"image": np.zeros((5, 5, 5))}, ""),
        ({"region": [0, 0, 1, 1]}, "No position of the patch has its center in the region"),
    ],
)
def test_bad_input_is_a_sentence_and_the_last_map_stays(panel, state, sentence):
    before, box = panel.result, list(panel.picture.box)
    panel.restore(state) if "image" not in state else setattr(panel, "image", state["image"])
    assert panel.wait(PATIENCE)
    assert panel.status.kind == "error"
    assert panel.status.message.startswith(sentence)
    assert panel.shown is before
    assert panel.picture.box == box


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"fill": "blur", "stride": [13, 20]},
        {"fill": "noise", "seed": 3, "shape": "ellipse"},
        {"fill": "gray", "score": "logit", "patch": [5, 12]},
        {"fill": "zero", "unit": ("layer2.0.relu", 3), "region": [8, 8, 40, 40]},
        {"unit": ("layer1.0.add", 3)},
        {"unit": ("layer2.0.relu", 3, 2, 4)},
    ],
    ids=str,
)
def test_the_code_gives_what_is_on_screen(net, pictures, state):
    panel = cw.OcclusionSlider(net, 5, images=pictures, **{"patch": 9, "stride": 18, **state})
    space: dict = {}
    exec(panel.code(), space)
    np.testing.assert_allclose(space["values"].numpy(), panel.result.values, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layer", ["attention", "flatten", "norm"])
def test_the_code_of_a_unit_of_tokens_leaves_out_the_class_token_as_the_panel_does(layer):
    net, image = cw.bind(several(), input_shape=(3, 8, 8)), picture_tensor()
    tokens = maps_by_hooks(net.module, image[None]).get(layer)  # before a panel runs the module's hooks, too
    panel = cw.OcclusionSlider(net, image, patch=3, stride=3, unit=(layer, 2), fill="zero")
    if layer == "attention":
        assert panel.result.clean == pytest.approx(float(tokens[0][0, 1:, 2].sum()), abs=1e-4)
    space: dict = {"model": net.module, "x": image[None]}
    code = panel.code().replace("model = ...", "model = model").replace("preprocess = ...", "preprocess = None")
    exec(code.replace("x = ...", "x = x"), space)
    np.testing.assert_allclose(space["values"].numpy(), panel.result.values, rtol=1e-4, atol=1e-5)


def test_the_still_picture_has_the_values_in_its_artists(shown):
    picture, answers, heat, tops = shown.figure().axes
    np.testing.assert_array_equal(picture.images[0].get_array(), shown.result.session.covered(*shown.picture.box[:2]))
    np.testing.assert_array_equal(heat.images[1].get_array(), shown.result.values)
    np.testing.assert_array_equal(tops.images[1].get_array(), shown.result.by_area()[1])
    name = shown.net.classes[shown.result.answer.classes[0]]
    assert any(text.get_text().startswith(f"{name} ") for text in tops.texts)
    assert [axes.get_title("left") for axes in (picture, heat)] == [shown.picture.title, shown.heat.title]
    assert answers.get_title("left") == shown.answers.quantity


def test_classes_are_in_the_order_of_their_area_the_clean_one_first(shown):
    order, indices = shown.result.by_area()
    assert order[0] == shown.result.answer.classes[0]
    counts = [(shown.result.top == k).sum() for k in order[1:]]
    assert counts == sorted(counts, reverse=True)
    np.testing.assert_array_equal(np.array(order)[indices], shown.result.top)


def test_the_repr_is_short(shown):
    assert repr(shown) == "OcclusionSlider(scenes, image=3, patch=9, stride=6)"


def test_a_linked_browser_shares_the_place_and_the_picture(net, pictures, panel):
    browser = cw.FeatureMapBrowser(net, 4, "layer1.0.relu", images=pictures)
    cw.link(panel, browser)
    assert browser.image == 3
    _ = panel.result, browser.result
    panel.picture.set_state({"box": [30, 30, 9, 9]})
    assert (browser.y, browser.x) == (34, 34)


def test_a_unit_that_is_clicked_in_a_linked_browser_is_watched_until_it_is_left(net, pictures, panel):
    target = panel.result.target
    browser = cw.FeatureMapBrowser(net, 3, "layer2.0.relu", images=pictures)
    cw.link(browser, panel)
    assert panel.layer == "layer2.0.relu" and panel.result.unit is None, "no unit is chosen: the class is watched"
    browser.unit = 5
    assert panel.result.unit == ("layer2.0.relu", 5)
    own = cw.methods.occlusion(net, pictures[3][0], patch=9, stride=11, unit=("layer2.0.relu", 5))
    np.testing.assert_allclose(panel.result.values, own.values, atol=1e-4)
    browser.unit = -1
    assert (panel.result.unit, panel.result.target) == (None, target)


@pytest.mark.parametrize("unit", [("layer2.0.relu",), ("layer2.0.relu", 3, 1), [[1, 2], [3, 4], 5]])
def test_what_is_no_unit_is_refused_when_the_panel_is_made(net, pictures, unit):
    with pytest.raises(ValueError, match=r"unit is .*; expected \(layer, unit\) or \(layer, unit, row, column\)"):
        cw.OcclusionSlider(net, 3, images=pictures, unit=unit)


def test_a_class_has_its_color_by_its_index_whatever_the_patch(net, pictures):
    colors = {}
    for patch in (9, 16):
        panel = cw.OcclusionSlider(net, 3, images=pictures, patch=patch, stride=6)
        for index, color in zip(panel.result.by_area()[0], panel.tops.colors, strict=True):
            assert colors.setdefault(index, color) == color == class_color(index)
    assert len(colors) > 2


@pytest.mark.parametrize(("patch", "stride", "has_rim"), [(1, 20, False), (16, 16, False), (30, 30, False), (9, 5, True)])
def test_the_rim_is_explained_where_there_is_one(net, pictures, patch, stride, has_rim):
    panel = cw.OcclusionSlider(net, 3, images=pictures, patch=patch, stride=stride)
    assert panel.result.has_rim is has_rim
    assert ("the patch would leave the picture" in panel.heat.note) is ("the patch" in panel.tops.note) is has_rim


def test_the_opacity_is_one_for_both_maps_and_the_colors_are_kept_in_the_state(panel):
    _ = panel.result
    panel.opacity, panel.colors = 0.3, "there"
    assert (panel.heat.opacity, panel.tops.opacity, panel.heat.range) == (0.3, 0.3, "there")
    assert panel.figure().axes[2].images[1].get_clim() == (panel.result.values.min(), panel.result.values.max())


@pytest.mark.parametrize(
    ("value", "told"),
    [(1e-9, "p(6) falls from > 99.9% to < 0.01%."), (0.99995, "p(6) stays at > 99.9%, wherever the patch lies.")],
)
def test_the_finding_is_true_of_probabilities_next_to_0_and_to_1(shown, value, told):
    found = replace(shown.result, values=np.full_like(shown.result.values, value), clean=0.99999)
    assert found.summary("p(6)").startswith(f"{told} All 121 positions computed exactly.")


def test_the_time_left_is_told_once_it_is_known_well(shown):
    known = np.zeros(shown.result.known.shape, bool)
    known.flat[:5] = True
    assert "left" not in replace(shown.result, known=known, remaining=30.0).progress()
    known.flat[:50] = True
    told = {seconds: replace(shown.result, known=known, remaining=seconds).progress() for seconds in (3.0, 33.0, 170.0)}
    ends = {3.0: "A few seconds left.", 33.0: "About 30 s left.", 170.0: "About 3 min left."}
    assert all(told[seconds].endswith(f"still estimates. {words}") for seconds, words in ends.items())


def test_pictures_of_another_size_come_from_the_data_set(pictures):
    browser = cw.FeatureMapBrowser(cw.bind(LeNet5(), input_shape=(1, 32, 32)), 3, images=pictures)
    assert browser.result.inputs.shape == (1, 1, 32, 32)
