"""How often the whole network answers while one draws a digit, in a real JupyterLab."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

from benchmarks.timing import Figure, figure
from tests.browser.lab import FLAGS, LONG, Lab, Notebook, browser_path

CELL = """import time
import cnnwidgets as cw
panel = cw.FeatureMapBrowser(cw.load("digits"), cw.samples.digits())
came = []
panel.observe(lambda change: came.append(time.perf_counter()), "_answered")
panel"""
SEVEN = [(0.33, 0.25), (0.67, 0.25), (0.45, 0.78)]
MOVES = 60
"""Moves of the pointer along each line of the seven."""

ROUNDS = 5


def figures() -> Iterator[Figure]:
    with notebook() as opened:
        rates = [_rate(opened) for _ in range(ROUNDS)]
        yield figure("answers of LeNet-5, with all maps of a layer, while one draws a 7", rates, "/s", least=10)


def _rate(opened: Notebook) -> float:
    """Answers per second between the first and the last of a seven."""
    opened.cell(0).get_by_role("button", name="Clear the paper").click()
    opened.page.wait_for_timeout(1000)
    opened.python("came.clear()")
    _draw(opened)
    opened.page.wait_for_timeout(1000)
    return float(opened.python("print((len(came) - 1) / (came[-1] - came[0]))"))


def _draw(opened: Notebook) -> None:
    box = opened.cell(0).locator(".cw-draw-paper").bounding_box()
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in SEVEN]
    opened.page.mouse.move(*at[0])
    opened.page.mouse.down()
    for point in at[1:]:
        opened.page.mouse.move(*point, steps=MOVES)
    opened.page.mouse.up()


@contextmanager
def notebook() -> Iterator[Notebook]:
    """A notebook with a panel, in which something is drawn."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        lab = Lab(Path(folder))
        try:
            lab.write("benchmark.ipynb", CELL)
            page = playwright.chromium.launch(executable_path=browser_path(playwright), args=FLAGS).new_page(
                viewport={"width": 1280, "height": 900}
            )
            opened = Notebook(page, lab, "benchmark.ipynb")
            opened.run(0)
            page.wait_for_selector(".cwp-status[data-kind=ready]", timeout=LONG)
            opened.cell(0).get_by_role("button", name="Draw a picture").click()
            page.wait_for_selector(".cw-draw-paper", timeout=LONG)
            _draw(opened)
            yield opened
        finally:
            lab.stop()
