"""What lies beside a layout differs from it in one thing."""

from __future__ import annotations

import pytest

from cnnwidgets.methods.layout_comparisons import comparisons


@pytest.mark.parametrize("method", ["tsne", "umap"])
def test_seeds_are_two_others_and_noise_is_noise(method):
    assert comparisons("seeds", method, 100, seed=3) == [("seed 4", {"seed": 4}), ("seed 5", {"seed": 5})]
    assert comparisons("noise", method, 100) == [("random numbers of the same shape", {"noise": True})]
    assert comparisons("nothing", method, 100) == []


@pytest.mark.parametrize(
    "method, name, n, values",
    [
        ("tsne", "perplexity", 1000, [5, 15, 50, 150]),
        ("tsne", "perplexity", 151, [5, 15, 50]),  # a third of the 150 others is 50
        ("tsne", "perplexity", 150, [5, 15]),
        ("umap", "n_neighbors", 151, [5, 15, 50, 150]),
        ("umap", "n_neighbors", 150, [5, 15, 50]),
    ],
)
def test_perplexities_are_those_that_so_many_pictures_allow(method, name, n, values):
    assert comparisons("perplexities", method, n) == [(f"{name} {value}", {name: value}) for value in values]


def test_pca_can_only_be_compared_with_noise():
    assert comparisons("noise", "pca", 10) == [("random numbers of the same shape", {"noise": True})]
    for what in ("perplexities", "seeds"):
        with pytest.raises(
            ValueError, match="PCA has neither a perplexity nor a random seed to compare: choose t-SNE or UMAP"
        ):
            comparisons(what, "pca", 10)


def test_few_pictures_have_no_perplexity_to_compare():
    with pytest.raises(ValueError, match="15 pictures are too few to compare a perplexity of 5 or more: take more pictures"):
        comparisons("perplexities", "tsne", 15)
