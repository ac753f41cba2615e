"""A plotly figure on Matplotlib axes: the same numbers, colors, axes and words."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import pytest
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from plotly.subplots import make_subplots

from cnnwidgets.views import ChartView
from cnnwidgets.views.curves import faint
from tests.views.stills import drawn


def still(figure: go.Figure, **traits):
    """The axes of a figure's still."""
    view = ChartView(**traits)
    view.show(figure, "a chart")
    return drawn(view)


def legend(axes) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


@pytest.mark.parametrize("count", [3, 5000])
def test_a_curve_has_all_its_points_also_where_they_travel_as_a_column(count):
    x = np.linspace(0, 1, count)
    (axes,) = still(go.Figure().add_scatter(x=x, y=x**2, mode="lines"))
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), np.column_stack([x, x**2]))


def test_what_was_appended_is_drawn_and_a_gap_is_one():
    view = ChartView()
    view.show(go.Figure().add_scatter(x=[0, 1], y=[5, None], mode="lines").add_scatter(x=[], y=[]), "two curves")
    view.extend({1: ([2, 3], [7, np.nan])})
    first, second = drawn(view)[0].lines
    np.testing.assert_array_equal(first.get_ydata(), [5, np.nan])
    np.testing.assert_array_equal(second.get_xydata(), [[2, 7], [3, np.nan]])


def test_without_x_points_are_counted_from_zero():
    (axes,) = still(go.Figure().add_scatter(y=[4, 5, 6]))
    assert axes.lines[0].get_xdata().tolist() == [0, 1, 2]


def test_lines_have_their_color_dash_width_and_steps():
    look = {"color": "rgb(255, 0, 0)", "dash": "dash", "width": 4, "shape": "hv"}
    (axes,) = still(go.Figure().add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=look))
    (line,) = axes.lines
    assert to_hex(line.get_color()) == "#ff0000"
    assert (line.get_linestyle(), line.get_linewidth(), line.get_drawstyle()) == ("--", 3, "steps-post")
    assert line.get_marker() == ""


def test_marks_have_their_symbol_size_and_rim():
    mark = {"color": "#00ff00", "symbol": "diamond", "size": 12, "line": {"color": "#ffb000", "width": 4}}
    (axes,) = still(go.Figure().add_scatter(x=[0], y=[0], mode="markers", marker=mark))
    (line,) = axes.lines
    assert (line.get_linestyle(), line.get_marker(), line.get_markersize()) == ("None", "D", 9)
    assert (to_hex(line.get_markerfacecolor()), to_hex(line.get_markeredgecolor())) == ("#00ff00", "#ffb000")


def test_the_marked_point_and_the_marked_bar_look_chosen():
    chosen = {"marker": {"color": "#d55e00", "size": 20}}
    (axes,) = still(go.Figure().add_scatter(x=[0, 1], y=[5, 6], selected=chosen), marked=1)
    assert (axes.lines[1].get_xydata().tolist(), to_hex(axes.lines[1].get_color())) == ([[1, 6]], "#d55e00")
    (axes,) = still(go.Figure().add_bar(x=[0, 1], y=[5, 6], selected={"marker": {"color": "#d55e00"}}), marked=1)
    assert to_hex(axes.patches[1].get_facecolor()) == "#d55e00" != to_hex(axes.patches[0].get_facecolor())


def test_bars_lie_with_their_names_texts_and_errors():
    figure = go.Figure().add_bar(
        y=["$a$", "b"], x=[0.5, 0.9], orientation="h", text=["50 %", "90 %"], error_x={"type": "data", "array": [0.1, 0.2]}
    )
    figure.update_layout(yaxis_autorange="reversed", xaxis={"range": [0, 1], "tickformat": ".0%"})
    (axes,) = still(figure)
    assert [patch.get_width() for patch in axes.patches] == [0.5, 0.9]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["$a$", "b"]
    assert not any(label.get_parse_math() for label in axes.get_yticklabels())
    assert [text.get_text() for text in axes.texts] == ["50 %", "90 %"]
    assert axes.yaxis_inverted()
    assert axes.containers[1].errorbar is not None if len(axes.containers) > 1 else axes.containers[0].errorbar
    assert axes.xaxis.get_major_formatter()(0.5) == "50%"


def test_a_closed_curve_is_filled():
    figure = go.Figure()
    figure.add_scatter(x=[0, 2, 2, 0], y=[1, 1, 4, 4], mode="lines", fill="toself", fillcolor="#ff0000")
    (axes,) = still(figure)
    (area,) = axes.patches
    assert area.get_xy().min(0).tolist() == [0, 1] and area.get_xy().max(0).tolist() == [2, 4]
    assert area.get_facecolor() == (1, 0, 0, 1)


def test_a_band_is_filled_between_two_curves():
    figure = go.Figure()
    figure.add_scatter(x=[0, 1], y=[1, 2], line={"width": 0})
    figure.add_scatter(x=[0, 1], y=[3, 5], line={"width": 0}, fill="tonexty", fillcolor=faint("#ff0000"))
    (axes,) = still(figure)
    (band,) = axes.collections
    assert band.get_facecolor()[0].tolist() == pytest.approx(to_rgba("#ff000033"))
    assert {(0, 1), (1, 2), (1, 5), (0, 3)} <= set(map(tuple, band.get_paths()[0].vertices.tolist()))


def test_ranges_and_scales_are_those_of_the_axes():
    figure = go.Figure().add_scatter(x=[1, 1000], y=[2, 3])
    figure.update_layout(xaxis={"type": "log", "range": [-1, 4], "title": "$rate$"}, yaxis={"rangemode": "tozero"})
    (axes,) = still(figure)
    assert (axes.get_xscale(), axes.get_xlim()) == ("log", pytest.approx((0.1, 10_000)))
    assert axes.get_ylim()[0] == 0
    assert (axes.get_xlabel(), axes.xaxis.label.get_parse_math()) == ("$rate$", False)


def test_ticks_have_their_words_or_none():
    figure = go.Figure().add_scatter(x=[0, 1], y=[2, 3])
    figure.update_layout(xaxis={"tickvals": [0, 1], "ticktext": ["one", "two"]}, yaxis={"showticklabels": False})
    (axes,) = still(figure)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["one", "two"]
    assert not any(label.get_visible() for label in axes.get_yticklabels())


def test_subplots_lie_by_their_domains_and_share_their_axis():
    figure = make_subplots(2, 2, shared_xaxes=True, row_heights=[0.75, 0.25])
    for row in (1, 2):
        for column in (1, 2):
            figure.add_scatter(x=[0, 10 * row], y=[row, column], row=row, col=column)
    axes = still(figure)
    assert [one.lines[0].get_ydata().tolist() for one in axes] == [[1, 1], [1, 2], [2, 1], [2, 2]]
    Figure.draw_without_rendering(axes[0].figure)
    boxes = [one.get_position() for one in axes]
    assert boxes[0].y0 > boxes[2].y1 and boxes[0].x1 < boxes[1].x0
    assert boxes[0].height / boxes[2].height == pytest.approx(3, rel=0.1)
    assert axes[0].get_xlim() == axes[2].get_xlim()
    assert axes[0].get_xlim()[1] >= 20


def test_on_axes_without_a_grid_subplots_share_their_room():
    figure = make_subplots(1, 2)
    figure.add_scatter(y=[1, 2], row=1, col=1).add_scatter(y=[3, 4], row=1, col=2)
    view, paper = ChartView(), Figure()
    view.show(figure, "two")
    view.still(paper.add_axes((0.2, 0.3, 0.6, 0.5)))
    left, right = (axes.get_position() for axes in paper.axes)
    assert (left.x0, right.x1) == pytest.approx((0.2, 0.8))
    assert (right.y0, right.y1) == pytest.approx((0.3, 0.8))


def test_two_axes_below_each_other_share_the_x_axis_under_the_lower_one():
    figure = go.Figure().add_scatter(x=[0, 5], y=[1, 2]).add_scatter(x=[0, 9], y=[3, 4], yaxis="y2")
    figure.update_layout(xaxis={"anchor": "y2", "title": "step"}, yaxis={"domain": [0.4, 1]}, yaxis2={"domain": [0, 0.3]})
    above, below = still(figure)
    assert above.get_xlim() == below.get_xlim()
    assert (above.get_xlabel(), below.get_xlabel()) == ("", "step")


def test_lines_regions_and_words_over_the_chart_are_where_they_were_put():
    figure = go.Figure().add_scatter(x=[0, 10], y=[0, 1])
    figure.add_vline(4, line={"color": "#d55e00", "dash": "dash"})
    figure.add_vrect(4, 10, fillcolor="#9a9a9a", opacity=0.15, line_width=0, layer="below")
    figure.add_annotation(x=4, y=1, yref="paper", text="stops<br>here", showarrow=False, xanchor="left", yanchor="top")
    (axes,) = still(figure)
    line = axes.lines[1]
    assert (list(line.get_xdata()), to_hex(line.get_color()), line.get_linestyle()) == ([4, 4], "#d55e00", "--")
    (region,) = [one for one in axes.get_children() if getattr(one, "get_alpha", lambda: None)() == 0.15]
    assert (region.get_x(), region.get_width()) == (4, 6)
    (words,) = axes.texts
    assert (words.get_text(), words.xy, words.get_ha()) == ("stops\nhere", (4, 1), "left")


def test_the_legend_has_the_names_that_are_told_and_parses_none():
    figure = go.Figure().add_scatter(y=[1, 2], name="a $1$ b").add_scatter(y=[2, 1], name="not told", showlegend=False)
    (axes,) = still(figure)
    assert legend(axes) == ["a $1$ b"]
    assert not axes.get_legend().get_texts()[0].get_parse_math()
    assert still(go.Figure().add_scatter(y=[1], name="alone"))[0].get_legend() is None


def test_a_title_stands_over_the_legend_above_the_curves():
    figure = go.Figure(layout={"title": "What it is"}).add_scatter(y=[1], name="a").add_scatter(y=[2], name="b")
    (axes,) = still(figure)
    axes.figure.draw_without_rendering()
    words, below = axes._left_title.get_window_extent(), axes.get_legend().get_window_extent()
    assert words.y0 >= below.y1 - 3 and below.y0 >= axes.get_window_extent().y1 - 1


def test_the_line_that_is_dragged_is_there_and_says_what_it_says():
    (axes,) = still(go.Figure().add_scatter(x=[0, 1], y=[0, 1]), line=0.25, line_label="$here$")
    assert axes.lines[-1].get_xdata() == [0.25, 0.25]
    assert [(text.get_text(), text.get_parse_math()) for text in axes.texts] == [("$here$", False)]


def test_an_empty_chart_and_an_empty_logarithmic_axis_are_no_error():
    assert drawn(ChartView())
    (axes,) = still(go.Figure(layout={"yaxis_type": "log"}).add_scatter(x=[], y=[]))
    axes.figure.draw_without_rendering()


def test_what_only_a_browser_draws_is_said():
    (axes,) = still(go.Figure().add_heatmap(z=[[1]]))
    assert axes.texts[0].get_text() == "a heatmap needs the browser"


def test_points_colored_by_value_have_their_colors_and_a_bar():
    mark = {"color": [0.1, 0.5, 0.9], "colorscale": "Viridis", "cmin": 0.1, "cmax": 0.9, "symbol": "circle", "size": 12}
    bar = {"showscale": True, "colorbar": {"title": {"text": "accuracy"}, "tickformat": ".0%"}}
    figure = go.Figure().add_scatter(x=[1, 2, 3], y=[4, 5, 6], mode="markers", name="trials", marker=mark | bar)
    figure.add_scatter(x=[1], y=[4], mode="markers", name="best", marker={"symbol": "circle-open", "color": "#d55e00"})
    axes, legend_of_colors = still(figure, height=300)[0].figure.axes
    (points,) = axes.collections
    np.testing.assert_array_equal(points.get_offsets(), [[1, 4], [2, 5], [3, 6]])
    colors = [to_hex(points.to_rgba(value)) for value in points.get_array()]
    assert (colors[0], colors[-1]) == ("#440154", "#fde725")  # the ends of viridis
    assert legend_of_colors.get_ylabel() == "accuracy"
    assert legend(axes) == ["trials", "best"]
    assert axes.lines[-1].get_markerfacecolor() == "none"  # open
    mark["reversescale"] = True
    (points,) = still(go.Figure().add_scatter(x=[1, 2, 3], y=[4, 5, 6], mode="markers", marker=mark))[0].collections
    assert to_hex(points.to_rgba(0.1)) == "#fde725"


def test_the_box_is_drawn_where_it_is():
    (axes,) = still(go.Figure().add_scatter(x=[0, 10], y=[0, 10]), box=[1.0, 2.0, 4.0, 8.0])
    boxes = [part for part in axes.get_children() if isinstance(part, Rectangle) and part.get_alpha() == 0.25]
    assert [part.get_bbox().extents.tolist() for part in boxes] == [[1, 2, 4, 8]]
