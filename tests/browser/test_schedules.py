"""Schedules and trainings, touched as a person touches them."""

import pytest

from tests.browser.lab import LONG, Notebook

pytestmark = pytest.mark.browser

IMPORT = "import cnnwidgets as cw"
DRAWN = """panel = cw.SchedulePlayground(steps=100, specs=[
    {"kind": "drawn", "at": [0, 50, 99], "rates": [0.1, 0.5, 0.0]}, {"kind": "step", "lr": 0.5, "step_size": 30}])
panel"""
RACE = """race = cw.TrainingRace([{"kind": "constant", "lr": 0.02}, {"kind": "cosine", "lr": 0.02}], steps=300)
race"""


PLAYGROUND, TRAINED = 1, 2


@pytest.fixture(scope="module")
def opened(chromium, lab):
    context = chromium.new_context(viewport={"width": 1280, "height": 2200}, device_scale_factor=1)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.set_default_timeout(LONG)
    lab.write("schedules.ipynb", IMPORT, DRAWN, RACE)
    notebook = Notebook(page, lab, "schedules.ipynb")
    notebook.run(0)
    yield notebook
    notebook.shut_down()
    context.close()


@pytest.fixture
def playground(opened):
    opened.run(PLAYGROUND)
    opened.cell(PLAYGROUND).locator(".cw-chart[data-seq] .scatterlayer .trace").first.wait_for()
    return opened


def test_a_schedule_is_bent_by_a_slider_and_its_code_copied(playground):
    cell = playground.cell(PLAYGROUND)
    playground.python("panel.selected = 1")
    cell.locator(".widget-dropdown select").filter(has_text="2. step decay").wait_for()
    slider = cell.get_by_role("slider", name="step_size")
    for _ in range(3):
        slider.press("ArrowRight")
    playground.wait_python("panel.specs[1]['step_size']", "33")
    playground.wait_python("panel.result[1].lr[[32, 33]].round(6).tolist()", "[0.5, 0.05]")
    cell.get_by_role("button", name="Code").first.click()
    cell.get_by_text("StepLR(optimizer, step_size=33").wait_for()
    cell.get_by_role("button", name="Copy").first.click()
    cell.get_by_role("button", name="Copied").first.wait_for()
    copied = playground.page.evaluate("() => navigator.clipboard.readText()")
    assert copied == playground.python("print(panel.code())")
    assert playground.problems == []
    assert playground.outside() == []


def test_a_knot_is_dragged_and_the_curve_follows(playground):
    knot = playground.cell(PLAYGROUND).locator(".cw-knot").nth(1)
    knot.wait_for()
    box = knot.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    mouse = playground.page.mouse
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + 100, y + 60, steps=8)
    mouse.up()
    playground.wait_python("50 < panel.specs[0]['at'][1] < 99 and panel.specs[0]['rates'][1] < 0.5", "True")
    playground.wait_python(
        "abs(panel.result[0].lr[int(panel.specs[0]['at'][1])] - panel.specs[0]['rates'][1]) < 1e-12", "True"
    )


def test_a_race_grows_and_a_cancel_keeps_what_is_there(opened):
    opened.run(TRAINED)
    cell = opened.cell(TRAINED)
    plot = cell.locator(".cw-chart[data-seq] .js-plotly-plot").first.element_handle()
    opened.page.wait_for_function("(plot) => plot.data[1]?.x?.length > 2", arg=plot)
    cell.get_by_role("button", name="Cancel").click()
    cell.get_by_text("Cancelled.").wait_for()
    kept = int(opened.python("print(len(race.shown.histories[0].ends))"))
    assert 2 < kept < 300
    opened.page.wait_for_function("([plot, kept]) => plot.data[1].x.length === kept", arg=[plot, kept])
    assert opened.problems == []
