"""A class changed in feature space by a known factor, and what maps show of it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import cnnwidgets as cw
from cnnwidgets.methods import class_distance, class_width, embed, move_class, nearest, spread_class, thin_class
from cnnwidgets.methods.class_changes import ClassChange, changed_class, class_of, ratio, title_of
from cnnwidgets.methods.embedding_session import EmbeddingSession

CHANCE = np.random.default_rng(3)
VALUES = CHANCE.standard_normal((60, 12)) * CHANCE.uniform(0.2, 3, 12) + CHANCE.standard_normal(12)
ROWS = np.arange(60) % 3 == 1
ALL = np.ones(60, bool)


def radius(points: np.ndarray) -> float:
    """Root mean square distance from the mean."""
    return float(np.sqrt(((points - points.mean(0)) ** 2).sum(1).mean()))


@pytest.mark.parametrize("factor", [0, 1 / 3, 1, 3, 17.5])
def test_spreading_multiplies_the_radius_and_the_width_by_the_factor_and_keeps_the_mean(factor):
    changed = spread_class(VALUES, ROWS, factor)
    assert radius(changed[ROWS]) == pytest.approx(factor * radius(VALUES[ROWS]))
    assert class_width(changed, ROWS) == pytest.approx(factor * class_width(VALUES, ROWS))
    assert class_distance(changed, ROWS) == pytest.approx(class_distance(VALUES, ROWS))
    np.testing.assert_array_equal(changed[~ROWS], VALUES[~ROWS])


def test_spreading_keeps_the_order_of_neighbors_within_the_class():
    changed = spread_class(VALUES, ROWS, 3)
    np.testing.assert_array_equal(nearest(changed[ROWS], 19), nearest(VALUES[ROWS], 19))


@pytest.mark.parametrize("factor", [0.5, 1, 2, 5])
def test_moving_multiplies_the_distance_of_the_means_by_the_factor_and_keeps_the_class(factor):
    changed = move_class(VALUES, ROWS, factor)
    assert class_distance(changed, ROWS) == pytest.approx(factor * class_distance(VALUES, ROWS))
    shift = changed[ROWS] - VALUES[ROWS]
    np.testing.assert_allclose(shift, shift[[0]].repeat(20, 0), atol=1e-12)
    np.testing.assert_array_equal(changed[~ROWS], VALUES[~ROWS])


def test_thinning_leaves_a_share_of_the_class_and_all_others():
    stay = thin_class(ROWS, 1 / 4)
    assert (stay & ROWS).sum() == 5
    assert stay[~ROWS].all()
    np.testing.assert_array_equal(stay, thin_class(ROWS, 1 / 4))
    assert (stay != thin_class(ROWS, 1 / 4, seed=1)).any()
    assert (thin_class(ROWS, 0.01) & ROWS).sum() == 2


@pytest.mark.parametrize(("kind", "factor"), [("spread", 3), ("spread", 1 / 3), ("move", 5)])
def test_the_ratio_is_the_factor_in_feature_space_and_on_the_same_principal_axes(kind, factor):
    changed, stay = changed_class(VALUES, ROWS, kind, factor)
    assert ratio(VALUES, changed, ROWS, kind, stay) == pytest.approx(factor)
    pca = embed(VALUES, "pca")
    assert ratio(pca.points, pca.add(changed), ROWS, kind, stay) == pytest.approx(factor, rel=1e-4)


def test_the_ratio_does_not_depend_on_the_scale_of_a_map():
    changed, stay = changed_class(VALUES, ROWS, "spread", 2)
    assert ratio(VALUES, 100 * changed, ROWS, "spread", stay) == pytest.approx(2)


def test_one_stray_picture_does_not_make_a_class_wide():
    points = np.concatenate([CHANCE.standard_normal((20, 2)), CHANCE.standard_normal((20, 2)) + 50])
    rows = np.arange(40) < 20
    before = class_width(points, rows)
    points[0] += 50
    assert class_width(points, rows) == pytest.approx(before, rel=0.2)
    assert radius(points[rows]) > 5 * before


@pytest.mark.parametrize("rows", [np.zeros(60, bool), np.ones(60, bool), np.zeros(59, bool), np.arange(60)])
def test_a_class_is_some_of_the_pictures_and_not_all(rows):
    with pytest.raises(ValueError, match="expected 60 times True or False, some of each"):
        spread_class(VALUES, rows, 2)


def test_equal_pictures_have_no_width_to_compare():
    values = np.where(ROWS[:, None], 1.0, VALUES)
    with pytest.raises(ValueError, match="the same features: there is no size to compare"):
        ratio(values, values, ROWS, "spread", ALL)


def test_the_class_is_that_of_most_chosen_pictures_else_the_largest_else_the_first():
    labels = np.array([5, 5, 5, 5, 2, 2, 2, 2, 2, 7, 7, 7, 7, -1])
    chosen = np.zeros(14, bool)
    assert class_of(labels, chosen, {}) == 2
    assert class_of(labels[:8], chosen[:8], {}) == 2  # as large as 5, and before it
    chosen[[0, 9, 10, 13]] = True
    assert class_of(labels, chosen, {}) == 7


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([-1] * 5, "these have no labels"),
        ([3] * 5, "these have labels of one class"),
        ([0, 0, 0, 0, 1], "class cat has 1 picture here; a class needs 4 to be changed: pick a picture of another class"),
    ],
)
def test_what_cannot_be_changed_is_said(labels, message):
    chosen = np.arange(5) == 4
    with pytest.raises(ValueError, match=message):
        class_of(np.array(labels), chosen, {1: "cat"})


def test_a_change_is_said_in_words():
    assert title_of("spread", 1 / 3) == "a third as wide"
    assert title_of("thin", 0.1) == "10% of its pictures"
    wider = ClassChange(3, "3", "spread", 3, 3.0, 1.0961)
    assert wider.sentence == "Class 3 was made 3 times as wide; on the map it is 1.1 times as wide."
    assert wider.note == "layer: 3 times · map: 1.1 times"
    farther = ClassChange(3, "3", "move", 5, 5.0, 0.981)
    assert farther.sentence == "Class 3 was moved 5 times as far; on the map it is 0.98 times as far."
    thinner = ClassChange(3, "3", "thin", 1 / 4, 0.9, 0.2)
    assert thinner.sentence == "Class 3 with a quarter of its pictures: on the map it is 0.2 times as wide."


@pytest.fixture(scope="module")
def digits():
    """The session of the digits, and how to ask it."""
    net, pictures = cw.load("digits"), cw.samples.digits()
    session = EmbeddingSession(net, pictures)
    wish = {"layer": "relu4", "pool": "grid", "limit": 500, "seed": 0, "supervised": False, "playing": True, "added": []}
    more = {"restart": False, "watched": False, "selection": [], "image": None}

    def ask(method: str, compare: str, **wishes):
        names = {label: str(label) for label in range(10)}
        asked = SimpleNamespace(**wish | more | wishes, method=method, compare=compare, class_names=lambda found: names)
        return session.run(
            asked, None, on_update=lambda *_: None, on_progress=lambda *_: None, cancel=SimpleNamespace(is_set=lambda: False)
        )

    return net, pictures, ask


@pytest.mark.parametrize("method", ["tsne", "umap"])
def test_the_size_of_a_cluster_means_little_and_pca_shows_it(digits, method):
    _, _, ask = digits
    wide, small, thin, linear = (one.change for one in ask(method, "size", n_epochs=100).compared)
    assert [one.in_features for one in (wide, small, linear)] == pytest.approx([3, 1 / 3, 3], rel=1e-4)
    assert wide.on_map < 0.6 * wide.in_features
    assert small.on_map > 2 * small.in_features
    assert thin.on_map < 0.5 * thin.in_features
    assert linear.on_map == pytest.approx(3, rel=1e-3)


@pytest.mark.parametrize("method", ["tsne", "umap"])
def test_the_distance_of_a_cluster_means_little_and_pca_shows_it(digits, method):
    """A map hardly tells twice as far from five times. How far UMAP puts the latter is its seed's, 2 to 12 times."""
    _, _, ask = digits
    near, far, linear = (one.change for one in ask(method, "distance").compared)
    assert [one.in_features for one in (near, far, linear)] == pytest.approx([2, 5, 5], rel=1e-4)
    assert far.on_map < 1.5 * near.on_map
    assert method == "umap" or far.on_map < 0.5 * far.in_features
    assert linear.on_map == pytest.approx(5, rel=1e-3)


def test_the_class_is_that_of_the_selection_or_of_the_picked_picture(digits):
    _, pictures, ask = digits
    of = {label: [i for i in range(500) if pictures[i][1] == label] for label in (4, 7)}
    assert ask("pca", "distance", image=of[4][0]).compared[0].change.label == 4
    assert ask("pca", "distance", image=of[4][0], selection=of[7][:3]).compared[0].change.label == 7
    assert ask("pca", "size").compared[0].title == "class 0, 3 times as wide"


def test_what_is_left_out_has_no_place_and_the_rest_lies_close_to_the_map(digits):
    _, _, ask = digits
    found = ask("tsne", "size", n_iter=100, perplexity=166)  # more than the pictures that stay allow
    thin = found.compared[2]
    placed = np.isfinite(thin.points).all(1)
    labels = found.features.labels
    assert (labels[~placed] == 0).all()
    assert 4 * (placed & (labels == 0)).sum() == pytest.approx((labels == 0).sum(), abs=3)
    assert thin.embedding.params["perplexity"] == pytest.approx((placed.sum() - 1) / 3, abs=0.01)


@pytest.mark.parametrize("compare", ["size", "distance"])
def test_the_lines_run_and_lay_out_the_same(digits, compare):
    net, pictures, ask = digits
    found = ask("pca", compare, limit=60)
    scope = {"model": net.module, "dataset": pictures, "preprocess": net.preprocess}
    exec(found.code(net, pictures).replace("dataset = ...", ""), scope)
    assert list(scope["beside"]) == [one.title for one in found.compared]
    assert scope["points"].shape == (60, 2)
    for one in found.compared:
        stay = np.isfinite(one.points).all(1)
        aligned = cw.methods.align(scope["beside"][one.title], one.points[stay], mirror=True)
        np.testing.assert_allclose(aligned.points, one.points[stay], atol=1e-3)
