"""BackwardRules, touched as a person touches it: numbers typed, stages stepped through, cells pointed at."""

import pytest

import cnnwidgets as cw

pytestmark = pytest.mark.browser

IMPORT = "import cnnwidgets as cw"
SHOW = "panel = cw.BackwardRules({})\npanel"


@pytest.fixture
def relu(notebook):
    return opened(notebook, "step=None")


def opened(notebook, options):
    book = notebook(IMPORT, SHOW.format(options))
    book.run(0)
    book.run(1)
    book.cell(1).locator(".cw-number-tables[data-seq]").wait_for()
    return book


def face(book, table, number):
    """What of a cell takes the focus."""
    return book.page.locator(f'table[data-name="{table}"] td > :first-child').nth(number)


def texts(page, table):
    """A table's numbers as they are read on the screen."""
    cells = page.locator(f'table[data-name="{table}"] td > :first-child')
    return cells.evaluate_all("(cells) => cells.map((cell) => cell.value ?? cell.textContent)")


def wait_text(page, table, number, text):
    page.wait_for_function(
        """([table, number, text]) => {
            const cell = document.querySelectorAll(`table[data-name="${table}"] td > :first-child`)[number];
            return (cell.value ?? cell.textContent) === text; }""",
        arg=[table, number, text],
    )


def framed(page, kind):
    """The cells that have a frame, as (table, number)."""
    return page.locator(f"td.cw-{kind}").evaluate_all(
        """(cells) => cells.map((cell) => { const table = cell.closest("table");
            return [table.dataset.name, [...table.querySelectorAll("td")].indexOf(cell)]; })"""
    )


def shown(page):
    """The tables that have numbers."""
    return page.locator("table[data-name]:not(.cw-later)").evaluate_all("(all) => all.map((one) => one.dataset.name)")


def test_a_number_is_typed_and_all_others_follow(relu):
    page = relu.page
    face(relu, "input", 1).click()
    page.keyboard.type("4")
    page.keyboard.press("Enter")
    wait_text(page, "output", 1, "4")
    assert texts(page, "backpropagation") == ["−2", "3", "−1", "6", "0", "0", "0", "−1", "3"]
    assert texts(page, "guided") == ["0", "3", "0", "6", "0", "0", "0", "0", "3"]
    relu.wait_python("panel.input[0]", "[1.0, 4.0, 5.0]")
    relu.cell(1).get_by_role("button", name="Back to the lecture's numbers").click()
    wait_text(page, "output", 1, "0")
    assert texts(page, "input")[:3] == ["1", "−1", "5"]
    assert relu.problems == []
    assert relu.outside() == []


def test_nonsense_is_refused_and_the_old_number_comes_back(relu):
    page = relu.page
    face(relu, "above", 3).click()
    page.keyboard.type("<img src=x>")
    page.keyboard.press("Tab")
    page.get_by_text("“<img src=x>” is not a number that can be used here: 6 stays.").wait_for()
    wait_text(page, "above", 3, "6")
    assert page.locator(".cwp-status img").count() == 0
    assert relu.problems == []


def test_keys_alone_move_and_edit(relu):
    page = relu.page
    face(relu, "input", 0).focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    assert framed(page, "here") == [["input", 5]]
    page.keyboard.press("Enter")
    page.keyboard.type("8")
    page.keyboard.press("Escape")
    wait_text(page, "input", 5, "−7")
    page.keyboard.type("-2.5")
    page.keyboard.press("Enter")
    wait_text(page, "input", 5, "−2.5")
    assert framed(page, "here") == [["input", 5]], "the focus stays where it was"
    relu.wait_python("panel.input[1][2]", "-2.5")
    face(relu, "guided", 0).focus()
    page.keyboard.type("xmb")
    assert page.locator(".jp-Notebook .jp-Cell").count() == 2, "no key went to the notebook"
    assert relu.problems == []


def test_the_stages_come_one_after_the_other_with_a_sentence(notebook):
    book = opened(notebook, "")
    page = book.page
    assert shown(page) == ["input"]
    assert "".join(texts(page, "deconvnet")) == ""
    for _ in range(4):
        page.get_by_role("button", name="Next").click()
    page.get_by_text("Deconvnet keeps positive gradients, whatever the input was.").wait_for()
    assert shown(page) == ["input", "output", "above", "backpropagation", "deconvnet"]
    book.wait_python("panel.step", "4")
    face(book, "deconvnet", 1).focus()
    page.keyboard.press("PageUp")
    page.wait_for_selector('table[data-name="deconvnet"].cw-later')
    book.wait_python("panel.step", "3")
    book.python("panel.step = None")
    page.wait_for_selector('table[data-name="guided"]:not(.cw-later)')
    assert book.problems == []


def test_pointing_at_a_cell_frames_what_it_comes_from_and_says_the_arithmetic(notebook):
    book = opened(notebook, "'network', step=None")
    page = book.page
    face(book, "guided", 0).hover()
    page.get_by_text("guided: gradient 2 > 0 and input 3 > 0, so 2 passes").wait_for()
    assert framed(page, "from") == [["convolution", 0], ["from above", 0]]
    face(book, "convolution", 3).hover()
    page.get_by_text("convolution: 0·1 + 2·0 + 1·(−1)").wait_for()
    window = [["input", cell] for cell in (5, 6, 7, 9, 10, 11, 13, 14, 15)]
    assert framed(page, "from") == window + [["weights", cell] for cell in range(9)]
    face(book, "deconvnet at the input", 5).hover()
    page.get_by_text("at the input: 2·0 + 3·2 + 0·0 + 0·1 = 6").wait_for()
    assert page.locator('table[data-name="guided"] td.cw-zeroed').count() == 3
    assert book.problems == []


def test_stepping_and_pointing_go_on_without_a_kernel(relu):
    page = relu.page
    relu.shut_down()
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_selector('table[data-name="output"].cw-later')
    page.get_by_role("button", name="Next").click()
    page.wait_for_selector('table[data-name="output"]:not(.cw-later)')
    face(relu, "output", 1).hover()
    page.get_by_text("ReLU: −1 is not above 0, so it becomes 0").wait_for()


def test_the_page_steps_and_says_but_takes_no_numbers(page, tmp_path):
    cw.BackwardRules("network", step=None).to_html(tmp_path / "rules.html")
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto((tmp_path / "rules.html").as_uri())
    page.wait_for_selector(".cw-number-tables[data-seq]")
    assert page.locator("table input").count() == 0
    for _ in range(2):
        page.get_by_role("button", name="Back").click()
    assert "guided" not in shown(page)
    assert shown(page)[-1] == "deconvnet"
    page.get_by_role("slider").fill("8")
    page.locator('table[data-name="guided at the input"] td').nth(4).hover()
    page.get_by_text("at the input: 2·2 + 0·1 = 4").wait_for()
    assert problems == []


def test_no_table_is_wider_than_a_narrow_page(page, tmp_path):
    cw.BackwardRules("network", step=None).to_html(tmp_path / "rules.html")
    for width in (360, 500, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto((tmp_path / "rules.html").as_uri())
        page.wait_for_selector(".cw-number-tables[data-seq]")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
