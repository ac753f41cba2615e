"""EarlyStopping, touched as a person touches it, and without a kernel."""

import pytest

import cnnwidgets as cw

pytestmark = pytest.mark.browser

LOSSES = [1.0, 0.6, 0.5, 0.52, 0.51, 0.55, 0.4, 0.45]


def test_patience_is_slid_and_the_status_line_says_where_it_stops(notebook):
    book = notebook("import cnnwidgets as cw", f"panel = cw.EarlyStopping({LOSSES}, patience=2)\npanel")
    book.run(0)
    book.run(1)
    book.cell(1).get_by_text("stops here").wait_for()
    patience = book.cell(1).get_by_role("slider", name="patience")
    assert (patience.get_attribute("min"), patience.get_attribute("max")) == ("0", "7")
    patience.press("End")
    book.cell(1).get_by_text("Never stops within these 8 epochs").wait_for()
    book.cell(1).get_by_text("stops here").wait_for(state="detached")
    book.wait_python("panel.patience", "8")
    assert book.problems == []


def test_a_page_says_that_its_controls_need_a_kernel(page, tmp_path):
    cw.EarlyStopping(LOSSES, patience=2).to_html(tmp_path / "panel.html")
    page.goto((tmp_path / "panel.html").as_uri())
    page.get_by_text("stops here").wait_for()
    assert page.get_by_role("slider", name="patience").is_disabled()
    page.get_by_text("No kernel is running").wait_for()
