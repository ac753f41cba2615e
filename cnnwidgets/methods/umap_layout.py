"""UMAP: a graph of neighbors, drawn by sampling its edges."""

from __future__ import annotations

import copy
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np

from cnnwidgets.methods.layouts import Components, Layouter, jitter
from cnnwidgets.optional import needs

WIDE = 10.0
"""Side of the layout that UMAP starts from."""


@needs("umap-learn", "The UMAP layout")
def library() -> SimpleNamespace:
    """What is used of umap-learn, some of which it does not document."""
    from umap import UMAP
    from umap.layouts import optimize_layout_euclidean
    from umap.umap_ import find_ab_params, make_epochs_per_sample

    return SimpleNamespace(
        UMAP=UMAP,
        optimize_layout_euclidean=optimize_layout_euclidean,
        find_ab_params=find_ab_params,
        make_epochs_per_sample=make_epochs_per_sample,
    )


class Graph:
    """The pictures and their nearest neighbors, joined by edges, as umap-learn finds them, once.

    Attributes:
        start: float32 (n, 2), the principal components, ten units wide.
    """

    def __init__(self, features: np.ndarray, seed: int, params: dict[str, Any], labels: np.ndarray | None):
        self._features, self._params, self._seed, self._labels = features, params, seed, labels
        first = jitter(Components(features, seed).points, seed)
        self.start = (WIDE * (first - first.min(0)) / np.ptp(first, axis=0)).astype(np.float32)

    @property
    def known(self) -> bool:
        """Whether it has been found."""
        return "_model" in vars(self)

    @cached_property
    def _model(self) -> Any:
        model = (
            library()
            .UMAP(
                n_neighbors=self._params["n_neighbors"],
                min_dist=self._params["min_dist"],
                metric=self._params["metric"],
                target_weight=self._params["label_weight"],
                init=self.start,
                n_epochs=0,
                random_state=self._seed,
                transform_seed=self._seed,
                n_jobs=1,
            )
            .fit(self._features, self._labels)
        )
        model.n_epochs = None  # transform's own number
        return model

    @cached_property
    def edges(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(edges,) each: where they begin, where they end, and every how many epochs each is due."""
        epochs, graph = self._params["n_epochs"], self._model.graph_.tocoo()
        strong = graph.data >= graph.data.max() / epochs  # weaker edges are due in no epoch
        return graph.row[strong], graph.col[strong], library().make_epochs_per_sample(graph.data[strong], epochs)

    @cached_property
    def curve(self) -> tuple[float, float]:
        """a and b of 1 / (1 + a d^(2 b)), how strongly points at a distance d belong together."""
        return library().find_ab_params(1.0, self._params["min_dist"])

    def add(self, features: np.ndarray, points: np.ndarray) -> np.ndarray:
        model = copy.copy(self._model)
        model.embedding_ = points.astype(np.float32)
        return model.transform(features)


class UMAP(Layouter):
    """UMAP (McInnes, Healy and Melville 2018), by umap-learn: a graph of neighbors, drawn by sampling its edges.

    umap-learn tells nothing before its last epoch, so each epoch is a call of its own, with the edges that are due in it.
    """

    fitted: Graph

    def __init__(self, features: np.ndarray, seed: int, params: dict[str, Any], labels: np.ndarray | None):
        library()  # at once, and not only when it begins
        self._params, self._seed = params, seed
        self.iterations = params["n_epochs"]
        self.fitted = Graph(features, seed, params, labels)
        self.begin()

    @property
    def preparing(self) -> str:
        return "" if self.fitted.known else "compiling UMAP, which may take a minute once a session"

    def begin(self) -> None:
        self.points = self.fitted.start.copy()
        self._chance = np.random.RandomState(self._seed)

    def step(self, iteration: int, count: int) -> int:
        if iteration == 0:
            self._due = self.fitted.edges[2].copy()
        count = min(count, self.iterations - iteration)
        for epoch in range(iteration, iteration + count):
            self._epoch(epoch)
        return count

    def _epoch(self, epoch: int) -> None:
        heads, tails, every = self.fitted.edges
        now = self._due <= epoch
        self._due[now] += every[now]
        library().optimize_layout_euclidean(
            self.points,
            self.points,
            heads[now],
            tails[now],
            2,  # epochs, in the first of which nothing is due
            len(self.points),
            np.ones(np.count_nonzero(now)),
            *self.fitted.curve,
            self._chance.randint(-(2**31) + 1, 2**31 - 1, 3).astype(np.int64),
            initial_alpha=self._params["learning_rate"] * (1 - max(0, epoch - 1) / self.iterations),
            negative_sample_rate=6,  # of which it leaves out the first: 5
            move_other=True,
        )
