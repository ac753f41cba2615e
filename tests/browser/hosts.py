"""The other hosts of a panel: Notebook 7, marimo, and a page without a kernel. JupyterLab is in ``lab.py``."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

from tests.browser.lab import LONG, Lab

APP = """import marimo

app = marimo.App()


@app.cell
def _():
{code}
    return
"""


class Marimo:
    """A marimo app of one cell, served."""

    def __init__(self, folder: Path, code: str):
        file = folder / "app.py"
        file.write_text(APP.format(code="\n".join(f"    {line}" for line in code.splitlines())), "utf-8")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        self.log = (folder / "marimo.log").open("w")
        command = [sys.executable, "-m", "marimo", "run", str(file), "--headless", "--no-token", "--port", str(port)]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "XDG_CONFIG_HOME": str(folder)}
        self.process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True
        )
        for _ in range(400):
            with suppress(OSError):
                urllib.request.urlopen(self.address, timeout=10).close()
                return
            time.sleep(0.25)
        raise TimeoutError(f"marimo did not start; see {self.log.name}")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        self.log.close()


def open_classic(page, lab: Lab, name: str) -> None:
    """Open a notebook in Notebook 7, and run all its cells."""
    page.goto(f"{lab.base}/notebooks/{name}?token={lab.token}")
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=LONG)
    page.wait_for_function(
        "() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
    )
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
