"""A chart that grows, is read and is dragged: in a real JupyterLab, and in a page without a kernel."""

import numpy as np
import plotly.graph_objects as go
import pytest

from cnnwidgets.base import page as pages
from cnnwidgets.views import ChartView
from cnnwidgets.views.chart_view import plotly_bundle
from tests.browser.lab import Notebook, new_page

pytestmark = pytest.mark.browser

IMPORTS = """
import numpy as np, plotly.graph_objects as go
from plotly.subplots import make_subplots
from cnnwidgets.views import ChartView
def lines(count):
    x = np.arange(count, dtype=float)
    return go.Figure([go.Scatter(x=x, y=np.sin(x / count * 9) + k, name=f"run {k}", mode="lines") for k in range(4)])
def knots(x, y):
    return go.Figure(go.Scatter(x=x, y=y, name="knots", mode="lines+markers", marker_size=12), layout={
        "xaxis": {"range": [0, 400]}, "yaxis": {"type": "log", "range": [-4, 0]}})
"""
CHARTS = """
live, long, hands, bars = (ChartView(height=200) for _ in range(4))
live.show(lines(50), "four short curves")
long.show(lines(60), "four curves")
hands.show(knots([0, 100, 200, 400], [1e-3, 1e-1, 1e-2, 1e-3]), "a schedule")
bars.show(go.Figure(go.Bar(y=[1, 2, 3])), "bars")
display(live, long, hands, bars)
"""
LIVE, LONG_ONE, HANDS, BARS = range(4)
DATA = "([chart, curve]) => [...document.querySelectorAll('.cw-plot')[chart]._fullData[curve].y]"


@pytest.fixture(scope="module")
def opened(chromium, lab):
    with new_page(chromium) as page:
        frames: list[int] = []
        page.on("websocket", lambda socket: socket.on("framereceived", lambda data: frames.append(len(data))))
        lab.write("charts.ipynb", IMPORTS, CHARTS, "display(live)")
        notebook = Notebook(page, lab, "charts.ipynb")
        notebook.frames = frames
        notebook.run(0)
        frames.clear()
        notebook.run(1)
        charts(notebook, 4)
        yield notebook
        notebook.shut_down()


def charts(notebook, count):
    """Wait until so many charts are drawn."""
    notebook.page.wait_for_function("(n) => document.querySelectorAll('.cw-chart[data-seq]').length === n", arg=count)


def redrawn(notebook, index, code):
    """Run Python, and wait until a chart is drawn once more."""
    chart = notebook.page.locator(".cw-chart").nth(index)
    before = int(chart.get_attribute("data-seq"))
    notebook.python(code)
    notebook.page.wait_for_function(
        "([i, n]) => Number(document.querySelectorAll('.cw-chart')[i].dataset.seq) > n", arg=[index, before]
    )


def drag(page, handle, across, down):
    """Drag an element by CSS pixels, in steps."""
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + min(box["height"] / 2, 14)
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, 11):
        page.mouse.move(x + across * step / 10, y + down * step / 10)
        page.wait_for_timeout(20)
    page.mouse.up()


def test_four_charts_fetch_the_library_once(opened):
    assert len([size for size in opened.frames if size > 500_000]) == 1
    assert sum(opened.frames) < 1.12 * len(plotly_bundle())  # beside it, 20 KB a chart: module, style sheet and figure


def test_what_is_appended_shows_in_each_view_and_after_show_it_is_gone(opened):
    redrawn(opened, LIVE, "for k in range(20): live.extend({0: ([50 + k], [k]), 3: ([50 + k], [np.nan])})")
    assert opened.page.evaluate(DATA, [LIVE, 0])[-20:] == list(range(20))
    assert len(opened.page.evaluate(DATA, [LIVE, 3])) == 70
    opened.run(2)
    charts(opened, 5)
    assert opened.page.evaluate(DATA, [4, 0])[-20:] == list(range(20)), "a view that is rendered later"
    redrawn(opened, 4, "live.extend({0: ([70], [-1])})")
    both = [opened.page.evaluate(DATA, [view, 0]) for view in (LIVE, 4)]
    assert both[0] == both[1]
    assert len(both[0]) == 71
    redrawn(opened, LIVE, "live.show(lines(30), 'others')")
    assert len(opened.page.evaluate(DATA, [LIVE, 0])) == 30
    redrawn(opened, LIVE, "live.extend({0: ([30], [5])})")
    assert opened.page.evaluate(DATA, [LIVE, 0])[-1] == 5


def test_a_figure_with_another_description_is_drawn_once(opened):
    chart = opened.page.locator(".cw-chart").nth(LIVE)
    before = int(chart.get_attribute("data-seq"))
    redrawn(opened, LIVE, "live.show(lines(30), 'a sentence of its own')")
    opened.page.wait_for_timeout(200)
    assert int(chart.get_attribute("data-seq")) == before + 1
    assert chart.get_attribute("aria-label") == "a sentence of its own"


def test_a_chart_is_as_wide_as_its_place_when_that_changes_and_the_window_does_not(opened):
    area = opened.page.locator(".cw-chart .cw-area").nth(BARS)
    widths = []
    for _ in range(2):
        opened.page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
        opened.page.wait_for_function(
            "(area) => area.clientWidth === area.querySelector('.main-svg').clientWidth", arg=area.element_handle()
        )
        widths.append(area.evaluate("(area) => area.clientWidth"))
    assert abs(widths[0] - widths[1]) > 100


def test_a_legend_that_needs_fewer_rows_stands_above_the_curves_once_a_chart_is_wide_again(opened):
    redrawn(opened, LIVE, "from cnnwidgets.views.curves import dress; live.show(dress(lines(30), '', ''), 'a legend above')")
    area = opened.page.locator(".cw-chart .cw-area").nth(LIVE)
    rows = """(area) => new Set(
        [...area.querySelectorAll('.traces')].map((one) => Math.round(one.getBoundingClientRect().top))).size"""
    fits = """(area) => area.querySelector('.legend').getBoundingClientRect().bottom
        <= area.querySelector('.nsewdrag').getBoundingClientRect().top"""
    for width, wrapped in (("280px", True), ("", False)):
        area.evaluate("(area, width) => (area.closest('.cw-chart').style.width = width)", width)
        opened.page.wait_for_function(f"(area) => ({rows})(area) {'> 1' if wrapped else '=== 1'}", arg=area.element_handle())
        opened.page.wait_for_function(fits, arg=area.element_handle(), timeout=3000)


def test_a_chart_takes_the_colors_of_a_theme_that_comes_while_it_is_hidden_for_a_frame(opened):
    change = """([index, color]) => {
        const chart = document.querySelectorAll('.cw-chart')[index];
        chart.style.display = 'none';
        document.body.style.setProperty('--jp-ui-font-color1', color);
        document.body.dataset.jpThemeName = `theme ${color}`;
        requestAnimationFrame(() => (chart.style.display = '')); }"""
    taken = """([index, color]) =>
        getComputedStyle(document.querySelectorAll('.cw-chart')[index].querySelector('.xtick text')).fill === color"""
    for color in ("rgb(9, 8, 7)", "rgb(1, 2, 3)"):
        opened.page.evaluate(change, [BARS, color])
        opened.page.wait_for_function(taken, arg=[BARS, color])
    opened.page.evaluate("() => { document.body.style.removeProperty('--jp-ui-font-color1'); }")


def test_appending_draws_at_most_once_a_frame(opened):
    chart = opened.page.locator(".cw-chart").nth(LIVE)
    before = int(chart.get_attribute("data-seq"))
    opened.python("for k in range(200): live.extend({1: ([30 + k], [k])})")
    opened.page.wait_for_function("() => document.querySelectorAll('.cw-plot')[0]._fullData[1].x.at(-1) === 229")
    assert int(chart.get_attribute("data-seq")) - before < 100


def test_a_spike_in_100_000_points_is_drawn_and_the_readout_is_exact(opened):
    page = opened.page
    redrawn(
        opened,
        LONG_ONE,
        "figure = lines(100_000)\nspiked = np.array(figure.data[0].y)\nspiked[54_321] = 77.125\n"
        "figure.data[0].y = spiked\nfigure.update_yaxes(hoverformat='.6~g')\n"
        "long.readout = True\nlong.show(figure, 'a spike')",
    )
    drawn = page.evaluate(DATA, [LONG_ONE, 0])
    assert 1000 < len(drawn) < 4000
    assert max(drawn) == 77.125
    chart = page.locator(".cw-chart").nth(LONG_ONE)
    box = chart.locator(".cw-area").bounding_box()
    page.mouse.move(box["x"] + 500, box["y"] + 100)
    text = chart.locator(".cw-readout")
    text.get_by_text("run 3").wait_for()
    x = int(text.locator("span").first.inner_text().split()[1])
    shown = [float(value.replace("−", "-")) for value in text.locator(".cw-value").all_inner_texts()]
    exact = [np.sin(x / 100_000 * 9) + k for k in range(4)]
    assert x not in drawn
    np.testing.assert_allclose(shown, exact, rtol=5e-6)
    chart.focus()
    chart.press("ArrowRight")
    page.wait_for_function(
        "(x) => document.querySelectorAll('.cw-readout')[1].innerText.startsWith('x ' + x)", arg=str(x + 1)
    )


def test_a_zoomed_curve_is_thinned_anew(opened):
    page = opened.page
    box = page.locator(".cw-area").nth(LONG_ONE).bounding_box()
    chart = page.locator(".cw-chart").nth(LONG_ONE)
    before = chart.get_attribute("data-seq")
    page.mouse.move(box["x"] + 300, box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + 340, box["y"] + 82, steps=5)
    page.mouse.up()
    page.wait_for_function("(n) => document.querySelectorAll('.cw-chart')[1].dataset.seq > n", arg=before)
    seen = "() => { const g = document.querySelectorAll('.cw-plot')[1], [a, b] = g.layout.xaxis.range;"
    inside = page.evaluate(seen + "return [b - a, g._fullData[1].x.filter((x) => x >= a && x <= b).length]; }")
    assert inside[0] < 10_000
    assert inside[1] > 1000


def test_a_knot_is_dragged_and_its_neighbors_hold(opened):
    page = opened.page
    opened.python(
        "moves = []\ndef answer(change):\n"
        "    curve, point, x, y = change.new\n    moves.append(change.new)\n"
        "    xs, ys = [0, 100, 200, 400], [1e-3, 1e-1, 1e-2, 1e-3]\n    xs[int(point)], ys[int(point)] = x, y\n"
        "    hands.show(knots(xs, ys), 'moved')\n"
        "hands.observe(answer, 'dragged')"
    )
    redrawn(opened, HANDS, "hands.draggable = [0]")
    handles = page.locator(".cw-knot:visible")
    assert handles.count() == 4
    drag(page, handles.nth(1), 30, 20)
    opened.wait_python("100 < hands.dragged[2] < 200 and 1e-3 < hands.dragged[3] < 0.1", "True")
    drag(page, handles.nth(1), 900, 500)
    opened.wait_python("199 < hands.dragged[2] < 200 and round(hands.dragged[3], 6) == 1e-4", "True")
    assert int(opened.python("print(len(moves))")) >= 3
    handles.nth(2).press("ArrowUp")
    opened.wait_python("hands.dragged[1] == 2 and hands.dragged[3] > 1e-2", "True")


def test_knots_and_line_follow_an_axis_that_is_being_dragged(opened):
    page = opened.page
    shown = "knots([0, 100, 200, 400], [1e-3, 1e-1, 1e-2, 1e-3]).update_layout(dragmode='pan')"
    redrawn(opened, HANDS, f"hands.line = 150.0\nhands.show({shown}, 'to be moved')")
    parts = [page.locator(".cw-knot:visible").nth(1), page.locator(".cw-rule:visible")]
    before = [part.bounding_box()["x"] for part in parts]
    axis = page.locator(".cw-chart").nth(HANDS).locator(".ewdrag").bounding_box()
    x, y = axis["x"] + axis["width"] / 2, axis["y"] + axis["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y, steps=6)
    page.wait_for_timeout(200)
    moved = [part.bounding_box()["x"] - left for part, left in zip(parts, before, strict=True)]
    page.mouse.up()
    redrawn(opened, HANDS, "hands.line = None\nhands.show(knots([0, 100, 200, 400], [1e-3, 1e-1, 1e-2, 1e-3]), 'at rest')")
    assert moved == pytest.approx([60, 60], abs=1)


def test_double_clicks_and_delete_ask_for_points(opened):
    page = opened.page
    box = page.locator(".cw-area").nth(HANDS).bounding_box()
    page.mouse.dblclick(box["x"] + 700, box["y"] + 60)
    opened.wait_python("len(hands.added) == 2 and 200 < hands.added[0] < 400 and 1e-4 < hands.added[1] < 1", "True")
    page.locator(".cw-knot:visible").nth(2).press("Delete")
    opened.wait_python("hands.removed", "[0, 2]")
    opened.python("hands.show(knots([0, 100, 300], [1e-3, 1e-1, 1e-2]), 'one fewer')")
    opened.wait_python("(hands.added, hands.removed)", "([], [])")
    page.locator(".cw-knot:visible").nth(1).dblclick()
    opened.wait_python("hands.removed", "[0, 1]")


def test_the_line_is_dragged_and_moved_by_keys(opened):
    opened.python("hands.line_label, hands.line = 'here', 250.0")
    rule = opened.page.locator(".cw-rule:visible")
    rule.get_by_text("here").wait_for()
    drag(opened.page, rule, 100, 0)
    opened.wait_python("250 < hands.line < 350", "True")
    before = float(opened.python("print(hands.line)"))
    rule.press("Shift+ArrowLeft")
    opened.wait_python(f"{before - 20} < hands.line < {before}", "True")


def test_a_reloaded_page_shows_what_was_appended_and_a_restarted_kernel_starts_anew(opened):
    page = opened.page
    shown = page.evaluate(DATA, [LIVE, 1])
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.reload()
    page.wait_for_selector("#jupyterlab-splash", state="detached")
    page.wait_for_function(opened.IDLE)
    charts(opened, 5)
    assert page.evaluate(DATA, [LIVE, 1]) == shown
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    page.wait_for_function(opened.IDLE)
    opened.run(0)
    opened.run(1)
    page.wait_for_function("() => document.querySelectorAll('.cw-plot')[0]._fullData?.[1].x.length === 50")
    charts(opened, 5)
    redrawn(opened, LIVE, "live.extend({1: ([50], [3])})")


def test_all_of_that_without_an_error_or_a_request_to_elsewhere(opened):
    assert [each for each in opened.problems if "debugger state" not in each] == []  # JupyterLab's own, at a restart
    assert opened.outside() == []


def test_a_page_without_a_kernel_tells_values_and_lets_nothing_be_dragged(page, tmp_path):
    chart = ChartView(readout=True, draggable=[0], line=2.0, line_label="here")
    short = go.Scatter(x=[1, 2], y=[0.123456789, 5], name="curve", mode="lines+markers")
    long = go.Scatter(x=np.linspace(1, 3, 50_000), y=np.arange(50_000) % 7, name="long", mode="lines")
    chart.show(go.Figure([short, long], layout={"yaxis": {"hoverformat": ".6~g"}}), "two curves")
    chart.extend({0: ([3.0], [np.pi])})
    (tmp_path / "chart.html").write_text(pages.page(chart), "utf-8")
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto((tmp_path / "chart.html").as_uri())
    page.wait_for_selector(".cw-chart[data-seq]")
    assert page.locator(".cw-rule:visible").count() == 1
    assert page.locator(".cw-knot:visible").count() == 0
    assert page.locator(".cw-rule").evaluate("(e) => getComputedStyle(e).pointerEvents") == "none"
    area = page.locator(".cw-area").bounding_box()
    across = page.locator(".cw-plot").evaluate("(g) => g._fullLayout.xaxis._offset + g._fullLayout.xaxis.d2p(2.9)")
    page.mouse.move(area["x"] + across, area["y"] + 100)
    page.get_by_text("3.14159").wait_for()
    assert problems == []
    assert page.evaluate(DATA, [0, 0]) == [0.123456789, 5, np.pi]
    assert 1000 < len(page.evaluate(DATA, [0, 1])) < 5000
