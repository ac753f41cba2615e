"""A history comes back from a file to the last bit, no numbers included; a stranger's file is refused in a sentence."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnwidgets.methods import History, Race, early_stopping
from cnnwidgets.methods.history_files import load, save

HISTORY = History(
    name="Größe 0.1",
    spec={"kind": "multistep", "lr": 0.1, "milestones": [3, 5]},
    seed=3,
    rates=np.array([[0.1, 0.1, 1 / 3, 1e-300, 5e-324], [1.0, 2.0, math.nan, 0.0, math.inf]]),
    loss=np.array([2.0, math.nan, math.inf, -math.inf, 0.1 + 0.2]),
    accuracy=np.array([0.0, 0.5, 1.0, 1 / 3, 2 / 3]),
    ends=np.array([2, 5]),
    validation_loss=np.array([math.nan, 1e308]),
    validation_accuracy=np.array([0.25, 0.5]),
    snapshot_ends=np.array([5]),
    snapshot_accuracy=np.array([0.5]),
    ensemble_accuracy=np.array([0.75]),
    measures={"class": np.array([0.5, math.nan]), "turn": np.array([1 / 3, 1.0])},
    stopped="diverged at step 1 (loss NaN)",
)
NO, NO_STEPS = np.empty(0), np.empty(0, np.int64)
EMPTY = History("new", {"kind": "constant"}, 0, np.empty((1, 0)), NO, NO, NO_STEPS, NO, NO)


def bits(history: History) -> dict:
    """All but the weights, to the last bit."""
    values = {each.name: getattr(history, each.name) for each in fields(History) if each.name != "weights"}
    values |= values.pop("measures")
    return {name: (v.dtype, v.shape, v.tobytes()) if isinstance(v, np.ndarray) else v for name, v in values.items()}


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_a_history_comes_back_to_the_last_bit(tmp_path, suffix):
    for history in (HISTORY, EMPTY):
        history.save(tmp_path / f"a{suffix}")
        assert bits(History.load(str(tmp_path / f"a{suffix}"))) == bits(history)


@given(st.lists(st.floats(), min_size=1, max_size=20))
@settings(max_examples=50, deadline=None)
def test_any_floats_come_back(tmp_path_factory, losses):
    folder = tmp_path_factory.mktemp("any")
    losses = [abs(loss) if math.isnan(loss) else loss for loss in losses]  # NaN is NaN
    history = replace(HISTORY, loss=np.array(losses))
    for name in ("a.json", "a.npz"):
        history.save(folder / name)
        np.testing.assert_array_equal(History.load(folder / name).loss, history.loss)
        assert (np.signbit(History.load(folder / name).loss) == np.signbit(history.loss))[np.isfinite(history.loss)].all()


def test_json_is_json_of_the_standard(tmp_path):
    HISTORY.save(tmp_path / "a.json")

    def refuse(word):
        raise AssertionError(word)

    found = json.loads((tmp_path / "a.json").read_text("utf-8"), parse_constant=refuse)
    assert found["histories"][0]["loss"][:4] == [2.0, "nan", "inf", "-inf"]


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_a_race_comes_back(tmp_path, suffix):
    race = Race((HISTORY, replace(HISTORY, name="other", seed=4)), "batch", 5)
    race.save(tmp_path / f"race{suffix}")
    again = Race.load(tmp_path / f"race{suffix}")
    assert (again.unit, again.steps, again.names) == ("batch", 5, ["Größe 0.1", "other"])
    assert [bits(one) for one in again.histories] == [bits(one) for one in race.histories]
    assert bits(History.load(tmp_path / f"race{suffix}")) == bits(HISTORY)


def test_what_is_no_race_is_said(tmp_path):
    HISTORY.save(tmp_path / "one.json")
    with pytest.raises(ValueError, match=r"one.json holds no race; History.load reads"):
        Race.load(tmp_path / "one.json")


def test_another_ending_is_refused(tmp_path):
    for name in ("a.pkl", "a", "a.JSON"):
        with pytest.raises(ValueError, match=rf"{name} is neither a .json nor an .npz file"):
            HISTORY.save(tmp_path / name)
    assert not [*tmp_path.iterdir()]


def files(folder):
    HISTORY.save(folder / "whole.npz")
    save(folder / "whole.json", [HISTORY])
    whole = (folder / "whole.npz").read_bytes()
    np.savez(folder / "other.npz", a=np.ones(3))
    np.savez(folder / "trap.npz", heads=np.array([print], dtype=object))
    rows = json.loads((folder / "whole.json").read_text())
    del rows["histories"][0]["loss"]
    word = json.loads((folder / "whole.json").read_text())
    word["histories"][0]["loss"][0] = "__import__('os')"
    return {
        "empty.npz": b"",
        "half.npz": whole[: len(whole) // 2],
        "spoilt.npz": whole[:200] + bytes(100) + whole[300:],
        "no.npz": b"something else",
        "empty.json": b"",
        "list.json": b"[]",
        "dict.json": b"{}",
        "half.json": (folder / "whole.json").read_bytes()[:100],
        "lacks.json": json.dumps(rows).encode(),
        "word.json": json.dumps(word).encode(),
        "binary.json": b"\xff\xfe\x00",
        "other.npz": (folder / "other.npz").read_bytes(),
        "trap.npz": (folder / "trap.npz").read_bytes(),
    }


def test_a_strangers_file_is_refused(tmp_path):
    for name, data in files(tmp_path).items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=rf"{name} holds no training histories"):
            load(tmp_path / name)


def test_a_file_that_is_not_there(tmp_path):
    for name in ("a.json", "a.npz"):
        with pytest.raises(FileNotFoundError):
            History.load(tmp_path / name)


def test_epochs_are_means_over_the_steps_between_validations():
    history = replace(HISTORY, loss=np.array([1.0, 2, 4, 5, 9]), accuracy=np.array([0, 0.5, 0.5, 1, 0]))
    assert history.epoch_loss.tolist() == [1.5, 6.0]
    assert history.epoch_accuracy.tolist() == [0.25, 0.5]
    assert history.final_accuracy == 0.5
    assert math.isnan(EMPTY.final_accuracy)
    assert EMPTY.epoch_loss.tolist() == []


def test_its_early_stopping_is_that_of_its_validation_losses():
    history = replace(HISTORY, validation_loss=np.array([1.0, 0.5, 0.6, 0.7, 0.4]))
    assert history.early_stopping(2) == early_stopping([1.0, 0.5, 0.6, 0.7, 0.4], 2)
    assert history.early_stopping(1, 0.6) == early_stopping([1.0, 0.5, 0.6, 0.7, 0.4], 1, 0.6)


def test_it_shows_itself_in_a_line():
    assert repr(HISTORY) == "<history of Größe 0.1, seed 3: 5 steps, 2 validations>"


# CSV


def test_the_curves_come_back_from_a_csv_to_the_last_bit(tmp_path):
    HISTORY.save(tmp_path / "run.csv")
    again, expected = bits(History.load(tmp_path / "run.csv")), bits(HISTORY)
    curves = ("rates", "loss", "accuracy", "ends", "validation_loss", "validation_accuracy", "class", "turn")
    assert {name: again[name] for name in curves} == {name: expected[name] for name in curves}
    assert again["name"] == "run"


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=5),
    st.integers(1, 3),
    st.data(),
)
@settings(max_examples=40, deadline=None)
def test_any_curves_come_back_from_a_csv(tmp_path_factory, lengths, groups, data):
    numbers = st.floats(allow_nan=False)

    def drawn(count: int) -> np.ndarray:
        return np.array(data.draw(st.lists(numbers, min_size=count, max_size=count)))

    steps, ends = sum(lengths), np.cumsum(lengths)
    curves = (
        drawn(groups * steps).reshape(groups, steps),
        drawn(steps),
        drawn(steps),
        ends,
        drawn(len(ends)),
        drawn(len(ends)),
    )
    history = History("a", {}, 0, *curves)
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    history.save(path)
    assert bits(History.load(path)) == bits(history)


LIGHTNING = """\
epoch,lr-SGD,step,train_acc,train_loss,val_acc,val_loss
0,0.1,49,,,,
0,,49,0.25,2.5,,
0,,74,,,0.5,2.0
1,0.05,99,,,,
1,,99,0.5,1.5,,
1,,149,0.75,1.0,,
1,,149,,,0.625,1.25
"""
"""As Lightning's CSVLogger writes it, with a monitor of the rate: a row per call of log."""

EPOCHS = """\
epoch,step,train_loss_epoch,val_loss
0,24,2.5,2.0
1,49,1.5,1.25
"""


def test_lightnings_csv_is_read(tmp_path):
    (tmp_path / "version_3").mkdir()
    (tmp_path / "version_3" / "metrics.csv").write_text(LIGHTNING)
    found = History.load(tmp_path / "version_3" / "metrics.csv")
    assert found.name == "version_3"
    assert found.loss.tolist() == [2.5, 1.5, 1.0]
    assert found.accuracy.tolist() == [0.25, 0.5, 0.75]
    assert found.ends.tolist() == [1, 3]
    assert found.validation_loss.tolist() == [2.0, 1.25]
    assert found.validation_accuracy.tolist() == [0.5, 0.625]
    assert found.epoch_loss.tolist() == [2.5, 1.25]
    assert found.lr.tolist() == [0.1, 0.05, 0.05]
    (tmp_path / "run.csv").write_text(EPOCHS)
    found = History.load(tmp_path / "run.csv")
    assert (found.loss.tolist(), found.ends.tolist()) == ([2.5, 1.5], [1, 2])
    assert np.isnan(found.accuracy).all()


@pytest.mark.parametrize("text", ["", "epoch,train_loss\n0,1.0\n", "a,val_loss\n0,high\n"])
def test_a_table_without_curves_is_no_history(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=r"a\.csv holds no training histories"):
        History.load(tmp_path / "a.csv")
