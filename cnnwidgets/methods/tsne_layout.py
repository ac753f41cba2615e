"""t-SNE: near points attract each other, all others repel."""

from __future__ import annotations

from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np

from cnnwidgets.methods.layouts import Components, Layouter, jitter
from cnnwidgets.optional import needs

GRID = 20
"""Cells at least, along each side, of the grid that t-SNE's repulsion is interpolated on. They are a unit wide at most."""

TOLD = 25
"""Iterations after which the divergence is computed anew: it takes as long as one of them."""

TIGHT = 1e-4
"""Standard deviation of the layout that t-SNE starts from (Kobak and Berens 2019)."""

UNFOLDED = 50
"""Iterations after the early exaggeration, by when each point has come near to where it stays."""


@needs("openTSNE", "The t-SNE layout")
def library() -> SimpleNamespace:
    """What is used of openTSNE, some of which it does not document."""
    from openTSNE import TSNEEmbedding
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.nearest_neighbors import Sklearn
    from openTSNE.tsne import gradient_descent, kl_divergence_bh, kl_divergence_fft

    return SimpleNamespace(
        TSNEEmbedding=TSNEEmbedding,
        PerplexityBasedNN=PerplexityBasedNN,
        Sklearn=Sklearn,
        gradient_descent=gradient_descent,
        kl_divergence_bh=kl_divergence_bh,
        kl_divergence_fft=kl_divergence_fft,
    )


class Affinities:
    """How strongly each picture's nearest neighbors attract it in a t-SNE. They are looked for once.

    Attributes:
        start: (n, 2), the first two principal components.
        order: int (n,), the pictures along the first one: near points lie near in memory, which takes a fifth less time.
    """

    def __init__(self, features: np.ndarray, seed: int, params: dict[str, Any]):
        found = Components(features, seed, params["pca_components"] or 2)
        self.start = found.points
        self.order = np.argsort(self.start[:, 0], kind="stable")
        self._reduced = None if params["pca_components"] is None else found
        self._data = (features if self._reduced is None else found.all)[self.order]
        self._seed, self._perplexity, self._metric = seed, params["perplexity"], params["metric"]

    @property
    def known(self) -> bool:
        """Whether they have been looked for."""
        return "matrix" in vars(self)

    @cached_property
    def matrix(self) -> Any:
        """openTSNE's affinities of the pictures in this order."""
        from sklearn import config_context

        count = min(len(self._data) - 1, int(3 * self._perplexity))
        with config_context(working_memory=64):  # MiB of distances at a time
            # openTSNE's own choice imports numba to choose, and its approximate search is slower for 10,000 points
            index = library().Sklearn(data=self._data, k=count, metric=self._metric, n_jobs=1)
            return library().PerplexityBasedNN(perplexity=self._perplexity, knn_index=index, n_jobs=1)

    def add(self, features: np.ndarray, points: np.ndarray) -> np.ndarray:
        method = "fft" if _narrow(points) else "bh"
        layout = library().TSNEEmbedding(
            points[self.order], self.matrix, negative_gradient_method=method, n_jobs=1, random_state=self._seed
        )
        data = features if self._reduced is None else self._reduced.project(features)
        middle = (points.max(0) + points.min(0)) / 2  # openTSNE moves it to the origin
        return np.asarray(layout.transform(data, perplexity=min(5, self._perplexity))) + middle


class TSNE(Layouter):
    """t-SNE (van der Maaten and Hinton 2008), by openTSNE: near points attract each other, all others repel.

    One thread: more would give the same points, but while the other cores are busy they wait for each other. The repulsion
    is interpolated on a grid (Linderman et al. 2019) as long as the layout is narrow, then comes from a tree (van der Maaten
    2014): the first costs as much as the layout's area, the second as much as its points.
    """

    fitted: Affinities

    def __init__(self, features: np.ndarray, seed: int, params: dict[str, Any], start: np.ndarray | None = None):
        library()  # at once, and not only when it begins
        self._params = params
        self.iterations = params["n_iter"]
        self.fitted = Affinities(features, seed, params)
        self._first = jitter((self.fitted.start if start is None else start)[self.fitted.order], seed)
        self._first *= TIGHT / self._first.std(0)[0]
        self.begin()

    @property
    def preparing(self) -> str:
        return "" if self.fitted.known else "looking for neighbors"

    def begin(self) -> None:
        self._moving, self.loss = self._first.copy(), None
        self._place = np.argsort(self.fitted.order)
        self.points = self._moving[self._place]

    def step(self, iteration: int, count: int) -> int:
        turn = self._params["early_exaggeration_iter"]
        exaggeration = self._params["early_exaggeration"] if iteration < turn else 1.0
        if iteration == 0:
            self._descent, self._told = library().gradient_descent(), -TOLD
        if iteration in (0, turn):
            self._pulls, self._known = self.fitted.matrix.P * exaggeration, None
        if iteration in (turn, turn + UNFOLDED) and iteration:
            self._sort()
        end = min(iteration + count, next(each for each in (turn, turn + UNFOLDED, self.iterations) if each > iteration))
        self._tell = end == self.iterations or end - self._told >= TOLD
        divergence, _ = self._descent(
            self._moving,
            self._pulls,
            end - iteration,
            self._objective,
            learning_rate=self._params["learning_rate"] or max(len(self._moving) / exaggeration, 50),
            momentum=0.5 if iteration < turn else 0.8,
            theta=self._params["theta"],
            min_num_intervals=GRID,
        )
        self.points = self._moving[self._place]
        if self._tell:
            self.loss, self._told = float(divergence / exaggeration - np.log(exaggeration)), end
        return end - iteration

    def _sort(self) -> None:
        """Let points that lie near each other lie near in memory: a tree's repulsion takes a fifth to a third less time."""
        order = _rows(self._moving)
        self._moving = self._moving[order]
        self._place = np.argsort(order)[self._place]
        self._pulls = self._pulls[order][:, order]
        self._descent.gains, self._descent.update = self._descent.gains[order], self._descent.update[order]
        if self._known is not None:
            divergence, gradient = self._known
            self._known = divergence, gradient[order]

    def _objective(
        self, points: np.ndarray, pulls: Any, should_eval_error: bool, **options: Any
    ) -> tuple[float, np.ndarray]:
        """Divergence and gradient. Those at the end of a step are the next one's first: a step costs nothing extra."""
        if self._known is not None:
            found, self._known = self._known, None
            return found
        forces = library().kl_divergence_fft if _narrow(points) else library().kl_divergence_bh
        found = forces(points, pulls, should_eval_error=should_eval_error and self._tell, **options)
        if should_eval_error:  # the end of a step
            self._known = found
        return found


def _rows(points: np.ndarray) -> np.ndarray:
    """An order (n,) in which neighbors mostly follow each other: row by row, there and back."""
    x, y = points.T
    rows = ((y - y.min()) / (np.ptp(y) or 1.0) * np.sqrt(len(points))).astype(int)
    return np.lexsort((np.where(rows % 2, -x, x), rows))


def _narrow(points: np.ndarray) -> bool:
    """Whether a grid of unit cells repels faster than a tree, by what either takes on common machines."""
    return float(np.ptp(points, axis=0).max()) ** 2 < len(points) / 2
