"""A panel as one page without a kernel: the same modules, models that hold the traits, and a host for them."""

from __future__ import annotations

import base64
import html
import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import ipywidgets as w

from cnnwidgets.optional import MissingPackage

_HERE = Path(__file__).parent


def page(panel: Any) -> str:
    """One HTML page with a panel or a view, its views, their data and the modules that draw them; nothing is loaded from elsewhere."""
    widgets = [*_all(panel)]
    modules: dict[str, list[str]] = {}
    for widget in widgets:
        modules.setdefault(str(widget._esm), []).append(widget.model_id)
    content = {
        "root": panel.model_id,
        "states": {widget.model_id: _state(widget) for widget in widgets},
        "modules": [{"text": text, "of": ids} for text, ids in modules.items()],
        "bundles": _bundles(widgets),
    }
    today, heading = date.today(), [one for one in (type(panel).__name__, getattr(panel, "subject", "")) if one]
    parts = {
        "TITLE": html.escape(repr(panel)),
        "HEADING": html.escape(" · ".join(heading)),
        "FINDING": html.escape(panel.status.found if hasattr(panel, "status") else ""),
        "DATE": f"{today:%B} {today.day}, {today.year}",
        "SHIM": (_HERE / "page.js").read_text("utf-8"),
        "CONTENT": script_safe(json.dumps(content)),
    }
    return re.sub(r"/\* ([A-Z]+) \*/", lambda place: parts[place[1]], (_HERE / "page.html").read_text("utf-8"))


def _all(widget: Any) -> list[Any]:
    """A panel and everything in it, including nested panels; or a view."""
    return [widget, *(inner for part in getattr(widget, "children", ()) for inner in _all(part))]


def _state(widget: Any) -> dict[str, Any]:
    """A widget's traits, bytes as base64, some of them other than with a kernel; what is locked stays locked."""
    names = set(widget.keys) - set(w.DOMWidget.class_trait_names()) - {"_esm", "_css", "_anywidget_id"}
    state = {name: plain(value) for name, value in widget.get_state(sorted(names)).items()}
    for name, value in getattr(widget, "without_kernel", {}).items():
        state[name] = sorted({*state[name], *value}) if isinstance(value, list) else value
    return state


def _bundles(widgets: list[Any]) -> dict[str, str]:
    """What views ask the kernel for when they begin."""
    if not any(type(widget).__name__ == "ChartView" for widget in widgets):
        return {}
    from cnnwidgets.views.chart_view import plotly_bundle

    try:
        return {"plotly": base64.b64encode(plotly_bundle()).decode()}
    except MissingPackage:  # there is no chart without it either
        return {}


def plain(value: Any) -> Any:
    """A trait as JSON: bytes as base64."""
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return value


def script_safe(text: str) -> str:
    """JSON that can stand in a script element: nothing in it ends the element."""
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
