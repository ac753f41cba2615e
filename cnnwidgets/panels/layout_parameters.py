"""What can be set of a layout: public traits with their controls, and the layouts that they ask for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import traitlets as t

from cnnwidgets.methods import PARAMETERS, Features, Layout, noise_like
from cnnwidgets.methods.aligned_layout import AlignedLayout
from cnnwidgets.methods.embedding_parameters import METRICS
from cnnwidgets.panels.controls import Choice, Number, Tick
from cnnwidgets.panels.panel import Panel


def _parameter(methods: str, name: str) -> t.TraitType:
    """The trait of a layout's parameter; None is the method's own choice."""
    row = PARAMETERS[methods.split()[0]][name]
    usual = "chosen from the data" if row.default is None else f"{row.default:g}"
    kind = t.Int if row.whole else t.Float
    control = Number(row.low or 0, row.high or 1, row.whole)
    return kind(None, allow_none=True, help=f"{row.help} 0 stands for the usual: {usual}.").tag(control=control, of=methods)


class LayoutParameters(Panel):
    """A panel with a layout: the traits that a layout depends on. Those of one method alone are shown with it only."""

    perplexity = _parameter("tsne", "perplexity")
    early_exaggeration = _parameter("tsne", "early_exaggeration")
    iterations = _parameter("tsne", "iterations")
    neighbours = _parameter("umap", "neighbours")
    minimum_distance = _parameter("umap", "minimum_distance")
    epochs = _parameter("umap", "epochs")
    supervised = t.Bool(False, help="UMAP draws pictures with the same label together").tag(control=Tick(), of="umap")
    learning_rate = _parameter("tsne umap", "learning_rate")
    metric = t.Enum(METRICS, "euclidean", help=PARAMETERS["tsne"]["metric"].help).tag(
        control=Choice(lambda panel: [(name, name) for name in METRICS]), of="tsne umap"
    )
    seed = t.Int(0, min=0, help="of what is left to chance in a layout").tag(control=Number(0, 10_000, whole=True))


def parameters(method: str) -> dict[str, t.TraitType]:
    """The traits that a method knows."""
    traits = LayoutParameters.public_traits().items()
    return {name: trait for name, trait in traits if method in trait.metadata.get("of", "").split()}


def key_of(asked: SimpleNamespace, found: Features) -> tuple:
    """What a layout depends on."""
    own = (getattr(asked, name) for name in parameters(asked.method))
    return found.layer, asked.pool, asked.method, asked.seed, *own


def layout_of(
    asked: SimpleNamespace, found: Features, before: np.ndarray | None, *, noise: bool = False, **other: Any
) -> AlignedLayout:
    """A layout with the panel's parameters, as far as there are no others."""
    own = {name: getattr(asked, name) for name in PARAMETERS[asked.method] if getattr(asked, name, None) is not None}
    labels = found.labels if asked.method == "umap" and asked.supervised else None
    values = noise_like(found.values) if noise else found.values
    return AlignedLayout(Layout(values, asked.method, **{"seed": asked.seed, "labels": labels, **own, **other}), before)
