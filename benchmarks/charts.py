"""A schedule of many steps redrawn under a hand, a growing curve, and four charts, in a real JupyterLab."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

from benchmarks.timing import Figure, figure
from cnnwidgets.views.chart_view import plotly_bundle
from tests.browser.lab import FLAGS, LONG, Lab, Notebook, browser_path

PLAYGROUND = """import cnnwidgets as cw
panel = cw.SchedulePlayground(steps=100_000, specs=[
    {"kind": "step", "lr": 0.05, "step_size": 30_000}, {"kind": "cosine", "lr": 0.05},
    {"kind": "exponential", "lr": 0.05, "gamma": 0.99995}, {"kind": "onecycle", "lr": 0.05}])
panel.result
panel"""
CHARTS = """import numpy as np
import plotly.graph_objects as go
from IPython.display import display
from cnnwidgets.views import ChartView
charts = [ChartView() for _ in range(4)]
for chart in charts:
    chart.show(go.Figure(go.Scatter(x=np.arange(100), y=np.arange(100), mode="lines")), "a line")
display(*charts)"""
MOVE = """async (handle) => {
  const root = document.querySelector('.cw-chart');
  const start = performance.now();
  const drawn = new Promise((done) => new MutationObserver((_, observer) => {
    observer.disconnect();
    const channel = new MessageChannel();  // its message comes after the frame
    channel.port1.onmessage = () => done(performance.now() - start);
    requestAnimationFrame(() => channel.port2.postMessage(null));
  }).observe(root, { attributes: true, attributeFilter: ['data-seq'] }));
  handle.stepUp();
  handle.dispatchEvent(new Event('input', { bubbles: true }));
  return await drawn;
}"""


def figures() -> Iterator[Figure]:
    with notebook(PLAYGROUND) as opened:
        yield from redrawn(opened)
    with notebook(CHARTS) as opened:
        received = opened.received  # type: ignore[attr-defined]
        opened.page.wait_for_function(
            "() => document.querySelectorAll('.cw-chart[data-seq] .trace').length === 4", timeout=LONG
        )
        ratio = sum(received) / len(plotly_bundle())
        yield figure("four charts in a notebook, in parts of the plotly bundle", ratio, "x", most=1.1)
        yield from appended(opened, received)


def redrawn(opened: Notebook, moves: int = 15) -> Iterator[Figure]:
    """From the move of a slider to the pixels of the curves."""
    slider = opened.cell(0).get_by_role("slider", name="gamma")
    slider.focus()
    times = []
    for _ in range(moves):
        times.append(opened.page.evaluate(MOVE, slider.element_handle()))
        opened.page.wait_for_timeout(1500)  # the exact rates follow the sketch
    yield figure("four schedules of 100,000 steps, from a slider's move to the screen", times, "ms", most=100)


def appended(opened: Notebook, received: list[int]) -> Iterator[Figure]:
    opened.python("charts[0].extend({0: (np.arange(10_000.0), np.random.rand(10_000))})")
    opened.page.wait_for_timeout(1000)
    sizes = []
    for step in range(15):
        received.clear()
        opened.python(f"charts[0].extend({{0: ([{10_000 + step}], [0.5])}})")
        opened.page.wait_for_timeout(200)
        sizes.append(sum(size for size in received if size < 100_000))
    idle = []
    for _ in range(15):
        received.clear()
        opened.python("pass")
        opened.page.wait_for_timeout(200)
        idle.append(sum(received))
    yield figure(
        "a point to a curve of 10,000, over the same cell without it", np.median(sizes) - np.median(idle), "bytes", most=1024
    )


@contextmanager
def notebook(cell: str) -> Iterator[Notebook]:
    """A notebook of a cell, run; ``received`` holds the bytes of every message that came over its websocket."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        lab = Lab(Path(folder))
        try:
            lab.write("benchmark.ipynb", cell)
            page = playwright.chromium.launch(executable_path=browser_path(playwright), args=FLAGS).new_page(
                viewport={"width": 1280, "height": 2000}
            )
            received: list[int] = []
            page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(len(frame))))
            opened = Notebook(page, lab, "benchmark.ipynb")
            opened.received = received  # type: ignore[attr-defined]
            received.clear()
            opened.run(0)
            page.wait_for_selector(".cw-chart[data-seq] .trace", timeout=LONG)
            page.wait_for_timeout(3000)
            yield opened
        finally:
            lab.stop()
