"""OptimizerRace: paths on a surface, a start to drag, steps to play; and the same optimizers on a network."""

from __future__ import annotations

import json

import numpy as np
import pytest

import cnnwidgets as cw
from cnnwidgets.methods import descend, optimizer_specs, race
from cnnwidgets.methods.tasks import Task
from tests.methods.learning import Net, loader, others


@pytest.fixture(scope="module")
def panel():
    found = cw.OptimizerRace(optimizers=["SGD", "momentum"], steps=80, rate=0.012)
    assert found.wait(60)
    yield found
    found.close()


def curves(chart) -> dict[str, dict]:
    return {trace["name"]: trace for trace in json.loads(chart.figure)["data"]}


def test_who_arrives_is_said(panel):
    sgd, momentum = panel.result.each
    assert sgd.reached is None
    first = f"Momentum reaches the minimum in {momentum.reached} steps; SGD not in 80."
    assert panel.status.message.split("\n")[0] == first


def test_contour_lines_lie_where_the_height_is_one_of_few(panel):
    line = curves(panel.chart)["height"]
    axes = panel.figure().axes[0]
    x, y = axes.lines[0].get_data()
    heights = np.log10(0.5 * (x**2 + 100 * y**2))
    levels = np.linspace(np.log10(panel.result.heights.max()) - 5, np.log10(panel.result.heights.max()), 15)
    off = np.abs(heights[np.isfinite(heights)][:, None] - levels).min(1)
    assert np.quantile(off, 0.9) < 0.05 and line["hoverinfo"] == "skip"


def test_the_start_goes_where_it_is_dragged_and_stays_for_a_surface_that_has_room(panel):
    number = len(panel.result.each) + 2
    assert panel.chart.draggable == [number]
    panel.move([-2.0, 0.5])
    assert panel.result.each[0].path[0].tolist() == [-2.0, 0.5]
    star = curves(panel.chart)["start (drag)"]
    assert (star["x"], star["y"]) == ([-2.0], [0.5])
    panel.surface = "beale"  # which is shown from -1 on
    assert panel.result.each[0].path[0].tolist() == [1.0, 1.5]
    panel.surface = "bowl"
    assert panel.result.each[0].path[0].tolist() == [-2.0, 0.5]
    panel.start = []


def test_without_a_rate_one_that_suits_is_taken(panel):
    panel.rate, panel.surface = None, "rosenbrock"
    assert panel.result.each[0].spec["lr"] == 0.001
    panel.surface, panel.rate = "bowl", 0.012
    assert panel.result.each[0].spec["lr"] == 0.012


def test_it_plays_from_the_first_step_to_the_last_and_the_step_stays(panel):
    panel.step = 7
    assert panel.wait(60)
    marks = []
    panel.chart.observe(lambda change: marks.append(change.new), "marked")
    figures = []
    panel.chart.observe(lambda change: figures.append(change.new), "figure")
    panel.play()
    assert panel.wait(60)
    assert marks[0] == 0 and marks == [*sorted(marks[:-1]), 7]
    assert len(marks) > 10 and marks[-2] > 70
    assert len(figures) <= 1  # the paths are not sent for every step
    assert panel.step == 7


def test_the_result_is_what_the_method_gives(panel):
    same = descend("bowl", optimizer_specs(["SGD", "momentum"], 0.012, 0.1, 0.9), steps=80)
    np.testing.assert_array_equal(panel.data()["paths"], same.paths)


def test_on_a_network_it_is_a_race_of_the_same_specs():
    panel = cw.OptimizerRace(Net, loader(), others(), on="network", epochs=2, optimizers=["SGD", "dampened"], rate=0.1)
    found = panel.result
    specs = optimizer_specs(["SGD", "dampened"], 0.1, 0.002, 0.9)
    same = race(Task(Net, loader(), others()), specs, steps=2)
    assert found.names == ["SGD", "dampened"]
    for mine, theirs in zip(found.histories, same.histories, strict=True):
        assert mine.loss.tobytes() == theirs.loss.tobytes()
    assert panel.status.message.split("\n")[0] == same.summary.split("\n")[0]
    assert {row["name"] for row in panel.board.rows} == {"SGD", "dampened"}
    space = {"model": Net, "loader": loader(), "validation_loader": others()}
    exec(panel.code(), space)
    assert space["values"]["dampened"] == found.of("dampened")[0].validation_accuracy.tolist()
    panel.close()
