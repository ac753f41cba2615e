"""The code blocks of the documentation run, page by page, and print what their comments say."""

from __future__ import annotations

import ast
import contextlib
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cnnwidgets.net.output import KINDS

PAGES = [
    page for page in sorted((Path(__file__).parents[1] / "docs").glob("*.md")) if "```python" in page.read_text("utf-8")
]


def page_of(name: str) -> str:
    return next(page for page in PAGES if page.stem == name).read_text("utf-8")


def blocks(page: str) -> list[str]:
    """The code on a page."""
    return re.findall(r"```python\n(.*?)```", page, re.DOTALL)


def run(code: str) -> dict[str, Any]:
    """What the code of a page has made."""
    space: dict[str, Any] = {"__name__": "page"}
    exec(compile(code, "page", "exec", dont_inherit=True), space)
    return space


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_of_a_page_runs_and_prints_what_it_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = "\n".join(blocks(page.read_text("utf-8")))
    printed = io.StringIO()
    with torch.random.fork_rng(), contextlib.redirect_stdout(printed):
        torch.manual_seed(0)
        run(code)
    said = re.findall(r"^print\(.*\)\s+# (.*)$", code, re.MULTILINE)
    assert said and printed.getvalue().splitlines() == said


def test_the_page_on_outputs_has_a_row_for_each_kind():
    assert re.findall(r'^\| `"(\w+)"`', page_of("outputs"), re.MULTILINE) == list(KINDS)


@pytest.fixture(scope="module")
def written():
    """The panel that the page on writing one makes, and its code."""
    code = blocks(page_of("write_a_panel"))
    with contextlib.redirect_stdout(io.StringIO()):
        panel = run("\n".join(code))["panel"]
    yield panel, code[1]
    panel.close()


def test_the_panel_of_the_page_is_short(written):
    _, code = written
    (made,) = [part for part in ast.parse(code).body if isinstance(part, ast.ClassDef)]
    assert made.end_lineno - made.lineno + 1 <= 45


def test_the_panel_of_the_page_shows_what_its_method_finds(written):
    panel, _ = written
    found, net = panel.result, panel.net
    x = net.prepare(panel.source)
    chances = [
        net.probabilities(x + float(size) * torch.from_numpy(found.change).sign())[0, 2].item() for size in found.sizes
    ]
    np.testing.assert_allclose(found.probabilities, chances, atol=1e-6)
    assert panel.status.kind == "ready" and f"p(2) falls from {chances[0]:.3g} to " in panel.status.message
    assert panel.picture.pixels == net.picture(x[0] + torch.from_numpy(found.change)).tobytes()


def test_a_hand_that_clicks_the_curve_of_the_page_chooses_a_step(written):
    panel, _ = written
    panel.chart.set_state({"clicked": [0, 0]})
    assert (panel.step, panel.chart.marked) == (0, 0)
    assert panel.picture.pixels == panel.net.picture(panel.net.prepare(panel.source)).tobytes()
    assert panel.error is None


def test_the_panel_of_the_page_has_a_figure_and_a_page(written, tmp_path):
    panel, _ = written
    figure = panel.figure()
    (line,) = [line for axes in figure.axes for line in axes.lines if len(line.get_xdata()) == 12]
    np.testing.assert_allclose(line.get_ydata(), panel.result.probabilities)
    panel.to_html(tmp_path / "panel.html")
    page = (tmp_path / "panel.html").read_text("utf-8")
    assert "AdversarialExample" in page and "p(2) falls from" in page
