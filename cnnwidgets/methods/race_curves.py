"""What is drawn of a race: its curves as they grow, its standings, and the bars of its snapshots."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from cnnwidgets.methods.race import Race
from cnnwidgets.methods.schedule_groups import label, rated_alike
from cnnwidgets.methods.verdict import have_accuracy

Curve = tuple[np.ndarray, np.ndarray]


def quantities(race: Race) -> list[str]:
    """What there are curves of: no accuracy where answers are neither right nor wrong, no loss where runs have several."""
    if not have_accuracy(race.histories):
        return ["loss"]
    losses = [
        (spec.get("loss"), spec.get("tasks"), spec.get("regularize", {}).get("label_smoothing")) for spec in _specs(race)
    ]
    return ["loss", "accuracy"] if all(each == losses[0] for each in losses) else ["accuracy"]


def has_weights(race: Race | None) -> bool:
    """Whether a run of it has been validated, and its weights were kept."""
    return race is not None and any(one.weights.by_epoch for one in race.histories)


def have_rates(race: Race) -> bool:
    """Whether there is something to see of the rates: they change, or differ between runs or groups."""
    specs = _specs(race)
    plain = all(spec["kind"] == "constant" and not spec.get("warmup") and not spec.get("groups") for spec in specs)
    return not plain or len({spec.get("lr") for spec in specs}) > 1 or len(specs) == 1


def rated(race: Race, name: str) -> list[tuple[list[int], str]]:
    """The groups of a schedule's parameters that share a rate, and what a legend calls them; none if all rates are one."""
    if not have_rates(race):
        return []
    spec = race.of(name)[0].spec
    return [(members, label(spec.get("groups", ()), members)) for members in rated_alike(spec)]


def curves_of(race: Race, name: str) -> list[Curve]:
    """The curves of a schedule: (x, y) of each, and for each of the :func:`quantities` in this order.

    Training images, then test images; of several seeds the mean, as far as all of them have come, followed by the test
    images' mean minus and plus one standard deviation. Last come the rates, one curve per group of parameters that differs.
    """
    runs = race.of(name)
    count = min(len(one.ends) for one in runs)
    x = np.arange(1, count + 1) if race.unit == "epoch" else runs[0].ends[:count]
    curves: list[Curve] = []
    for quantity in quantities(race):
        training = np.stack([getattr(one, f"epoch_{quantity}")[:count] for one in runs])
        validation = np.stack([getattr(one, f"validation_{quantity}")[:count] for one in runs])
        curves += [(x, training.mean(0)), (x, validation.mean(0))]
        if len(runs) > 1:
            spread = validation.std(0, ddof=1)
            curves += [(x, validation.mean(0) - spread), (x, validation.mean(0) + spread)]
        for members, _ in rated(race, name):
            rate = runs[0].rates[members[0]][runs[0].ends[:count] - 1]  # which led to what is measured at x
            curves.append((np.r_[0, x], np.r_[rate[:1], rate]) if count else (x, rate))
    return curves


def snapshot_bars(race: Race) -> dict[str, list[tuple[str, np.ndarray]]]:
    """Accuracies (seeds,) with their names: of the ``snapshots`` of the first schedule that has any, of their
    ``average``, and of the ``others``; empty if none has any.
    """
    name = next((name for name in race.names if len(race.ensemble(name)[0]) > 1), None)
    if name is None or not have_accuracy(race.histories):
        return {}
    singles, average = race.ensemble(name)
    return {
        "snapshots": [(f"snapshot {k}", accuracies) for k, accuracies in enumerate(singles, 1)],
        "average": [(f"average of all {len(singles)}", average)],
        "others": [
            (other, np.array([one.final_accuracy for one in race.of(other)])) for other in race.names if other != name
        ],
    }


class Standing(NamedTuple):
    """How a schedule stands in a race.

    Attributes:
        number: of the schedule, in the order in which they were given.
        name: its name.
        value: the mean of the last validation's accuracy (0 to 1), or loss; NaN before the first one.
        spread: its standard deviation over the seeds; 0 with a single one.
        stopped: why a run ended early; empty if none did.
    """

    number: int
    name: str
    value: float
    spread: float
    stopped: str


def standings(race: Race) -> list[Standing]:
    """The schedules of a race, the best first: by accuracy, or by loss where there is none; NaN comes last."""
    by = quantities(race)[-1]
    found = []
    for number, name in enumerate(race.names):
        runs = race.of(name)
        values = np.array([getattr(one, f"final_{by}") for one in runs])
        spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
        stopped = next((one.stopped for one in runs if one.stopped), "")
        found.append(Standing(number, name, float(values.mean()), spread, stopped))
    worst_first = -1 if by == "accuracy" else 1
    return sorted(found, key=lambda one: np.inf if np.isnan(one.value) else worst_first * one.value)


def _specs(race: Race) -> list[dict[str, Any]]:
    return [race.of(name)[0].spec for name in race.names]
