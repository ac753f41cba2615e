"""Layouts beside scikit-learn's and umap-learn's on the same data; same seed, same points; bad input is a sentence."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist, squareform
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.manifold import trustworthiness as peer_trustworthiness

from cnnwidgets.methods.embedding import EMBEDDINGS, Embedding, Layout, embed, noise_like
from cnnwidgets.methods.embedding_parameters import LEAST, PARAMETERS
from cnnwidgets.methods.neighbors import separation, trust
from cnnwidgets.net import Cancelled

DIGITS, LABELS = load_digits(return_X_y=True)
SOME, CLASSES = DIGITS[:600], LABELS[:600]
SHORT = {"pca": {}, "tsne": {"n_iter": 90, "early_exaggeration_iter": 30}, "umap": {"n_epochs": 30}}


@pytest.fixture(scope="module")
def tsne() -> Embedding:
    return embed(SOME, "tsne")


@pytest.fixture(scope="module")
def umap_layout() -> Embedding:
    return embed(SOME, "umap")


@pytest.fixture(scope="module")
def peer():
    import umap

    return umap.UMAP(random_state=0, n_jobs=1, init="pca").fit(SOME)


def joined_right(points: np.ndarray, joined: np.ndarray) -> float:
    """The share of pictures 600 and on that lie next to one of their class."""
    gaps = np.linalg.norm(joined[:, None] - points, axis=2)
    return (CLASSES[gaps.argmin(1)] == LABELS[600 : 600 + len(joined)]).mean()


# PCA


@pytest.mark.parametrize("shape", [(600, 64), (30, 64), (500, 2), (7, 1)])
def test_pca_is_that_of_the_singular_values(shape):
    features = DIGITS[: shape[0], 19 : 19 + shape[1]] if shape[1] < 64 else DIGITS[: shape[0]]
    found = embed(features, "pca")
    left, values, _ = np.linalg.svd(features - features.mean(0), full_matrices=False)
    for axis in range(min(2, shape[1])):
        truth = left[:, axis] * values[axis]
        sign = np.sign(truth @ found.points[:, axis])
        np.testing.assert_allclose(found.points[:, axis], sign * truth, atol=1e-4)
    np.testing.assert_allclose(found.explained[: shape[1]], (values**2 / (values**2).sum())[:2], rtol=1e-5)
    assert found.points.shape == (shape[0], 2)
    assert found.points.dtype == np.float32
    assert (found.iterations, found.loss) == (0, None)


def test_pca_is_scikit_learns_to_sign():
    theirs = PCA(2).fit(SOME)
    layout, points = embed(SOME, "pca"), theirs.transform(SOME)
    signs = np.sign((layout.points * points).sum(0))
    np.testing.assert_allclose(layout.points, signs * points, atol=1e-4)
    np.testing.assert_allclose(layout.add(DIGITS[600:700]), signs * theirs.transform(DIGITS[600:700]), atol=1e-4)


# t-SNE


def test_tsne_is_as_trustworthy_as_scikit_learns(tsne):
    theirs = TSNE(perplexity=30, init="pca", max_iter=1000, random_state=0).fit_transform(SOME)
    ours, peer = (peer_trustworthiness(SOME, points, n_neighbors=10) for points in (tsne.points, theirs))
    assert ours > peer - 0.005
    assert tsne.trustworthiness == pytest.approx(ours, abs=1e-4)  # of equally near digits either may be the first
    assert separation(tsne.points, CLASSES).accuracy > separation(theirs, CLASSES).accuracy - 0.02


def test_the_loss_is_the_divergence_of_the_two_distributions():
    from openTSNE.affinity import PerplexityBasedNN

    layout = Layout(SOME[:80], perplexity=20, theta=0, early_exaggeration_iter=0, pca_components=64, n_iter=40).step(40)
    wanted = PerplexityBasedNN(SOME[:80], 20, method="exact").P.toarray()
    shown = 1 / (1 + squareform(pdist(layout.points.astype(float))) ** 2)
    np.fill_diagonal(shown, 0)
    shown /= shown.sum()
    there = wanted > 0
    truth = (wanted[there] * np.log(wanted[there] / shown[there])).sum()
    assert layout.loss == pytest.approx(truth, rel=1e-5)


def test_early_exaggeration_is_that_of_opentsne():
    from openTSNE import TSNEEmbedding
    from openTSNE.affinity import PerplexityBasedNN

    features = SOME + np.random.default_rng(0).normal(0, 0.1, SOME.shape)  # no two neighbors equally near
    layout = Layout(features, pca_components=64)
    theirs = TSNEEmbedding(layout._layouter.points.copy(), PerplexityBasedNN(features, 30, method="exact"))
    theirs.optimize(
        30,
        inplace=True,
        exaggeration=12,
        momentum=0.5,
        learning_rate=50,
        min_num_intervals=20,
        negative_gradient_method="fft",
    )
    ours = layout.step(30)
    np.testing.assert_allclose(ours.points, theirs, rtol=1e-5, atol=1e-7)
    assert ours.loss == pytest.approx(theirs.kl_divergence, rel=1e-6)


def test_many_values_are_reduced_first_and_the_parameters_say_so():
    assert Layout(DIGITS[:60], "tsne").params["pca_components"] == 50
    assert Layout(DIGITS[:60, :40], "tsne").params["pca_components"] is None
    assert Layout(DIGITS[:60], "tsne", metric="cosine").params["pca_components"] is None


# UMAP


def test_umap_is_as_trustworthy_as_umap_learns(umap_layout, peer):
    ours, theirs = (peer_trustworthiness(SOME, points, n_neighbors=10) for points in (umap_layout.points, peer.embedding_))
    assert ours > theirs - 0.005
    assert separation(umap_layout.points, CLASSES).accuracy > separation(peer.embedding_, CLASSES).accuracy - 0.02
    assert np.ptp(umap_layout.points) == pytest.approx(np.ptp(peer.embedding_), rel=0.5)
    assert (umap_layout.iteration, umap_layout.loss) == (500, None)


def test_labels_draw_classes_together(umap_layout):
    known = np.where(np.arange(600) % 2, CLASSES, -1)
    supervised = embed(SOME, "umap", labels=known)
    hidden = known == -1
    before, after = (separation(found.points[hidden], CLASSES[hidden]) for found in (umap_layout, supervised))
    assert after.silhouette > before.silhouette


# all of them


@pytest.mark.parametrize("method", EMBEDDINGS)
def test_the_same_seed_gives_the_same_points_however_the_steps_are_taken(method):
    once = embed(SOME, method, seed=3, **SHORT[method])
    layout = Layout(SOME, method, seed=3, **SHORT[method])
    for count in (1, 4, 30, 1000):
        stepped = layout.step(count)
    assert layout.finished
    assert np.array_equal(once.points, stepped.points)
    assert once.loss == stepped.loss
    layout.restart()
    assert layout.embedding.iteration == 0
    assert np.array_equal(layout.step(1000).points, once.points)


@pytest.mark.parametrize("method", ["tsne", "umap"])
def test_another_seed_gives_other_points(method):
    one, two = (embed(SOME, method, seed=seed, **SHORT[method]) for seed in (0, 1))
    assert not np.array_equal(one.points, two.points)


@pytest.mark.parametrize("method", ["tsne", "umap"])
def test_a_layout_starts_from_pca_and_tells_how_far_it_is(method):
    told: list[tuple[Embedding, float]] = []
    last = embed(SOME, method, on_update=lambda *one: told.append(one), **SHORT[method])
    start, components = told[0][0], embed(SOME, "pca")
    for axis in range(2):
        assert np.corrcoef(start.points[:, axis], components.points[:, axis])[0, 1] > 0.99
    assert start.iteration == 0
    fractions = [fraction for _, fraction in told]
    assert fractions[0] == 0
    assert fractions == sorted(set(fractions))
    assert fractions[-1] < 1
    assert last.iteration == last.iterations
    assert not np.array_equal(start.points, last.points)


def test_a_cancelled_layout_hands_over_what_there_is():
    stop = threading.Event()
    with pytest.raises(Cancelled) as raised:
        embed(SOME, "tsne", cancel=stop, on_update=lambda now, _: now.iteration and stop.set())
    assert 0 < raised.value.partial.iteration < 1000
    assert np.isfinite(raised.value.partial.points).all()


def test_an_earlier_layout_stays_as_it_was():
    layout = Layout(SOME, "tsne")
    early = layout.step(5)
    kept = early.points.copy()
    layout.step(5)
    assert np.array_equal(early.points, kept)


@pytest.mark.parametrize("method", ["tsne", "umap"])
def test_pictures_join_a_layout_that_stays(method, tsne, umap_layout):
    layout = {"tsne": tsne, "umap": umap_layout}[method]
    before = layout.points.copy()
    joined = layout.add(DIGITS[600:620])
    assert joined.shape == (20, 2)
    assert joined.dtype == np.float32
    assert np.array_equal(layout.points, before)
    assert np.array_equal(joined, layout.add(DIGITS[600:620]))


@pytest.mark.parametrize("options", [{}, {"metric": "cosine"}])
@pytest.mark.parametrize("method", EMBEDDINGS)
def test_the_code_gives_a_layout_as_good(method, options):
    found = embed(SOME[:200], method, **({} if method == "pca" else SHORT[method] | options))
    space = {"values": SOME[:200]}
    exec(found.code(), space)
    if method == "pca":
        np.testing.assert_allclose(np.abs(space["points"]), np.abs(found.points), atol=1e-3)
    theirs = trust(SOME[:200], np.asarray(space["points"]), metric=options.get("metric", "euclidean"))
    assert theirs.mean == pytest.approx(found.trustworthiness, abs=0.05)


def test_the_code_of_a_supervised_umap_has_the_labels():
    labels = np.arange(40) % 3 - 1
    layout = Layout(SOME[:40], "umap", n_epochs=5, labels=labels)
    assert layout.step(5).labels is layout.labels
    assert f"umap.fit_transform(values, np.array({labels.tolist()}))" in layout.embedding.code()
    assert "umap.fit_transform(values)" in Layout(SOME[:40], "umap").embedding.code()


@pytest.mark.parametrize("method", ["tsne", "umap"])
def test_who_joins_an_early_layout_changes_no_later_one(method):
    layout, other = (Layout(SOME[:60], method, **SHORT[method]) for _ in range(2))
    early = layout.step(5)
    joined = early.add(SOME[60:63])
    layout.step(200)
    early.add(SOME[60:63])
    assert np.array_equal(layout.embedding.points, other.step(200).points)
    assert np.array_equal(early.add(SOME[60:63]), joined)
    assert not np.array_equal(layout.embedding.add(SOME[60:63]), joined)


def test_pictures_join_a_tsne_next_to_their_class(tsne):
    assert joined_right(tsne.points, tsne.add(DIGITS[600:1000])) > joined_right(SOME, DIGITS[600:1000]) - 0.03


def test_pictures_join_a_umap_as_in_umap_learn(umap_layout, peer):
    theirs = joined_right(peer.embedding_, peer.transform(DIGITS[600:1000]))
    assert joined_right(umap_layout.points, umap_layout.add(DIGITS[600:1000])) > theirs - 0.03


def test_a_picture_joins_its_twin(tsne):
    gaps = np.linalg.norm(tsne.add(SOME[:20]) - tsne.points[:20], axis=1)
    assert np.median(gaps) < 0.02 * np.ptp(tsne.points)


@pytest.mark.parametrize("method", EMBEDDINGS)
def test_it_leaves_no_trace_and_says_nothing(method, capfd):
    import numba

    def states():
        return np.random.get_state()[1].tolist(), random.getstate(), torch.get_rng_state().tolist()

    threads, before = (torch.get_num_threads(), numba.get_num_threads()), states()
    features = SOME.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ImportWarning)
        embed(features, method, **SHORT[method]).add(SOME[:3])
    assert states() == before
    assert (torch.get_num_threads(), numba.get_num_threads()) == threads
    assert np.array_equal(features, SOME)
    assert capfd.readouterr() == ("", "")


def test_what_takes_long_to_import_is_imported_when_it_is_asked_for():
    code = (
        "import sys, numpy as np, cnnwidgets.methods.embedding as e\n"
        "heavy = ('sklearn', 'openTSNE', 'umap', 'numba')\n"
        "loaded = lambda: [name for name in heavy if name in sys.modules]\n"
        "print(loaded()); e.embed(np.eye(9), 'tsne', n_iter=1); print(loaded())"
    )
    lines = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60).stdout
    assert lines.splitlines() == ["[]", "['sklearn', 'openTSNE']"]


def test_noise_has_the_shape_and_the_spread_and_no_groups():
    noise = noise_like(SOME, seed=1)
    assert noise.shape == SOME.shape
    assert noise.dtype == np.float32
    np.testing.assert_allclose(noise.mean(0), SOME.mean(0), atol=1)
    np.testing.assert_allclose(noise.std(0), SOME.std(0), rtol=0.15)
    assert separation(noise, CLASSES).accuracy < 0.2
    assert np.array_equal(noise, noise_like(SOME, seed=1))


def test_the_features_may_come_with_their_layer():
    given = SimpleNamespace(values=SOME[:50].astype(np.float32))
    assert np.array_equal(embed(given, "pca").points, embed(given.values, "pca").points)


def test_the_representation_says_what_it_is(tsne):
    assert repr(tsne).startswith("<tsne of 600 pictures with 64 values, iteration 1,000 of 1,000, divergence 0.")
    assert repr(embed(SOME, "pca")) == "<pca of 600 pictures with 64 values>"


# parameters


@pytest.mark.parametrize("method", EMBEDDINGS)
def test_every_parameter_is_in_the_result_and_in_the_table(method):
    assert Layout(SOME, method).params.keys() == PARAMETERS[method].keys()
    for name, row in PARAMETERS[method].items():
        assert row.help.endswith(".")
        assert row.choices or row.low < row.high
        assert row.check(name, row.default) == row.default


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ({"perplexty": 5}, TypeError, "tsne has no parameter 'perplexty'. Did you mean 'perplexity'?"),
        ({"perplexity": 200}, ValueError, "600 pictures allow at most 199.66, a third of the others: lower it"),
        ({"perplexity": "large"}, ValueError, "expected a number from 1 to 500"),
        ({"n_iter": 2.5}, ValueError, "n_iter is 2.5; expected a whole number"),
        ({"metric": "hamming"}, ValueError, "expected one of 'euclidean', 'cosine', 'manhattan'"),
        ({"method": "t-sne"}, ValueError, "there is no method 't-sne': use 'pca', 'tsne', 'umap'. Did you mean 'tsne'?"),
        ({"method": "umap", "n_neighbors": 500, "n": 100}, ValueError, "100 pictures have at most 99 each"),
        ({"labels": CLASSES}, ValueError, "labels are for method='umap'"),
        ({"method": "umap", "labels": CLASSES[:5]}, ValueError, "expected 600 whole numbers"),
    ],
)
def test_a_parameter_that_does_not_fit_is_a_sentence(change, error, sentence):
    options = {"method": "tsne", **change}
    features = SOME[: options.pop("n", 600)]
    with pytest.raises(error) as raised:
        Layout(features, **options)
    assert sentence in str(raised.value)


@pytest.mark.parametrize(
    ("features", "sentence"),
    [
        (SOME[0], r"features have shape \(64,\); expected \(pictures, values\)"),
        (SOME[:0], r"features have shape \(0, 64\)"),
        (np.where(np.arange(600)[:, None] == 7, np.nan, SOME), "the features of picture 7 are NaN or infinite"),
        (np.ones((20, 5)), "all 20 pictures have the same features: there is no layout of them; take another layer"),
        (SOME[:1], "at least 4 pictures make a t-SNE; there is 1: take more, or method='pca'"),
    ],
)
def test_features_that_cannot_be_laid_out_are_a_sentence(features, sentence):
    with pytest.raises(ValueError, match=sentence):
        embed(features, "tsne")


def test_features_without_direction_have_no_cosine():
    with pytest.raises(ValueError, match="picture 2 are all 0, which have no direction"):
        embed(np.where(np.arange(9)[:, None] == 2, 0, SOME[:9]), "tsne", metric="cosine")


@pytest.mark.parametrize("features", [SOME[:1], np.ones((5, 3)), np.ones((5, 1))])
def test_pca_of_pictures_that_do_not_differ_lies_at_the_origin(features):
    found = embed(features, "pca")
    assert np.array_equal(found.points, np.zeros((len(features), 2)))
    assert np.array_equal(found.explained, [0, 0])
    assert np.array_equal(found.add(features), found.points)


@pytest.mark.parametrize("method", EMBEDDINGS)
@pytest.mark.parametrize("metric", ["euclidean", "cosine", "manhattan"])
@pytest.mark.parametrize("n", [1, 2, 4, 5, 12])
def test_few_pictures_are_laid_out(method, metric, n):
    options = {} if method == "pca" else {**SHORT[method], "metric": metric}
    found = embed(SOME[: max(n, LEAST[method])], method, **options)
    assert np.isfinite(found.points).all()
    assert np.isfinite(found.add(SOME[20:22])).all()


@pytest.mark.parametrize("method", EMBEDDINGS)
@pytest.mark.parametrize("features", [np.repeat(SOME[:10], 4, axis=0), SOME[:40, 20:21], SOME[:40].astype(np.uint8)])
def test_equal_pictures_and_single_values_are_laid_out(method, features):
    found = embed(features, method, **SHORT[method])
    assert np.isfinite(found.points).all()
