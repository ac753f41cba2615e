"""What workers import: two threads that import parts of one library at once can find each other's half, and fail."""

from __future__ import annotations

import subprocess
import sys

WATCHED = """
import sys, threading

class OnWorker(list):
    def find_spec(self, name, path=None, target=None):
        if threading.current_thread().name.startswith("cnnwidgets"):
            self.append(name)

imported = OnWorker()
sys.meta_path.insert(0, imported)
import cnnwidgets as cw
"""


def imported_by_workers(code: str) -> list[str]:
    """The modules that panels' threads import while the code runs in a process of its own, which has ``cw``."""
    command = [sys.executable, "-c", f"{WATCHED}{code}\nprint(*imported)"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert run.returncode == 0, run.stderr
    return run.stdout.split()
