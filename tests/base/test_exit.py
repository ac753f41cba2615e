"""A script ends when its last line has run, whatever its panels compute: no thread is waited for, and none breaks."""

from __future__ import annotations

import subprocess
import sys

import pytest

BEGINNING = """
import time
import torch
import cnnwidgets as cw
from cnnwidgets.base.jobs import POOL
"""

MAKES = {
    "TrainingRace": """
panel = cw.TrainingRace(specs=[{"kind": "constant", "lr": 0.02}, {"kind": "cosine", "lr": 0.02}], steps=4000)""",
    "TrainingRace on an executor": """
from concurrent.futures import ThreadPoolExecutor
specs = [{"kind": "constant", "lr": 0.02}, {"kind": "cosine", "lr": 0.02}]
panel = cw.TrainingRace(specs=specs, steps=4000, executor=ThreadPoolExecutor(2))""",
    "SaliencyPanel": 'panel = cw.SaliencyPanel(cw.load("scenes"), cw.samples.scenes(), methods=["rise", "lime"])',
    "EmbeddingExplorer": """
panel = cw.EmbeddingExplorer(cw.load("digits"), cw.samples.digits(), limit=1500, method="umap", n_epochs=50_000)""",
    "LRFinder": 'panel = cw.LRFinder("digits", steps=10_000)',
    "OcclusionSlider": 'panel = cw.OcclusionSlider(cw.load("scenes"), cw.samples.scenes(), patch=5, stride=1)',
    "a computation that hears no cancel": """
class Deaf(cw.FilterGrid):
    def compute(self, state, job):
        while True:
            torch.ones(200, 200) @ torch.ones(200, 200)

panel = Deaf(cw.load("digits"))""",
    "a computation that sleeps": """
class Asleep(cw.FilterGrid):
    def compute(self, state, job):
        time.sleep(1000)

panel = Asleep(cw.load("digits"))""",
    "a computation inside torch": """
class Large(cw.FilterGrid):
    def compute(self, state, job):
        while not job.is_set():
            torch.linalg.svd(torch.rand(700, 700))

panel = Large(cw.load("digits"))""",
}

BUSY = """
end = time.monotonic() + 60
while not (POOL.busy and panel.status.kind == "busy") and time.monotonic() < end:
    time.sleep(0.01)
assert POOL.busy
"""

ENDS = {
    "the last line": "",
    "sys.exit": "import sys; sys.exit(3)",
    "an exception": 'raise SystemExit("the student gave up")',
}


def run(*lines: str, seconds: float = 100) -> subprocess.CompletedProcess:
    code = "\n".join(lines)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=seconds)


@pytest.mark.parametrize("make", MAKES)
def test_a_script_with_an_unfinished_panel_ends(make):
    ended = run(BEGINNING, MAKES[make], BUSY, 'print("the last line")')
    assert (ended.returncode, ended.stdout.split("\n")[-2], ended.stderr) == (0, "the last line", "")


@pytest.mark.parametrize(("end", "code", "said"), [("sys.exit", 3, ""), ("an exception", 1, "the student gave up\n")])
def test_its_exit_code_is_its_own(end, code, said):
    ended = run(BEGINNING, MAKES["LRFinder"], BUSY, ENDS[end])
    assert (ended.returncode, ended.stderr) == (code, said)


def test_a_script_whose_panels_are_done_ends():
    ended = run(BEGINNING, 'panel = cw.FilterGrid(cw.load("digits"))', "panel.wait()", "panel.layer = 'conv2'")
    assert (ended.returncode, ended.stderr) == (0, "")


def test_what_is_asked_for_at_the_end_is_not_computed_and_breaks_nothing():
    late = "import atexit; atexit.register(lambda: (setattr(panel, 'layer', 'conv2'), print(panel.wait(5))))"
    ended = run(BEGINNING, 'panel = cw.FilterGrid(cw.load("digits"))', "panel.wait()", late)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "True\n", "")


def test_a_test_run_ends(tmp_path):
    file = tmp_path / "test_homework.py"
    lines = [*BEGINNING.strip().split("\n"), "def test_homework():", "    global panel", f"    {MAKES['SaliencyPanel']}"]
    file.write_text("\n".join(lines))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "1 passed" in ended.stdout


def test_ipython_ends(tmp_path):
    file = tmp_path / "homework.ipy"
    file.write_text(BEGINNING + MAKES["OcclusionSlider"] + BUSY)
    ended = subprocess.run([sys.executable, "-m", "IPython", str(file)], capture_output=True, text=True, timeout=100)
    assert (ended.returncode, ended.stderr) == (0, "")
