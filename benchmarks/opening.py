"""What a panel costs to open, to ask anew and to drag: widgets, messages, bytes and seconds of the kernel.

``AGAINST=folder python -m benchmarks opening`` measures another checkout beside this one, in turns.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.timing import Figure, figure

HERE = Path(__file__).parents[1]

ROUNDS = 5

PANELS = {
    "FilterGrid": ("cw.FilterGrid(net)", {"another layer": "p.layer = 'layer2.0.conv1'", "a unit": "p.unit = 3"}),
    "FeatureMapBrowser": (
        "cw.FeatureMapBrowser(net, pictures)",
        {"another layer": "p.layer = 'layer2.0.conv1'", "another picture": "p.image = 3"},
    ),
    "OcclusionSlider": (
        "cw.OcclusionSlider(net, pictures)",
        {
            "another patch": "p.patch = 20",
            "40 moves": "for k in range(40): p.picture.set_state({'box': [k % 50, 10, p.patch, p.patch]})",
        },
    ),
    "SaliencyPanel": ("cw.SaliencyPanel(net, pictures)", {"another picture": "p.image = 3"}),
    "EmbeddingExplorer": (
        "cw.EmbeddingExplorer(cw.load('digits'), cw.samples.digits(), method='pca', limit=200)",
        {"another layer": "p.layer = 'relu3'"},
    ),
    "BackwardRules": ("cw.BackwardRules('network')", {}),
    "EarlyStopping": ("cw.EarlyStopping([3.0, 2.0, 1.0, 2.0, 3.0])", {"a slider move": "p.patience = 2"}),
    "SchedulePlayground": ("cw.SchedulePlayground()", {"a slider move": "p.steps = 40"}),
}

RUN = """
import comm, json, sys, time
from comm.base_comm import BaseComm

sent = []

class Counted(BaseComm):
    def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
        sent.append(len(json.dumps(data or {}, default=str)) + sum(memoryview(one).nbytes for one in buffers or []))

comm.create_comm = lambda *about, **keys: Counted(*about, **keys)
import cnnwidgets as cw
from ipywidgets.widgets.widget import _instances

def counted(action):
    sent.clear()
    start = time.perf_counter()
    found = action()
    seconds = time.perf_counter() - start
    return found, [len(sent), sum(sent), seconds]

def waited(panel):
    panel.wait()
    return panel

net, pictures = cw.load("scenes"), cw.samples.scenes()
figures = {}
for name, (line, acts) in json.loads(sys.argv[1]).items():
    eval(line).wait()  # what is done once only
    before = set(_instances)
    p, figures[name] = counted(lambda: waited(eval(line)))
    figures[name].append(len(set(_instances) - before))
    for act, code in acts.items():
        _, figures[f"{name}: {act}"] = counted(lambda: (exec(code), p.wait()))
    p.close()
    figures[name].append(len(set(_instances) - before))
print(json.dumps(figures))
"""


def figures() -> Iterator[Figure]:
    folders = [HERE, *([Path(os.environ["AGAINST"])] if "AGAINST" in os.environ else [])]
    measured = [[_measure(folder) for folder in folders] for _ in range(ROUNDS)]
    for name, first in measured[0][0].items():
        there = measured[0][1].get(name) if len(folders) > 1 else None
        beside = [f" ({one})" for one in there] if there else [""] * 5
        yield figure(f"{name}: messages{beside[0]}", first[0], "")
        yield figure(f"{name}: kB{f' ({there[1] / 1000:.1f})' if there else ''}", first[1] / 1000, "kB")
        seconds = np.array([[tree.get(name, [0, 0, np.nan])[2] for tree in round] for round in measured])
        yield figure(f"{name}: kernel", 1000 * seconds[:, 0], "ms")
        if there:
            yield figure(f"{name}: kernel, times that of {folders[1].name}", seconds[:, 0] / seconds[:, 1], "x")
        if len(first) > 3:
            yield figure(f"{name}: widgets{beside[3]}", first[3], "")
            yield figure(f"{name}: widgets left once closed{beside[4]}", first[4], "", most=0)


def _measure(folder: Path) -> dict[str, list[float]]:
    """Messages, bytes, seconds; of a panel also its widgets, and those that are left once it is closed."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", RUN, json.dumps(PANELS)]
    return json.loads(
        subprocess.run(command, env=environment, cwd=folder, check=True, capture_output=True, text=True).stdout
    )
