"""Factors over pictures, touched as a person touches them."""

import pytest

from tests.browser.lab import SCENES
from tests.browser.test_panels import colors, drawn

pytestmark = pytest.mark.browser

PANEL = "panel = cw.Concepts(net, cw.samples.scenes(size=120), 'layer2.1.relu:2', 2, opacity=1.0)\npanel"
LINKED = "browser = cw.FeatureMapBrowser(net, cw.samples.scenes(size=120))\nlink = cw.link(panel, browser)\nbrowser"
BUSY = "() => { window.jupyterapp.commands.execute('notebook:run-cell'); }"

COLORED = """(c) => {
    const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height);
    const spread = (i) => Math.max(...data.subarray(i, i + 3)) - Math.min(...data.subarray(i, i + 3));
    let found = 0;
    for (let i = 0; i < data.length; i += 4) if (spread(i) > 24) found++;
    return found; }"""
"""How many pixels of a canvas are not gray."""


@pytest.fixture
def opened(notebook):
    made = notebook(SCENES, PANEL, LINKED, "import time; time.sleep(12)")
    made.run(0)
    made.run(1)
    made.cell(1).locator(".cwp-status[data-kind=ready]").wait_for()
    made.cell(1).locator(".cw-chart[data-seq]").wait_for()
    return made


def test_a_factor_is_lit_while_the_kernel_is_busy_and_all_are_again_by_the_same_click(opened):
    pictures = drawn(opened.cell(1))
    patches = opened.cell(1).locator(".cw-grid canvas.cw-canvas").nth(1)
    all_of_them = pictures.evaluate(COLORED)
    assert all_of_them > 1000
    line = opened.cell(1).locator(".cw-grid .cw-line").nth(1)
    told = opened.python("print(panel.patches.told[0])")

    opened.page.evaluate("() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 3; }")
    opened.page.evaluate(BUSY)
    opened.page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'"
    )
    patches.click(position={"x": 40, "y": 20})
    opened.page.wait_for_function(
        f"([c, all]) => ({COLORED})(c) !== all", arg=[pictures.element_handle(), all_of_them], timeout=3000
    )
    assert line.inner_text() == told
    chosen = opened.cell(1).get_by_role("radio", name="0", exact=True)
    assert chosen.is_checked()
    patches.click(position={"x": 40, "y": 20})
    opened.page.wait_for_function(
        f"([c, all]) => ({COLORED})(c) === all", arg=[pictures.element_handle(), all_of_them], timeout=3000
    )
    assert opened.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status") == "busy"
    opened.page.wait_for_function(opened.IDLE)
    opened.cell(1).get_by_role("radio", name="1", exact=True).click()
    opened.wait_python("(panel.factor, panel.pictures.lit, panel.patches.selected)", "(1, 1, 1)")
    patches.press("Escape")
    opened.wait_python("panel.factor", "-1")
    assert opened.problems == []


def test_what_a_hand_does_last_while_the_kernel_is_busy_stays(opened):
    patches = opened.cell(1).locator(".cw-grid canvas.cw-canvas").nth(1)
    drawn(opened.cell(1))
    opened.page.evaluate("() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 3; }")
    opened.page.evaluate(BUSY)
    opened.page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'busy'"
    )
    patches.click(position={"x": 40, "y": 20})
    chosen = opened.cell(1).get_by_role("radio", name="1", exact=True)
    chosen.click()
    opened.page.wait_for_function(opened.IDLE)
    opened.wait_python("(panel.factor, panel.pictures.lit, panel.patches.selected)", "(1, 1, 1)")
    assert chosen.is_checked()


def test_the_slider_and_a_point_of_the_chart_give_another_number_and_a_picture_opens_where_it_was_clicked(opened):
    pictures = drawn(opened.cell(1))
    slider = opened.cell(1).locator("[data-control=n] input[type=range]")
    slider.focus()
    slider.press("ArrowRight")
    opened.wait_python("panel.wait() and panel.result.found.directions.shape[0]", "3")
    title = opened.cell(1).locator(".cw-grid .cw-title").first
    assert title.inner_text() == "layer2.1.relu:2 · 3 factors in 40 random pictures · receptive field 47×47"
    assert colors(opened.cell(1).locator(".cw-grid canvas.cw-canvas").nth(1)) > 100

    opened.page.evaluate(
        """() => { const chart = document.querySelector('.js-plotly-plot');
            const point = chart.querySelectorAll('.scatterlayer .trace')[0].querySelectorAll('.point')[4];
            const box = point.getBoundingClientRect();
            window.at = [box.x + box.width / 2, box.y + box.height / 2]; }"""
    )
    opened.page.mouse.click(*opened.page.evaluate("() => window.at"))
    opened.wait_python("panel.wait() and panel.n", "5")

    opened.run(2)
    opened.cell(2).locator(".cw-grid canvas.cw-canvas[data-seq]").first.wait_for()
    pictures.click(position={"x": 30, "y": 50})
    opened.wait_python("browser.image == panel.image == panel.data()['indices'][0]", "True")
    opened.wait_python(
        "(browser.layer, 30 < panel.y < 60, 10 < panel.x < 40, browser.y == panel.y)",
        "('layer2.1.relu:2', True, True, True)",
    )
    line = opened.cell(1).locator(".cw-grid .cw-line").first
    assert " · here: factor " in line.inner_text()
    pictures.press("ArrowRight")
    opened.wait_python("browser.image == panel.data()['indices'][1]", "True")
    assert opened.problems == []
    assert opened.outside() == []
