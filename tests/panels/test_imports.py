"""A cell that shows panels and goes on to import a library works."""

from __future__ import annotations

from tests.base.importing import imported_by_workers

CODE = """
for name in ("digits", "scenes"):
    net, data = cw.load(name), getattr(cw.samples, name)()
    filters = cw.FilterGrid(net, unit=1)
    browser = cw.FeatureMapBrowser(net, data, beside=data.picture(1))
    browser.image = data.picture(2)
    assert filters.wait(120) and browser.wait(120)
    assert filters.error is browser.error is None
    everything = {"methods": list(cw.methods.METHODS), "faithful": True, "outline": "segmentation", "randomized": 1}
    saliency = cw.SaliencyPanel(net, data, **everything)
    assert saliency.wait(120) and saliency.error is None
playground = cw.SchedulePlayground(steps=3)
race = cw.TrainingRace(specs=[{"kind": "cosine"}], steps=1)
finder = cw.LRFinder("digits", steps=10)
stopping = cw.EarlyStopping([2.0, 1.0, 3.0])
rules = cw.BackwardRules("network")
explorer = cw.EmbeddingExplorer(net, data, limit=60, n_iter=20)
for panel in (playground, race, finder, stopping, rules, explorer):
    assert panel.wait(120) and panel.error is None
"""


def test_the_worker_threads_of_many_panels_import_nothing():
    assert imported_by_workers(CODE) == []
