"""Stages of a network are told by what their layers' names begin with; every layer has a column that can be marked."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from matplotlib.colors import to_hex

from cnnwidgets.views import ChartView
from cnnwidgets.views.by_layer import BAR, FAINT, MARK, bars_by_layer, borders, stages, ticks
from tests.views.stills import drawn

NAMES = ["conv1", "relu", "layer1.0.conv1", "layer1.0.relu", "layer1.1.conv1", "layer2.0.conv1", "fc"]


def test_layers_of_one_stage_are_a_run_that_begins_at_a_border():
    assert stages(NAMES) == [("conv1", 0, 0), ("relu", 1, 1), ("layer1", 2, 4), ("layer2", 5, 5), ("fc", 6, 6)]
    assert borders(NAMES) == [2, 5]


def test_what_all_names_begin_with_is_left_out():
    assert stages(["net.a.0", "net.a.1", "net.b"]) == [("a", 0, 1), ("b", 2, 2)]
    assert stages(["features.0", "features.1"]) == [("0", 0, 0), ("1", 1, 1)]
    assert stages(["conv"]) == [("conv", 0, 0)]
    assert stages([]) == []


@pytest.mark.parametrize("letters", [12, 40, 90])
def test_names_on_the_axis_lie_in_the_middle_of_their_stage_and_do_not_overlap(letters):
    places, texts = ticks(NAMES, letters)
    assert dict(zip(texts, places, strict=True))["layer1"] == 3
    letter = len(NAMES) / letters
    for (a, first), (b, second) in pairwise(zip(places, texts, strict=True)):
        assert b - a > letter * (len(first) + len(second)) / 2


def test_there_is_room_for_no_name_too_many():
    assert ticks(NAMES, 1000)[1] == ["conv1", "relu", "layer1", "layer2", "fc"]
    assert ticks([], 10) == ([], [])


def test_a_marked_bar_has_its_own_height_and_stands_on_a_faint_column_that_no_other_has():
    chart = ChartView()
    shares = dict.fromkeys(NAMES, 25.0)
    chart.show(bars_by_layer(shares, "Zeros in each layer", "zeros", letters=90), "zeros")
    assert json.loads(chart.figure)["data"][0]["marker"]["opacity"] == 0
    for marked in (-1, 3):
        chart.marked = marked
        (axes,) = drawn(chart)
        columns, bars = (container.patches for container in axes.containers)
        assert [column.get_facecolor()[3] for column in columns] == [FAINT * (k == marked) for k in range(len(NAMES))]
        assert [to_hex(bar.get_facecolor()) for bar in bars] == [MARK if k == marked else BAR for k in range(len(NAMES))]
        assert {column.get_height() for column in columns} == {100} and {bar.get_height() for bar in bars} == {25}
