"""A panel without its kernel: a PNG, a figure that carries the data, and a page that loads nothing."""

from __future__ import annotations

import base64
import io
import json
import re
import threading
from collections import OrderedDict
from html.parser import HTMLParser

import matplotlib.figure
import numpy as np
import pytest
import torch
from matplotlib import pyplot
from PIL import Image
from torch import nn

import cnnwidgets as cw
from tests.base.tiny import Doubler
from tests.views.stills import tiles

WIDGET = "application/vnd.jupyter.widget-view+json"
HOSTILE = ["<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", '"><b onclick="alert(3)">', "a&amp;b\u2028"]

PANELS = {
    "Doubler": Doubler,
    "FilterGrid": lambda: cw.FilterGrid(cw.load("scenes")),
    "FeatureMapBrowser": lambda: cw.FeatureMapBrowser(cw.load("scenes"), cw.samples.scenes(), "layer2.0.conv1"),
    "EmbeddingExplorer": lambda: cw.EmbeddingExplorer(cw.load("digits"), cw.samples.digits(), limit=60, method="pca"),
    "BackwardRules": lambda: cw.BackwardRules("network"),
}
every_panel = pytest.mark.parametrize("kind", PANELS)


@pytest.fixture(scope="module")
def panels():
    made = {kind: make() for kind, make in PANELS.items()}
    for panel in made.values():
        panel.wait()
    yield made
    for panel in made.values():
        panel.close()


def picture_of(bundle: dict) -> Image.Image:
    png = base64.b64decode(bundle["image/png"])
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return Image.open(io.BytesIO(png))


# MIME bundle


@every_panel
def test_the_bundle_has_the_live_view_a_png_and_a_line_of_text(panels, kind):
    bundle = panels[kind]._repr_mimebundle_()
    assert bundle[WIDGET]["model_id"] == panels[kind].model_id
    picture = picture_of(bundle)
    assert max(picture.size) > 100
    assert len(np.unique(np.asarray(picture))) > 2
    assert bundle["text/plain"].startswith(kind)
    assert json.loads(json.dumps(bundle)) == bundle


def test_the_bundle_waits_for_the_first_picture():
    panel = Doubler()
    panel.wait()
    with panel.standing_still(5):
        panel._result = None  # as if it was never there
        threading.Timer(0.05, panel.gate.set).start()
        assert "image/png" in panel._repr_mimebundle_()


@pytest.mark.parametrize("kind", ["FilterGrid", "FeatureMapBrowser", "EmbeddingExplorer"])
def test_a_panel_whose_last_computation_failed_shows_what_it_had(kind):
    panel = PANELS[kind]()
    panel.wait()
    panel.layer = "conv9"
    panel.wait()
    assert panel.status.kind == "error"
    assert min(picture_of(panel._repr_mimebundle_()).size) > 100


def test_a_panel_that_never_had_anything_shows_the_live_view_alone():
    panel = cw.FeatureMapBrowser(cw.load("digits"), "nowhere.png")
    bundle = panel._repr_mimebundle_()
    assert WIDGET in bundle
    assert "image/png" not in bundle


def test_shown_in_a_cell_there_are_two_outputs_the_live_view_and_its_twin(panels, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw, **_: shown.append(data))
    panels["FilterGrid"]._ipython_display_()
    live, twin = shown
    assert WIDGET in live
    assert WIDGET not in twin
    assert picture_of(twin)


# figure


@every_panel
def test_a_figure_is_matplotlibs_and_belongs_to_no_pyplot(panels, kind):
    before = pyplot.get_fignums()
    assert type(panels[kind].figure()) is matplotlib.figure.Figure
    assert pyplot.get_fignums() == before


def arrays_of(panel) -> list[np.ndarray]:
    """What the figure's images carry, blank cells as NaN."""
    images = [image for axes in panel.figure().axes for image in axes.images]
    return [np.ma.filled(np.ma.asarray(image.get_array(), float), np.nan) for image in images]


def same_to_a_byte(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether maps are the same, but for what a byte a pixel takes."""
    return np.allclose(one, other, atol=np.ptp(other) / 500 + 1e-6)


@pytest.mark.parametrize("sort", ["index", "maximum"])
def test_the_figure_of_a_browser_carries_picture_and_maps(panels, sort):
    panel = panels["FeatureMapBrowser"]
    panel.restore({"layer": "layer2.0.conv1", "scale": "layer", "sort": sort})
    picture, sheet = arrays_of(panel)
    data = panel.data()
    np.testing.assert_array_equal(picture, data["picture"])
    values = data["values"]
    order = np.argsort(-values.max((1, 2)), kind="stable") if sort == "maximum" else np.arange(len(values))
    for unit, one in zip(order, tiles(sheet, *values.shape), strict=True):
        assert same_to_a_byte(one, values[unit])


def test_with_a_scale_a_map_signed_maps_are_shown_by_their_largest_absolute_value(panels):
    panel = panels["FeatureMapBrowser"]
    panel.restore({"layer": "layer2.0.conv1", "scale": "map", "sort": "index"})
    _, sheet = arrays_of(panel)
    values = panel.data()["values"]
    assert values.min() < 0
    for one, tile in zip(values, tiles(sheet, *values.shape), strict=True):
        assert same_to_a_byte(tile, one / np.abs(one).max())


def test_the_figure_of_first_filters_carries_their_colours_with_zero_in_gray(panels):
    panel = panels["FilterGrid"]
    panel.restore({"layer": "conv1", "sort": "index", "scale": "layer"})
    (sheet,) = arrays_of(panel)
    values = panel.data()["values"]
    colours = (0.5 + 0.5 * values / np.abs(values).max()).transpose(0, 2, 3, 1)
    for tile, one in zip(tiles(sheet, len(values), 3, 3), colours, strict=True):
        assert same_to_a_byte(tile, one)


@pytest.mark.parametrize(
    ("state", "limits", "table"),
    [
        ({"scale": "layer"}, lambda v: (0, v.max()), "viridis"),
        ({"scale": "layer", "contrast": 4.0}, lambda v: (0, v.max() / 4), "viridis"),
        ({"scale": "layer", "colors": "gray"}, lambda v: (0, v.max()), "gray"),
        ({"scale": "layer", "colors": "diverging"}, lambda v: (-v.max(), v.max()), "RdBu_r"),
        ({"scale": "fixed", "limits": [0.5, 2.5]}, lambda v: (0.5, 2.5), "viridis"),
        ({"scale": "fixed", "limits": [-1.0, 3.0]}, lambda v: (-1, 3), "viridis"),
    ],
)
def test_the_figure_is_coloured_as_the_panel_says(panels, state, limits, table):
    panel = panels["FeatureMapBrowser"]
    panel.restore({"layer": "relu", "contrast": 1.0, "colors": "auto"} | state)
    _, image = (image for axes in panel.figure().axes for image in axes.images)
    values = panel.data()["values"]
    assert values.min() == 0
    assert image.get_clim() == pytest.approx(limits(values))
    assert image.get_cmap().name == table


def test_the_figure_of_deep_filters_carries_every_weight(panels):
    panel = panels["FilterGrid"]
    panel.restore({"layer": "layer1.0.conv1", "sort": "index", "scale": "layer", "channel": -1})
    (sheet,) = arrays_of(panel)
    values = panel.data()["values"]  # 16 channels of 3x3, as 4x4 parts
    for tile, one in zip(tiles(sheet, 16, 12, 12), values, strict=True):
        assert same_to_a_byte(tile.reshape(4, 3, 4, 3).swapaxes(1, 2).reshape(16, 3, 3), one)


def test_a_signed_layer_is_drawn_on_a_scale_with_zero_in_its_middle(panels):
    panel = panels["FilterGrid"]
    panel.restore({"layer": "layer1.0.conv1", "channel": -1, "scale": "layer"})
    panel.wait()
    ((lo, hi),) = [image.get_clim() for axes in panel.figure().axes for image in axes.images]
    assert lo == -hi == -np.abs(panel.data()["values"]).max()


# page


class Elements(HTMLParser):
    """The elements of a page, and the text of its scripts."""

    def __init__(self, page: str):
        super().__init__()
        self.tags, self.scripts, self.attributes = [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data):
        if self.tags and self.tags[-1] == "script":
            self.scripts[-1] += data


def page_of(panel, tmp_path) -> tuple[str, dict]:
    file = tmp_path / "panel.html"
    panel.to_html(str(file))
    assert [path.name for path in tmp_path.iterdir()] == ["panel.html"]
    page = file.read_text("utf-8")
    return page, json.loads(Elements(page).scripts[0])


@every_panel
def test_a_page_is_one_file_that_loads_nothing(panels, kind, tmp_path):
    page, _ = page_of(panels[kind], tmp_path)
    elements = Elements(page)
    assert not re.search(r"(https?:)?//[\w.-]+\.\w", re.sub(r"^\s*//.*$", "", page, flags=re.MULTILINE))
    assert {name for name, _ in elements.attributes} <= {"lang", "charset", "name", "content", "id", "type"}
    assert elements.tags.count("script") == 2
    assert {"link", "img", "iframe", "object", "base"}.isdisjoint(elements.tags)


@pytest.mark.parametrize("kind", ["FilterGrid", "FeatureMapBrowser"])
def test_a_page_carries_what_the_views_show(panels, kind, tmp_path):
    panel = panels[kind]
    _, content = page_of(panel, tmp_path)
    (state,) = [v["state"] for v in content["views"] if v["state"].get("title") == panel.grid.title]
    assert base64.b64decode(state["pixels"]["base64"]) == panel.grid.pixels
    assert base64.b64decode(state["orders"][panel.sort]["base64"]) == panel.grid.orders[panel.sort]
    assert (state["shape"], state["scale"]) == (panel.grid.shape, panel.scale)
    assert content["modules"].keys() == {view["module"] for view in content["views"]}


def test_a_page_of_charts_carries_plotly_once(panels, tmp_path):
    _, content = page_of(panels["FeatureMapBrowser"], tmp_path)
    assert base64.b64decode(content["bundles"]["plotly"])[:2] == b"\x1f\x8b"
    _, content = page_of(panels["FilterGrid"], tmp_path)
    assert content["bundles"] == {}


def test_a_page_is_written_when_the_result_is_there(tmp_path):
    _, content = page_of(cw.FeatureMapBrowser(cw.load("digits"), cw.samples.digits()), tmp_path)
    assert any(view["state"].get("pixels", {}).get("base64") for view in content["views"])


def hostile_browser() -> cw.FeatureMapBrowser:
    """A network whose name, layers and classes are all written by somebody who means harm."""
    torch.manual_seed(0)
    parts = zip(
        [name.replace(".", "") for name in HOSTILE],
        [nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 4)],
        strict=True,
    )
    kind = type("</title><script>alert(4)</script>", (nn.Sequential,), {})
    net = cw.bind(kind(OrderedDict(parts)), classes=HOSTILE, input_shape=(1, 6, 6))
    return cw.FeatureMapBrowser(net, torch.rand(1, 6, 6))


def test_names_with_markup_in_them_are_text(tmp_path):
    panel = hostile_browser()
    assert panel.result
    page, content = page_of(panel, tmp_path)
    elements = Elements(page)
    assert elements.tags.count("script") == 2
    assert elements.tags.count("title") == 1
    assert {"img", "b"}.isdisjoint(elements.tags)
    assert "alert" not in re.sub(r"<script.*?</script>|<title>.*?</title>", "", page, flags=re.DOTALL)
    assert HOSTILE[0] in json.dumps(content, ensure_ascii=False)
    assert any(name in panel.picture.caption for name in HOSTILE)


def test_an_error_with_markup_in_it_is_text(tmp_path):
    panel = hostile_browser()
    panel.wait()
    panel.layer = HOSTILE[0] + "!"
    panel.wait()
    assert HOSTILE[0] in panel.status.message
    assert picture_of(panel._repr_mimebundle_())
