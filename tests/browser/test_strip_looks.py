"""How the control strip and the status line look in a real Chromium: layout, help, contrast, what axe-core finds."""

from __future__ import annotations

import pytest

from tests.browser.strips import EVERY, VALUES, axe, control

pytestmark = pytest.mark.browser

LONG = "a class of many words " * 10


@pytest.mark.parametrize("width", [900, 600, 380])
def test_names_are_text_and_nothing_is_wider_than_the_panel(strip, width):
    bad = "<img src=x onerror=window.hit=1>"
    options = [[bad, 0], [LONG, 1], ["w" * 200, 2]]
    kinds = ("choice", "segment", "several", "steps", "search", "tags")
    controls = [control(kind, kind, options=options, label=bad if kind == "tags" else LONG) for kind in kinds]
    values = dict.fromkeys(kinds, 1) | {"several": [0, 1, 2], "tags": [0, 1, 2]}
    controls += [control("more", "action", label=LONG, more=True), *EVERY]
    strip.show(controls, width, _status={"text": "w" * 400}, **values)
    strip.role("button", "More").click()
    strip.field("tags").get_by_role("combobox").click()
    assert strip.ask("document.documentElement.scrollWidth") <= width
    assert strip.page.locator(".cwp img").count() == 0
    outside = """() => { const right = (one) => one.getBoundingClientRect().right;
        const edge = right(document.querySelector('.cwp-strip'));
        return [...document.querySelectorAll('.cwp-field > :not(.cwp-unseen), .cwp-control > :not(.cwp-list), .cwp-more')]
          .filter((one) => one.checkVisibility() && right(one) > edge + 0.5).map((one) => one.className); }"""
    assert strip.ask(outside) == []
    assert strip.ask("window.hit ?? 0") == 0


def test_the_row_is_one_line_of_28_pixels_and_labels_stand_left_of_controls(strip):
    controls = [EVERY[1], EVERY[4] | {"more": False}, EVERY[5], EVERY[9] | {"more": True}]
    strip.show(controls)
    boxes = [strip.field(one["name"]).bounding_box() for one in controls[:3]]
    assert {(box["y"], box["height"]) for box in boxes} == {(boxes[0]["y"], 28)}
    assert strip.role("button", "More").bounding_box()["y"] == boxes[0]["y"]
    assert strip.page.locator(".cwp-strip").bounding_box()["height"] == 44
    for name, kind in (("patch", "slider"), ("fill", "combobox")):
        label = strip.field(name).locator("label").bounding_box()
        own = strip.field(name).get_by_role(kind).first.bounding_box()
        assert label["x"] + label["width"] <= own["x"]
    exact = strip.role("textbox", "Patch, exact value").bounding_box()
    slide = strip.role("slider", "Patch").bounding_box()
    assert slide["x"] + slide["width"] <= exact["x"]


def test_help_comes_to_the_pointer_and_to_the_keyboard_and_goes_with_escape(strip):
    tip = strip.page.get_by_role("tooltip")
    strip.field("fill").hover()
    tip.wait_for()
    assert tip.text_content() == "Help on fill."
    strip.press("Escape")
    assert not tip.is_visible()
    strip.role("slider", "Patch").focus()
    strip.press("ArrowRight", "Tab", "Shift+Tab")
    tip.wait_for()
    assert tip.text_content() == "Help on patch."
    strip.press("ArrowRight")
    assert not tip.is_visible(), "whoever uses it has read it"
    described = "(one) => document.getElementById(one.getAttribute('aria-describedby')).textContent"
    assert strip.role("spinbutton", "Steps").evaluate(described) == "Help on steps. Whole number from 1 to 1000."


def test_high_contrast_shows_what_is_on(strip):
    strip.page.emulate_media(forced_colors="active", reduced_motion="reduce")
    strip.show(_status={"text": "Computing …", "kind": "busy", "fraction": 0})
    style = "(one) => getComputedStyle(one.nextElementSibling).outlineStyle"
    assert strip.role("radio", "square").evaluate(style) == "solid"
    assert strip.role("radio", "circle").evaluate(style) == "none"
    assert strip.ask("getComputedStyle(document.querySelector('progress')).animationName") == "cwp-late"
    strip.page.emulate_media(forced_colors="none", reduced_motion="no-preference")


READ = ".cwp-label, .cwp-exact, .cwp-name, select, .cwp-number, .cwp-find, .cwp-chip, label > span, .cwp-button"
CONTRAST = """(read) => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 });
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const rgb = (...layers) => {
    context.clearRect(0, 0, 1, 1);
    layers.forEach((color) => ((context.fillStyle = color), context.fillRect(0, 0, 1, 1)));
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3).map((c) => c / 255);
  };
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const light = (color) => 0.05 + color.reduce((sum, c, k) => sum + linear(c) * [0.2126, 0.7152, 0.0722][k], 0);
  const above = (one) => (one ? [...above(one.parentElement), getComputedStyle(one).backgroundColor] : []);
  const contrast = (one) => {
    const [a, b] = [light(rgb(...above(one), getComputedStyle(one).color)), light(rgb(...above(one)))];
    return Math.max(a, b) / Math.min(a, b);
  };
  const texts = [...document.querySelectorAll(`.cwp-strip :is(${read})`)];
  return texts.filter((one) => one.checkVisibility() && (one.textContent || one.value))
    .map((one) => [contrast(one), one.className || one.textContent]);
}"""
"""The contrast of each text with what is below it, by the formula of WCAG."""


def test_axe_finds_nothing_and_text_can_be_read_gray_or_not(strip_in_theme):
    more = [one | {"name": f"{one['name']}2", "label": f"More {one['name']}", "more": True} for one in EVERY]
    for live in (True, False):
        controls = [one | {"kernel": one["name"] != "fill"} for one in [*EVERY, *more]]
        controls = [one | {"locked": one["name"] in ("patch", "log")} for one in controls]
        again = {f"{name}2": value for name, value in VALUES.items() if name != "_lists"}
        strip_in_theme.show(
            controls, _status={"text": "Computing …", "kind": "busy", "fraction": 0.5}, _code="import torch", **again
        )
        strip_in_theme.role("button", "More").click()
        strip_in_theme.role("button", "Code").click()
        strip_in_theme.ask(f"strip.tell({str(live).lower()})")
        if live:
            strip_in_theme.role("combobox", "Others").click()
            strip_in_theme.page.get_by_role("progressbar").wait_for()
        assert axe(strip_in_theme.page) == []
        found = strip_in_theme.page.evaluate(CONTRAST, READ)
        assert len(found) > 40
        assert [one for one in found if one[0] < 4.5] == []
    strip_in_theme.show(_status={"text": "Wrong.", "kind": "error"})
    strip_in_theme.write(strip_in_theme.role("spinbutton", "Steps"), "x")
    assert axe(strip_in_theme.page) == []
