"""The SaliencyPanel, touched as a person touches it."""

import pytest

from tests.browser.lab import SCENES

pytestmark = pytest.mark.browser

PANEL = """panel = cw.SaliencyPanel(net, 3, images=pictures, methods=["saliency", "grad_cam"])
browser = cw.FeatureMapBrowser(net, 3, images=pictures, layer="layer2.1.relu:2")
cw.link(browser, panel)
panel.explain, panel.unit = "class", -1
panel"""


def value_at(opened, method, row, column):
    """The value of a map at a pixel as the view writes it."""
    return float(opened.python(f"print(panel.result.maps[{method!r}][0].values[{row}, {column}])"))


@pytest.fixture
def explained(notebook):
    opened = notebook(SCENES, PANEL, "browser")
    opened.run(0)
    opened.run(1)
    opened.cell(1).locator(".cw-maps[data-seq]").wait_for()
    opened.wait_python("panel.wait() and sorted(panel.result.maps)", "['grad_cam', 'saliency']", seconds=60)
    return opened


def canvas(opened, number):
    return opened.cell(1).locator(".cw-map-table canvas.cw-canvas").nth(number)


def point(map_canvas, row, column):
    side = map_canvas.evaluate("(c) => c.clientWidth")
    map_canvas.hover(position={"x": (column + 0.5) * side / 64, "y": (row + 0.5) * side / 64})


def captions(opened):
    return opened.cell(1).locator(".cw-map-table .cw-value").all_inner_texts()


def test_a_panel_is_pointed_at_changed_and_goes_on_without_its_kernel(explained):
    page = explained.page

    # point at a map: the value there, in all of them
    point(canvas(explained, 0), 20, 40)
    explained.wait_python("panel.y, panel.x", "20.0 40.0")
    explained.cell(1).get_by_text("row 20, column 40").wait_for()
    told = [float(text.removeprefix("here ").split(" (")[0].replace("−", "-")) for text in captions(explained)]
    assert told[0] == pytest.approx(value_at(explained, "saliency", 20, 40), rel=0.01, abs=1e-5)
    assert told[1] == pytest.approx(value_at(explained, "grad_cam", 20 // 8, 40 // 8), rel=0.01, abs=1e-4)

    # keys that JupyterLab has commands for stay in the panel
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    canvas(explained, 0).focus()
    for key in ("b", "x", "ArrowDown"):
        page.keyboard.press(key)
    explained.wait_python("panel.y, panel.x", "21.0 40.0")
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells

    # another method by its button
    explained.cell(1).get_by_role("checkbox", name="guided backprop", exact=True).click()
    explained.cell(1).locator(".cw-map-table .cw-title").get_by_text("guided backprop").wait_for()
    explained.wait_python("panel.methods", "['saliency', 'grad_cam', 'guided_backprop']")

    # the sanity check: a key on the slider, and the chart is there
    handle = explained.cell(1).get_by_role("slider", name="random last layers")
    handle.focus()
    page.keyboard.press("ArrowRight")
    explained.wait_python("panel.wait() and panel.result.depth", "1", seconds=60)
    explained.cell(1).locator(".js-plotly-plot").first.wait_for()
    assert "1" in explained.python("print(list(panel.result.agreements['guided_backprop']))")
    handle.focus()
    page.keyboard.press("ArrowLeft")
    explained.wait_python("panel.wait() and panel.result.depth", "0", seconds=60)

    # all depths: the slider stands where the maps are, until a hand takes it back
    explained.python("panel.methods = ['saliency', 'rise']; panel.wait()")  # which takes its time at each depth
    explained.cell(1).get_by_role("button", name="Run the whole sanity check").click()
    explained.cell(1).locator(".cwp-status").get_by_text(" of 16 layers random").wait_for()
    page.wait_for_function("(slider) => Number(slider.value) > 0", arg=handle.element_handle())
    explained.cell(1).locator("[data-button=cancel]").click()
    explained.wait_python("panel.wait() and type(panel.error).__name__", "Cancelled", seconds=60)
    assert explained.python("print(panel.randomized, panel.shown.depth)") == f"0 {handle.input_value()}"
    handle.focus()
    page.keyboard.press("Home")
    explained.wait_python("panel.wait() and panel.error, panel.result.depth", "None 0", seconds=60)
    assert handle.input_value() == "0"
    explained.python("panel.methods = ['saliency', 'grad_cam']; panel.wait()")

    # a unit that is clicked in a linked panel
    explained.run(2)
    grid = explained.cell(2).locator(".cw-grid canvas.cw-canvas").first
    grid.wait_for()
    explained.wait_python("browser.wait() and browser.error", "None", seconds=60)
    grid.click(position={"x": 20, "y": 20})
    explained.cell(1).locator(".cw-map-table .cw-title").get_by_text("unit 0 of layer2.1.relu:2").wait_for()
    explained.wait_python("panel.result.maps['saliency'][0].unit", "('layer2.1.relu:2', 0)")

    # no kernel: the cursor still tells values
    explained.shut_down()
    point(canvas(explained, 0), 30, 10)
    explained.cell(1).get_by_text("row 30, column 10").wait_for()
    explained.cell(1).locator("[data-control=methods][data-reason=kernel]").wait_for()
    assert explained.problems == [] and explained.outside() == []
