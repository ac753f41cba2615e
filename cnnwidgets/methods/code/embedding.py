"""The lines that lay features out in two dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

_LAY_OUT = {
    "pca": """\
from sklearn.decomposition import PCA
{points} = PCA(2).fit_transform({values})""",
    "tsne": """\
from openTSNE import TSNE
from sklearn.decomposition import PCA
start = PCA(2).fit_transform({values})
reduced = {reduced}
tsne = TSNE(
    perplexity={perplexity}, early_exaggeration={early_exaggeration}, early_exaggeration_iter={early_exaggeration_iter},
    n_iter={rest}, learning_rate={learning_rate!r}, metric={metric!r}, theta={theta}, negative_gradient_method="bh",
    initialization=start / start[:, 0].std() * 1e-4, random_state={seed},
)
{points} = tsne.fit(reduced)  # as good a layout, but another one: rounding grows""",
    "umap": """\
from sklearn.decomposition import PCA
from umap import UMAP
umap = UMAP(
    n_neighbors={n_neighbors}, min_dist={min_dist}, n_epochs={n_epochs}, learning_rate={learning_rate},
    metric={metric!r}, init=PCA(2).fit_transform({values}), random_state={seed},
)
{points} = umap.fit_transform({values}{labels})  # as good a layout, but another one: chance is asked in another order""",
}


_CHANGE = {
    "spread": "changed[rows] = values[rows].mean(0) + {factor!r} * (values[rows] - values[rows].mean(0))",
    "move": "changed[rows] += {rest!r} * (values[rows].mean(0) - np.delete(values, rows, 0).mean(0))",
    "thin": "changed = np.delete(values, {left_out}, 0)",
}


def changing_lines(kind: str, factor: float, rows: np.ndarray, stay: np.ndarray) -> str:
    """The lines that put features in which a class is changed into ``changed``, see :func:`changed_class`.

    Parameters:
        rows, stay: bool (n,), the pictures of the class, and those that stay.
    """
    change = _CHANGE[kind].format(factor=factor, rest=factor - 1, left_out=np.flatnonzero(~stay).tolist())
    return f"import numpy as np\nrows = {np.flatnonzero(rows).tolist()}\nchanged = values.copy()\n{change}"


def projecting_lines(points: str) -> str:
    """The lines that lay ``changed`` features out on the principal axes of ``values``."""
    return f"from sklearn.decomposition import PCA\n{points} = PCA(2).fit(values).transform(changed)"


NOISE = """\
import numpy as np
noise = np.random.default_rng(0).standard_normal(values.shape, np.float32) * values.std(0) + values.mean(0)"""
"""The lines of :func:`cnnwidgets.methods.noise_like`."""


def layout_lines(
    method: str, params: dict[str, Any], *, seed: int, n: int, labels: np.ndarray | None, values: str, points: str
) -> str:
    """The lines that put a layout of n rows into (n, 2) points.

    Parameters:
        params: all of the method's, see ``PARAMETERS``.
        labels: (n,) of a supervised UMAP.
        values, points: what both are called in the lines.
    """
    known = "" if labels is None else f", np.array({labels.tolist()})"
    shown = {"rest": 0, "learning_rate": "auto", **params, "seed": seed, "labels": known, "values": values, "points": points}
    if method == "tsne":
        shown["rest"] = params["n_iter"] - params["early_exaggeration_iter"]
        shown["learning_rate"] = params["learning_rate"] or "auto"
        components = params["pca_components"] and min(params["pca_components"], n)
        shown["reduced"] = f"PCA({components}, random_state={seed}).fit_transform({values})" if components else values
    return _LAY_OUT[method].format(**shown)
