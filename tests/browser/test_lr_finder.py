"""LRFinder, touched as a person touches it: the marker moved, the range changed."""

import pytest

pytestmark = pytest.mark.browser


def test_the_marker_goes_where_a_key_moves_it_and_stays_there_when_the_curve_is_new(notebook):
    book = notebook("import cnnwidgets as cw", "panel = cw.LRFinder(steps=12, rate=0.05)\npanel")
    book.run(0)
    book.run(1)
    book.wait_python("panel.result.ended", "All 12 steps ran.")
    marker = book.cell(1).locator(".cw-rule")
    marker.wait_for()
    marker.press("Shift+ArrowRight")
    book.wait_python("panel.rate > 0.05", "True")
    rate = book.python("print(panel.rate)")
    book.wait_python("panel.chart.line == panel.rate and panel.chart.line_label in panel.status.message", "True")
    steps = book.cell(1).locator("[data-control=steps] input")
    steps.fill("14")
    steps.press("Enter")
    book.wait_python("len(panel.result.lr)", "14")
    assert (book.python("print(panel.rate)"), float(marker.get_attribute("aria-valuenow"))) == (rate, float(rate))
    assert book.problems == []
    assert book.outside() == []
