"""The site of ``make docs`` and the gallery in it: all names, all traits, all panels, and no request to elsewhere."""

from __future__ import annotations

import functools
import http.server
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from playwright.sync_api import expect

import cnnwidgets as cw
from cnnwidgets import base, net, views
from cnnwidgets.registry import example_line, panels

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder that the site was built in; a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280)
    assert built.returncode == 0, built.stderr
    return folder


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def address(site):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def watched(page):
    """A page, and what went wrong on it: errors, and requests to elsewhere."""
    wrong: list[str] = []
    here = ("http://127.0.0.1:", "file:", "data:", "blob:")
    listeners = {
        "pageerror": lambda error: wrong.append(f"page error: {error}"),
        "console": lambda message: wrong.append(message.text) if message.type == "error" else None,
        "request": lambda request: None if request.url.startswith(here) else wrong.append(request.url),
    }
    for event, listener in listeners.items():
        page.on(event, listener)
    yield page, wrong
    for event, listener in listeners.items():
        page.remove_listener(event, listener)


@pytest.mark.parametrize(
    ("name", "typed", "module"),
    [("methods", "cw.methods", cw.methods), ("samples", "cw.samples", cw.samples), ("views", "cnnwidgets.views", views),
     ("base", "cnnwidgets.base", base), ("networks", "cnnwidgets.net", net)],
)  # fmt: skip
def test_every_public_name_has_its_heading(site, name, typed, module):
    text = "".join(
        (site / "reference" / f"{page}.html").read_text("utf-8") for page in (name, "results", "base", "networks")
    )
    headings = set(re.findall(r'<h2 id="[^"]+" class="doc doc-heading">\s*(?:<span[^>]*>)?([\w.]+)', text))
    is_top = {one: getattr(cw, one, None) is getattr(module, one) for one in module.__all__}
    wanted = {f"cw.{one}" if top else f"{typed}.{one}" for one, top in is_top.items()}
    assert headings and wanted - headings == set()


@pytest.mark.parametrize("name", panels())
def test_every_trait_has_its_line(site, name):
    text = (site / "panels" / f"{name}.html").read_text("utf-8")
    told = re.findall(r'<tr>\s*<td><span id="(\w+)"></span><strong><code>\1</code></strong><br\s*/?>(.+?)</td>', text)
    assert [one for one, _ in told] == list(panels()[name].public_traits())
    assert all(sentence for _, sentence in told)


def test_no_page_of_the_site_asks_elsewhere(site, address, watched):
    page, wrong = watched
    for file in sorted(site.rglob("*.html")):
        if "gallery" not in file.parts:
            page.goto(f"{address}/{file.relative_to(site).as_posix()}")
            page.wait_for_load_state("networkidle")
    assert wrong == []


def test_every_card_of_the_gallery_opens_its_panel_from_a_file(site, watched):
    page, wrong = watched
    page.goto((site / "gallery" / "index.html").as_uri())
    for name, panel in panels().items():
        card = page.locator(f"article#{name}")
        assert card.locator("code").inner_text() == example_line(panel)
        assert card.locator("img").evaluate("async (image) => { await image.decode(); return image.naturalWidth; }") > 100
        expect(page.locator("iframe")).to_have_count(0)
        card.locator(".open").focus()
        page.keyboard.press("Enter")
        page.frame_locator("iframe").locator(".cwp .cwp-status").wait_for()
        assert page.locator("dialog").get_by_text(name, exact=True).is_visible()
        page.get_by_role("button", name="Close").click()
        page.locator("dialog").wait_for(state="hidden")
    assert wrong == []


def test_a_gallery_is_as_wide_as_a_phone_and_opens_by_its_address(site, watched):
    page, wrong = watched
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto((site / "gallery" / "index.html").as_uri() + "#FilterGrid")
    page.frame_locator("iframe").locator(".cwp .cwp-status").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_role("button", name="Close").click()
    expect(page.locator("iframe")).to_have_count(0)
    assert page.url.endswith("index.html")
    assert wrong == []
