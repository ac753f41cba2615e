"""What of a race is drawn: means and spreads over seeds, rates, bars of snapshots."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cnnwidgets.methods import History, Race
from cnnwidgets.methods.race_curves import curves_of, quantities, rated, snapshot_bars
from cnnwidgets.methods.schedules import title

SPEC = {"kind": "constant", "lr": 0.1}


def history(seed: int, losses: list[float], name="a", spec=SPEC) -> History:
    """Two batches an epoch, of whose training losses the mean is that of the validation."""
    steps, values = 2 * len(losses), np.array(losses)
    return History(
        name, spec, seed, np.linspace(0.1, 0.2, steps)[None], np.repeat(values, 2), np.full(steps, 0.5),
        np.arange(2, steps + 1, 2), values, values / 10,
    )  # fmt: skip


def test_a_single_run_has_its_own_curves_and_the_rate_that_led_to_each():
    race = Race((history(0, [3.0, 2.0]),), "epoch", 2)
    assert quantities(race) == ["loss", "accuracy"]
    (x, training), (_, validation), (times, rate), *accuracy = curves_of(race, "a")
    assert x.tolist() == [1, 2]
    assert training.tolist() == validation.tolist() == [3.0, 2.0]
    rates = np.linspace(0.1, 0.2, 4)
    assert times.tolist() == [0, 1, 2] and rate.tolist() == [rates[1], rates[1], rates[3]]
    assert accuracy[1][1].tolist() == [0.3, 0.2]


def test_batches_are_counted_as_they_were_trained():
    race = Race((history(0, [3.0, 2.0]),), "batch", 4)
    assert curves_of(race, "a")[0][0].tolist() == [2, 4]


def test_several_seeds_are_drawn_as_far_as_all_have_come_with_a_band_of_one_deviation():
    race = Race((history(0, [3.0, 2.0, 1.0]), history(1, [5.0, 4.0])), "epoch", 3)
    _, (x, mean), (_, below), (_, above), *_ = curves_of(race, "a")
    assert x.tolist() == [1, 2] and mean.tolist() == [4.0, 3.0]
    np.testing.assert_allclose(above - mean, np.std([3.0, 5.0], ddof=1))
    np.testing.assert_allclose(mean - below, above - mean)


def test_groups_with_one_rate_are_one_curve():
    spec = {**SPEC, "groups": [{"factor": 1.0}, {"factor": 0.5}, {"factor": 1.0}]}
    race = Race((history(0, [3.0], spec=spec),), "epoch", 1)
    assert [members for members, _ in rated(race, "a")] == [[0, 2], [1]]


def test_the_snapshots_of_one_schedule_stand_beside_their_average_and_the_others():
    ends, singles = np.array([2, 4]), np.array([0.5, 0.75])
    some = {"snapshot_ends": ends, "snapshot_accuracy": singles, "ensemble_accuracy": np.array([0.5, 0.875])}
    race = Race((replace(history(0, [3.0, 2.0]), **some), history(0, [3.0, 1.0], name="b")), "epoch", 2)
    bars = {kind: [(name, values.tolist()) for name, values in some] for kind, some in snapshot_bars(race).items()}
    assert bars == {
        "snapshots": [("snapshot 1", [0.5]), ("snapshot 2", [0.75])],
        "average": [("average of all 2", [0.875])],
        "others": [("b", [0.1])],
    }


def test_without_snapshots_there_are_no_bars():
    assert snapshot_bars(Race((history(0, [3.0, 2.0], name=title(SPEC)),), "epoch", 2)) == {}
