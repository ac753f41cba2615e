"""The three ways to lay features out in two dimensions: one that is done at once, two that go on step by step."""

from __future__ import annotations

from typing import Any

import numpy as np

GRID = 20
"""Cells at least, along each side, of the grid that t-SNE's repulsion is interpolated on. They are a unit wide at most."""

TOLD = 25
"""Iterations after which the divergence is computed anew: it takes as long as one of them."""

TIGHT = 1e-4
"""Standard deviation of the layout that t-SNE starts from (Kobak and Berens 2019)."""

UNFOLDED = 50
"""Iterations after the early exaggeration, by when each point has come near to where it stays."""

WIDE = 10.0
"""Side of the layout that UMAP starts from."""

JITTER = 0.01
"""Noise on both, in parts of their spread: equal pictures must be able to part."""


class Way:
    """A layout on its way.

    Attributes:
        points: (n, 2), where the points are now.
        iterations: how many there will be; 0 if it is done at once.
        loss: what is made smaller, where that is told.
        explained: float (2,), the axes' shares of the variance, where they have some.
        preparing: what has to be done before the first iteration; empty once it is done.
    """

    points: np.ndarray
    iterations = 0
    loss: float | None = None
    explained: np.ndarray | None = None
    preparing = ""

    def begin(self) -> None:
        """Back to where it starts from."""

    def step(self, iteration: int, count: int) -> int:
        """Go on from an iteration, by so many at most; how many were done."""
        return 0

    def add(self, features: np.ndarray, points: np.ndarray) -> np.ndarray:
        """(m, 2): where other pictures lie in a layout (n, 2) that it led to."""
        raise NotImplementedError


class Components(Way):
    """Principal components (Pearson 1901): the projection that keeps most of the variance."""

    def __init__(self, features: np.ndarray, seed: int, count: int = 2):
        from sklearn.decomposition import PCA

        found = min(count, *features.shape)
        self._missing = (0, max(0, 2 - found))  # of one picture, or one value each
        if np.ptp(features, axis=0).any():
            fitted = PCA(found, random_state=seed).fit(features)
            self._mean, self._axes, shares = fitted.mean_, fitted.components_, fitted.explained_variance_ratio_[:2]
        else:
            self._mean, self._axes, shares = (
                features[0],
                np.zeros((found, features.shape[1]), features.dtype),
                np.zeros(found)[:2],
            )
        self.all = self.project(features)
        self.points, self.explained = self.all[:, :2], np.pad(shares, self._missing)

    def project(self, features: np.ndarray) -> np.ndarray:
        """All coordinates of some pictures: (m, count)."""
        return np.pad((features - self._mean) @ self._axes.T, ((0, 0), self._missing))

    def add(self, features: np.ndarray, points: np.ndarray) -> np.ndarray:
        return self.project(features)[:, :2]


class TSNE(Way):
    """t-SNE (van der Maaten and Hinton 2008), by openTSNE: near points attract each other, all others repel.

    One thread: more would give the same points, but while the other cores are busy they wait for each other. The repulsion
    is interpolated on a grid (Linderman et al. 2019) as long as the layout is narrow, then comes from a tree (van der Maaten
    2014): the first costs as much as the layout's area, the second as much as its points.
    """

    preparing = "looking for neighbours"

    def __init__(self, features: np.ndarray, seed: int, params: dict[str, Any]):
        self._params, self._seed = params, seed
        self.iterations = params["iterations"]
        reduce = params["components"] is not None
        found = Components(features, seed, params["components"] or 2)
        self._reduced = found if reduce else None
        self._order = np.argsort(found.points[:, 0], kind="stable")  # near points lie near in memory: a fifth less time
        self._data = (found.all if reduce else features)[self._order]
        self._first = _jitter(found.points[self._order], seed)
        self._first *= TIGHT / self._first.std(0)[0]
        self.begin()

    def begin(self) -> None:
        self._moving, self.loss = self._first.copy(), None
        self._place = np.argsort(self._order)
        self.points = self._moving[self._place]

    def step(self, iteration: int, count: int) -> int:
        from openTSNE.tsne import gradient_descent

        if self.preparing:
            self._prepare()
        turn = self._params["early_iterations"]
        exaggeration = self._params["early_exaggeration"] if iteration < turn else 1.0
        if iteration == 0:
            self._descent, self._told = gradient_descent(), -TOLD
        if iteration in (0, turn):
            self._pulls, self._known = self._affinities.P * exaggeration, None
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

    def add(self, features: np.ndarray, points: np.ndarray) -> np.ndarray:
        from openTSNE import TSNEEmbedding

        if self.preparing:
            self._prepare()
        method = "fft" if _narrow(points) else "bh"
        layout = TSNEEmbedding(
            points[self._order], self._affinities, negative_gradient_method=method, n_jobs=1, random_state=self._seed
        )
        data = features if self._reduced is None else self._reduced.project(features)
        middle = (points.max(0) + points.min(0)) / 2  # openTSNE moves it to the origin
        return np.asarray(layout.transform(data, perplexity=min(5, self._params["perplexity"]))) + middle

    def _prepare(self) -> None:
        from openTSNE.affinity import PerplexityBasedNN
        from openTSNE.nearest_neighbors import Sklearn
        from sklearn import config_context

        perplexity, metric = self._params["perplexity"], self._params["metric"]
        count = min(len(self._data) - 1, int(3 * perplexity))
        with config_context(working_memory=64):  # MiB of distances at a time
            # openTSNE's own choice imports numba to choose, and its approximate search is slower for 10,000 points
            index = Sklearn(data=self._data, k=count, metric=metric, n_jobs=1)
            self._affinities = PerplexityBasedNN(perplexity=perplexity, knn_index=index, n_jobs=1)
        self.preparing = ""

    def _objective(self, points, pulls, should_eval_error, **options):
        """Divergence and gradient. Those at the end of a step are the next one's first: a step costs nothing extra."""
        from openTSNE.tsne import kl_divergence_bh, kl_divergence_fft

        if self._known is not None:
            found, self._known = self._known, None
            return found
        forces = kl_divergence_fft if _narrow(points) else kl_divergence_bh
        found = forces(points, pulls, should_eval_error=should_eval_error and self._tell, **options)
        if should_eval_error:  # the end of a step
            self._known = found
        return found


class UMAP(Way):
    """UMAP (McInnes, Healy and Melville 2018), by umap-learn: a graph of neighbours, drawn by sampling its edges.

    umap-learn tells nothing before its last epoch, so each epoch is a call of its own, with the edges that are due in it.
    """

    preparing = "compiling UMAP, which may take a minute once a session"

    def __init__(self, features: np.ndarray, seed: int, params: dict[str, Any], labels: np.ndarray | None):
        self._features, self._params, self._seed, self._labels = features, params, seed, labels
        self.iterations = params["epochs"]
        first = _jitter(Components(features, seed).points, seed)
        self._first = (WIDE * (first - first.min(0)) / np.ptp(first, axis=0)).astype(np.float32)
        self.begin()

    def begin(self) -> None:
        self.points = self._first.copy()
        self._chance = np.random.RandomState(self._seed)

    def step(self, iteration: int, count: int) -> int:
        if self.preparing:
            self._prepare()
        if iteration == 0:
            self._due = self._every.copy()
        count = min(count, self.iterations - iteration)
        for epoch in range(iteration, iteration + count):
            self._epoch(epoch)
        return count

    def add(self, features: np.ndarray, points: np.ndarray) -> np.ndarray:
        if self.preparing:
            self._prepare()
        self._model.embedding_ = points.astype(np.float32)
        return self._model.transform(features)

    def _prepare(self) -> None:
        import umap
        from umap.umap_ import find_ab_params, make_epochs_per_sample

        self._model = umap.UMAP(
            n_neighbors=self._params["neighbours"],
            min_dist=self._params["minimum_distance"],
            metric=self._params["metric"],
            target_weight=self._params["label_weight"],
            init=self._first,
            n_epochs=0,
            random_state=self._seed,
            transform_seed=self._seed,
            n_jobs=1,
        ).fit(self._features, self._labels)
        self._model.n_epochs = None  # transform's own number
        graph = self._model.graph_.tocoo()
        strong = graph.data >= graph.data.max() / self.iterations  # weaker edges are due in no epoch
        self._heads, self._tails = graph.row[strong], graph.col[strong]
        self._every = make_epochs_per_sample(graph.data[strong], self.iterations)
        self._curve = find_ab_params(1.0, self._params["minimum_distance"])
        self.preparing = ""

    def _epoch(self, epoch: int) -> None:
        from umap.layouts import optimize_layout_euclidean

        now = self._due <= epoch
        self._due[now] += self._every[now]
        optimize_layout_euclidean(
            self.points,
            self.points,
            self._heads[now],
            self._tails[now],
            2,  # epochs, in the first of which nothing is due
            len(self.points),
            np.ones(np.count_nonzero(now)),
            *self._curve,
            self._chance.randint(-(2**31) + 1, 2**31 - 1, 3).astype(np.int64),
            initial_alpha=self._params["learning_rate"] * (1 - max(0, epoch - 1) / self.iterations),
            negative_sample_rate=6,  # of which it leaves out the first: 5
            move_other=True,
        )


def _rows(points: np.ndarray) -> np.ndarray:
    """An order (n,) in which neighbours mostly follow each other: row by row, there and back."""
    x, y = points.T
    rows = ((y - y.min()) / (np.ptp(y) or 1.0) * np.sqrt(len(points))).astype(int)
    return np.lexsort((np.where(rows % 2, -x, x), rows))


def _narrow(points: np.ndarray) -> bool:
    """Whether a grid of unit cells repels faster than a tree, by what either takes on common machines."""
    return float(np.ptp(points, axis=0).max()) ** 2 < len(points) / 2


def _jitter(points: np.ndarray, seed: int) -> np.ndarray:
    """Points with a little noise, float64."""
    spread = JITTER * max(float(points.std(0)[0]), 1e-12)
    return points + np.random.RandomState(seed).normal(0, spread, points.shape)
