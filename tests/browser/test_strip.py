"""What a hand does to a control strip and what code does to it, in a real Chromium without a kernel."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.browser.strips import CLASSES, EVERY, control

pytestmark = pytest.mark.browser


def test_every_kind_is_set_by_mouse(strip):
    slide = strip.role("slider", "Patch")
    box = slide.bounding_box()
    slide.click(position={"x": box["width"] - 1, "y": 14})
    assert strip.saved == [{"patch": 64}]
    strip.role("slider", "Layer").click(position={"x": 1, "y": 14})
    assert strip.saved == [{"layer": "conv1"}]
    strip.role("combobox", "Fill").select_option("none")
    assert strip.saved == [{"fill": None}]
    strip.role("radio", "circle").click()
    assert strip.saved == [{"shape": "circle"}]
    strip.role("checkbox", "LIME").click()
    assert strip.saved == [{"methods": ["rise", "lime"]}], "in the order in which they are chosen"
    strip.role("checkbox", "RISE").click()
    assert strip.saved == [{"methods": ["lime"]}]
    strip.role("checkbox", "Log").click()
    assert strip.saved == [{"log": True}]
    strip.role("combobox", "Target").click()
    strip.role("option", "class 3").click()
    assert strip.saved == [{"target": 3}]
    strip.role("combobox", "Others").click()
    strip.role("option", "class 8").click()
    strip.role("option", "class 5").click()
    assert strip.saved == [{"others": [5, 8]}, {"others": [8]}]
    strip.role("button", "Remove class 8").click()
    assert strip.saved == [{"others": []}]
    strip.role("button", "Train").click()
    assert strip.sent == [{"kind": "action", "name": "train", "bytes": None}]


def test_every_kind_is_set_by_keyboard(strip):
    def keys(role, name, *pressed):
        strip.role(role, name).focus()
        strip.press(*pressed)
        return [value for one in strip.saved for value in one.values()]

    assert keys("slider", "Image", "ArrowRight", "ArrowUp", "ArrowLeft") == [4, 5, 4]
    assert keys("slider", "Patch", "End", "Home", "PageUp", "PageDown") == [64, 1, 7, 1]
    assert keys("slider", "Rate", "ArrowRight") == [0.11]
    assert keys("slider", "Layer", "End", "Home") == ["fc", "conv1"]
    assert keys("combobox", "Fill", "n", "Enter") == [None]
    assert keys("radio", "square", "ArrowRight") == ["circle"]
    assert keys("checkbox", "Grad-CAM", "Space", "Tab", "Space") == [["rise", "cam"], ["rise", "cam", "lime"]]
    assert keys("combobox", "Target", "ArrowDown", "ArrowDown", "Enter") == [0], "what is on is the first of the list"
    assert keys("combobox", "Others", "1", "2", "ArrowDown", "Enter", "Backspace") == [[5, 112], [5]]
    assert keys("spinbutton", "Steps", "ArrowUp", "PageUp", "ArrowDown") == [101, 111, 110]
    assert keys("spinbutton", "Perplexity", "3", "0", "Enter") == [30]
    assert keys("spinbutton", "Perplexity", "Control+A", "Backspace", "Tab") == [None]
    assert keys("checkbox", "Log", "Space") == [True]
    assert keys("textbox", "Name", "a", "b", "Enter") == ["ab"]
    assert keys("button", "Train", "Enter") == []
    assert [message["kind"] for message in strip.sent] == ["action"]


def test_a_number_beside_a_slider_is_typed_exactly_and_cut_off_at_the_ends(strip):
    exact = strip.role("textbox", "Rate, exact value")
    strip.write(exact, "0.0123456789")
    assert (strip.saved, exact.input_value()) == ([{"rate": 0.0123456789}], "0.0123456789")
    strip.write(exact, "1e9", key="Tab")
    assert strip.saved == [{"rate": 100}]
    strip.write(strip.role("textbox", "Patch, exact value"), "11,6")
    assert strip.saved == [{"patch": 12}], "whole"
    strip.write(strip.role("textbox", "Patch, exact value"), "12.3")
    assert strip.saved == [], "as it was"
    strip.write(exact, "abc")
    assert (strip.saved, exact.get_attribute("aria-invalid")) == ([], "true")
    strip.press("Escape")
    assert (exact.input_value(), exact.get_attribute("aria-invalid")) == ("100", None)


def test_what_code_sets_is_shown_as_it_is_and_nothing_comes_back(strip):
    strip.code(
        patch=[3, 5], rate=0.10000000100000002, layer="gone", fill="own_function", shape="star", methods=["cam", "new"],
        target="?", others=["odd", 5], steps=100000, perplexity=-1e-7, log=True, name="<b>", image={"other": "Tensor"},
    )  # fmt: skip
    exact = {name: strip.role("textbox", f"{name}, exact value") for name in ("Patch", "Rate", "Image")}
    assert [one.input_value() for one in exact.values()] == ["3, 5", "0.10000000100000002", "Tensor"]
    assert strip.role("slider", "Patch").evaluate("(one) => one.valueAsNumber") == 3, "4, the mean"
    assert strip.field("layer").locator(".cwp-name").text_content() == "gone"
    assert strip.role("combobox", "Fill").locator("option:checked").text_content() == "own_function"
    assert strip.role("radio", "star").is_checked()
    assert strip.role("checkbox", "new").is_checked()
    assert not strip.role("checkbox", "RISE").is_checked()
    assert strip.role("combobox", "Target").input_value() == "?"
    assert strip.field("others").locator(".cwp-chip").all_text_contents() == ["odd×", "class 5×"]
    assert strip.role("spinbutton", "Steps").input_value() == "100000"
    assert strip.role("spinbutton", "Perplexity").input_value() == "−1e-7"
    assert strip.role("textbox", "Name").input_value() == "<b>"
    strip.role("slider", "Image").focus()
    for _ in range(40):
        strip.press("Tab")
    assert strip.saved == [], "to walk through the controls is no change"
    strip.role("checkbox", "LIME").check(force=True)
    assert strip.saved == [{"methods": ["cam", "new", "lime"]}]
    strip.write(exact["Patch"], "3, 7")
    assert strip.saved == [{"patch": [3, 7]}]
    strip.code(patch=None)
    assert exact["Patch"].input_value() == ""


def test_a_slider_sends_at_most_one_value_a_frame_and_always_the_last(strip):
    strip.ask(
        """() => { const slide = document.querySelector('[data-control=patch] input');
        for (let k = 1; k < 50; k++) { slide.value = k; slide.dispatchEvent(new Event('input')); }
        window.early = model.saved.length; }"""
    )
    assert strip.ask("early") == 0
    assert strip.saved == [{"patch": 50}]
    strip.ask(
        """() => { const slide = document.querySelector('[data-control=patch] input'); slide.value = 12;
        slide.dispatchEvent(new Event('input')); slide.dispatchEvent(new Event('change'));
        window.now = model.saved.length; }"""
    )
    assert strip.ask("now") == 1, "a hand that lets go does not wait for a frame"
    slide = strip.role("slider", "Patch")
    box = slide.bounding_box()
    strip.page.mouse.move(box["x"] + 10, box["y"] + 14)
    strip.page.mouse.down()
    for k in range(20):
        strip.page.mouse.move(box["x"] + 10 + 3 * k, box["y"] + 14)
    strip.code(patch=2)
    assert slide.evaluate("(one) => one.valueAsNumber") > 2, "nothing pulls a slider out of a hand"
    strip.page.mouse.move(box["x"] + box["width"] + 50, box["y"] + 14)
    strip.page.mouse.up()
    saved = [one["patch"] for one in strip.saved]
    assert saved[-1] == 64
    assert all(a != b for a, b in pairwise(saved))
    strip.page.mouse.move(box["x"] + box["width"] - 7, box["y"] + 14)
    strip.page.mouse.down()
    strip.page.mouse.move(box["x"] + box["width"] - 7, 600)
    strip.page.mouse.up()
    strip.code(patch=2)
    assert slide.evaluate("(one) => one.valueAsNumber") == 1, "2, once the hand is off, wherever it was lifted"


def test_a_bad_number_is_red_says_what_is_expected_and_is_not_sent(strip):
    steps = strip.role("spinbutton", "Steps")
    for text in ("0", "1001", "2.5", "x", ""):
        strip.write(steps, text)
        assert steps.get_attribute("aria-invalid") == "true"
        wanted = f"Expected a whole number from 1 to 1000{text and f', got {text}'}."
        assert strip.page.get_by_role("tooltip").text_content() == wanted
        assert strip.page.get_by_role("alert").filter(has_text=wanted).count() == 1
    assert strip.saved == []
    strip.press("Escape")
    assert (steps.input_value(), steps.get_attribute("aria-invalid")) == ("100", None)
    strip.write(steps, "2000", key="Tab")
    strip.code(steps=7)
    assert (steps.input_value(), steps.get_attribute("aria-invalid")) == ("7", None)


def test_a_list_of_a_thousand_follows_what_is_typed_and_stays_in_the_window(strip):
    others = strip.role("combobox", "Others")
    others.click()
    options = strip.page.get_by_role("listbox").get_by_role("option")
    assert options.count() == 100
    assert options.first.text_content() == "class 5", "what is on comes first"
    assert strip.page.get_by_text("900 more: type to narrow").is_visible()
    strip.page.keyboard.type("99 CLA")
    assert options.all_text_contents() == [text for text, _ in CLASSES if "99" in text]
    assert others.get_attribute("aria-activedescendant") == options.first.get_attribute("id")
    strip.press("Escape")
    assert (others.get_attribute("aria-expanded"), options.count()) == ("false", 0)
    strip.page.keyboard.type("nothing like it")
    assert strip.page.get_by_text("Nothing matches").is_visible()
    strip.press("Enter", "Tab")
    assert (strip.saved, others.input_value()) == ([], "")
    target = strip.role("combobox", "Target")
    strip.write(target, "zzz", key="Tab")
    assert target.input_value() == "class 7", "what is no class is forgotten"
    for height in (700, 150):
        for width in (900, 300):
            strip.show(EVERY[7:9], width=width)
            strip.page.set_viewport_size({"width": width, "height": height})
            strip.ask("document.querySelector('#panel').style.marginTop = '90px'")
            strip.role("combobox", "Target").click()
            box = strip.page.get_by_role("listbox").bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= width
            assert box["y"] >= 0 and box["y"] + box["height"] <= height
            assert box["height"] > 80, "on the roomier side"
            strip.press("Escape")
            strip.ask("document.querySelector('#panel').style.marginTop = ''")


def test_what_is_typed_is_no_shortcut_of_the_notebook(strip):
    strip.ask("window.keys = []; document.addEventListener('keydown', (event) => window.keys.push(event.key));")
    named = {"slider": "Patch", "spinbutton": "Steps", "combobox": "Others", "checkbox": "Log", "button": "Code"}
    for role, name in named.items():
        strip.role(role, name).focus()
        strip.press("a", "d", "x", "ArrowDown", "Delete", "Escape")
    assert strip.ask("keys") == []
    strip.press("Control+s")
    assert "s" in strip.ask("keys")
    unmarked = strip.page.locator(".cwp :is(input, select, button, [tabindex]):not([data-lm-suppress-shortcuts])")
    assert unmarked.count() == 0


def canvas(width: int, height: int, kind: str) -> str:
    """The JavaScript of a picture's file."""
    drawn = f"Object.assign(document.createElement('canvas'), {{ width: {width}, height: {height} }})"
    return f"new Promise((done) => {drawn}.toBlob(done, 'image/{kind}'))"


def test_a_picture_is_chosen_dropped_or_typed_and_a_large_one_is_made_smaller(strip):
    strip.ask("void (model.send = (message, _, buffers) => model.sent.push(message, buffers[0]))")
    png = strip.ask(f"{canvas(40, 30, 'png')}.then(async (blob) => [...new Uint8Array(await blob.arrayBuffer())])")
    with strip.page.expect_file_chooser() as chooser:
        strip.role("button", "Use a picture of your own").click()
    chooser.value.set_files({"name": "own.png", "mimeType": "image/png", "buffer": bytes(png)})
    strip.page.wait_for_function("model.sent.length === 2")
    assert strip.ask("[model.sent[0], [...new Uint8Array(model.sent[1])]]") == [{"kind": "upload", "name": "image"}, png]
    strip.ask(f"{canvas(5000, 2500, 'jpeg')}.then((blob) => strip.take(blob))")
    strip.page.wait_for_function("model.sent.length === 4")
    size = "createImageBitmap(new Blob([model.sent[3]])).then(({ width, height }) => [width, height])"
    assert strip.ask(size) == [2048, 1024]
    strip.ask("strip.take(new Blob(['no picture']))")
    strip.page.wait_for_function("model.sent.length === 6")
    assert strip.ask("new TextDecoder().decode(model.sent[5])") == "no picture", "that is for Python to tell"
    strip.show([control("image", "picture", min=0, max=-1)])
    assert strip.field("image").get_by_role("slider").count() == 0
    assert strip.field("image").get_by_role("button", name="Choose a picture …").is_visible()


def test_buttons_go_to_the_picture_before_the_one_after_and_any_other(strip):
    before, after, other = (strip.role("button", f"{name} picture") for name in ("Previous", "Next", "Random"))

    def pressed(button):
        button.click()
        return strip.ask("model.get('image')")

    strip.code(image=498)
    assert (pressed(after), after.is_disabled(), before.is_disabled()) == (499, True, False)
    assert pressed(before) == 498
    strip.code(image=0)
    assert (before.is_disabled(), pressed(after)) == (True, 1)
    strip.show([control("image", "picture", min=0, max=3)], image=2)
    drawn = []
    for _ in range(40):
        last = strip.ask("model.get('image')")
        drawn.append(pressed(other))
        assert drawn[-1] != last
    assert set(drawn) == {0, 1, 2, 3}
    strip.code(image="cat.jpg")
    assert pressed(after) == 0
    strip.show([control("image", "picture", min=0, max=0)], image=0)
    names = [one.get_attribute("aria-label") for one in strip.field("image").get_by_role("button").all()]
    assert names == ["Draw a picture", "Use the camera", "Use a picture of your own"], "there is no other picture"


def test_a_slider_stands_where_the_panel_says_until_a_hand_moves_it(strip):
    def told(place):
        strip.code(_changes={"patch": {"shown": place}})
        assert strip.saved == [], "nobody has touched it"

    strip.show([control("patch", "slider", min=1, max=64, step=1, whole=True, shown=None)], patch=9)
    slide = strip.role("slider", "Patch")
    told(20)
    assert slide.get_attribute("aria-valuetext") == "20" and strip.ask("model.get('patch')") == 9
    slide.focus()
    strip.press("ArrowRight")
    assert (strip.saved, slide.get_attribute("aria-valuetext")) == ([{"patch": 21}], "21")
    told(10)
    strip.press("ArrowRight", "ArrowLeft")
    assert (strip.saved, slide.get_attribute("aria-valuetext")) == ([{"patch": 11}, {"patch": 10}], "10")
    told(11)
    strip.press("ArrowLeft")
    assert (strip.saved, strip.sent) == ([], [{"kind": "again", "name": "patch", "bytes": None}]), "the trait's own value"
    assert slide.get_attribute("aria-valuetext") == "10"


KEYED = [
    control("before", "action", key="u", help="Go up."),
    control("name", "text"),
    control("fixed", "action", key="x", locked=True),
]


def test_a_key_does_what_its_button_does_but_where_one_types(strip):
    strip.show(KEYED)
    strip.role("button", "Before").focus()
    strip.press("u", "x", "Control+u", "y")
    assert [message["name"] for message in strip.sent] == ["before"]
    strip.role("textbox", "Name").focus()
    strip.press("u", "h")
    assert strip.sent == []
    strip.ask("void strip.tell(false)")
    strip.role("button", "Keys").focus()
    strip.press("u")
    assert strip.sent == []


def test_the_keys_are_listed_by_h_and_put_away_by_h_or_escape(strip):
    strip.show(KEYED)
    sheet = strip.page.get_by_role("note", name="Keys")
    strip.role("button", "Before").focus()
    for away in ("h", "Escape"):
        strip.press("h")
        assert sheet.inner_text().split("\n")[:2] == ["u", "Go up."]
        strip.press(away)
        assert not sheet.is_visible()
    strip.role("button", "Keys").click()
    assert sheet.is_visible()
    strip.show()
    assert strip.role("button", "Keys").count() == 0
