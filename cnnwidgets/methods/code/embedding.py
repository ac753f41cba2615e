"""The lines that lay features out in two dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

_LAY_OUT = {
    "pca": """\
from sklearn.decomposition import PCA
points = PCA(2).fit_transform(values)""",
    "tsne": """\
from openTSNE import TSNE
from sklearn.decomposition import PCA
start = PCA(2).fit_transform(values)
reduced = {reduced}
tsne = TSNE(
    perplexity={perplexity}, early_exaggeration={early_exaggeration}, early_exaggeration_iter={early_exaggeration_iter},
    n_iter={rest}, learning_rate={learning_rate!r}, metric={metric!r}, theta={theta}, negative_gradient_method="bh",
    initialization=start / start[:, 0].std() * 1e-4, random_state={seed},
)
points = tsne.fit(reduced)  # as good a layout, but another one: rounding grows""",
    "umap": """\
from sklearn.decomposition import PCA
from umap import UMAP
umap = UMAP(
    n_neighbors={n_neighbors}, min_dist={min_dist}, n_epochs={n_epochs}, learning_rate={learning_rate},
    metric={metric!r}, init=PCA(2).fit_transform(values), random_state={seed},
)
points = umap.fit_transform(values{labels})  # as good a layout, but another one: chance is asked in another order""",
}


def layout_lines(method: str, params: dict[str, Any], *, seed: int, n: int, labels: np.ndarray | None) -> str:
    """The lines that put a layout of the n rows of ``values`` into ``points``, (n, 2).

    Parameters:
        params: all of the method's, see ``PARAMETERS``.
        labels: (n,) of a supervised UMAP.
    """
    known = "" if labels is None else f", np.array({labels.tolist()})"
    shown = {"rest": 0, "learning_rate": "auto", **params, "seed": seed, "labels": known}
    if method == "tsne":
        shown["rest"] = params["n_iter"] - params["early_exaggeration_iter"]
        shown["learning_rate"] = params["learning_rate"] or "auto"
        components = params["pca_components"] and min(params["pca_components"], n)
        shown["reduced"] = f"PCA({components}, random_state={seed}).fit_transform(values)" if components else "values"
    return _LAY_OUT[method].format(**shown)
