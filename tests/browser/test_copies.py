"""Pages without a kernel, of every panel: what is on them works or is disabled, and nothing is promised that is not kept."""

import re

import pytest

import cnnwidgets as cw

pytestmark = pytest.mark.browser

MAKE = {
    "OcclusionSlider": lambda net, pictures: cw.OcclusionSlider(net, 3, images=pictures, patch=9, stride=6),
    "FeatureMapBrowser": lambda net, pictures: cw.FeatureMapBrowser(net, 3, "layer2.0.relu", images=pictures),
    "FilterGrid": lambda net, pictures: cw.FilterGrid(net, unit=3),
    "SaliencyPanel": lambda net, pictures: cw.SaliencyPanel(net, 3, images=pictures, methods=["occlusion", "grad_cam"]),
    "EmbeddingExplorer": lambda net, pictures: cw.EmbeddingExplorer(
        cw.load("digits"), cw.samples.digits(), method="pca", selection=[3, 5]
    ),
    "SchedulePlayground": lambda net, pictures: cw.SchedulePlayground(
        specs=[{"kind": "drawn", "at": [0, 9], "rates": [0.1, 0.0]}, {"kind": "plateau"}], steps=10
    ),
    "TrainingRace": lambda net, pictures: cw.TrainingRace(specs=[{"kind": "constant", "lr": 0.02}], steps=1),
    "LRFinder": lambda net, pictures: cw.LRFinder(steps=12),
    "EarlyStopping": lambda net, pictures: cw.EarlyStopping([1, 0.8, 0.9, 0.7, 0.71], patience=2),
    "BackwardRules": lambda net, pictures: cw.BackwardRules("network", step=1),
}
PICTURE = """() => [document.getElementById('panel').innerHTML.replace(/data-seq="\\d+"/g, ''),
    ...[...document.querySelectorAll('input, select')].map((e) => e.value + e.checked),
    ...[...document.querySelectorAll('canvas')].map((c) => c.width && c.height ? c.toDataURL() : '')].join('\\n')"""
"""All that is to be seen, as text."""
OPERATE = """(e) => {
    const tell = (name) => e.dispatchEvent(new Event(name, { bubbles: true }));
    if (e.tagName === 'SELECT') e.selectedIndex = (e.selectedIndex + 1) % e.options.length;
    else if (e.type === 'range') e.value = Number(e.value) > Number(e.min) ? e.min : e.max;
    else if (e.type === 'number') e.value = Number(e.value) + 0.5;
    else if (e.type === 'text') e.value = String((Number(e.value.replace('−', '-')) || 0) + 1);
    else if (e.type === 'search') e.value = 'no such class';
    else return e.click();
    tell('input'); tell('change'); }"""
"""What a hand does with a control."""
PROMISE = re.compile(r"\b(click|drag|press|upload|drop)\b", re.IGNORECASE)


@pytest.fixture(scope="module")
def given():
    return cw.load("scenes"), cw.samples.scenes()


@pytest.fixture(params=MAKE)
def copied(request, page, given, tmp_path):
    panel = MAKE[request.param](*given)
    assert panel.wait(120) and panel.error is None
    panel.to_html(tmp_path / "panel.html")
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.goto((tmp_path / "panel.html").as_uri())
    page.locator("#panel [data-seq]").first.wait_for()
    for chart in page.locator(".cw-chart:visible").all():
        chart.locator(".js-plotly-plot .plot-container").wait_for()
    page.wait_for_timeout(500)
    return page, panel


USABLE = """(e) => !e.disabled && !e.readOnly && e.checkVisibility() && !e.closest('[aria-disabled=true]')
    && !(e.type === 'radio' && e.checked) && !e.matches('[data-range][aria-pressed=true]')"""
"""A choice that is made already does nothing when it is made again."""


def controls_of(page):
    """What a hand can use: no handle of a chart, and nothing that is disabled."""
    found = page.locator("#panel :is(button, select, input, [role=option])").all()
    return [one for one in found if one.evaluate(USABLE)]


def changes(page, control):
    """Whether something is to be seen once a control was used."""
    before = page.evaluate(PICTURE)
    control.evaluate(OPERATE)
    return any(page.wait_for_timeout(100) or page.evaluate(PICTURE) != before for _ in range(15))


def test_every_control_of_a_copy_does_something_or_is_disabled(copied):
    page, _ = copied
    controls = controls_of(page)
    for before, control in zip([*controls[-1:], *controls], controls, strict=False):
        if not control.evaluate(USABLE) or changes(page, control):
            continue
        changes(page, before)  # what shows all has something to do once another has zoomed in
        assert changes(page, control), control.evaluate("(e) => `${e.tagName} ${e.title || e.ariaLabel || e.textContent}`")
    assert page.problems == []


KEPT = {
    "OcclusionSlider": ["Drag the patch", "Patch of 9×9 pixels: drag it, or use the arrow keys"],
    "FeatureMapBrowser": ["32 units. Hover to read values, click to select."],
    "EmbeddingExplorer": [
        "Ctrl+wheel: zoom",
        "Show all points (0, or double-click)",
        "Click a class to hide or show it; double-click or Shift+click it to see it alone.",
    ],
}
"""Promises that a page keeps by itself: other tests try them."""
TOLD = """() => [...document.querySelectorAll('#panel *')].filter((e) => e.checkVisibility()).flatMap((e) =>
    [e.title, e.ariaLabel, ...[...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.textContent)])
    .filter((text) => typeof text === 'string')"""


def test_a_copy_promises_nothing_that_it_does_not_keep_and_says_what_it_is(copied):
    page, panel = copied
    assert page.title() == repr(panel)
    promised = {text for text in page.evaluate(TOLD) if PROMISE.search(text)}
    assert promised <= {*KEPT.get(type(panel).__name__, [])}


def test_a_region_cannot_be_drawn_on_a_copy(page, given, tmp_path):
    panel = MAKE["OcclusionSlider"](*given)
    panel.to_html(tmp_path / "panel.html")
    page.goto((tmp_path / "panel.html").as_uri())
    heat = page.locator(".cw-heat canvas.cw-canvas[data-seq]").first
    box = heat.bounding_box()
    page.mouse.move(box["x"] + 30, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 150, box["y"] + 150, steps=5)
    page.mouse.up()
    assert not page.get_by_role("button", name="Whole picture").is_visible()


def test_a_layer_in_a_copys_table_stays_the_one_whose_maps_are_shown(page, given, tmp_path):
    panel = MAKE["FeatureMapBrowser"](*given)
    panel.to_html(tmp_path / "panel.html")
    page.goto((tmp_path / "panel.html").as_uri())
    rows = page.locator(".cw-rows[data-seq]")
    table = rows.get_by_role("grid", name="layers", disabled=True)
    rows.get_by_text("conv1", exact=True).first.click(force=True)  # it says that it is disabled; a hand clicks anyway
    table.focus()
    table.press("Home")
    assert page.locator("[aria-selected=true]").inner_text().split()[0] == "layer2.0.relu"
