"""What one draws on, and how a drawing comes into a panel."""

from __future__ import annotations

import threading
import zlib

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.base import ImagePanel, controls
from cnnwidgets.base.image import Image
from cnnwidgets.base.pad import LONG, pad_of, pixels_of
from cnnwidgets.base.traits import public


def net_of(*shape: int):
    model = nn.Sequential(nn.Conv2d(shape[0], 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()
    return cw.bind(model, input_shape=shape)


def sheet(paper: tuple[int, ...], ink: tuple[int, ...], top: int, left: int, bottom: int, right: int) -> np.ndarray:
    """Paper (32, 40) with a rectangle on it."""
    picture = np.full((32, 40, 3), paper, np.uint8)
    picture[top:bottom, left:right] = ink
    return picture


def message(picture: np.ndarray, key: str = "one") -> tuple[dict, list[bytes]]:
    """A picture as the browser sends it."""
    told = {"kind": "picture", "name": "image", "key": key, "shape": list(picture.shape[:2])}
    return told, [zlib.compress(np.ascontiguousarray(picture).tobytes())]


def test_digits_are_drawn_in_white_on_black_where_the_digits_lie():
    digits = cw.samples.digits()
    pad = pad_of(cw.load("digits"), digits)
    assert (pad["paper"], pad["ink"], pad["shape"]) == ("#000000", "#ffffff", [192, 192])
    assert pad["colors"] == ["#000000", "#808080", "#ffffff"], "the network sees no others"
    top, left, bottom, right = pad["frame"]
    assert 0 < top < 0.5 < bottom < 1 and 0 < left < 0.5 < right < 1
    inside = np.zeros((32, 32), bool)
    inside[round(top * 32) : round(bottom * 32), round(left * 32) : round(right * 32)] = True
    ink = np.stack([digits.picture(k) for k in range(500)]).reshape(500, 32, 32, -1).max(-1) / 255.0
    assert ink[:, inside].sum() > 0.95 * ink.sum()


@pytest.mark.parametrize(
    ("paper", "ink", "drawn_with"),
    [((250, 240, 230), (10, 20, 30), "#000000"), ((20, 40, 60), (255, 255, 0), "#ffffff")],
)
def test_the_paper_has_the_color_of_the_pictures_edges_and_the_frame_holds_what_is_on_it(paper, ink, drawn_with):
    pictures = [sheet(paper, ink, 4, 5, 20, 30), sheet(paper, ink, 8, 10, 28, 20)]
    pad = pad_of(net_of(3, 32, 40), pictures)
    assert pad["paper"] == "#" + bytes(paper).hex()
    assert pad["ink"] == drawn_with
    assert pad["frame"] == [4 / 32, 5 / 40, 28 / 32, 30 / 40]


def test_photographs_lie_on_no_paper():
    scenes = pad_of(cw.load("scenes"), cw.samples.scenes())
    assert (scenes["paper"], scenes["ink"], scenes["frame"]) == ("#ffffff", "#000000", [])
    assert pad_of(net_of(3, 32, 32), ())["paper"] == "#ffffff", "there are no pictures"


@pytest.mark.parametrize(("height", "width"), [(8, 8), (28, 28), (64, 48), (224, 224), (1024, 512), (2000, 100)])
def test_a_pad_is_large_enough_to_draw_on_and_bounded(height, width):
    tall, wide = pad_of(net_of(3, height, width), ())["shape"]
    assert max(tall, wide) <= LONG
    assert tall / wide == pytest.approx(height / width, rel=0.04)
    assert min(tall, wide) >= 192 or max(tall, wide) == LONG
    if max(height, width) <= 192:
        assert tall % height == wide % width == 0, "a pixel of the input is a square of the drawing"


def test_pixels_come_as_they_were():
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    assert np.array_equal(pixels_of(memoryview(zlib.compress(picture.tobytes())), [5, 7]), picture)
    with pytest.raises(ValueError, match="reshape"):
        pixels_of(zlib.compress(b"\0" * 5), [5, 7])
    with pytest.raises(ValueError, match=f"up to {LONG}×{LONG} pixels, got 5×100000"):
        pixels_of(b"", [5, 100000])
    bomb = zlib.compress(bytes(50_000_000))
    assert pixels_of(bomb, [5, 7]).shape == (5, 7, 3), "no more is unpacked than there is room for"


@pytest.fixture
def browser():
    pictures = [sheet((0, 0, 0), (255, 255, 255), 4, 4, 12, 12)] * 3
    return cw.FeatureMapBrowser(net_of(3, 32, 40), 1, images=pictures)


def test_a_drawing_is_a_picture_as_any_other(browser):
    drawn = sheet((255, 255, 255), (0, 0, 0), 2, 3, 20, 30)
    browser._take_message(None, *message(drawn))
    assert np.array_equal(browser.image, drawn)
    assert np.array_equal(browser.data()["picture"], drawn)
    assert browser.get_state("image") == {"image": {"other": "40×32 pixels"}}
    other = cw.FeatureMapBrowser(browser.net, 0, images=browser.images)
    other.restore(browser.state)
    assert np.array_equal(other.data()["picture"], drawn)


def test_it_is_answered_when_its_result_is_on_screen(browser):
    assert browser.result is not None
    heard, seen = threading.Event(), []

    def hear(change):
        seen.append((change.new, browser.asked.image.mean()))
        heard.set()

    browser.observe(hear, "_answered")
    for level in (10, 200):
        heard.clear()
        browser._take_message(None, *message(np.full((8, 8, 3), level, np.uint8), f"of {level}"))
        assert heard.wait(20)
    assert seen == [("of 10", 10), ("of 200", 200)]


def test_a_picture_that_is_refused_is_a_sentence_and_is_answered(browser):
    told, _ = message(np.zeros((8, 8, 3), np.uint8))
    browser._take_message(None, told, [b"no pixels"])
    assert browser.status.kind == "error"
    assert (browser.image, browser._answered) == (1, "one")
    browser._take_message(None, *message(np.zeros((8, 8, 3), np.uint8), "two"))
    browser.wait(20)
    assert browser.status.kind != "error"


def test_what_fails_is_answered_too_so_that_the_next_can_come():
    class Fails(ImagePanel):
        def build(self):
            return []

        def compute(self, state, job):
            raise ValueError("a picture that it does not like")

    panel = Fails(net_of(3, 16, 16), torch.zeros(3, 16, 16))
    panel._take_message(None, *message(np.zeros((8, 8, 3), np.uint8), "mine"))
    panel.wait(20)
    _wait_for(lambda: panel._answered == "mine")
    assert "does not like" in panel.status.message


def test_where_nothing_is_computed_it_is_answered_at_once():
    class Keeps(ImagePanel):
        image = public(Image(None, help="a picture"), controls.Picture(among=lambda panel: panel.images), then="nothing")

        def build(self):
            return []

        def compute(self, state, job):
            return 1

    panel = Keeps(net_of(3, 16, 16), 0, images=[np.zeros((8, 8, 3), np.uint8)])
    panel.wait(20)
    panel._take_message(None, *message(np.zeros((8, 8, 3), np.uint8), "mine"))
    assert panel._answered == "mine"


def test_a_locked_picture_is_not_drawn_over():
    panel = cw.FeatureMapBrowser(net_of(3, 16, 16), 0, images=[np.zeros((8, 8, 3), np.uint8)], lock=["image"])
    panel._take_message(None, *message(np.zeros((8, 8, 3), np.uint8)))
    assert panel.image == 0


def test_a_linked_panel_takes_it_over(browser):
    other = cw.FeatureMapBrowser(browser.net, 0, images=browser.images)
    cw.link(browser, other)
    drawn = sheet((255, 255, 255), (0, 0, 0), 2, 3, 20, 30)
    browser._take_message(None, *message(drawn))
    assert np.array_equal(other.data()["picture"], drawn)


def test_a_pad_comes_when_it_is_asked_for(browser):
    assert browser._pads == {}
    browser._take_message(None, {"kind": "pad", "name": "image"}, [])
    assert browser._pads["image"]["paper"] == "#000000"


@pytest.mark.parametrize(
    ("image", "paper"),
    [(np.zeros((32, 40, 3), np.uint8), "#000000"), ("gone.png", "#ffffff"), (None, "#ffffff")],
)
def test_without_a_data_set_the_panels_own_picture_says_what_the_paper_is(image, paper):
    panel = cw.FeatureMapBrowser(net_of(3, 32, 40), image)
    panel._take_message(None, {"kind": "pad", "name": "image"}, [])
    assert panel._pads["image"]["paper"] == paper


def _wait_for(condition, seconds: float = 20) -> None:
    ended = threading.Event()
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        ended.wait(0.01)
    raise AssertionError("it never came")
