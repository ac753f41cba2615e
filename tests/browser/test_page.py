"""The self-contained page: opened from disk, with nobody to answer it."""

import pytest

import cnnwidgets as cw
from cnnwidgets.numbers import percent

pytestmark = pytest.mark.browser


@pytest.fixture
def opened(page, tmp_path):
    panel = cw.FeatureMapBrowser(cw.load("scenes"), 3, "layer2.0.relu", images=cw.samples.scenes())
    panel.to_html(tmp_path / "panel.html")
    problems, requests = [], []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    page.on("request", lambda r: requests.append(r.url))
    page.goto((tmp_path / "panel.html").as_uri())
    page.wait_for_selector(".cw-grid canvas[data-seq]")
    page.wait_for_selector(".cw-chart[data-seq]")
    return page, problems, requests


def test_hover_moves_the_receptive_field_and_the_chart_is_drawn(opened):
    page, problems, requests = opened
    page.locator(".cw-grid canvas.cw-canvas").first.hover(position={"x": 40, "y": 40})
    page.get_by_text("sees rows").wait_for()
    page.get_by_text("≈").wait_for()
    assert page.locator(".cw-plot .bars path").count() > 20
    assert problems == []
    assert [url for url in requests if not url.startswith(("file:", "blob:", "data:"))] == []


def test_sorting_and_zooming_work(opened):
    page, problems, _ = opened
    canvas = page.locator(".cw-grid canvas.cw-canvas").first
    first = canvas.screenshot()
    page.locator("[data-control=sort]").get_by_role("radio", name="maximum").check()
    page.wait_for_timeout(200)
    second = canvas.screenshot()
    page.locator(".cw-larger").first.click()
    page.wait_for_timeout(200)
    assert len({first, second, canvas.screenshot()}) == 3
    assert problems == []


def test_the_patch_moves_and_the_answer_follows_without_a_kernel(page, tmp_path):
    panel = cw.OcclusionSlider(cw.load("scenes"), 3, images=cw.samples.scenes(), patch=9, stride=3)
    wanted = panel.result.probability[6, 9]
    panel.to_html(tmp_path / "occlusion.html")
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto((tmp_path / "occlusion.html").as_uri())
    heat = page.locator(".cw-heat canvas.cw-canvas[data-seq]").first
    size = heat.evaluate("(c) => c.clientWidth / 64")
    heat.hover(position={"x": 31.5 * size, "y": 22.5 * size})
    page.get_by_text("rows 18–26, columns 27–35").first.wait_for()
    page.wait_for_function("(p) => document.querySelector('.cw-number').innerText === p", arg=percent(wanted))
    picture = page.locator(".cw-image canvas.cw-canvas")
    picture.focus()
    picture.press("ArrowDown")
    wanted = panel.result.probability[7, 9]
    page.wait_for_function("(p) => document.querySelector('.cw-number').innerText === p", arg=percent(wanted))
    assert problems == []
