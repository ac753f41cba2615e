"""The patches of a unit, touched as a person touches them."""

import pytest

from tests.browser.lab import SCENES
from tests.browser.test_panels import colors, drawn

pytestmark = pytest.mark.browser

PANEL = "panel = cw.TopPatches(net, pictures, 'layer1.1.relu:2', 5)\npanel"
LINKED = "browser = cw.FeatureMapBrowser(net, pictures)\nlink = cw.link(panel, browser)\nbrowser"


@pytest.fixture
def opened(notebook):
    made = notebook(SCENES, PANEL, LINKED)
    made.run(0)
    made.run(1)
    made.cell(1).locator(".cwp-status[data-kind=ready]").wait_for()
    made.wait_python("panel.wait() and panel.pairs.grid.shape[0]", "9")
    return made


def test_units_are_switched_a_patch_is_pointed_at_and_opens_in_a_linked_panel(opened):
    canvas = drawn(opened.cell(1))
    assert colors(canvas) > 100
    title, line = (opened.cell(1).locator(f".cw-grid .cw-{what}").first for what in ("title", "line"))
    assert title.inner_text() == "layer1.1.relu:2 · unit 5 · 9 strongest patches · receptive field 19×19, exact"
    assert line.inner_text() == "9 patches. Hover to read values, click to select."

    canvas.hover(position={"x": 60, "y": 50})
    told = opened.python("print(panel.pairs.grid.told[0])")
    opened.page.wait_for_function("([el, told]) => el.textContent === told", arg=[line.element_handle(), told])

    opened.run(2)
    opened.cell(2).locator(".cw-grid canvas.cw-canvas[data-seq]").first.wait_for()
    canvas.click(position={"x": 60, "y": 50})
    opened.wait_python("browser.image == panel.image == panel.patches()[0].index", "True")
    opened.wait_python("(browser.layer, browser.unit)", "('layer1.1.relu:2', 5)")
    opened.wait_python(
        "browser.wait() and abs(browser.result.maps.values[5].max() - panel.patches()[0].value) < 1e-4", "True"
    )

    canvas.press("ArrowRight")
    opened.wait_python("panel.pairs.grid.selected", "1")
    opened.wait_python("browser.image == panel.patches()[1].index", "True")

    opened.cell(1).get_by_role("button", name="Next unit").click()
    opened.page.wait_for_function("el => el.textContent.startsWith('layer1.1.relu:2 · unit 6 ')", arg=title.element_handle())
    opened.cell(1).get_by_role("radio", name="deciles").click()
    opened.page.wait_for_function(
        "el => el.textContent.includes('a random picture of each tenth')", arg=title.element_handle()
    )
    opened.wait_python("panel.wait() and panel.pairs.grid.shape[0]", "10")
    assert opened.problems == []
    assert opened.outside() == []
