"""A panel among other widgets: in a box with a slider, linked to it in the browser, and panels in a panel."""

from __future__ import annotations

from playwright.sync_api import expect

FILTERS = "import cnnwidgets as cw\nimport ipywidgets as w\np = cw.FilterGrid(cw.load('scenes'))"


def test_plain_widgets_go_around_a_panel_and_are_linked_to_it_in_the_browser(notebook):
    nb = notebook(
        f"{FILTERS}\nslider = w.IntSlider(value=0, min=-1, max=15, description='unit')\n"
        "link = w.jslink((slider, 'value'), (p, 'unit'))\nw.VBox([p, slider])"
    )
    nb.run(0)
    page = nb.page
    expect(page.locator(".cwp .cw-canvas[data-seq]").first).to_be_visible()
    page.locator(".cwp canvas.cw-canvas").first.click(position={"x": 130, "y": 30})
    expect(page.locator(".widget-slider .widget-readout")).to_have_text("1")
    readout = page.locator(".widget-slider .widget-readout")
    readout.fill("5")
    readout.press("Enter")
    expect(page.get_by_text("Filter 5 and its 5 nearest (cosine similarity)")).to_be_visible()
    nb.wait_python("p.unit, p.grid.selected", "5 5")
    assert nb.problems == []


def test_panels_in_a_panel_share_what_it_ties(notebook):
    nb = notebook("import cnnwidgets as cw\nfrom tests.browser.studio import Studio\ns = Studio(cw.load('scenes'))\ns")
    nb.run(0)
    page = nb.page
    left, right = (page.locator(".cwp .cwp").nth(k) for k in (0, 1))
    expect(right.locator(".cw-canvas[data-seq]").first).to_be_visible()
    outer = page.locator(".cwp[data-panel=Studio]")
    outer.locator("[data-control=layer] select").select_option(value="layer2.0.conv1")
    for inner in (left, right):
        expect(inner.locator(".cwp-status")).to_contain_text("layer2.0.conv1 · 32 filters, 16×3×3 weights each")
        expect(inner.locator("[data-control=layer]")).to_have_count(0)
    left.locator("canvas.cw-canvas").first.click(position={"x": 20, "y": 20})
    for inner in (left, right):
        expect(inner.get_by_text("nearest (cosine similarity)")).to_be_visible()
    nb.wait_python("s.left.unit == s.right.unit >= 0, s.right.grid.selected == s.left.unit", "True True")
    assert nb.problems == []
    assert nb.python("s.to_html('studio.html')") == ""
    page.goto((nb.lab.folder / "studio.html").as_uri())
    expect(page.locator(".cwp .cwp .cw-canvas[data-seq]")).to_have_count(4)
    expect(page.locator(".cwp [data-control=layer]")).to_have_attribute("data-reason", "kernel")
