"""The same pictures laid out at each checkpoint of a training, so that points keep their places from one to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cnnwidgets.methods.aligned_layout import AlignedLayout
from cnnwidgets.methods.embedding import Layout
from cnnwidgets.methods.layouts import Components
from cnnwidgets.net import Cancelled
from cnnwidgets.net.arguments import one_of
from cnnwidgets.net.progress import Cancel

METHODS = ("pca", "tsne")

AXES = 64
"""Principal axes of each checkpoint that are turned; what is left has next to no variance."""

ON: dict[str, Any] = {"early_exaggeration_iter": 0, "n_iter": 300}
"""Of a t-SNE that begins where another one has ended: groups that are found need not be found again, or they pass by."""

Say = Callable[[str, float], None]


def course_layouts(
    features: Sequence[np.ndarray],
    method: str = "pca",
    *,
    seed: int = 0,
    say: Say = lambda *_: None,
    cancel: Cancel | None = None,
) -> list[np.ndarray]:
    """Where the pictures lie at each checkpoint: float32 (n, 2) each.

    By PCA all are projected on the two principal axes of the end: the features of each checkpoint, scaled to the size of
    those of the end, are first rotated in all their dimensions to lie as close to them as possible (orthogonal Procrustes,
    Schönemann 1966). Rotating and scaling change nothing that CKA compares. A t-SNE begins, from the end
    backwards, where the one after it has ended, and is turned to lie close to it: else its groups would change places.

    Parameters:
        features: (n, d) of each checkpoint, row i the same picture.
        method: ``"pca"`` or ``"tsne"``.
        seed: of what is left to chance.
        say: called with what is being done, and the fraction done.
        cancel: an object with ``is_set()``.

    Raises:
        ValueError: there is no such method, or :func:`embed` raises it; equal features lie at one point.
        Cancelled: cancel was set.
    """
    one_of("method", method, METHODS)
    return _on_one_screen(features, seed, cancel) if method == "pca" else _by_tsne(features, seed, say, cancel)


def _on_one_screen(features: Sequence[np.ndarray], seed: int, cancel: Cancel | None) -> list[np.ndarray]:
    from scipy.linalg import orthogonal_procrustes

    clouds = []
    for values in features:
        if cancel is not None and cancel.is_set():
            raise Cancelled("cancelled")
        axes = Components(np.asarray(values, float), seed, AXES).all
        clouds.append(axes / (np.linalg.norm(axes) / np.sqrt(len(axes)) or 1.0))
    end = clouds[-1]
    turned = [*(cloud @ orthogonal_procrustes(cloud, end)[0] for cloud in clouds[:-1]), end]
    return [cloud[:, :2].astype(np.float32) for cloud in turned]


def _by_tsne(features: Sequence[np.ndarray], seed: int, say: Say, cancel: Cancel | None) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    for values in reversed(features):
        before = next((points for points in reversed(found) if points.any()), None)
        points = np.zeros((len(values), 2), np.float32)
        if np.ptp(values, axis=0).any():
            options = {} if before is None else {"start": before, **ON}
            layout = AlignedLayout(Layout(values, "tsne", seed=seed, **options), before)
            for _ in layout.run(cancel=cancel):
                done = (len(found) + layout.done) / len(features)
                say(f"Laying out the pictures: {len(found) + 1} of {len(features)} …", done)
            points = layout.points
        found.append(points)
    return found[::-1]
