"""What a FeatureEvolution computes: a layer's looks at once, what the checkpoints say of the data set once for all."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from cnnwidgets.base.jobs import Job
from cnnwidgets.methods import Evolution, evolution
from cnnwidgets.methods.batches import numbers_of
from cnnwidgets.methods.checkpoints import Checkpoints
from cnnwidgets.methods.course_layouts import course_layouts
from cnnwidgets.methods.patches import picture_of
from cnnwidgets.methods.thumbnails import Thumbnails
from cnnwidgets.net import BoundModel, Cancelled
from cnnwidgets.panels.evolution.looks import Looks, look
from cnnwidgets.views import atlas

IN_A_BATCH = 64 * 2**20
"""Bytes that the layers' outputs for a batch may take."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What is known of the checkpoints so far.

    Attributes:
        layer: that is shown.
        looks: the layer's filters, and its maps of the picture.
        course: what they say of the data set.
        points: (n, 2) of each, where the layer puts its pictures; None until that is known.
        sheet: the pictures themselves, small, as of :func:`~cnnwidgets.views.atlas`.
    """

    layer: str
    looks: Looks
    course: Evolution | None = None
    points: tuple[np.ndarray, ...] | None = None
    sheet: tuple[bytes, list[int]] | None = None


class Work:
    """Computes what is asked, and keeps what takes long.

    Parameters:
        net, dataset, checkpoints, workers, executor: see :func:`cnnwidgets.methods.evolution`.
        layers: names of those that are compared with their ends.
    """

    def __init__(
        self,
        net: BoundModel,
        dataset: Any,
        checkpoints: Checkpoints,
        layers: list[str],
        workers: int,
        executor: Executor | None,
    ) -> None:
        self._net, self._dataset, self._checkpoints, self._layers = net, dataset, checkpoints, layers
        self._workers, self._executor = workers, executor
        self._courses: dict[int, tuple[Evolution, tuple[bytes, list[int]]]] = {}
        self._layouts: dict[Any, tuple[np.ndarray, ...]] = {}

    def run(self, state: SimpleNamespace, job: Job) -> Seen:
        """All of it, for a state of the panel; ``job`` is shown what there is meanwhile."""
        seen = Seen(state.layer, look(self._checkpoints.nets, state.image, state.layer, cancel=job))
        job.update(seen, 0.0)
        try:
            if state.limit not in self._courses:
                course = self._course(state.limit, seen, job)
                self._courses = {state.limit: (course, self._atlas(course))}
            course, sheet = self._courses[state.limit]
            seen = replace(seen, course=course, sheet=sheet)
            return replace(seen, points=self._laid_out(seen, state, job))
        except Cancelled as stop:
            raise Cancelled("cancelled", partial=stop.partial or seen) from None

    def _course(self, limit: int, seen: Seen, job: Job) -> Evolution:
        """What the checkpoints say of the data set: found once."""
        numbers = numbers_of(self._dataset, None)
        if limit < len(numbers):
            numbers = np.sort(np.random.default_rng(0).choice(numbers, limit, replace=False))
        values = sum(int(np.prod(self._checkpoints.nets[-1].layers[name].output_shape)) for name in self._layers)

        def tell(part: Evolution, share: float) -> None:
            job.update(replace(seen, course=part), share)

        try:
            return evolution(
                self._net, self._dataset, self._checkpoints, self._layers, indices=numbers.tolist(),
                batch_size=int(np.clip(IN_A_BATCH // (4 * values), 8, 64)), workers=self._workers, executor=self._executor,
                on_update=tell, cancel=job,
            )  # fmt: skip
        except Cancelled as stop:
            raise Cancelled("cancelled", partial=replace(seen, course=stop.partial)) from None

    def _laid_out(self, seen: Seen, state: SimpleNamespace, job: Job) -> tuple[np.ndarray, ...]:
        """Where the layer puts the pictures: found once for each way to lay them out."""
        assert seen.course is not None
        key = state.limit, state.layer, state.method, state.seed
        if key not in self._layouts:
            job.update(seen, 1.0)
            values = [features[state.layer] for features in seen.course.features]
            self._layouts[key] = tuple(course_layouts(values, state.method, seed=state.seed, say=job.say, cancel=job))
        return self._layouts[key]

    def _atlas(self, course: Evolution) -> tuple[bytes, list[int]]:
        small = Thumbnails(self._net.preprocess)
        for index in course.indices.tolist():
            small.update(SimpleNamespace(inputs=picture_of(self._net, self._dataset, index)))  # type: ignore[arg-type]
        return atlas(small.result())
