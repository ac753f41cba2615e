"""A unit's story, walked through by keyboard and by hand."""

import pytest

from tests.browser.lab import SCENES
from tests.browser.test_panels import colors, drawn

pytestmark = pytest.mark.browser

PANEL = "panel = cw.UnitExplorer(net, cw.samples.scenes(size=100), 3, 'layer2.1.relu', 5)\npanel"


@pytest.fixture
def opened(notebook):
    made = notebook(SCENES, PANEL)
    made.run(0)
    made.run(1)
    made.cell(1).locator(".cwp-status[data-kind=ready]").wait_for()
    made.wait_python("panel.wait() and panel.pairs.grid.shape[0]", "9")
    return made


def test_units_and_layers_are_walked_through_by_keyboard(opened):
    canvas = drawn(opened.cell(1))
    assert colors(canvas) > 100
    canvas.focus()
    canvas.press("ArrowRight")
    opened.wait_python("panel.unit", "6")
    opened.wait_python("panel.wait() and panel.pairs.grid.title[:6]", "Unit 6")
    canvas.press("Shift+ArrowDown")
    opened.wait_python("panel.y is not None", "True")
    at = opened.python("print(panel.y, panel.x)")
    for key, layer in (("o", "layer2.1.conv2"), ("u", "layer2.1.relu"), ("u", "layer2.1.bn1")):
        opened.page.keyboard.press(key)
        opened.wait_python("panel.wait() and panel.layer", layer)
    assert opened.python("print(panel.unit, panel.y, panel.x)") == f"6 {at}"
    opened.page.keyboard.press("b")
    opened.wait_python("panel.rule", "deconvnet")
    opened.page.keyboard.press("f")
    opened.wait_python("panel.held", "['layer2.1.bn1', 6]")
    opened.page.keyboard.press("ArrowRight")
    opened.wait_python("(panel.unit, panel.here.unit)", "(7, 6)")
    opened.page.keyboard.press("f")
    opened.wait_python("panel.here.unit", "7")
    assert opened.page.locator(".jp-Notebook .jp-Cell").count() == 2, "no key was a shortcut of the notebook"
    assert opened.problems == []


def test_a_unit_is_switched_off_and_the_accuracy_is_shown(opened):
    drawn(opened.cell(1)).focus()
    opened.page.keyboard.press("a")
    opened.wait_python("panel.wait() and (panel.off, panel.detail)", "([5], 'ablation')")
    chart = opened.cell(1).locator(".cw-chart .js-plotly-plot")
    chart.get_by_text("without unit 5").wait_for()
    chart.get_by_text("Accuracy over 100 pictures").wait_for()
    opened.page.keyboard.press("a")
    opened.wait_python("panel.off", "[]")
    opened.page.keyboard.press("h")
    assert opened.cell(1).get_by_role("note", name="Keys").locator("kbd").all_inner_texts() == [*"uobfah"]
    opened.page.keyboard.press("Escape")
    assert not opened.cell(1).get_by_role("note", name="Keys").is_visible()


def test_a_connection_is_followed_and_a_patch_opens_its_picture(opened):
    nodes = opened.cell(1).locator(".cw-node")
    assert nodes.count() == 12
    unit = opened.python("print(int(panel.graph.before[0]['name'].split(' ')[1]))")
    nodes.first.click()
    opened.wait_python("panel.wait() and (panel.layer, panel.unit)", f"('layer2.0.relu:2', {unit})")
    drawn_patches = opened.cell(1).locator(".cw-grid canvas.cw-canvas").nth(1)
    drawn_patches.click(position={"x": 30, "y": 30})
    opened.wait_python("panel.wait() and panel.image == panel.data()['patch_indices'][0]", "True")
    assert opened.problems == []
    assert opened.outside() == []
