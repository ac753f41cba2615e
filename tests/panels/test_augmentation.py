"""AugmentationGallery shows the method's copies at a strength, and counts what averaging over crops gains."""

from __future__ import annotations

import base64
import json
import time

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods import stability, ten_crop
from cnnwidgets.numbers import percent
from tests.base.tiny import PATIENCE
from tests.methods.data_sets import Pictures
from tests.methods.small import bound, picture


@pytest.fixture
def panel():
    made = cw.AugmentationGallery(bound(), 3, images=Pictures(24), augmentations=["flip", "noise"], copies=4)
    assert made.wait(PATIENCE)
    return made


def until(done, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_hidden(panel) -> bool:
    return any(panel.crops in box.hidden for box in panel._box.boxes())


def curves(chart) -> dict[str, np.ndarray]:
    """By their names the lengths of curves and bars, as plotly packs them."""

    def unpacked(one):
        packed = isinstance(one, dict)
        return np.frombuffer(base64.b64decode(one["bdata"]), np.dtype(one["dtype"])) if packed else np.array(one)

    data = json.loads(chart.figure)["data"]
    return {one.get("name"): unpacked(one["x" if one["type"] == "bar" else "y"]) for one in data}


def test_it_shows_the_copies_and_what_the_network_says_of_each(panel):
    net, found = panel.net, panel.result
    own = stability(net, Pictures()[3][0], ["flip", "noise"], copies=4)
    np.testing.assert_array_equal(found.values, own.values)
    np.testing.assert_array_equal(panel.grid.maps.round(), np.stack([own.picture, *own.pictures[5]]))
    classes, chances = own.answers[5].argmax(1), own.answers[5].max(1)
    crosses = ["" if one == own.said.argmax() else "✗ " for one in classes]
    told = [f"{cross}{percent(p)} · {one}" for cross, p, one in zip(crosses, chances, classes, strict=True)]
    assert panel.grid.labels == [f"{percent(own.said.max())} · {own.said.argmax()}", *told]
    assert panel.status.message.split("\n")[0] == own.sentence(5, net.classes)


def test_the_curves_are_means_over_the_copies(panel):
    found, drawn = panel.result, curves(panel.chart)
    np.testing.assert_allclose(drawn[f"probability of {found.target}"], found.values.mean(1), rtol=1e-6)
    np.testing.assert_allclose(drawn["features: cosine"], found.similarity.mean(1), rtol=1e-6)
    np.testing.assert_allclose(drawn["same class"], found.kept)
    assert drawn["other pictures: cosine"].tolist() == [found.others] * 2


def test_the_line_in_the_chart_and_the_slider_show_other_copies_without_computing(panel):
    found = panel.result
    panel.chart.set_state({"line": 0.92})
    assert panel.strength == panel.chart.line == 0.92
    assert panel.result is found
    np.testing.assert_array_equal(panel.grid.maps.round()[1:], found.pictures[9])
    assert panel.status.message.startswith("At strength 0.9, ")


def test_the_button_counts_the_pictures_that_are_right(panel):
    assert is_hidden(panel)
    panel.average_crops()
    until(lambda: panel.cropped is not None)
    own = ten_crop(panel.net, Pictures(24))
    assert panel.status.message == own.summary and not is_hidden(panel)
    (bars,) = curves(panel.crops).values()
    np.testing.assert_allclose(bars, own.accuracy)
    panel.strength = 0.2
    assert panel.status.message.endswith(own.summary)


def test_a_picture_alone_has_no_crops_to_average():
    panel = cw.AugmentationGallery(bound(), picture(), copies=2)
    assert panel.wait(PATIENCE) and np.isnan(panel.result.others)
    assert not panel.can_crop
    with pytest.raises(ValueError, match="a data set with labels"):
        panel.average_crops()


def test_a_regression_is_watched_by_its_value():
    model = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(200, 1))
    panel = cw.AugmentationGallery(cw.bind(model, input_shape=(3, 12, 12), outputs="values"), Pictures(5), copies=2)
    assert panel.wait(PATIENCE) and not panel.can_crop
    assert panel.grid.labels[0] != "" and "✗" not in "".join(panel.grid.labels)
    assert panel.status.message.startswith("At strength 0.5, the value is ")


def test_broken_pictures_of_the_data_set_are_left_out_of_what_is_compared():
    class Broken(Pictures):
        def __getitem__(self, i):
            if i == 2:
                raise OSError("truncated")
            return super().__getitem__(i)

    panel = cw.AugmentationGallery(bound(), 0, images=Broken(4), copies=1, layer="5")
    own = [torch.as_tensor(Pictures()[i][0]) for i in (1, 3)]
    assert panel.result.others == pytest.approx(
        stability(panel.net, Pictures()[0][0], [], [0.0], layer="5", others=own).others, rel=1e-5
    )
