"""A real JupyterLab in a real Chromium, driven by Playwright."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat

CHROMIUM = os.environ.get("CNNW_CHROMIUM", "/usr/bin/chromium")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync --use-fake-device-for-media-stream"
).split()
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "docmanager-extension/plugin": {"autosave": False},
}
SCENES = "import cnnwidgets as cw\nnet = cw.load('scenes')\npictures = cw.samples.scenes()"
"""A cell that begins many notebooks."""

LONG = 120_000


def browser_path(playwright) -> str | None:
    """Playwright's own Chromium where it was downloaded, else the system's; None if there is neither."""
    own = playwright.chromium.executable_path
    return next((path for path in (CHROMIUM, own, shutil.which("chromium")) if path and Path(path).exists()), None)


SCREEN = {"width": 1280, "height": 2200}


@contextlib.contextmanager
def new_page(chromium):
    """A page of its own, tall enough to need no scrolling."""
    context = chromium.new_context(viewport=SCREEN, device_scale_factor=1)
    page = context.new_page()
    page.set_default_timeout(LONG)
    yield page
    context.close()


class Lab:
    """A Jupyter server of its own: no setting of the developer's leaks in, and all its kernels end with it."""

    def __init__(self, folder: Path, settings: dict | None = None):
        self.folder, self.token = folder / "notebooks", secrets.token_hex(16)
        self.folder.mkdir(parents=True, exist_ok=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{self.port}"
        names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR")
        homes = {name: str(folder / name.lower()) for name in (*names, "JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR")}
        for name, content in (SETTINGS | (settings or {})).items():
            file = Path(homes["JUPYTERLAB_SETTINGS_DIR"], "@jupyterlab", f"{name}.jupyterlab-settings")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(content))
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self.log = (folder / "lab.log").open("w")
        options = {
            "ServerApp.port": self.port, "ServerApp.port_retries": 0, "ServerApp.ip": "127.0.0.1",
            "IdentityProvider.token": self.token, "ServerApp.root_dir": self.folder, "ServerApp.open_browser": False,
            "ServerApp.allow_root": True, "LabApp.expose_app_in_browser": True,
            "JupyterNotebookApp.expose_app_in_browser": True, "LabApp.news_url": None,
            "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate", "LabApp.extension_manager": "readonly",
        }  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyter", "lab", *(f"--{key}={value}" for key, value in options.items())],
            env=os.environ | homes | {"PATH": path, "PYTHONPATH": str(Path(__file__).parents[2])},
            stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self._wait()

    def _wait(self) -> None:
        for _ in range(400):
            with contextlib.suppress(OSError):
                self.ask("status")
                return
            time.sleep(0.25)
        raise TimeoutError(f"JupyterLab did not start; see {self.log.name}")

    def ask(self, what: str, method: str = "GET", body: dict | None = None):
        address, data = f"{self.base}/api/{what}?token={self.token}", body and json.dumps(body).encode()
        request = urllib.request.Request(address, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or "null")

    def write(self, name: str, *cells: str) -> None:
        """A notebook of code cells."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.folder / name)

    lent: str | None = None
    """The session whose kernel notebooks are lent; others keep theirs."""

    def lend_kernel(self, name: str) -> None:
        """Give a notebook the kernel that the one before it had, which has imported torch already."""
        here = {"path": name, "name": name, "type": "notebook"}
        if self.lent in [session["id"] for session in self.ask("sessions")]:
            self.ask(f"sessions/{self.lent}", "PATCH", here)  # with the name of a kernel, it would start another one
        else:
            self.lent = self.ask("sessions", "POST", here | {"kernel": {"name": "python3"}})["id"]

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            for session in self.ask("sessions"):
                self.ask(f"sessions/{session['id']}", "DELETE")
        self.process.terminate()
        self.process.wait(20)
        self.log.close()


class Notebook:
    """A notebook open in a page: runs cells, runs Python beside them, and collects everything that went wrong."""

    RUN = """async (i) => { const nb = window.jupyterapp.shell.currentWidget.content;
        nb.activeCellIndex = i; await window.jupyterapp.commands.execute('notebook:run-cell'); }"""
    EXECUTE = """async (code) => { const k = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
        const f = k.requestExecute({code, store_history: false}); let out = '';
        f.onIOPub = m => { if (m.header.msg_type === 'stream') out += m.content.text;
                           if (m.header.msg_type === 'error') out += 'ERR ' + m.content.evalue; };
        await f.done; return out; }"""
    FORGET = """import gc, ipywidgets
ipywidgets.Widget.close_all()
get_ipython().reset(new_session=True, aggressive=False)
gc.collect()"""
    OPEN = """(path) => window.jupyterapp.commands.execute('docmanager:open', { path, factory: 'Notebook' })
        .then(() => null)"""
    CLOSE = "() => [...window.jupyterapp.shell.widgets('main')].forEach((widget) => widget.dispose())"
    IDLE = """() => { const w = window.jupyterapp?.shell?.currentWidget;
        const k = w?.sessionContext?.session?.kernel; return k && k.status === 'idle'; }"""

    def __init__(self, page, lab: Lab, name: str):
        self.page, self.lab, self.name = page, lab, name
        self.problems: list[str] = []
        self.requests: list[str] = []
        self._listeners = {
            "pageerror": lambda error: self.problems.append(f"page error: {error}"),
            "console": lambda m: self.problems.append(f"console: {m.text}") if m.type == "error" else None,
            "requestfailed": self._failed,
            "request": lambda r: self.requests.append(r.url),
        }
        for event, listener in self._listeners.items():
            page.on(event, listener)
        if page.url.startswith(f"{lab.base}/lab"):  # seconds sooner than another page
            page.evaluate(self.OPEN, name)
        else:
            page.goto(f"{lab.base}/lab/tree/{name}?token={lab.token}&reset")
            page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=LONG)
        page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=LONG)
        page.wait_for_function(self.IDLE, timeout=LONG)

    def _failed(self, request) -> None:
        if request.failure != "net::ERR_ABORTED":  # what was under way when the page was left or loaded again
            self.problems.append(f"request failed ({request.failure}): {request.url}")

    def cell(self, index: int):
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index)

    def run(self, index: int) -> None:
        self.page.evaluate(self.RUN, index)

    def run_all(self) -> None:
        self.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")

    def python(self, code: str) -> str:
        return self.page.evaluate(self.EXECUTE, code).strip()

    def wait_python(self, expression: str, wanted: str, seconds: float = 15) -> None:
        """Wait until an expression prints what is wanted."""
        end = time.monotonic() + seconds
        while (got := self.python(f"print({expression})")) != wanted:
            assert time.monotonic() < end, f"{expression} is {got}, not {wanted}"
            self.page.wait_for_timeout(100)

    def forget(self) -> None:
        """Leave the kernel and the page as they began, for the next notebook."""
        for event, listener in self._listeners.items():
            self.page.remove_listener(event, listener)
        try:
            self.python(self.FORGET)
        finally:
            if self.page.locator(".jp-Dialog").count():  # of a kernel that died, say
                self.page.goto("about:blank")
            else:
                self.page.evaluate(self.CLOSE)

    def shut_down(self) -> None:
        """End the kernel; what is on the page stays."""
        for session in self.lab.ask("sessions"):
            if session["path"] == self.name:
                self.lab.ask(f"sessions/{session['id']}", "DELETE")

    def outside(self) -> list[str]:
        """Requests that left this machine."""
        here = (self.lab.base, self.lab.base.replace("http", "ws"), "data:", "blob:")
        return [url for url in self.requests if not url.startswith(here)]
