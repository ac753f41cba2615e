"""The axes of a plotly figure, on Matplotlib: where they lie, what they show, and their legend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from cnnwidgets.views.paper import INK, LETTER, TEXT, TITLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Key = tuple[str, str]

BETWEEN: dict[str, Any] = {"hspace": 0.06, "wspace": 0.06}
"""Between subplots, in parts of one."""

LEGEND = 8.0
"""Size of a legend's text in points."""


def title_of(thing: Mapping[str, Any]) -> str:
    """What a title says, of a layout or of an axis."""
    title = thing.get("title") or ""
    return (title.get("text") or "" if isinstance(title, Mapping) else title).replace("<br>", "\n")


class Plots:
    """The subplots of a figure, each on axes of its own; those that are given are the first one's.

    Parameters:
        keys: which x axis and y axis each has, such as ("x", "y2").
    """

    def __init__(self, layout: Mapping[str, Any], keys: Sequence[Key], axes: Axes):
        self.layout, self.first = layout, axes
        keys = sorted(keys or [("x", "y")], key=lambda key: (-self._domain(key[1])[0], self._domain(key[0])[0]))
        rows, columns = (sorted({self._domain(key[k]) for key in keys}) for k in (1, 0))
        rows.reverse()
        self.axes: dict[Key, Axes] = {}
        grid = self._divided(rows, columns) if len(rows) * len(columns) > 1 else None
        over = {key for key in keys if self._about(key[1]).get("overlaying")}
        for key in [*(key for key in keys if key not in over), *(key for key in keys if key in over)]:
            if key in over:
                self.axes[key] = self.axes[key[0], self._about(key[1])["overlaying"]].twinx()
                continue
            cell = grid and grid[rows.index(self._domain(key[1])), columns.index(self._domain(key[0]))]
            self.axes[key] = self._made(cell)
        for key, one in self.axes.items():
            self._scale(one, key)

    def _about(self, name: str) -> Mapping[str, Any]:
        """What the layout says of an axis, such as "x2"."""
        return self.layout.get(f"{name[0]}axis{name[1:]}") or {}

    def _domain(self, name: str) -> tuple[float, float]:
        low, high = self._about(name).get("domain") or (0, 1)
        return low, high

    def _divided(self, rows: Sequence[tuple[float, float]], columns: Sequence[tuple[float, float]]) -> Any:
        """The room of the axes as a grid."""
        from matplotlib.gridspec import GridSpec

        ratios: dict[str, Any] = {
            "height_ratios": [high - low for low, high in rows],
            "width_ratios": [high - low for low, high in columns],
        }
        if place := self.first.get_subplotspec():
            return place.subgridspec(len(rows), len(columns), **ratios, **BETWEEN)
        box, figure = self.first.get_position(), cast("Figure", self.first.figure)
        ends: dict[str, Any] = {"left": box.x0, "right": box.x1, "bottom": box.y0, "top": box.y1}
        return GridSpec(len(rows), len(columns), figure, **ends, **ratios, **BETWEEN)

    def _made(self, cell: Any) -> Axes:
        if not self.axes:
            if cell:
                self.first.set_subplotspec(cell)
            return self.first
        return self.first.figure.add_subplot(cell)

    def _scale(self, axes: Axes, key: Key) -> None:
        for name, put in zip(key, (axes.set_xscale, axes.set_yscale), strict=True):
            if self._about(name).get("type") == "log":
                put("log", nonpositive="mask")

    def at(self, key: Key) -> Axes:
        """The axes of a subplot."""
        return self.axes[key]

    def of(self, thing: Mapping[str, Any]) -> Axes:
        """The axes that a shape or an annotation lies over."""
        wanted = [str(thing.get(f"{letter}ref", letter)).removesuffix(" domain") for letter in "xy"]
        found = [one for key, one in self.axes.items() if all(a in ("paper", b) for a, b in zip(wanted, key, strict=True))]
        return found[0] if found else self.first

    @staticmethod
    def transform(thing: Mapping[str, Any], axes: Axes) -> Any:
        """From the numbers of a shape or an annotation to places: of data, or parts of the axes."""
        from matplotlib.transforms import blended_transform_factory

        parts = [str(thing.get(f"{letter}ref", letter)) for letter in "xy"]
        x, y = (axes.transAxes if part == "paper" or part.endswith(" domain") else axes.transData for part in parts)
        return axes.transData if x is y is axes.transData else blended_transform_factory(x, y)

    def dress(self, named: set[str]) -> None:
        """Give the axes their ranges, ticks and titles, and the first of them the legend."""
        for key, axes in self.axes.items():
            axes.tick_params(labelsize=TEXT, color="0.5", labelcolor=INK)
            axes.grid(True, color="0.9", linewidth=0.6)
            axes.set_axisbelow(True)
            for spine in axes.spines.values():
                spine.set_color("0.75")
            _Axis(axes, "x", self._about(key[0])).dress()
            _Axis(axes, "y", self._about(key[1])).dress()
        self._share()
        rows = self._draw_legend(named)
        title = title_of(self.layout)
        if title:
            pad = 6 + rows * (1.75 * LEGEND)
            words = self.first.set_title(title, fontsize=TITLE, loc="left", color=INK, pad=pad)
            words.set_parse_math(False)

    def _share(self) -> None:
        """Subplots that have an axis in common, or one that matches another, show the same part of it."""
        for k, (get, put) in enumerate((("get_xlim", "set_xlim"), ("get_ylim", "set_ylim"))):
            groups: dict[str, list[tuple[Key, Axes]]] = {}
            for key, axes in self.axes.items():
                groups.setdefault(self._about(key[k]).get("matches") or key[k], []).append((key, axes))
            for members in groups.values():
                if len(members) < 2:
                    continue
                some = [axes for _, axes in members if axes.lines or axes.patches] or [axes for _, axes in members]
                low, high = zip(*(getattr(axes, get)() for axes in some), strict=True)
                for key, axes in members:
                    getattr(axes, put)(min(low), max(high))
                    anchor = self._about(key[0]).get("anchor")
                    if k == 0 and anchor and anchor != key[1] and (key[0], anchor) in self.axes:
                        axes.set_xlabel("")
                        axes.tick_params(labelbottom=False)

    def _draw_legend(self, named: set[str]) -> int:
        """Draw the legend above the first axes; returns how many rows it has."""
        found: dict[str, Any] = {}
        for axes in self.axes.values():
            for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
                if name in named:
                    found.setdefault(name, handle)
        if not found:
            return 0
        about = self.layout.get("legend") or {}
        wide = self.first.figure.bbox.width / self.first.figure.dpi * 72 * 0.92
        across = max(1, min(len(found), int(wide / (LETTER * LEGEND * max(map(len, found)) + 4 * LEGEND))))
        side = "right" if about.get("xanchor") == "right" else "left"
        place: dict[str, Any] = {"loc": f"lower {side}", "bbox_to_anchor": (float(side == "right"), 1.0)}
        holder: Any = self.first
        if len({key[0] for key in self.axes}) > 1:  # it is wider than the first axes
            holder, place = self.first.figure, {"loc": f"outside upper {side}"}
        legend = holder.legend(
            found.values(), found, ncols=across, fontsize=LEGEND, frameon=False, borderaxespad=0.2, handlelength=2.6,
            columnspacing=1.2, title=title_of(about) or None, title_fontsize=LEGEND, alignment="left", **place,
        )  # fmt: skip
        for text in legend.get_texts():
            text.set_parse_math(False)
        return -(-len(found) // across) + bool(title_of(about))


class _Axis:
    """An axis of Matplotlib's that shows what plotly's does."""

    def __init__(self, axes: Axes, letter: Literal["x", "y"], about: Mapping[str, Any]):
        self.axes, self.about = axes, about
        self.letter: Literal["x", "y"] = letter
        self.axis = axes.xaxis if letter == "x" else axes.yaxis

    def _limits(self, low: float | None, high: float | None) -> None:
        (self.axes.set_xlim if self.letter == "x" else self.axes.set_ylim)(low, high)

    def dress(self) -> None:
        self.axis.set_label_text(title_of(self.about), fontsize=TEXT + 0.5, color=INK).set_parse_math(False)
        log = self.about.get("type") == "log"
        if span := self.about.get("range"):
            self._limits(*(10.0**end if log else end for end in span))
        elif self.about.get("rangemode") == "tozero" and not log:
            low, high = self.axis.get_view_interval()
            self._limits(min(0.0, low), max(0.0, high))
        if self.about.get("autorange") == "reversed":
            self.axis.set_inverted(True)
        self._tick(log)

    def _tick(self, log: bool) -> None:
        from matplotlib.ticker import MaxNLocator, MultipleLocator, PercentFormatter

        if "tickvals" in self.about:
            values = self.about["tickvals"]
            self.axis.set_ticks(values, [str(text) for text in self.about.get("ticktext", values)][: len(values)])
            for label in self.axis.get_ticklabels():
                label.set_parse_math(False)
            if self.letter == "x" and sum(map(len, map(str, self.about.get("ticktext", ())))) > 60:
                self.axes.tick_params(axis="x", rotation=30)
                for label in self.axis.get_ticklabels():
                    label.set_horizontalalignment("right")
        elif isinstance(step := self.about.get("dtick"), (int, float)) and not log:
            self.axis.set_major_locator(MultipleLocator(step))
        elif not log and self.about.get("tickformat", "").endswith("%") is False and self._whole():
            self.axis.set_major_locator(MaxNLocator("auto", integer=True))
        if (form := self.about.get("tickformat", "")).endswith("%"):
            self.axis.set_major_formatter(PercentFormatter(1.0, decimals=None if "~" in form else 0))
        if self.about.get("showticklabels") is False:
            side = "bottom" if self.letter == "x" else "left"
            self.axes.tick_params(axis=self.letter, which="both", **{side: False, f"label{side}": False})

    def _whole(self) -> bool:
        """Whether all that is drawn lies at whole numbers of this axis, which are counted then."""
        if self.letter == "y":
            return False
        values = [found for line in self.axes.lines if (found := np.asarray(line.get_xdata(), float)).size]
        return bool(values) and all(np.all(each[np.isfinite(each)] % 1 == 0) for each in values)
