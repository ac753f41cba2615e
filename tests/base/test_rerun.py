"""In a real kernel: a cell that runs again leaves nothing of its last run behind, and what is on the page goes on living."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel

ROOT = Path(__file__).parents[2]
SECONDS = 120

SETUP = """
import json, threading, weakref
import ipywidgets as w
import numpy as np
import psutil
from IPython.display import display
from ipywidgets.widgets.widget import _instances
import cnnwidgets as cw
from cnnwidgets.base import jobs, pool
from tests.base.tiny import Doubler

net, made = cw.load("digits"), weakref.WeakSet()

def panel(kind=cw.FilterGrid, *about, megabytes=0, **options):
    one = kind(*(about or (net,)), **options)
    one.wait()
    one.held = np.ones(megabytes * 2**17)
    made.add(one)
    return one

def is_open(one):
    return one.comm is not None and all(child.comm is not None for child in one.children)
"""

COUNT = """
import gc
gc.collect()
jobs.POOL.wait(20)
print(json.dumps([len(_instances), len(made), threading.active_count(), psutil.Process().memory_info().rss / 2**20]))
"""


class Kernel:
    """A kernel, and cells that run in it as JupyterLab runs them."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self.manager, self.client = start_new_kernel(env=environment)
        self._names = itertools.count()

    def run(self, code: str, cell: str | None = None) -> str:
        """What a cell prints; an exception in it is raised here. A cell of another name is another one of the notebook."""
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        content["stop_on_error"] = False
        about = {"cellId": cell or f"cell {next(self._names)}"}
        request = self.client.session.msg("execute_request", content, metadata=about)
        self.client.shell_channel.send(request)
        printed: list[str] = []
        failed = ""
        while True:
            message = self.client.get_iopub_msg(timeout=SECONDS)
            if message["parent_header"].get("msg_id") != request["header"]["msg_id"]:
                continue
            match message["msg_type"], message["content"]:
                case "stream", {"text": text}:
                    printed.append(text)
                case "error", {"traceback": traceback}:
                    failed = "\n".join(traceback)
                case "status", {"execution_state": "idle"}:
                    self.client.get_shell_msg(timeout=SECONDS)
                    assert not failed, failed
                    return "".join(printed)

    def says(self, expression: str):
        return json.loads(self.run(f"print(json.dumps({expression}))"))

    def settle(self) -> None:
        """Wait until threads that have nothing to do have ended."""
        self.run("threading.Event().wait(pool.LINGER + 0.5)")

    def count(self) -> list[float]:
        return json.loads(self.run(COUNT))


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    kernel = Kernel()
    kernel.run(SETUP)
    yield kernel
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel(now=True)


@pytest.fixture(autouse=True)
def names_forgotten(kernel):
    yield
    kernel.run("[one.close() for one in [*made]]; made.clear(); p = q = box = out = None")


CELLS = {
    "a name, then shown": "p = panel(megabytes=12)\np",
    "shown alone": "panel(megabytes=12)",
    "displayed": "p = panel(megabytes=12)\ndisplay(p)",
    "two displayed": "for _ in range(2):\n    display(panel(megabytes=6))",
    "never shown": "p = panel(megabytes=12)",
    "one that computes": "p = panel(cw.TrainingRace, [{'kind': 'cosine'}], steps=1, megabytes=12)\np.steps = 200\np",
    "one in which another computes": "p = panel(cw.SchedulePlayground, None, steps=200, megabytes=12)\np.train()\np",
}


@pytest.mark.parametrize("runs", [8, pytest.param(50, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("cell", CELLS)
def test_many_runs_of_a_cell_leave_what_one_leaves(kernel, cell, runs):
    for _ in range(8 if "computes" in cell else 2):  # torch keeps some of what first trainings take
        kernel.run(CELLS[cell], cell)
    kernel.settle()
    before = kernel.count()
    for _ in range(6 if "computes" in cell and runs < 50 else runs):
        kernel.run(CELLS[cell], cell)
    kernel.settle()
    widgets, panels, threads, megabytes = kernel.count()
    assert [widgets, panels] == before[:2]
    assert threads <= before[2] + 1
    assert megabytes - before[3] < 20  # of at least 72 that the panels held


def test_the_panel_on_the_page_is_open_and_the_one_before_is_closed(kernel):
    kernel.run("p = panel(); p", "one")
    kernel.run("first = weakref.ref(p)")
    kernel.run("p = panel(); p", "one")
    assert kernel.says("[first() is None, is_open(p)]") == [True, True]
    kernel.run("p.layer = 'conv2'")
    assert kernel.says("len(p.result.values)") == 16


def test_a_panel_that_another_cell_shows_stays_open(kernel):
    kernel.run("p = q = panel()", "makes")
    kernel.run("p", "shows")
    kernel.run("p = panel()", "makes")
    assert kernel.says("[is_open(q), is_open(p)]") == [True, True]
    kernel.run("p", "shows")
    assert kernel.says("[is_open(q), is_open(p)]") == [False, True]


def test_a_panel_that_the_same_cell_shows_again_stays_open(kernel):
    kernel.run("p = panel()", "makes")
    for _ in range(3):
        kernel.run("p", "shows")
        assert kernel.says("is_open(p)")


def test_other_cells_that_run_close_nothing(kernel):
    kernel.run("panel()", "shows")
    for _ in range(3):
        kernel.run("1 + 1", "other")
    assert kernel.says("[is_open(one) for one in made]") == [True]


def test_a_closed_panel_that_somebody_still_has_works_and_is_shown_again(kernel):
    kernel.run("p = panel(Doubler, None); p", "one")
    kernel.run("q = p; p = panel(Doubler, None); p", "one")
    assert kernel.says("[is_open(q), is_open(p)]") == [False, True]
    kernel.run("q.number = 4")
    assert kernel.says("q.result") == 8
    kernel.run("q", "two")
    assert kernel.says("[is_open(q), q.result, q.get_state('number')['number']]") == [True, 8, 4]
    kernel.run("q.set_state({'number': 6})")
    assert kernel.says("q.result") == 12


def test_a_panel_in_somebodys_box_stays_open(kernel):
    kernel.run("p = panel()", "makes")
    kernel.run("box = w.VBox([p, w.IntSlider()]); box", "shows")
    kernel.run("q, p = p, panel()", "makes")
    assert kernel.says("is_open(q)")
    kernel.run("box.close()")


def test_a_panel_in_an_output_widget_stays_open(kernel):
    kernel.run("out = w.Output(); out", "shows")
    kernel.run("with out:\n    q = panel()\n    display(q)", "fills")
    kernel.run("1", "fills")
    assert kernel.says("is_open(q)")


def test_a_cell_that_fails_when_it_runs_again_closes_what_it_showed(kernel):
    kernel.run("panel()", "one")
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        kernel.run("1 / 0", "one")
    assert kernel.says("[is_open(one) for one in made]") == []


def test_a_closed_panel_is_linked_to_nothing(kernel):
    kernel.run("q = panel()", "keeps")
    kernel.run("p = panel(); cw.link(q, p); p", "one")
    kernel.run("first = weakref.ref(p)")
    kernel.run("p = panel(); cw.link(q, p); p", "one")
    kernel.run("q.layer = 'conv2'")
    assert kernel.says("[first() is None, p.layer, len(q.links)]") == [True, "conv2", 1]


def test_a_front_end_that_does_not_say_which_cell_runs_loses_nothing(kernel):
    kernel.client.execute("p = panel(); p")
    kernel.client.execute("q = p; p = panel(); p")
    assert kernel.says("[is_open(q), is_open(p)]") == [True, True]
