"""What a hand draws beside a control strip, and what a camera sees, in a real Chromium without a kernel."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from tests.browser.strips import axe, call, control

pytestmark = pytest.mark.browser

SIDE = 96
PAD = {"shape": [SIDE, SIDE], "paper": "#000000", "ink": "#ffffff", "colors": ["#000000", "#808080", "#ffffff"],
       "frame": [0.2, 0.3, 0.8, 0.7]}  # fmt: skip
COLORED = PAD | {"paper": "#ffffff", "ink": "#000000", "colors": ["#000000", "#d62728"], "frame": []}

CAMERA = """(wrong) => {
  window.tracks = [];
  navigator.mediaDevices.getUserMedia = async () => {
    if (wrong) throw new DOMException("no", wrong);
    const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 160 });
    const context = canvas.getContext("2d");
    setInterval(() => {
      context.fillStyle = "red"; context.fillRect(0, 0, 160, 160);
      context.fillStyle = "blue"; context.fillRect(160, 0, 160, 160);
    }, 20);
    const stream = canvas.captureStream(50);
    window.tracks.push(...stream.getTracks());
    return stream;
  };
}"""
"""A camera whose left half is red; or one that is refused, with the name of an error."""


class Sheet:
    """A strip whose picture one draws."""

    def __init__(self, strip, pad=PAD, name="Draw a picture"):
        self.strip, self.page = strip, strip.page
        strip.show([control("image", "picture", min=0, max=9)], image=3, _pads={}, _answered="")
        strip.ask("void (model.send = (message, _, buffers) => model.sent.push({ ...message, file: buffers?.[0] }))")
        self.opener = strip.role("button", name)
        self.opener.click()
        assert strip.ask("model.sent.splice(0).map(({ kind, name }) => [kind, name])") == [["pad", "image"]]
        strip.code(_pads={"image": pad})
        self.root = strip.role("group", name)

    @property
    def paper(self):
        return self.root.locator(".cw-draw-paper")

    def at(self, x, y):
        box = self.paper.bounding_box()
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    def stroke(self, *points):
        self.page.mouse.move(*self.at(*points[0]))
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*self.at(*point))
        self.page.mouse.up()

    def press(self, name):
        self.root.get_by_role("button", name=name, exact=True).click()

    def answer(self):
        """What was sent, and answer the last of it."""
        self.page.wait_for_function("model.sent.length > 0")
        self.page.wait_for_timeout(50)
        sent = self.strip.ask("model.sent.splice(0).map((one) => ({ ...one, file: [...new Uint8Array(one.file)] }))")
        self.strip.code(_answered=sent[-1]["key"])
        return [np.frombuffer(zlib.decompress(bytes(one["file"])), np.uint8).reshape(*one["shape"], 3) for one in sent]

    def last(self):
        return self.answer()[-1]


@pytest.fixture
def sheet(strip):
    return Sheet(strip)


def test_a_stroke_is_ink_on_paper_and_an_undo_takes_back_one(sheet):
    sheet.stroke((0.2, 0.5), (0.8, 0.5))
    one = sheet.last()
    assert one.shape == (SIDE, SIDE, 3)
    assert (one[SIDE // 2, SIDE // 4 : 3 * SIDE // 4] == 255).all()
    assert (one[: SIDE // 3] == 0).all() and (one[2 * SIDE // 3 :] == 0).all()
    assert abs((one[:, SIDE // 2, 0] / 255).sum() / SIDE - 0.1) < 0.02, "a medium pen has a tenth of the side"
    sheet.stroke((0.5, 0.2), (0.5, 0.8))
    two = sheet.last()
    assert (two[SIDE // 4 : 3 * SIDE // 4, SIDE // 2] == 255).all()
    sheet.press("Undo the last stroke (Ctrl+Z)")
    assert np.array_equal(sheet.last(), one), "to the last pixel"
    sheet.strip.press("Control+z")
    assert (sheet.last() == 0).all()
    assert sheet.root.get_by_text("The paper is empty.").is_visible()
    assert sheet.root.get_by_role("button", name="Undo").is_disabled()


def test_clear_erase_and_a_pens_width(sheet):
    sheet.stroke((0.5, 0.5), (0.5, 0.5))
    areas = [int((sheet.last() > 127).sum()) // 3]
    for pen in ("Thin pen", "Thick pen"):
        sheet.press("Clear the paper")
        assert (sheet.last() == 0).all()
        sheet.press(pen)
        sheet.stroke((0.5, 0.5), (0.5, 0.5))
        areas.append(int((sheet.last() > 127).sum()) // 3)
    shares = np.array([0.1, 0.05, 0.18])
    assert areas == pytest.approx(np.pi / 4 * (shares * SIDE) ** 2, rel=0.15), "dots"
    sheet.press("Eraser")
    sheet.stroke((0.3, 0.5), (0.7, 0.5))
    assert (sheet.last()[SIDE // 2] == 0).all()
    sheet.press("Pen: gray")
    sheet.stroke((0.3, 0.5), (0.7, 0.5))
    assert (sheet.last()[SIDE // 2, SIDE // 2] == 128).all(), "a color is a pen again"


def test_one_picture_is_with_the_kernel_and_the_newest_is_next(sheet):
    sheet.page.mouse.move(*sheet.at(0.2, 0.5))
    sheet.page.mouse.down()
    for k in range(30):
        sheet.page.mouse.move(*sheet.at(0.2 + 0.02 * k, 0.5))
    early = sheet.answer()
    assert len(early) == 1, "none was answered"
    newer = sheet.answer()
    assert len(newer) == 1 and (newer[0] > 0).sum() > (early[0] > 0).sum()
    sheet.page.wait_for_timeout(100)
    assert sheet.strip.sent == [], "nothing has changed since"
    sheet.page.mouse.move(*sheet.at(0.8, 0.8))
    sheet.page.mouse.up()
    whole = sheet.answer()
    assert len(whole) == 2, "the end of a stroke does not wait"
    assert whole[1][round(0.8 * SIDE), round(0.8 * SIDE)].all()


def test_an_answer_to_another_picture_is_none(sheet):
    sheet.page.mouse.move(*sheet.at(0.2, 0.5))
    sheet.page.mouse.down()
    sheet.page.mouse.move(*sheet.at(0.4, 0.5))
    sheet.page.wait_for_timeout(100)
    first = len(sheet.strip.ask("model.sent.map((one) => one.key)"))
    sheet.strip.code(_answered="of another page")
    sheet.page.wait_for_timeout(100)
    assert (first, len(sheet.strip.sent)) == (1, 1)
    sheet.page.mouse.up()


def test_it_closes_by_keyboard_and_keeps_what_was_drawn(sheet):
    sheet.stroke((0.2, 0.5), (0.8, 0.5))
    before = sheet.last()
    sheet.strip.press("Escape")
    assert not sheet.root.is_visible()
    assert sheet.opener.evaluate("(one) => one === document.activeElement")
    assert sheet.opener.get_attribute("aria-expanded") == "false"
    sheet.strip.press("Enter")
    assert sheet.root.is_visible()
    sheet.stroke((0.5, 0.2), (0.5, 0.8))
    after = sheet.last()
    assert (after[before > 0] > 0).all() and (after > 0).sum() > (before > 0).sum()
    sheet.strip.role("button", "Use the camera").click()
    assert not sheet.root.is_visible(), "one sheet at a time"
    sheet.strip.code(_changes={"image": {"locked": True}})
    assert sheet.opener.is_disabled()
    assert sheet.page.locator(".cwp-sheet:visible").count() == 0


def test_a_second_finger_draws_nothing(sheet):
    devtools = sheet.page.context.new_cdp_session(sheet.page)

    def touch(kind, *points):
        at = [{"x": x, "y": y, "id": k} for k, (x, y) in enumerate(sheet.at(*point) for point in points)]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    touch("touchStart", (0.2, 0.2))
    touch("touchMove", (0.5, 0.2))
    touch("touchStart", (0.5, 0.2), (0.5, 0.8))
    touch("touchMove", (0.8, 0.2), (0.8, 0.8))
    touch("touchEnd")
    drawn = sheet.last()
    assert (drawn[round(0.2 * SIDE), round(0.25 * SIDE) : round(0.75 * SIDE)] == 255).all()
    assert (drawn[SIDE // 2 :] == 0).all()


def test_any_color_can_be_chosen_but_for_a_gray_network(strip):
    gray = Sheet(strip)
    assert gray.root.get_by_label("Pen: another color").count() == 0
    colored = Sheet(strip, COLORED)
    colored.press("Pen: red")
    colored.stroke((0.3, 0.5), (0.7, 0.5))
    assert colored.last()[SIDE // 2, SIDE // 2].tolist() == [0xD6, 0x27, 0x28]
    colored.root.get_by_label("Pen: another color").fill("#123456")
    colored.stroke((0.3, 0.5), (0.7, 0.5))
    assert colored.last()[SIDE // 2, SIDE // 2].tolist() == [0x12, 0x34, 0x56]


@pytest.mark.parametrize("width", [900, 380])
def test_it_lies_in_the_panel_and_axe_finds_nothing(strip_in_theme, width):
    sheet = Sheet(strip_in_theme)
    sheet.page.set_viewport_size({"width": width, "height": 900})
    sheet.stroke((0.3, 0.5), (0.7, 0.5))
    assert axe(sheet.page, ".cwp-sheets") == []
    assert strip_in_theme.ask("document.documentElement.scrollWidth") <= width
    Sheet(strip_in_theme, name="Use the camera")
    assert axe(sheet.page, ".cwp-sheets") == []


@pytest.fixture
def camera(strip):
    made = Sheet(strip, name="Use the camera")
    yield made
    made.page.reload()


def test_a_camera_is_mirrored_frozen_and_let_go_of(camera):
    camera.strip.ask(call(f"({CAMERA})", None))
    asked = camera.strip.ask("tracks.length")
    camera.press("Start camera")
    first = camera.answer()
    assert (asked, len(first)) == (0, 1), "one is with the kernel"
    left, right = first[0][SIDE // 2, 5], first[0][SIDE // 2, -5]
    assert left[2] > 200 > 50 > left[0] and right[0] > 200 > 50 > right[2], "as in a mirror"
    camera.press("Mirror")
    camera.answer()
    turned = camera.last()
    assert turned[SIDE // 2, 5, 0] > 200 > 50 > turned[SIDE // 2, 5, 2]
    camera.press("Freeze")
    camera.answer()
    camera.page.wait_for_timeout(200)
    assert camera.strip.sent == [], "nothing moves"
    camera.press("Live")
    assert camera.answer()
    camera.press("Stop")
    assert camera.strip.ask("tracks.map((track) => track.readyState)") == ["ended"]
    camera.press("Start camera")
    camera.root.get_by_role("button", name="Freeze").wait_for()
    camera.strip.press("Escape")
    assert camera.strip.ask("tracks.map((track) => track.readyState)") == ["ended", "ended"]


def test_a_camera_that_comes_when_the_sheet_is_closed_is_let_go_of(camera):
    camera.strip.ask(call(f"({CAMERA})", None))
    camera.strip.ask("""() => {
        const given = navigator.mediaDevices.getUserMedia;
        const allowed = new Promise((done) => (window.allow = done));
        navigator.mediaDevices.getUserMedia = () => allowed.then(given); }""")
    camera.press("Start camera")
    camera.root.get_by_text("Waiting for your permission").wait_for()
    camera.strip.press("Escape")
    camera.strip.ask("allow()")
    camera.page.wait_for_function("tracks.length === 1 && tracks[0].readyState === 'ended'")
    camera.page.wait_for_timeout(100)
    assert camera.strip.sent == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [("NotFoundError", "No camera was found."), ("NotAllowedError", "The camera was blocked."),
     ("NotReadableError", "The camera is in use."), ("AbortError", "The camera did not start: no.")],
)  # fmt: skip
def test_without_a_camera_it_says_why_and_what_helps(camera, wrong, said):
    camera.strip.ask(call(f"({CAMERA})", wrong))
    camera.press("Start camera")
    camera.root.get_by_text(said).wait_for()
    camera.strip.ask(call(f"({CAMERA})", None))
    camera.press("Start camera")
    assert camera.answer()


def test_a_page_that_may_have_no_camera_says_so(camera):
    camera.strip.ask("void Object.defineProperty(navigator, 'mediaDevices', { value: undefined, configurable: true })")
    camera.press("Start camera")
    camera.root.get_by_text("only to pages from localhost or over HTTPS").wait_for()
