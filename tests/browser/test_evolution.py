"""The checkpoints of a training, scrubbed as a person scrubs them: dragged, by arrow keys, played, clicked in the chart."""

import pytest

from tests.browser.lab import SCENES

pytestmark = pytest.mark.browser

PANEL = "panel = cw.FeatureEvolution(net, pictures, layer='layer1', unit=5, limit=60)\npanel"
PIXELS = "canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data].join()"


@pytest.fixture
def opened(notebook):
    book = notebook(SCENES, PANEL)
    book.run(0)
    book.run(1)
    book.cell(1).locator(".cwp-status[data-kind=ready]").wait_for()
    book.wait_python("panel.wait()", "True")
    yield book
    assert book.python("print(panel.error)") == "None"
    assert book.problems == []
    assert book.outside() == []


def filters(book):
    return book.cell(1).locator(".cw-grid").filter(has_text="layer1.1.conv2").locator("canvas.cw-canvas")


def shows(book, checkpoint: int) -> str:
    """Wait until a checkpoint is on screen, and give the filters' pixels."""
    name = ("epoch 0", "epoch 1", "epoch 2", "epoch 5", "epoch 10", "epoch 40")[checkpoint]
    book.wait_python("panel.checkpoint", str(checkpoint))
    book.cell(1).locator(".cw-title", has_text=f"layer1.1.conv2 · Conv2d, 16×3×3 · {name}").wait_for()
    book.page.wait_for_timeout(200)
    return filters(book).evaluate(PIXELS)


def test_the_slider_scrubs_by_arrow_keys_and_by_dragging_and_no_network_runs(opened):
    opened.python("from torch.nn.modules.module import register_module_forward_hook as hooked\nruns = []")
    opened.python("hook = hooked(lambda *given: runs.append(1))")
    slider = opened.cell(1).locator("[data-control=checkpoint] input[type=range]")
    seen = [shows(opened, 0)]
    slider.focus()
    for checkpoint in (1, 2, 3):
        opened.page.keyboard.press("ArrowRight")
        seen.append(shows(opened, checkpoint))
    assert len({*seen}) == 4
    opened.page.keyboard.press("ArrowLeft")
    assert shows(opened, 2) == seen[2]
    box = slider.bounding_box()
    opened.page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] / 2)
    opened.page.mouse.down()
    opened.page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2, steps=12)
    opened.page.mouse.up()
    assert shows(opened, 5) not in seen
    assert opened.python("print(len(runs), end='')\nhook.remove()") == "0"


def test_a_tile_of_the_film_is_a_checkpoint(opened):
    before = shows(opened, 0)
    film = opened.cell(1).locator(".cw-grid").filter(has_text="strongest patch")
    film.locator("canvas.cw-canvas").click(position={"x": 130, "y": 20})  # a tile is 80 to 110 pixels wide
    assert shows(opened, 1) != before
    opened.page.keyboard.press("ArrowRight")
    shows(opened, 2)


def test_it_is_played_to_the_end_and_paused(opened):
    cell = opened.cell(1)
    cell.get_by_role("button", name="Play", exact=True).click()
    opened.wait_python("panel.checkpoint > 0", "True")
    cell.get_by_role("button", name="Pause", exact=True).click()
    cell.get_by_role("button", name="Play", exact=True).wait_for()
    rests = opened.python("print(panel.checkpoint)")
    opened.page.wait_for_timeout(1200)
    assert opened.python("print(panel.checkpoint)") == rests
    cell.get_by_role("button", name="Play", exact=True).click()
    shows(opened, 5)
    cell.get_by_role("button", name="Play", exact=True).wait_for()


def test_a_click_on_a_curve_chooses_its_layer(opened):
    chart = opened.cell(1).locator(".js-plotly-plot")
    chart.locator(".scatterlayer .trace").nth(3).locator(".point").nth(1).wait_for(state="attached")
    point = chart.locator(".scatterlayer .trace").nth(0).locator(".point").nth(2).bounding_box()  # conv1, apart from others
    opened.page.mouse.move(point["x"] + point["width"] / 2, point["y"] + point["height"] / 2, steps=3)
    opened.page.mouse.down()
    opened.page.mouse.up()
    opened.wait_python("panel.layer, panel.checkpoint", "conv1 2")
    opened.cell(1).locator(".cw-title", has_text="conv1 · Conv2d, 3×3×3 · epoch 2").wait_for()
    opened.wait_python("panel.wait()", "True")
