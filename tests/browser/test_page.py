"""The self-contained page: opened from disk, with nobody to answer it."""

import pytest

import cnnwidgets as cw

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
    page.locator(".cw-grid canvas.cw-canvas").hover(position={"x": 40, "y": 40})
    page.get_by_text("sees rows").wait_for()
    page.get_by_text("≈").wait_for()
    assert page.locator(".cw-plot .bars path").count() > 20
    assert problems == []
    assert [url for url in requests if not url.startswith(("file:", "blob:", "data:"))] == []


def test_sorting_and_zooming_work(opened):
    page, problems, _ = opened
    canvas = page.locator(".cw-grid canvas.cw-canvas")
    first = canvas.screenshot()
    page.locator(".cw-tools select").first.select_option("maximum")
    page.wait_for_timeout(200)
    second = canvas.screenshot()
    page.locator(".cw-larger").click()
    page.wait_for_timeout(200)
    assert len({first, second, canvas.screenshot()}) == 3
    assert problems == []
