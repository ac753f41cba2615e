"""What can be set of a layout: a table by method, with the range of each value and a line that says what it does."""

from __future__ import annotations

import math
from typing import Any

from cnnwidgets.methods.parameters import Parameter
from cnnwidgets.net.layers import nearest

METRICS = ("euclidean", "cosine", "manhattan")


_METRIC = Parameter("euclidean", "How the distance of two pictures' features is measured.", choices=METRICS)

PARAMETERS: dict[str, dict[str, Parameter]] = {
    "pca": {},
    "tsne": {
        "perplexity": Parameter(30.0, "About how many neighbors each point tries to stay close to.", 1, 500),
        "learning_rate": Parameter(
            None, "Length of a step; by default pictures / exaggeration (Belkina et al. 2019).", 1, 1e6
        ),
        "early_exaggeration": Parameter(12.0, "How much stronger neighbors attract at first, so that groups form.", 1, 100),
        "early_exaggeration_iter": Parameter(250, "Iterations with that exaggeration.", 0, 10_000, whole=True),
        "n_iter": Parameter(1000, "Iterations in all.", 1, 100_000, whole=True),
        "metric": _METRIC,
        "pca_components": Parameter(
            50,
            "Principal components that the features are reduced to first, if the metric is euclidean.",
            2,
            10_000,
            whole=True,
        ),
        "theta": Parameter(0.8, "How coarsely far points are taken together: 0 exactly, 1 fast (Barnes-Hut).", 0, 1),
    },
    "umap": {
        "n_neighbors": Parameter(
            15, "How many neighbors join a point: few show detail, many the whole.", 2, 500, whole=True
        ),
        "min_dist": Parameter(0.1, "How close points may lie: small packs groups tightly.", 0, 1),
        "learning_rate": Parameter(1.0, "Length of the first step; it falls to 0.", 0.001, 100),
        "n_epochs": Parameter(
            None, "Passes over all pairs; by default 500, beyond 10,000 pictures 200.", 1, 100_000, whole=True
        ),
        "metric": _METRIC,
        "label_weight": Parameter(0.5, "With labels: 0 only the features count, 1 only the labels.", 0, 1),
    },
}
"""By method and name. A table that controls read."""

TITLES = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
"""What methods are called in a sentence."""

LEAST = {"pca": 1, "tsne": 4, "umap": 4}
"""Pictures that a method needs."""


def complete(method: str, given: dict[str, Any], n: int) -> dict[str, Any]:
    """All parameters of a method for n pictures: those given, and the usual ones, made to fit, for the others.

    Raises:
        ValueError: no such method, a value out of range, or too few pictures for it.
        TypeError: no such parameter; names like it are offered.
    """
    if method not in PARAMETERS:
        raise ValueError(
            f"there is no method {method!r}: use {', '.join(map(repr, PARAMETERS))}.{nearest(method, [*PARAMETERS])}"
        )
    table = PARAMETERS[method]
    for name in given:
        if name not in table:
            others = ", ".join(table) or "none"
            raise TypeError(f"{method} has no parameter {name!r}.{nearest(name, [*table])} It has: {others}")
    if n < LEAST[method]:
        there = "there is 1" if n == 1 else f"there are {n}"
        raise ValueError(f"at least {LEAST[method]} pictures make a {TITLES[method]}; {there}: take more, or method='pca'")
    settled = {name: row.check(name, given.get(name, row.default)) for name, row in table.items()}
    if method == "pca":
        return settled
    name, most = neighbors_at_most(method, n)
    if settled[name] > most and name in given:
        allowed = f"allow at most {most:g}, a third of the others" if method == "tsne" else f"have at most {most:g} each"
        raise ValueError(f"{name} is {given[name]:g}, and {n:,} pictures {allowed}: lower it or take more pictures")
    settled[name] = min(settled[name], most)
    if method == "tsne":
        settled["early_exaggeration_iter"] = min(settled["early_exaggeration_iter"], settled["n_iter"])
    else:
        settled["n_epochs"] = settled["n_epochs"] or (500 if n <= 10_000 else 200)
    return settled


def neighbors_at_most(method: str, n: int) -> tuple[str, float]:
    """The parameter that says how many neighbors count, of t-SNE or UMAP, and its highest value for n pictures."""
    return ("perplexity", math.floor((n - 1) / 3 * 100) / 100) if method == "tsne" else ("n_neighbors", n - 1)
