"""HyperparameterSearch: points, the best of them, a box that is the next range and the way back."""

from __future__ import annotations

import json

import numpy as np
import pytest

import cnnwidgets as cw
from cnnwidgets.methods import Search
from cnnwidgets.numbers import percent
from tests.methods.learning import Net, loader, others
from tests.methods.test_search import study

SPACE = {"lr": (1e-3, 1.0, "log"), "momentum": (0.0, 0.9), "optimizer": ["SGD", "RMSprop"]}


@pytest.fixture
def panel():
    found = cw.HyperparameterSearch(Net, loader(), others(), space=SPACE, runs=6, steps=1)
    assert found.wait(60)
    yield found
    found.close()


def curves(chart) -> dict[str, dict]:
    return {trace["name"]: trace for trace in json.loads(chart.figure)["data"]}


def test_the_best_trial_is_said_and_marked(panel):
    best = panel.result.first.best
    assert panel.status.message.startswith(f"Best: {percent(best.value)} at rate")
    star = curves(panel.chart)["best"]
    assert (star["x"], star["y"]) == ([best.values["lr"]], [best.values["momentum"]])
    assert sum(len(trace["text"]) for trace in curves(panel.chart).values() if "text" in trace) == 6
    assert panel.data()["best_so_far"][-1] == best.value


def test_a_box_is_the_next_range_and_back_is_the_one_before(panel):
    first = panel.result.first
    panel.put(box=[0.01, 0.2, 0.1, 0.6])
    panel.narrow()
    assert panel.ranges == first.narrowed({"lr": (0.01, 0.1), "momentum": (0.2, 0.6)})
    assert panel.box == []
    table = panel.data()
    assert ((table["lr"] >= 0.01) & (table["lr"] <= 0.1) & (table["momentum"] >= 0.2) & (table["momentum"] <= 0.6)).all()
    panel.put(box=[0.02, 0.3, 0.05, 0.4])
    panel.narrow()
    panel.widen()
    assert panel.ranges == first.narrowed({"lr": (0.01, 0.1), "momentum": (0.2, 0.6)})
    panel.widen()
    assert panel.ranges == {**SPACE}
    np.testing.assert_array_equal(panel.result.first.values, first.values)
    absent = {name: panel.controls[name]["absent"] for name in ("narrow", "widen")}
    assert absent == {"narrow": True, "widen": True}


def test_a_click_shows_the_trial_and_its_code(panel):
    group = next(trace for trace in curves(panel.chart).values() if "text" in trace)
    panel.chart.clicked = [0, 0]
    panel.pick([0, 0])
    search, trial = panel.result.trials[panel.trial]
    assert group["text"][0].endswith(search.point(trial))
    assert repr(trial.values["lr"]) in panel.code()
    assert curves(panel.training)["test"]["y"] is not None
    assert search.point(trial)[1:] in json.loads(panel.training.figure)["layout"]["title"]["text"]


def test_choices_have_their_words_on_an_axis_and_the_still_has_the_box(panel):
    panel.y = "optimizer"
    assert json.loads(panel.chart.figure)["layout"]["yaxis"]["ticktext"] == ["SGD", "RMSprop"]
    panel.put(box=[0.01, -0.2, 0.1, 0.2])
    panel.narrow()
    assert panel.ranges["optimizer"] == ["SGD"]


def test_three_ways_are_three_curves_and_the_finding_compares_them():
    panel = cw.HyperparameterSearch(
        Net, loader(), others(), space={"lr": (1e-3, 1.0, "log")}, by="all three", runs=5, steps=1
    )
    found = panel.result
    assert [one.by for one in found.each] == ["random", "grid", "evolution"]
    assert curves(panel.course).keys() == {"random", "grid", "evolution"}
    first = panel.status.message.split("\n")[0]
    assert first.startswith(f"Best: {percent(found.first.best.value)} by {found.first.by}, at rate")
    for one in found.each:
        assert one.by in first
    assert np.bincount(panel.data()["by"]).tolist() == [5, 5, 5]
    panel.close()


@pytest.mark.parametrize("ending", ["json", "npz"])
def test_a_saved_search_is_shown_again_without_training(panel, tmp_path, monkeypatch, ending):
    panel.result.save(tmp_path / f"search.{ending}")
    monkeypatch.delattr("cnnwidgets.panels.search.panel.searches")
    again = cw.HyperparameterSearch(Net, replay=tmp_path / f"search.{ending}")
    assert again.wait(60)
    assert again.status.message == panel.status.message
    assert (again.x, again.y, again.space) == (panel.x, panel.y, SPACE)
    for name, values in panel.data().items():
        np.testing.assert_array_equal(again.data()[name], values)
    assert [json.loads(view.figure)["data"] for view in (again.chart, again.course, again.training)] == [
        json.loads(view.figure)["data"] for view in (panel.chart, panel.course, panel.training)
    ]
    assert again.code() == panel.code()
    again.close()


def test_a_search_that_is_shown_again_offers_its_axes_and_its_trials_alone(panel):
    again = cw.HyperparameterSearch(replay=panel.result)
    assert again.wait(60)
    assert {*again.controls} == {"x", "y"}
    assert not again.chart.boxable
    again.pick([0, 1])
    search, trial = again.result.trials[again.trial]
    assert again.trial != -1
    assert search.point(trial)[1:] in json.loads(again.training.figure)["layout"]["title"]["text"]
    again.close()


def test_what_is_no_saved_search_is_said_at_once(tmp_path):
    (tmp_path / "search.json").write_text("{}")
    with pytest.raises(ValueError, match=r"search.json holds no training histories"):
        cw.HyperparameterSearch(replay=tmp_path / "search.json")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        cw.HyperparameterSearch(replay="nowhere.json")


def test_a_study_is_shown_as_it_is():
    panel = cw.HyperparameterSearch(replay=Search.from_optuna(study()))
    assert panel.wait(60)
    assert "Best: 0.2 at rate 0.01 and opt Adam" in panel.status.message
    assert not panel.chart.boxable
    assert {*panel.controls} == {"x", "y"}
    panel.figure()
    panel.close()
