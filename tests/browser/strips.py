"""A page with a control strip and a status line on it, and in place of a kernel a model that records what is sent."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cnnwidgets.base
from cnnwidgets.base.panel import STYLE
from cnnwidgets.views.modules import inlined

BASE = Path(cnnwidgets.base.__file__).parent

MODEL = """
class Model {
  constructor(state) { Object.assign(this, { state, heard: {}, sent: [], saved: [], changed: {} }); }
  get(name) { return this.state[name]; }
  set(name, value) {
    if (JSON.stringify(this.state[name]) === JSON.stringify(value)) return;
    this.state[name] = this.changed[name] = value;
    (this.heard[`change:${name}`] ?? []).forEach((action) => action());
  }
  on(event, action) { (this.heard[event] ??= []).push(action); }
  off(event, action) { this.heard[event] = (this.heard[event] ?? []).filter((one) => one !== action); }
  save_changes() { this.saved.push(this.changed); this.changed = {}; }
  send(message, callbacks, buffers) { this.sent.push({ ...message, bytes: buffers?.map((one) => one.byteLength) }); }
  code(values) { for (const [name, value] of Object.entries(values)) this.set(name, value); this.changed = {}; }
}
window.show = (state, into = "#panel", shadow = false) => {
  const place = document.querySelector(into);
  place.replaceChildren();
  window.model = new Model({ _title: "panel", _lists: {}, _status: { text: "Ready." }, _code: "", ...state });
  window.ended = new AbortController();
  window.strip = controlStrip(model, ended.signal);
  window.line = statusLine(model, ended.signal);
  const root = document.createElement("section");
  root.className = "cwp";
  root.setAttribute("aria-label", "panel");
  root.append(strip.root, strip.sheets, line.root);
  strip.listen(root);
  if (!shadow) return place.append(root);
  const host = document.createElement("div");
  place.append(host);
  const style = document.createElement("style");
  style.textContent = document.querySelector("style").textContent;
  host.attachShadow({ mode: "open" }).append(style, root);
};
"""

DARK = {
    "--jp-ui-font-color1": "#fff", "--jp-layout-color1": "#111111", "--jp-brand-color1": "#64b5f6",
    "--jp-error-color1": "#d32f2f",
}  # fmt: skip
LIGHT = {
    "--jp-ui-font-color1": "rgba(0,0,0,0.87)", "--jp-layout-color1": "#ffffff", "--jp-brand-color1": "#1976d2",
    "--jp-error-color1": "#d32f2f",
}  # fmt: skip


def page_of(folder: Path, theme: dict[str, str] | None = None) -> Path:
    """The file of a page whose ``show(state)`` draws a strip and a status line."""
    entry = folder / "entry.js"
    imports = (("controlStrip", "strip.js"), ("statusLine", "status.js"))
    lines = [f'import {{ {name} }} from "{os.path.relpath(BASE / file, folder)}";\n' for name, file in imports]
    entry.write_text("".join(lines) + MODEL, "utf-8")
    values = "".join(f"{name}: {value};" for name, value in (theme or {}).items())
    ground = "html { background: var(--jp-layout-color1, Canvas); color-scheme: light dark; } body { margin: 16px; }"
    html = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>strip</title>
<style>:root {{ {values} }} {ground} {STYLE}</style></head>
<body><main><h1 class="cwp-unseen">Panels</h1><div id="panel"></div><div id="other"></div></main>
<script type="module">{inlined(entry)}</script></body></html>"""
    file = folder / "strip.html"
    file.write_text(html, "utf-8")
    return file


def control(name: str, kind: str, **parts: Any) -> dict[str, Any]:
    """A spec as a panel sends it."""
    return {"name": name, "kind": kind, "label": name.capitalize(), "help": f"Help on {name}.", "more": False,
            "locked": False, "kernel": False, **parts}  # fmt: skip


def call(function: str, *values: Any) -> str:
    """The JavaScript of a call with values."""
    return f"{function}({', '.join(map(json.dumps, values))})"


def axe(page: Any, within: str | None = None) -> list[str]:
    """What axe-core finds on a page, or within some elements, against WCAG 2.2 and its own best practices."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, within).response["violations"]
    return [f"{one['id']}: {json.dumps([part['html'] for part in one['nodes']])}" for one in found]


CLASSES = [[f"class {k}", k] for k in range(1000)]
EVERY = [
    control("image", "picture", min=0, max=499),
    control("patch", "slider", min=1, max=64, step=1, whole=True),
    control("rate", "slider", min=1e-6, max=100, log=True),
    control("layer", "steps", options=[["conv1", "conv1"], ["relu", "relu"], ["fc", "fc"]]),
    control("fill", "choice", options=[["mean", "mean"], ["none", None], ["noise", "noise"]]),
    control("shape", "segment", options=[["square", "square"], ["circle", "circle"]]),
    control("methods", "several", options=[["Grad-CAM", "cam"], ["LIME", "lime"], ["RISE", "rise"]]),
    control("target", "search", options="classes"),
    control("others", "tags", options="classes"),
    control("steps", "number", min=1, max=1000, step=1),
    control("perplexity", "number", min=0, max=500, none="auto"),
    control("log", "tick"),
    control("name", "text", placeholder="a name"),
    control("train", "action", primary=True, icon="play"),
]
"""A control of each kind."""
VALUES = {
    "image": 3, "patch": 9, "rate": 0.1, "layer": "relu", "fill": "mean", "shape": "square", "methods": ["rise"],
    "target": 7, "others": [5], "steps": 100, "perplexity": None, "log": False, "name": "", "train": None,
    "_lists": {"classes": CLASSES},
}  # fmt: skip
"""A value for each."""


class Strip:
    """A page with a strip on it."""

    def __init__(self, page):
        self.page = page

    def show(self, controls=EVERY, width=900, **state):
        """Draw a strip anew."""
        self.page.set_viewport_size({"width": width, "height": 700})
        self.page.mouse.move(0, 699)
        self.page.evaluate("document.querySelector('#other').replaceChildren()")
        self.page.evaluate(call("show", {"_controls": controls, **VALUES, **state}))
        return self

    def field(self, name):
        return self.page.locator(f'[data-control="{name}"]')

    def role(self, role, name):
        return self.page.get_by_role(role, name=name, exact=True)

    def ask(self, expression):
        return self.page.evaluate(expression)

    def code(self, **values):
        """Set traits as Python does."""
        self.page.evaluate(call("model.code", values))

    @property
    def saved(self):
        """What was sent of traits, oldest first."""
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return self.page.evaluate("model.saved.splice(0)")

    @property
    def sent(self):
        return self.page.evaluate("model.sent.splice(0)")

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def write(self, locator, text, key="Enter"):
        locator.click()
        self.press("Control+A", "Delete")
        self.page.keyboard.type(text)
        self.press(key)
