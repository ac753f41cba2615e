"""The panel: copies of a picture at a strength, what the network says of each, and crops averaged on a click."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import numpy as np
import traitlets as t

from cnnwidgets.base import action, column, draws, row
from cnnwidgets.base import controls as c
from cnnwidgets.base.jobs import LOCK, Job, import_for_augmenting
from cnnwidgets.base.layout import Part
from cnnwidgets.base.target import TargetPanel
from cnnwidgets.base.traits import Layer, Seed, Slide, public
from cnnwidgets.methods import AUGMENTATIONS, Stability, TenCrop, stability, ten_crop
from cnnwidgets.net import Cancelled
from cnnwidgets.numbers import number, percent
from cnnwidgets.optional import MissingPackage
from cnnwidgets.panels.augmentation import charts
from cnnwidgets.views import ChartView, ImageGrid
from cnnwidgets.views.curves import blank, short

OTHERS = 12
"""Pictures of the data set whose features are compared, so that one sees what a cosine means."""


class AugmentationGallery(TargetPanel):
    """Copies of a picture, changed by chance, and what the network says of them: do answer and features stay?

    >>> cw.AugmentationGallery(cw.load("scenes"), cw.samples.scenes())
    >>> cw.AugmentationGallery(net, "cat.jpg", augmentations=["crop", "color"], strength=0.3)

    Drag the line in the chart, or the slider, to change the copies more or less: each keeps its own chance. The curves are
    means over the copies. Of a data set with labels, "Average crops" counts how many pictures are right by the mean over
    five and ten crops of each (Krizhevsky, Sutskever and Hinton 2012); ``panel.cropped`` has the result.

    Parameters:
        net: a bound network, or a module.
        image: whatever ``net.prepare`` takes as one picture; or a list or data set of them, to pick from; or a number.
        target: a class's index or name, or a function of the network's output; by default the class that is predicted.
        images: the list or data set that numbers count in.
    """

    augmentations = public(
        t.List(t.Enum(AUGMENTATIONS), ["rotate"], help="What is done to the copies, one after the other"),  # type: ignore
        c.Several(group="copies", options=lambda panel: [(name, name) for name in AUGMENTATIONS]),
    )
    strength = Slide(0.5, (0.0, 1.0), step=0.1, then="nothing", help="How strongly; 0 changes nothing")
    copies = Slide(11, (1, 63), more=True, help="How many copies")
    layer = Layer("with_units", usual=False, none="before the classifier", label="features of", more=True,
                  help="Layer whose features are compared, by the mean over each unit's map")  # fmt: skip
    seed = Seed(help="Random seed of the changes")

    cropped: TenCrop | None = None

    def build(self) -> Part | tuple[Part, ...]:
        import_for_augmenting()
        self.chart, self.crops = ChartView(height=290, readout=True), ChartView(height=190)
        with suppress(MissingPackage):
            self.chart.show(blank("strength", "probability"), "answer and features by strength")
        self.grid = ImageGrid(noun="copy", tools=False, scale="fixed", limits=[0, 255], hide=["line"], height=376)
        self.chart.on_user("line", lambda at: self.set_trait("strength", min(1.0, max(0.0, at))))
        both = column(self.chart, self.crops)
        both.hidden = [self.crops]
        return row(self.grid, both, grow=[6, 5], basis=330)

    def compute(self, state: SimpleNamespace, job: Job) -> Stability:
        asked = {name: getattr(state, name) for name in ("target", "copies", "layer", "seed")}
        others = [*self._others(job.state.image)]
        return stability(
            self.net, state.image, state.augmentations, **asked, others=others, on_update=job.update, cancel=job
        )

    def _others(self, image: Any) -> Iterator[Any]:
        """Some pictures of the data set beside this one; those that cannot be used are left out."""
        for k in range(0, len(self.images), max(1, len(self.images) // OTHERS)):
            with suppress(Exception):
                other = self.taken(k)
                self.net.prepare(other)
                if k != image:
                    yield other

    @draws("strength")
    def draw_copies(self, found: Stability) -> None:
        at = found.nearest(self.strength)
        self.grid.show(
            np.stack([found.picture, *found.pictures[at]]),
            labels=[self._word(found, found.said, found.clean), *self._words(found, at)],
            title=f"The picture, and {found.values.shape[1]} copies at strength {number(found.strengths[at])}",
        )
        self.chart.line, self.chart.line_label = self.strength, number(self.strength)
        if self.status.kind == "ready":
            self.status.say(self.summary(found))

    @draws()
    def draw_curves(self, found: Stability) -> None:
        watched = self.class_name(found.target) if isinstance(found.target, int) else str(found.target)
        name = f"probability of {watched}" if found.quantity == "probability" else watched
        self.chart.show(charts.curves(found, short(name, 30)), f"{name} and similarity of the features, by strength")

    def _words(self, found: Stability, at: int) -> list[str]:
        """What the network says of each copy; a cross stands before another class than the picture's own."""
        each: Any = [None] * found.values.shape[1] if found.answers is None else found.answers[at]
        own = None if found.said is None else found.said.argmax()
        crosses = ["" if answer is None or answer.argmax() == own else "✗ " for answer in each]
        told = [self._word(found, answer, value) for answer, value in zip(each, found.values[at], strict=True)]
        return [cross + word for cross, word in zip(crosses, told, strict=True)]

    def _word(self, found: Stability, answer: np.ndarray | None, value: float) -> str:
        return number(value) if answer is None else f"{percent(answer.max())} · {self.class_name(int(answer.argmax()))}"

    def summary(self, found: Stability) -> str:
        first = found.sentence(found.nearest(self.strength), self.net.classes)
        apart = [] if np.isnan(found.others) else [f"Features of other pictures have a cosine of {number(found.others, 2)}"]
        return "\n".join([first, *apart, *([self.cropped.summary] if self.cropped else [])])

    def progress(self, partial: Stability | None) -> str:
        return f"Strength {number(partial.strengths[-1])} …" if partial else "Changing the picture …"

    @action("Average crops", absent=lambda panel: not panel.can_crop)
    def average_crops(self) -> None:
        """Count how many pictures of the data set are right whole, and by the mean over five and ten crops of each."""
        if not self.can_crop:
            raise ValueError("crops are averaged over a data set with labels, by a network that gives probabilities")
        self.aside("crops", self._crop)

    @property
    def can_crop(self) -> bool:
        """Whether there is a data set, and a network whose answers are right or wrong."""
        return len(self.images) > 0 and self._result is not None and self._result.said is not None

    def _crop(self, job: Job) -> None:
        def tell(partial: TenCrop, fraction: float) -> None:
            with LOCK:
                self._show_crops(partial)
                self.status.say(f"Averaging crops: {len(partial.right):,} pictures …", "busy", fraction)

        try:
            found = ten_crop(self.net, self.images, on_update=tell, cancel=job)
        except Cancelled as cancelled:
            found = cancelled.partial
        with LOCK:
            if found is not None:
                self.cropped = found
                self._show_crops(found)
            self.status.say(found.summary if found else self.summary(self._result))

    def _show_crops(self, found: TenCrop) -> None:
        self.crops.show(charts.bars(found), found.summary)
        self.reveal(self.crops, True)
