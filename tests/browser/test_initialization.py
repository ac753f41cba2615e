"""InitLab and GradientCheck, touched as a person touches them."""

import pytest

pytestmark = pytest.mark.browser


def test_another_scheme_and_a_training_change_the_finding(notebook):
    book = notebook("import cnnwidgets as cw", "panel = cw.InitLab(steps=10)\npanel")
    book.run(0)
    book.run(1)
    cell = book.cell(1)
    cell.get_by_text("The signal dies: its deviation falls from").wait_for()
    cell.get_by_role("combobox", name="weights").select_option("Xavier")
    cell.get_by_text("The signal lives: its deviation is").wait_for()
    cell.get_by_role("checkbox", name="residuals").check()
    book.wait_python("panel.residual", "True")
    cell.get_by_role("radio", name="after").click()
    cell.get_by_text("After 10 steps the loss is").wait_for()
    book.wait_python("(panel.init, panel.moment, panel.result.after is None)", "('xavier', 'after', False)")
    assert book.problems == []


def test_another_parameter_is_checked(notebook):
    book = notebook("import cnnwidgets as cw", "panel = cw.GradientCheck(of='fc3.bias', pictures=1)\npanel")
    book.run(0)
    book.run(1)
    cell = book.cell(1)
    cell.get_by_text("The gradient of fc3.bias is right: it is off by").wait_for()
    cell.get_by_role("combobox", name="gradient by").select_option("fc3.weight")
    cell.get_by_text("The gradient of fc3.weight is right: it is off by").wait_for()
    assert book.problems == []
