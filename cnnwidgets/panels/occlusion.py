"""OcclusionSlider: cover a part of the picture, and watch the answer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import traitlets as t

from cnnwidgets.base import controls, draws, row
from cnnwidgets.base.jobs import LOCK, Job
from cnnwidgets.base.layout import Part
from cnnwidgets.base.picture_maps import PictureMaps
from cnnwidgets.base.target import TargetPanel
from cnnwidgets.base.traits import Choice, Cursor, Layer, Pixels, Slide, Unit, parted_unit, public
from cnnwidgets.methods import Occlusion, OcclusionMap
from cnnwidgets.methods.fills import FILL_NAMES, FILLS, SHAPES
from cnnwidgets.methods.occlusion import EDGE_NAMES, EDGES, usual_patch, usual_stride
from cnnwidgets.methods.occlusion_map import Answer
from cnnwidgets.net.layers import format_shape
from cnnwidgets.views import AnswerView, Cell, HeatView, ImageView
from cnnwidgets.views.palette import class_color

SCORES = controls.Choice(options=lambda panel: [(panel.net.output.quantity, None), ("logit", "logit")], more=True,
                         absent=lambda panel: not panel.net.output.has_logits or panel.watched is not None)  # fmt: skip

HINT = "Drag on a map to compute that region only."
RIM = "Uncolored rim: there the patch would leave the picture."


class OcclusionSlider(TargetPanel):
    """A patch over a picture: drag it and watch the answer, and two maps of what it does everywhere.

    >>> cw.OcclusionSlider(cw.load("scenes"), cw.samples.scenes())      # pick among the pictures of a data set
    >>> cw.OcclusionSlider(net, "cat.jpg", target="tabby", patch=32, stride=8)

    >>> cw.OcclusionSlider(net, "cat.jpg", unit=("layer3", 7))          # what a unit depends on
    >>> cw.link(browser, panel)                                         # any unit that is clicked in a FeatureMapBrowser

    The first map shows the score with the patch at each position (Zeiler and Fergus 2014), the second the most probable
    class there, if the network gives probabilities. Point at a map, and the patch goes there; drag on it to compute that
    region only. A quick guess comes at once, from one gradient; then the exact values, position by position; what is still
    an estimate is paler.

    Parameters:
        net: a bound network, or a module.
        image: whatever ``net.prepare`` takes as one picture; or a list or data set of them, to pick from; or a number.
        target: a class's index or name, or a function of the network's output; by default the class that is predicted.
        unit: (layer, unit) for the sum of a unit's map, or (layer, unit, row, column) for one of its values, instead of a
            target; it sets the traits ``layer``, ``unit`` and ``position``.
        images: the list or data set that numbers count in.
    """

    patch = Pixels(lambda panel: min(panel.net.input_shape[1:]), usual=lambda panel: usual_patch(panel.net.input_shape[1:]),
                   help="size of the patch in pixels: a number or [rows, columns]")  # fmt: skip
    stride = Pixels(lambda panel: max(1, min(panel.net.input_shape[1:]) // 4), usual=lambda panel: usual_stride(panel.patch),
                    help="pixels from one position to the next, or [rows, columns]")  # fmt: skip
    fill = Choice(FILLS, texts=FILL_NAMES.values(), label="filled with", more=True, help="what the patch shows")
    shape = Choice(SHAPES, more=True, help="shape of the patch")
    score = public(
        t.Unicode(None, allow_none=True, help="what is watched: 'probability', 'logit' or 'value'; by default the target's "
                                              "probability, where there is one"),
        SCORES,
    )  # fmt: skip
    layer = Layer("with_units", help="layer of the unit that is watched", usual=False, control=None, then="nothing")
    unit = Unit(help="index of the unit that is watched; -1 for none: the target is", then="compute")
    position = public(
        t.List(t.Int(), None, allow_none=True, minlen=2, maxlen=2,
               help="[row, column] of the unit's value that is watched; by default the sum of its map"), None,
    )  # fmt: skip
    y = Cursor(help="row of the patch's center in the input, in pixels")
    x = Cursor(help="column of the patch's center in the input, in pixels")
    seed = Slide(0, lambda panel: (0, 20), more=True, when={"fill": ["noise"]}, help="random seed of the noise")
    region = public(
        t.List(t.Int(), help="[top, left, height, width] in pixels: only positions with their center in it"), None
    )
    edges = Choice(EDGES, texts=EDGE_NAMES.values(), label="at the border", more=True,
                   help="whether the border cuts the last patch of a row off, or leaves it out")  # fmt: skip
    opacity = Slide(0.8, (0.0, 1.0), step=0.05, label="opacity of the maps", more=True, then="nothing",
                    help="how much the maps cover the picture")  # fmt: skip
    colors = public(t.Enum(("full", "there"), "full", help="colors of a probability: from 0 to 1, or stretched over the "
                                                           "values that are there"), None, then="nothing")  # fmt: skip

    _begun: tuple[float, float] | None = None  # where the patch was put; nobody has moved it, as long as it is there

    def __init__(self, net: Any, image: Any = 0, target: Any = None, *, unit: Any = None, **options: Any):
        if isinstance(unit, (tuple, list)):
            options["layer"], unit, options["position"] = parted_unit(unit)
        super().__init__(net, image, target, **options, **({} if unit is None else {"unit": unit}))

    @property
    def watched(self) -> tuple | None:
        """The unit that is watched, as methods take it; None where the target is."""
        return unit_of(self)

    @property
    def answer(self) -> Answer:
        """What the network says with the patch where it is; waits for it."""
        result, (top, left, *_) = self.result, self.picture.box
        return result.at(top, left) or result.session.at(top, left)

    def build(self) -> Part | tuple[Part, ...]:
        fixed = "y" in self.locked or "x" in self.locked
        locked = [*(["box"] if fixed else []), *(["region"] if "region" in self.locked else [])]
        self.answers, self.picture = AnswerView(), ImageView(width=330, lock=fixed, hint="Drag the patch")
        self.heat, self.tops = HeatView(lock=locked, hint=HINT), HeatView(lock=locked)
        self.tie(*((view, "box") for view in (self.picture, self.answers, self.heat, self.tops)))
        self.tie((self, "region"), (self.heat, "region"), (self.tops, "region"))
        self.tie((self, "opacity"), (self.heat, "opacity"), (self.tops, "opacity"))
        self.bind(self.heat, colors="range")
        self.picture.on_user("box", self.move)
        self.picture.observe(lambda change: self.probe(), "box")
        self.observe(self._take_layer, "layer")
        return row(row(self.picture, self.answers, basis=192), row(self.heat, self.tops, basis=192), basis=400)

    def compute(self, state: SimpleNamespace, job: Job) -> OcclusionMap:
        options = {name: getattr(state, name) for name in ("patch", "stride", "fill", "shape", "edges", "seed")}
        unit = unit_of(state)
        options |= {"score": state.score} if unit is None else {"unit": unit, "score": None}
        target = state.target if unit is None else None
        session = Occlusion(self.net, state.image, target, region=state.region or None, **options)
        return session.map(on_update=job.update, cancel=job)

    @draws()
    def draw_maps(self, found: OcclusionMap) -> None:
        quantity, (order, indices) = self.quantity(found), found.by_area()
        cover, mask = found.session.cover_picture.tobytes(), found.mask.astype(np.uint8).tobytes()
        title = f"Patch of {format_shape(found.patch)} pixels"
        self.picture.show(found.session.picture, cover=cover, mask=mask, step=list(found.stride), title=title)
        share = found.score == "probability"
        at: dict[str, Any] = {part: getattr(found, part) for part in ("ys", "xs", "patch", "known")}
        at |= {"pixels": self.picture.pixels, "shape": self.picture.shape, "note": RIM if found.has_rim else ""}
        title = f"{quantity} for each place"
        self.heat.show(found.values, span=found.span, mark=found.clean, share=share, title=title, **at)
        names, colors = [self.class_name(index) for index in order], [class_color(index) for index in order]
        self.tops.show(indices, names=names, colors=colors, title="Answer for each place", **at)
        self.reveal(self.tops, bool(order))
        target = found.target if isinstance(found.target, int) and len(found.answer.classes) else -1
        classes = {*found.classes.flat, *found.answer.classes, target} - {-1}
        self.answers.show(
            found, target=target, quantity=quantity, share=share, span=found.span, before=found.answer.plain,
            names=self.class_names(sorted(classes)), answer={},
        )  # fmt: skip

    @draws("y", "x")
    def place_patch(self, found: OcclusionMap) -> None:
        """Put the patch on y and x; where the score is lowest, as long as nobody has moved it."""
        here = self.y, self.x
        if None in here or (found.complete and here == self._begun):
            here = self._begun = found.hottest
        self.picture.box, y, x = found.placed(*here)
        self.put(y=y, x=x)

    def quantity(self, found: OcclusionMap) -> str:
        """What a map's values are."""
        return found.quantity(self.class_name(found.target))

    def summary(self, found: OcclusionMap) -> str:
        return found.summary(self.quantity(found))

    def progress(self, partial: OcclusionMap) -> str:
        return partial.progress()

    def maps_of(self, found: OcclusionMap) -> PictureMaps:
        quantity, target = self.quantity(found), found.target if isinstance(found.target, int) else None
        lowest, highest = found.span
        cell = Cell(found.by_center(), max(-lowest, highest) or 1.0, lowest < 0, quantity=quantity)
        return PictureMaps(found.session.picture, {quantity: cell}, target=target)

    def data(self) -> dict[str, np.ndarray]:
        """``values``, ``probability``, ``top`` (rows, columns), ``ys``, ``xs``, and ``picture`` uint8 (H, W, 3)."""
        found = self.result
        names = ("values", "probability", "top", "ys", "xs")
        return {**{name: getattr(found, name) for name in names}, "picture": found.session.picture}

    def move(self, box: list[int]) -> None:
        """A hand has moved the patch: y and x follow."""
        self.put(y=box[0] + (box[2] - 1) / 2, x=box[1] + (box[3] - 1) / 2)
        self.place_patch(self._result)  # it may have been dragged while its size changed

    def _take_layer(self, change: Any) -> None:
        """Another layer was chosen in a linked panel: it matters where a unit is watched."""
        if self.unit >= 0:
            self.ask()

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


def unit_of(state: Any) -> tuple | None:
    """The unit that a state watches, as methods take it; None where it watches the target."""
    if state.layer is None or state.unit < 0:
        return None
    return (state.layer, state.unit, *(state.position or ()))
