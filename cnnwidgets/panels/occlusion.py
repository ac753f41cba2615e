"""OcclusionSlider: cover a part of the picture, and watch the answer."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import numpy as np
import traitlets as t

from cnnwidgets.base.jobs import LOCK, Job
from cnnwidgets.methods import Occlusion, OcclusionMap
from cnnwidgets.methods.attribution import One
from cnnwidgets.methods.code.pictures import picture_lines
from cnnwidgets.methods.code.text import tidy
from cnnwidgets.methods.fills import FILLS, SHAPES
from cnnwidgets.methods.occlusion import EDGES, usual_patch, usual_stride
from cnnwidgets.methods.occlusion_map import Answer
from cnnwidgets.net import Cancelled
from cnnwidgets.net.layers import format_shape
from cnnwidgets.net.output import Output
from cnnwidgets.panels.controls import Choice, Slider
from cnnwidgets.panels.target import TargetPanel
from cnnwidgets.views import AnswerView, HeatView, ImageView

if TYPE_CHECKING:
    pass


_FILL_NAMES = {
    "mean": "mean of the picture",
    "gray": "gray",
    "zero": "0 after preprocessing",
    "noise": "noise",
    "blur": "blurred picture",
}


@dataclass(frozen=True, repr=False)
class Covered(OcclusionMap):
    """A map, and the picture that it is of, ready for a patch anywhere."""

    session: Occlusion = field(kw_only=True, compare=False)


class OcclusionSlider(TargetPanel):
    """A patch over a picture: drag it, and watch the answer; and two maps of what it does everywhere.

    >>> cw.OcclusionSlider(net, "cat.jpg")
    >>> cw.OcclusionSlider(net, "cat.jpg", target="tabby", patch=32, stride=8)
    >>> cw.OcclusionSlider(net, cw.samples.scenes())        # pick among the pictures of a data set

    The first map shows the score of the target with the patch at each position (Zeiler and Fergus 2014), the second the
    most probable class there, if the network gives probabilities. Hover a map, and the patch moves there; drag on it, and
    only this region is computed. A first-order estimate comes at once, from one gradient; then the exact values, those first
    that are spread over the picture or that the estimate says matter most; estimated positions are paler.

    Parameters:
        net: a bound network, or a module.
        image: whatever ``net.prepare`` takes as one picture; or a list or data set of them, to pick from; or a number.
        images: the list or data set that numbers count in.
    """

    patch = t.Union(
        [t.Int(), t.List(t.Int())],
        default_value=None,
        allow_none=True,
        help="size of the patch in pixels: a number or [rows, columns]",
    ).tag(control=Slider(lambda panel: (1, min(panel.net.input_shape[1:]))))
    stride = t.Union(
        [t.Int(), t.List(t.Int())],
        default_value=None,
        allow_none=True,
        help="pixels from one position to the next, or [rows, columns]",
    ).tag(control=Slider(lambda panel: (1, max(1, min(panel.net.input_shape[1:]) // 4))))
    fill = t.Enum(FILLS, "mean", help="what the patch shows").tag(
        control=Choice(lambda panel: [(_FILL_NAMES[fill], fill) for fill in FILLS])
    )
    shape = t.Enum(SHAPES, "rectangle", help="shape of the patch").tag(
        control=Choice(lambda panel: [(shape, shape) for shape in SHAPES])
    )
    score = t.Union(
        [t.Unicode(), t.List(), t.Tuple()],
        default_value=None,
        allow_none=True,
        help="what is watched: 'probability', 'logit', 'value', or [layer, unit]: the sum of its map; by default the "
        "target's probability, or its value",
    ).tag(control=Choice(lambda panel: _scores(panel.net.output)))
    y = t.Float(None, allow_none=True, help="row of the patch's centre in the input, in pixels").tag(
        control=Slider(lambda panel: (0, panel.net.input_shape[1] - 1))
    )
    x = t.Float(None, allow_none=True, help="column of the patch's centre in the input, in pixels").tag(
        control=Slider(lambda panel: (0, panel.net.input_shape[2] - 1))
    )
    seed = t.Int(0, help="seed of the noise").tag(control=Slider(lambda panel: (0, 20)))
    region = t.List(t.Int(), help="[top, left, height, width] in pixels: only positions with their centre in it").tag(
        control=None
    )

    edges = t.Enum(EDGES, "cut", help="whether the border cuts the last patch of a row off, or leaves it out").tag(
        control=Choice(lambda panel: [("cut off by the border", "cut"), ("whole patches alone", "inside")])
    )

    asks = frozenset(("image", "target", "patch", "stride", "fill", "shape", "score", "seed", "region", "edges"))

    def __init__(self, net, image: Any = 0, target: One | None = None, **options):
        self._begun: tuple[float, float] | None = None
        super().__init__(net, image, target=target, **options)

    @property
    def answer(self) -> Answer:
        """What the network says with the patch where it is; waits for it."""
        result: Covered = self.result
        top, left, *_ = self.picture.box
        return _known(result, top, left) or result.session.at(top, left)

    @property
    def session(self) -> Occlusion:
        """The picture of what is on screen, ready for a patch anywhere."""
        return self.shown.session

    # Panel's parts

    def build(self) -> list[w.Widget]:
        self.net.prepare(self.source)  # lets the first tensor tell the input's shape
        if self.patch is None:
            self.patch = usual_patch(self.net.input_shape[1:])
        if self.stride is None:
            self.stride = usual_stride(self.patch)
        fixed = "y" in self.locked or "x" in self.locked
        locked = [*(["box"] if fixed else []), *(["region"] if "region" in self.locked else [])]
        self.picture = ImageView(width=330, lock=fixed)
        self.answers = AnswerView()
        self.heat, self.tops = HeatView(lock=locked), HeatView(lock=locked)
        self.tie((self.picture, "box"), (self.answers, "box"), (self.heat, "box"), (self.tops, "box"))
        self.tie((self.heat, "region"), (self.tops, "region"))
        self.tie((self.heat, "opacity"), (self.tops, "opacity"))
        self.picture.observe(self._take_box, "box")
        t.link((self, "region"), (self.heat, "region"))
        self.react(self._place_box, "y", "x")
        flow = w.Layout(grid_gap="20px", flex_flow="row wrap", align_items="flex-start")
        for view in (self.picture, self.heat, self.tops):
            view.layout = w.Layout(flex="0 1 330px", min_width="160px")
        return [*self.toolbox(), self.answers, w.HBox([self.picture, self.heat, self.tops], layout=flow)]

    def compute(self, job: Job) -> Covered:
        asked = job.state
        session = Occlusion(
            self.net,
            self.source,
            asked.target,
            patch=asked.patch,
            stride=asked.stride,
            fill=asked.fill,
            shape=asked.shape,
            score=tuple(asked.score) if isinstance(asked.score, (list, tuple)) else asked.score,
            region=asked.region or None,
            edges=asked.edges,
            seed=asked.seed,
        )

        def covered(found: OcclusionMap) -> Covered:
            return Covered(**{one.name: getattr(found, one.name) for one in fields(found)}, session=session)

        try:
            return covered(session.map(on_update=lambda found, done: job.update(covered(found), done), cancel=job))
        except Cancelled as stopped:
            raise Cancelled("cancelled", partial=stopped.partial and covered(stopped.partial)) from stopped

    def draw(self, result: Covered) -> None:
        inputs = result.session.inputs
        picture = self.net.picture(inputs)
        self.picture.show(
            picture,
            cover=self.net.picture(result.session.cover, like=inputs).tobytes(),
            mask=result.mask.astype(np.uint8).tobytes(),
            step=list(result.stride),
            title=f"Drag the patch ({format_shape(result.patch)} pixels)",
        )
        shown: dict[str, Any] = {
            "pixels": self.picture.pixels,
            "shape": self.picture.shape,
            "patch": result.patch,
            "known": result.known,
        }
        self.heat.show(
            result.values,
            result.ys,
            result.xs,
            span=_span(result),
            mark=result.clean,
            quantity=self._quantity(result),
            title=f"{self._quantity(result)} with the patch there",
            **shown,
        )
        order, indices = result.by_area()
        self.tops.layout.display = "" if order else "none"
        self.tops.show(
            indices,
            result.ys,
            result.xs,
            names=[self.class_name(index) for index in order],
            quantity="most probable",
            title="Most probable class with the patch there",
            **shown,
        )
        before = result.answer
        occurring = sorted({*result.classes.flat, *before.classes.tolist()} - {-1})
        self.answers.show(
            grid={
                "known": result.known,
                "values": result.values,
                "probability": result.probability,
                "classes": result.classes,
                "chances": result.chances,
            },
            ys=self.heat.ys,
            xs=self.heat.xs,
            target=self.class_name(result.target),
            quantity=self._told(result),
            span=[] if self._told(result).startswith("p(") else _span(result),
            names={str(index): self.class_name(index) for index in occurring},
            before=_plain(before),
            score="" if self._told(result) == self._quantity(result) else self._quantity(result),
            answer={},
        )
        if self.y is None or self.x is None or (result.complete and (self.y, self.x) == self._begun):
            self.y, self.x = self._begun = self._hottest(result)  # as long as nobody has moved the patch
        self._place_box()

    def summary(self, result: OcclusionMap) -> str:
        count = result.known.size
        every = f"all {count:,} positions are" if count > 1 else "the one position is"
        parts = [
            f"{every} {_worth(result)}" if result.complete else _so_far(result),
            f"{self._quantity(result)} from {result.values.min():.3g} to {result.values.max():.3g}, "
            f"{result.clean:.3g} without the patch",
        ]
        if np.isfinite(result.agreement):
            parts.append(f"the first-order estimate had r = {result.agreement:.2f} with them (1 is perfect)")
        text = " · ".join([*parts, f"{result.passes:,} passes, {result.how}", result.output])
        return text[:1].upper() + text[1:]

    def progress(self, partial: OcclusionMap) -> str:
        known, count = int(partial.known.sum()), partial.known.size
        left = f"about {_seconds(partial.remaining)} left"
        if not known:
            return f"A first-order estimate, from one gradient · {count:,} positions to compute, {left}"
        return f"{_so_far(partial)} · {left}"

    def data(self) -> dict[str, np.ndarray]:
        """``values``, ``probability``, ``top`` (rows, columns), ``ys``, ``xs``, and ``picture`` uint8 (H, W, 3)."""
        result = self.result
        names = ("values", "probability", "top", "ys", "xs")
        return {**{name: getattr(result, name) for name in names}, "picture": self.net.picture(result.session.inputs)}

    def code(self) -> str:
        return tidy("\n".join([picture_lines(self.net, self.image, self.images), self.result.code(self.net)]))

    # the patch

    def _place_box(self) -> None:
        """Put the patch with its centre on y and x; where the score is lowest, if one of them is None."""
        result = self._result
        if self.y is None or self.x is None:
            with self.hold_trait_notifications():
                self.y, self.x = self._begun = self._hottest(result)
        (tall, wide), (height, width) = result.patch, result.size
        top = min(max(0, round(self.y - (tall - 1) / 2)), max(height - tall, int(result.ys[-1])))
        left = min(max(0, round(self.x - (wide - 1) / 2)), max(width - wide, int(result.xs[-1])))
        if self.picture.box != [top, left, tall, wide]:  # else the browser has moved it, and has told the other views
            for view in (self.answers, self.heat, self.tops, self.picture):
                view.box = [top, left, tall, wide]

    def _take_box(self, change) -> None:
        """The patch was moved in the browser, or by y and x."""
        if not self._result or len(change.new) != 4:
            return
        top, left, tall, wide = change.new
        centre = top + (tall - 1) / 2, left + (wide - 1) / 2
        if self.y is None or self.x is None or max(abs(self.y - centre[0]), abs(self.x - centre[1])) >= 1:
            with self.hold_trait_notifications():
                self.y, self.x = centre
        if [tall, wide] != list(self._result.patch):  # it was dragged while its size changed
            self._place_box()
        if not _known(self._result, top, left):
            self.aside("probe", lambda job: self._probe(self._result, top, left))

    def _probe(self, result: Covered, top: int, left: int) -> None:
        """Ask the network about the place where the patch was dragged to."""
        answer = result.session.at(top, left)
        with LOCK:
            if not (self._result and self._result.session is result.session):  # another picture, by now
                return
            names = {str(index): self.class_name(index) for index in answer.classes.tolist()}
            self.answers.names = {**self.answers.names, **names}
            self.answers.answer = {"box": [top, left, *result.patch], **_plain(answer)}

    def _hottest(self, result: OcclusionMap) -> tuple[float, float]:
        """The centre of the patch where the score is lowest."""
        i, j = np.unravel_index(result.values.argmin(), result.values.shape)
        return float(result.ys[i] + (result.patch[0] - 1) / 2), float(result.xs[j] + (result.patch[1] - 1) / 2)

    # words

    def _quantity(self, result: OcclusionMap) -> str:
        """What the map shows."""
        name = self.class_name(result.target)
        match result.score:
            case "probability":
                return f"p({name})"
            case "logit":
                return f"logit({name})"
            case "value":
                return name
        return f"sum of unit {result.score[1]} of {result.score[0]}"

    def _told(self, result: OcclusionMap) -> str:
        """What the large number is: the target's probability, where it has one."""
        has_one = isinstance(result.target, int) and len(result.answer.classes)
        return f"p({self.class_name(result.target)})" if has_one else self._quantity(result)


def _known(result: OcclusionMap, top: int, left: int) -> Answer | None:
    """The answer with the patch there, if the map has it."""
    i, j = np.flatnonzero(result.ys == top), np.flatnonzero(result.xs == left)
    if not (len(i) and len(j) and result.known[i[0], j[0]]):
        return None
    here = int(i[0]), int(j[0])
    values = float(result.values[here]), float(result.probability[here])
    return Answer(*values, result.classes[here], result.chances[here])


def _scores(output: Output) -> list[tuple[str, str]]:
    """The scores to choose from."""
    return [(output.quantity, ""), *([("logit", "logit")] if output.has_logits else [])]


def _plain(answer: Answer) -> dict[str, Any]:
    return {
        "value": answer.value,
        "probability": answer.probability,
        "classes": answer.classes.tolist(),
        "chances": answer.chances.tolist(),
    }


def _worth(result: OcclusionMap) -> str:
    """What the values of the positions are that were computed."""
    return "those of one draw of the network's random numbers" if result.draws else "exact"


def _so_far(result: OcclusionMap) -> str:
    known, count = int(result.known.sum()), result.known.size
    return f"{known:,} of {count:,} positions are {_worth(result)}, the others are estimates (paler)"


def _span(result: OcclusionMap) -> tuple[float, float]:
    """The ends of the colours."""
    values = [*result.values.flat, result.clean]
    return (0.0, 1.0) if result.score == "probability" else (float(min(values)), float(max(values)))


def _seconds(seconds: float) -> str:
    return (
        f"{seconds:.0f} s" if seconds >= 1.5 else f"{max(0.1, seconds):.1f} s" if seconds < 60 else f"{seconds / 60:.0f} min"
    )
