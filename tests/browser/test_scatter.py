"""The ScatterView, touched as a person touches it."""

import numpy as np
import pytest

from cnnwidgets.base import page as pages
from cnnwidgets.views import ScatterView, atlas

pytestmark = pytest.mark.browser

SIDE = 12  # pixels of a picture
CENTERS = np.array([[0, 0], [10, 0], [0, 6], [10, 6]])  # of the classes: ten points each, on a circle
ANGLES = 2 * np.pi * np.arange(10) / 10
POINTS = (CENTERS[:, None] + np.stack([np.cos(ANGLES), np.sin(ANGLES)], 1)).reshape(-1, 2)
GROUPS = np.repeat(np.arange(4), 10)
PICTURES = np.arange(40, dtype=np.uint8)[:, None, None] * 6 + np.zeros((1, SIDE, SIDE), np.uint8)  # each has its own gray

START = """
import numpy as np
from cnnwidgets.views import ScatterView, atlas
from tests.browser.test_scatter import GROUPS, PICTURES, POINTS
scatter, (data, tile) = ScatterView(labeled=False), atlas(PICTURES)
names = ["ant", "bee", "cat", "dog"]
look = dict(colors=GROUPS, names=names, atlas=data, tile=tile, labels=GROUPS, numbers=1000 + np.arange(40), title="Animals")
scatter.show(POINTS, top=(GROUPS[:, None] + [0, 1]) % 4, chance=np.tile([0.75, 0.25], (40, 1)), **look)
scatter
"""


@pytest.fixture
def scattered(notebook):
    opened = notebook(START)
    opened.run(0)
    canvas_of(opened).wait_for()
    canvas_of(opened).scroll_into_view_if_needed()
    return opened


def canvas_of(opened):
    return opened.cell(0).locator(".cw-scatter canvas.cw-canvas[data-seq]")


def place(canvas, number, points=POINTS):
    """Where a point lies on the canvas, in CSS pixels, while all are in view: 28 pixels from the edge, one scale."""
    size = np.array(canvas.evaluate("(c) => [c.clientWidth, c.clientHeight]"))
    low, high = points.min(0), points.max(0)
    scale = ((size - 56) / (high - low)).min()
    x, y = size / 2 + (points[number] - (low + high) / 2) * scale * [1, -1]
    return {"x": x, "y": y}


def drag(canvas, line, key=None):
    """Drag along places of the canvas, with a key held down."""
    area, page = canvas.bounding_box(), canvas.page
    if key:
        page.keyboard.down(key)
    for k, at in enumerate(line):
        page.mouse.move(area["x"] + at["x"], area["y"] + at["y"], steps=3)
        if k == 0:
            page.mouse.down()
    page.mouse.up()
    if key:
        page.keyboard.up(key)


def around(canvas, group, points=POINTS):
    """A line around the points of a class."""
    places = [place(canvas, number, points) for number in np.flatnonzero(group == GROUPS)]
    x, y = np.mean([list(at.values()) for at in places], 0)
    return [{"x": x + 1.5 * (at["x"] - x), "y": y + 1.5 * (at["y"] - y)} for at in places]


def redrawn(canvas, action):
    """Do something, and wait until the canvas has been drawn after it."""
    before = int(canvas.get_attribute("data-seq"))
    action()
    canvas.page.wait_for_function("([c, n]) => Number(c.dataset.seq) > n", arg=[canvas.element_handle(), before])


def pixel(canvas, at):
    """The color of the points' canvas at a place."""
    return canvas.evaluate(
        """(c, at) => [...c.parentElement.querySelector('.cw-points').getContext('2d')
            .getImageData(Math.round(at.x), Math.round(at.y), 1, 1).data].slice(0, 3)""",
        at,
    )


def card_shade(opened):
    """The gray of the picture on the card."""
    enlarged = opened.cell(0).locator(".cw-card .cw-enlarged")
    enlarged.wait_for()
    return enlarged.evaluate("(c) => c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data[0]")


def test_the_lasso_selects_in_python_what_it_goes_around(scattered):
    canvas = canvas_of(scattered)
    drag(canvas, around(canvas, 1), "Alt")
    scattered.wait_python("scatter.selection.tolist()", str([*range(10, 20)]))
    scattered.cell(0).get_by_text("Clear 10 selected").wait_for()
    assert "10 selected" in canvas.get_attribute("aria-label")
    scattered.python("scatter.tool = 'lasso'")
    scattered.cell(0).locator("button[aria-pressed=true]", has_text="Lasso").wait_for()
    drag(canvas, around(canvas, 2), "Control")
    scattered.wait_python("scatter.selection.tolist()", str([*range(10, 30)]))
    x, y = np.array(canvas.evaluate("(c) => [c.clientWidth, c.clientHeight]")) / 2  # between all classes
    drag(canvas, [{"x": x + dx, "y": y + dy} for dx, dy in ((-9, -9), (9, -9), (9, 9), (-9, 9))])
    scattered.wait_python("scatter.selection.tolist()", "[]")
    assert scattered.problems == []


def test_shift_drag_is_a_box_and_escape_clears(scattered):
    canvas = canvas_of(scattered)
    left, right = place(canvas, 5), place(canvas, 20)
    drag(
        canvas, [{"x": left["x"] - 15, "y": 15}, {"x": right["x"] + 15, "y": canvas.bounding_box()["height"] - 15}], "Shift"
    )
    scattered.wait_python("scatter.selection.tolist()", str([*range(10), *range(20, 30)]))
    canvas.press("Escape")
    scattered.wait_python("scatter.selection.tolist()", "[]")


def test_selected_points_stand_out_and_others_fade(scattered):
    canvas = canvas_of(scattered)
    before = pixel(canvas, place(canvas, 15))
    redrawn(canvas, lambda: scattered.python("scatter.selection = [0, 1]"))
    after = pixel(canvas, place(canvas, 15))
    assert np.abs(255 - np.array(after)).sum() < 0.5 * np.abs(255 - np.array(before)).sum()


def test_a_click_picks_and_hovering_tells_what_is_known(scattered):
    canvas = canvas_of(scattered)
    canvas.click(position=place(canvas, 23))
    scattered.wait_python("(scatter.picked, scatter.hovered)", "(23, 23)")
    card = scattered.cell(0).locator(".cw-card")
    assert card.inner_text().split() == "#1023 label: cat cat 75.0% dog 25.0%".split()
    line = scattered.cell(0).locator(".cw-scatter .cw-line")
    assert line.inner_text() == "#1023 · label: cat · network: cat 75.0%, dog 25.0%"
    inside, outside = card.bounding_box(), canvas.bounding_box()
    assert inside["x"] >= outside["x"] and inside["x"] + inside["width"] <= outside["x"] + outside["width"] + 1
    canvas.hover(position={"x": 3, "y": 3})
    scattered.wait_python("scatter.hovered", "-1")


def test_a_picture_stays_with_its_point_whatever_is_hidden_moved_or_selected(scattered):
    canvas = canvas_of(scattered)
    redrawn(canvas, lambda: scattered.python("scatter.thumbnails = True; scatter.thumbnail = 16"))
    shown = [number for number in range(40) if pixel(canvas, place(canvas, number)) == [6 * number] * 3]
    assert len(shown) > 20, "each picture lies at its point, where there is room"
    for number in shown[::7]:
        canvas.hover(position=place(canvas, number))
        scattered.wait_python("scatter.hovered", str(number))
        assert card_shade(scattered) == 6 * number
    redrawn(canvas, lambda: scattered.python("scatter.hidden = [0, 2]; scatter.selection = [15, 35]"))
    number = next(number for number in shown if GROUPS[number] == 3)
    canvas.hover(position=place(canvas, number))
    scattered.wait_python("scatter.hovered", str(number))
    assert card_shade(scattered) == 6 * number
    redrawn(canvas, lambda: scattered.python("scatter.hidden = []; scatter.selection = []; scatter.move(POINTS[::-1])"))
    turned = POINTS[::-1]
    shown = [number for number in range(40) if pixel(canvas, place(canvas, number, turned)) == [6 * number] * 3]
    assert len(shown) > 20
    canvas.hover(position=place(canvas, shown[3], turned))
    scattered.wait_python("scatter.hovered", str(shown[3]))
    assert card_shade(scattered) == 6 * shown[3]


def test_other_points_bring_their_own_pictures(scattered):
    canvas = canvas_of(scattered)
    scattered.python(
        "order = np.arange(39, 9, -1)\ndata, tile = atlas(PICTURES[order])\n"
        "scatter.show(POINTS[order], colors=GROUPS[order], names=names, atlas=data, tile=tile)"
    )
    points = POINTS[39:9:-1]
    canvas.page.wait_for_function("(c) => c.ariaLabel.startsWith('Animals: 30 points')", arg=canvas.element_handle())
    canvas.hover(position=place(canvas, 4, points))
    scattered.wait_python("scatter.hovered", "4")
    assert card_shade(scattered) == 6 * 35


def test_dragging_moves_the_wheel_zooms_around_the_pointer_and_a_double_click_shows_all(scattered):
    canvas = canvas_of(scattered)
    start = place(canvas, 12)
    there = {"x": start["x"] - 150, "y": start["y"] - 90}
    drag(canvas, [start, there])
    canvas.hover(position=there)
    scattered.wait_python("scatter.hovered", "12")
    for _ in range(4):
        redrawn(canvas, lambda: canvas.page.mouse.wheel(0, -200))
    canvas.hover(position={"x": there["x"] + 1, "y": there["y"]})
    scattered.wait_python("scatter.hovered", "12")
    away = place(canvas, 18)
    canvas.hover(position={"x": there["x"] + away["x"] - start["x"], "y": there["y"] + away["y"] - start["y"]})
    scattered.wait_python("scatter.hovered", "-1")
    canvas.dblclick(position={"x": 5, "y": 5})
    canvas.hover(position=place(canvas, 18))
    scattered.wait_python("scatter.hovered", "18")
    assert scattered.python("print(scatter.selection.tolist())") == "[]"


SPREAD = """() => {
    const data = document.querySelector('.cw-points').getContext('2d');
    const { width, height } = data.canvas;
    const pixels = new Uint32Array(data.getImageData(0, 0, width, height).data.buffer);
    const drawn = (x) => Array.from({ length: height }, (_, y) => pixels[y * width + x]).some((one) => one !== pixels[0]);
    const columns = [...Array(width).keys()].filter(drawn);
    return columns.at(-1) - columns[0]; }"""
"""How many pixels the drawn points take from left to right."""


def scrolled(opened):
    """How far the notebook is scrolled."""
    return opened.page.evaluate("() => document.querySelector('.jp-WindowedPanel-outer').scrollTop")


def test_the_wheel_over_the_points_scrolls_the_page_and_zooms_with_control_or_after_a_click(notebook):
    opened = notebook(START, *["print('\\n' * 60)"] * 3)
    opened.page.set_viewport_size({"width": 1280, "height": 720})
    for cell in range(4):
        opened.run(cell)
    canvas = canvas_of(opened)
    canvas.wait_for()
    canvas.scroll_into_view_if_needed()
    canvas.hover()
    middle = {"x": canvas.bounding_box()["width"] / 2, "y": 30}
    before, spread = scrolled(opened), opened.page.evaluate(SPREAD)
    for _ in range(10):
        opened.page.mouse.wheel(0, 20)
    opened.page.wait_for_function(
        "(n) => document.querySelector('.jp-WindowedPanel-outer').scrollTop >= n", arg=before + 200
    )
    assert opened.page.evaluate(SPREAD) == spread, "the points stay as they are"

    canvas.scroll_into_view_if_needed()
    canvas.hover(position=middle)
    here = scrolled(opened)
    opened.page.keyboard.down("Control")
    redrawn(canvas, lambda: opened.page.mouse.wheel(0, 100))
    opened.page.keyboard.up("Control")
    assert scrolled(opened) == here and opened.page.evaluate(SPREAD) < spread

    redrawn(canvas, lambda: canvas.dblclick(position=middle))  # which is a click, too
    redrawn(canvas, lambda: opened.page.mouse.wheel(0, 100))
    assert scrolled(opened) == here and opened.page.evaluate(SPREAD) < spread
    canvas.press("Escape")
    opened.page.mouse.wheel(0, -50)
    opened.page.wait_for_function("(n) => document.querySelector('.jp-WindowedPanel-outer').scrollTop < n", arg=here)
    assert "Ctrl+wheel" not in opened.cell(0).locator(".cw-scatter .cw-line").inner_text()  # it has been done


def test_the_points_are_never_smaller_than_half_nor_larger_than_fifty_times_all_in_view(scattered):
    canvas = canvas_of(scattered)
    spread = scattered.page.evaluate(SPREAD)
    smaller = scattered.cell(0).get_by_role("button", name="zoom out")
    for _ in range(20):
        redrawn(canvas, lambda: smaller.click())
    radius = 10  # of the points at both ends
    assert spread / 2 - radius <= scattered.page.evaluate(SPREAD) <= spread / 2 + radius
    line = np.array([[0, 0], [12, 0], [12 / 50 / 4, 0]])
    scattered.python(f"scatter.show(np.array({line.tolist()}), tween=0)")
    canvas.page.wait_for_function("(c) => c.ariaLabel.startsWith('Animals: 3 points')", arg=canvas.element_handle())
    redrawn(canvas, lambda: scattered.cell(0).get_by_role("button", name="Show all points").click())
    first, wide = place(canvas, 0, line), canvas.evaluate("(c) => c.clientWidth") - 56
    area = canvas.bounding_box()
    pointer = {axis: round(area[axis] + first[axis]) - area[axis] for axis in "xy"}  # a wheel's place is in whole pixels
    canvas.hover(position=pointer)
    scattered.page.keyboard.down("Control")
    for _ in range(20):
        redrawn(canvas, lambda: scattered.page.mouse.wheel(0, -400))
    scattered.page.keyboard.up("Control")
    third = {"x": first["x"] + wide / 200, "y": first["y"]}
    canvas.hover(position={axis: pointer[axis] + 50 * (third[axis] - pointer[axis]) for axis in "xy"})
    scattered.wait_python("scatter.hovered", "2")


def test_keys_go_from_point_to_point_zoom_and_pick(scattered):
    canvas = canvas_of(scattered)
    scattered.python("scatter.picked = 0")  # the rightmost of the first class
    canvas.focus()
    canvas.press("ArrowRight")
    scattered.wait_python("scatter.hovered", "15")  # the leftmost of the class to its right
    canvas.press("Enter")
    scattered.wait_python("scatter.picked", "15")
    for key in ("+", "+", "-", "Shift+ArrowRight"):
        redrawn(canvas, lambda key=key: canvas.press(key))
    redrawn(canvas, lambda: canvas.press("0"))
    canvas.hover(position=place(canvas, 33))
    scattered.wait_python("scatter.hovered", "33")


def test_the_legend_hides_and_isolates_and_what_is_hidden_is_neither_hovered_nor_selected(scattered):
    canvas, legend = canvas_of(scattered), scattered.cell(0).locator(".cw-classes button")
    assert [text.split() for text in legend.all_inner_texts()] == [[name, "10"] for name in ("ant", "bee", "cat", "dog")]
    scattered.python("scatter.selection = range(5, 15)")
    legend.nth(1).click()
    scattered.wait_python("(scatter.hidden, scatter.selection.tolist())", "([1], [5, 6, 7, 8, 9])")
    canvas.hover(position=place(canvas, 12))
    drag(canvas, around(canvas, 1), "Alt")
    scattered.wait_python("(scatter.hovered, scatter.selection.tolist())", "(-1, [])")
    assert pixel(canvas, place(canvas, 12)) == [255, 255, 255]
    legend.nth(2).dblclick()
    scattered.wait_python("scatter.hidden", "[0, 1, 3]")
    assert [one.get_attribute("aria-pressed") for one in legend.all()] == ["false", "false", "true", "false"]
    scattered.cell(0).get_by_text("show all classes").press("Enter")
    scattered.wait_python("scatter.hidden", "[]")
    legend.nth(3).press("Space")
    scattered.wait_python("scatter.hidden", "[3]")


def test_a_part_of_a_name_finds_classes_and_enter_selects_their_points(scattered):
    search = scattered.cell(0).locator(".cw-scatter input[type=search]")
    assert not search.is_visible()
    scattered.python("scatter.show(POINTS, colors=np.arange(40) % 20, names=[f'kind {k} <b>' for k in range(20)])")
    search.fill("kind 13")
    legend = scattered.cell(0).locator(".cw-classes button:visible")
    assert legend.inner_text().split() == ["kind", "13", "<b>", "2"]
    search.press("Enter")
    scattered.wait_python("scatter.selection.tolist()", "[13, 33]")


def test_of_many_classes_those_that_occur_are_listed_the_largest_first(scattered):
    scattered.python("groups = np.array([700] * 9 + [3] * 20 + [41] * 11)")
    scattered.python("scatter.show(POINTS, colors=groups, names=[f'kind {k}' for k in range(1000)])")
    legend = scattered.cell(0).locator(".cw-classes button")
    scattered.cell(0).get_by_text("kind 700").first.wait_for()
    assert [text.split() for text in legend.all_inner_texts()] == [
        ["kind", "3", "20"],
        ["kind", "41", "11"],
        ["kind", "700", "9"],
    ]
    legend.nth(0).dblclick()
    scattered.wait_python("scatter.hidden == [k for k in range(1000) if k != 3]", "True")


def test_the_points_stay_in_their_place_when_a_class_is_hidden(scattered):
    canvas = canvas_of(scattered)
    before = canvas.bounding_box()
    scattered.cell(0).locator(".cw-classes button").first.click()
    scattered.cell(0).get_by_text("show all classes").wait_for()
    assert canvas.bounding_box() == before
    scattered.python("scatter.selection = range(20, 25)")
    scattered.cell(0).get_by_text("5 selected").first.wait_for()
    assert canvas.bounding_box()["width"] == before["width"]


def test_code_that_hides_a_class_leaves_the_selection_alone(scattered):
    canvas = canvas_of(scattered)
    redrawn(canvas, lambda: scattered.python("scatter.selection = [5, 15]; scatter.hidden = [1]"))
    scattered.page.wait_for_timeout(300)
    assert scattered.python("print(scatter.selection.tolist())") == "[5, 15]"


def test_a_dark_page_has_dark_paper_and_the_points_stay(scattered):
    canvas = canvas_of(scattered)
    assert pixel(canvas, {"x": 4, "y": 4}) == [255, 255, 255]
    change = "() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})"
    scattered.page.evaluate(change)
    scattered.page.wait_for_function(
        """(c) => { const d = c.parentElement.querySelector('.cw-points').getContext('2d').getImageData(4, 4, 1, 1).data;
            return d[3] === 255 && d[0] < 60; }""",
        arg=canvas.element_handle(),
    )
    assert max(pixel(canvas, place(canvas, 12))) > 150


def test_where_there_is_little_room_the_legend_lies_below(scattered):
    canvas = canvas_of(scattered)
    redrawn(canvas, lambda: scattered.python("scatter.layout.width = '300px'"))
    legend, root = scattered.cell(0).locator(".cw-legend-box"), scattered.cell(0).locator(".cw-scatter")
    scattered.page.wait_for_function("(r) => r.classList.contains('cw-narrow')", arg=root.element_handle())
    assert legend.bounding_box()["y"] >= canvas.bounding_box()["y"] + canvas.bounding_box()["height"]
    assert root.evaluate("(r) => r.scrollWidth <= r.clientWidth")
    canvas.hover(position=place(canvas, 31))
    scattered.wait_python("scatter.hovered", "31")


def test_points_glide_and_a_newer_place_interrupts(scattered):
    canvas = canvas_of(scattered)
    seq = int(canvas.get_attribute("data-seq"))
    scattered.python("scatter.show(POINTS[::-1] * 3, **look)")
    scattered.page.wait_for_function("([c, n]) => Number(c.dataset.seq) > n + 3", arg=[canvas.element_handle(), seq])
    redrawn(canvas, lambda: scattered.python("scatter.move(POINTS[::-1])"))
    canvas.hover(position=place(canvas, 8, POINTS[::-1]))
    scattered.wait_python("scatter.hovered", "8")


def test_who_wants_no_motion_gets_none(scattered):
    canvas = canvas_of(scattered)
    scattered.page.emulate_media(reduced_motion="reduce")
    redrawn(canvas, lambda: scattered.python("scatter.show(POINTS[::-1], tween=100_000, **look)"))
    canvas.hover(position=place(canvas, 8, POINTS[::-1]))
    scattered.wait_python("scatter.hovered", "8")


@pytest.mark.parametrize(
    "points", ["np.zeros((0, 2))", "[[3, 4]]", "np.ones((9, 2))", "np.full((5, 2), np.nan)", "[[0, 0], [np.nan, 1], [1, 1]]"]
)
def test_any_points_are_drawn(scattered, points):
    canvas = canvas_of(scattered)
    scattered.python(f"scatter.show({points}, thumbnails=True)")
    count, placeless = eval(points.replace("np.zeros((0, 2))", "[]"), {"np": np}), 0
    placeless = int(np.isnan(np.asarray(count, float)).any(-1).sum()) if len(count) else 0
    told = f"Animals: {len(count)} point{'s' * (len(count) != 1)}" + (
        f", {placeless} without a position" if placeless else ""
    )
    scattered.page.wait_for_function("([c, t]) => c.ariaLabel.startsWith(t + ';')", arg=[canvas.element_handle(), told])
    canvas.focus()
    for key in ("ArrowUp", "ArrowRight", "Enter", "+", "0", "Escape"):
        canvas.press(key)
    canvas.hover(position={"x": 100, "y": 100})
    assert scattered.problems == []


def test_a_view_that_is_closed_leaves_nothing_behind(scattered):
    canvas = canvas_of(scattered)
    scattered.python("scatter.show(POINTS * 2, tween=5000, **look); scatter.close()")
    canvas.wait_for(state="detached")
    assert scattered.problems == []


def test_a_page_without_a_kernel_hovers_selects_and_hides(page, tmp_path):
    data, tile = atlas(PICTURES)
    scatter = ScatterView()
    scatter.show(
        POINTS, colors=GROUPS, names=["ant", "bee", "cat", "dog"], atlas=data, tile=tile, labels=GROUPS, selected=[3]
    )
    (tmp_path / "scatter.html").write_text(pages.page(scatter), "utf-8")
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto((tmp_path / "scatter.html").as_uri())
    canvas = page.locator(".cw-scatter canvas.cw-canvas[data-seq]")
    canvas.hover(position=place(canvas, 27))
    page.get_by_text("#27 · label: cat").wait_for()
    drag(canvas, around(canvas, 1), "Alt")
    page.get_by_text("Clear 10 selected").wait_for()
    page.get_by_text("Clear 10 selected").click()
    page.get_by_text("Ctrl+wheel: zoom · Shift+drag: box").wait_for()
    page.locator(".cw-classes button").nth(2).click()
    canvas.hover(position=place(canvas, 27))
    page.get_by_text("Ctrl+wheel: zoom · Shift+drag: box").wait_for()
    assert problems == []
