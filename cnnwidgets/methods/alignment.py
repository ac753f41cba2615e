"""Two layouts of the same pictures, the second turned so that the points travel the short way (orthogonal Procrustes)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnnwidgets.net.arguments import checked


@dataclass(frozen=True, repr=False, eq=False)
class Aligned:
    """A layout laid over the one before.

    Attributes:
        points: float32 (n, 2), ``scale * points @ turn + shift`` of those given.
        turn: float (2, 2), a rotation; with ``mirrored`` a rotation and a reflection.
        scale: factor of the distances.
        shift: float (2,).
        mirrored: whether the layout was mirrored. Never unless that was allowed.
        mirror_fits_better: whether a mirrored layout lies closer to the one before.
    """

    points: np.ndarray
    turn: np.ndarray
    scale: float
    shift: np.ndarray
    mirrored: bool
    mirror_fits_better: bool

    def apply(self, points: np.ndarray) -> np.ndarray:
        """The same for other points of the layout: float32 (m, 2)."""
        return (self.scale * (np.asarray(points, float) @ self.turn) + self.shift).astype(np.float32)

    def __repr__(self) -> str:
        mirror = "mirrored" if self.mirrored else "not mirrored"
        return f"<{len(self.points):,} points aligned: {mirror}, scaled by {self.scale:.3g}>"


@checked
def align(points: np.ndarray, before: np.ndarray, *, scale: bool = True, mirror: bool = False) -> Aligned:
    """Turn, scale and shift a layout so that the squared distances to the one before are least (Schönemann 1966).

    Parameters:
        points: (n, 2), row i the same picture as row i of before.
        before: (n, 2).
        scale: whether distances may be scaled, by one factor for all.
        mirror: whether the layout may be mirrored, if that fits better; ``mirrored`` says whether it was.

    Raises:
        ValueError: the layouts do not have the same shape (n, 2).
    """
    given, wanted = np.asarray(points, float), np.asarray(before, float)
    if given.shape != wanted.shape or given.ndim != 2 or given.shape[1] != 2 or not len(given):
        raise ValueError(
            f"layouts of shapes {given.shape} and {wanted.shape} were given; both must be (n, 2), of the same n pictures"
        )
    middle, target = given.mean(0), wanted.mean(0)
    centered = given - middle
    left, strengths, right = np.linalg.svd(centered.T @ (wanted - target))
    better = bool(np.linalg.det(left @ right) < 0) and strengths[1] > 1e-12 * strengths[0]
    mirrored = mirror and better
    signs = np.array([1, 1 if mirrored else np.sign(np.linalg.det(left @ right))])
    turn = (left * signs) @ right
    spread = (centered**2).sum()
    reach = float((strengths * signs).sum())
    factor = reach / spread if scale and spread > 0 and reach > 0 else 1.0
    shift = target - factor * (middle @ turn)
    moved = (factor * (given @ turn) + shift).astype(np.float32)
    return Aligned(moved, turn, factor, shift, mirrored, better)
