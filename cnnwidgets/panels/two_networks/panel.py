"""TwoNetworks: a panel for two networks at once, and the difference of their maps."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from types import SimpleNamespace
from typing import Any

import numpy as np
import traitlets as t
from torch import nn

from cnnwidgets.base import Panel, column, draws, row
from cnnwidgets.base.image import ImagePanel, bound
from cnnwidgets.base.jobs import LOCK, Job
from cnnwidgets.base.layout import Part
from cnnwidgets.base.traits import Cursor, public
from cnnwidgets.net import BoundModel, Cancelled
from cnnwidgets.net.errors import sentence
from cnnwidgets.numbers import number
from cnnwidgets.panels.two_networks.pairs import Pairs, pairs_of
from cnnwidgets.panels.two_networks.translating import layer_names, translated
from cnnwidgets.views import ImageGrid, MapTable

GRID = 320
"""Largest height of the grid of differences in CSS pixels."""

LOOK = 0.1
"""Seconds between looks at how far a network is."""

CURSOR = ("y", "x")

DIFFERENCE = "values = {name: values[name] - mine[name] for name in mine} if isinstance(mine, dict) else values - mine"
LISTED = "values = [mine, values]  # of different shapes"


class TwoNetworks(Panel):
    """Any panel that shows maps of a picture, for two networks under one cursor, with the difference of their maps.

    >>> cw.TwoNetworks(cw.OcclusionSlider, cw.load("scenes"), cw.load("grass"), cw.samples.scenes())
    >>> cw.TwoNetworks(cw.FeatureMapBrowser, cw.load("scenes", weights=2), net, "cat.jpg")   # two epochs
    >>> cw.TwoNetworks(cw.SaliencyPanel, net, other, "both.jpg", ["cat", "dog"], methods=["grad_cam"])

    Both maps share one scale. The difference is the second network's value minus the first's; zero is white. Point at a map
    to read both values and their difference. Where there are many maps, a grid shows all differences, the largest first;
    click one.

    Both networks are asked the same: a class is matched by its name, and by default it is the one that the first network
    predicts; a layer is matched by its name, or by its depth if the second network has none of that name. Units are compared
    by number, which means the same only in networks that began with the same weights, such as two epochs of one training.

    Parameters:
        panel: class of the panel: FeatureMapBrowser, OcclusionSlider, SaliencyPanel, or one of your own with ``maps_of``.
        net, other: bound networks, or modules.
        image: as the panel takes it; the second network sees what the first one sees.
        settings: of the panel, as in its ``state``.
        *arguments, **options: of the panel.

    Attributes:
        first, second: the two panels. Set traits of the first, or link it; the second follows.

    Raises:
        TypeError: the panel shows no maps of a picture.
    """

    chosen = public(t.Unicode(help="Name of the map on screen, where there are many; by default the first of them"), None,
                    then="nothing", none="")  # fmt: skip
    y = Cursor(help="Row of the cursor in the input, in pixels")
    x = Cursor(help="Column of the cursor in the input, in pixels")
    settings = public(t.Dict(help="State of the panel, except for the cursor"), None, then="nothing", none={}, sync=False)

    def __init__(
        self, panel: type[ImagePanel], net: BoundModel | nn.Module, other: BoundModel | nn.Module, image: Any = 0,
        *arguments: Any, settings: dict[str, Any] | None = None, chosen: str = "", **options: Any,
    ) -> None:  # fmt: skip
        if not (isinstance(panel, type) and issubclass(panel, ImagePanel) and panel.maps_of is not ImagePanel.maps_of):
            name = panel.__name__ if isinstance(panel, type) else type(panel).__name__
            raise TypeError(
                f"panel is {name}; expected the class of a panel that shows maps of a picture, such as SaliencyPanel"
            )
        self._kept: dict[str, Any] = {}
        traits = panel.public_traits()
        of_views = [name for name, trait in traits.items() if trait.metadata["then"] != "compute"]
        own = {name: options.pop(name) for name in ("y", "x", "layout") if name in options}
        hide = [*options.pop("hide", ()), *of_views, *panel.not_in_maps]
        with ExitStack() as failed:
            self.first = panel(net, image, *arguments, hide=hide, **options)
            failed.callback(self.first.close)
            self.second = panel(self._shaped(other), None, images=self.first.images, hide=[*traits])
            failed.callback(self.second.close)
            super().__init__(self.first.net, settings=settings or {}, chosen=chosen, **own)
            failed.pop_all()

    def _shaped(self, other: BoundModel | nn.Module) -> BoundModel:
        """The second network, bound; where its input's shape is not known, the first one's picture tells."""
        other = bound(other, self.first.images)
        with suppress(Exception):  # of a picture that cannot be read the first panel tells
            other.learn_input_shape([self.first.net.prepare(self.first.source)[0]])
        return other

    @property
    def other(self) -> BoundModel:
        """The second network."""
        return self.second.net

    @property
    def subject(self) -> str:
        return f"{type(self.first).__name__}, {self.net.name} and {self.other.name}"

    # the settings are those of the first panel

    @t.validate("settings")
    def _restore_first(self, proposal: Any) -> dict[str, Any]:
        new = {name: value for name, value in proposal.value.items() if self._kept.get(name, self) != value}
        self.first.restore(new)
        return {**self._kept, **{name: self.first.encoded(name) for name in new}}

    def _keep(self, change: Any) -> None:
        self._kept = {**self._kept, change.name: self.first.encoded(change.name)}
        self.settings = self._kept

    # Panel's parts

    def build(self) -> Part | tuple[Part, ...]:
        names = [name for name in self.first.public_traits() if name not in CURSOR]
        self._kept = {name: self.first.encoded(name) for name in names}
        self.settings = self._kept
        self.first.observe(self._keep, names)
        self.first.follow(self.ask)
        self.first.is_bare = self.second.is_bare = True
        self.first.status.observe(self._pass_on, ["kind", "message"])
        for name in [name for name in CURSOR if self.first.has_trait(name)]:
            if getattr(self, name) is None:
                setattr(self, name, getattr(self.first, name))
            self.tie((self, name), (self.first, name), (self.second, name))
        self.table = MapTable(sided=False, large=True, width=300, lock=not {"y", "x"}.isdisjoint(self.first.locked))
        self.table.on_user("cursor", lambda place: self.put(y=place[0], x=place[1]))
        self.grid = ImageGrid(colors="diverging", hide=["zoom"], height=GRID, tools=False, sort="apart")
        self.grid.on_user("selected", self._choose)
        maps = row(column(self.table, follows=(self.grid, "selected")), self.grid, grow=(3, 1), basis=(600, 260))
        maps.hidden = [self.grid]
        body = column(self.first, self.second, maps)
        body.hidden = [self.second]
        return body

    def compute(self, state: SimpleNamespace, job: Job) -> Pairs:
        mine = self._result_of(self.first, job)
        maps = self.first.maps_of(mine)
        asked = {name: value for name, value in vars(self.first.asked).items() if name in self._kept}
        told = translated(self.first, self.other, asked, maps.target)
        with LOCK:
            self.second.put(**told)
        other = self._result_of(self.second, job)
        layers = [told[name] for name in layer_names(self.first) if told[name] != asked[name]]
        findings = self.first.summary(mine).split("\n")[0], self.second.summary(other).split("\n")[0]
        second = self.other.name if self.other.name != self.net.name else f"{self.other.name} (second)"
        names = self.net.name, " · ".join([second, *layers])
        return pairs_of(maps, self.second.maps_of(other), names, findings)

    def _result_of(self, panel: ImagePanel, job: Job) -> Any:
        """The result of one of the panels, which may take a while."""
        while not panel.wait(LOOK):
            if job.cancelled:
                raise Cancelled
            if panel.status.kind == "busy":
                job.say(f"{panel.net.name}: {panel.status.message}", panel.status.fraction)
        try:
            return panel.result
        except Cancelled:
            raise
        except Exception as error:
            raise ValueError(f"{panel.net.name}: {sentence(error)}") from error

    @draws("chosen")
    def draw_maps(self, found: Pairs) -> None:
        shown = [found.named(self.chosen)] if found.are_many else found.pairs
        first, second = found.names
        columns = [first, second, f"{second} − {first}"]
        titles = columns if len(shown) == 1 else [f"{found.called(pair)} · {name}" for pair in shown for name in columns]
        head = found.called(shown[0]) if len(shown) == 1 else "Picture"
        cells = [cell for pair in shown for cell in pair.cells()]
        self.table.show(found.picture, [cells], rows=[head], columns=titles)

    @draws("chosen")
    def draw_differences(self, found: Pairs) -> None:
        if self.reveal(self.grid, found.are_many):
            names = [pair.name for pair in found.pairs]
            most = max(pair.apart for pair in found.pairs)
            span = f"up to ±{number(most)}" if found.are_alike else "each on its own scale"
            told = [f"{found.called(pair)}: up to {number(pair.apart)} apart" for pair in found.pairs]
            self.grid.show(
                found.differences, orders={"apart": found.most_first}, scale="layer" if found.are_alike else "map",
                labels=names, told=told, noun=found.noun, title=f"Differences, {span}",
                selected=names.index(found.named(self.chosen).name),
            )  # fmt: skip

    @draws("y", "x")
    def draw_cursor(self, found: Pairs) -> None:
        self.table.cursor = [] if self.y is None or self.x is None else [self.y, self.x]

    def summary(self, found: Pairs) -> str:
        return found.summary()

    def data(self) -> dict[str, np.ndarray]:
        """By map, float32 (3, rows, columns): the first network's, the second's, the difference; and ``picture`` uint8."""
        maps = {pair.name: np.stack([pair.first, pair.second, pair.difference]) for pair in self.result.pairs}
        return {**maps, "picture": self.result.picture}

    def code(self) -> str:
        last = LISTED if self.result.notes else DIFFERENCE
        return f"{self.first.code()}\nmine = values\n\n{self.second.code()}\n{last}"

    def cancel(self) -> None:
        super().cancel()
        self.first.cancel()
        self.second.cancel()

    def _pass_on(self, change: Any) -> None:
        """A value that a hand gave to the first panel is refused."""
        if self.first.status.kind == "error":
            self.status.say(self.first.status.message, "error")

    def _choose(self, number: int) -> None:
        """A hand has chosen a difference."""
        self.chosen = self._result.pairs[number].name
