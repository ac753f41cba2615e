"""plotly.js is 1.5 MB, and travels only to a page that asks for it."""

from __future__ import annotations

import gzip
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import plotly.graph_objects as go
import pytest
from plotly.offline import get_plotlyjs

from cnnwidgets.views import ChartView
from cnnwidgets.views.chart_view import plotly_bundle
from tests.views.wire import sent


def asked(chart, monkeypatch, message):
    with sent(chart, monkeypatch) as messages:
        chart._handle_custom_msg(message, [])
    return messages


def test_a_figure_travels_as_its_json_in_one_message_without_the_library(monkeypatch):
    chart, figure = ChartView(), go.Figure(go.Bar(x=[0, 1], y=[3, 5]))
    with sent(chart, monkeypatch) as messages:
        chart.show(figure, "two bars")
    assert len(messages) == 1
    assert messages[0].size < 20_000
    wanted = json.loads(figure.to_json())
    looks = wanted["layout"]["template"]["data"]
    wanted["layout"]["template"]["data"] = {"bar": looks["bar"]}  # of a template what its traces can use
    assert json.loads(chart.figure) == wanted
    assert chart.description == "two bars"


def test_long_columns_travel_as_bytes_and_a_shared_x_once(monkeypatch):
    x = np.arange(10_000.0)
    chart, figure = ChartView(), go.Figure([go.Scatter(x=x, y=x * k) for k in (2, 3, 4)])
    with sent(chart, monkeypatch) as messages:
        chart.show(figure, "three lines")
    assert len(messages) == 1
    assert 4 * x.nbytes < messages[0].size < 4 * x.nbytes + 20_000
    traces = json.loads(chart.figure)["data"]
    assert len({trace["x"]["column"] for trace in traces}) == 1
    for k, trace in zip((2, 3, 4), traces, strict=True):
        np.testing.assert_array_equal(np.frombuffer(chart.columns[trace["y"]["column"]]), x * k)
    before = chart.figure
    chart.show(figure, "the same")
    assert chart.figure != before, "so that the page knows that there is another"


def test_a_view_holds_no_library_in_its_state():
    chart = ChartView()
    chart.show(go.Figure(go.Bar(y=[1])), "a bar")
    assert len(json.dumps(chart.get_state(), default=str)) < 30_000


def test_who_asks_for_the_library_gets_it_gzipped(monkeypatch):
    (message,) = asked(ChartView(), monkeypatch, {"kind": "plotly"})
    assert message["content"] == {"kind": "plotly"}
    (buffer,) = message.buffers
    assert len(buffer) < 2_000_000
    assert gzip.decompress(buffer).decode() == get_plotlyjs()


def test_other_messages_are_not_answered(monkeypatch):
    assert asked(ChartView(), monkeypatch, {"kind": "hello"}) == []
    assert asked(ChartView(), monkeypatch, {}) == []


def test_the_library_is_gzipped_once(monkeypatch):
    plotly_bundle.cache_clear()
    for _ in range(3):
        asked(ChartView(), monkeypatch, {"kind": "plotly"})
    assert plotly_bundle.cache_info().misses == 1


@pytest.fixture
def grown():
    """A chart of two curves."""
    chart = ChartView()
    chart.show(go.Figure([go.Scatter(y=[1, 2]), go.Scatter(y=[3, 4])]), "two curves")
    return chart


def appended(chart, curve):
    return np.frombuffer(chart.get_state()["appended"][str(curve)]).reshape(-1, 2)


def test_a_point_on_a_curve_of_10_000_costs_100_bytes_not_the_curve(grown, monkeypatch):
    grown.extend({0: (np.arange(10_000), np.arange(10_000))})
    with sent(grown, monkeypatch) as messages:
        grown.extend({0: ([10_000], [0.5])})
    (message,) = messages
    assert message["content"] == {"kind": "extend", "starts": [[0, 10_000]]}
    assert bytes(message.buffers[0]) == np.array([10_000, 0.5]).tobytes()
    assert message.size < 150


def test_the_state_holds_all_that_was_appended_with_its_gaps(grown):
    grown.extend({1: ([2, 3], [0.5, np.nan])})
    grown.extend({1: ([4.0], [np.inf])})
    np.testing.assert_array_equal(appended(grown, 1), [[2, 0.5], [3, np.nan], [4, np.inf]])
    assert "0" not in grown.get_state()["appended"]


def test_another_figure_drops_what_was_appended_in_one_message(grown, monkeypatch):
    grown.extend({0: ([2], [3])})
    with sent(grown, monkeypatch) as messages:
        grown.show(go.Figure(go.Scatter(y=[1])), "another")
    (message,) = messages
    assert message["state"]["appended"] == {}
    assert grown.get_state()["appended"] == {}


def test_a_figure_answers_what_was_asked_for(grown):
    grown.added, grown.removed = [1.0, 2.0], [0, 1]
    grown.show(go.Figure(go.Scatter(y=[1])), "another")
    assert (grown.added, grown.removed) == ([], [])


def test_a_page_that_missed_something_gets_all_of_it(grown, monkeypatch):
    grown.extend({0: ([2], [3])})
    (message,) = asked(grown, monkeypatch, {"kind": "appended"})
    assert bytes(message.buffers[0]) == np.array([2.0, 3.0]).tobytes()


def test_threads_may_append_at_once(grown):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda k: grown.extend({0: ([k, k], [k, k])}), range(400)))
    points = appended(grown, 0)
    np.testing.assert_array_equal(np.unique(points[:, 0], return_counts=True)[1], np.full(400, 2))
    np.testing.assert_array_equal(points[::2], points[1::2])


@pytest.mark.parametrize(
    ("points", "said"), [({2: ([1], [1])}, "no 2"), ({0: ([1, 2], [1])}, "as many"), ({0: ([[1]], [[1]])}, "as many")]
)
def test_what_cannot_be_appended_is_said_and_nothing_is(grown, points, said):
    with pytest.raises(ValueError, match=said):
        grown.extend({1: ([5], [5]), **points})
    assert grown.get_state()["appended"] == {}
