"""OptimizerRace, touched as a person touches it: the start dragged, the steps played."""

import pytest

pytestmark = pytest.mark.browser


def test_the_start_is_dragged_and_the_steps_are_played(notebook):
    book = notebook("import cnnwidgets as cw", "panel = cw.OptimizerRace(steps=60, optimizers=['SGD', 'momentum'])\npanel")
    page = book.page
    book.run(0)
    book.run(1)
    book.wait_python("len(panel.result.each)", "2")
    start = book.cell(1).locator(".cw-knot")
    start.wait_for()
    assert start.get_attribute("aria-label") == "start (drag) 1"
    box = start.bounding_box()
    at = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*at)
    page.mouse.down()
    page.mouse.move(at[0] + 80, at[1] + 30, steps=5)
    page.mouse.up()
    book.wait_python("panel.start[0] > -4 and panel.start[1] < 0.8", "True")
    book.wait_python("panel.result.each[0].path[0].tolist() == panel.start", "True")
    start.press("ArrowLeft")
    book.wait_python("panel.start[0] < panel.chart.dragged[2] + 1e-9", "True")
    book.python("marks = []; panel.chart.observe(lambda change: marks.append(change.new), 'marked')")
    book.cell(1).get_by_role("button", name="Play").click()
    book.wait_python("len(marks) > 5 and marks[-1] == panel.chart.marked == panel.step", "True")
    assert book.problems == []
    assert book.outside() == []
