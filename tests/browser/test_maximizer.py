"""ActivationMaximizer, touched as a person touches it: an ascent paused, stepped, switched and resumed."""

import pytest
from playwright.sync_api import expect

from tests.browser.lab import SCENES

pytestmark = pytest.mark.browser


@pytest.fixture
def climbing(notebook):
    book = notebook(SCENES, "panel = cw.ActivationMaximizer(net, 'layer3', 17, steps=100_000)\npanel")
    book.run(0)
    book.run(1)
    book.cell(1).get_by_role("button", name="Pause").wait_for()
    yield book
    assert book.problems == []
    assert book.outside() == []


def test_an_ascent_is_paused_stepped_and_resumed(climbing):
    book, cell = climbing, climbing.cell(1)
    book.wait_python("panel._result.made > 5", "True")
    cell.get_by_role("button", name="Pause").click()
    cell.get_by_text("of 100,000").filter(visible=True).first.wait_for()
    cell.get_by_role("button", name="Play", exact=True).wait_for()
    made = int(book.python("print(panel.climb.made)"))
    book.page.wait_for_timeout(500)
    assert book.python("print(panel.climb.made)") == str(made)  # it rests
    picture = "canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"
    before = cell.locator(".cw-image canvas").evaluate(picture)
    cell.get_by_role("button", name="Step", exact=True).click()
    cell.get_by_text(f"at step {made + 1} of").wait_for()
    book.page.wait_for_timeout(300)
    after = cell.locator(".cw-image canvas").evaluate(picture)
    assert len(before) == len(after) and before != after
    cell.get_by_role("button", name="Play", exact=True).click()
    book.wait_python(f"panel._result.made > {made + 5}", "True")
    book.python("panel.cancel()")


def test_a_regularizer_is_switched_while_it_runs(climbing):
    book, cell = climbing, climbing.cell(1)
    blur = cell.get_by_label("blur", exact=True)
    expect(blur).not_to_be_checked()
    blur.check()
    book.wait_python("len(panel._result.switched)", "1")
    book.wait_python("panel._result.made > panel._result.switched[0] + 3", "True")
    assert book.python("print(panel._result.run)") == "1"  # it did not begin anew
    cell.locator("[data-control=preset] select").select_option(label="Simonyan 2013")
    book.wait_python("panel._result.run", "2")
    expect(blur).not_to_be_checked()
    expect(cell.get_by_role("checkbox", name="L2")).to_be_checked()
    cell.get_by_label("a class", exact=True).check()
    cell.get_by_text("Class 0").first.wait_for()
    book.python("panel.cancel()")
