"""The status line of a panel in a real Chromium."""

import pytest

pytestmark = pytest.mark.browser

WATCHED = """() => {
    window.seen = [];
    const bar = document.querySelector('.cwp-progress');
    const look = () => {
        const [late] = bar.getAnimations();
        if (late) seen.push([late.currentTime, bar.checkVisibility({ visibilityProperty: true })]);
        if (seen.at(-1)?.[0] !== 300) requestAnimationFrame(look);
    };
    look();
}"""
"""Notes at each frame how many milliseconds the bar has been there, and whether it is seen; until it has appeared."""


def test_the_status_line_says_what_is_done_and_offers_what_can_be_done(strip):
    status = strip.page.locator(".cwp-status")
    cancel, code = strip.role("button", "Cancel"), strip.role("button", "Code")
    assert (status.get_attribute("data-kind"), cancel.is_visible()) == ("ready", False)
    assert strip.page.get_by_role("status").text_content() == "Ready."
    strip.page.evaluate(WATCHED)
    strip.code(_status={"text": "Computing …", "kind": "busy", "fraction": 0.25})
    strip.page.wait_for_function("document.querySelector('.cwp-status').dataset.kind === 'busy'")
    strip.page.wait_for_function("seen.at(-1)?.[0] === 300")
    assert all(is_seen == (time >= 300) for time, is_seen in strip.ask("seen")), "what is short does not flicker"
    strip.page.get_by_role("progressbar").wait_for()
    assert strip.page.get_by_role("progressbar").evaluate("(bar) => bar.value") == 0.25
    cancel.focus()
    strip.press("Enter")
    strip.code(_status={"text": "No.\nExpected 1.", "kind": "error", "fraction": 0})
    strip.page.wait_for_function("document.querySelector('.cwp-status').dataset.kind === 'error'")
    alert = status.get_by_role("alert")
    assert alert.evaluate("(one) => [one.innerText, one.offsetHeight]") == ["No.\nExpected 1.", 48]
    assert strip.ask("document.activeElement.textContent") == "Code", "the keyboard is not lost with Cancel"
    strip.press("Enter")
    assert strip.sent == [{"kind": "cancel", "bytes": None}, {"kind": "code", "bytes": None}]
    strip.code(_code="import torch\nprint(1 < 2)")
    strip.page.get_by_role("region", name="Code").wait_for()
    assert strip.page.get_by_role("region", name="Code").text_content() == "import torch\nprint(1 < 2)"
    strip.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    strip.role("button", "Copy").click()
    strip.role("button", "Copied").wait_for()
    code.click()
    assert (strip.sent, code.get_attribute("aria-expanded")) == ([], "false")
    strip.code(_status={"text": "Computing …", "kind": "busy", "fraction": 0})
    strip.ask("line.tell(false)")
    assert (cancel.is_visible(), code.is_visible()) == (False, True)
    code.click()
    assert strip.sent == [], "nobody would answer"
    strip.show(_code="")
    strip.ask("line.tell(false)")
    assert not code.is_visible()


def test_facts_are_behind_details_which_stay_open_and_need_no_kernel(strip):
    more = strip.role("button", "Details")
    facts = strip.page.locator(".cwp-facts")
    assert not more.is_visible(), "there are none"
    strip.code(
        _status={"text": "p(6) falls to 0.01%.", "details": "841 positions.\n15 layers.", "kind": "ready", "fraction": 0}
    )
    more.wait_for()
    assert (more.get_attribute("aria-expanded"), facts.is_visible()) == ("false", False)
    more.press("Enter")
    assert (more.get_attribute("aria-expanded"), facts.inner_text()) == ("true", "841 positions.\n15 layers.")
    assert strip.page.get_by_role("status").text_content() == "p(6) falls to 0.01%.", "only the finding is read aloud"
    sizes = (
        "[...document.querySelectorAll('.cwp-told, .cwp-facts')].map((one) => parseFloat(getComputedStyle(one).fontSize))"
    )
    assert strip.ask(sizes) == [14, 13]
    strip.ask("line.tell(false)")
    strip.code(_status={"text": "Another.", "details": "One fact.", "kind": "ready", "fraction": 0})
    strip.page.get_by_text("One fact.").wait_for()
    assert strip.sent == []
    more.focus()
    strip.code(_status={"text": "No.", "details": "", "kind": "error", "fraction": 0})
    strip.page.wait_for_function("document.querySelector('.cwp-status').dataset.kind === 'error'")
    assert not (more.is_visible() or facts.is_visible())
    strip.code(_status={"text": "Again.", "details": "A fact.", "kind": "ready", "fraction": 0})
    strip.page.get_by_text("A fact.").wait_for()
