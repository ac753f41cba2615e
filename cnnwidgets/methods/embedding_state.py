"""A layer's features, their layout, and what is known of both; and how it is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnnwidgets.methods.code.text import tidy
from cnnwidgets.methods.embedding import Embedding
from cnnwidgets.methods.embedding_parameters import TITLES
from cnnwidgets.methods.features import Features
from cnnwidgets.methods.neighbors import Separation, Trust, why_inseparable
from cnnwidgets.net import BoundModel


@dataclass(frozen=True, repr=False, eq=False)
class AddedPictures:
    """Pictures that joined a layout: where they lie, float32 (m, 2), and their features."""

    points: np.ndarray
    features: Features


@dataclass(frozen=True, repr=False, eq=False)
class EmbeddingState:
    """Features and their layout, as far as both are.

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
    added: AddedPictures | None = None
    separation: Mapping[str, Separation] = field(default_factory=dict)
    compared: Sequence[tuple[str, np.ndarray, bool]] = ()

    @property
    def places(self) -> np.ndarray:
        """float32 (n + m, 2): the points, and after them those of the pictures that joined."""
        return np.concatenate([self.points, self.added.points]) if self.added else self.points

    @property
    def why_inseparable(self) -> str:
        """Why it is not known in any layer how well the classes separate; empty where it is, or will be."""
        return "" if self.separation else why_inseparable(self.features.labels)

    @property
    def finished(self) -> bool:
        """Whether the layout is where it ends."""
        return self.embedding.iteration == self.embedding.iterations

    @property
    def title(self) -> str:
        """The method and the layer; what the axes of a PCA explain, and of several layouts what sets this one apart."""
        layout, layer = self.embedding, self.features.layer
        text = f"{TITLES[layout.method]} of {layer}"
        if layout.explained is not None:
            across, up = (f"{share:.0%}" for share in layout.explained)
            return f"{text}: {across} of the variance across, {up} up"
        name = "perplexity" if layout.method == "tsne" else "n_neighbors"
        others = any(title.startswith(name) for title, *_ in self.compared)
        return f"{text}: {name} {layout.params[name]:g}" if others else text

    def note(self, size: int) -> str:
        """How many of a data set's pictures there are, if not all, and whether the points are mirrored."""
        some = [f"{len(self.points):,} of {size:,} pictures"] if len(self.points) < size else []
        return " · ".join([*some, *(["mirrored, to lie as the layout before"] if self.mirrored else [])])

    @property
    def progress(self) -> str:
        """The method, and how far it is."""
        layout = self.embedding
        words, done, steps = TITLES[layout.method], f"{layout.iteration:,} of ", f"{layout.iterations:,}"
        if not layout.iterations:
            return words
        loss = "" if layout.loss is None else f", divergence {layout.loss:.3f}"
        return f"{words}, {'' if self.finished else done}{steps} {'n_iter' if layout.method == 'tsne' else 'n_epochs'}{loss}"

    @property
    def summary(self) -> str:
        """What is laid out, how far the layout is and can be trusted, how classes separate, and what was left out."""
        found = self.features
        parts = [
            f"{found.layer}: {len(found.values):,} pictures, {found.values.shape[1]:,} values each",
            self.progress if self.finished else f"paused, {self.progress}",
        ]
        if self.trust:
            parts.append(f"trustworthiness {self.trust.mean:.3f}, {self.trust.mean_kept:.0%} of neighbors kept")
        if (found.labels < 0).all():
            parts.append("no picture has a label, which is a whole number")
        if found.layer in self.separation:
            parts.append(f"{self.separation[found.layer].accuracy:.1%} of the nearest neighbors' votes are right")
        if found.top is not None or found.regression is not None:
            parts.append(found.output.sentence)
        if found.skipped:
            first, why = found.skipped[0]
            parts.append(f"{len(found.skipped):,} pictures could not be used; the first, {first}: {why}")
        return " · ".join(parts)

    def code(self, net: BoundModel, dataset: Any) -> str:
        """Plain PyTorch lines that put the features into ``values`` (n, d), and a layout of them into ``points`` (n, 2)."""
        return tidy(f"{self.features.code(net, dataset)}\n{self.embedding.code()}")
