"""A panel where no kernel is: what its cell keeps, and a page with all that its views show."""

from __future__ import annotations

import base64
import io
import json
import re
import threading
from collections import OrderedDict
from datetime import date

import numpy as np
import torch
from PIL import Image
from torch import nn

import cnnwidgets as cw
from cnnwidgets.base.figures import DPI
from tests.base.pages import Elements, content_of
from tests.base.tiny import Doubler

WIDGET = "application/vnd.jupyter.widget-view+json"
HOSTILE = ["<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", '"><b onclick="alert(3)">', "a&amp;b\u2028"]


def picture_of(bundle: dict) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(bundle["image/png"]))))


# what a cell keeps


def test_the_bundle_waits_for_the_first_picture():
    panel = Doubler()
    panel.wait()
    with panel.standing_still(5):
        panel._result = None  # as if it was never there
        threading.Timer(0.05, panel.gate.set).start()
        assert "image/png" in panel._repr_mimebundle_()[0]


def test_a_panel_whose_last_computation_failed_shows_what_it_had():
    panel = Doubler(number=3)
    panel.wait()
    before = picture_of(panel._repr_mimebundle_()[0])
    panel.number = -1
    panel.wait()
    assert panel.status.kind == "error"
    np.testing.assert_array_equal(picture_of(panel._repr_mimebundle_()[0]), before)


def test_a_panel_that_never_had_anything_shows_the_live_view_alone():
    bundle, _ = Doubler(number=-1)._repr_mimebundle_()
    assert WIDGET in bundle
    assert "image/png" not in bundle


def test_shown_in_a_cell_there_are_two_outputs_the_live_view_and_its_twin(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_: shown.append(data))
    panel = Doubler()
    panel.wait()
    panel._ipython_display_()
    live, twin = shown
    assert (live[WIDGET]["model_id"], "image/png" in live) == (panel.model_id, False)
    assert (twin["text/plain"], WIDGET in twin) == ("Doubler(Identity)", False)
    assert picture_of(twin).size


# a page


def test_a_page_of_charts_carries_plotly_once_and_others_do_not(tmp_path):
    chart, other = cw.EarlyStopping([2.0, 1.0, 3.0]), Doubler()
    assert base64.b64decode(content_of(chart, tmp_path)["bundles"]["plotly"])[:2] == b"\x1f\x8b"
    assert content_of(other, tmp_path)["bundles"] == {}


def test_a_page_is_written_when_the_result_is_there(tmp_path):
    panel = Doubler()
    with panel.standing_still(21):
        threading.Timer(0.05, panel.gate.set).start()
        content = content_of(panel, tmp_path)
    values = base64.b64decode(content["states"][panel.view.model_id]["values"]["base64"])
    assert np.frombuffer(values, np.float32).tolist() == [42]


def hostile_grid(layer: str | None = None) -> cw.FilterGrid:
    """A network whose name and layers are all written by somebody who means harm."""
    torch.manual_seed(0)
    parts = [nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 4)]
    kind = type("</title><script>alert(4)</script>", (nn.Sequential,), {})
    model = kind(OrderedDict(zip((name.replace(".", "") for name in HOSTILE), parts, strict=True)))
    panel = cw.FilterGrid(cw.bind(model, classes=HOSTILE, input_shape=(1, 6, 6)), layer)
    panel.wait()
    return panel


def test_names_with_markup_in_them_are_text(tmp_path):
    panel = hostile_grid()
    content = content_of(panel, tmp_path)
    page = (tmp_path / "panel.html").read_text("utf-8")
    elements = Elements(page)
    assert elements.tags.count("script") == 2
    assert elements.tags.count("title") == 1
    assert {"img", "b"}.isdisjoint(elements.tags)
    assert "alert" not in re.sub(r"<script.*?</script>|<title>.*?</title>|<header>.*?</header>", "", page, flags=re.DOTALL)
    assert HOSTILE[0] in json.dumps(content, ensure_ascii=False)
    assert HOSTILE[0] in panel.grid.title


def test_an_error_with_markup_in_it_is_text():
    panel = hostile_grid()
    panel.layer = HOSTILE[0] + "!"
    panel.wait()
    assert HOSTILE[0] in panel.status.message
    assert picture_of(panel._repr_mimebundle_()[0]).size


def test_the_static_picture_says_in_words_what_it_shows_and_how_to_use_it():
    panel = Doubler(number=3)
    panel.wait()
    bundle, metadata = panel._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == f"{type(panel).__name__}, {panel.subject}: {panel.status.finding}"
    png = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert png.width == 5 * DPI, "words have room below a narrow figure, too"
    assert 30 <= png.height - panel.figure().get_figheight() * DPI <= 60, "two lines: the finding, and how to use it"


def test_a_page_says_whose_it_is_what_it_shows_and_when_it_was_made(tmp_path):
    panel = Doubler(number=3)
    panel.wait()
    panel.to_html(tmp_path / "panel.html")
    page = (tmp_path / "panel.html").read_text("utf-8")
    assert f"<h1>{type(panel).__name__} · {panel.subject}</h1>\n<p>{panel.status.finding}</p>" in page
    assert f"{date.today().year} · made with cnnwidgets</footer>" in page
