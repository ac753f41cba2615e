"""Views in which a picture is made: what comes from the browser, and what they show."""

from __future__ import annotations

import numpy as np
import pytest
import traitlets as t

from cnnwidgets.views import CameraView, DrawView
from tests.views.stills import drawn


def picture(height: int = 4, width: int = 6) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


def test_an_empty_pad_is_a_picture_of_its_paper():
    pad = DrawView(shape=[2, 3], paper="#ff8000")
    assert pad.picture.tolist() == [[[255, 128, 0]] * 3] * 2
    assert CameraView().picture is None, "no camera was there yet"


@pytest.mark.parametrize("view", [DrawView, CameraView])
def test_what_a_hand_makes_is_told_and_can_be_kept(view):
    made, heard = view(shape=[4, 6]), []
    made.on_user("pixels", lambda pixels: heard.append(made.picture))
    made.set_state({"pixels": memoryview(picture().tobytes())})
    assert np.array_equal(heard[0], picture())
    heard[0][:] = 0
    assert np.array_equal(made.picture, picture()), "it is a copy"
    again = view()
    again.show(made.picture, title="again")
    assert np.array_equal(again.picture, picture())


def test_a_pad_is_cleared_by_code():
    pad = DrawView(paper="#ffffff")
    pad.show(picture())
    pad.clear()
    assert (pad.picture == 255).all()


@pytest.mark.parametrize(
    "wrong",
    [{"shape": [0, 5]}, {"shape": [5]}, {"shape": [5, 2000]}, {"paper": "red"}, {"ink": "#12345"}, {"colors": ["blue"]},
     {"frame": [0, 0, 2, 1]}],
)  # fmt: skip
def test_what_is_no_size_and_no_color_is_refused(wrong):
    with pytest.raises(t.TraitError):
        DrawView(**wrong)


def test_a_still_shows_the_picture():
    pad = DrawView(title="a seven")
    pad.show(picture())
    (axes,) = drawn(pad)
    assert np.array_equal(np.asarray(axes.images[0].get_array())[..., :3], picture())
    assert axes.get_title(loc="left") == "a seven"
