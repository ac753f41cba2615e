"""The strip says what the panel does, and its buttons ask the panel."""

from __future__ import annotations

import pytest

from cnnwidgets.views import StatusStrip
from tests.views.wire import sent


@pytest.mark.parametrize(("message", "wanted"), [({"kind": "cancel"}, ["cancel"]), ({"kind": "code"}, ["code"]), ({}, [])])
def test_a_button_asks_for_its_action(message, wanted):
    asked = []
    strip = StatusStrip(on_cancel=lambda: asked.append("cancel"), on_code=lambda: asked.append("code"))
    strip._handle_custom_msg(message, [])
    assert asked == wanted


def test_a_sentence_replaces_the_one_before_with_its_kind_and_its_progress(monkeypatch):
    strip = StatusStrip(on_cancel=print, on_code=print)
    strip.say("Computing …", "busy", 0.5)
    with sent(strip, monkeypatch) as messages:
        strip.say("done")
    assert (strip.message, strip.kind, strip.fraction) == ("done", "ready", 0.0)
    assert len(messages) == 1
