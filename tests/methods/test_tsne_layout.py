"""The order in which t-SNE's points lie in memory saves time, and changes nothing but the rounding of its sums."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from cnnwidgets.methods.embedding import Layout
from cnnwidgets.methods.tsne_layout import TSNE, UNFOLDED, _rows

DIGITS = load_digits().data[:400]


def moved(monkeypatch, sorts: bool, iterations: int) -> np.ndarray:
    with monkeypatch.context() as patched:
        if not sorts:
            patched.setattr(TSNE, "_sort", lambda self: None)
        return Layout(DIGITS, early_exaggeration_iter=20, n_iter=100).step(iterations).points


@pytest.mark.parametrize("iterations", [20, 25, 20 + UNFOLDED + 5])
def test_sorted_points_go_where_unsorted_ones_go(monkeypatch, iterations):
    one, other = (moved(monkeypatch, sorts, iterations) for sorts in (True, False))
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * np.abs(other).max())


def test_what_moves_the_points_is_sorted_with_them():
    layout = Layout(DIGITS, early_exaggeration_iter=20, n_iter=100)
    layout.step(30)
    tsne = layout._layouter
    held = [
        tsne._moving,
        tsne._pulls.toarray(),
        tsne._descent.gains,
        tsne._descent.update,
        tsne._known[1],
    ]
    points, place = tsne.points, tsne._place
    tsne._moving += 3.0 * np.arange(400)[::-1, None]  # so that there is something to sort
    tsne._sort()
    order = [np.flatnonzero(place == row)[0] for row in range(400)]  # the picture of each row before
    after = [np.flatnonzero(tsne._place == row)[0] for row in range(400)]
    back = [order.index(picture) for picture in after]
    assert back != list(range(400))
    np.testing.assert_array_equal(tsne._moving, (points + 3.0 * np.arange(400)[::-1][place][:, None])[after])
    np.testing.assert_array_equal(tsne._pulls.toarray(), held[1][back][:, back])
    for now, before in (
        (tsne._descent.gains, held[2]),
        (tsne._descent.update, held[3]),
        (tsne._known[1], held[4]),
    ):
        np.testing.assert_array_equal(now, before[back])


@pytest.mark.parametrize("count", [1, 2, 7, 400])
def test_neighbors_follow_each_other_in_rows(count):
    points = np.random.default_rng(0).random((count, 2))
    order = _rows(points)
    assert sorted(order) == list(range(count))
    if count == 400:
        hop = np.linalg.norm(np.diff(points[order], axis=0), axis=1).mean()
        assert hop < 0.1 < 0.5 < np.linalg.norm(np.diff(points, axis=0), axis=1).mean()


def test_points_in_one_place_have_an_order():
    assert sorted(_rows(np.zeros((5, 2)))) == [0, 1, 2, 3, 4]
