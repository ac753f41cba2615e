"""What specs make of a control strip: what is shown, made anew, gray, grouped; in a real Chromium without a kernel."""

from __future__ import annotations

import pytest

from tests.browser.strips import EVERY, VALUES, call, control

pytestmark = pytest.mark.browser


def test_only_what_changed_is_made_anew_and_the_others_keep_focus_and_what_is_typed(strip):
    steps = strip.role("spinbutton", "Steps")
    steps.click()
    strip.press("Control+A", "4", "2")
    strip.ask("document.querySelectorAll('[data-control]').forEach((one) => (one.dataset.old = ''))")
    changed = {"patch": {"max": 32}, "rate": {"absent": True}, "fill": {"locked": True}}
    strip.code(_controls=[one | {"help": "Else."} | changed.get(one["name"], {}) for one in EVERY])
    made = strip.ask("[...document.querySelectorAll('[data-control]:not([data-old])')].map((one) => one.dataset.control)")
    assert made == ["patch"]
    assert strip.field("rate").count() == 0
    assert strip.field("fill").get_attribute("data-reason") == "locked"
    assert steps.evaluate("(one) => one === document.activeElement && one.value") == "42"
    strip.press("Enter")
    assert strip.saved == [{"steps": 42}]
    strip.role("slider", "Patch").focus()
    strip.code(_controls=EVERY)
    assert strip.role("slider", "Patch").evaluate("(one) => one === document.activeElement")
    assert strip.ask("[...document.querySelectorAll('[data-control]')].map((one) => one.dataset.control)") == [
        one["name"] for one in EVERY
    ]
    strip.code(_controls=EVERY[:-1], _lists={"classes": [["one", 5]]})
    assert strip.field("others").locator(".cwp-chip").all_text_contents() == ["one×"]


def test_the_last_control_keeps_the_focus_where_more_comes_beside_it(strip):
    strip.role("button", "Train").focus()
    strip.code(_controls=[EVERY[0] | {"more": True}, *EVERY[1:]])
    assert strip.ask("document.activeElement.textContent") == "Train"
    assert not strip.field("image").is_visible()
    strip.role("button", "More").press("Enter")
    assert strip.field("image").is_visible()
    assert strip.role("button", "More").get_attribute("aria-expanded") == "true"
    strip.role("button", "More").click()
    assert not strip.field("image").is_visible()
    assert strip.role("button", "More").bounding_box()["y"] == strip.role("button", "Train").bounding_box()["y"]


def test_locked_and_kernel_less_controls_are_gray_and_say_why(strip):
    controls = [one | {"kernel": True, "locked": one["name"] == "patch"} for one in EVERY[:-2]] + EVERY[-2:]
    strip.show(controls)
    assert strip.field("patch").get_attribute("data-reason") == "locked"
    assert strip.role("slider", "Patch").is_disabled()
    assert strip.role("textbox", "Patch, exact value").is_disabled()
    assert not strip.page.get_by_role("note").is_visible()
    strip.ask("strip.tell(false)")
    assert strip.page.get_by_role("note").is_visible()
    enabled = strip.page.locator(".cwp-strip :is(input, select, button):enabled:not([hidden])")
    assert enabled.count() == 2, "the text and the action, which need no kernel"
    reasons = {one["name"]: strip.field(one["name"]).get_attribute("data-reason") for one in controls}
    assert reasons == {one["name"]: "kernel" if one["kernel"] else "" for one in controls} | {"patch": "locked"}
    described = "(one) => document.getElementById(one.getAttribute('aria-describedby')).textContent"
    assert "Needs a running kernel." in strip.role("spinbutton", "Steps").evaluate(described)
    assert "Locked by the author of this notebook." in strip.role("slider", "Patch").evaluate(described)
    strip.code(_controls=controls, steps=5, methods=["lime", "else"], others=[1, 2])
    assert strip.role("checkbox", "else").is_disabled()
    assert strip.role("button", "Remove class 1").is_disabled()
    strip.ask("strip.take(new Blob(['x']))")
    assert strip.sent == []
    strip.ask("strip.tell(true)")
    assert strip.role("spinbutton", "Steps").is_enabled()
    assert strip.role("slider", "Patch").is_disabled()


def test_groups_have_names_and_values_of_a_dict_go_into_it(strip):
    group = {"group": "Schedule 1", "of": "spec"}
    controls = [
        control("steps", "number", min=1, max=1000, step=1),
        control("lr", "slider", min=0, max=1, step=0.005, **group),
        control("gamma", "number", min=0, max=1, **group),
        control("momentum", "number", min=0, max=1, of="spec", group="Optimizer", more=True),
    ]
    strip.show(controls, spec={"kind": "step", "lr": 0.1, "gamma": 0.5})
    group = strip.role("group", "Schedule 1")
    assert group.locator("[data-control]").count() == 2
    assert not strip.role("group", "Optimizer").is_visible()
    group.get_by_role("spinbutton", name="Gamma").click()
    strip.press("9")
    strip.code(spec={"kind": "step", "lr": 0.2, "gamma": 0.5})
    assert strip.role("textbox", "Lr, exact value").input_value() == "0.2"
    assert strip.role("spinbutton", "Gamma").input_value() == "0.59", "what is typed waits for no other value"
    strip.press("Enter")
    assert strip.saved == [{"spec": {"kind": "step", "lr": 0.2, "gamma": 0.59}}]
    strip.role("slider", "Lr").press("ArrowRight")
    assert strip.saved == [{"spec": {"kind": "step", "lr": 0.205, "gamma": 0.59}}]
    strip.role("button", "More").click()
    assert strip.role("group", "Optimizer").is_visible()


def test_it_lives_in_a_shadow_tree_and_ends_with_its_signal(strip):
    strip.page.evaluate(call("show", {"_controls": EVERY, **VALUES}, "#panel", True))
    strip.role("combobox", "Others").click()
    strip.page.keyboard.type("class 77")
    strip.press("Enter")
    assert strip.saved == [{"others": [5, 77]}]
    steps = strip.role("spinbutton", "Steps")
    steps.click()
    strip.press("Control+A", "9")
    strip.code(steps=3, _controls=[one | {"max": 70} if one["name"] == "patch" else one for one in EVERY])
    strip.press("Enter")
    assert strip.saved == [{"steps": 9}]
    strip.ask("ended.abort()")
    assert strip.ask("Object.values(model.heard).flat().length") == 0
