"""A network answers while one draws, and to a camera, in a real JupyterLab; and pictures that are dropped and pasted."""

from __future__ import annotations

import base64
import io
import zlib

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.browser

DIGITS = "import cnnwidgets as cw\nnet, pictures = cw.load('digits'), cw.samples.digits()"
PANEL = "panel = cw.FeatureMapBrowser(net, 3, images=pictures)\npanel"
COUNT = "keys = []\npanel.observe(lambda change: keys.append(change.new), '_answered')"
SEVEN = [(0.33, 0.25), (0.67, 0.25), (0.45, 0.78)]
GIVE = """(panel, [kind, name, type, bytes]) => {
    const data = new DataTransfer();
    data.items.add(new File([Uint8Array.from(atob(bytes), (one) => one.charCodeAt(0))], name, { type }));
    const event = kind === "paste" ? new ClipboardEvent(kind, { clipboardData: data, bubbles: true, cancelable: true })
        : new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true });
    panel.querySelector("input").dispatchEvent(event);
    return event.defaultPrevented; }"""
OWN_PANEL = """
from cnnwidgets.base import Panel, draws, row
from cnnwidgets.views import DrawView, ImageView

class Negative(Panel):
    "What one draws, and its negative."

    def build(self):
        self.pad, self.negative = DrawView(shape=[64, 64]), ImageView()
        self.pad.on_user("pixels", lambda pixels: self.ask())
        return row(self.pad, self.negative)

    def compute(self, state, job):
        return 255 - self.pad.picture

    @draws()
    def draw_negative(self, found):
        self.negative.show(found)

panel = Negative(net)
panel"""


class Desk:
    """A notebook with a panel in which one draws."""

    def __init__(self, notebook, code=PANEL):
        self.notebook = notebook(DIGITS, code)
        self.notebook.run(0)
        self.notebook.run(1)
        self.page, self.cell = self.notebook.page, self.notebook.cell(1)
        self.cell.locator(".cwp-status[data-kind=ready]").wait_for()
        self.cell.scroll_into_view_if_needed()

    def open(self, name):
        self.cell.get_by_role("button", name=name).click()

    @property
    def paper(self):
        return self.cell.locator(".cw-draw-paper")

    def stroke(self, *points, steps=20):
        self.paper.wait_for()
        box = self.paper.bounding_box()
        at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
        self.page.mouse.move(*at[0])
        self.page.mouse.down()
        for point in at[1:]:
            self.page.mouse.move(*point, steps=steps)
        self.page.mouse.up()

    def give(self, kind, name, content, type="image/png"):
        """Drop or paste a file; whether the panel took it."""
        told = [kind, name, type, base64.b64encode(content).decode()]
        return self.cell.locator(".cwp").evaluate(GIVE, told)

    def says(self, text):
        self.cell.get_by_text(text).first.wait_for()

    def python(self, code):
        return self.notebook.python(code)


def test_who_draws_a_seven_sees_seven_and_the_state_brings_it_back(notebook):
    desk = Desk(notebook)
    desk.open("Draw a picture")
    desk.stroke(*SEVEN)
    desk.says("prediction: 7 (9")
    desk.notebook.wait_python("(panel.image.shape, panel.image.dtype)", "((192, 192, 3), dtype('uint8'))")
    drawn = desk.python("print(net.predict(panel.image, k=1)[0][0][0], panel.image.mean())")
    assert drawn.startswith("7 ")
    desk.python("other = cw.FeatureMapBrowser(net, 0, images=pictures); other.restore(panel.state)")
    assert (
        desk.python("print(net.predict(other.image, k=1)[0][0][0], __import__('numpy').asarray(other.image).mean())")
        == drawn
    )
    desk.page.keyboard.press("Control+z")
    desk.notebook.wait_python("panel.image.max()", "0")
    desk.says("The paper is empty.")
    assert desk.notebook.problems == []


def test_each_stroke_is_answered_and_many_answers_come_while_one_draws(notebook):
    desk = Desk(notebook)
    desk.open("Draw a picture")
    desk.paper.wait_for()
    desk.python(COUNT)
    for k in range(10):
        before = int(desk.python("print(len(keys))"))
        desk.stroke((0.1 + 0.08 * k, 0.2), (0.1 + 0.08 * k, 0.8), steps=4)
        desk.notebook.wait_python(f"len(keys) > {before}", "True")
    desk.python("keys.clear()")
    moves = 120
    desk.stroke((0.1, 0.1), (0.9, 0.9), steps=moves)
    desk.notebook.wait_python("panel._answered == panel._awaited", "True")
    answers = int(desk.python("print(len(keys))"))
    assert answers >= moves / 12, "one in twelve moves, however busy the machine is"
    shown = desk.paper.evaluate(
        "(paper) => [...paper.getContext('2d').getImageData(0, 0, 192, 192).data].filter((_, k) => k % 4 < 3)"
    )
    got = desk.python("import zlib, base64; print(base64.b64encode(zlib.compress(panel.image.tobytes())).decode())")
    assert np.array_equal(np.frombuffer(zlib.decompress(base64.b64decode(got)), np.uint8), shown)
    assert desk.notebook.problems == []


def test_a_camera_fills_a_panel_until_it_is_frozen(notebook, lab):
    desk = Desk(notebook)
    desk.page.context.grant_permissions(["camera"], origin=lab.base)
    desk.python(COUNT)
    desk.open("Use the camera")
    desk.page.wait_for_timeout(300)
    assert desk.python("print(panel.image)") == "3", "nothing is filmed before it is started"
    desk.cell.get_by_role("button", name="Start camera").click()
    desk.notebook.wait_python("len(set(keys)) > 5", "True", 30)
    red, green, blue = map(float, desk.python("print(*panel.data()['picture'].mean((0, 1)))").split())
    assert red == green == blue and 10 < red < 200, "of a green picture the gray network sees gray"
    red, green, blue = map(float, desk.python("print(*panel.image.mean((0, 1)))").split())
    assert green > 100 > 50 > red, "Chromium's own camera is green"
    desk.cell.get_by_role("button", name="Freeze").click()
    desk.notebook.wait_python("panel._answered == panel._awaited", "True")
    before = desk.python("print(len(keys), panel.image.sum())")
    desk.page.wait_for_timeout(500)
    assert desk.python("print(len(keys), panel.image.sum())") == before
    desk.cell.get_by_role("button", name="Stop").click()
    desk.page.context.clear_permissions()
    assert desk.notebook.problems == []


def test_a_camera_that_is_refused_is_a_sentence(notebook):
    desk = Desk(notebook)
    desk.page.context.clear_permissions()
    desk.open("Use the camera")
    desk.cell.get_by_role("button", name="Start camera").click()
    desk.says("The camera was blocked.")
    assert desk.python("print(panel.image)") == "3"


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_picture_is_dropped_or_pasted_and_a_file_that_is_none_is_a_sentence(notebook, kind):
    desk = Desk(notebook)
    file = io.BytesIO()
    Image.new("L", (40, 40), 200).save(file, "png")
    assert desk.give(kind, "own.png", file.getvalue())
    desk.notebook.wait_python("round(float(panel.data()['picture'].mean()))", "200")
    assert desk.give(kind, "broken.png", file.getvalue()[:60])
    desk.says("cannot be read as a picture")
    assert desk.give(kind, "notes.png", b"not a picture")
    desk.says("is not a picture that Pillow can read")
    assert desk.give(kind, "notes.txt", b"not a picture", "text/plain")
    desk.says("“notes.txt” is not a picture.")
    assert desk.give(kind, "own.png", file.getvalue())
    desk.cell.locator(".cwp-status[data-kind=ready]").wait_for()


def test_a_panel_of_ones_own_has_a_pad(notebook):
    desk = Desk(notebook, OWN_PANEL)
    desk.stroke((0.2, 0.5), (0.8, 0.5))
    desk.notebook.wait_python("panel.result[32, 20:44].min()", "255")
    assert desk.python("print(panel.result[:20].max(), panel.pad.picture[32, 32])") == "0 [0 0 0]"
    desk.cell.get_by_role("button", name="Undo").click()
    desk.notebook.wait_python("panel.result.max()", "0")
    desk.python("import numpy as np; panel.pad.show(np.full((64, 64, 3), 128, np.uint8))")
    desk.stroke((0.5, 0.2), (0.5, 0.8))
    desk.notebook.wait_python(
        "(panel.result[32, 10].tolist(), panel.result[32, 32].tolist())", "([127, 127, 127], [255, 255, 255])"
    )
    desk.cell.get_by_role("button", name="Undo").click()
    desk.notebook.wait_python("panel.result.min() == panel.result.max() == 127", "True")
    assert desk.notebook.problems == []
