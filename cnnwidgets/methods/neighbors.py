"""Who lies next to whom, in a layer and in a picture of it: how far the picture can be trusted, and how classes separate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from cnnwidgets.net.arguments import checked, one_of, said
from cnnwidgets.net.memory import given_back

USUAL = 10
"""Neighbors that are looked at."""

MOST = 5_000
"""Points that are measured; of more a sample is taken, which the result says."""

VALUES = 4096
"""Values of each point that are multiplied at a time."""

CHUNK = 2**22
"""Distances that are held at a time: 32 MiB."""

LARGE = 2**23
"""Bytes of points whose copies are worth to be given back to the system, which takes some milliseconds."""


@dataclass(frozen=True, repr=False, eq=False)
class Trust:
    """How far the neighbors that a picture shows are neighbors.

    Attributes:
        k: how many neighbors are looked at.
        n: points of the picture.
        rows: int (m,), the points that are measured: all, or a sample.
        trustworthiness: float32 (m,), of each point: 1 if all that it lies next to are its neighbors, less the further away
            they are in truth (Venna and Kaski 2001).
        kept: float32 (m,), the share of each point's true neighbors that are its neighbors in the picture.
    """

    k: int
    n: int
    rows: np.ndarray
    trustworthiness: np.ndarray
    kept: np.ndarray

    @property
    def exact(self) -> bool:
        """Whether all points are measured."""
        return len(self.rows) == self.n

    @property
    def mean(self) -> float:
        """Mean trustworthiness, equal to scikit-learn's if it is exact."""
        return float(self.trustworthiness.mean(dtype=float))

    @property
    def mean_kept(self) -> float:
        """Mean share of the true neighbors that are kept."""
        return float(self.kept.mean(dtype=float))

    def __repr__(self) -> str:
        sample = "" if self.exact else f", of {len(self.rows):,} points chosen from {self.n:,}"
        return f"<trustworthiness {self.mean:.3f}, {self.mean_kept:.0%} of {self.k} neighbors kept{sample}>"


@dataclass(frozen=True)
class Separation:
    """How well classes separate in a layer.

    Attributes:
        accuracy: share of the points whose class is that of most of their k neighbors (leave one out).
        silhouette: mean of (b - a) / max(a, b), with a the mean distance to the own class and b that to the nearest other
            (Rousseeuw 1987); between -1 and 1.
        k: how many neighbors vote.
        measured: points that are measured: all, or a sample.
    """

    accuracy: float
    silhouette: float
    k: int
    measured: int


@checked
def nearest(features: Any, k: int = USUAL, *, metric: str = "euclidean", rows: np.ndarray | None = None) -> np.ndarray:
    """The nearest others of each point: int (n, k), the nearest first; of equally near ones the first in the data is first.

    Parameters:
        features: (n, d).
        k: at most n - 1.
        metric: any of scikit-learn's ``pairwise_distances``.
        rows: (m,): only of these points, which gives (m, k).
    """
    points = matrix(features)
    _check_k(k, len(points) - 1, len(points))
    chunks = [_nearest(distances, k) for _, distances in _distances(points, _all(points, rows), metric)]
    return np.concatenate(chunks)


@checked
def trust(
    features: Any, points: np.ndarray, k: int | None = None, *, metric: str = "euclidean", seed: int = 0, most: int = MOST
) -> Trust:
    """How far a picture of features can be trusted: trustworthiness (Venna and Kaski 2001) and the share of neighbors kept.

    Of a point i with the k nearest U in the picture, 1 - 2 / (k (2n - 3k - 1)) Σ_{j in U} max(0, r(i, j) - k), where r is
    the rank of j among all others by distance in the layer.

    Parameters:
        features: (n, d), the original space.
        points: (n, 2), the picture.
        k: less than n / 2; by default 10, or what is possible.
        metric: of the original space; the picture's is euclidean.
        seed: of the sample.
        most: points measured; of more a sample of that many.

    Raises:
        ValueError: k is too large, or there are not as many points as features.
    """
    features, points = matrix(features), matrix(points)
    n = len(features)
    if len(points) != n:
        raise ValueError(f"{len(points):,} points are compared with {n:,} features; there must be as many")
    largest = (n - 1) // 2
    k = min(USUAL, largest) if k is None else k
    _check_k(k, largest, n)
    rows = _sample(n, most, seed)
    shown = nearest(points, k, rows=rows)
    scores, kept, start = [], [], 0
    for chunk, distances in _distances(features, rows, metric):
        true, near = _nearest(distances, k), shown[start : start + len(chunk)]
        start += len(chunk)
        found = (near[:, :, None] == true[:, None, :]).any(2)
        beyond = np.zeros(len(chunk))
        for row, place in np.argwhere(~found):
            other = near[row, place]
            before = distances[row] < distances[row, other]
            ties = distances[row, :other] == distances[row, other]
            beyond[row] += 1 + np.count_nonzero(before) + np.count_nonzero(ties) - k
        scores.append(1 - beyond * 2 / (k * (2 * n - 3 * k - 1)))
        kept.append(found.mean(1))
    return Trust(k, n, rows, np.concatenate(scores).astype(np.float32), np.concatenate(kept).astype(np.float32))


@checked
def separation(
    features: Any, labels: Any, k: int | None = None, *, metric: str = "euclidean", seed: int = 0, most: int = MOST
) -> Separation:
    """How well classes separate in the original space: accuracy of the nearest neighbors, and silhouette.

    Parameters:
        features: (n, d).
        labels: (n,), the class of each.
        k: neighbors that vote; among equally many votes the smallest label wins. By default 10, or what is possible.
        metric: of the distances.
        seed: of the sample.
        most: points measured; of more a sample of that many.

    Raises:
        ValueError: fewer than two classes, only classes of one picture, or labels that do not fit.
    """
    features, labels = matrix(features), np.asarray(labels)
    n = len(features)
    if labels.shape != (n,):
        raise ValueError(f"labels have shape {labels.shape}; {n:,} pictures need ({n},)")
    classes, numbers = np.unique(labels, return_inverse=True)
    if not 2 <= len(classes) < n:
        raise ValueError(
            f"{n:,} pictures have {len(classes)} different labels; at least 2 and fewer than pictures are needed"
        )
    k = min(USUAL, n - 1) if k is None else k
    rows = _sample(n, most, seed)
    _check_k(k, n - 1, n)
    counts = np.bincount(numbers[rows], minlength=len(classes))
    member = np.eye(len(classes))[numbers[rows]]
    right, silhouettes = [], []
    for chunk, distances in _distances(features, rows, metric):
        near = numbers[_nearest(distances, k)]
        votes = np.stack([(near == number).sum(1) for number in range(len(classes))])
        right.append(votes.argmax(0) == numbers[chunk])
        distances[np.arange(len(chunk)), chunk] = 0
        silhouettes.append(_silhouette(distances[:, rows] @ member, counts, numbers[chunk]))
    told = 2 <= np.count_nonzero(counts) < len(rows)
    silhouette = float(np.concatenate(silhouettes).mean()) if told else float("nan")
    return Separation(float(np.concatenate(right).mean()), silhouette, k, len(rows))


def why_inseparable(labels: np.ndarray) -> str:
    """Why it cannot be told how well classes separate, of pictures with these labels, -1 for none; empty if it can."""
    known = labels[labels >= 0]
    classes = len(np.unique(known))
    if not classes:
        return "no picture has a label"
    if classes < 2:
        return "needs two classes"
    return "needs two pictures of one class" if classes == len(known) else ""


def _silhouette(sums: np.ndarray, counts: np.ndarray, own: np.ndarray) -> np.ndarray:
    """(m,) of the sums (m, classes) of each point's distances to each class; 0 of a point that is alone in its class."""
    each = np.arange(len(own))
    within = sums[each, own] / np.maximum(counts[own] - 1, 1)
    means = np.divide(sums, counts, out=np.full(sums.shape, np.inf), where=counts > 0)
    means[each, own] = np.inf
    beside = means.min(1)
    largest = np.maximum(within, beside)
    known = (counts[own] > 1) & (largest > 0) & np.isfinite(largest)
    return np.divide(beside - within, largest, out=np.zeros(len(own)), where=known)


_OF_SCIPY = ("braycurtis", "canberra", "chebyshev", "correlation", "hamming", "jaccard", "mahalanobis", "sqeuclidean")
"""Distances that scikit-learn takes from SciPy, beside its own."""


def matrix(features: Any) -> np.ndarray:
    """Features as a floating (n, d) array: an array, or what has them as ``values``.

    Raises:
        ValueError: another shape, no picture, no value, or values that are NaN or infinite; the first such row is named.
    """
    values = np.asarray(getattr(features, "values", features))
    if values.ndim != 2 or 0 in values.shape:
        raise ValueError(f"features have shape {values.shape}; expected (pictures, values), with at least one of each")
    if values.dtype not in (np.float32, np.float64):
        values = values.astype(np.float64)
    finite = np.isfinite(values).all(1)
    if not finite.all():
        raise ValueError(
            f"the features of picture {int(np.argmin(finite))} are NaN or infinite, and it is the first of "
            f"{int((~finite).sum()):,} such among {len(values):,} pictures: leave them out"
        )
    return values


def _distances(points: np.ndarray, rows: np.ndarray, metric: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Some rows at a time, and their distances to all points; infinite to themselves."""
    from sklearn.metrics import pairwise_distances
    from sklearn.metrics.pairwise import PAIRWISE_DISTANCE_FUNCTIONS

    known = [*PAIRWISE_DISTANCE_FUNCTIONS, *_OF_SCIPY]
    one_of("metric", metric, [name for name in known if name not in ("precomputed", "nan_euclidean")])
    step = max(1, CHUNK // len(points))
    with given_back() if points.nbytes > LARGE else nullcontext():
        for start in range(0, len(rows), step):
            chunk = rows[start : start + step]
            if metric == "euclidean":
                distances = _euclidean(points, chunk)
            else:
                distances = pairwise_distances(points[chunk], points, metric=metric)
            distances[np.arange(len(chunk)), chunk] = np.inf
            yield chunk, distances


def _euclidean(points: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Distances (m, n) in double precision, of a few values of all points at a time.

    scikit-learn's take thirty times as long for many float32 values, which it converts again and again.
    """
    inner = torch.zeros(len(rows), len(points), dtype=torch.float64)
    squares = torch.zeros(len(points), dtype=torch.float64)
    for start in range(0, points.shape[1], VALUES):
        some = torch.from_numpy(points[:, start : start + VALUES].astype(np.float64))
        inner.addmm_(some[rows], some.T)
        squares += some.square_().sum(1)
    return (squares[rows, None] + squares - 2 * inner).clamp_(min=0).sqrt_().numpy()


def _nearest(distances: np.ndarray, k: int) -> np.ndarray:
    """The k smallest of each row, the smallest first; of equal ones the first in the row."""
    found = np.sort(np.argpartition(distances, k - 1, axis=1)[:, :k], axis=1)
    values = np.take_along_axis(distances, found, 1)
    found = np.take_along_axis(found, np.argsort(values, axis=1, kind="stable"), 1)
    ties = np.count_nonzero(distances <= values.max(1, keepdims=True), axis=1) > k
    found[ties] = np.argsort(distances[ties], axis=1, kind="stable")[:, :k]
    return found


def _sample(n: int, most: int, seed: int) -> np.ndarray:
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, most, replace=False))


def _all(points: np.ndarray, rows: np.ndarray | None) -> np.ndarray:
    if rows is None:
        return np.arange(len(points))
    found = np.asarray(rows)
    if found.ndim != 1 or not found.size or found.dtype.kind not in "iu":
        raise ValueError(f"rows is {said(rows)}; expected at least one whole number, in a row")
    for row in found[(found < 0) | (found >= len(points))]:
        raise ValueError(f"there is no point {row}: there are {len(points):,}, numbered from 0")
    return found


def _check_k(k: int, largest: int, n: int) -> None:
    if not 1 <= k <= largest:
        raise ValueError(
            f"k is {k}, and {n:,} points allow 1 to {largest} neighbors: choose another k or take more pictures"
        )
