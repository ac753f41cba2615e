"""Seconds until something is on a screen: a notebook in a real JupyterLab, in a real Chromium."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.lab import FLAGS, LONG, Lab, Notebook, browser_path

WATCH = """() => {
  window.now = () => (performance.timeOrigin + performance.now()) / 1000;
  window.draws = [];
  const frame = new MessageChannel();  // its message comes after the frame in which the canvas was drawn
  const waiting = [];
  frame.port1.onmessage = () => { const time = now(); waiting.splice(0).forEach((label) => draws.push({ label, time })); };
  new MutationObserver((changes) => {
    for (const { target } of changes) if (target.matches('.cw-grid .cw-canvas')) waiting.push(target.ariaLabel);
    if (waiting.length) frame.port2.postMessage(null);
  }).observe(document.body, { subtree: true, attributes: true, attributeFilter: ['data-seq'] });
}"""
DRAWN = "(title) => draws.find((draw) => draw.label.startsWith(title))?.time"


class Page:
    """A running notebook, whose grids' draws are timed by the clock that the kernel uses too."""

    def __init__(self, notebook: Notebook):
        self.notebook, self.page = notebook, notebook.page
        self.page.evaluate(WATCH)
        self.ahead = self._clock()

    def number(self, code: str) -> float:
        """What code prints in the kernel, as a number."""
        return float(self.notebook.python(code))

    def draw(self, code: str, title: str) -> tuple[float, float]:
        """Run code in the kernel: seconds that it takes there, and until the grid with that title is drawn in the page."""
        self.page.evaluate("() => { draws.length = 0 }")
        said = self.notebook.python(f"start = time.time()\n{code}\nprint(start, time.time() - start)")
        start, kernel = map(float, said.split())
        drawn = self.page.wait_for_function(DRAWN, arg=title, timeout=LONG).json_value()
        return kernel, drawn - self.ahead - start

    def _clock(self) -> float:
        """Seconds that the page's clock is ahead of Python's, from the quickest of some round trips."""
        asked = []
        for _ in range(20):
            before = time.time()
            theirs = self.page.evaluate("() => now()")
            after = time.time()
            asked.append((after - before, theirs - (before + after) / 2))
        return min(asked)[1]


@contextmanager
def page(*cells: str) -> Iterator[Page]:
    """A notebook of these cells, run."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        lab = Lab(Path(folder))
        try:
            lab.write("benchmark.ipynb", *cells)
            browser = playwright.chromium.launch(executable_path=browser_path(playwright), args=FLAGS)
            notebook = Notebook(browser.new_page(viewport={"width": 1280, "height": 2000}), lab, "benchmark.ipynb")
            for index in range(len(cells)):
                notebook.run(index)
            notebook.page.wait_for_selector(".cw-grid .cw-canvas[data-seq]", timeout=LONG)
            yield Page(notebook)
            browser.close()
        finally:
            lab.stop()
