"""TwoNetworks, touched as a person touches it."""

import pytest

from tests.browser.lab import SCENES

pytestmark = pytest.mark.browser

PANEL = """panel = cw.TwoNetworks(cw.FeatureMapBrowser, cw.load("scenes", weights=2), net, pictures, "layer3.1.relu:2")
panel"""
CAMS = """grass = cw.load("grass")
cams = cw.TwoNetworks(cw.SaliencyPanel, net, grass, 22, ["8", "3"], images=pictures, methods=["grad_cam"])
cams"""
SCREEN = 599  # CSS pixels of a notebook that JupyterLab shows at 1280x720


def maps(opened, cell=1):
    return opened.cell(cell).locator(".cw-map-table canvas.cw-canvas:visible")


def told(opened, cell=1):
    """The numbers below the maps."""
    texts = opened.cell(cell).locator(".cw-map-table .cw-value:visible").all_inner_texts()
    return [float(text.removeprefix("here ").split(" (")[0].replace("−", "-")) for text in texts]


def white(canvas, row, column):
    """How much of a mark's white there is around a pixel of the picture of 64x64."""
    return canvas.evaluate(
        """(c, [row, column]) => { const one = c.width / 64, reach = Math.round(7 * devicePixelRatio);
        const [x, y] = [(column + 0.5) * one, (row + 0.5) * one].map(Math.round);
        const { data } = c.getContext('2d').getImageData(x - reach, y - reach, 2 * reach, 2 * reach);
        let count = 0;
        for (let i = 0; i < data.length; i += 4) count += data[i] > 250 && data[i + 1] > 250 && data[i + 2] > 250;
        return count; }""",
        [row, column],
    )


def test_one_map_is_pointed_at_and_all_are_read_and_another_unit_is_chosen(notebook):
    opened = notebook(SCENES, PANEL, CAMS)
    page = opened.page
    page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    opened.run(0)
    opened.run(1)
    maps(opened).first.wait_for()
    opened.wait_python("panel.wait() and panel.result.named('').name", "29", seconds=60)
    assert maps(opened).count() == 3

    # point at the first map: its mark and the value are in both, and the difference
    before = [white(maps(opened).nth(k), 44, 20) for k in range(2)]
    side = maps(opened).first.evaluate("(c) => c.clientWidth")
    maps(opened).first.hover(position={"x": 20.5 * side / 64, "y": 44.5 * side / 64})
    opened.wait_python("panel.y, panel.x, panel.first.y, panel.second.x", "44.0 20.0 44.0 20.0")
    opened.cell(1).get_by_text("row 44, column 20").wait_for()
    values = opened.python("print(*(float(one[5, 2]) for one in panel.data()['29']))").split()
    assert told(opened) == pytest.approx([float(value) for value in values], rel=0.01, abs=1e-3)
    assert told(opened)[2] == pytest.approx(told(opened)[1] - told(opened)[0], rel=0.02)
    assert [white(maps(opened).nth(k), 44, 20) > before[k] for k in range(2)] == [True, True]

    # one strip, one status line
    strips = opened.cell(1).locator(".cwp-strip:visible")
    assert strips.count() == 1
    assert opened.cell(1).locator(".cwp-status:visible").count() == 1

    # another unit, by an arrow key among the differences
    grid = opened.cell(1).locator(".cw-grid canvas.cw-canvas:visible")
    second = opened.python("print(panel.result.pairs[panel.result.most_first[1]].name)")
    grid.press("ArrowRight")
    opened.wait_python("panel.chosen", second)
    opened.cell(1).locator(".cw-map-table .cw-title").get_by_text(f"unit {second}", exact=True).wait_for()

    # another layer, in the strip, for both
    strips.get_by_role("combobox", name="layer").fill("layer1.0.conv1")
    page.keyboard.press("Enter")
    opened.wait_python("panel.wait() and panel.second.layer, len(panel.result.pairs)", "layer1.0.conv1 16", seconds=30)

    # two classes side by side
    opened.run(2)
    maps(opened, 2).first.wait_for()
    opened.wait_python(
        "cams.wait() and [pair.name for pair in cams.result.pairs]", "['Grad-CAM · class 8', 'Grad-CAM · class 3']"
    )
    assert maps(opened, 2).count() == 6

    # all of it on a projector's screen
    page.set_viewport_size({"width": 1280, "height": 720})
    page.wait_for_timeout(500)
    for cell in (1, 2):
        assert opened.cell(cell).bounding_box()["height"] <= SCREEN
    page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")

    # without the kernel one still points and reads
    opened.shut_down()
    maps(opened, 2).first.hover(position={"x": 12, "y": 12})
    page.wait_for_timeout(300)
    assert opened.cell(2).locator(".cw-map-table .cw-tools .cw-line:visible").inner_text().startswith("row ")
    one, other, difference = told(opened, 2)[:3]
    assert difference == pytest.approx(other - one, abs=1e-4)
    assert opened.problems == []
