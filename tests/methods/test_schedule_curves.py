"""The curves of schedules: one for all groups that go alike, each with a look and a name of its own."""

from __future__ import annotations

from cnnwidgets.methods.schedule_curves import curves_of
from cnnwidgets.methods.schedules import schedule


def test_groups_that_go_alike_are_one_curve_and_the_first_of_each_schedule_looks_as_in_a_race():
    groups = [{"name": "head", "factor": 1.0}, {"factor": 0.5}, {"factor": 1.0}]
    specs = [{"kind": "cosine", "groups": groups}, {"kind": "step", "lr": 0.5}]
    curves = curves_of([schedule(spec, 5) for spec in specs])
    assert [(one.schedule, one.look, one.place, one.total) for one in curves] == [(0, 0, 0, 2), (0, 2, 1, 2), (1, 1, 0, 1)]
    assert [one.words for one in curves] == [("cosine", "head, group 2"), ("cosine", "group 1"), ("step decay 0.5",)]
    assert [one.course.lr[0] for one in curves] == [0.1, 0.05, 0.5]
