"""A search: its trials are races, drawn by the book, and the same on every executor."""

from __future__ import annotations

import json
import math
import pickle
import statistics
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from enum import IntEnum
from threading import Event
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import cnnwidgets as cw
from cnnwidgets.methods import Search, Searches, Task, race, search
from cnnwidgets.methods.median_stopping import MedianRule
from cnnwidgets.methods.spaces import Axis, axis_of, child, shares_of, spec_of
from tests.methods.learning import Net, loader, others

SPACE = {"lr": (1e-3, 1.0, "log"), "momentum": (0.0, 0.9)}


def task() -> Task:
    return Task(Net, loader(), others())


@pytest.fixture(scope="module")
def found() -> Search:
    return search(task(), SPACE, runs=10, steps=3, seeds=(0, 1))


# the space


@given(st.floats(1e-6, 1e3), st.floats(1.001, 1e6), st.floats(0, 1), st.booleans())
def test_a_value_of_an_axis_is_within_its_ends_and_has_its_share(low, ratio, share, log):
    axis = axis_of("lr", (low, low * ratio, "log") if log else (low, low * ratio))
    value = axis.at(share)
    assert axis.low <= value <= axis.high
    assert axis.share(value) == pytest.approx(share, abs=1e-6)


def test_on_a_logarithmic_axis_half_of_the_trials_lie_below_the_geometric_mean():
    axis = axis_of("lr", (1e-4, 1.0, "log"))
    assert axis.at(0.5) == pytest.approx(1e-2)
    drawn = np.array([axis.at(share) for share in shares_of("random", {"lr": axis}, 4000, 0)[:, 0]])
    assert abs((drawn < 1e-2).mean() - 0.5) < 4 * 0.5 / math.sqrt(4000)  # four standard deviations of a coin
    assert abs((drawn < 1e-3).mean() - 0.25) < 4 * math.sqrt(3 / 16 / 4000)


def test_whole_numbers_and_choices_are_drawn_alike_often():
    for axis in (axis_of("n", (3, 6)), axis_of("n", [3, 4, 5, 6])):
        drawn = [axis.at(share) for share in (np.arange(400) + 0.5) / 400]
        assert {value: drawn.count(value) for value in drawn} == dict.fromkeys([3, 4, 5, 6], 100)
        assert all(type(value) is int for value in drawn)


def test_a_name_with_a_dot_goes_into_a_dict_and_leaves_the_base_as_it_is():
    base = {"optimizer": "Adam", "regularize": {"batch_norm": True}}
    spec = spec_of(base, {"lr": 0.1, "regularize.dropout": 0.5})
    assert spec["regularize"] == {"batch_norm": True, "dropout": 0.5}
    assert base["regularize"] == {"batch_norm": True}
    assert (spec["kind"], spec["lr"]) == ("constant", 0.1)


@pytest.mark.parametrize("runs, counts", [(16, (4, 4)), (17, (4, 4)), (20, (5, 4)), (3, (3, 1)), (1, (1, 1))])
def test_a_grid_has_as_many_cells_as_fit(runs, counts):
    axes = {name: axis_of(name, (0.0, 1.0)) for name in "ab"}
    shares = shares_of("grid", axes, runs, 0)
    assert len({*map(tuple, shares)}) == len(shares) == math.prod(counts)
    for k, count in enumerate(counts):
        np.testing.assert_allclose(np.unique(shares[:, k]), (np.arange(count) + 0.5) / count)


def test_random_beats_a_grid_where_one_axis_matters_little():
    """Bergstra and Bengio (2012): of 16 trials a grid tries 4 values of each axis, and random ones try 16."""
    axes = {name: axis_of(name, (0.0, 1.0)) for name in ("matters", "matters not")}
    optima = np.random.default_rng(0).random(300)
    missed = {}
    for way in ("grid", "random"):
        each = [shares_of(way, axes, 16, seed)[:, 0] for seed in range(300)]
        assert len({*each[0]}) == {"grid": 4, "random": 16}[way]
        missed[way] = np.mean([np.abs(shares - best).min() for shares, best in zip(each, optima, strict=True)])
    assert missed["grid"] == pytest.approx(1 / 16, rel=0.1)  # a quarter of a cell of 1/4
    # nearest of 16 uniform ones: 1/34 inside, and a little more near the ends
    assert 1 / 34 < missed["random"] < 1 / 25


@pytest.mark.parametrize(
    "space, error, sentence",
    [
        ({}, TypeError, "expected a dict such as"),
        ({"lr": 0.1}, TypeError, r"the range of 'lr' is 0.1; expected \(low, high\)"),
        ({"lr": (1, 0.1)}, ValueError, "expected the lower number first"),
        ({"lr": (0.0, 1.0, "log")}, ValueError, "expected numbers above 0"),
        ({"lr": (0.1, 1.0, "lin")}, TypeError, "expected"),
        ({"lr": []}, ValueError, "nothing to choose from for 'lr'"),
        ({"lrr": (0.1, 1.0)}, TypeError, "constant has no parameter 'lrr'"),
        ({"momentum": (0.0, 1.0)}, ValueError, "momentum is 1.0; expected a number from 0 to 0.999999"),
        ({"regularize.drop": (0.0, 0.5)}, TypeError, "regularize has no 'drop'"),
        ({"lr.more": (0.0, 0.5)}, TypeError, "expected a name with one dot at most"),
        ({"optimizer": ["SGD", "Sgd"]}, ValueError, "optimizer is 'Sgd'"),
    ],
)
def test_what_is_wrong_with_a_space_is_said_before_anything_trains(space, error, sentence):
    trained = []
    with pytest.raises(error, match=sentence):
        search(task(), space, runs=2, steps=1, on_update=lambda *_: trained.append(1))
    assert not trained


# the trials


def test_a_trial_is_what_a_race_of_its_spec_gives(found):
    whole = next(one for one in found.trials if one.state == "complete")
    alone = race(task(), [whole.spec], steps=3, seeds=(0, 1))
    for mine, theirs in zip(whole.histories, alone.histories, strict=True):
        assert mine.loss.tobytes() == theirs.loss.tobytes()
    assert whole.value == np.median([one.final_accuracy for one in alone.histories])
    assert whole.spec["lr"] == whole.values["lr"]


def test_the_best_trial_gives_its_network_and_no_other_keeps_weights(found):
    assert found.best.value == max(one.value for one in found.trials if one.state == "complete")
    assert isinstance(found.best.histories[0].module(), Net)
    assert [bool(one.histories[0].weights.by_epoch) for one in found.trials] == [one is found.best for one in found.trials]
    assert found.best_so_far[-1] == found.best.value
    assert (np.diff(found.best_so_far[np.isfinite(found.best_so_far)]) >= 0).all()


def told(one: Search) -> list:
    def of(trial):
        return (
            trial.values,
            trial.value,
            trial.state,
            trial.stopped,
            trial.skipped,
            [run.loss.tobytes() for run in trial.histories],
        )

    return [*map(of, one.trials)]


@pytest.mark.parametrize("by", ["random", "evolution"])
def test_it_is_the_same_on_threads(by):
    options = {"by": by, "runs": 11, "steps": 2, "seed": 3, "seeds": (0, 1, 2)}
    with ThreadPoolExecutor(3) as threads:
        assert told(search(task(), SPACE, **options)) == told(search(task(), SPACE, **options, executor=threads))


class Copying(Executor):
    """Gives a call no more than what goes to another process and back, where runs of a race are tested."""

    def submit(self, function, /, *given, **named):
        future = Future()
        call, arguments, more = pickle.loads(pickle.dumps((function, given, named)))
        future.set_result(pickle.loads(pickle.dumps(call(*arguments, **more))))
        return future


def test_it_is_the_same_with_copies_as_other_processes_get_them():
    options = {"runs": 6, "steps": 2, "generation": 3, "seeds": (0, 1)}
    copied = search(task(), SPACE, **options, executor=Copying())
    assert told(copied) == told(search(task(), SPACE, **options))
    assert isinstance(copied.best.histories[0].module(), Net)


def test_more_runs_begin_with_the_same_trials():
    short, long = (search(task(), SPACE, runs=runs, steps=1, stop_hopeless=False) for runs in (3, 5))
    assert [one.values for one in long.trials[:3]] == [one.values for one in short.trials]


def test_updates_grow_and_a_cancel_keeps_what_is_there():
    seen, stop = [], Event()

    def tell(partial, fraction):
        seen.append((len(partial.trials), fraction))
        if len(partial.trials) > 4:
            stop.set()

    with pytest.raises(cw.Cancelled) as caught:
        search(task(), SPACE, runs=20, steps=1, seeds=(0, 1, 2), on_update=tell, cancel=stop)
    assert 4 < len(caught.value.partial.trials) <= 8
    assert caught.value.partial.best is not None
    assert [fraction for _, fraction in seen] == sorted(fraction for _, fraction in seen)


def test_a_loss_is_searched_where_there_is_no_accuracy():
    values = Task(Regression, Values(), Values(), torch.nn.MSELoss())
    found = search(values, {"lr": (1e-3, 0.1, "log")}, runs=4, steps=2)
    assert (found.result, found.higher) == ("loss", False)
    assert found.best.value == min(one.value for one in found.trials if one.state == "complete")
    assert (np.diff(found.best_so_far) <= 0).all()


class Regression(torch.nn.Sequential):
    def __init__(self):
        super().__init__(torch.nn.Flatten(), torch.nn.Linear(4, 1))


class Values:
    """Batches of pictures with a number each."""

    def __iter__(self):
        for pictures, _ in loader(shuffle=False):
            yield pictures, pictures.sum((1, 2, 3))[:, None]


# evolution


@given(st.integers(0, 1000))
@settings(max_examples=50)
def test_a_child_differs_from_its_parent_in_one_value(seed):
    axes = {"a": axis_of("a", (0.0, 1.0)), "b": axis_of("b", (1e-3, 1.0, "log")), "c": axis_of("c", ["x", "y", "z"])}
    parent = {"a": 0.9, "b": 0.1, "c": "y"}
    shares = child(axes, [(parent, 1.0)], np.random.default_rng(seed))
    made = {name: axis.at(share) for (name, axis), share in zip(axes.items(), shares, strict=True)}
    assert sum(made[name] != pytest.approx(parent[name]) for name in axes) == 1
    assert ((shares >= 0) & (shares <= 1)).all()


def test_the_parent_is_the_best_of_those_that_are_drawn():
    axes = {"a": axis_of("a", (0.0, 1.0)), "b": axis_of("b", (0.0, 1.0))}
    living = [({"a": 0.1, "b": 0.1}, 0.2), ({"a": 0.8, "b": 0.8}, 0.9), ({"a": 0.5, "b": 0.5}, -math.inf)]
    for seed in range(20):
        assert 0.8 in child(axes, living, np.random.default_rng(seed))


# hopeless runs


def test_the_median_rule_by_hand():
    runs = [[0.1, 0.5], [0.3, 0.5], [0.2, 0.9], [0.4]]
    rule = MedianRule.after(runs, "accuracy")
    assert rule.medians == (pytest.approx(0.25), pytest.approx(0.4))  # of 0.1 ... 0.4; of 0.3, 0.4, 0.55
    assert rule.verdict([0.25]) == ""  # strictly worse, it says
    assert "after epoch 1" in rule.verdict([0.24])
    assert rule.verdict([0.5, 0.1]) == ""  # its best counts
    assert rule.verdict([0.0, 0.0, 0.0]) == ""  # nobody came as far
    assert MedianRule.after(runs[:2], "accuracy").verdict([0.0]) == ""  # too few to judge by


def test_of_losses_the_higher_one_is_worse_and_nan_is_the_worst():
    rule = MedianRule.after([[1.0], [2.0], [math.nan]], "loss")
    assert rule.medians == (2.0,)
    assert rule.verdict([2.0]) == ""
    assert rule.verdict([2.1])
    assert rule.verdict([math.nan])


def test_hopeless_runs_are_stopped_and_counted_and_each_says_why(found):
    assert found.stopped == sum(bool(run.stopped) for one in found.trials for run in one.histories) > 0
    skipped = 20 - sum(len(one.histories) for one in found.trials)
    assert skipped == sum(one.skipped for one in found.trials) > 0
    told = f"{found.stopped} of 20 runs were stopped early, and {skipped} were left out, as the other seeds had decided"
    assert told in found.summary.split("\n")[0]
    assert told in Searches((found, replace(found, trials=()))).summary
    assert found.summary.count("the median of earlier runs") == found.stopped
    for one in found.trials[:4]:
        assert not one.stopped  # nobody was before the first generation
    whole = search(task(), SPACE, runs=10, steps=3, seeds=(0, 1), stop_hopeless=False)
    assert whole.stopped == 0
    for mine, theirs in zip(found.trials, whole.trials, strict=True):
        assert len(mine.histories) + mine.skipped == len(theirs.histories) == 2
        for run, full in zip(mine.histories, theirs.histories, strict=False):
            np.testing.assert_array_equal(run.loss, full.loss[: len(run.loss)])
            assert (len(run.loss) < len(full.loss)) == bool(run.stopped)


def by_hand(curves: list[list[list[float]]]) -> list[tuple]:
    """Golovin's rule on what whole trainings give, trial by trial and seed by seed: length of each run, state and value."""
    before, told = [], []
    for start in range(0, len(curves), 4):
        now = []
        for seeds in curves[start : start + 4]:
            runs, hopeless = [], []
            for curve in seeds:
                if 2 * len(hopeless) >= len(seeds):
                    break  # the median is hopeless, or one of the two in the middle
                length = len(curve)
                for epoch in range(1, len(curve)):
                    means = [sum(other[:epoch]) / epoch for other in before if len(other) >= epoch]
                    if len(means) >= 3 and max(curve[:epoch]) < statistics.median(means):
                        length = epoch
                        hopeless.append(curve[:epoch])
                        break
                runs.append(curve[:length])
            now += runs
            order = sorted(runs, key=lambda run: (run not in hopeless, run[-1]))  # the worst first
            middle = order[(len(order) - 1) // 2 : len(order) // 2 + 1]
            state = "stopped" if middle[0] in hopeless else "complete"
            told.append(([*map(len, runs)], state, sum(run[-1] for run in middle) / len(middle)))
        before += now
    return told


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
def test_a_trial_is_stopped_by_its_median_run_as_by_hand(seeds):
    options = {"runs": 12, "steps": 4, "seeds": range(seeds)}
    whole = search(task(), SPACE, **options, stop_hopeless=False)
    curves = [[run.validation_accuracy.tolist() for run in one.histories] for one in whole.trials]
    expected = by_hand(curves)
    stopped = search(task(), SPACE, **options)
    mine = [([len(run.ends) for run in one.histories], one.state, pytest.approx(one.value)) for one in stopped.trials]
    assert expected == mine
    assert {"stopped", "complete"} == {state for _, state, _ in expected}
    assert (min(len(lengths) for lengths, *_ in expected) < seeds) == (seeds > 1)  # some seeds were left out
    whole_values = [statistics.median(curve[-1] for curve in trial) for trial in curves]
    assert whole.values.tolist() == pytest.approx(whole_values)


@pytest.mark.parametrize("seeds, kept", [(1, 1), (2, 1), (3, 2), (5, 3)])
def test_of_a_trial_that_diverges_no_more_seeds_run_than_decide_its_median(seeds, kept):
    values = Task(Regression, Values(), Values(), torch.nn.MSELoss())
    options = {"runs": 1, "steps": 9, "seeds": range(seeds), "space": {"lr": (99.0, 100.0)}}
    (one,) = search(values, **options).trials
    assert (one.state, len(one.histories), one.skipped) == ("diverged", kept, seeds - kept)
    (one,) = search(values, **options, stop_hopeless=False).trials
    assert (one.state, len(one.histories), one.skipped) == ("diverged", seeds, 0)


# coarse to fine, code, Optuna


def test_a_box_is_the_next_space(found):
    finer = found.narrowed({"lr": (0.01, 5.0)})
    assert finer == {"lr": (0.01, 1.0, "log"), "momentum": (0.0, 0.9)}
    assert all(0.01 <= one.values["lr"] <= 1 for one in search(task(), finer, runs=3, steps=1).trials)
    with pytest.raises(ValueError, match="momentum"):
        found.narrowed({"momentun": (0, 1)})


@given(st.lists(st.floats(-1, 2), min_size=2, max_size=2), st.booleans())
def test_a_narrowed_axis_lies_within_the_wider_one(ends, whole):
    axis = Axis("n", 0, 10, whole=True) if whole else Axis("n", 0.0, 1.0)
    finer = axis.narrowed(*ends)
    assert axis.low <= finer.low <= finer.high <= axis.high
    assert axis_of("n", finer.range) == finer


def test_choices_are_narrowed_by_their_places():
    assert axis_of("n", ["a", "b", "c", "d"]).narrowed(0.6, 2.4).range == ["b", "c"]


def test_the_code_of_the_best_trial_gives_its_accuracies(found):
    space = {"model": Net, "loader": loader(), "validation_loader": others()}
    exec(found.code(task()), space)
    (accuracies,) = space["values"].values()
    assert accuracies == found.best.histories[0].validation_accuracy.tolist()


class State(IntEnum):
    """Named as Optuna's."""

    RUNNING, COMPLETE, PRUNED, FAIL, WAITING = range(5)


def study(direction="minimize", **more):
    law = SimpleNamespace(low=1e-4, high=1.0, log=True)
    trials = [
        SimpleNamespace(params={"lr": lr, "opt": opt}, value=value, state=state, distributions={"lr": law}, **more)
        for lr, opt, value, state in [
            (0.1, "SGD", 0.5, State.COMPLETE),
            (0.01, "Adam", 0.2, State.COMPLETE),
            (0.5, "SGD", None, State.PRUNED),
            (0.9, "SGD", None, State.FAIL),
        ]
    ]
    return SimpleNamespace(trials=trials, direction=SimpleNamespace(name=direction.upper()))


def test_a_study_of_optunas_is_read_by_its_attributes():
    found = Search.from_optuna(study(intermediate_values={1: 0.9, 2: 0.7}))
    assert found.axes["lr"].range == (1e-4, 1.0, "log")
    assert found.axes["opt"].range == ["SGD", "Adam"]
    assert [one.state for one in found.trials] == ["complete", "complete", "stopped", "diverged"]
    assert found.values.tolist() == [0.5, 0.2, 0.7, 0.7]
    assert found.best.values == {"lr": 0.01, "opt": "Adam"}
    assert Search.from_optuna(study("maximize")).best.value == 0.5
    assert found.summary.startswith("Best: 0.2 at rate 0.01 and opt Adam. 1 of 4 runs was stopped early.")
    assert json.dumps(found.narrowed({"lr": (0.001, 0.1)})) == '{"lr": [0.001, 0.1, "log"], "opt": ["SGD", "Adam"]}'
    with pytest.raises(ValueError, match="expected a search whose trials were trained here"):
        found.code("digits")


def test_what_is_no_study_is_said():
    with pytest.raises(TypeError, match="expected trials with params, value and state"):
        Search.from_optuna([1, 2])
    empty = SimpleNamespace(trials=[], direction=SimpleNamespace(name="MINIMIZE"))
    with pytest.raises(ValueError, match="no trial with parameters"):
        Search.from_optuna(empty)
