"""A study of Optuna's, read by its attributes: what its trials were, and the space they were drawn from."""

from __future__ import annotations

import math
from typing import Any

STATES = {"COMPLETE": "complete", "PRUNED": "stopped", "FAIL": "diverged"}
"""What its states are called here; all others are of trials that are not over."""


def study_trials(study: Any) -> tuple[list[tuple[dict[str, Any], float, str]], dict[str, Any]]:
    """Values, value and state of each trial that has all parameters, and the range of each parameter.

    Raises:
        TypeError: it is no study.
        ValueError: it has no trial with parameters.
    """
    try:
        known = [(dict(one.params), one.value, str(one.state.name), one) for one in study.trials]
        _ = study.direction
    except AttributeError as error:
        raise TypeError(
            f"study is a {type(study).__name__}; expected trials with params, value and state, and a direction ({error})"
        ) from error
    names = [*dict.fromkeys(name for params, *_ in known for name in params)]
    whole = [each for each in known if names and each[0].keys() == {*names}]
    if not whole:
        raise ValueError("the study has no trial with parameters, so there is nothing to show")
    laws: dict[str, Any] = {}
    for *_, one in whole:
        laws.update(getattr(one, "distributions", {}))
    ranges = {name: _range(laws.get(name), [params[name] for params, *_ in whole]) for name in names}
    return [(params, _value(value, one), STATES.get(state, "running")) for params, value, state, one in whole], ranges


def _value(value: Any, trial: Any) -> float:
    """The value of a trial, or the last that it reported."""
    if value is None:
        reported = getattr(trial, "intermediate_values", None) or {}
        value = reported[max(reported)] if reported else math.nan
    return float(value)


def _range(law: Any, values: list[Any]) -> Any:
    """The range of a parameter, as a space has it."""
    if hasattr(law, "choices"):
        return list(law.choices)
    if hasattr(law, "low"):
        return (law.low, law.high, *(["log"] if getattr(law, "log", False) else []))
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        return (min(values), max(values))
    return [*dict.fromkeys(values)]
