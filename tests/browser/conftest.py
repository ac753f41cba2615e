"""One server and one browser for all browser tests; a notebook each."""

import contextlib
import shutil

import pytest
from playwright.sync_api import Error

from tests.browser.lab import FLAGS, SCREEN, Lab, Notebook, browser_path, new_page
from tests.browser.strips import DARK, LIGHT, Strip, page_of


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """What is on the page goes with the report of a failure."""
    report = yield
    if report.failed and (page := item.funcargs.get("page")):
        with contextlib.suppress(Error):  # the page is gone
            report.sections.append(("on the page", page.locator("body").inner_text(timeout=5000)[-4000:]))
    return report


@pytest.fixture(scope="session")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = browser_path(playwright)
        if path is None:
            pytest.skip("no Chromium: run `playwright install chromium`, install Debian's, or set CNNW_CHROMIUM")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory, chromium):
    server = Lab(tmp_path_factory.mktemp("lab"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def lab_without_subshells(tmp_path_factory, chromium):
    settings = {"apputils-extension/kernels-settings": {"commsOverSubshells": "disabled"}}
    server = Lab(tmp_path_factory.mktemp("lab-main-thread"), settings)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def one_page(chromium):
    with new_page(chromium) as page:
        yield page


@pytest.fixture
def page(one_page):
    """A page that was used before, by which JupyterLab is there at once."""
    one_page.set_viewport_size(SCREEN)
    one_page.mouse.move(0, 0)
    return one_page


@pytest.fixture
def notebook(page, lab, request):
    """``notebook(*cells)`` opens a new notebook of code cells; ``notebook(file=path)`` a copy of one on disk.

    One kernel serves them all, one after another: it forgets all that it held in between.
    """

    opened = []

    def open_notebook(*cells, file=None, server=lab):
        name = f"{request.node.name[:40].replace('[', '-').replace(']', '')}.ipynb"
        if file:
            shutil.copy(file, server.folder / name)
        else:
            server.write(name, *cells)
        server.lend_kernel(name)
        opened.append(Notebook(page, server, name))
        return opened[-1]

    yield open_notebook
    for each in opened:
        try:
            each.forget()
        except Error:  # the page shows something else, or the kernel is gone: the next notebook gets others
            each.shut_down()


@pytest.fixture(scope="module", params=["light", "dark"])
def strip_in_theme(request, chromium, tmp_path_factory):
    """A strip in the colors of JupyterLab's two themes."""
    file = page_of(tmp_path_factory.mktemp("strip"), {"light": LIGHT, "dark": DARK}[request.param])
    context = chromium.new_context(color_scheme=request.param, device_scale_factor=1)
    page = context.new_page()
    page.set_default_timeout(5000)
    page.goto(file.as_uri())
    yield Strip(page)
    context.close()


@pytest.fixture(scope="module")
def strip_page(chromium, tmp_path_factory):
    context = chromium.new_context(device_scale_factor=1)
    page = context.new_page()
    page.set_default_timeout(5000)
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: message.type == "error" and wrong.append(message.text))
    page.goto(page_of(tmp_path_factory.mktemp("strip")).as_uri())
    yield Strip(page)
    context.close()
    assert not wrong


@pytest.fixture
def strip(strip_page):
    """A page with a control of each kind; nothing may go wrong on it."""
    return strip_page.show()
