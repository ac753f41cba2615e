"""Memory of each notebook's kernel and what it starts, over that of a kernel that has imported torch and torchvision.

``python -m benchmarks.memory tour gradcam`` tells of some notebooks cell by cell.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient

from benchmarks.timing import Figure, figure

ROOT = Path(__file__).parents[1]
NOTEBOOKS = {
    path.stem: path for path in sorted((ROOT / "notebooks").rglob("*.ipynb")) if ".ipynb_checkpoints" not in path.parts
}
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
MOST = 500
"""Megabytes over the two imports that a notebook may take at its largest."""

IMPORTS = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import torch, torchvision")])


def figures() -> Iterator[Figure]:
    bare = max(peaks(IMPORTS, ROOT))
    yield figure("import torch, torchvision", bare, "MB")
    for name, path in NOTEBOOKS.items():
        found = peaks(nbformat.read(path, as_version=4), path.parent)
        yield figure(f"{name}, over these at its largest", max(found) - bare, "MB", most=MOST)


def peaks(notebook: nbformat.NotebookNode, folder: Path) -> list[float]:
    """Of each cell the largest resident memory while it ran, in MB."""
    client = NotebookClient(notebook, timeout=3600, allow_errors=True, resources={"metadata": {"path": str(folder)}})
    found = []
    with client.setup_kernel(env=ENVIRONMENT, stderr=subprocess.DEVNULL):
        kernel = psutil.Process(client.km.provisioner.pid)
        for index, cell in enumerate(notebook.cells):
            with watched(kernel) as sizes:
                client.execute_cell(cell, index)
            found.append(max(sizes) / 1e6)
    return found


@contextmanager
def watched(process: psutil.Process, every: float = 0.02) -> Iterator[list[int]]:
    """The resident memory of a process and its children in bytes, looked at over and over while the block runs."""
    sizes, over = [_size(process)], threading.Event()

    def look() -> None:
        while not over.wait(every):
            sizes.append(_size(process))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield sizes
    finally:
        over.set()
        thread.join()


def _size(process: psutil.Process) -> int:
    total = 0
    with suppress(psutil.NoSuchProcess):  # one has ended meanwhile
        for one in (process, *process.children(recursive=True)):
            total += one.memory_info().rss
    return total


def main(names: list[str]) -> None:
    """Each cell's largest memory over the two imports, beside its first line."""
    bare = max(peaks(IMPORTS, ROOT))
    for name in names:
        notebook = nbformat.read(NOTEBOOKS[name], as_version=4)
        found = peaks(notebook, NOTEBOOKS[name].parent)
        print(f"{name}: {max(found) - bare:.0f} MB over the two imports, which take {bare:.0f}", flush=True)
        for cell, size in zip(notebook.cells, found, strict=True):
            if cell.cell_type == "code":
                print(f"  {size - bare:6.0f}  {cell.source.splitlines()[-1][:90]}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or list(NOTEBOOKS))
