"""Schedules side by side: those that stay are not followed again, long ones have sketches, own ones come first."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.optim.lr_scheduler import StepLR

from cnnwidgets.methods import schedule_follower
from cnnwidgets.methods.schedule_follower import LONG, SKETCHED, Follower, arrays_of, listing_of
from cnnwidgets.methods.schedules import schedule

COSINE, STEP = {"kind": "cosine", "lr": 0.1}, {"kind": "step", "lr": 0.2, "step_size": 3}


def optimizer(rate=0.3):
    return torch.optim.SGD(torch.nn.Linear(3, 2).parameters(), lr=rate)


def test_what_stays_is_known_and_what_is_bent_is_followed_anew(monkeypatch):
    followed = []

    def note(spec, steps, **options):
        followed.append(spec)
        return schedule(spec, steps, **options)

    monkeypatch.setattr(schedule_follower, "schedule", note)
    follower = Follower(None, None, "digits")
    first = follower.follow([COSINE, STEP], 10)
    bent = {**STEP, "gamma": 0.5}
    second = follower.follow([COSINE, bent], 10)
    assert followed == [COSINE, STEP, bent]
    assert second[0] is first[0]
    follower.follow([COSINE], 11)
    assert followed[3:] == [COSINE], "so many steps were not made before"


def test_sketches_are_of_very_many_steps_and_agree_with_what_is_stepped():
    follower = Follower(None, None, "digits")
    assert follower.sketches([COSINE], LONG) == ()
    assert follower.sketches([COSINE, {"kind": "plateau"}], LONG + 1) == ()
    before = follower.sketches([COSINE], 2 * LONG)[0]
    assert len(before.steps) == SKETCHED and before.steps[[0, -1]].tolist() == [0, 2 * LONG - 1]
    (exact,) = follower.follow([COSINE], 2 * LONG)
    np.testing.assert_allclose(before.lr, exact.lr[before.steps], rtol=1e-9, atol=1e-12)
    known = follower.sketches([COSINE], 2 * LONG)[0]
    np.testing.assert_array_equal(known.lr, exact.lr[known.steps])
    np.testing.assert_array_equal(known.momentum, exact.momentum[known.steps])


def test_one_begins_with_what_is_given_with_a_scheduler_or_with_an_optimizers_rates():
    assert Follower(None, None, "digits").beginning([STEP]) == [STEP]
    assert Follower(optimizer(), None, "digits").beginning([STEP]) == [STEP]
    own = Follower(optimizer(), None, "digits").beginning([])
    assert [(spec["kind"], spec["lr"]) for spec in own] == [("constant", 0.3), ("step", 0.3), ("cosine", 0.3)]
    follower = Follower(None, StepLR(optimizer(), 2), "digits")
    follower.own.follow(4, [])
    specs = follower.beginning([STEP])
    assert (specs[0], specs[1]["name"]) == (STEP, "StepLR (yours)")
    assert follower.follow(specs, 4)[1].lr == pytest.approx([0.3, 0.3, 0.03, 0.03])


def test_the_arrays_have_a_row_for_each_group_and_the_listing_gives_them():
    groups = [{"factor": 1.0}, {"factor": 0.5}]
    found = Follower(None, None, "digits").follow([COSINE, {**STEP, "groups": groups}], 6)
    arrays = arrays_of(found)
    assert arrays["schedule"].tolist() == [0, 1, 1] and arrays["group"].tolist() == [0, 0, 1]
    np.testing.assert_allclose(arrays["lr"][2], 0.5 * arrays["lr"][1])
    space: dict = {}
    exec(listing_of(found), space)
    np.testing.assert_array_equal(space["values"][0], arrays["lr"][0])
    np.testing.assert_array_equal(np.transpose(space["values"][1]), arrays["lr"][1:])
