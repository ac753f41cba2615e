"""HyperparameterSearch, touched as a person touches it: a point, a box by mouse and by keys, a search in it and back."""

import pytest

pytestmark = pytest.mark.browser

PLACES = """() => {
  const plot = document.querySelector('.cw-chart .cw-plot');
  const box = plot.getBoundingClientRect(), { xaxis, yaxis } = plot._fullLayout;
  const [x0, y0] = [box.left + xaxis._offset, box.top + yaxis._offset];
  const points = plot._fullData.filter((trace) => trace.hoverinfo !== 'skip').flatMap((trace) => [...trace.x].map((x, k) =>
    [x0 + xaxis.d2p(x), y0 + yaxis.d2p(trace.y[k])]));
  return { points, area: [x0, y0, xaxis._length, yaxis._length] };
}"""
TO_DATA = """([left, top]) => {
  const plot = document.querySelector('.cw-chart .cw-plot');
  const box = plot.getBoundingClientRect(), { xaxis, yaxis } = plot._fullLayout;
  return [xaxis.p2d(left - box.left - xaxis._offset), yaxis.p2d(top - box.top - yaxis._offset)];
}"""


def test_a_box_is_searched_and_a_click_looks_at_a_trial(notebook):
    book = notebook("import cnnwidgets as cw", "panel = cw.HyperparameterSearch('digits', runs=4, steps=1, seed=1)\npanel")
    page = book.page
    book.run(0)
    book.run(1)
    book.wait_python("len(panel.result.trials)", "4")
    page.wait_for_function("() => document.querySelectorAll('.cw-chart[data-seq]').length === 3")
    page.wait_for_function("() => document.querySelector('.cw-plot')._fullData.some((trace) => trace.name === 'best')")

    places = page.evaluate(PLACES)
    page.mouse.click(*places["points"][0])
    book.wait_python("panel.trial >= 0", "True")
    assert book.python("print(panel.chart.box)") == "[]"  # a click is no box

    left, top, width, height = places["area"]
    corners = [left + 0.2 * width, top + 0.3 * height], [left + 0.8 * width, top + 0.9 * height]
    (x0, y1), (x1, y0) = (page.evaluate(TO_DATA, corner) for corner in corners)
    page.mouse.move(*corners[0])
    page.mouse.down()
    page.mouse.move(*corners[1], steps=8)
    page.mouse.up()
    book.wait_python("len(panel.box)", "4")
    drawn = eval(book.python("print(panel.box)"))
    assert drawn == pytest.approx([x0, y0, x1, y1], rel=0.05)

    frame = book.cell(1).locator(".cw-frame.cw-drawn")
    assert "Box: rate" in frame.get_attribute("aria-label")
    frame.press("ArrowLeft")
    book.wait_python(f"panel.box[0] < {drawn[0]} and panel.box[2] < {drawn[2]}", "True")
    moved = eval(book.python("print(panel.box)"))
    frame.press("Shift+ArrowRight")
    book.wait_python(f"panel.box[0] == {moved[0]} and panel.box[2] > {moved[2]}", "True")
    box = eval(book.python("print(panel.box)"))

    book.cell(1).get_by_role("button", name="Search here").click()
    book.wait_python("[len(panel.boxes), panel.box]", "[1, []]")
    inside = f"all({box[0] * (1 - 1e-9)!r} <= lr <= {box[2] * (1 + 1e-9)!r} for lr in panel.data()['lr'])"
    book.wait_python(inside, "True")
    book.wait_python("len(panel.result.trials)", "4")
    book.cell(1).get_by_role("button", name="Back").click()
    book.wait_python("panel.boxes", "[]")
    book.wait_python("len(panel.result.trials)", "4")

    frame = book.cell(1).locator(".cw-frame").first
    frame.press("Enter")
    book.wait_python("len(panel.box)", "4")
    frame.press("Delete")
    book.wait_python("panel.box", "[]")
    assert book.problems == []
    assert book.outside() == []
