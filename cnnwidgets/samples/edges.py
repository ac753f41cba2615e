"""First filters without labels: the edges, gratings and blobs of color that patches of photographs are made of.

After Coates and Ng, "Learning feature representations with k-means", 2012: even out each patch, whiten them all, and
look for directions of which each patch needs one. Without whitening the directions would be blurs, since neighboring
pixels are alike; whitened, what is left to tell patches apart is where they change.
"""

import numpy as np
import torch
from torch import Tensor

from .drawing import PHOTOGRAPHS, TRAIN_WIDTH, photograph

COUNT, SIDE = 64, 11  # filters, and px of a filter: those of AlexNet's first layer
PATCHES = 60_000  # of which the half with more contrast teaches
ROUNDS = 15  # of k-means; after ten, one patch in forty still changes its filter
NOISE = 10.0  # added to a patch's variance, of pixel values 0..255, so that noise counts for less; the paper's value
EVENNESS = 1.0  # added to the variance along each axis when whitening: with less there are more gratings, with more blurs


def edge_filters() -> Tensor:
    """Filters ``(64, 3, 11, 11)``, float32, each of norm 1, from the training part of the bundled photographs.

    They come in the order of their color, the gray ones first, and rounded to float16, which keeps their file small.
    """
    rng = np.random.default_rng(0)
    rows = patches(rng).reshape(-1, SIDE * SIDE * 3)
    filters = spherical_kmeans(whitened(evened(rows)), COUNT, rng).reshape(COUNT, SIDE, SIDE, 3)
    ordered = filters[np.argsort(color(filters))]
    return torch.from_numpy(ordered).permute(0, 3, 1, 2).half().float().contiguous()


def patches(rng: np.random.Generator) -> np.ndarray:
    """Cut squares from anywhere in the photographs' training part, and keep the half with more contrast.

    Returns float64 ``(PATCHES / 2, 11, 11, 3)``, pixel values 0..255.
    """
    found = []
    for name in PHOTOGRAPHS:
        picture = np.asarray(photograph(name))
        picture = picture[:, : round(TRAIN_WIDTH * picture.shape[1])]
        windows = np.lib.stride_tricks.sliding_window_view(picture, (SIDE, SIDE), (0, 1))  # (rows, columns, 3, 11, 11)
        row, column = (rng.integers(0, size, PATCHES // len(PHOTOGRAPHS)) for size in windows.shape[:2])
        found.append(windows[row, column].transpose(0, 2, 3, 1))
    every = np.concatenate(found).astype(float)
    contrast = every.std((1, 2, 3))
    return every[contrast > np.median(contrast)]


def evened(rows: np.ndarray) -> np.ndarray:
    """Give each row of pixel values ``(N, D)`` a mean of 0 and, but for NOISE, a variance of 1."""
    centered = rows - rows.mean(1, keepdims=True)
    return centered / np.sqrt(centered.var(1, keepdims=True) + NOISE)


def whitened(rows: np.ndarray, evenness: float = EVENNESS) -> np.ndarray:
    """Turn rows ``(N, D)`` into as many as uncorrelated ones, and as like the given ones as can be (ZCA).

    A variance v along a principal axis becomes v / (v + evenness).
    """
    centered = rows - rows.mean(0)
    variance, axes = np.linalg.eigh(np.cov(centered, rowvar=False))
    return centered @ (axes / np.sqrt(variance + evenness)) @ axes.T


def spherical_kmeans(rows: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Directions ``(count, D)`` of norm 1 of which each row ``(N, D)`` is, as nearly as can be, one times a number.

    In every round each row takes the direction that it has the largest product with, by its absolute value, and each
    direction becomes the sum of its rows times these products, plus itself, so that one without rows stays and none jumps
    (Coates and Ng 2012). The first directions are random.
    """
    directions = _of_norm_1(rng.normal(size=(count, rows.shape[1])))
    each = np.arange(len(rows))
    for _ in range(ROUNDS):
        products = rows @ directions.T
        nearest = np.abs(products).argmax(1)
        weights = np.zeros_like(products)
        weights[each, nearest] = products[each, nearest]
        directions = _of_norm_1(weights.T @ rows + directions)
    return directions


def color(filters: np.ndarray) -> np.ndarray:
    """The share of the energy of filters ``(N, H, W, 3)`` that lies in differences between channels: ``(N,)``, 0..1."""
    differences = filters - filters.mean(3, keepdims=True)
    return (differences**2).sum((1, 2, 3)) / (filters**2).sum((1, 2, 3))


def _of_norm_1(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
