"""What a fresh process pays: seconds to ``import cnnwidgets``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.timing import Figure, figure, in_turn

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "umap", "sklearn")
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


def figures() -> Iterator[Figure]:
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


def _python(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=ENVIRONMENT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
