"""python -m benchmarks NAME ...: measure and print; ``list`` says what there is. It reports, and never fails."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
from importlib.metadata import version

from benchmarks.timing import table

TOPICS = (
    "start",
    "memory",
    "opening",
    "browse",
    "trace",
    "occlusion",
    "gradients",
    "scatter",
    "embedding",
    "scan",
    "schedules",
    "training",
    "diagnosis",
    "charts",
    "beside",
    "units",
    "drawing",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="+", choices=("list", *TOPICS), metavar="NAME", help=", ".join(("list", *TOPICS)))
    names = parser.parse_args().names
    if "list" in names:
        for topic in TOPICS:
            print(f"{topic:10}{(importlib.import_module(f'benchmarks.{topic}').__doc__ or '').splitlines()[0]}")
        return
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, torch {version('torch')}")
    for name in names:
        before = _load()
        figures = list(importlib.import_module(f"benchmarks.{name}").figures())
        print(f"\n{name}, load average {before} before and {_load()} after\n{table(figures)}", flush=True)


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    main()
