"""The panel: one column per method, one row per class or unit that is explained."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import numpy as np
import traitlets as t
from torch import nn

from cnnwidgets.base import action, column, draws
from cnnwidgets.base import controls as c
from cnnwidgets.base.jobs import Job, import_for_explaining
from cnnwidgets.base.layout import Part
from cnnwidgets.base.picture_maps import PictureMaps
from cnnwidgets.base.target import TargetPanel, Targets, by_name, class_options
from cnnwidgets.base.traits import Choice, Cursor, Flag, Layer, Seed, Unit, parted_unit, public
from cnnwidgets.methods import METHODS, Comparer, Comparison
from cnnwidgets.methods.attribution import check_unit
from cnnwidgets.methods.sanity import cascade
from cnnwidgets.net import BoundModel
from cnnwidgets.net.items import mask_of
from cnnwidgets.optional import MissingPackage
from cnnwidgets.panels.saliency import charts
from cnnwidgets.views import Cell, ChartView, MapTable
from cnnwidgets.views.curves import blank


class SaliencyPanel(TargetPanel):
    """What matters to a score, by several methods side by side; one row per class.

    >>> cw.SaliencyPanel(cw.load("scenes"), cw.samples.scenes(), outline="object")
    >>> cw.SaliencyPanel(net, "both.jpg", ["tabby", "beagle"], methods=["saliency", "grad_cam", "occlusion"])
    >>> cw.SaliencyPanel(net, "cat.jpg", unit=("layer3", 7))  # what a unit depends on
    >>> cw.link(browser, panel)                             # explains any unit clicked in a FeatureMapBrowser

    Point at a map to read its value; each map has its own scale, which stands below it. *random layers* gives the last
    layers random weights: a map that does not change shows the picture, not what the network has learned (Adebayo et al.
    2018). If the data set knows where the object is, each map says whether its maximum lies on it.

    Parameters:
        net: a bound network, or a module.
        image: one picture, as ``net.prepare`` takes it; or a list or data set of pictures; or the number of a picture in
            ``images``.
        target: a class's index or name; or a function of the network's output that returns one number per picture; or a
            list of them, one row each; by default the predicted class.
        methods: names in :data:`cnnwidgets.methods.METHODS`.
        unit: (layer, unit) for the sum of a unit's map, or (layer, unit, row, column) for one of its values, instead of a
            target; it sets the traits ``layer``, ``unit`` and ``explain``, and for one value ``y`` and ``x``.
        images: the list or data set that ``image`` is a number of.
    """

    randomized = public(
        t.Int(0, min=0, help="Sanity check: how many of the last layers get random weights"),
        c.Slider(
            label="random last layers",
            bounds=lambda panel: (0, len(cascade(panel.net))),
            shown=lambda panel: panel.depth_on_screen,
        ),
    )
    methods = public(
        t.List(
            t.Enum(METHODS),  # type: ignore[call-overload]  # the table itself, which may grow
            ["saliency", "guided_backprop", "grad_cam", "occlusion"],
            help="Methods, one column each",
        ),
        c.Several(
            group="methods",
            options=lambda panel: [(method.title, name) for name, method in METHODS.items()],
            about=lambda panel: [(method.group, method.help) for method in METHODS.values()],
        ),
    )
    other_targets = public(
        Targets(help="Further classes, or functions of the output, to explain; one row each"),
        c.Several(
            label="also explain",
            options=lambda panel: class_options(panel.net),
            more=True,
            absent=lambda panel: not panel.explains_target,
        ),
    )
    explain = Choice(
        ("class", "unit", "position"), texts=("class", "unit", "unit at the cursor"), label="explain a", more=True,
        help="What is explained: a class's score, the sum of a unit's map, or the unit's value at the cursor",
    )  # fmt: skip
    cam_layer = Layer(
        "maps", none="automatic", label="layer for CAM", more=True, absent=lambda panel: not panel.takes("layer"),
        help="Layer of the class activation maps; by default the last feature maps",
    )  # fmt: skip
    reduce = Choice(
        ("max", "sum"), texts=("the largest", "the sum"), label="combine channels by", more=True,
        absent=lambda panel: not panel.takes("reduce"),
        help="One number per pixel: the largest of the channels' gradients, or the sum of their sizes",
    )  # fmt: skip
    outline = Choice(
        ("none", "object", "segmentation"), texts=("nothing", "the object", "the cut-out"), more=True,
        help="Outline the object, if the data set knows where it is; or what the network cuts out as the object",
    )  # fmt: skip
    faithful = Flag(
        False, label="deletion and insertion test", more=True,
        help="Delete and insert pixels, the most important first, and watch the probability, or the unit",
    )  # fmt: skip
    seed = Seed(help="Random seed of the weights")
    layer = Layer("with_units", help="Layer of the unit that is explained", usual=False, control=None)
    unit = Unit(help="Index of the unit that is explained; -1 for none", then="compute")
    y = Cursor(help="Row of the cursor in the input, in pixels")
    x = Cursor(help="Column of the cursor in the input, in pixels")

    not_in_maps = ("faithful", "outline")

    _position: list | None = None  # [row, column] of the unit's value, until the network's layers are known

    def __init__(
        self,
        net: BoundModel | nn.Module,
        image: Any = 0,
        target: Any = None,
        *,
        methods: Any = None,
        unit: Any = None,
        **options: Any,
    ) -> None:
        if isinstance(unit, (tuple, list)):
            options["layer"], unit, self._position = parted_unit(unit)
        if unit not in (None, -1):
            options = {"explain": "position" if self._position else "unit", "unit": unit, **options}
        if isinstance(target, (list, tuple)):
            target, *others = target or [None]
            options["other_targets"] = others
        if methods is not None:
            several = isinstance(methods, Iterable) and not isinstance(methods, str)
            options["methods"] = list(methods) if several else [methods]
        super().__init__(net, image, target=target, **options)

    @t.validate("other_targets")
    def _all_by_name(self, proposal: Any) -> list[Any]:
        return [by_name(self.net, other) for other in proposal.value]

    @property
    def depth_on_screen(self) -> int | None:
        """How many layers of the network on screen are random, where that is not the number asked for."""
        found, asked = self._result, self.asked
        return found.depth if found and asked.randomized == self.randomized != found.depth else None

    @property
    def mask(self) -> np.ndarray | None:
        """bool (height, width), where the object on screen is, if the data set knows it."""
        return mask_of(self.images, self.asked.image, self.net.input_shape[1:])

    def takes(self, option: str) -> bool:
        """Whether any of the methods takes an option."""
        return any(option in METHODS[method].options for method in self.methods)

    def build(self) -> Part | tuple[Part, ...]:
        import_for_explaining()
        with suppress(MissingPackage):
            charts.faithfulness({}), blank("", "")  # which import what draws
        if position := self._position:
            self._position = None
            check_unit(self.net, (self.layer, self.unit, *position))
            self.y, self.x = self.net.layers[self.layer].to_pixel(*position, self.net.input_shape[1:])
        self._comparer = Comparer(self.net)
        self.table = MapTable(lock="y" in self.locked or "x" in self.locked)
        self.chart, self.curves = ChartView(height=300), ChartView(height=350)
        self.table.on_user("cursor", self.point_at)
        self.observe(self._take_unit, "unit")
        self.observe(self._take_place, ["y", "x"])
        body = column(self.table, self.chart, self.curves)
        body.hidden = [self.chart, self.curves]
        return body

    def compute(self, state: SimpleNamespace, job: Job) -> Comparison:
        every, total, done = hasattr(state, "all_depths"), len(cascade(self.net)), 0

        def show(partial: Comparison, fraction: float) -> None:
            nonlocal done
            if not partial.pending:  # all depths are shown one after the other, each only when it is complete
                done = partial.depth
            if not (partial.pending and every) and (partial.maps or partial.refused):
                job.update(partial, fraction)
            for method in partial.pending[:1]:
                words = f"{done} of {total} layers random. Computing the next: " if every else "Computing "
                job.say(f"{words}{METHODS[method].title} …", fraction)

        return self._comparer.compare(
            state.image, state.methods, **self._aims(state), reduce=state.reduce, layer=state.cam_layer, seed=state.seed,
            randomized=[*range(total + 1), state.randomized] if every else state.randomized,
            faithful=state.faithful, segmentation=state.outline == "segmentation", on_update=show, cancel=job,
        )  # fmt: skip

    def _aims(self, state: SimpleNamespace) -> dict[str, Any]:
        """What is explained."""
        if state.explain == "class":
            return {"targets": [state.target, *state.other_targets]}
        if state.layer is None or state.unit < 0:
            raise ValueError("no unit is selected: click one in a linked FeatureMapBrowser, or set layer and unit")
        if state.explain == "unit":
            return {"unit": (state.layer, state.unit)}
        if state.y is None or state.x is None:
            raise ValueError("no position is selected: point at one in a linked FeatureMapBrowser, or set y and x")
        place = self.net.layers[state.layer].to_position(state.y, state.x, self.net.input_shape[1:])
        return {"unit": (state.layer, state.unit, *place)}

    @draws()
    def draw_maps(self, found: Comparison) -> None:
        mask, cut_out = self.mask, found.segmentation and found.segmentation.mask
        self.table.show(
            self.net.picture(found.inputs),
            [[_cell(found, method, k, mask) for method in found.asked] for k in range(len(found.rows))],
            rows=[found.called(k) for k in range(len(found.rows))],
            columns=[METHODS[method].title for method in found.asked],
            mask={"object": mask, "segmentation": cut_out, "none": None}[self.asked.outline],
        )

    @draws()
    def draw_charts(self, found: Comparison) -> None:
        if self.reveal(self.chart, any(len(by_depth) > 1 for by_depth in found.agreements.values())):
            figure = charts.sanity(found.agreements, ["none", *(row.name for row in cascade(self.net))])
            self.chart.show(figure, "similarity of each method's map to its original, by the number of random layers")
        if self.reveal(self.curves, bool(found.faithful)):
            watched = next(iter(found.faithful.values())).watched
            words = f"{watched} as pixels are deleted or inserted, the most important first"
            self.curves.show(charts.faithfulness(found.faithful), words)

    @draws("y", "x")
    def draw_cursor(self, found: Comparison) -> None:
        if self.y is not None and self.x is not None:
            self.table.cursor = [self.y, self.x]

    def summary(self, found: Comparison) -> str:
        return found.summary(self.mask)

    def maps_of(self, found: Comparison) -> PictureMaps:
        maps: dict[str, Cell] = {}
        for k in range(len(found.rows)):
            of = f" · {found.called(k)}" if len(found.rows) > 1 else ""
            maps |= {f"{METHODS[method].title}{of}": _cell(found, method, k, None) for method in found.maps}
        target = found.rows[0].target
        return PictureMaps(self.net.picture(found.inputs), maps, target=None if callable(target) else target)

    def data(self) -> dict[str, np.ndarray]:
        """By method, values per pixel of the input (rows, height, width); and ``picture``, uint8 (H, W, 3)."""
        found = {name: np.stack([one.at_input() for one in maps]) for name, maps in self.result.maps.items()}
        return {**found, "picture": self.net.picture(self.result.inputs)}

    def put(self, **state: Any) -> None:
        super().put(**state)
        if "explain" in state:
            self.explain = state["explain"]  # a unit that comes with it was not clicked

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        if "explain" in state:
            self.explain = state["explain"]  # a unit that comes with it was not clicked

    @property
    def explains_target(self) -> bool:
        return self.explain == "class"

    @action("Run the whole sanity check", locked_by="randomized")
    def check_all(self) -> None:
        """Give one layer after the other random weights, from the last to the first, and watch the maps."""
        self.ask(all_depths=True)

    def point_at(self, place: list[float]) -> None:
        """Move the cursor to [row, column]."""
        with self.hold_trait_notifications():
            self.y, self.x = place or (None, None)

    def _take_unit(self, change: Any) -> None:
        """A unit was clicked in a linked panel."""
        if change.new >= 0 and self.explain == "class" and "explain" not in self.locked:
            self.explain = "unit"

    def _take_place(self, change: Any) -> None:
        if self.explain == "position":
            self.ask()


def _cell(found: Comparison, method: str, row: int, mask: np.ndarray | None) -> Cell:
    """A map and its notes, or the sentence why there is none."""
    if method not in found.maps:
        return Cell(None, text=found.refused.get(method, "not computed yet"))
    one = found.maps[method][row]
    notes = " · ".join(found.remarks(method, row, mask))
    return Cell(one.values, found.scale(method), one.signed, notes, found.values_of(method, row))
