"""Two threads that import parts of one library at the same time can find each other's half (SciPy's, say) and fail."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys, threading

class OnWorker(list):
    def find_spec(self, name, path=None, target=None):
        if threading.current_thread().name.startswith("cnnwidgets"):
            self.append(name)

imported = OnWorker()
sys.meta_path.insert(0, imported)

import cnnwidgets as cw

for name in ("digits", "scenes"):
    net, data = cw.load(name), getattr(cw.samples, name)()
    filters = cw.FilterGrid(net, unit=1)
    browser = cw.FeatureMapBrowser(net, data, beside=data.picture(1))
    browser.image = data.picture(2)
    assert filters.wait(60) and browser.wait(60)
    assert filters.error is browser.error is None
    everything = {"methods": list(cw.methods.METHODS), "faithful": True, "outline": "segmentation", "randomized": 1}
    saliency = cw.SaliencyPanel(net, data, **everything)
    assert saliency.wait(60) and saliency.error is None
playground = cw.SchedulePlayground(steps=3)
race = cw.TrainingRace(specs=[{"kind": "cosine"}], steps=1)
finder = cw.LRFinder("digits", steps=10)
stopping = cw.EarlyStopping([2.0, 1.0, 3.0])
rules = cw.BackwardRules("network")
explorer = cw.EmbeddingExplorer(net, data, limit=60, n_iter=20)
for panel in (playground, race, finder, stopping, rules, explorer):
    assert panel.wait(60) and panel.error is None
print(*imported)
"""


def test_the_worker_thread_imports_nothing():
    """So a cell that shows a panel and goes on to import a library works."""
    run = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True, timeout=120)
    assert run.stdout.split() == []
