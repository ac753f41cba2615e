"""Neighbors by brute force, trustworthiness and silhouette beside scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.manifold import trustworthiness as peer_trustworthiness
from sklearn.metrics import silhouette_score
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from cnnwidgets.methods.neighbors import nearest, separation, trust

DIGITS, LABELS = load_digits(return_X_y=True)
RNG = np.random.default_rng(0)
FEATURES, PICTURE = RNG.normal(size=(300, 12)), RNG.normal(size=(300, 2))


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "manhattan"])
def test_the_nearest_are_scikit_learns(metric):
    theirs = NearestNeighbors(n_neighbors=7, metric=metric).fit(FEATURES).kneighbors(return_distance=False)
    assert np.array_equal(nearest(FEATURES, 7, metric=metric), theirs)
    assert np.array_equal(nearest(FEATURES, 7, metric=metric, rows=np.array([5, 2])), theirs[[5, 2]])


def test_of_equally_near_ones_the_first_is_first():
    found = nearest(np.zeros((6, 3)), 3)
    assert found.tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2], [0, 1, 2], [0, 1, 2]]
    corners = np.array([[0, 0], [1, 0], [0, 1], [-1, 0], [0, -1]])
    assert nearest(corners, 2)[0].tolist() == [1, 2]


@pytest.mark.parametrize("k", [1, 5, 10, 149])
def test_trustworthiness_is_scikit_learns(k):
    found = trust(FEATURES, PICTURE, k)
    assert found.mean == pytest.approx(peer_trustworthiness(FEATURES, PICTURE, n_neighbors=k), abs=1e-6)
    assert found.exact
    assert found.trustworthiness.shape == found.kept.shape == (300,)


@pytest.mark.parametrize("metric", ["cosine", "manhattan"])
def test_trustworthiness_is_scikit_learns_in_other_metrics(metric):
    theirs = peer_trustworthiness(FEATURES, PICTURE, n_neighbors=5, metric=metric)
    assert trust(FEATURES, PICTURE, 5, metric=metric).mean == pytest.approx(theirs, abs=1e-6)


def test_kept_is_the_overlap_of_the_two_neighborhoods():
    found = trust(FEATURES, PICTURE, 10)
    pairs = zip(nearest(FEATURES, 10), nearest(PICTURE, 10), strict=True)
    overlap = [len(set(true) & set(shown)) / 10 for true, shown in pairs]
    np.testing.assert_allclose(found.kept, overlap, rtol=1e-6)


def test_a_faithful_picture_keeps_everything():
    flat = np.pad(PICTURE, ((0, 0), (0, 5)))
    found = trust(flat, PICTURE)
    assert found.mean == found.mean_kept == 1
    assert repr(found) == "<trustworthiness 1.000, 100% of 10 neighbors kept>"


def test_the_point_that_was_moved_is_the_one_not_to_trust():
    line = np.arange(100.0)[:, None]
    picture = np.pad(line, ((0, 0), (0, 1)))
    picture[3] = 90.5, 0
    found = trust(line, picture, 4)
    assert found.trustworthiness.argmin() == 3
    # its four nearest in the picture are 90, 91, 89 and 92: of 99 others 86, 87, 85 and 88 are nearer
    others = sorted(abs(line[:, 0] - 3))
    ranks = [others.index(j - 3) for j in (89, 90, 91, 92)]
    assert found.trustworthiness[3] == pytest.approx(
        1 - 2 / (4 * (200 - 12 - 1)) * sum(rank - 4 for rank in ranks), abs=1e-6
    )
    assert found.kept[3] == 0


def test_of_many_points_a_sample_is_measured_and_said():
    points = DIGITS[:, :2] + RNG.normal(size=(len(DIGITS), 2))
    full, part = trust(DIGITS, points), trust(DIGITS, points, most=600)
    assert not part.exact
    assert len(part.rows) == 600
    assert np.array_equal(part.trustworthiness, full.trustworthiness[part.rows])
    assert part.mean == pytest.approx(full.mean, abs=0.02)
    assert "of 600 points chosen from 1,797" in repr(part)


def test_separation_is_leave_one_out_and_silhouette():
    features, labels = DIGITS[:150], LABELS[:150]
    found = separation(features, labels, k=5)
    theirs = cross_val_score(KNeighborsClassifier(5, algorithm="brute"), features, labels, cv=LeaveOneOut()).mean()
    assert found.accuracy == pytest.approx(theirs, abs=1 / 150)  # of equally near neighbors either may vote
    assert found.silhouette == pytest.approx(silhouette_score(features, labels), abs=1e-6)
    assert (found.k, found.measured) == (5, 150)


def test_separation_of_a_sample():
    full, part = separation(DIGITS, LABELS), separation(DIGITS, LABELS, most=600)
    assert part.measured == 600
    assert part.accuracy == pytest.approx(full.accuracy, abs=0.02)
    assert part.silhouette == pytest.approx(full.silhouette, abs=0.03)


def test_names_are_labels_too():
    names = np.array(list("abcdefghij"))[LABELS[:300]]
    assert separation(DIGITS[:300], names) == separation(DIGITS[:300], LABELS[:300])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: nearest(FEATURES, 300), "k is 300, and 300 points allow 1 to 299 neighbors"),
        (lambda: nearest(FEATURES, 0), "k is 0"),
        (lambda: trust(FEATURES, PICTURE, 150), "allow 1 to 149"),
        (lambda: trust(FEATURES[:2], PICTURE[:2]), "2 points allow 1 to 0 neighbors"),
        (lambda: trust(FEATURES, PICTURE[:9]), "9 points are compared with 300 features"),
        (lambda: separation(FEATURES, np.zeros(300)), "300 pictures have 1 different labels"),
        (lambda: separation(FEATURES, np.arange(300)), "300 pictures have 300 different labels"),
        (lambda: separation(FEATURES, np.zeros(3)), r"labels have shape \(3,\); 300 pictures need \(300,\)"),
    ],
)
def test_what_does_not_fit_is_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
