"""What somebody has who typed `pip install cnnwidgets`: run by the Python of an environment that has nothing but the wheel.

It works in a folder of its own, so that nothing of the checkout can stand in for what the wheel lacks.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
COMMANDS = {"--help": "doctor", "list": "bundled, work offline", "doctor": "All is well."}
"""Of ``python -m cnnwidgets``, with words that each says."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for command, words in COMMANDS.items():
            run = subprocess.run([sys.executable, "-m", "cnnwidgets", command], capture_output=True, text=True, timeout=300)
            expect(run.returncode == 0 and words in run.stdout, f"{command} said {run.stdout}{run.stderr}")
            print(f"python -m cnnwidgets {command}")
        check_files()
        check_panels()
    print("The wheel has all that it needs.")


def check_files() -> None:
    """The package is the wheel's, with all files that the checkout has."""
    import cnnwidgets

    package = Path(cnnwidgets.__file__).parent
    expect(not package.is_relative_to(CHECKOUT / "cnnwidgets"), f"cnnwidgets is that of the checkout: {package}")
    for theirs, ours in ((package, CHECKOUT / "cnnwidgets"), (package / "notebooks", CHECKOUT / "notebooks")):
        files = [path.relative_to(ours) for path in ours.rglob("*") if path.is_file()]
        files = [path for path in files if not {"__pycache__", ".ipynb_checkpoints"} & {*path.parts}]
        lacking = [str(path) for path in files if not (theirs / path).is_file()]
        expect(files and not lacking, f"the wheel lacks {', '.join(lacking)}")
        print(f"{len(files)} files of {ours.name}")


def check_panels() -> None:
    """Each panel's example computes, says what it found, and is a page."""
    from cnnwidgets.registry import example, panels

    for name, panel in panels().items():
        made = example(panel)
        made.result  # noqa: B018  raises what the computation raised
        made.to_html(f"{name}.html")
        size = Path(f"{name}.html").stat().st_size
        expect(made.status.kind == "ready" and size > 10_000, f"{name}: {made.status.message}, a page of {size} bytes")
        print(f"{name}: {made.status.message}")
        made.close()


def expect(fact: object, otherwise: str) -> None:
    if not fact:
        sys.exit(otherwise)


if __name__ == "__main__":
    main()
