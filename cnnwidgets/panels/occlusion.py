"""OcclusionSlider: cover a part of the picture, and watch the answer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import traitlets as t

from cnnwidgets.base import controls, draws, row
from cnnwidgets.base.jobs import LOCK, Job
from cnnwidgets.base.layout import Part
from cnnwidgets.base.target import TargetPanel
from cnnwidgets.base.traits import Choice, Cursor, Pixels, Slide, public
from cnnwidgets.methods import Occlusion, OcclusionMap
from cnnwidgets.methods.fills import FILL_NAMES, FILLS, SHAPES
from cnnwidgets.methods.occlusion import EDGE_NAMES, EDGES, usual_patch, usual_stride
from cnnwidgets.methods.occlusion_map import Answer
from cnnwidgets.net.layers import format_shape
from cnnwidgets.views import AnswerView, HeatView, ImageView
from cnnwidgets.views.palette import class_color


def _along(axis: int) -> controls.Slider:
    """A slider over the pixels along an axis of the input."""
    return controls.Slider(bounds=lambda panel: (0, panel.net.input_shape[axis] - 1), more=True)


SCORES = controls.Choice(options=lambda panel: [(panel.net.output.quantity, None), ("logit", "logit")],
                         absent=lambda panel: not panel.net.output.has_logits, more=True)  # fmt: skip


class OcclusionSlider(TargetPanel):
    """A patch over a picture: drag it, and watch the answer; and two maps of what it does everywhere.

    >>> cw.OcclusionSlider(cw.load("scenes"), cw.samples.scenes())      # pick among the pictures of a data set
    >>> cw.OcclusionSlider(net, "cat.jpg", target="tabby", patch=32, stride=8)

    The first map shows the score of the target with the patch at each position (Zeiler and Fergus 2014), the second the
    most probable class there, if the network gives probabilities. Hover a map, and the patch moves there; drag on it, and
    only this region is computed. A first-order estimate comes at once, from one gradient; then the exact values, those first
    that are spread over the picture or that the estimate says matter most; estimated positions are paler.
    """

    patch = Pixels(lambda panel: min(panel.net.input_shape[1:]), usual=lambda panel: usual_patch(panel.net.input_shape[1:]),
                   help="size of the patch in pixels: a number or [rows, columns]")  # fmt: skip
    stride = Pixels(lambda panel: max(1, min(panel.net.input_shape[1:]) // 4), usual=lambda panel: usual_stride(panel.patch),
                    help="pixels from one position to the next, or [rows, columns]")  # fmt: skip
    fill = Choice(FILLS, texts=FILL_NAMES.values(), more=True, help="what the patch shows")
    shape = Choice(SHAPES, more=True, help="shape of the patch")
    score = public(
        t.Union([t.Unicode(), t.List(), t.Tuple()], default_value=None, allow_none=True,
                help="what is watched: 'probability', 'logit', 'value', or [layer, unit]: the sum of its map; by default "
                     "the target's probability, or its value"),
        SCORES,
    )  # fmt: skip
    y = Cursor(control=_along(1), help="row of the patch's center in the input, in pixels")
    x = Cursor(control=_along(2), help="column of the patch's center in the input, in pixels")
    seed = Slide(0, lambda panel: (0, 20), more=True, when={"fill": ["noise"]}, help="seed of the noise")
    region = public(
        t.List(t.Int(), help="[top, left, height, width] in pixels: only positions with their center in it"), None
    )
    edges = Choice(EDGES, texts=EDGE_NAMES.values(), more=True,
                   help="whether the border cuts the last patch of a row off, or leaves it out")  # fmt: skip

    _begun: tuple[float, float] | None = None  # where the patch was put; nobody has moved it, as long as it is there

    @property
    def answer(self) -> Answer:
        """What the network says with the patch where it is; waits for it."""
        result, (top, left, *_) = self.result, self.picture.box
        return result.at(top, left) or result.session.at(top, left)

    def build(self) -> Part | tuple[Part, ...]:
        fixed = "y" in self.locked or "x" in self.locked
        locked = [*(["box"] if fixed else []), *(["region"] if "region" in self.locked else [])]
        self.answers, self.picture = AnswerView(), ImageView(width=330, lock=fixed)
        self.heat, self.tops = HeatView(lock=locked), HeatView(lock=locked)
        self.tie(*((view, "box") for view in (self.picture, self.answers, self.heat, self.tops)))
        self.tie((self, "region"), (self.heat, "region"), (self.tops, "region"))
        self.tie((self.heat, "opacity"), (self.tops, "opacity"))
        self.picture.on_user("box", self.move)
        self.picture.observe(lambda change: self.probe(), "box")
        return row(self.picture, self.heat, self.tops, basis=232), self.answers

    def compute(self, state: SimpleNamespace, job: Job) -> OcclusionMap:
        options = {name: getattr(state, name) for name in ("patch", "stride", "fill", "shape", "edges", "seed")}
        score = tuple(state.score) if isinstance(state.score, list) else state.score
        session = Occlusion(self.net, state.image, state.target, score=score, region=state.region or None, **options)
        return session.map(on_update=job.update, cancel=job)

    @draws()
    def draw_maps(self, found: OcclusionMap) -> None:
        name = self.class_name(found.target)
        quantity, (order, indices) = found.quantity(name), found.by_area()
        cover, mask = found.session.cover_picture.tobytes(), found.mask.astype(np.uint8).tobytes()
        title = f"Drag the patch ({format_shape(found.patch)} pixels)"
        self.picture.show(found.session.picture, cover=cover, mask=mask, step=list(found.stride), title=title)
        at: dict[str, Any] = {part: getattr(found, part) for part in ("ys", "xs", "patch", "known")}
        at |= {"pixels": self.picture.pixels, "shape": self.picture.shape}
        title = f"{quantity} with the patch there"
        self.heat.show(found.values, span=found.span, mark=found.clean, quantity=quantity, title=title, **at)
        title, names = "Most probable class with the patch there", [self.class_name(index) for index in order]
        colors = [class_color(index) for index in order]
        self.tops.show(indices, names=names, colors=colors, quantity="most probable", title=title, **at)
        self.reveal(self.tops, bool(order))
        told = f"p({name})" if isinstance(found.target, int) and len(found.answer.classes) else quantity
        self.answers.show(
            found, target=name, quantity=told, span=[] if told.startswith("p(") else found.span, before=found.answer.plain,
            names=self.class_names(sorted({*found.classes.flat, *found.answer.classes} - {-1})),
            score="" if told == quantity else quantity, answer={},
        )  # fmt: skip

    @draws("y", "x")
    def place_patch(self, found: OcclusionMap) -> None:
        """Put the patch on y and x; where the score is lowest, as long as nobody has moved it."""
        here = self.y, self.x
        if None in here or (found.complete and here == self._begun):
            here = self._begun = found.hottest
        self.picture.box, y, x = found.placed(*here)
        self.put(y=y, x=x)

    def summary(self, found: OcclusionMap) -> str:
        return found.summary(found.quantity(self.class_name(found.target)))

    def progress(self, partial: OcclusionMap) -> str:
        return partial.progress()

    def data(self) -> dict[str, np.ndarray]:
        """``values``, ``probability``, ``top`` (rows, columns), ``ys``, ``xs``, and ``picture`` uint8 (H, W, 3)."""
        found = self.result
        names = ("values", "probability", "top", "ys", "xs")
        return {**{name: getattr(found, name) for name in names}, "picture": found.session.picture}

    def move(self, box: list[int]) -> None:
        """A hand has moved the patch: y and x follow."""
        self.put(y=box[0] + (box[2] - 1) / 2, x=box[1] + (box[3] - 1) / 2)
        self.place_patch(self._result)  # it may have been dragged while its size changed

    def probe(self) -> None:
        """Ask the network about the place where the patch is, if the map does not have it."""
        found, box = self._result, self.picture.box

        def ask(job: Any) -> None:
            answer = found.session.at(*box[:2])
            with LOCK:
                if self._result.session is found.session:  # still the same picture
                    self.answers.names = {**self.answers.names, **self.class_names(answer.classes)}
                    self.answers.answer = {"box": box, **answer.plain}

        if found.at(*box[:2]) is None:
            self.aside("probe", ask)
