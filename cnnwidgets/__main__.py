"""``python -m cnnwidgets`` opens the tour in JupyterLab, ``index`` the list of all notebooks and panels, ``lecture NAME`` a
lecture; ``list`` prints the networks and the lectures, ``doctor`` checks the installation.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TextIO

TOUR, INDEX = "tour.ipynb", "index.ipynb"
LECTURES = "lectures"
COPY = Path("cnnwidgets-notebooks")
"""Where the notebooks of an installed package are copied to."""

MATCHING_FRONT_END = "jupyterlab_widgets"
"""Puts widgets into JupyterLab; must be in the environment that runs JupyterLab."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m cnnwidgets", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    tour = commands.add_parser("tour", help="open the tour in JupyterLab (what happens without a command)")
    index = commands.add_parser("index", help="open the list of all notebooks and panels in JupyterLab")
    lecture = commands.add_parser("lecture", help="open a lecture in JupyterLab")
    lecture.add_argument("name", metavar="NAME", help="one of those that `list` shows")
    for opens in (tour, index, lecture):
        opens.add_argument("--folder", type=Path, default=COPY, help="where the notebooks are copied to")
    commands.add_parser(
        "list", help="the networks that can be loaded, with the samples' held-out accuracy, and the lectures"
    )
    commands.add_parser("doctor", help="what is installed, and whether it fits together")
    options = parser.parse_args(arguments)
    match options.command:
        case "index":
            return open_notebook(INDEX, options.folder)
        case "lecture":
            return open_lecture(options.name, options.folder)
        case "list":
            return list_networks() or list_lectures()
        case "doctor":
            return doctor()
    return open_notebook(TOUR, getattr(options, "folder", COPY))


def open_notebook(notebook: str, folder: Path) -> int:
    """JupyterLab on a notebook: in the checkout where it lies, from an installed package in a copy that one may change."""
    if importlib.util.find_spec("jupyterlab") is None:
        print("JupyterLab is not installed here: pip install 'cnnwidgets[lab]'", file=sys.stderr)
        return 1
    notebooks = _notebooks()
    if notebooks.parent == Path(__file__).parent:  # installed
        shutil.copytree(notebooks, folder, dirs_exist_ok=True, copy_function=_copy_new)
        notebooks = folder
    as_root = ["--allow-root"] if getattr(os, "geteuid", lambda: 1)() == 0 else []  # in a container, that is
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # torch's idle threads leave their cores to the browser
    return subprocess.call([sys.executable, "-m", "jupyter", "lab", *as_root, str(notebooks / notebook)])


def open_lecture(name: str, folder: Path) -> int:
    """JupyterLab on a lecture; for a name that is none, say which there are."""
    if name in lectures():
        return open_notebook(f"{LECTURES}/{name}.ipynb", folder)
    print(f"There is no lecture {name!r}.", file=sys.stderr)
    list_lectures(file=sys.stderr)
    return 1


def lectures() -> dict[str, str]:
    """The lectures' names and titles."""
    return {path.stem: title_of(path) for path in sorted((_notebooks() / LECTURES).glob("*.ipynb"))}


def list_lectures(file: TextIO | None = None) -> int:
    """The lectures with their titles."""
    print("lectures, opened by `python -m cnnwidgets lecture NAME`:", file=file)
    found = lectures()
    width = max(map(len, found), default=0)
    for name, title in found.items():
        print(f"  {name:{width}} {title}", file=file)
    return 0


def list_networks() -> int:
    """The bundled samples with their held-out accuracy, then torchvision's names."""
    from cnnwidgets.net import load, names
    from cnnwidgets.samples import NAMES, sample

    print("bundled, work offline:")
    for name in NAMES:
        bundled, net = sample(name), load(name)
        accuracy = f"{100 * bundled.accuracy:.1f} % right on held-out pictures"
        print(f"  {name:8} {net.parameters:>9,} parameters  {accuracy}  {bundled.description}")
    others = [name for name in names() if name not in NAMES]
    print(f"from torchvision, weights downloaded at the first use ({len(others)}):")
    for start in range(0, len(others), 6):
        print("  " + ", ".join(others[start : start + 6]))
    return 0


def doctor() -> int:
    """Print versions, and a line for everything that would keep a panel from showing."""
    print(f"Python {platform.python_version()} on {platform.system()} {platform.machine()}: {sys.executable}")
    problems = []
    for name in (*needed(), "jupyterlab", MATCHING_FRONT_END):
        try:
            print(f"  {name:18} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            print(f"  {name:18} not installed")
            hint = "pip install 'cnnwidgets[lab]'" if name.startswith("jupyterlab") else f"pip install {name}"
            problems.append(f"{name} is missing: {hint}")
    if not problems:
        problems += _try_a_network()
    print("\n".join(f"PROBLEM: {problem}" for problem in problems) or "All is well.")
    return bool(problems)


def needed() -> list[str]:
    """The packages that this one requires, by the names they are installed under."""
    required = importlib.metadata.requires("cnnwidgets") or []
    return [re.split(r"[^\w.-]", line)[0] for line in required if "extra ==" not in line]


def _try_a_network() -> list[str]:
    """Load a sample, run it on a picture of its own and compare with the label; what fails is a problem."""
    try:
        import torch

        from cnnwidgets.net import load
        from cnnwidgets.samples import digits

        print(f"  CUDA {'available' if torch.cuda.is_available() else 'not available: the CPU is used'}")
        (image, label), net = digits()[0], load("digits")
        [[(predicted, chance), *_]] = net.predict(image)
        print(f"  the digits network says {predicted} ({chance:.1%}) to a picture of {label}")
        return [] if predicted == str(label) else ["the digits network does not recognize its own picture"]
    except Exception as error:
        return [f"{type(error).__name__}: {error}"]


def _notebooks() -> Path:
    """Where the notebooks lie: beside the package in a checkout, in it when it is installed."""
    checkout = Path(__file__).parents[1] / "notebooks"
    return checkout if (checkout / TOUR).exists() else Path(__file__).parent / "notebooks"


def title_of(notebook: Path) -> str:
    """A notebook's first heading."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    lines = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown").splitlines()
    return next((line[2:] for line in lines if line.startswith("# ")), "")


def _copy_new(source: str, target: str) -> None:
    """Copy a file unless there is one: somebody may have worked in it."""
    if not Path(target).exists():
        shutil.copy2(source, target)


if __name__ == "__main__":
    sys.exit(main())
