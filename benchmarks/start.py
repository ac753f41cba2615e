"""What a fresh process pays: seconds to ``import cnnwidgets``, and the memory of the tour's kernel."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient

from benchmarks.timing import Figure, figure, in_turn

ROOT = Path(__file__).parents[1]
TOUR = ROOT / "notebooks" / "tour.ipynb"
HEAVY = ("torch", "umap", "sklearn")
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


def figures() -> Iterator[Figure]:
    yield from importing()
    yield from memory()


def importing() -> Iterator[Figure]:
    """``import cnnwidgets`` in a fresh process, and what it drags in."""
    codes = {
        "an empty Python process": "pass",
        "import cnnwidgets": "import cnnwidgets",
        "import cnnwidgets, and bind and a panel used": "import cnnwidgets as cw; cw.bind, cw.FeatureMapBrowser",
        "import torch": "import torch",
    }
    times = in_turn({name: partial(_python, code) for name, code in codes.items()}, rounds=7)
    empty = times["an empty Python process"]
    for name, seconds in times.items():
        yield figure(f"{name}, the process included", seconds, "s", most=0.3 if name == "import cnnwidgets" else None)
    yield figure("import cnnwidgets, over an empty process", times["import cnnwidgets"] - empty, "s", most=0.3)
    found = _python(f"import sys, cnnwidgets; print(*(name for name in {HEAVY} if name in sys.modules))")
    yield Figure("imported with it", f"none of {', '.join(HEAVY)}", found or "none", not found)


def memory() -> Iterator[Figure]:
    """Resident memory of a kernel that runs the tour."""
    notebook = nbformat.read(TOUR, as_version=4)
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(TOUR.parent)}})
    with client.setup_kernel(env=ENVIRONMENT, stderr=subprocess.DEVNULL):
        kernel = psutil.Process(client.km.provisioner.pid)
        with watched(kernel) as sizes:
            for index, cell in enumerate(notebook.cells):
                client.execute_cell(cell, index)
    gigabytes = [size / 1e9 for size in sizes]
    yield figure("memory of the tour's kernel, at its largest", max(gigabytes), "GB", most=1.3)
    yield figure("memory of the tour's kernel, at the end", gigabytes[-1], "GB")


@contextmanager
def watched(process: psutil.Process, every: float = 0.02) -> Iterator[list[int]]:
    """The resident memory of a process in bytes, looked at over and over while the block runs."""
    sizes, over = [process.memory_info().rss], threading.Event()

    def look() -> None:
        while not over.wait(every):
            sizes.append(process.memory_info().rss)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield sizes
    finally:
        over.set()
        thread.join()


def _python(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=ENVIRONMENT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
