"""A layer's answers to many pictures, laid out in two dimensions: PCA, t-SNE, UMAP, and what to trust of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cnnwidgets.methods.code.embedding import layout_lines
from cnnwidgets.methods.embedding_parameters import PARAMETERS, complete
from cnnwidgets.methods.layouts import PCA, Fitted, Layouter
from cnnwidgets.methods.neighbors import Trust, matrix, trust
from cnnwidgets.methods.tsne_layout import TSNE
from cnnwidgets.methods.umap_layout import UMAP
from cnnwidgets.net import Cancelled
from cnnwidgets.net.arguments import checked
from cnnwidgets.net.progress import Cancel, OnUpdate

EMBEDDINGS = tuple(PARAMETERS)

FRAME = 0.05
"""Seconds that a step takes if it is not told how many iterations to do."""

MOST_AT_ONCE = 50
"""Iterations of such a step at most: the points should be seen to move."""


@dataclass(frozen=True, repr=False, eq=False)
class Embedding:
    """A layout of pictures in two dimensions.

    Attributes:
        points: float32 (n, 2), in the method's own units, which mean nothing but for PCA (those of the features).
        method: ``"pca"``, ``"tsne"`` or ``"umap"``.
        params: all of them, those that follow from the data included.
        seed: of what is left to chance.
        iteration, iterations: how far it is; both 0 for PCA.
        loss: the Kullback-Leibler divergence of a t-SNE in nats, while it runs that of up to 25 iterations before; None of
            other methods and before the first step.
        explained: float (2,), the axes' shares of the variance; None but for PCA.
        features: (n, d), what is laid out.
        fitted: what the method knows of the features, which places other pictures; it stays as it is while points move.
        labels: int (n,), of a supervised UMAP; else None.
    """

    points: np.ndarray
    method: str
    params: dict[str, Any]
    seed: int
    iteration: int
    iterations: int
    loss: float | None
    explained: np.ndarray | None
    features: np.ndarray
    fitted: Fitted
    labels: np.ndarray | None = None

    @cached_property
    def trust(self) -> Trust:
        """How far the 10 nearest of each point are its neighbors, in all or in a sample of 5,000; see :func:`trust`."""
        return self.trust_of(None)

    def trust_of(self, k: int | None) -> Trust:
        """The same for another number of neighbors."""
        return trust(self.features, self.points, k, metric=self.params.get("metric", "euclidean"), seed=self.seed)

    @property
    def trustworthiness(self) -> float:
        """Mean trustworthiness with 10 neighbors (Venna and Kaski 2001), 1 at best; about 0.5 for random points."""
        return self.trust.mean

    def neighbors_kept(self, k: int | None = None) -> np.ndarray:
        """(m,): the share of each point's k true neighbors that the picture kept; m as in ``trust.rows``."""
        return (self.trust if k is None else self.trust_of(k)).kept

    def add(self, features: Any) -> np.ndarray:
        """Where other pictures join this layout, whose points stay: float32 (m, 2).

        Parameters:
            features: (m, d), of the same layer.

        Raises:
            ValueError: another number of values, or values that are NaN or infinite.
        """
        others = matrix(features)
        if others.shape[1] != self.features.shape[1]:
            raise ValueError(
                f"the pictures to add have {others.shape[1]:,} values each; those laid out have {self.features.shape[1]:,}"
            )
        return np.asarray(self.fitted.add(others, self.points.astype(float)), np.float32)

    def code(self, values: str = "values", points: str = "points") -> str:
        """Plain lines that lay out the features in ``values``: their ``points``, (n, 2).

        PCA gives the same points again. t-SNE and UMAP give others that are as good: they add up, or draw random numbers,
        in another order.

        Parameters:
            values, points: what both are called in the lines.
        """
        options: dict[str, Any] = {"seed": self.seed, "n": len(self.points), "labels": self.labels}
        return layout_lines(self.method, self.params, **options, values=values, points=points)

    def __repr__(self) -> str:
        progress = f", iteration {self.iteration:,} of {self.iterations:,}" if self.iterations else ""
        loss = "" if self.loss is None else f", divergence {self.loss:.3f}"
        return f"<{self.method} of {len(self.points):,} pictures with {self.features.shape[1]:,} values{progress}{loss}>"


@checked
def embed(
    features: Any,
    method: str = "tsne",
    *,
    seed: int = 0,
    labels: Any = None,
    on_update: OnUpdate[Embedding] | None = None,
    cancel: Cancel | None = None,
    **params: Any,
) -> Embedding:
    """Lay features out in two dimensions: PCA at once, t-SNE and UMAP starting from it. Same seed, same points.

    >>> layout = cw.methods.embed(features, "tsne", perplexity=50)
    >>> layout.points.shape, layout.trustworthiness
    ((1797, 2), 0.992)

    PCA keeps the largest distances (Pearson 1901), t-SNE neighbors (van der Maaten and Hinton 2008), UMAP a graph of
    neighbors (McInnes et al. 2018). Sizes of groups and distances between them mean little in the last two.

    Parameters:
        features: (n, d), or what has them as ``values``.
        method: one of ``EMBEDDINGS``.
        seed: of what is left to chance.
        labels: (n,) whole numbers, -1 where unknown: supervised UMAP, which draws equal labels together.
        on_update: called with the layout as it is and the fraction done, some 20 times a second; first with the start.
        cancel: an object with ``is_set()``.
        **params: see ``PARAMETERS[method]``.

    Raises:
        ValueError: features that are not (n, d) finite numbers, too few or all equal, or a parameter out of range.
        TypeError: a parameter that the method does not have.
        Cancelled: cancel was set; its ``partial`` is the layout so far.
    """
    layout = Layout(features, method, seed=seed, labels=labels, **params)
    while True:
        now = layout.embedding
        if cancel is not None and cancel.is_set():
            raise Cancelled("cancelled", partial=now)
        if layout.finished:
            return now
        if on_update:
            on_update(now, now.iteration / now.iterations)
        layout.step()


class Layout:
    """A layout that is made step by step; to pause it is not to step. Parameters: see :func:`embed`.

    However the iterations are divided into steps, the points are the same. ``start``, (n, 2), is where those of a t-SNE
    begin; by default by PCA.

    Attributes:
        features: (n, d).
        method, seed, params, labels: as of :class:`Embedding`.
        iteration: how many were done.
    """

    @checked
    def __init__(
        self,
        features: Any,
        method: str = "tsne",
        *,
        seed: int = 0,
        labels: Any = None,
        start: np.ndarray | None = None,
        **params: Any,
    ):
        self.features = matrix(features)
        n, d = self.features.shape
        self.method, self.seed = method, seed
        self.params = complete(method, params, n)
        if method != "pca" and not np.ptp(self.features, axis=0).any():
            raise ValueError(f"all {n:,} pictures have the same features: there is no layout of them; take another layer")
        if self.params.get("metric") == "cosine" and not self.features.any(1).all():
            zero = int(np.argmin(self.features.any(1)))
            raise ValueError(
                f"the features of picture {zero} are all 0, which have no direction: use another metric than cosine"
            )
        self.labels = None if labels is None else _labels(labels, method, n)
        if method == "tsne" and (self.params["metric"] != "euclidean" or d <= self.params["pca_components"]):
            self.params["pca_components"] = None  # the features are taken as they are
        self.iteration = 0
        self._pace = 0.0
        if method == "pca":
            self._layouter: Layouter = PCA(self.features, seed)
        elif method == "tsne":
            self._layouter = TSNE(self.features, seed, self.params, start)
        else:
            self._layouter = UMAP(self.features, seed, self.params, self.labels)

    @property
    def embedding(self) -> Embedding:
        """The layout as it is: at first that of PCA."""
        layouter = self._layouter
        return Embedding(
            points=layouter.points.astype(np.float32),
            method=self.method,
            params=dict(self.params),
            seed=self.seed,
            iteration=self.iteration,
            iterations=layouter.iterations,
            loss=layouter.loss,
            explained=layouter.explained,
            features=self.features,
            fitted=layouter.fitted,
            labels=self.labels,
        )

    @property
    def finished(self) -> bool:
        return self.iteration >= self._layouter.iterations

    @property
    def preparing(self) -> str:
        """What the next step has to do first, for who waits for it; empty if nothing."""
        return self._layouter.preparing

    def step(self, iterations: int | None = None) -> Embedding:
        """Go on by so many iterations, by default as many as take a twentieth of a second; nothing once it is finished."""
        if iterations is None:
            iterations = 1 if not self._pace else int(np.clip(FRAME / self._pace, 1, MOST_AT_ONCE))
        last = min(self.iteration + iterations, self._layouter.iterations)
        prepared = not self.preparing
        start, first = time.perf_counter(), self.iteration
        while self.iteration < last:
            self.iteration += self._layouter.step(self.iteration, last - self.iteration)
        if prepared and self.iteration > first:
            self._pace = (time.perf_counter() - start) / (self.iteration - first)
        return self.embedding

    def restart(self) -> None:
        """Back to the layout of PCA; neighbors that were found are kept."""
        self.iteration = 0
        self._layouter.begin()

    def __repr__(self) -> str:
        return f"Layout({self.embedding!r})"


@checked
def noise_like(features: Any, seed: int = 0) -> np.ndarray:
    """Independent Gaussian noise with the shape, means and variances of features: float32 (n, d), groups that are none."""
    values = matrix(features)
    chance = np.random.default_rng(seed)
    noise = chance.standard_normal(values.shape, np.float32)
    noise *= values.std(0)
    noise += values.mean(0)
    return noise


def _labels(labels: Any, method: str, n: int) -> np.ndarray:
    if method != "umap":
        raise ValueError(f"labels are for method='umap'; {method} knows none")
    labels = np.asarray(labels)
    if labels.shape != (n,) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"labels of shape {labels.shape} and type {labels.dtype} given; expected {n:,} whole numbers, -1 where unknown"
        )
    return labels
