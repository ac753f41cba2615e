"""What can be looked at beside a layout, to read it right (Wattenberg, Viégas and Johnson, Distill 2016)."""

from __future__ import annotations

from typing import Any

PERPLEXITIES = (5, 15, 50, 150)

COMPARISONS = {
    "nothing": "nothing beside it",
    "perplexities": "four perplexities",
    "seeds": "two other seeds",
    "noise": "noise of the same shape",
}
"""What can be looked at beside a layout, to read it right."""


def comparisons(compare: str, method: str, n: int, seed: int = 0) -> list[tuple[str, dict[str, Any]]]:
    """What to compare a layout of n pictures with: a title, and what is different there.

    That is a parameter, the ``seed``, or ``noise=True``: of :func:`cnnwidgets.methods.noise_like` instead of the features.

    Parameters:
        compare: a name in ``COMPARISONS``.
        method, seed: of the layout.

    Raises:
        ValueError: PCA has no parameter and no seed to compare, or there are too few pictures.
    """
    if compare == "noise":
        return [("noise of the same shape", {"noise": True})]
    if compare == "nothing":
        return []
    if method == "pca":
        raise ValueError("PCA knows neither perplexity nor chance: compare t-SNE or UMAP")
    if compare == "seeds":
        return [(f"seed {seed + k}", {"seed": seed + k}) for k in (1, 2)]
    name, most = ("perplexity", (n - 1) / 3) if method == "tsne" else ("n_neighbors", n - 1)
    fitting = [value for value in PERPLEXITIES if value <= most]
    if not fitting:
        raise ValueError(f"{n} pictures are too few to compare a {name} of {PERPLEXITIES[0]} or more: take more pictures")
    return [(f"{name} {value}", {name: value}) for value in fitting]
