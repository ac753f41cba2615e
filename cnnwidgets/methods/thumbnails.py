"""Small pictures of a data set, as the network sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from cnnwidgets.methods.batches import Batch
from cnnwidgets.net.preprocess import to_pixels


class Thumbnails:
    """The reducer that keeps every picture, made smaller where it is larger: uint8 (n, height, width, 3).

    Parameters:
        preprocess: of the network, which says how to show what it is given.
        side: pixels of the longer side at most.
    """

    def __init__(self, preprocess: Callable, side: int = 48):
        self.preprocess, self.side = preprocess, side
        self._parts: list[np.ndarray] = []

    def update(self, batch: Batch) -> None:
        self._parts.append(np.stack([self._small(to_pixels(picture, self.preprocess)) for picture in batch.inputs]))

    def merge(self, other: Thumbnails) -> None:
        self._parts += other._parts

    def result(self) -> np.ndarray:
        return np.concatenate(self._parts)

    def state(self) -> dict[str, Any]:
        return {"pictures": self.result() if self._parts else None}

    def restore(self, state: dict[str, Any]) -> None:
        self._parts = [state["pictures"]] if state["pictures"] is not None else []

    def _small(self, pixels: np.ndarray) -> np.ndarray:
        scale = self.side / max(pixels.shape[:2])
        if scale >= 1:
            return pixels
        height, width = (max(1, round(length * scale)) for length in pixels.shape[:2])
        return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BOX))
