"""The OcclusionSlider, touched as a person touches it."""

import pytest
from playwright.sync_api import expect

from tests.browser.lab import SCENES, Notebook, new_page

pytestmark = pytest.mark.browser

PANEL = "panel = cw.OcclusionSlider(net, 3, images=pictures, patch=9, stride=3)\npanel"
PERCENT = "__import__('cnnwidgets.numbers').numbers.percent"
MIDDLE = "panel.y, panel.x = 22, 22"


@pytest.fixture(scope="module")
def opened(chromium, lab):
    """One notebook for all tests that leave its kernel alone."""
    with new_page(chromium) as page:
        lab.write("occlusion.ipynb", SCENES, PANEL)
        notebook = Notebook(page, lab, "occlusion.ipynb")
        show(notebook)
        notebook.python("first = panel.state")
        yield notebook
        notebook.shut_down()


@pytest.fixture
def sliding(opened):
    """The panel as it was first, its patch in the middle of the digit."""
    opened.problems.clear()
    opened.python("panel.restore(first)")
    middle(opened)
    return opened


def show(notebook):
    notebook.run(0)
    notebook.run(1)
    notebook.cell(1).locator(".cw-answer[data-seq]").wait_for()


def middle(notebook):
    notebook.wait_python("panel.wait() and panel.error is None and panel.result.exact", "True", seconds=60)
    notebook.python(MIDDLE)
    notebook.cell(1).get_by_text("on rows 18–26, columns 18–26").first.wait_for()


def canvases(opened):
    """The canvases of the picture, of the heat map and of the classes' map."""
    return [
        opened.cell(1).locator(f".{name} canvas.cw-canvas").nth(k)
        for name, k in (("cw-image", 0), ("cw-heat", 0), ("cw-heat", 1))
    ]


def place(canvas, row, column):
    """Where a pixel of the 64x64 picture lies on the canvas, in CSS pixels."""
    size = canvas.evaluate("(c) => c.clientWidth / 64")
    return {"x": (column + 0.5) * size, "y": (row + 0.5) * size}


def number(opened):
    return opened.cell(1).locator(".cw-number").inner_text()


def drag(opened, canvas, start, end):
    area = canvas.bounding_box()
    points = [place(canvas, *at) for at in (start, end)]
    (a, b) = [(area["x"] + p["x"], area["y"] + p["y"]) for p in points]
    opened.page.mouse.move(*a)
    opened.page.mouse.down()
    opened.page.mouse.move(*b, steps=6)
    opened.page.mouse.up()


def test_the_number_follows_the_patch_that_is_dragged(sliding):
    picture, *_ = canvases(sliding)
    picture.scroll_into_view_if_needed()
    drag(sliding, picture, (22, 22), (40, 30))
    sliding.wait_python("panel.y, panel.x", "40.0 30.0")
    exact = sliding.python(f"print({PERCENT}(panel.answer.value))")
    sliding.page.wait_for_function(
        "([e, n]) => e.innerText === n", arg=[sliding.cell(1).locator(".cw-number").element_handle(), exact]
    )
    sliding.page.locator(".cw-answer[data-exact=true]").wait_for()
    assert sliding.problems == []


def test_a_place_between_the_grids_is_computed_by_the_kernel(sliding):
    sliding.python("panel.y, panel.x = 23, 20")
    exact = sliding.python(f"print({PERCENT}(panel.answer.value))")
    sliding.page.locator(".cw-answer[data-exact=true]").wait_for()
    assert number(sliding) == exact
    assert "19–27" in sliding.cell(1).locator(".cw-image .cw-line").inner_text()


COVER = """(canvas) => {
    const [context, size] = [canvas.getContext('2d'), canvas.clientWidth / 64];
    return [...context.getImageData(31.5 * size, 22.5 * size, 1, 1).data].slice(0, 3); }"""
"""The color of the picture at row 22, column 31."""


def test_the_patch_is_drawn_in_its_new_size_when_the_slider_moves(sliding):
    picture, *_ = canvases(sliding)
    sliding.python("panel.y, panel.x = 22, 31")
    sliding.cell(1).get_by_text("on rows 18–26, columns 27–35").first.wait_for()
    cover = sliding.python(
        "print(panel.net.picture(panel.shown.session.cover, like=panel.shown.session.inputs)[22, 31].tolist())"
    )
    bare = sliding.python("print(panel.data()['picture'][22, 31].tolist())")
    assert cover != bare
    slider = sliding.cell(1).get_by_role("slider", name="patch")
    for size in (10, 11, 12):
        slider.press("ArrowRight")
        sliding.wait_python("panel.wait() and panel.error is None and panel.shown.patch", f"({size}, {size})", seconds=60)
        wanted = sliding.python("top, left, *_ = panel.picture.box\nprint(f'rows {top}–{top + panel.shown.patch[0] - 1}')")
        sliding.page.wait_for_function(
            "([e, t]) => e.innerText.includes(t)",
            arg=[sliding.cell(1).locator(".cw-image .cw-line").element_handle(), wanted],
        )
        assert str(picture.evaluate(COVER)) == cover, "the cover, and no empty frame"


def test_arrow_keys_move_the_patch_and_the_cell_stays_in_its_place(sliding):
    picture, *_ = canvases(sliding)
    picture.focus()
    before = sliding.python("print(panel.y, panel.x)").split()
    for key in ("ArrowDown", "ArrowRight", "Shift+ArrowRight"):
        picture.press(key)
    sliding.wait_python("panel.y, panel.x", f"{float(before[0]) + 3} {float(before[1]) + 4}")


def test_hovering_either_map_moves_the_patch(sliding):
    for canvas, row, column in zip(canvases(sliding)[1:], (13, 40), (40, 16), strict=True):
        canvas.scroll_into_view_if_needed()
        canvas.hover(position=place(canvas, row, column))
        sliding.wait_python("panel.y, panel.x", f"{float(row)} {float(column)}")
        i, j = (row - 4) // 3, (column - 4) // 3
        assert number(sliding) == sliding.python(f"print({PERCENT}(panel.result.values[{i}, {j}]))")


def test_a_region_that_is_drawn_is_computed_alone_and_escape_takes_it_away(sliding):
    _, heat, _ = canvases(sliding)
    heat.scroll_into_view_if_needed()
    drag(sliding, heat, (10, 10), (40, 50))
    sliding.wait_python("panel.region", "[10, 10, 31, 41]")
    sliding.wait_python("panel.wait() and panel.result.exact and panel.result.values.shape", "(11, 14)")
    heat.press("Escape")
    sliding.wait_python("panel.wait() and panel.region == [] and panel.result.values.shape", "(20, 20)")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("panel.stride = 0", "stride is 0"),
        ("panel.patch = 65", "The patch is 65×65 pixels, larger than the input of 64×64"),
        ("panel.target = 'cat'", "There is no class 'cat'"),
        ("panel.image = 5000", "The data set has no picture 5000"),
    ],
)
def test_bad_input_is_a_sentence_and_the_last_map_stays(sliding, change, sentence):
    before = number(sliding)
    sliding.python(change)
    strip = sliding.cell(1).locator(".cwp-status[data-kind=error] .cwp-told")
    strip.wait_for()
    assert strip.inner_text().startswith(sentence)
    assert number(sliding) == before
    assert sliding.python("print(panel.shown.exact)") == "True"


SIDEBAR = "() => window.jupyterapp.commands.execute('application:toggle-left-area')"


@pytest.mark.parametrize("width", [1280, 600])
def test_the_patch_the_number_and_the_list_are_in_sight_together_and_nothing_scrolls_sideways(sliding, width):
    sliding.page.set_viewport_size({"width": width, "height": 720})
    sliding.page.evaluate(SIDEBAR)
    try:
        cell = sliding.cell(1)
        is_wide = "([panel, width]) => panel.clientWidth > width - 200"  # it has the room of the sidebar
        sliding.page.wait_for_function(is_wide, arg=[cell.locator(".cwp").element_handle(), width])
        top = cell.locator(".cwp").bounding_box()["y"]
        for part in (".cw-image canvas", ".cw-number", ".cw-answers", *([".cw-heat canvas"] if width == 1280 else [])):
            box = cell.locator(part).first.bounding_box()
            assert box["y"] + box["height"] - top <= 530, part
        wide = "es => es.filter(e => e.scrollWidth > e.clientWidth).length"
        assert cell.locator(".cwp-view").evaluate_all(wide) == 0
        titles = cell.locator(".cw-title").evaluate_all("es => new Set(es.map(e => e.offsetHeight)).size")
        assert titles == 1, "titles of one height"
    finally:
        sliding.page.evaluate(SIDEBAR)
        sliding.page.set_viewport_size({"width": 1280, "height": 720})


def test_colors_are_stretched_over_what_is_there_and_say_so(sliding):
    heat = sliding.cell(1).locator(".cw-heat").first
    button = heat.get_by_role("button", name="what is there")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    heat.get_by_text("colors stretched").wait_for()
    ends = sliding.python(
        f"print({PERCENT}(panel.result.values.min()), {PERCENT}(panel.result.values.max()), sep='|')"
    ).split("|")
    assert heat.locator(".cw-ends > :is(:first-child, :last-child)").all_inner_texts() == ends
    sliding.wait_python("panel.colors", "there")


# with a kernel of their own: they come last, for they take the one that serves the others


def test_hovering_goes_on_when_the_kernel_is_gone(notebook):
    sliding = notebook(SCENES, PANEL)
    show(sliding)
    middle(sliding)
    wanted = sliding.python(f"print({PERCENT}(panel.result.values[6, 9]))")
    sliding.shut_down()
    _, heat, _ = canvases(sliding)
    heat.scroll_into_view_if_needed()
    heat.hover(position=place(heat, 22, 31))
    sliding.page.wait_for_function(
        "([e, n]) => e.innerText === n", arg=[sliding.cell(1).locator(".cw-number").element_handle(), wanted]
    )
    assert "rows 18–26, columns 27–35" in sliding.cell(1).locator(".cw-image .cw-line").inner_text()


def test_cancel_keeps_what_is_there(notebook):
    large = "net = cw.load('resnet18', weights=None)\npanel = cw.OcclusionSlider(net, 3, images=pictures, stride=2)\npanel"
    opened = notebook(SCENES, large)
    opened.run(0)
    opened.run(1)
    opened.cell(1).get_by_role("button", name="Cancel").click()
    message = opened.cell(1).locator(".cwp-told")
    opened.page.wait_for_function("(e) => e.innerText.startsWith('Cancelled')", arg=message.element_handle())
    known = int(opened.python("print(panel.shown.known.sum())"))
    assert f"{known:,} of 9,409 positions computed" in message.inner_text() or (
        known == 0 and "Computing 9,409 positions" in message.inner_text()
    )
    assert known < 9409
    assert opened.python("print(net.module.training, type(panel.error).__name__)").endswith("Cancelled")


def test_the_hint_fades_once_the_patch_has_been_moved_by_hand(notebook):
    opened = notebook(SCENES, PANEL)
    show(opened)
    hint = opened.cell(1).locator(".cw-hint")
    opened.wait_python("panel.wait() and panel.result.exact", "True", seconds=60)
    assert hint.inner_text() == "Drag the patch" and hint.evaluate("e => getComputedStyle(e).opacity") == "1"
    picture, *_ = canvases(opened)
    picture.focus()
    picture.press("ArrowDown")
    opened.page.wait_for_function("e => getComputedStyle(e).opacity === '0'", arg=hint.element_handle())
    opened.wait_python("panel.picture.hint == ''", "True")
