"""SickRuns: the guess comes first, the diagnosis after, and the repair is raced."""

from __future__ import annotations

import json

import pytest

import cnnwidgets as cw
from cnnwidgets.methods.sick_runs import SICK_RUNS
from cnnwidgets.panels.sick_runs import ANSWERS
from tests.base.tiny import PATIENCE, control


@pytest.fixture
def panel():
    made = cw.SickRuns("F")
    assert made.wait(PATIENCE)
    return made


def test_nothing_is_told_before_the_guess(panel):
    assert panel.findings.rows == []
    assert panel.status.message.startswith("What is wrong with this training?")
    assert not any(each.symptom in panel.status.message for each in SICK_RUNS.values())
    assert control(panel, "repair")["absent"]
    assert (
        {name for name, _ in control(panel, "guess")["options"]}
        == {*ANSWERS}
        > {each.symptom for each in SICK_RUNS.values()}
    )


@pytest.mark.parametrize(
    "guess, told",
    [
        ("inputs in [0, 255]", "Right: inputs in [0, 255]."),
        ("over-fitting", 'It is "inputs in [0, 255]"; there is no sign of "over-fitting".'),
        ("dead ReLUs", 'It is "inputs in [0, 255]"; "dead ReLUs" is there, too, but follows from it.'),
    ],
)
def test_a_guess_is_judged_kept_and_followed_by_the_diagnosis(panel, guess, told):
    panel.take_value("guess", guess)
    assert panel.status.message.startswith(told)
    assert panel.findings.rows[0]["name"] == "inputs in [0, 255]"
    assert json.loads(json.dumps(panel.state))["guesses"] == {"F": guess}
    again = cw.SickRuns()
    again.restore(panel.state)
    assert (again.run, again.guess) == ("F", guess)
    panel.run = "B"
    assert panel.wait(PATIENCE)
    assert panel.findings.rows == []
    panel.run = "F"
    assert panel.wait(PATIENCE)
    assert panel.guess == guess
    assert panel.findings.rows


def test_the_repaired_training_is_raced_beside_the_sick_one(panel):
    panel.guesses = {"F": "dead ReLUs"}
    race = panel.repair()
    assert [spec["name"] for spec in race.specs] == ["sick", "healed"]
    assert (race.steps, "data" in race.specs[0], "data" in race.specs[1]) == (6, True, False)
    race.cancel()
    assert panel.repair() is race
    race.cancel()


def test_a_run_that_is_not_there_is_told():
    with pytest.raises(ValueError, match="name is 'Z'; expected one of 'A', 'B'"):
        cw.SickRuns("Z")
