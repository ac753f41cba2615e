"""Schedules and trainings, touched as a person touches them."""

import pytest
from playwright.sync_api import expect

import cnnwidgets as cw
from tests.browser.lab import LONG, Notebook
from tests.browser.strips import axe

pytestmark = pytest.mark.browser

IMPORT = "import cnnwidgets as cw"
DRAWN = """panel = cw.SchedulePlayground(steps=100, specs=[
    {"kind": "drawn", "at": [0, 50, 99], "rates": [0.1, 0.5, 0.0]}, {"kind": "step", "lr": 0.5, "step_size": 30}])
panel"""
RACE = """race = cw.TrainingRace(specs=[{"kind": "constant", "lr": 0.02}, {"kind": "cosine", "lr": 0.02}], steps=300)
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


def test_a_schedule_is_chosen_and_bent_by_a_slider_and_its_code_copied(playground):
    cell = playground.cell(PLAYGROUND)
    cell.locator("[data-control=selected] select").select_option(label="2. step decay 0.5 (step_size 30)")
    playground.wait_python("panel.selected", "1")
    group = cell.get_by_role("group", name="Schedule", exact=True)
    slider = group.get_by_role("slider", name="step_size")
    for _ in range(3):
        slider.press("ArrowRight")
    playground.wait_python("panel.specs[1]['step_size']", "33")
    playground.wait_python("panel.result[1].lr[[32, 33]].round(6).tolist()", "[0.5, 0.05]")
    expect(slider).to_be_focused()
    expect(cell.locator("[data-control=selected] select option:checked")).to_have_text("2. step decay 0.5 (step_size 33)")
    cell.locator("[data-button=code]").click()
    cell.get_by_text("StepLR(optimizer, step_size=33").wait_for()
    cell.get_by_role("button", name="Copy").click()
    cell.get_by_role("button", name="Copied").wait_for()
    copied = playground.page.evaluate("() => navigator.clipboard.readText()")
    assert copied == playground.python("print(panel.code())")
    assert playground.problems == []
    assert playground.outside() == []


def test_another_kind_brings_other_controls_and_a_list_of_numbers_is_typed(playground):
    cell = playground.cell(PLAYGROUND)
    playground.python("panel.selected = 1")
    cell.locator("[data-control=kind] select").select_option(label="drops at given steps")
    field = cell.get_by_role("textbox", name="drop at (milestones)")
    expect(field).to_have_value("30, 80")
    field.fill("10; 20")
    field.press("Enter")
    playground.wait_python("panel.specs[1]", "{'kind': 'multistep', 'lr': 0.5, 'milestones': [10, 20]}")
    expect(field).to_have_value("10, 20")
    field.fill("soon")
    field.press("Enter")
    expect(cell.locator(".cwp-status")).to_have_attribute("data-kind", "error")
    expect(cell.locator(".cwp-told")).to_have_text("milestones is 'soon'; expected a list of numbers")
    cell.locator("[data-control=preset]").get_by_role("radio", name="drops").check(force=True)
    expect(cell.locator(".cwp-status")).to_have_attribute("data-kind", "ready")
    expect(cell.locator("[data-control=preset]").get_by_role("radio", name="drops")).to_be_checked()
    cell.locator("[data-control=preset]").get_by_role("radio", name="plateau").check(force=True)
    expect(cell.locator("[data-control=remove]")).to_have_count(0)


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


def test_a_training_comes_into_the_playground_and_into_sight_and_the_charts_stay_as_they_are(playground):
    page, cell = playground.page, playground.cell(PLAYGROUND)
    page.set_viewport_size({"width": 1280, "height": 720})
    playground.python("panel.steps = 3")
    chart = cell.locator(".cw-chart").first
    before = chart.element_handle()
    cell.locator("[data-control=train] button").click()
    race = cell.locator(".cwp .cwp[data-panel=TrainingRace]")
    expect(race.locator("> .cwp-strip")).to_be_in_viewport()
    playground.wait_python("len(panel.race.result.histories)", "2")
    expect(race.locator(".cwp-told")).to_contain_text("One seed proves nothing")
    assert chart.evaluate("(now, before) => now === before", before), "what was there is not rendered anew"
    cell.locator(".cw-chart").first.scroll_into_view_if_needed()
    cell.locator("[data-control=seeds] input").fill("2")
    cell.locator("[data-control=seeds] input").press("Enter")
    playground.wait_python("panel.race.result.verdict.seeds", "2")
    playground.python("before = panel")
    playground.run(PLAYGROUND)
    playground.wait_python("before.comm is before.race.comm is None", "True")
    expect(race).to_have_count(0)
    page.set_viewport_size({"width": 1280, "height": 2200})
    assert playground.problems == []


def test_a_race_grows_and_a_cancel_keeps_what_is_there(opened):
    opened.run(TRAINED)
    cell = opened.cell(TRAINED)
    plot = cell.locator(".cw-chart[data-seq] .js-plotly-plot").first.element_handle()
    opened.page.wait_for_function("(plot) => plot.data[1]?.x?.length > 2", arg=plot)
    cell.locator("[data-button=cancel]").click()
    cell.get_by_text("Cancelled.").wait_for()
    kept = int(opened.python("print(len(race.shown.histories[0].ends))"))
    assert 2 < kept < 300
    opened.page.wait_for_function("([plot, kept]) => plot.data[1].x.length === kept", arg=[plot, kept])
    assert opened.problems == []


def test_a_page_has_the_training_too_and_axe_finds_nothing_in_either_strip(page, tmp_path):
    panel = cw.SchedulePlayground(steps=2, specs=[{"kind": "cyclic", "lr": 0.02}])
    panel.train()
    panel.to_html(tmp_path / "panel.html")
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto((tmp_path / "panel.html").as_uri())
    race = page.locator(".cwp .cwp[data-panel=TrainingRace]")
    expect(race.locator(".cw-chart[data-seq] .js-plotly-plot").first).to_be_visible()
    expect(race.locator(".cwp-told")).to_have_text(panel.race.status.message)
    more = page.locator("[data-button=more]")
    more.click()
    expect(page.get_by_role("group", name="Schedule 1: more")).to_be_visible()
    enabled = page.locator(".cwp-field :is(input, select, button):enabled")
    expect(enabled).to_have_count(0)
    for code in page.locator("[data-button=code]").all():
        code.click()
    expect(race.locator("pre")).to_contain_text("task.loader")
    assert axe(page, ".cwp-strip, .cwp-status") == []
    assert problems == []
