"""What can be set of a layout."""

from __future__ import annotations

from typing import Any

from cnnwidgets.base import Panel
from cnnwidgets.base.traits import Choice, Flag, Number, Seed
from cnnwidgets.methods import PARAMETERS
from cnnwidgets.methods.embedding_parameters import METRICS
from cnnwidgets.numbers import number

LABELS = {"n_iter": "iterations", "n_neighbors": "neighbors", "n_epochs": "epochs", "min_dist": "least distance"}
"""What the parameters are called in their controls, as far as it is not their name."""


def _parameter(name: str, *methods: str) -> Any:
    """The trait of a parameter, shown with the methods that have it; None is the method's own choice."""
    row = PARAMETERS[methods[0]][name]
    usual = "automatic" if row.default is None else f"automatic ({number(row.default)})"
    return Number(
        None, row.low or 0, row.high or 1, whole=row.whole, free=True, none=usual, more=True, when={"method": methods},
        label=LABELS.get(name, name.replace("_", " ")), help=row.help,
    )  # fmt: skip


class LayoutParameters(Panel):
    """A panel with a layout: the traits that a layout depends on. Those of one method alone are shown with it only."""

    perplexity = _parameter("perplexity", "tsne")
    early_exaggeration = _parameter("early_exaggeration", "tsne")
    n_iter = _parameter("n_iter", "tsne")
    n_neighbors = _parameter("n_neighbors", "umap")
    min_dist = _parameter("min_dist", "umap")
    n_epochs = _parameter("n_epochs", "umap")
    supervised = Flag(
        False,
        help="Also use the labels: UMAP draws pictures with the same one together.",
        more=True,
        when={"method": ["umap"]},
    )
    learning_rate = _parameter("learning_rate", "tsne", "umap")
    metric = Choice(METRICS, help=PARAMETERS["tsne"]["metric"].help, more=True, when={"method": ["tsne", "umap"]})
    seed = Seed(help="Random seed of the layout.")
