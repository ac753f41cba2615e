"""SaliencyPanel: gradient maps, class activation maps and their likes side by side, and whether they can be trusted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import numpy as np
import torch
import traitlets as t

from cnnwidgets.base.jobs import Job, import_for_explaining
from cnnwidgets.methods import METHODS
from cnnwidgets.methods.activations import one_picture
from cnnwidgets.methods.attribution import check_unit
from cnnwidgets.methods.sanity import cascade
from cnnwidgets.methods.segmentation import Segmentation
from cnnwidgets.net import Cancelled
from cnnwidgets.net.own_score import name_of
from cnnwidgets.panels import saliency_charts as charts
from cnnwidgets.panels.controls import Choice, Several, Slider, Tick, shown_only
from cnnwidgets.panels.curves import blank
from cnnwidgets.panels.explained import OF_CLASSES, Explained, Explainer, Row
from cnnwidgets.panels.saliency_cells import NAMES, about_cut_out, cell, is_of_all
from cnnwidgets.panels.saliency_code import attribution_lines, randomised_lines
from cnnwidgets.panels.snippets import own_lines, picture_lines, tidy
from cnnwidgets.panels.target import TargetPanel, Targets, by_name, class_options
from cnnwidgets.views import ChartView, MapTable

if TYPE_CHECKING:
    pass

OF = ("class", "unit", "position")
"""What the score is of."""


class SaliencyPanel(TargetPanel):
    """What matters to a score, by several methods side by side; a row a class.

    >>> cw.SaliencyPanel(net, "both.jpg", ["tabby", "beagle"], methods=["saliency", "grad_cam", "occlusion"])
    >>> cw.SaliencyPanel(net, cw.samples.scenes())          # pick among the pictures of a data set
    >>> cw.link(browser, panel)                             # any unit that is clicked in a FeatureMapBrowser

    Point at a map for its value; every map is cut off at a scale of its own, which stands below it. *randomised* puts random
    numbers into the last layers: a map that does not change shows the picture, not what the network has learnt (Adebayo et
    al. 2018). Where the pictures know their object's place, it is said whether a map's maximum lies on it.

    Parameters:
        net: a bound network, or a module.
        image: whatever ``net.prepare`` takes as one picture; or a list or data set of them, to pick from; or a number.
        target: a class's index or name, or a function of the network's output, which gives one number a picture; or a list
            of them; by default the class that is predicted.
        methods: names in :data:`cnnwidgets.methods.METHODS`.
        images: the list or data set that numbers count in.
    """

    methods = t.List(
        t.Enum(tuple(METHODS)), ["saliency", "guided_backprop", "grad_cam", "occlusion"], help="methods, a column each"
    ).tag(control=Several(lambda panel: [(NAMES[name], name) for name in METHODS]))
    randomised = t.Int(0, min=0, help="how many of the last layers get random weights: the sanity check").tag(
        control=Slider(lambda panel: (0, len(cascade(panel.net))))
    )
    others = Targets(help="further classes that are explained, or functions of the output, a row each").tag(
        control=Several(lambda panel: class_options(panel.net))
    )
    of = t.Enum(OF, "class", help="what the score is of: a class, a unit's sum, or a unit at y and x").tag(
        control=Choice(lambda panel: [("a class", "class"), ("a unit", "unit"), ("a unit at the cursor", "position")])
    )
    cam_layer = t.Unicode(None, allow_none=True, help="layer of the activation maps; by default the last with maps").tag(
        control=Choice(lambda panel: [("chosen for you", ""), *((row.name, row.name) for row in panel.net.layers.maps)])
    )
    reduce = t.Enum(("max", "sum"), "max", help="what becomes of the channels' gradients: largest size, or their sum").tag(
        control=Choice(lambda panel: [("largest of the channels", "max"), ("sum of the channels", "sum")])
    )
    outline = t.Enum(
        ("none", "object", "segmentation"),
        "none",
        help="what is outlined: the object, where the pictures know it; or what is cut out",
    ).tag(
        control=Choice(
            lambda panel: [("nothing", "none"), ("the true object", "object"), ("what it cuts out", "segmentation")]
        )
    )
    faithful = t.Bool(False, help="whether deletion and insertion curves are computed").tag(control=Tick())
    seed = t.Int(0, help="seed of the random weights").tag(control=Slider(lambda panel: (0, 20)))
    layer = t.Unicode(None, allow_none=True, help="layer of the unit that is explained").tag(control=None)
    unit = t.Int(-1, help="index of the unit that is explained; -1 for none").tag(control=None, none=-1)
    y = t.Float(None, allow_none=True, help="row of the cursor in the input, in pixels").tag(control=None)
    x = t.Float(None, allow_none=True, help="column of the cursor in the input, in pixels").tag(control=None)

    asks = frozenset("image target methods randomised others of cam_layer reduce seed layer unit outline faithful".split())

    def __init__(self, net, image: Any = 0, target: Any = None, *, methods=None, **options):
        if isinstance(target, (list, tuple)):
            target, *others = target or [None]
            options["others"] = others
        if methods is not None:
            options["methods"] = (
                [methods] if isinstance(methods, str) or not isinstance(methods, Iterable) else list(methods)
            )
        super().__init__(net, image, target=target, **options)

    @t.validate("others")
    def _all_by_name(self, proposal) -> list[Any]:
        return [by_name(self.net, other) for other in proposal.value]

    # Panel's parts

    def build(self) -> list[w.Widget]:
        self.net.prepare(self.source)  # lets the first tensor tell the input's shape
        self._explainer = Explainer(self.net)
        self._cascade = [row.name for row in cascade(self.net)]
        self.table = MapTable(lock="y" in self.locked or "x" in self.locked)
        self.table.on_user("cursor", self._take_cursor)
        self.react(self._place_cursor, "y", "x")
        self.observe(self._take_unit, "unit")
        self.observe(self._ask_of_position, ["y", "x"])
        import_for_explaining()
        self.chart, self.curves = ChartView(height=300), ChartView(height=300)
        self.chart.show(blank("", ""), "nothing yet")
        self.curves.show(charts.faithfulness({}), "nothing yet")  # here, for the worker thread should import nothing
        self.chart.layout.display = self.curves.layout.display = "none"
        self.check = w.Button(
            description="Randomise all, one after the other", icon="random", layout=w.Layout(width="auto"),
            tooltip="every depth of the sanity check, from the last layer down", disabled="randomised" in self.locked,
        )  # fmt: skip
        self.check.on_click(lambda _: self.check_all())
        tools = self.toolbox()
        if slider := self.controls.get("randomised"):
            slider.on_user("value", self._take_depth)
        return [*tools, self.table, *([] if "randomised" in self.hidden else [self.check]), self.chart, self.curves]

    def compute(self, job: Job) -> Explained:
        all_depths = getattr(job.state, "all_depths", False)
        said: list[str] = []
        inputs = one_picture(self.net, self.source, said)
        rows, methods = self._rows(inputs), {method: self._options(method) for method in self.methods}
        depths = [*range(len(self._cascade) + 1), self.randomised] if all_depths else [self.randomised]
        explained: Explained | None = None
        for k, depth in enumerate(depths):

            def show(partial: Explained, method: str, fraction: float, k: int = k) -> None:
                done = (k + fraction) / len(depths)
                if partial.maps and not all_depths:  # one depth after the other is shown, and no half of one
                    job.update(partial, done)
                job.say(f"{self._under_way(depths, k)}{NAMES[method]} …", done)

            try:
                explained = self._explainer.explain(
                    inputs, rows, methods, depth, self.seed, faithful=self.faithful and depth == depths[-1],
                    cut_out=self.outline == "segmentation", notes=(*self.net.notes, *said), on_update=show, cancel=job,
                )  # fmt: skip
            except Cancelled as stopped:
                raise Cancelled("cancelled", partial=explained if all_depths else stopped.partial) from stopped
            if depth != depths[-1]:
                job.update(explained, (k + 1) / len(depths))
        assert explained is not None  # there is a depth at least
        return explained

    def draw(self, result: Explained) -> None:
        self._draw_maps(result)
        self._show_depth(result.depth)
        if tried := any(len(by_depth) > 1 for by_depth in result.agreements.values()):
            figure = charts.sanity({NAMES[name]: seen for name, seen in result.agreements.items()}, ["none", *self._cascade])
            self.chart.show(figure, "likeness of each method's map to its original, by depth of the randomisation")
        if result.faithful:
            quantity = result.quantity(0)
            figure = charts.faithfulness({NAMES[name]: curves for name, curves in result.faithful.items()}, quantity)
            self.curves.show(figure, f"{quantity} while pixels are deleted or inserted, the most important first")
        for chart, shown in ((self.chart, tried), (self.curves, bool(result.faithful))):
            chart.layout.display = "" if shown else "none"
        self._place_cursor()

    def summary(self, result: Explained) -> str:
        parts = [result.predicted]
        for method, first in list(result.found.items())[:1]:
            for k, (one, row) in enumerate(zip(first, result.rows, strict=True)):
                parts.append(f"{result.quantity(k) if method in OF_CLASSES else 'score'} {one.score:.3g} of {row.name}")
            notes = dict.fromkeys(note for one in first for note in one.notes if is_of_all(note))
            parts += [note for note in notes if note not in result.notes]
        if self.asked.outline == "segmentation" and result.segmentation is not None:
            parts.append(about_cut_out(result.segmentation, self._mask()))
        if result.depth:
            last = "the last layer is" if result.depth == 1 else f"the last {result.depth} layers are"
            parts.append(f"{last} random: a map that stays shows the picture, not the network")
        text = " · ".join(dict.fromkeys(parts))
        return text[:1].upper() + text[1:]

    def _under_way(self, depths: Sequence[int], k: int) -> str:
        """What is being done while the k-th depth is computed: the words before the method's name."""
        if len(depths) == 1:
            return "Computing "
        return f"{depths[k - 1] if k else 0} of {len(self._cascade)} layers random · computing the next: "

    def data(self) -> dict[str, np.ndarray]:
        """By method (rows, height, width) values by pixel of the input, and ``picture`` uint8 (H, W, 3)."""
        found = {name: np.stack([one.at_input() for one in maps]) for name, maps in self.result.found.items()}
        return {**found, "picture": self.net.picture(self.result.inputs)}

    def code(self) -> str:
        found, aim = self.result.found, self.result.rows[0].target
        own = aim if callable(aim) else None
        lines = [attribution_lines(self.net, name, maps[0], self._options(name), own) for name, maps in found.items()]
        depth = self.result.depth
        model = [randomised_lines(self.net, depth, self.seed)] if depth else []
        return tidy(
            "\n".join([picture_lines(self.net, self.image, self.images), *model, *own_lines(own), "maps = {}", *lines])
        )

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        if "of" in state:
            self.of = state["of"]  # a unit that comes with it was not clicked

    def check_all(self) -> None:
        """Randomise layer after layer, down to the first: the whole sanity check."""
        self.ask(all_depths=True)

    # computing

    def _rows(self, inputs: torch.Tensor) -> list[Row]:
        """What is explained."""
        if self.of == "class":
            first = self.net.output.predicted(self.net.scores(inputs)) if self.target is None else self.target
            aims = dict.fromkeys(one if callable(one) else self.net.target(one) for one in [first, *self.others])
            return [Row(name_of(aim) if callable(aim) else self.class_name(aim), aim, None) for aim in aims]
        if self.layer is None or self.unit < 0:
            raise ValueError("no unit is chosen: click one in a linked FeatureMapBrowser, or set layer and unit")
        if self.of == "unit":
            return [Row(f"unit {self.unit} of {self.layer}", None, check_unit(self.net, (self.layer, self.unit)))]
        if self.y is None or self.x is None:
            raise ValueError("no position is chosen: point at one in a linked FeatureMapBrowser, or set y and x")
        place = self.net.layers[self.layer].to_position(self.y, self.x, (inputs.shape[2], inputs.shape[3]))
        return [Row(f"unit {self.unit} of {self.layer} at {place}", None, (self.layer, self.unit, *place))]

    def _options(self, method: str) -> dict[str, Any]:
        if method in ("saliency", "smoothgrad", "deconvnet", "guided_backprop"):
            return {"reduce": self.reduce}
        if method.endswith(("_cam", "_plus_plus")) and self.cam_layer is not None:
            return {"layer": self.cam_layer}
        return {}

    # drawing

    def _draw_maps(self, result: Explained) -> None:
        mask = self._mask()
        self.table.show(
            self.net.picture(result.inputs),
            [[cell(result, method, k, mask) for method in result.asked] for k in range(len(result.rows))],
            rows=[row.name for row in result.rows],
            columns=[NAMES[method] for method in result.asked],
            mask=self._outlined(result),
        )

    def _show_depth(self, depth: int) -> None:
        """Let the slider stand where the maps are, while the sanity check goes through all depths."""
        if slider := self.controls.get("randomised"):
            with shown_only(slider):
                slider.value = depth

    def _outlined(self, result: Explained) -> np.ndarray | None:
        if self.asked.outline == "segmentation":
            return result.segmentation.mask if isinstance(result.segmentation, Segmentation) else None
        return self._mask() if self.asked.outline == "object" else None

    def _mask(self) -> np.ndarray | None:
        """bool (height, width), where the object is, if the pictures know it."""
        mask_of = getattr(self.images, "mask", None)
        image = self.asked.image
        if isinstance(image, int) and callable(mask_of):
            mask = mask_of(image)
            if mask.shape == self.net.input_shape[1:] and mask.any():
                return mask
        return None

    # hands

    def _take_cursor(self, cursor: list[float]) -> None:
        if len(cursor) == 2:
            with self.hold_trait_notifications():
                self.y, self.x = cursor

    def _place_cursor(self) -> None:
        if self.y is not None and self.x is not None:
            self.table.cursor = [self.y, self.x]

    def _take_depth(self, depth: int) -> None:
        """A hand moved the slider from where a cancelled sanity check had left it to the depth that is asked for."""
        at_rest = self._result and self._job and self._job.ended
        if at_rest and self._result.depth != depth == self.randomised:
            self.ask()

    def _take_unit(self, change) -> None:
        """A unit was clicked in a linked panel."""
        if change.new >= 0 and self.of == "class" and "of" not in self.locked:
            self.of = "unit"

    def _ask_of_position(self, change) -> None:
        if self.of == "position":
            self.ask()
