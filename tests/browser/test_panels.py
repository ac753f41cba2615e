"""The panels and their tour, touched as a person touches them."""

from pathlib import Path

import pytest

from tests.browser.lab import SCENES

pytestmark = pytest.mark.browser

TOUR = Path(__file__).parents[2] / "notebooks" / "tour.ipynb"
SHOWN = 10
"""Panels of the tour."""
BROWSER = "panel = cw.FeatureMapBrowser(net, 3, 'layer2.0.relu', images=pictures)\npanel"


def drawn(cell):
    """The canvas of a cell's grid, once it has drawn."""
    canvas = cell.locator(".cw-grid canvas.cw-canvas").first
    cell.locator(".cw-grid canvas.cw-canvas[data-seq]").first.wait_for()
    canvas.scroll_into_view_if_needed()
    return canvas


def upload(notebook, path):
    with notebook.page.expect_file_chooser() as chooser:
        notebook.cell(1).locator("[data-control=image] .cwp-upload").click()
    chooser.value.set_files(str(path))


def colors(canvas):
    """How many different colors a canvas shows."""
    return canvas.evaluate("""(c) => {
        const image = c.getContext('2d').getImageData(0, 0, c.width, c.height);
        return new Set(new Uint32Array(image.data.buffer)).size; }""")


@pytest.fixture
def browsing(notebook):
    opened = notebook(SCENES, BROWSER)
    opened.run(0)
    opened.run(1)
    opened.cell(1).locator(".cw-chart[data-seq]").wait_for()
    return opened


def test_the_tour_runs_top_to_bottom_and_every_panel_draws(notebook):
    opened = notebook(file=TOUR)
    opened.run_all()
    opened.page.wait_for_function(opened.IDLE)
    panels = opened.page.locator(":is(.cwp-status, .cw-status)")
    assert panels.count() == SHOWN
    for canvas in opened.page.locator(".cw-grid canvas.cw-canvas:visible").all():
        canvas.scroll_into_view_if_needed()
        assert colors(canvas) > 10
    assert opened.page.locator(".cwp-status[data-kind=error]").count() == 0
    assert opened.page.locator(".jp-RenderedImage:visible").count() == 0, "the still twins hide once the panels live"
    assert opened.problems == []
    assert opened.outside() == []


def test_a_saved_notebook_shows_the_still_pictures_before_it_is_run(notebook):
    opened = notebook(file=TOUR)
    pictures = opened.page.locator(".jp-RenderedImage img:visible")
    pictures.first.wait_for()
    assert pictures.count() == SHOWN
    assert all(picture.evaluate("(img) => img.naturalWidth") > 400 for picture in pictures.all())


def test_a_click_on_a_map_selects_its_unit_in_python(browsing):
    canvas = drawn(browsing.cell(1))
    box = canvas.bounding_box()
    canvas.click(position={"x": box["width"] * 0.6, "y": 20})
    browsing.wait_python("panel.unit >= 0 and len(panel.grid.cursor) == 2", "True")
    unit = int(browsing.python("print(panel.unit)"))
    line = browsing.cell(1).locator(".cw-grid .cw-line").first
    assert line.inner_text().startswith(f"unit {unit} ")


def test_the_value_under_the_pointer_is_the_networks(browsing):
    canvas = drawn(browsing.cell(1))
    canvas.hover(position={"x": 30, "y": 30})
    browsing.wait_python("len(panel.grid.cursor)", "2")
    line = browsing.cell(1).locator(".cw-grid .cw-line").first.inner_text()
    shown = float(line.split("≈ ")[1].split(" ")[0].replace("−", "-"))
    true, span = eval(
        browsing.python(
            "i, j = map(int, panel.grid.cursor)\nm = panel.result.maps.values[0]\n"
            "print((float(m[i, j]), float(m.max() - m.min())))"
        )
    )
    assert abs(shown - true) <= span / 255 + 0.005 * abs(true)


def test_the_receptive_field_follows_the_pointer(browsing):
    drawn(browsing.cell(1)).hover(position={"x": 30, "y": 30})
    browsing.wait_python("len(panel.grid.cursor)", "2")
    i, j = eval(browsing.python("print(tuple(map(int, panel.grid.cursor)))"))
    top, left, height, width = eval(browsing.python(f"print(panel.result.maps.layer.receptive_field.box({i}, {j}))"))
    rows = f"rows {max(0, int(top))}–{min(64, int(top + height)) - 1}"
    browsing.page.get_by_text(rows).first.wait_for()
    browsing.wait_python("(panel.y, panel.x)", f"({top + (height - 1) / 2}, {left + (width - 1) / 2})")


def test_arrow_keys_move_the_selection_and_shift_arrows_the_cursor(browsing):
    canvas = drawn(browsing.cell(1))
    canvas.focus()
    canvas.press("ArrowRight")
    browsing.wait_python("panel.unit", "0")
    canvas.press("ArrowRight")
    canvas.press("ArrowRight")
    browsing.wait_python("panel.unit", "2")
    canvas.press("ArrowDown")
    browsing.wait_python("panel.unit > 2", "True")
    canvas.press("ArrowUp")
    browsing.wait_python("panel.unit", "2")
    canvas.press("End")
    browsing.wait_python("panel.unit", "31")
    canvas.press("Shift+ArrowDown")
    browsing.wait_python("panel.grid.cursor", "[1.0, 0.0]")


def test_arrow_keys_in_the_layer_list_change_the_layer_and_keep_the_place(browsing):
    browsing.python("panel.grid.cursor = [8.0, 5.0]")
    before = eval(browsing.python("print((panel.y, panel.x))"))
    layers = browsing.cell(1).locator(".cw-rows table")
    layers.focus()
    layers.press("ArrowDown")
    browsing.wait_python("panel.layer", "layer2.0.conv2")
    browsing.wait_python("panel.result.maps.layer.name", "layer2.0.conv2")
    after = eval(browsing.python("print((panel.y, panel.x))"))
    assert after == before
    browsing.wait_python("panel.grid.cursor", "[8.0, 5.0]")


def test_a_click_on_a_bar_goes_to_its_layer_and_a_second_click_comes_back(browsing):
    columns = browsing.cell(1).locator(".cw-plot .bars").first.locator(".point path")  # one per layer, as high as the chart
    box = columns.nth(7).bounding_box()
    click = lambda: browsing.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)  # noqa: E731
    click()
    browsing.wait_python("panel.layer == 'layer2.0.relu'", "False")
    there = browsing.python("print(panel.result.maps.layer.name)")
    assert there.strip() == browsing.python("print(panel.layer_names[7])").strip()
    browsing.python("panel.layer = 'conv1'")
    browsing.wait_python("panel.result.maps.layer.name", "conv1")
    click()
    browsing.wait_python("panel.layer", there)


def test_an_open_code_listing_follows_the_layer(browsing):
    browsing.cell(1).locator("[data-button=code]").click()
    browsing.page.get_by_text("# layer2.0.relu:").wait_for()
    browsing.python("panel.layer = 'conv1'")
    browsing.page.get_by_text("# conv1:").wait_for()


def test_dragging_the_slider_changes_the_picture(browsing):
    box = browsing.cell(1).get_by_role("slider", name="image").bounding_box()
    x, y = box["x"] + 8, box["y"] + box["height"] / 2  # the handle, at the left end
    browsing.page.mouse.move(x, y)
    browsing.page.mouse.down()
    for step in range(20):
        browsing.page.mouse.move(x + 3 * step, y)
    browsing.page.mouse.up()
    browsing.wait_python("panel.image > 3 and panel.result is not None", "True")
    number = int(browsing.python("print(panel.image)"))
    wanted = browsing.python(f"print(pictures.picture({number}).sum())")
    browsing.wait_python("panel.data()['picture'].sum()", wanted)


def test_an_uploaded_picture_is_shown(browsing, tmp_path):
    from PIL import Image

    Image.new("RGB", (80, 60), (255, 0, 0)).save(tmp_path / "red.png")
    upload(browsing, tmp_path / "red.png")
    browsing.wait_python("panel.data()['picture'].reshape(-1, 3).mean(0).round().tolist()", "[255.0, 0.0, 0.0]")


def test_a_file_that_is_no_picture_is_a_sentence_and_the_next_one_works(browsing, tmp_path):
    (tmp_path / "notes.png").write_text("not a picture")
    upload(browsing, tmp_path / "notes.png")
    strip = browsing.cell(1).locator(".cwp-status[data-kind=error] .cwp-told")
    strip.wait_for()
    assert "is not a picture that Pillow can read" in strip.inner_text()
    browsing.python("panel.image = 4")
    browsing.cell(1).locator(".cwp-status[data-kind=ready]").wait_for()


def test_a_misspelled_layer_is_a_sentence_that_offers_the_nearest(notebook):
    opened = notebook(SCENES, "panel = cw.FilterGrid(net, 'layer1.0.convl')\npanel")
    opened.run(0)
    opened.run(1)
    strip = opened.cell(1).locator(".cwp-status[data-kind=error] .cwp-told")
    strip.wait_for()
    assert "'layer1.0.conv1'" in strip.inner_text()
    opened.python("panel.layer = 'layer1.0.conv1'")
    opened.cell(1).locator(".cwp-status[data-kind=ready]").wait_for()
    assert colors(drawn(opened.cell(1))) > 10


def test_a_students_error_shows_with_their_line(notebook):
    model = (
        "import torch\nclass Mine(torch.nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.conv = torch.nn.Conv2d(3, 4, 3)\n    def forward(self, x):\n        return self.pool(self.conv(x))\n"
    )
    opened = notebook(SCENES, model + "cw.FeatureMapBrowser(Mine(), torch.zeros(3, 8, 8))")
    opened.run(0)
    opened.run(1)
    strip = opened.cell(1).locator(".cwp-status[data-kind=error] .cwp-told")
    strip.wait_for()
    text = strip.inner_text()
    assert "AttributeError" in text and "pool" in text and "line 7" in text and "self.pool(self.conv(x))" in text


def test_a_class_name_with_markup_is_text(notebook):
    evil = "<img src=x onerror='window.evil=1'>"
    cell = (
        f"names = [{evil!r}] * 10\nmine = cw.bind(net.module, classes=names, input_shape=(3, 64, 64))\n"
        "panel = cw.FeatureMapBrowser(mine, pictures[0][0])\npanel"
    )
    opened = notebook(SCENES, cell)
    opened.run(0)
    opened.run(1)
    opened.page.get_by_text("onerror=").first.wait_for()
    assert opened.page.evaluate("window.evil") is None
    assert opened.page.locator("img[src=x]").count() == 0


def test_code_is_shown_and_is_the_panels(browsing):
    browsing.cell(1).locator("[data-button=code]").click()
    code = browsing.cell(1).locator(".cwp-status pre")
    browsing.page.wait_for_function("() => document.querySelector('.cwp-status pre').textContent.includes('values')")
    assert code.inner_text().strip() == browsing.python("print(panel.code())")


def test_sorting_by_maximum_reorders_without_the_kernel(browsing):
    canvas = drawn(browsing.cell(1))
    browsing.shut_down()
    before = canvas.screenshot()
    seq = int(canvas.get_attribute("data-seq"))
    browsing.cell(1).locator("[data-control=sort]").get_by_role("radio", name="maximum").check()
    browsing.page.wait_for_function(
        "(seq) => Number(document.querySelector('.cw-grid canvas.cw-canvas').dataset.seq) > seq", arg=seq
    )
    assert canvas.screenshot() != before


def test_hovering_works_without_the_kernel(browsing):
    canvas = drawn(browsing.cell(1))
    browsing.shut_down()
    canvas.hover(position={"x": 40, "y": 40})
    browsing.page.get_by_text("≈").first.wait_for()
    browsing.page.get_by_text("sees rows").first.wait_for()


def test_linked_panels_answer_each_other(notebook):
    both = "a = cw.FeatureMapBrowser(net, 3, 'conv1', images=pictures)\nb = cw.FilterGrid(net)\nlink = cw.link(a, b)\n"
    opened = notebook(SCENES, both + "display(a)", "display(b)")
    for cell in range(3):
        opened.run(cell)
    canvas = drawn(opened.cell(2))
    canvas.focus()
    canvas.press("End")
    opened.wait_python("(a.unit, b.unit)", "(15, 15)")


def test_a_panel_answers_on_the_main_thread_too(notebook, lab_without_subshells):
    opened = notebook(SCENES, BROWSER, server=lab_without_subshells)
    opened.run(0)
    opened.run(1)
    canvas = drawn(opened.cell(1))
    canvas.click(position={"x": 20, "y": 20})
    opened.wait_python("panel.unit", "0")
    assert opened.problems == []


def test_a_change_of_theme_keeps_the_maps_on_screen(browsing):
    canvas = drawn(browsing.cell(1))
    before = colors(canvas)
    change = "() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab %s'})"
    for theme in ("Dark", "Light"):
        browsing.page.evaluate(change % theme)
        browsing.page.wait_for_function(f"() => document.body.dataset.jpThemeName === 'JupyterLab {theme}'")
        browsing.page.wait_for_timeout(1500)
        wide, room = canvas.evaluate("(c) => [c.offsetWidth, c.closest('.cw-grid').clientWidth]")
        assert wide == room > 200, "the maps have all the room that there is"
        assert colors(canvas) > before / 2


def test_cancel_stops_a_slow_network_and_keeps_the_page_alive(notebook):
    slow = (
        "import time, torch\nclass Slow(torch.nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.conv = torch.nn.Conv2d(3, 3, 3, padding=1)\n        self.wait = 0\n    def forward(self, x):\n"
        "        for _ in range(50):\n            x = self.conv(x)\n            time.sleep(self.wait)\n"
        "        return x.mean((2, 3))\n"
        "model = Slow()\npanel = cw.FeatureMapBrowser(model, torch.rand(3, 16, 16))\npanel"
    )
    opened = notebook(SCENES, slow)
    opened.run(0)
    opened.run(1)
    opened.cell(1).locator(".cwp-status[data-kind=ready]").wait_for()
    opened.python("model.wait = 0.5; panel.image = torch.rand(3, 16, 16)")
    opened.cell(1).locator(".cwp-status[data-kind=busy]").wait_for()
    opened.cell(1).locator("[data-button=cancel]").click()
    opened.page.get_by_text("Cancelled").wait_for(timeout=15_000)
    opened.python("model.wait = 0; panel.image = torch.rand(3, 16, 16)")
    found = opened.cell(1).locator(".cwp-told", has_text="3 units, values from", has_not_text="Cancelled")
    found.wait_for(timeout=15_000)
    assert opened.problems == []
