"""A layer's features, their layout, and what is known of both; and how it is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnnwidgets.methods.class_changes import ClassChange
from cnnwidgets.methods.code.embedding import NOISE, changing_lines, projecting_lines
from cnnwidgets.methods.code.text import tidy
from cnnwidgets.methods.embedding import Embedding
from cnnwidgets.methods.embedding_parameters import TITLES
from cnnwidgets.methods.features import Features
from cnnwidgets.methods.neighbors import Separation, Trust, why_inseparable
from cnnwidgets.net import BoundModel
from cnnwidgets.numbers import number, percent


@dataclass(frozen=True, repr=False, eq=False)
class AddedPictures:
    """Pictures that joined a layout: where they lie, float32 (m, 2), and their features."""

    points: np.ndarray
    features: Features


@dataclass(frozen=True, repr=False, eq=False)
class Beside:
    """A layout that lies beside another, to read that one right.

    Attributes:
        title: what is different.
        points: float32 (n, 2), laid close to those of the other; NaN for a picture that was left out.
        embedding: of the m pictures that were not; that of a PCA is of the unchanged features.
        same: whether the points are the same pictures.
        change: what was done to a class, and what came of it; None if nothing was.
    """

    title: str
    points: np.ndarray
    embedding: Embedding
    same: bool
    change: ClassChange | None = None

    def code(self, labels: np.ndarray) -> str:
        """Lines that put such a layout of ``values`` into ``beside``, by its title; ``labels`` (n,) are the pictures'."""
        points = f"beside[{self.title!r}]"
        if not self.change:
            return self.embedding.code(points=points) if self.same else f"{NOISE}\n{self.embedding.code('noise', points)}"
        rows, stay = labels == self.change.label, np.isfinite(self.points).all(1)
        lay_out = projecting_lines(points) if self.embedding.method == "pca" else self.embedding.code("changed", points)
        return f"{changing_lines(self.change.kind, self.change.factor, rows, stay)}\n{lay_out}"


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
        compared: what lies beside it.
    """

    features: Features
    pixels: Features
    embedding: Embedding
    points: np.ndarray
    mirrored: bool
    trust: Trust | None = None
    added: AddedPictures | None = None
    separation: Mapping[str, Separation] = field(default_factory=dict)
    compared: Sequence[Beside] = ()

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

    def title(self, subject: str) -> str:
        """The method and what is laid out, and what sets it apart from those beside it."""
        layout = self.embedding
        text = f"{TITLES[layout.method]} of {subject}"
        name = "perplexity" if layout.method == "tsne" else "n_neighbors"
        others = any(one.title.startswith(name) for one in self.compared)
        return f"{text}: {name} {number(layout.params[name])}" if others else text

    def note(self, size: int) -> str:
        """How many of a data set's pictures there are, if not all; what a PCA's axes explain; whether it is mirrored."""
        told = [f"{len(self.points):,} of {size:,} pictures"] if len(self.points) < size else []
        if self.embedding.explained is not None:
            across, up = map(percent, self.embedding.explained)
            told.append(f"{across} of the variance across, {up} up")
        return " · ".join([*told, *(["mirrored, to lie as the layout before"] if self.mirrored else [])])

    @property
    def progress(self) -> str:
        """The method, and how far it is."""
        layout = self.embedding
        if not layout.iterations:
            return TITLES[layout.method]
        steps = "iterations" if layout.method == "tsne" else "epochs"
        loss = "" if layout.loss is None else f", divergence {number(layout.loss)}"
        done = "" if self.finished else f"{layout.iteration:,} of "
        return f"{TITLES[layout.method]}, {done}{layout.iterations:,} {steps}{loss}"

    @property
    def summary(self) -> str:
        """The finding in a sentence; and in a second line what is laid out, how, and what was left out."""
        found = self.features
        facts = [f"{found.layer}: {len(found.values):,} pictures, {found.values.shape[1]:,} values each", self.progress]
        if (found.labels < 0).all():
            facts.append("no picture has a label, which is a whole number")
        if found.top is not None or found.regression is not None:
            facts.append(found.output.sentence)
        if found.skipped:
            first, why = found.skipped[0]
            facts.append(f"{len(found.skipped):,} pictures could not be used; the first, {first}: {why}")
        return f"{self.finding}\n{' · '.join(facts)}"

    @property
    def finding(self) -> str:
        """What a change of a class shows; else how far the layout can be trusted, and how its classes separate."""
        if not self.finished:
            return f"Paused: {self.progress}."
        if changes := [one.change for one in self.compared if one.change]:
            if self.embedding.method == "pca" or self.compared[-1].embedding.method != "pca":
                return changes[0].sentence
            linear = changes[-1]  # the same change, shown by PCA
            shown = next(one for one in changes if (one.kind, one.factor) == (linear.kind, linear.factor))
            return f"{shown.sentence} PCA shows {number(linear.on_map, 2)} times."
        told = []
        if self.trust:
            told.append(
                f"{percent(self.trust.mean_kept)} of each point's neighbors are kept "
                f"(trustworthiness {number(self.trust.mean)})."
            )
        if found := self.separation.get(self.features.layer):
            told.append(f"Nearest neighbors vote for the right class in {percent(found.accuracy)}.")
        return " ".join(told) or f"{TITLES[self.embedding.method]} of {len(self.points):,} pictures."

    def code(self, net: BoundModel, dataset: Any) -> str:
        """Plain PyTorch lines that put the features into ``values`` (n, d), and a layout of them into ``points`` (n, 2).

        What lies beside it is in ``beside``, by its title.
        """
        compared = ["beside = {}", *(one.code(self.features.labels) for one in self.compared)] if self.compared else []
        return tidy("\n".join([self.features.code(net, dataset), self.embedding.code(), *compared]))
