"""One data set laid out again and again: what is asked for is there, and what is known is not computed again."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from cnnwidgets.methods import embed, features, separation
from cnnwidgets.methods.embedding_session import EmbeddingSession
from cnnwidgets.net import Cancelled
from tests.methods.data_sets import Pictures, network

SIZE = 30


class Asking:
    """A session, and what is told while it runs."""

    def __init__(self):
        self.session = EmbeddingSession(network(), Pictures(SIZE))
        self.before, self.told, self.said, self.stop = None, [], [], threading.Event()

    def __call__(self, **wishes):
        wish = {"layer": "5", "pool": "grid", "limit": SIZE, "method": "pca", "seed": 0, "supervised": False}
        more = {"compare": "nothing", "playing": True, "added": [], "restart": False, "watched": False}
        self.asked = SimpleNamespace(**wish | more | wishes)
        self.told.clear()
        found = self.session.run(
            self.asked,
            self.before,
            on_update=lambda state, fraction: self.told.append((state.embedding.iteration, fraction)),
            on_progress=lambda words, fraction: self.said.append(words),
            cancel=self.stop,
        )
        self.before = found
        return found


@pytest.fixture
def ask():
    return Asking()


def test_the_layout_is_the_method_s(ask):
    found = ask(method="tsne", n_iter=30, perplexity=5)
    own = features(network(), Pictures(SIZE), "5", pool="grid")
    np.testing.assert_array_equal(found.features.values, own.values)
    np.testing.assert_allclose(found.embedding.points, embed(own.values, "tsne", n_iter=30, perplexity=5).points, atol=1e-4)
    assert found.separation["5"] == separation(own.values, own.labels)


def test_each_step_is_told_and_the_last_is_the_end(ask):
    ask(method="tsne", n_iter=30)
    assert (ask.told[0], ask.told[-1]) == ((0, 0.0), (30, 1.0))
    assert ask.told == sorted(set(ask.told))


def test_what_does_not_play_stays_at_its_start_and_goes_on_from_there(ask):
    whole = Asking()(method="tsne", n_iter=30)
    still = ask(method="tsne", n_iter=30, playing=False)
    assert (still.finished, still.embedding.iteration) == (False, 0)
    np.testing.assert_array_equal(ask(method="tsne", n_iter=30).points, whole.points)


def test_a_layout_that_is_known_is_there_at_once(ask):
    first = ask(method="tsne", n_iter=30)
    ask(method="tsne", n_iter=30, seed=1)
    assert ask(method="tsne", n_iter=30).points is first.points
    assert ask.told == [(30, 0.0)]


def test_a_restart_happens_once(ask):
    first = ask(method="tsne", n_iter=30)
    again = ask(method="tsne", n_iter=30, restart=True)
    assert ask.told[0] == (0, 0.0)
    assert (ask.asked.restart, ask.asked.watched) == (False, False)
    np.testing.assert_array_equal(again.points, first.points)


def test_pictures_join_where_the_layout_has_ended(ask):
    found = ask(added=[Pictures(SIZE)[3][0]])
    np.testing.assert_allclose(found.added.points[0], found.points[3], atol=1e-5)
    np.testing.assert_array_equal(found.places, [*found.points, *found.added.points])
    assert ask(method="tsne", n_iter=30, added=[Pictures()[3]], playing=False).added is None


def test_a_cancel_leaves_the_newest_state(ask):
    first = ask()
    ask.stop.set()
    with pytest.raises(Cancelled) as caught:
        ask(method="tsne", n_iter=30, seed=5)
    assert caught.value.partial.features is first.features
    assert caught.value.partial.embedding.method == "tsne"
    ask.before = None
    with pytest.raises(Cancelled) as caught:
        ask(limit=10)
    assert caught.value.partial is None


def test_what_lies_beside_differs_in_what_is_compared(ask):
    found = ask(method="tsne", n_iter=20, compare="seeds")
    assert [(one.title, one.same) for one in found.compared] == [("seed 1", True), ("seed 2", True)]
    noise = ask(method="tsne", n_iter=20, compare="noise")
    assert [(one.title, one.same) for one in noise.compared] == [("random numbers of the same shape", False)]
    assert "Beside it: seed 2 …" in ask.said
