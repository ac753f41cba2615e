"""A hundred thousand points: frames a second under a hand, what a hover takes, what a message weighs."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
from playwright.sync_api import sync_playwright

from benchmarks.timing import Figure, figure, in_turn
from cnnwidgets.base import page as pages
from cnnwidgets.views import ScatterView
from tests.browser.lab import FLAGS, browser_path

COUNT, LIVE = 100_000, 2_000

HAND = """async (kind) => {
  const canvas = document.querySelector('.cw-scatter .cw-canvas');
  const area = canvas.getBoundingClientRect();
  canvas.setPointerCapture = () => {};  // these pointers are made up
  const at = (type, x, y, more = {}) => canvas.dispatchEvent(
    new PointerEvent(type, { clientX: area.left + x, clientY: area.top + y, pointerId: 1, bubbles: true, ...more }));
  const frame = () => new Promise(requestAnimationFrame);
  const times = [];
  if (kind === 'hover') {
    at('pointermove', 300, 200);
    for (let k = 0; k < 100; k++) {
      await frame();
      const start = performance.now();
      for (let j = 0; j < 20; j++) at('pointermove', 150 + 3 * ((20 * k + j) % 97), 120 + 2 * ((20 * k + j) % 89));
      times.push((performance.now() - start) / 20);
    }
    return times;
  }
  const middle = { clientX: area.left + 300, clientY: area.top + 200 };
  const before = Number(canvas.dataset.seq);
  if (kind === 'pan') at('pointerdown', 300, 200);
  let last = await frame();
  for (let k = 0; k < 90; k++) {
    if (kind === 'pan') at('pointermove', 300 + 100 * Math.sin(k / 10), 200 + 60 * Math.cos(k / 7));
    else canvas.dispatchEvent(new WheelEvent('wheel', { deltaY: k < 45 ? -30 : 30, ...middle, cancelable: true }));
    const now = await frame();
    times.push(now - last);
    last = now;
  }
  if (kind === 'pan') at('pointerup', 300, 200);
  if (canvas.dataset.seq - before < 80) throw new Error('frames were left out');
  return times;
}"""


def figures() -> Iterator[Figure]:
    view = scattered(COUNT)
    with opened(view) as page:
        for kind, what in (("pan", "moved by hand"), ("zoom", "zoomed by the wheel")):
            times = np.array(page.evaluate(HAND, kind))
            yield figure(f"{COUNT:,} points {what}, all drawn", 1000 / np.median(times), "frames/s", least=30)
            yield figure(f"{COUNT:,} points {what}: nine frames of ten take at most", np.quantile(times, 0.9), "ms")
        yield figure(f"{COUNT:,} points: the point under the pointer", np.array(page.evaluate(HAND, "hover")), "ms", most=1)
    yield figure("position and color on the wire", (len(view.positions) + len(view.group)) / COUNT, "bytes/point", most=12)
    for count in (LIVE, COUNT):
        for name, seconds in messages(count).items():
            most = 1 if (name, count) == ("move", LIVE) else None
            yield figure(f"{count:,} points: {name}, until the message is handed over", 1000 * seconds, "ms", most=most)


def messages(count: int) -> dict[str, np.ndarray]:
    """Seconds of the kernel until a message is handed to the sockets."""
    rng = np.random.default_rng(0)
    view, turns = scattered(count), itertools.cycle(rng.normal(size=(8, count, 2)).astype(np.float32))
    look = {"colors": rng.integers(0, 10, count), "names": list("abcdefghij")}
    with mock.patch.object(view.comm, "publish_msg") as published:
        times = in_turn({"move": lambda: view.move(next(turns)), "show": lambda: view.show(next(turns), **look)})
    assert published.call_count == 2 * (times["move"].size + 2)
    return times


def scattered(count: int) -> ScatterView:
    """Ten clouds."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, 10, count)
    points = 6 * rng.normal(size=(10, 2))[group] + rng.normal(size=(count, 2))
    view = ScatterView()
    view.show(points, colors=group, names=[f"class {k}" for k in range(10)])
    return view


@contextmanager
def opened(view: ScatterView) -> Iterator:
    """A page with the view, and no kernel."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "scatter.html"
        file.write_text(pages.page(view), "utf-8")
        browser = playwright.chromium.launch(executable_path=browser_path(playwright), args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(file.as_uri())
        page.wait_for_selector(".cw-scatter .cw-canvas[data-seq]")
        yield page
        browser.close()
