"""The same panel, whole, in every host: JupyterLab, Notebook 7, marimo, and a page without a kernel."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

import cnnwidgets as cw
from tests.browser.hosts import Marimo, open_classic

CODE = "import cnnwidgets as cw\ncw.FilterGrid(cw.load('scenes'))"
NOTEBOOKS_OWN = ("reading 'schema'", "'filebrowser:open-path' not registered")
"""What Notebook 7 complains of without any widget."""

HOSTS = ("JupyterLab", "Notebook 7", "marimo", "page")


@pytest.fixture
def open_in(page, lab, notebook, tmp_path):
    """Opens the panel in a host; what went wrong there is in the list that it gives."""
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    served = []

    def open_panel(host: str) -> list[str]:
        match host:
            case "JupyterLab":
                notebook(CODE).run(0)
            case "Notebook 7":
                lab.write("classic.ipynb", CODE)
                open_classic(page, lab, "classic.ipynb")
            case "marimo":
                served.append(Marimo(tmp_path, CODE))
                page.goto(served[0].address)
            case "page":
                panel = cw.FilterGrid(cw.load("scenes"))
                panel.to_html(tmp_path / "panel.html")
                panel.close()
                page.goto((tmp_path / "panel.html").as_uri())
        expect(page.locator(".cwp[data-seq]")).to_be_visible(timeout=60_000)
        expect(page.locator(".cw-canvas[data-seq]").first).to_be_visible()
        return problems

    yield open_panel
    for one in served:
        one.stop()


@pytest.mark.parametrize("host", HOSTS)
def test_a_panel_is_whole_and_answers(page, open_in, host):
    problems = open_in(host)
    panel, grid = page.locator(".cwp"), page.locator(".cw-grid").first
    status = panel.locator(".cwp-status")
    expect(status).to_contain_text("conv1 · 16 filters, 3×3×3 weights each")
    boxes = [panel.locator(part).first.bounding_box() for part in (".cwp-strip", ".cw-grid", ".cwp-status")]
    assert [box["y"] for box in boxes] == sorted(box["y"] for box in boxes)  # strip, picture, status line
    assert all(box["width"] > 300 for box in boxes)

    # what needs no kernel: order, colors, selection
    canvas = grid.locator("canvas.cw-canvas")
    before = canvas.get_attribute("data-seq")
    page.get_by_role("radio", name="norm").check()
    expect(canvas).not_to_have_attribute("data-seq", before)
    canvas.click(position={"x": 30, "y": 30})
    expect(grid.locator(".cw-line")).to_contain_text(re.compile("^filter "))

    # what needs one
    layer = panel.locator("[data-control=layer]")
    if host == "page":
        expect(layer).to_have_attribute("data-reason", "kernel")
        expect(layer.locator("select")).to_be_disabled()
        expect(panel.get_by_role("note")).to_contain_text("No kernel is running")
    else:
        expect(panel.get_by_text(re.compile(r"and its 5 nearest \(cosine similarity\)"))).to_be_visible()
        layer.locator("select").select_option(index=1)
        expect(status).to_contain_text("layer1.0.conv1 · 16 filters, 16×3×3 weights each")
        panel.locator("[data-button=code]").click()
        expect(status.locator("pre")).to_contain_text("model.get_submodule('layer1.0.conv1')")
    assert [problem for problem in problems if not any(known in problem for known in NOTEBOOKS_OWN)] == []


def test_what_python_drew_for_another_choice_says_so_without_a_kernel(page, tmp_path):
    panel = cw.FilterGrid(cw.load("scenes"), unit=3)
    panel.to_html(tmp_path / "panel.html")
    panel.close()
    page.goto((tmp_path / "panel.html").as_uri())
    detail = page.locator(".cwp-row > .cwp-column", has_text="Filter 3 and its 5 nearest (cosine similarity)")
    note = detail.locator(".cwp-stale")
    expect(detail).to_be_visible()
    expect(note).to_be_hidden()
    page.locator(".cw-grid canvas.cw-canvas").first.click(position={"x": 30, "y": 30})
    expect(note).to_be_visible()
    expect(detail).to_have_attribute("data-stale", "")
