"""The EmbeddingExplorer, touched as a person touches it."""

import json

import numpy as np
import pytest

from tests.browser.test_scatter import drag, place, redrawn

pytestmark = pytest.mark.browser

START = "import cnnwidgets as cw\nnet, pictures = cw.load('digits'), cw.samples.digits()"
PANEL = "panel = cw.EmbeddingExplorer(net, pictures{options})\npanel"
SEEN = ".cw-scatter canvas.cw-canvas[data-seq]"


@pytest.fixture
def exploring(notebook):
    def explore(options=""):
        opened = notebook(START, PANEL.format(options=options))
        opened.run(0)
        opened.run(1)
        canvas_of(opened).wait_for()
        canvas_of(opened).scroll_into_view_if_needed()
        return opened

    return explore


def canvas_of(opened):
    return opened.cell(1).locator(SEEN).first


def told(opened, code):
    """What code in the kernel gives, by JSON."""
    return json.loads(opened.python(f"import json\nprint(json.dumps({code}))"))


def points_of(opened):
    return np.array(told(opened, "panel.result.points.tolist()"))


def status(opened):
    return opened.cell(1).locator(".cwp-status .cwp-told")


def test_a_layout_moves_on_screen_and_can_be_paused_and_goes_on(exploring):
    opened = exploring(", playing=False")
    canvas, play = canvas_of(opened), opened.cell(1).get_by_role("button", name="Play", exact=True)
    opened.cell(1).get_by_text("Paused: t-SNE, 0 of 1,000 iterations").wait_for()
    before = int(canvas.get_attribute("data-seq"))
    play.click()
    opened.page.wait_for_function("([c, n]) => Number(c.dataset.seq) > n + 20", arg=[canvas.element_handle(), before])
    opened.cell(1).get_by_role("button", name="Pause").click()
    opened.cell(1).get_by_text("Paused: t-SNE").wait_for()
    somewhere = told(opened, "panel.result.embedding.iteration")
    assert 0 < somewhere < 1000
    assert f"{somewhere:,} of 1,000" in status(opened).inner_text()
    opened.python("panel.playing = True")
    opened.cell(1).get_by_text("Nearest neighbors vote").wait_for()
    assert told(opened, "panel.result.embedding.iteration") == 1000
    play.wait_for(state="hidden")


def test_a_lasso_around_a_class_gives_its_numbers_in_the_data_set(exploring):
    opened = exploring()
    opened.wait_python("panel.wait() and panel.result.finished", "True", seconds=60)
    canvas, points = canvas_of(opened), points_of(opened)
    labels = np.array(told(opened, "panel.result.features.labels.tolist()"))
    opened.cell(1).get_by_text("Nearest neighbors vote").wait_for()  # the layout has come to rest
    middle = np.median(points[labels == 0], 0)
    reach = 1.2 * np.sort(np.linalg.norm(points[labels == 0] - middle, axis=1))[-3]
    angles = np.linspace(0, 2 * np.pi, 24)
    ring = middle + reach * np.stack([np.cos(angles), np.sin(angles)], 1)
    inside = np.flatnonzero(np.linalg.norm(points - middle, axis=1) < reach)
    size = np.array(canvas.evaluate("(c) => [c.clientWidth, c.clientHeight]"))
    first, last = (np.array([*place(canvas, k, points).values()]) for k in (points[:, 0].argmin(), points[:, 0].argmax()))
    scale = (last - first)[0] / np.ptp(points[:, 0])
    corners = [dict(zip("xy", first + (at - points[points[:, 0].argmin()]) * scale * [1, -1], strict=True)) for at in ring]
    assert all(0 < corner["x"] < size[0] and 0 < corner["y"] < size[1] for corner in corners)
    redrawn(canvas, lambda: drag(canvas, corners, "Alt"))
    opened.wait_python("len(panel.selection) > 0", "True")
    selected = told(opened, "panel.selection")
    assert len(np.setxor1d(selected, inside)) <= 2  # the ring has corners
    assert (labels[selected] == 0).mean() > 0.9
    opened.cell(1).get_by_text(f"{len(selected)} selected", exact=False).first.wait_for()


def test_hovering_tells_the_picture_and_a_click_its_neighbors(exploring):
    opened = exploring(", method='pca'")
    opened.wait_python("panel.wait() and panel.result.finished", "True", seconds=60)
    canvas, points = canvas_of(opened), points_of(opened)
    far = int(np.linalg.norm(points, axis=1).argmax())
    at = place(canvas, far, points)
    canvas.hover(position=at)
    number, label = told(opened, f"[int(values[{far}]) for values in (panel.data()['indices'], panel.data()['labels'])]")
    card = opened.cell(1).locator(".cw-scatter .cw-card").first
    card.get_by_text(f"#{number}").wait_for()
    assert str(label) in card.inner_text()
    canvas.click(position=at)
    opened.cell(1).get_by_text(f'Picture {number}, a "{label}"').wait_for()
    opened.wait_python("panel.image", str(number))
    opened.cell(1).get_by_text("Nearest by pixels").wait_for()


def test_a_click_on_the_chart_goes_to_a_layer_and_what_is_selected_takes_the_charts_place(exploring):
    opened = exploring(", method='pca'")
    opened.wait_python("panel.wait() and len(panel.result.separation)", "13", seconds=60)
    chart = opened.cell(1).locator(".cw-chart[data-seq]")
    point = chart.locator(".scatterlayer .point").first
    point.wait_for()
    point.scroll_into_view_if_needed()
    point.click(force=True)
    opened.wait_python("panel.layer", "input")
    opened.cell(1).get_by_text("PCA of the pixels").wait_for()
    opened.python("panel.selection = [3, 5, 8]")
    opened.cell(1).get_by_text("3 selected", exact=True).wait_for()
    assert not chart.is_visible()
    assert told(opened, "panel.scatter.selection.tolist()") == [3, 5, 8]
    opened.cell(1).get_by_role("button", name="Clear the selection").click()
    chart.wait_for()
    assert told(opened, "panel.selection") == []


def test_without_its_kernel_points_are_still_hovered_selected_and_hidden(exploring):
    opened = exploring(", method='pca'")
    opened.wait_python("panel.wait() and panel.result.finished", "True", seconds=60)
    canvas, points = canvas_of(opened), points_of(opened)
    opened.shut_down()
    far = int(np.linalg.norm(points, axis=1).argmax())
    canvas.hover(position=place(canvas, far, points))
    opened.cell(1).locator(".cw-scatter .cw-card").first.get_by_text("#").wait_for()
    redrawn(canvas, lambda: opened.cell(1).locator(".cw-class").first.click())
    redrawn(canvas, lambda: canvas.click(position={"x": 5, "y": 5}))
    assert "500 points" in canvas.get_attribute("aria-label")
