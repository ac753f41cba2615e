"""What an EmbeddingExplorer shows, and how it is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from cnnwidgets.methods import Embedding, Features, Separation
from cnnwidgets.methods.neighbours import Trust

WORDS = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}


@dataclass(frozen=True, repr=False, eq=False)
class Added:
    """Pictures that joined a layout: where they lie, float32 (m, 2), and their features."""

    points: np.ndarray
    features: Features


@dataclass(frozen=True, repr=False, eq=False)
class Explored:
    """What is on screen.

    Attributes:
        features: of the layer.
        pixels: the same pictures' features in the input.
        embedding: as far as it is.
        points: float32 (n, 2), scaled to a spread of 1, and turned to lie as the layout before did.
        mirrored: whether they are mirrored, too.
        trust: how far the layout can be trusted; None while it moves, and of fewer than three pictures.
        added: pictures that joined it, once it is finished.
        separation: of the layers for which it is known, in the original space, in their order.
        compared: what lies beside it: a title, (n, 2), and whether the points are the same pictures.
    """

    features: Features
    pixels: Features
    embedding: Embedding
    points: np.ndarray
    mirrored: bool
    trust: Trust | None = None
    added: Added | None = None
    separation: Mapping[str, Separation] = field(default_factory=dict)
    compared: Sequence[tuple[str, np.ndarray, bool]] = ()

    @property
    def finished(self) -> bool:
        return self.embedding.iteration == self.embedding.iterations

    @property
    def title(self) -> str:
        layout, layer = self.embedding, self.features.layer
        text = f"{WORDS[layout.method]} of {layer}"
        if layout.explained is not None:
            across, up = (f"{share:.0%}" for share in layout.explained)
            return f"{text}: {across} of the variance across, {up} up"
        name = "perplexity" if layout.method == "tsne" else "neighbours"
        others = any(title.startswith(name) for title, *_ in self.compared)
        return f"{text}: {name} {layout.params[name]:g}" if others else text

    def note(self, size: int) -> str:
        """What is to be known of the points, of a data set of so many pictures."""
        some = [f"{len(self.points):,} of {size:,} pictures"] if len(self.points) < size else []
        return " · ".join([*some, *(["mirrored, to lie as the layout before"] if self.mirrored else [])])

    @property
    def progress(self) -> str:
        layout = self.embedding
        words, done, steps = WORDS[layout.method], f"{layout.iteration:,} of ", f"{layout.iterations:,}"
        if not layout.iterations:
            return words
        loss = "" if layout.loss is None else f", divergence {layout.loss:.3f}"
        return (
            f"{words}, {'' if self.finished else done}{steps} {'iterations' if layout.method == 'tsne' else 'epochs'}{loss}"
        )
