"""Nothing is sent that no hand did, and every control says what is: all panels, looked at and left alone."""

import json

import pytest
from playwright.sync_api import expect

from cnnwidgets.methods.schedule_presets import PRESETS
from tests.browser.lab import SCENES

pytestmark = pytest.mark.browser

PANELS = {
    "OcclusionSlider": "cw.OcclusionSlider(net, 3, images=pictures, patch=[9, 8], stride=3, seed=2)",
    "FeatureMapBrowser": "cw.FeatureMapBrowser(net, 3, 'layer2.0.relu', images=pictures, y=20.5, x=31.25, contrast=1.3)",
    "FilterGrid": "cw.FilterGrid(net, unit=3, contrast=1.234567)",
    "SaliencyPanel": "cw.SaliencyPanel(net, 3, images=pictures, methods=['saliency'], randomized=2, y=1.5, x=2.5)",
    "UnitExplorer": "cw.UnitExplorer(digits, tests, 3, 'relu1', 2, y=10.5, x=12.25, contrast=1.3)",
    "EmbeddingExplorer": "cw.EmbeddingExplorer(digits, tests, method='pca', learning_rate=123.456789, selection=[3, 5])",
    "SchedulePlayground": "cw.SchedulePlayground()",
    "TrainingRace": "cw.TrainingRace(specs=[{'kind': 'constant', 'lr': 0.0123456789}], steps=1, min_delta=0.1)",
    "LRFinder": "cw.LRFinder(steps=12, low=1.23456789e-5, momentum=0.1234567, rate=0.0123456789)",
    "EarlyStopping": "cw.EarlyStopping([1, 0.8, 0.9, 0.7, 0.71], patience=2, min_delta=0.123456789)",
    "BackwardRules": "cw.BackwardRules(step=1)",
    "InitLab": "cw.InitLab(init='normal', std=0.123456789, depth=3, width=37, lr=0.0123456789)",
    "ActivationMaximizer": "cw.ActivationMaximizer(net, 'layer3', 17, lr=0.0123456789, l2=0.000123456789, steps=5)",
    "AugmentationGallery": "cw.AugmentationGallery(digits, 3, images=tests, copies=3, strength=0.34567)",
    "GradientCheck": "cw.GradientCheck(of='fc3.bias', entries=3, pictures=2)",
}
MAKE = "digits, tests = cw.load('digits'), cw.samples.digits()\npanels = {}"
STATES = "import json\nprint(json.dumps({name: panel.state for name, panel in panels.items()}))"
PRESET = """import json
panels['SchedulePlayground'].take_value('preset', {name!r})
panels['SchedulePlayground'].wait()
print(json.dumps(panels['SchedulePlayground'].state))"""
OVERFLOWS = """(cell) => [...cell.querySelectorAll('*')].filter((e) => e.clientWidth && e.scrollWidth > e.clientWidth
    && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX))
    .map((e) => `${e.className} ${e.scrollWidth} > ${e.clientWidth}`)"""


@pytest.fixture(scope="module")
def shown(chromium, lab):
    """A notebook with every panel, finished and drawn, and their states before they were shown."""
    from tests.browser.lab import Notebook, new_page

    with new_page(chromium) as page:
        makes = [f"panels[{name!r}] = {make}\nassert panels[{name!r}].wait(90)" for name, make in PANELS.items()]
        lab.write("exact.ipynb", f"{SCENES}\n{MAKE}", *makes, *[f"panels[{name!r}]" for name in PANELS])
        notebook = Notebook(page, lab, "exact.ipynb")
        for cell in range(1 + len(PANELS)):
            notebook.run(cell)
        notebook.before = json.loads(notebook.python(STATES))
        for number in range(len(PANELS)):
            notebook.run(1 + len(PANELS) + number)
            cell_of(notebook, number).locator(".cwp-status[data-seq]").first.wait_for()
        for button in page.locator("[data-button=more]:visible").all():  # what is folded away is shown, too
            button.click()
        page.wait_for_timeout(2000)  # of idleness
        yield notebook
        notebook.shut_down()


def cell_of(notebook, number):
    return notebook.cell(1 + len(PANELS) + number)


def test_what_is_shown_and_left_alone_has_the_state_that_it_had(shown):
    after = json.loads(shown.python(STATES))
    assert json.dumps(after) == json.dumps(shown.before)
    assert shown.problems == []


def test_every_preset_of_the_schedules_stays_what_it_is_and_its_fields_say_it(shown):
    cell = cell_of(shown, list(PANELS).index("SchedulePlayground"))
    for name, preset in PRESETS.items():
        before = json.loads(shown.python(PRESET.format(name=name)))
        assert before["specs"] == preset.specs
        for number, spec in enumerate(preset.specs):
            shown.python(f"panels['SchedulePlayground'].selected = {number}")
            if "lr" in spec:
                exact = cell.locator("[data-control=lr]").get_by_role("textbox")
                exact.wait_for()
                shown.page.wait_for_function("([e, v]) => Number(e.value) === v", arg=[exact.element_handle(), spec["lr"]])
        shown.page.wait_for_timeout(300)
        after = json.loads(shown.python("import json\nprint(json.dumps(panels['SchedulePlayground'].state))"))
        assert json.dumps(after["specs"]) == json.dumps(before["specs"])


def test_no_panel_has_a_horizontal_scrollbar(shown):
    for width in (1280, 1000):
        shown.page.set_viewport_size({"width": width, "height": 2200})
        shown.page.wait_for_timeout(500)
        for number, name in enumerate(PANELS):
            assert (name, width, cell_of(shown, number).evaluate(OVERFLOWS)) == (name, width, [])
    shown.page.set_viewport_size({"width": 1280, "height": 2200})


VIEWS = ".cw-chart, .cw-stage, .cw-image .cw-canvas, .cw-heat .cw-canvas, .cw-maps, .cw-answer, .cw-matrices, .cw-flow"
"""All views that do not scroll by themselves."""


def test_the_wheel_over_any_view_scrolls_the_page(shown):
    page = shown.page
    page.set_viewport_size({"width": 1280, "height": 720})
    where = "() => document.querySelector('.jp-WindowedPanel-outer').scrollTop"
    tried = set()
    for view in page.locator(f":is({VIEWS}):visible").all():
        view.scroll_into_view_if_needed()
        page.wait_for_timeout(100)
        view.hover(force=True)
        before = page.evaluate(where)
        for _ in range(10):
            page.mouse.wheel(0, -5)
        page.wait_for_function(f"(before) => ({where})() < before - 30", arg=before)
        tried.add(view.get_attribute("class").split()[-1])
    assert tried >= {"cw-chart", "cw-stage", "cw-canvas", "cw-maps", "cw-answer", "cw-matrices", "cw-flow"}
    page.set_viewport_size({"width": 1280, "height": 2200})


def test_a_hand_types_an_exact_value_slides_to_a_short_one_and_a_word_is_refused(shown):
    shown.python("panels['SchedulePlayground'].restore(dict(specs=[{'kind': 'cosine', 'lr': 0.05}], steps=30, selected=0))")
    cell = cell_of(shown, list(PANELS).index("SchedulePlayground"))
    field, slider = (
        cell.get_by_role("textbox", name="learning rate, exact value"),
        cell.get_by_role("slider", name="learning rate", exact=True),
    )
    field.fill("0,0123456789")
    field.press("Enter")
    shown.wait_python("panels['SchedulePlayground'].specs", "[{'kind': 'cosine', 'lr': 0.0123456789}]")
    slider.focus()
    slider.press("ArrowRight")
    shown.wait_python("panels['SchedulePlayground'].specs", "[{'kind': 'cosine', 'lr': 0.013}]")
    field.fill("soon")
    field.press("Enter")
    expect(field).to_have_attribute("aria-invalid", "true")
    shown.wait_python("panels['SchedulePlayground'].specs", "[{'kind': 'cosine', 'lr': 0.013}]")


def test_what_is_folded_away_is_opened_by_keys_and_takes_no_more_room_than_it_needs(shown):
    cell = cell_of(shown, list(PANELS).index("SchedulePlayground"))
    button = cell.locator("[data-button=more]")
    field = cell.get_by_role("slider", name="start at (× rate)", exact=True)
    button.press("Enter")  # closed
    expect(field).to_be_hidden()
    expect(button).to_have_attribute("aria-expanded", "false")
    top = cell.locator(".cw-chart").first.bounding_box()["y"]
    button.press("Enter")
    expect(field).to_be_visible()
    assert cell.locator(".cw-chart").first.bounding_box()["y"] - top < 110, "three rows of controls at most"
