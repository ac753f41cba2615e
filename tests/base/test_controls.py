"""What controls show, and what they leave alone."""

from __future__ import annotations

import ipywidgets as w
import pytest

import cnnwidgets as cw
from cnnwidgets.views import More, NumberSlider, UploadButton
from tests.base.tiny import PATIENCE, Doubler, under

STOCK = (w.IntSlider, w.FloatSlider, w.FloatLogSlider, w.Accordion, w.FileUpload)
"""Widgets that send back what they have rounded, that keys do not open, or whose tooltip is "null"."""


@pytest.fixture(scope="module")
def panels(net, pictures):
    digits = cw.load("digits"), cw.samples.digits()
    made = [
        cw.FilterGrid(net),
        cw.SaliencyPanel(net, 3, images=pictures, methods=["saliency"]),
        cw.EmbeddingExplorer(*digits, method="pca", limit=60),
        cw.SchedulePlayground(),
        cw.EarlyStopping([1.0, 0.8, 0.9]),
        cw.BackwardRules(),
    ]
    assert all(panel.wait(PATIENCE) and panel.error is None for panel in made)
    yield made
    for panel in made:
        panel.close()


def test_no_panel_has_a_stock_widget_that_is_wrong(panels):
    assert [(type(panel).__name__, one) for panel in panels for one in under(panel) if isinstance(one, STOCK)] == []


def test_every_slider_and_upload_says_what_it_is_and_has_a_tooltip(panels):
    found = [one for panel in panels for one in under(panel) if isinstance(one, (NumberSlider, UploadButton))]
    assert len(found) > 10
    assert all(one.description and one.tooltip for one in found)


def test_what_is_folded_away_is_tied_to_its_button_and_closed_with_it():
    more = More("More", w.Box([w.Label("inside")]))
    assert more.button.display == more.content.layout.display == "none"
    tie = more._tie
    more.close()
    assert tie.comm is None


def test_a_hand_moves_a_slider_and_code_that_shows_a_value_does_not():
    panel = Doubler()
    assert panel.result == 2
    slider = panel.controls["number"]
    slider.set_state({"value": 7})
    assert panel.number == 7 and panel.result == 14
    panel.number = 200  # beyond its end
    assert slider.value == 200 and panel.result == 400
