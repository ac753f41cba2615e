"""A panel without its kernel: a still picture for GitHub, PDF and saved notebooks, and a page that still answers."""

from __future__ import annotations

import base64
import html
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from cnnwidgets.views import StatusStrip, View

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cnnwidgets.panels.panel import Panel

DPI = 80


def new_figure(width: float = 9.0, height: float = 4.0) -> Figure:
    """An empty Matplotlib figure (sizes in inches) that belongs to no pyplot, so that any thread may draw it."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=DPI)


def png(panel: Panel) -> bytes:
    """The panel's figure as PNG."""
    buffer = io.BytesIO()
    panel.figure().savefig(buffer, format="png", dpi=DPI, facecolor="white")
    return buffer.getvalue()


def bundle(panel: Panel) -> dict[str, str]:
    """The MIME bundle of the still twin."""
    return {"image/png": base64.b64encode(png(panel)).decode(), "text/plain": repr(panel)}


def page(panel: Panel) -> str:
    """One HTML page with the panel's views, their data and the modules that draw them; nothing is loaded from elsewhere."""
    views: list[View] = []
    tree = _tree(panel, views)
    modules = {type(view).__name__: view._esm for view in views}
    ids = {view.model_id: index for index, view in enumerate(views)}
    ties = [
        [[ids[widget.model_id], trait] for widget, trait in pair]
        for pair in panel.ties
        if all(widget.model_id in ids for widget, _ in pair)
    ]
    content = {
        "tree": tree,
        "ties": ties,
        "views": [{"module": type(view).__name__, "state": _state(view)} for view in views],
        "modules": {name: str(module) for name, module in modules.items()},
    }
    bundles = {}
    if any(type(view).__name__ == "ChartView" for view in views):
        from cnnwidgets.views.chart_view import plotly_bundle

        bundles["plotly"] = base64.b64encode(plotly_bundle()).decode()
    here = Path(__file__).parent
    return (
        (here / "page.html")
        .read_text("utf-8")
        .replace("/* TITLE */", html.escape(repr(panel)))
        .replace("/* CSS */", str(views[0]._css) if views else "")
        .replace("/* SHIM */", (here / "page.js").read_text("utf-8"))
        .replace("/* CONTENT */", _script_safe(json.dumps(content | {"bundles": bundles})))
    )


def _tree(widget: w.Widget, views: list[View]) -> Any:
    """The widgets' nesting as lists and view numbers; controls of ipywidgets need a kernel and stay out."""
    if isinstance(widget, StatusStrip):
        return None
    if isinstance(widget, View):
        views.append(widget)
        return {"view": len(views) - 1, "flex": widget.layout.flex or ""}
    if isinstance(widget, w.Box):
        inside = [part for child in widget.children if (part := _tree(child, views)) is not None]
        direction = "column" if isinstance(widget, w.VBox) else "row"
        return {"direction": direction, "flex": widget.layout.flex or "", "children": inside} if inside else None
    return None


def _state(view: View) -> dict[str, Any]:
    """The view's traits, bytes as base64."""
    names = set(view.trait_names(sync=True)) - set(w.DOMWidget.class_trait_names())
    return {name: _plain(getattr(view, name)) for name in sorted(names) if not name.startswith("_")}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return value


def _script_safe(text: str) -> str:
    """JSON that can stand in a script element: nothing in it ends the element."""
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def mosaic(maps: Any, *, title: str, scale: str, unit: str, axes: Any = None, limits=(-1.0, 1.0)) -> Figure:
    """Maps (n, height, width[, 3]) side by side as one image on Matplotlib axes, a pixel apart, with a colour bar."""
    import numpy as np

    figure = axes.figure if axes is not None else new_figure(9.0, 5.0)
    axes = axes if axes is not None else figure.subplots()
    maps = np.asarray(maps, np.float32)
    count, height, width = maps.shape[:3]
    across = max(1, min(count, round((count * 1.8 * height / width) ** 0.5)))
    down = -(-count // across)
    gap = max(1, round(max(height, width) / 16))
    lo, hi = (maps.min(), maps.max()) if count else (0.0, 1.0)
    if scale == "map":
        low = maps.reshape(count, -1).min(1).reshape(-1, *[1] * (maps.ndim - 1))
        high = maps.reshape(count, -1).max(1).reshape(low.shape)
        signed = lo < 0 and maps.ndim == 3
        most = np.maximum(-low, high)
        maps = maps / np.maximum(most, 1e-30) if signed else (maps - low) / np.maximum(high - low, 1e-30)
        lo, hi, unit = (
            (-1.0, 1.0, f"{unit} / its largest") if signed else (0.0, 1.0, f"{unit}, from the lowest to the highest of each")
        )
    elif scale == "fixed":
        lo, hi = limits
    if lo < 0 and maps.ndim == 3:
        lo, hi = -max(-lo, hi), max(-lo, hi)
    sheet = np.full((down * across, height + gap, width + gap, *maps.shape[3:]), np.nan, np.float32)
    sheet[:count, :height, :width] = maps
    sheet = (
        sheet.reshape(down, across, *sheet.shape[1:])
        .swapaxes(1, 2)
        .reshape(down * (height + gap), across * (width + gap), *maps.shape[3:])
    )
    if maps.ndim == 4:
        sheet = np.nan_to_num((sheet - lo) / max(hi - lo, 1e-30), nan=1.0)
        axes.imshow(sheet.clip(0, 1), interpolation="nearest")
    else:
        image = axes.imshow(sheet, cmap="RdBu_r" if lo < 0 else "viridis", vmin=lo, vmax=hi, interpolation="nearest")
        figure.colorbar(image, ax=axes, label=unit, shrink=0.8)
    axes.set_title(title)
    axes.set_axis_off()
    return figure
