"""SaliencyPanel: gradient maps, class activation maps and their likes side by side, and whether they can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import numpy as np
import torch
import traitlets as t

from cnnwidgets.methods import METHODS, Attribution, attribute
from cnnwidgets.methods.attribution import DISPLAYED, Unit
from cnnwidgets.methods.faithfulness import pointing_game
from cnnwidgets.methods.sanity import Agreement, agreement, cascade, randomised
from cnnwidgets.net import BoundModel, Cancelled
from cnnwidgets.net.layers import format_shape
from cnnwidgets.panels import saliency_charts as charts
from cnnwidgets.panels.controls import Choice, Several, Slider, Tick
from cnnwidgets.panels.jobs import Job
from cnnwidgets.panels.picture import PicturePanel, answer_words, class_options
from cnnwidgets.panels.saliency_code import attribution_lines
from cnnwidgets.panels.snippets import picture_lines, tidy
from cnnwidgets.views import Cell, ChartView, MapTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OF = ("class", "unit", "position")
"""What the score is of."""

NAMES = {
    "saliency": "saliency",
    "gradient_x_input": "gradient × input",
    "smoothgrad": "SmoothGrad",
    "integrated_gradients": "integrated gradients",
    "deconvnet": "deconvnet",
    "guided_backprop": "guided backprop",
    "grad_cam": "Grad-CAM",
    "grad_cam_plus_plus": "Grad-CAM++",
    "layer_cam": "Layer-CAM",
    "score_cam": "Score-CAM",
    "guided_grad_cam": "guided Grad-CAM",
    "occlusion": "occlusion",
    "rise": "RISE",
    "lime": "LIME",
}
"""What the methods are called."""

OF_CLASSES = frozenset(("occlusion", "rise", "lime"))
"""Methods that explain a class's probability, and no unit."""


@dataclass(frozen=True)
class Explained:
    """Maps of one picture.

    Attributes:
        inputs: (1, C, H, W), the picture.
        predicted: the most probable classes and their probabilities.
        rows: what the scores are of, in words.
        maps: by method a map a row; or the sentence why there is none.
        depth: how many of the last layers had random weights.
        agreements: by method and depth how much the first row's map is like that of the network itself.
    """

    inputs: torch.Tensor
    predicted: list[tuple[str, float]]
    rows: list[str]
    maps: dict[str, list[Attribution] | str]
    depth: int
    agreements: dict[str, dict[int, Agreement]]

    def scale(self, method: str) -> float:
        """The size that 99.5 % of a method's values do not exceed: that of the last colour, in all rows."""
        found = self.maps[method]
        if isinstance(found, str):
            return 1.0
        sizes = np.abs(np.stack([one.at_input() for one in found]))
        return float(np.quantile(sizes, DISPLAYED)) or float(sizes.max()) or 1.0


class SaliencyPanel(PicturePanel):
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
        target: a class's index or name, or a list of them; by default the class that is predicted.
        methods: names in :data:`cnnwidgets.methods.METHODS`.
        images: the list or data set that numbers count in.
    """

    target = t.Union(
        [t.Int(), t.Unicode()],
        default_value=None,
        allow_none=True,
        help="class that is explained; by default the one that is predicted",
    ).tag(control=Choice(lambda panel: [("predicted class", ""), *class_options(panel.net.classes)]))
    methods = t.List(
        t.Enum(tuple(METHODS)), ["saliency", "guided_backprop", "grad_cam", "occlusion"], help="methods, a column each"
    ).tag(control=Several(lambda panel: [(NAMES[name], name) for name in METHODS]))
    randomised = t.Int(0, min=0, help="how many of the last layers get random weights: the sanity check").tag(
        control=Slider(lambda panel: (0, len(cascade(panel.net))))
    )
    others = t.List(t.Union([t.Int(), t.Unicode()]), help="further classes that are explained, a row each").tag(
        control=Several(lambda panel: class_options(panel.net.classes))
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
    outline = t.Bool(False, help="whether the object's place is drawn, where the pictures know it").tag(control=Tick())
    seed = t.Int(0, help="seed of the random weights").tag(control=Slider(lambda panel: (0, 20)))
    layer = t.Unicode(None, allow_none=True, help="layer of the unit that is explained").tag(control=None)
    unit = t.Int(-1, help="index of the unit that is explained; -1 for none").tag(control=None)
    y = t.Float(None, allow_none=True, help="row of the cursor in the input, in pixels").tag(control=None)
    x = t.Float(None, allow_none=True, help="column of the cursor in the input, in pixels").tag(control=None)

    asks = frozenset("image target methods randomised others of cam_layer reduce seed layer unit".split())

    def __init__(self, net, image: Any = 0, target: Any = None, *, methods=None, **options):
        if isinstance(target, (list, tuple)):
            target, *others = target or [None]
            options["others"] = others
        if methods is not None:
            options["methods"] = list(methods)
        self._found: dict[tuple, Any] = {}
        self._agreements: dict[str, dict[int, Agreement]] = {}
        self._inputs: torch.Tensor | None = None
        self._all_depths = False
        super().__init__(net, image, target=target, **options)

    # Panel's parts

    def build(self) -> list[w.Widget]:
        self.net.prepare(self.source)  # lets the first tensor tell the input's shape
        _ = self.net.layers
        self.table = MapTable(lock="y" in self.locked or "x" in self.locked)
        self.table.observe(self._take_cursor, "cursor")
        self.react(self._place_cursor, "y", "x")
        self.react(self._draw_maps, "outline")
        self.observe(self._take_unit, "unit")
        self.observe(self._ask_of_position, ["y", "x"])
        self.chart = ChartView(height=300)
        self.chart.show(charts.sanity({}, []), "sanity check")  # here, for the worker thread should import nothing
        self.chart.layout.display = "none"
        self.check = w.Button(
            description="Randomise all, one after the other", icon="random", layout=w.Layout(width="auto"),
            tooltip="every depth of the sanity check, from the last layer down", disabled="randomised" in self.locked,
        )  # fmt: skip
        self.check.on_click(lambda _: self.check_all())
        return [*self.toolbox(), self.table, *([] if "randomised" in self.hidden else [self.check]), self.chart]

    def compute(self, job: Job) -> Explained:
        inputs = self.net.prepare(self.source)
        if self._inputs is None or not torch.equal(inputs, self._inputs):
            self._found.clear()
            self._inputs = inputs
        scores = self._scores(inputs)
        depths = range(len(cascade(self.net)) + 1) if self._all_depths else [self.randomised]
        self._all_depths = False
        for depth in depths:
            explained = self._explain(job, inputs, scores, depth, list(depths))
        return explained

    def draw(self, result: Explained) -> None:
        self._draw_maps()
        tried = any(len(by_depth) > 1 for by_depth in result.agreements.values())
        self.chart.layout.display = "" if tried else "none"
        if tried:
            names = ["none", *(row.name for row in cascade(self.net))]
            figure = charts.sanity({NAMES[name]: found for name, found in result.agreements.items()}, names)
            self.chart.show(figure, "likeness of each method's map to its original, by depth of the randomisation")
        self._place_cursor()

    def summary(self, result: Explained) -> str:
        parts = [answer_words(result.predicted)]
        found = next((found for found in result.maps.values() if not isinstance(found, str)), None)
        if found:
            parts.append(" · ".join(f"score {one.score:.3g} of {row}" for one, row in zip(found, result.rows, strict=True)))
        if result.depth:
            parts.append(f"the last {result.depth} layers are random: a map that stays shows the picture, not the network")
        notes = dict.fromkeys(note for one in found or [] for note in one.notes if "training mode" in note)
        text = " · ".join([*parts, *notes])
        return text[:1].upper() + text[1:]

    def progress(self, partial: Explained | None) -> str:
        return "Computing …" if partial is None else f"Computing {NAMES[self._under_way]} …"

    def data(self) -> dict[str, np.ndarray]:
        """By method (rows, height, width) values by pixel of the input, and ``picture`` uint8 (H, W, 3)."""
        result = self.result
        found = {
            name: np.stack([one.at_input() for one in maps])
            for name, maps in result.maps.items()
            if maps and not isinstance(maps, str)
        }
        return {**found, "picture": self.net.picture(result.inputs)}

    def code(self) -> str:
        result = self.result
        lines = [
            attribution_lines(self.net, name, found[0], self._options(name))
            for name, found in result.maps.items()
            if not isinstance(found, str)
        ]
        return tidy("\n".join([picture_lines(self.net, self.image, self.images), "maps = {}", *lines]))

    def figure(self) -> Figure:
        result = self.shown
        return charts.still(
            result, self.net.picture(result.inputs), NAMES, f"{self.net.name}: input {format_shape(self.net.input_shape)}"
        )

    def check_all(self) -> None:
        """Randomise layer after layer, down to the first: the whole sanity check."""
        self._all_depths = True
        self.ask()

    # computing

    def _scores(self, inputs: torch.Tensor) -> list[tuple[str, int | None, Unit | None]]:
        """What is explained: its name, and the class or the unit."""
        if self.of == "class":
            predicted = int(self.net.logits(inputs).argmax()) if self.target is None else self.target
            numbers = dict.fromkeys(self.net.target(one) for one in [predicted, *self.others])
            return [(self._name(number), number, None) for number in numbers]
        if self.layer is None or self.unit < 0:
            raise ValueError("no unit is chosen: click one in a linked FeatureMapBrowser, or set layer and unit")
        if self.of == "unit":
            return [(f"unit {self.unit} of {self.layer}", None, (self.layer, self.unit))]
        if self.y is None or self.x is None:
            raise ValueError("no position is chosen: point at one in a linked FeatureMapBrowser, or set y and x")
        row, column = self.net.layers[self.layer].to_position(self.y, self.x, tuple(inputs.shape[2:]))  # type: ignore
        return [(f"unit {self.unit} of {self.layer} at ({row}, {column})", None, (self.layer, self.unit, row, column))]

    def _explain(self, job: Job, inputs, scores, depth: int, depths: list[int]) -> Explained:
        """All methods' maps, of the network with its last layers randomised; each is shown as soon as it is there."""
        words = [name for name, _, _ in scores]
        explained = Explained(inputs, self.net.predict(inputs, k=3)[0], words, {}, depth, {})
        for k, method in enumerate(self.methods):
            if job.cancelled:
                raise Cancelled("cancelled", partial=explained if explained.maps else None)
            self._under_way = method
            found = self._map(job, inputs, method, scores, depth)
            agreements = explained.agreements
            if depth and not isinstance(found, str):
                agreements = self._agree(job, inputs, method, scores, depth, found)
            explained = Explained(
                inputs,
                explained.predicted,
                words,
                {**explained.maps, method: found},
                depth,
                {**explained.agreements, **agreements},
            )
            done = (depths.index(depth) + (k + 1) / len(self.methods)) / len(depths)
            if done < 1:
                job.update(explained, done)
        return explained

    def _map(self, job: Job, inputs, method: str, scores, depth: int) -> list[Attribution] | str:
        """A method's maps, or the sentence why there are none; each is computed once."""
        options = self._options(method)
        key = (method, depth, self.seed if depth else 0, repr(scores), repr(options))
        if key not in self._found:
            self._found[key] = self._attribute(job, inputs, method, scores, depth, options)
        return self._found[key]

    def _attribute(self, job: Job, inputs, method: str, scores, depth: int, options) -> list[Attribution] | str:
        units = [unit for _, _, unit in scores if unit]
        if units and method in OF_CLASSES:
            return f"{NAMES[method]} explains a class, not a unit"
        asked = {"unit": units} if units else {"target": [number for _, number, _ in scores]}
        if method in LONG:
            options = {**options, "cancel": job}
        try:
            return attribute(self._network(depth), inputs, method=method, **asked, **options)
        except ValueError as error:
            return str(error)

    def _agree(self, job: Job, inputs, method: str, scores, depth: int, found: list[Attribution]) -> dict:
        """How much the first row's map is like the original, at all depths that were seen."""
        original = self._map(job, inputs, method, scores, 0)
        options = self._options(method)
        key = ("agreements", method, self.seed, repr(scores[0]), repr(options))
        seen = self._found.setdefault(key, {0: Agreement(1.0, 1.0)})
        if depth not in seen and not isinstance(original, str):
            seen[depth] = agreement(original[0], found[0])
        return {method: dict(sorted(seen.items()))}

    def _network(self, depth: int) -> BoundModel:
        return randomised(self.net, depth, seed=self.seed) if depth else self.net

    def _options(self, method: str) -> dict[str, Any]:
        options: dict[str, Any] = {}
        if method in ("saliency", "smoothgrad", "deconvnet", "guided_backprop", "guided_grad_cam"):
            options["reduce"] = self.reduce
        if method.endswith(("_cam", "_plus_plus")) and self.cam_layer is not None:
            options["layer"] = self.cam_layer
        return options

    # drawing

    def _draw_maps(self) -> None:
        result: Explained = self._result
        mask = self._mask()
        cells = [[self._cell(result, method, k, mask) for method in result.maps] for k in range(len(result.rows))]
        self.table.show(
            self.net.picture(result.inputs),
            cells,
            rows=result.rows,
            columns=[NAMES[method] for method in result.maps],
            mask=mask if self.outline else None,
        )

    def _cell(self, result: Explained, method: str, row: int, mask: np.ndarray | None) -> Cell:
        found = result.maps[method]
        if isinstance(found, str):
            return Cell(None, text=found)
        one = found[row]
        notes = [note for note in one.notes if "training mode" not in note]
        if one.gap is not None:
            notes.append(f"completeness gap {one.gap:.2g}")
        if mask is not None and not one.is_zero:
            notes.append("✓ maximum on the object" if pointing_game(one, mask) else "✗ maximum beside the object")
        values = one.values if one.values.ndim == 2 else one.at_input()
        return Cell(values, result.scale(method), one.signed, " · ".join(notes))

    def _mask(self) -> np.ndarray | None:
        """bool (height, width), where the object is, if the pictures know it."""
        if isinstance(self.image, int) and hasattr(self.images, "mask"):
            mask = self.images.mask(self.image)
            if mask.shape == self.net.input_shape[1:] and mask.any():
                return mask
        return None

    def _name(self, index: int) -> str:
        return self.net.classes[index] if index < len(self.net.classes) else str(index)

    # hands

    def _take_cursor(self, change) -> None:
        if len(change.new) == 2 and [self.y, self.x] != change.new:
            with self.hold_trait_notifications():
                self.y, self.x = change.new

    def _place_cursor(self) -> None:
        if self.y is not None and self.x is not None:
            self.table.cursor = [self.y, self.x]

    def _take_unit(self, change) -> None:
        """A unit was clicked in a linked panel."""
        if change.new >= 0 and self.of == "class":
            self.of = "unit"

    def _ask_of_position(self, change) -> None:
        if self.of == "position":
            self.ask()


LONG = frozenset(("smoothgrad", "integrated_gradients", "score_cam", "occlusion", "rise", "lime"))
"""Methods that can be cancelled while they run."""
