"""A panel without its kernel: a still picture for GitHub, PDF and saved notebooks, and a page that still answers."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from cnnwidgets.base.figures import DPI
from cnnwidgets.views import View

if TYPE_CHECKING:
    from cnnwidgets.panels.panel import Panel


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
    other = panel.without_kernel() if hasattr(panel, "without_kernel") else {}
    tree = _tree(panel, views, other)
    states = [_state(view, other.get(view) or {}) for view in views]
    modules = {type(view).__name__: view._esm for view in views}
    ids = {view.model_id: index for index, view in enumerate(views)}
    ties = [
        [[ids[widget.model_id], trait] for widget, trait in pair]
        for pair in panel.ties
        if all(widget.model_id in ids for widget, _ in pair)
    ]
    content = {
        "copy": _what_works(panel, views, states),
        "tree": tree,
        "ties": ties,
        "views": [{"module": type(view).__name__, "state": state} for view, state in zip(views, states, strict=True)],
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
        .replace("/* SHIM */", (here / "page.js").read_text("utf-8"))
        .replace("/* CONTENT */", _script_safe(json.dumps(content | {"bundles": bundles})))
    )


def _tree(widget: w.Widget, views: list[View], other: Mapping[View, Any]) -> Any:
    """The widgets' nesting as lists and view numbers; what needs a kernel, as ipywidgets' controls do, stays out."""
    if widget.layout.display == "none":
        return None
    if isinstance(widget, View):
        if widget.needs_kernel or other.get(widget, {}) is None:
            return None
        views.append(widget)
        return {"view": len(views) - 1, "flex": widget.layout.flex or ""}
    if isinstance(widget, w.Box):
        inside = [part for child in widget.children if (part := _tree(child, views, other)) is not None]
        direction = "column" if isinstance(widget, w.VBox) else "row"
        return {"direction": direction, "flex": widget.layout.flex or "", "children": inside} if inside else None
    return None


def _state(view: View, other: Mapping[str, Any]) -> dict[str, Any]:
    """The view's traits, bytes as base64, some of them other than with a kernel; what is locked stays locked."""
    names = set(view.trait_names(sync=True)) - set(w.DOMWidget.class_trait_names())
    state = {name: _plain(getattr(view, name)) for name in sorted(names) if not name.startswith("_")}
    for name, value in (*view.without_kernel.items(), *other.items()):
        state[name] = sorted({*state[name], *value}) if isinstance(value, list) else value
    return state


def _what_works(panel: Panel, views: Sequence[View], states: Sequence[Mapping[str, Any]]) -> str:
    """One line for who opens the page."""
    locks = [lock if isinstance(lock := state.get("lock"), list) else [] for state in states]
    words = [*dict.fromkeys(word for view, lock in zip(views, locks, strict=True) for word in view.hands(lock))]
    copied = f"A copy of {panel!r}, without a kernel"
    if not words:
        return f"{copied}."
    *first, last = words
    return f"{copied}: {', '.join(first)}{' and ' if first else ''}{last} {'work' if first else 'works'}."


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return value


def _script_safe(text: str) -> str:
    """JSON that can stand in a script element: nothing in it ends the element."""
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
