"""A panel's state is one line of JSON, and brings the panel back."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
import traitlets as t
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

import cnnwidgets as cw
from cnnwidgets.base.image import Image as Picture
from cnnwidgets.net.pictures import open_picture
from tests.base.tiny import Doubler

NUMBERS = (
    {name: st.integers(0, 9) for name in ("image", "picture", "number")}
    | {
        "unit": st.integers(-1, 5),
        "channel": st.none() | st.integers(0, 0),
        "limit": st.integers(1, 60),
        "seed": st.integers(0, 9),
        "playing": st.just(False),  # what moves takes long
        "selection": st.lists(st.integers(0, 9)),
    }
    | {"beside": st.none() | st.integers(0, 9)}
    | {"patience": st.integers(1, 9), "randomized": st.integers(0, 5)}
    | {"target": st.none() | st.sampled_from("0123456789")}
    | {"other_targets": st.lists(st.sampled_from("0123456789"), max_size=2)}
    | {"methods": st.lists(st.sampled_from(["saliency", "deconvnet", "grad_cam"]), min_size=1, unique=True)}
    | {name: st.none() | st.integers(1, 99) for name in ("n_iter", "n_neighbors", "n_epochs")}
)


def states(panel) -> st.SearchStrategy[dict]:
    """States that a panel can have; any part of its traits."""

    def values(name: str, trait: t.TraitType):
        match name, trait:
            case "layer", _:
                rows = panel.net.layers if isinstance(panel, cw.FeatureMapBrowser) else panel.net.layers.weighted
                return st.sampled_from([row.name for row in rows])
            case "cam_layer", _:
                return st.none() | st.sampled_from([row.name for row in panel.net.layers.maps])
            case "limits", _:
                return st.tuples(st.floats(-9, 0), st.floats(0.5, 9)).map(list)
            case _, t.Enum():
                return st.sampled_from(trait.values)
            case _, t.Bool() if name not in NUMBERS:
                return st.booleans()
            case _, t.Float():
                return st.floats(max(trait.min, 0), 31)
            case _, t.Unicode():
                return st.text(max_size=5)
        return NUMBERS[name]

    traits = panel.public_traits()
    return st.fixed_dictionaries({}, optional={name: values(name, trait) for name, trait in traits.items()})


KINDS = {
    "Doubler": Doubler,
    "FilterGrid": lambda: cw.FilterGrid(cw.load("digits")),
    "FeatureMapBrowser": lambda: cw.FeatureMapBrowser(cw.load("digits"), cw.samples.digits()),
    "SaliencyPanel": lambda: cw.SaliencyPanel(cw.load("digits"), cw.samples.digits()),
    "EarlyStopping": lambda: cw.EarlyStopping([3.0, 2.0, 1.0, 2.0, 3.0]),
    "EmbeddingExplorer": lambda: cw.EmbeddingExplorer(cw.load("digits"), cw.samples.digits(), limit=60, playing=False),
}


@cache
def pair(kind: str):
    return KINDS[kind](), KINDS[kind]()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_state_goes_through_json_and_comes_back_in_another_panel(kind, data):
    panel, other = pair(kind)
    state = data.draw(states(panel))
    panel.restore(state)
    assert panel.wait(20)
    assert {name: panel.state[name] for name in state} == state
    line = json.dumps(panel.state)
    assert "\n" not in line
    other.restore(json.loads(line))
    assert other.wait(20)
    assert other.state == panel.state == json.loads(line)
    assert repr(other) == repr(panel)


@pytest.mark.parametrize("kind", ["FilterGrid", "FeatureMapBrowser"])
def test_a_restored_panel_shows_the_same(kind):
    panel, other = pair(kind)
    panel.restore({"layer": "conv2", "scale": "fixed", "unit": 3, "sort": panel.traits()["sort"].values[1]})
    other.restore(panel.state)
    for name, values in panel.data().items():
        np.testing.assert_array_equal(other.data()[name], values)
    for trait in ("pixels", "lo", "hi", "orders", "selected", "scale", "sort", "title"):
        assert getattr(other.grid, trait) == getattr(panel.grid, trait), trait


@pytest.mark.parametrize("kind", KINDS)
def test_traits_that_a_state_does_not_name_keep_their_values(kind):
    panel, _ = pair(kind)
    before = panel.state
    panel.restore({})
    assert panel.state == before


# values that do not fit


def bad_states() -> list:
    return [
        ("Doubler", {"number": 3, "word": 4}),
        ("Doubler", {"word": "two", "picture": {"png": "no picture"}}),
        ("Doubler", {"word": "two", "picture": {"npy": "bm8gYXJyYXk="}}),
        ("FilterGrid", {"layer": "conv2", "sort": "color"}),
        ("FilterGrid", {"unit": "third", "layer": "conv2"}),
        ("FeatureMapBrowser", {"layer": "conv2", "image": 3, "y": "top"}),
        ("FeatureMapBrowser", {"image": 3, "layer": 7}),
        ("SaliencyPanel", {"image": 3, "methods": ["saliency", "graincam"]}),
        ("EarlyStopping", {"min_delta": 0.5, "patience": 0}),
        ("EmbeddingExplorer", {"layer": "conv2", "method": "lda"}),
        ("EmbeddingExplorer", {"layer": "conv2", "selection": [3, "cat"]}),
    ]


@pytest.mark.parametrize(("kind", "bad"), bad_states())
def test_a_state_with_a_value_that_does_not_fit_changes_nothing(kind, bad):
    panel, _ = pair(kind)
    panel.restore({"layer": "conv1"} if "layer" in panel.public_traits() else {})
    panel.wait()
    before, seen = panel.state, []
    panel.observe(seen.append, list(panel.public_traits()))
    with pytest.raises((t.TraitError, ValueError, OSError)):
        panel.restore(bad)
    panel.unobserve(seen.append, list(panel.public_traits()))
    assert panel.state == before
    assert seen == []


# pictures


def through_json(value):
    trait = Picture()
    return trait.decode(json.loads(json.dumps(trait.encode(value))))


@given(arrays(np.uint8, st.sampled_from([(4, 5), (4, 5, 3), (1, 1), (2, 3, 1)])))
def test_an_array_comes_back_as_the_same_picture(array):
    np.testing.assert_array_equal(np.asarray(open_picture(through_json(array))), np.asarray(open_picture(array)))


@given(arrays(np.float32, (3, 4, 5), elements=st.floats(width=32, allow_nan=False)))
def test_a_preprocessed_tensor_comes_back_exactly(array):
    tensor = torch.from_numpy(array)
    back = through_json(tensor)
    assert back.dtype == torch.float32
    assert torch.equal(back, tensor)


@pytest.mark.parametrize("value", [None, 0, 7, "cat.jpg", "ä/ö.png"])
def test_a_path_or_a_number_stands_for_itself(value):
    assert through_json(value) == value


def test_a_path_object_becomes_its_text():
    assert through_json(Path("a") / "cat.jpg") == str(Path("a") / "cat.jpg")


def test_an_item_of_a_data_set_is_its_picture():
    image, label = cw.samples.digits()[0]
    assert torch.equal(through_json((image, label)), image)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I;16", "F"])
def test_a_picture_of_every_mode_comes_back_as_the_network_sees_it(mode):
    pixels = np.random.default_rng(0).integers(0, 255, (6, 5, 4), np.uint8)
    if mode == "F":
        picture = Image.fromarray(pixels[:, :, 0].astype(np.float32) / 255)
    elif mode == "I;16":
        picture = Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 257)
    else:
        picture = Image.fromarray(pixels if mode == "RGBA" else pixels[:, :, :3]).convert(mode)
    np.testing.assert_array_equal(np.asarray(open_picture(through_json(picture))), np.asarray(open_picture(picture)))


def test_a_picture_that_exif_turns_comes_back_turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6)).save(file, "PNG", exif=exif)
    picture = Image.open(file)
    assert open_picture(picture).size == (4, 6)
    assert open_picture(through_json(picture)).size == (4, 6)
    assert open_picture(through_json(file.getvalue())).size == (4, 6)


@pytest.mark.parametrize("limits", [[1.0, -1.0], [2.0, 2.0], [1.0]])
def test_limits_that_do_not_rise_are_refused_and_the_old_ones_stay(limits):
    panel = cw.FilterGrid(cw.load("digits"))
    with pytest.raises(t.TraitError):
        panel.limits = limits
    assert panel.limits == [-1.0, 1.0]
