"""Curves are told apart by color and dash, and legends have room for eight groups."""

from __future__ import annotations

from itertools import pairwise

from cnnwidgets.views.curves import blank, in_legend, look, more_groups, short, untold_of
from cnnwidgets.views.palette import OKABE_ITO


def test_48_curves_look_different_and_neighbors_differ_in_color_and_dash():
    looks = [look(k) for k in range(49)]
    assert len(set(looks[:48])) == 48 and looks[48] == looks[0]
    assert all(a[0] != b[0] and a[1] != b[1] for a, b in pairwise(looks))
    assert {*OKABE_ITO} < {color for color, _ in looks}


def test_a_legend_names_eight_groups_or_seven_and_the_number_of_the_others():
    for count in range(1, 20):
        named = sum(in_legend(k, count) for k in range(count))
        assert named + untold_of(count) == count
        assert named + bool(untold_of(count)) == min(count, 8)
    assert more_groups(untold_of(12))["name"] == "… 5 more: point at the chart"


def test_a_long_name_is_cut_to_the_room_in_a_legend():
    assert short("x" * 44) == "x" * 44
    assert short("x" * 45) == "x" * 43 + "…"


def test_a_blank_chart_has_its_axes_titles_and_no_point():
    figure = blank("epoch", "loss")
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("epoch", "loss")
    assert not len(figure.data[0].x)
