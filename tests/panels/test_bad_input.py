"""Whatever is wrong is a sentence in the panel, nothing else changes, and the next valid input works."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

import cnnwidgets as cw
from tests.base.tiny import under
from tests.net.networks import LeNet5, unchanged


class Empty(Dataset):
    def __len__(self):
        return 0


class HalfFinished(nn.Module):
    """A student's: fails in its own line, or in a function of torch's that it calls, and here only for some pictures."""

    def __init__(self, how: str):
        super().__init__()
        self.how = how
        self.conv1 = nn.Conv2d(1, 2, 3)
        self.conv2 = nn.Conv2d(3, 2, 3)

    def forward(self, x):
        y = self.conv1(x)
        if self.how == "own" or (self.how == "some" and x.max() > 0):
            raise NotImplementedError("here goes the second convolution")
        if self.how == "layer":
            y = self.conv2(y)
        if self.how == "function" and x.max() > 0:
            y = torch.cat([y, x], 2)
        return y


@pytest.fixture(scope="module")
def digits():
    return cw.load("digits")


@pytest.fixture(scope="module")
def good():
    return cw.samples.digits()[3][0]


def told(panel) -> str:
    assert panel.wait(30)
    assert panel.status.kind == "error"
    with pytest.raises(type(panel.error)):
        _ = panel.result
    return panel.status.message


def works(panel) -> bool:
    assert panel.result
    return (panel.status.kind, panel.error) == ("ready", None) and np.isfinite(panel.data()["values"]).all()


def text_file(path):
    (path / "notes.txt").write_text("no picture")
    return str(path / "notes.txt")


PICTURES = {
    "a path that is not there": (lambda path: path / "nowhere.png", r"There is no file '.*nowhere\.png' \(looked in '"),
    "a path as text": (lambda path: "nowhere.png", r"There is no file 'nowhere\.png'"),
    "a folder": (str, "is a folder; expected a picture file"),
    "a file that is not a picture": (text_file, r"notes\.txt' is not a picture that Pillow can read"),
    "an uploaded file that is none": (lambda path: b"no picture", "is not a picture that Pillow can read"),
    "a tensor of another size": (
        lambda path: torch.rand(1, 28, 28),
        "The picture is a float32 tensor 1×28×28, the network expects 1×32×32: give a path",
    ),
    "a tensor with other channels": (lambda path: torch.rand(3, 32, 32), "3×32×32, the network expects 1×32×32"),
    "a tensor with NaNs": (
        lambda path: torch.full((1, 32, 32), torch.nan),
        "1,024 of the 1,024 values of the picture are NaN or infinite",
    ),
    "an array that is none": (lambda path: np.zeros((2, 3, 4, 5)), r"An array \(2, 3, 4, 5\) is not a picture"),
    "floats beyond [0, 1]": (lambda path: np.full((8, 8), 255.0), "The picture's floats run from 255 to 255; expected"),
    "something else": (
        lambda path: {"a": 1},
        "Expected an item with a picture under a name such as 'image', .* got one with 'a'",
    ),
    "several pictures": (lambda path: torch.rand(2, 1, 32, 32), "Expected one picture, got 2"),
    "no picture": (lambda path: None, "Expected a picture, got none; set image="),
}


@pytest.mark.parametrize("given", PICTURES)
def test_a_bad_picture_is_a_sentence_at_first_or_later_and_a_good_one_works(digits, good, given, tmp_path):
    make, sentence = PICTURES[given]
    first, later = cw.FeatureMapBrowser(digits, make(tmp_path)), cw.FeatureMapBrowser(digits, good)
    before = later.data()
    later.image = make(tmp_path)
    for panel in (first, later):
        assert_matches(sentence, told(panel))
    np.testing.assert_array_equal(later._result.maps.values, before["values"])
    for panel in (first, later):
        panel.image = good
        assert works(panel)
        np.testing.assert_array_equal(panel.data()["values"], before["values"])


def assert_matches(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=pattern):
        raise ValueError(message)


@pytest.mark.parametrize("number", [500, -1, 10**6])
def test_a_number_that_the_data_set_does_not_have(digits, number):
    panel = cw.FeatureMapBrowser(digits, cw.samples.digits())
    panel.image = number
    assert told(panel) == f"The data set has no picture {number}: its 500 pictures are numbered from 0"
    panel.image = 499
    assert works(panel)


@pytest.mark.parametrize("images", [[], Empty()])
def test_an_empty_data_set(digits, good, images):
    panel = cw.FeatureMapBrowser(digits, images)
    assert told(panel) == "Expected a data set with pictures, got an empty one"
    panel.image = good
    assert works(panel)


def test_a_number_without_a_data_set(digits, good):
    panel = cw.FeatureMapBrowser(digits, 3)
    assert told(panel) == "3 is the number of a picture; pass its data set as images=, or the picture itself"
    panel.image = good
    assert works(panel)


@pytest.mark.parametrize("panel", ["FilterGrid", "FeatureMapBrowser"])
def test_a_misspelled_layer_offers_the_nearest(digits, good, panel):
    given = {"FilterGrid": [digits], "FeatureMapBrowser": [digits, good]}[panel]
    make = partial(getattr(cw, panel), *given)
    first, later = make(layer="conf2"), make()
    later.wait()
    later.layer = "conf2"
    for panel in (first, later):
        assert_matches("The network has no layer 'conf2'. Did you mean 'conv2'", told(panel))
        panel.layer = "conv2"
        assert works(panel)


def test_after_a_misspelled_layer_the_table_works(digits, good):
    panel = cw.FeatureMapBrowser(digits, good, layer="conf2")
    told(panel)
    panel.table.set_state({"selected": panel.layer_names.index("conv2")})
    assert works(panel)
    assert panel.result.maps.layer.name == "conv2"


def test_weights_that_are_no_numbers(good):
    torch.manual_seed(0)
    model = LeNet5()
    model.conv2.weight.data[0, 0, 0, :3] = torch.nan
    with unchanged(model):
        grid, browser = cw.FilterGrid(model, "conv2"), cw.FeatureMapBrowser(model, good, "conv2")
        assert told(grid) == "3 of the 2,400 values of the weight of conv2 (16×6×5×5) are NaN or infinite"
        assert told(browser) == "100 of the 1,600 values of conv2 are NaN or infinite; no earlier layer has any"
        grid.layer = browser.layer = "conv1"
        assert works(grid)
        assert works(browser)
        assert "NaN" in browser.picture.caption


def test_a_network_whose_input_only_a_good_picture_tells_works_with_it():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 18 * 11, 3))  # 20x13 and nothing else
    panel = cw.FeatureMapBrowser(model, "nowhere.png")
    assert told(panel).startswith("There is no file 'nowhere.png'")
    panel.image = torch.rand(1, 19, 13)
    assert "mat1 and mat2 shapes cannot be multiplied" in told(panel).lower()
    panel.image = torch.rand(1, 20, 13)
    assert works(panel)
    assert panel.grid in list(under(panel))
    panel.layer = "2"
    assert panel.result.maps.layer.name == "2"


def test_a_network_without_filters(good):
    panel = cw.FilterGrid(cw.bind(nn.Sequential(nn.ReLU()), input_shape=(1, 8, 8)))
    assert told(panel).startswith("Sequential has no layer with filters")


def test_a_network_without_layers():
    class Nothing(nn.Module):
        def forward(self, x):
            return x

    panel = cw.FeatureMapBrowser(cw.bind(Nothing(), input_shape=(1, 8, 8)), torch.rand(1, 8, 8))
    assert told(panel) == "Nothing has no layer to show: no output is maps, a vector, a sequence or tokens"


@pytest.mark.parametrize("panel", [cw.FilterGrid, lambda model: cw.FeatureMapBrowser(model, torch.rand(1, 8, 8))])
def test_several_inputs_are_refused_with_their_names(panel):
    class Two(nn.Module):
        def forward(self, picture, question):
            return picture

    with pytest.raises(TypeError, match=r"Two\.forward takes 2 inputs \(picture, question\)"):
        panel(Two())


@pytest.mark.parametrize("bound", [True, False])
@pytest.mark.parametrize(
    ("how", "message", "line"),
    [
        ("own", "NotImplementedError: here goes the second convolution", 'raise NotImplementedError("here goes the'),
        ("layer", "RuntimeError: Given groups=1, weight of size [2, 3, 3, 3]", "y = self.conv2(y)"),
    ],
)
def test_a_students_error_is_told_with_their_line_in_both_panels(how, message, line, bound):
    module = HalfFinished(how)
    model = cw.bind(module, input_shape=(1, 8, 8)) if bound else module
    picture = torch.rand(1, 8, 8)
    with unchanged(module):
        panels = [cw.FeatureMapBrowser(model, picture)]
        if bound:
            panels.append(cw.FilterGrid(model))
        for panel in panels:
            sentence = told(panel)
            assert sentence.startswith(message)
            assert "in forward, line " in sentence
            assert ("in layer conv2 (Conv2d), called in forward" in sentence) == (how == "layer")
            assert f"of test_bad_input.py: {line}" in sentence


@pytest.mark.parametrize(("how", "line"), [("some", "raise NotImplementedError"), ("function", "y = torch.cat([y, x], 2)")])
def test_an_error_for_some_pictures_is_told_with_its_line_and_the_next_picture_works(how, line):
    model = HalfFinished(how)
    panel = cw.FeatureMapBrowser(cw.bind(model, input_shape=(1, 8, 8)), torch.rand(1, 8, 8))
    with unchanged(model):
        assert f"of test_bad_input.py: {line}" in told(panel)
        panel.image = -torch.ones(1, 8, 8)
        assert works(panel)
