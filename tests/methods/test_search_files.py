"""A search comes back from a file to the last bit, and says the same; what is no search is refused in a sentence."""

from __future__ import annotations

import json
import math
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnwidgets.methods import History, Race, Search, Searches, Trial, search, searches
from cnnwidgets.methods.spaces import axis_of
from tests.methods.learning import Net
from tests.methods.test_histories import HISTORY, bits
from tests.methods.test_search import SPACE, study, task

ENDINGS = pytest.mark.parametrize("ending", ["json", "npz"])


def known(one: Search) -> list:
    """All of a search but the weights; NaN is NaN."""
    trials = [
        (repr(each.values), repr(each.spec), repr(each.value), each.state, each.stopped, [*map(bits, each.histories)])
        for each in one.trials
    ]
    return [one.axes, [*one.axes], trials, one.by, one.runs, one.result, one.higher, one.steps]


@pytest.fixture(scope="module")
def found() -> Search:
    return search(task(), {**SPACE, "optimizer": ["SGD", "RMSprop"]}, runs=9, steps=2, seeds=(0, 1))


@ENDINGS
def test_a_search_comes_back_with_its_best_trial_and_says_the_same(found, tmp_path, ending):
    found.save(tmp_path / f"search.{ending}")
    again = Search.load(str(tmp_path / f"search.{ending}"))
    assert known(again) == known(found)
    assert again.best is again.trials[found.trials.index(found.best)]
    assert (again.summary, again.progress) == (found.summary, found.progress)
    np.testing.assert_array_equal(again.best_so_far, found.best_so_far)
    assert again.narrowed({"lr": (0.01, 0.1)}) == found.narrowed({"lr": (0.01, 0.1)})
    assert again.code("digits") == found.code("digits")
    with pytest.raises(ValueError, match="a file holds curves alone"):
        again.best.histories[0].module()


@ENDINGS
def test_what_is_searched_in_several_ways_comes_back(tmp_path, ending):
    several = searches(task(), SPACE, runs=4, steps=1)
    several.save(tmp_path / f"all.{ending}")
    again = Searches.load(tmp_path / f"all.{ending}")
    assert [*map(known, again.each)] == [*map(known, several.each)]
    assert again.summary == several.summary
    assert known(Search.load(tmp_path / f"all.{ending}")) == known(several.each[0])
    several.each[2].save(tmp_path / f"one.{ending}")
    assert [*map(known, Searches.load(tmp_path / f"one.{ending}").each)] == [known(several.each[2])]


def test_its_runs_are_read_as_histories_too_and_are_no_race(found, tmp_path):
    found.save(tmp_path / "search.json")
    assert bits(History.load(tmp_path / "search.json")) == bits(found.trials[0].histories[0])
    with pytest.raises(ValueError, match=r"search.json holds no race"):
        Race.load(tmp_path / "search.json")


@ENDINGS
def test_a_study_comes_back_without_histories(tmp_path, ending):
    one = Search.from_optuna(study(intermediate_values={1: math.inf}))
    one.save(tmp_path / f"study.{ending}")
    again = Search.load(tmp_path / f"study.{ending}")
    assert known(again) == known(one)
    assert again.values.tolist() == [0.5, 0.2, math.inf, math.inf]


def test_networks_among_the_choices_are_told_by_their_names(tmp_path):
    one = search(task(), {"lr": (0.01, 0.1), "model": [Net, "mlp"]}, runs=2, steps=1)
    one.save(tmp_path / "search.json")
    again = Search.load(tmp_path / "search.json")
    assert again.axes["model"].choices == ("Net", "mlp")
    assert again.summary == one.summary
    assert {name: places.tolist() for name, places in again.places.items()} == {
        name: places.tolist() for name, places in one.places.items()
    }


# any search

NAMES = st.text(min_size=1, max_size=8)
FINITE = st.floats(-1e300, 1e300)
CHOICES = st.lists(
    st.one_of(NAMES, st.integers(), st.booleans(), st.none(), FINITE, st.just(math.inf)), min_size=1, max_size=4
)


@st.composite
def ranges(draw):
    if draw(st.booleans()):
        return draw(CHOICES)
    low, high = sorted(draw(st.tuples(*draw(st.sampled_from([(FINITE, FINITE), (st.integers(1, 99), st.integers(1, 99))])))))
    return (low, high, "log") if low > 0 and draw(st.booleans()) else (low, high)


@st.composite
def histories(draw):
    losses = np.array(draw(st.lists(st.floats(), max_size=3)), float)
    losses = np.where(np.isnan(losses), np.nan, losses)  # NaN is NaN
    return replace(HISTORY, loss=losses, seed=draw(st.integers(0, 9)), stopped=draw(st.sampled_from(["", "diverged"])))


@st.composite
def any_searches(draw):
    axes = {
        name: axis_of(name, given) for name, given in draw(st.dictionaries(NAMES, ranges(), min_size=1, max_size=3)).items()
    }
    trials = tuple(
        Trial(
            (values := {name: axis.at(draw(st.floats(0, 1))) for name, axis in axes.items()}),
            {"kind": "constant", "lr": draw(FINITE), **values},
            draw(st.floats(allow_nan=True)),
            draw(st.sampled_from(["complete", "stopped", "diverged", "running"])),
            tuple(draw(st.lists(histories(), max_size=2))),
            draw(st.integers(0, 2)),
        )
        for _ in range(draw(st.integers(0, 3)))
    )
    result = draw(st.sampled_from(["accuracy", "loss", "value"]))
    return Search(
        axes, trials, draw(NAMES), draw(st.integers(1, 200)), result, draw(st.booleans()), draw(st.integers(0, 99))
    )


@given(any_searches())
@settings(max_examples=60, deadline=None)
def test_any_search_comes_back(tmp_path_factory, one):
    folder = tmp_path_factory.mktemp("any")
    for name in ("a.json", "a.npz"):
        one.save(folder / name)
        again = Search.load(folder / name)
        assert known(again) == known(one)
        assert again.summary == one.summary


# what is no search


def parts(told, at=()):
    """The place of each part of what JSON holds."""
    for key in told if isinstance(told, dict) else range(len(told)) if isinstance(told, list) else ():
        yield (*at, key)
        yield from parts(told[key], (*at, key))


@pytest.fixture(scope="module")
def whole(found, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "search.json"
    replace(found, trials=found.trials[:2]).save(path)
    return path.read_text("utf-8")


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_spoilt_file_is_refused_or_is_a_search(whole, tmp_path_factory, data):
    told = json.loads(whole)
    place = data.draw(st.sampled_from([*parts(told["about"])]))
    inside = told["about"]
    for key in place[:-1]:
        inside = inside[key]
    if data.draw(st.booleans()):
        del inside[place[-1]]
    else:
        inside[place[-1]] = data.draw(st.sampled_from([None, "word", -1, 10**400, 0.5, [], {}, [[]], {"float": "x"}, 99]))
    path = tmp_path_factory.mktemp("spoilt") / "search.json"
    path.write_text(json.dumps(told), "utf-8")
    try:
        again = Search.load(path)
    except ValueError as error:
        assert str(error).startswith("search.json holds no ") and "\n" not in str(error)
    else:
        assert again.summary and again.places.keys() == again.axes.keys()
        again.save(path)
        assert known(Search.load(path)) == known(again)


def heavy(folder) -> dict[str, bytes]:
    """Files that say that more is in them than a memory holds, or that are nested without an end."""
    header = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little")
    shape = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000,), }".ljust(117) + b"\n"
    np.savez(folder / "some.npz", heads=np.array(json.dumps({"about": {}, "histories": [{}]})))
    with zipfile.ZipFile(folder / "some.npz", "a") as file:
        file.writestr("rates 0.npy", header + shape)
    return {
        "huge.npz": (folder / "some.npz").read_bytes(),
        "deep.json": b"[" * 200_000,
        "long.json": b'{"about": {}, "histories": ' + b"9" * 10_000 + b"}",
    }


def test_a_file_that_no_memory_holds_is_refused(tmp_path):
    for name, data in heavy(tmp_path).items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=rf"^{name} holds no training histories \([^\n]*\)$"):
            Search.load(tmp_path / name)


@ENDINGS
def test_a_newer_file_is_refused_and_says_so(found, tmp_path, monkeypatch, ending):
    monkeypatch.setattr("cnnwidgets.methods.history_files.VERSION", 2)
    found.save(tmp_path / f"new.{ending}")
    monkeypatch.undo()
    for kind in (Search, Searches, History, Race):
        with pytest.raises(ValueError, match=r"it is of version 2, and this cnnwidgets reads version 1: update it"):
            kind.load(tmp_path / f"new.{ending}")


def test_a_race_is_no_search_and_neither_is_a_file_of_none(tmp_path):
    Race((HISTORY,), "epoch", 2).save(tmp_path / "race.json")
    (tmp_path / "none.json").write_text(json.dumps({"about": {"searches": []}, "histories": []}))
    for name in ("race", "none"):
        with pytest.raises(ValueError, match=rf"^{name}.json holds no search \("):
            Searches.load(tmp_path / f"{name}.json")


def test_another_ending_is_refused(found, tmp_path):
    for name in ("a.pkl", "a.csv"):
        with pytest.raises(ValueError, match=rf"{name} is neither a .json nor an .npz file"):
            found.save(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        Search.load(tmp_path / "a.json")
