"""Layouts of one data set, one after the other: what is known of its pictures is not computed again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from cnnwidgets.methods.aligned_layout import AlignedLayout, LayoutCache
from cnnwidgets.methods.class_changes import ClassChange, Kind, changed_class, class_of, ratio
from cnnwidgets.methods.embedding import Layout, noise_like
from cnnwidgets.methods.embedding_parameters import PARAMETERS, neighbors_at_most
from cnnwidgets.methods.embedding_state import AddedPictures, Beside, EmbeddingState
from cnnwidgets.methods.feature_cache import FeatureCache, Progress
from cnnwidgets.methods.features import Features
from cnnwidgets.methods.layout_comparisons import comparisons
from cnnwidgets.net import BoundModel, Cancelled
from cnnwidgets.net.progress import Cancel, OnUpdate


class EmbeddingSession:
    """Lays out a data set's features, whatever is asked next.

    Parameters:
        net: a bound network.
        dataset: as :func:`scan` takes it.
        scanning: further options of :func:`scan`.

    Attributes:
        cache: what is known of the pictures.
    """

    def __init__(self, net: BoundModel, dataset: Any, **scanning: Any):
        self.cache = FeatureCache(net, dataset, **scanning)
        self._layouts = LayoutCache()

    def run(
        self,
        asked: Any,
        before: EmbeddingState | None,
        *,
        on_update: OnUpdate[EmbeddingState],
        on_progress: Progress,
        cancel: Cancel,
    ) -> EmbeddingState:
        """The layout that is asked for, at its end, or where it stays if it is not ``playing``.

        Parameters:
            asked: has ``layer``, ``pool``, ``limit``, ``method``, ``seed``, ``supervised``, ``compare`` and parameters of
                the method by name, None for the usual; ``selection`` and ``image``, numbers of pictures whose class is
                changed where that is compared; ``class_names``, which gives their names by label for features;
                ``playing``, ``added`` pictures, and what happens once: ``restart``, and ``watched``, which keeps the layout
                from moving faster than it can be watched. Both are set to False when they are done.
            before: what is on screen, close to which the layout is laid.
            on_update: called with the layout as it is and the fraction done.
            on_progress: called with what is being done and the fraction done.
            cancel: an object with ``is_set()``.

        Raises:
            ValueError: whatever :func:`features`, :class:`Layout` and :func:`comparisons` raise, and if an added picture
                cannot be used.
            Cancelled: cancel was set; its ``partial`` is the newest state, or None.
        """
        now = before
        try:
            found, pixels = self.cache.features(asked.layer, asked.pool, asked.limit, on_progress=on_progress, cancel=cancel)
            layout = self._layout(asked, found, _points_of(before, found))
            if asked.restart:
                asked.restart = False
                layout.restart()
            now = self._joined(layout, self._state_of(found, pixels, layout), asked, cancel)
            on_update(now, 0.0)
            if asked.playing and not now.finished:
                for _ in layout.run(watched=asked.watched, say=on_progress, cancel=cancel):
                    now = self._state_of(found, pixels, layout)
                    on_update(now, layout.done)
                now = self._joined(layout, now, asked, cancel)
            if len(now.points) > 2:
                now = replace(now, trust=now.embedding.trust)  # which takes a while: here, and not while it is drawn
            if not now.finished:
                return now
            asked.watched = False
            for title, other in comparisons(asked.compare, asked.method, len(now.points), asked.seed):
                beside = self._changed if "change" in other else self._beside
                now = replace(now, compared=(*now.compared, beside(asked, now, title, on_progress, cancel, **other)))
                on_update(now, 1.0)
            self.cache.separate(on_progress=on_progress, cancel=cancel)
            now = replace(now, separation=self.cache.separations)
            if cancel.is_set():
                raise Cancelled("cancelled")
        except Cancelled:
            raise Cancelled("cancelled", partial=now) from None
        return now

    def _state_of(self, found: Features, pixels: Features, layout: AlignedLayout) -> EmbeddingState:
        return EmbeddingState(
            found, pixels, layout.embedding, layout.points, layout.mirrored, separation=self.cache.separations
        )

    def _joined(self, layout: AlignedLayout, now: EmbeddingState, asked: Any, cancel: Cancel | None) -> EmbeddingState:
        """With the pictures that were added, once the layout is finished."""
        if not (now.finished and asked.added):
            return now
        others = self.cache.of(asked.added, now.features.layer, pool=asked.pool, cancel=cancel)
        for _, why in others.skipped[:1]:
            raise ValueError(f"{len(others.skipped)} of the {others.total} added pictures cannot be used: {why}")
        return replace(now, added=AddedPictures(layout.add(others.values), others))

    def _beside(
        self, asked: Any, now: EmbeddingState, title: str, say: Progress, cancel: Any, *, noise: bool = False, **other: Any
    ) -> Beside:
        """A layout with another parameter, or of noise, at its end."""
        found = now.features
        values = partial(noise_like, found.values) if noise else None
        layout = self._layout(asked, found, now.points, title, values=values, **other)
        _finish(layout, title, say, cancel)
        return Beside(title, layout.points, layout.embedding, not noise)

    def _changed(
        self, asked: Any, now: EmbeddingState, title: str, say: Progress, cancel: Any, *,
        change: tuple[Kind, float], method: str | None = None,
    ) -> Beside:  # fmt: skip
        """A layout of features in which one class is changed, at its end. That of a PCA keeps its axes."""
        found, (kind, factor) = now.features, change
        chosen = asked.selection or ([asked.image] if isinstance(asked.image, int) else [])
        names = asked.class_names(found)
        label = class_of(found.labels, np.isin(found.indices, chosen), names)
        name, rows = names.get(label, str(label)), found.labels == label
        values, stay = changed_class(found.values, rows, kind, factor, asked.seed)
        title = f"class {name}, {title}"
        points = np.full((len(rows), 2), np.nan, np.float32)
        if (method or asked.method) == "pca":
            layout = self._layout(asked, found, now.points, method="pca")
            before, points[stay] = layout.points, layout.add(values[stay])
        else:
            layout = self._layout(asked, found, now.points[stay], title, values=lambda: values[stay], stay=stay)
            _finish(layout, title, say, cancel)
            before, points[stay] = now.points, layout.points
        in_features, on_map = (
            ratio(one, other[stay], rows, kind, stay) for one, other in ((found.values, values), (before, points))
        )
        return Beside(title, points, layout.embedding, True, ClassChange(label, name, kind, factor, in_features, on_map))

    def _layout(
        self, asked: Any, found: Features, before: np.ndarray | None, *title: str,
        method: str | None = None, values: Callable[[], np.ndarray] | None = None, stay: Any = slice(None), **other: Any,
    ) -> AlignedLayout:  # fmt: skip
        """The layout with these parameters, as far as there are no others; begun, if it is a new one.

        Parameters:
            title: of a layout beside the main one.
            method: if it is another than is asked for.
            values: gives what is laid out in place of the features.
            stay: which of the pictures are laid out.
        """
        method = method or asked.method
        own = {name: value for name in PARAMETERS[method] if (value := getattr(asked, name, None)) is not None}
        if title and method != "pca":
            count, most = neighbors_at_most(method, len(found.labels[stay]))
            own |= {count: min(own[count], most)} if count in own else {}
        supervised = method == "umap" and asked.supervised
        key = found.layer, asked.pool, method, asked.seed, supervised, *own.items(), *title
        options = {"seed": asked.seed, "labels": found.labels[stay] if supervised else None, **own, **other}
        return self._layouts.get(
            self.cache.key,
            key,
            lambda: AlignedLayout(Layout(values() if values else found.values, method, **options), before),
        )


def _finish(layout: AlignedLayout, title: str, say: Progress, cancel: Any) -> None:
    """Make a layout beside the main one, to its end."""
    for _ in layout.run(say=say, cancel=cancel):
        say(f"Beside it: {title} …", layout.done)


def _points_of(before: EmbeddingState | None, found: Features) -> np.ndarray | None:
    """The layout before, if it was of the same pictures."""
    same = before is not None and np.array_equal(before.features.indices, found.indices)
    return before.points if before is not None and same else None
