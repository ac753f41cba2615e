"""plotly.js is 1.5 MB, and travels only to a page that asks for it."""

from __future__ import annotations

import gzip
import json

import plotly.graph_objects as go
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
    assert json.loads(chart.figure) == json.loads(figure.to_json())
    assert chart.description == "two bars"


def test_a_view_holds_no_library_in_its_state():
    chart = ChartView()
    chart.show(go.Figure(go.Bar(y=[1])), "a bar")
    assert len(json.dumps(chart.get_state(), default=str)) < 50_000


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
