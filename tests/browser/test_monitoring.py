"""A training watched while its cell runs, a sick run named and repaired, a race stopped for its leader's network."""

import pytest

pytestmark = pytest.mark.browser

LOOP = """
import torch, torch.nn.functional as F
task = cw.methods.task("digits")
model = task.start()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
going = True
with cw.monitor(model, task.loader, optimizer) as m:
    while going and m.record.steps < 1500:
        for images, labels in task.loader:
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        import pathlib
        going = not pathlib.Path("stop").exists()
"""

BEGIN = """() => {
    window.jupyterapp.shell.currentWidget.content.activeCellIndex = 1;
    window.jupyterapp.commands.execute('notebook:run-cell');
}"""
"""Runs the second cell, and does not wait for its end."""


def test_a_loop_is_drawn_while_its_cell_runs(notebook, lab):
    book = notebook("import cnnwidgets as cw", LOOP)
    book.run(0)
    book.page.evaluate(BEGIN)
    cell = book.cell(1)
    steps = "() => document.querySelector('.cw-plot')?._fullData?.[0]?.x.length ?? 0"
    book.page.wait_for_function(f"({steps})() > 20")
    before = book.page.evaluate(steps)
    book.page.wait_for_function(f"({steps})() > {before}")
    cell.locator(".cwp-status[data-kind=busy]").wait_for()
    (lab.folder / "stop").touch()
    cell.locator(".cwp-status[data-kind=ready]").wait_for()
    book.wait_python("len(m.result.record.history.loss) == m.record.steps > 20", "True")
    cell.get_by_text("Nothing wrong was found").first.wait_for()
    (lab.folder / "stop").unlink()
    assert book.problems == []
    assert book.outside() == []


def test_a_sick_run_is_named_its_finding_opened_and_repaired(notebook):
    book = notebook("import cnnwidgets as cw", "panel = cw.SickRuns('B')\npanel")
    book.run(0)
    book.run(1)
    cell = book.cell(1)
    cell.get_by_text("What is wrong with this training?").wait_for()
    assert cell.locator(".cw-findings-head").count() == 0
    cell.locator("[data-control=guess] select").select_option(label="rate too low")
    cell.get_by_text("Right: rate too low.").wait_for()
    heads = cell.locator(".cw-findings-head")
    assert heads.nth(0).get_attribute("aria-expanded") == "true"
    heads.nth(1).press("Enter")
    cell.locator(".cw-findings-head[aria-expanded=true]", has_text="plateau").wait_for()
    book.wait_python("(panel.findings.selected, panel.guesses)", "(1, {'B': 'rate too low'})")
    cell.get_by_role("button", name="Repair it").click()
    cell.get_by_text("healed").first.wait_for()
    cell.get_by_role("button", name="Use the leader").click()
    book.wait_python("panel.race.trained is not None and panel.race.trained.classes[7]", "7")
    cell.get_by_text('panel.trained is "').first.wait_for()
    assert book.problems == []
