"""What is kept of a user's own training: a history, and what the network, its gradients and its data looked like."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from cnnwidgets.methods import history_files
from cnnwidgets.methods.histories import History
from cnnwidgets.numbers import number, percent

BAND = 1e-3
"""A good ratio of update to weight, as a rule of thumb (A. Karpathy, CS231n, 2015)."""

NONE, NO_NUMBERS = np.empty(0), np.empty(0, np.int64)
NO_TABLE = np.empty((0, 0))


@dataclass(frozen=True, eq=False, repr=False)
class Record:
    """A training, as a monitor saw it: n steps, of which s were sampled; l layers with weights, a calls of the forward pass.

    What was not seen is empty: a record may hold a history alone.

    Attributes:
        history: loss and accuracy of every step, the rates, and the validations.
        sizes: int64 (n,), pictures in the batch of each step.
        seconds: float64 (n,), the time at which each step was done, from the beginning of the monitoring.
        samples: int64 (s,), the numbers of the steps that were sampled.
        layers: the names of the layers with weights, in the order of the forward pass.
        gradient: float64 (s, l), the norm of each layer's gradient, as the optimizer gets it.
        weight: float64 (s, l), the norm of its weights before the step.
        update: float64 (s, l), the norm of their change by the step.
        cosine: float64 (s,), between the gradient and that of the sample before; NaN in the first one.
        calls: the names of the weighted layers' and activation functions' calls, in order.
        kinds: what each of them is: "Conv2d", "relu", "tanh".
        mean, deviation: float64 (s, a), of all values that a call gives.
        dead: float64 (s, a), the share of a rectifier's units that were 0 for every picture of the last
            :data:`~cnnwidgets.methods.monitoring_calls.DEAD_FOR` sampled batches; NaN before there were as many, and for
            other calls.
        saturated: float64 (s, a), the share of values with abs(tanh) > 0.99, or a sigmoid outside of 0.01 to 0.99; else NaN.
        inputs: float64 (4, c), least, largest, mean and deviation of each channel of the training pictures.
        validation_inputs: float64 (4, c), likewise.
        prints: float64 (e,), a number for each validation, which the pictures alone determine, in any order.
        labels: int64 (m,), the class numbers of the first pictures trained on, in their order.
        counts: int64 (k,), how many pictures of each class were trained on.
        confusion: int64 (k, k), of the last validation: label, answer.
        facts: whatever else is known; it can be written as JSON: ``parameters`` (one row for each), ``modes``, ``first``,
            ``non_finite``, ``schedule``, ``epochs``, ``epoch_steps``, ``images``.
    """

    history: History
    sizes: np.ndarray = field(default_factory=lambda: NO_NUMBERS)
    seconds: np.ndarray = field(default_factory=lambda: NONE)
    samples: np.ndarray = field(default_factory=lambda: NO_NUMBERS)
    layers: tuple[str, ...] = ()
    gradient: np.ndarray = field(default_factory=lambda: NO_TABLE)
    weight: np.ndarray = field(default_factory=lambda: NO_TABLE)
    update: np.ndarray = field(default_factory=lambda: NO_TABLE)
    cosine: np.ndarray = field(default_factory=lambda: NONE)
    calls: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    mean: np.ndarray = field(default_factory=lambda: NO_TABLE)
    deviation: np.ndarray = field(default_factory=lambda: NO_TABLE)
    dead: np.ndarray = field(default_factory=lambda: NO_TABLE)
    saturated: np.ndarray = field(default_factory=lambda: NO_TABLE)
    inputs: np.ndarray = field(default_factory=lambda: NO_TABLE)
    validation_inputs: np.ndarray = field(default_factory=lambda: NO_TABLE)
    prints: np.ndarray = field(default_factory=lambda: NONE)
    labels: np.ndarray = field(default_factory=lambda: NO_NUMBERS)
    counts: np.ndarray = field(default_factory=lambda: NO_NUMBERS)
    confusion: np.ndarray = field(default_factory=lambda: np.empty((0, 0), np.int64))
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        return len(self.history.loss)

    @cached_property
    def update_ratio(self) -> np.ndarray:
        """float64 (s, l), the norm of each update over that of the weights; NaN where all weights are 0."""
        return np.divide(self.update, self.weight, out=np.full(self.update.shape, np.nan), where=self.weight > 0)

    @cached_property
    def total_gradient(self) -> np.ndarray:
        """float64 (s,), the norm of all gradients together."""
        return np.sqrt((self.gradient**2).sum(1))

    @property
    def images_per_second(self) -> float:
        """The throughput between the last steps; NaN before there are two."""
        lasts = slice(max(0, self.steps - 50), None)
        times, sizes = self.seconds[lasts], self.sizes[lasts]
        return float(np.median(sizes[1:] / np.maximum(np.diff(times), 1e-9))) if len(times) > 1 else math.nan

    @property
    def seconds_left(self) -> float:
        """How long the remaining epochs will take, validations included; NaN where their number is not known."""
        epochs, each = self.facts.get("epochs"), self.facts.get("epoch_steps")
        if not epochs or not each or not self.steps:
            return math.nan
        return max(0, epochs * each - self.steps) * float(self.seconds[-1]) / self.steps

    def report(self) -> str:
        """The training in lines of text: where it stands, and one line for each layer."""
        one, lines = self.history, []
        if not self.steps:
            return "No step was made."
        rate = f"{number(self.images_per_second)} images/s" if self.steps > 1 else ""
        left = f"{number(self.seconds_left)} s left" if self.seconds_left > 0 else ""
        lines.append(", ".join(filter(None, [f"{self.steps:,} steps", f"loss {number(one.loss[-1])}", rate, left])) + ".")
        if math.isfinite(one.final_loss):
            answers = f", accuracy {percent(one.final_accuracy)}" if math.isfinite(one.final_accuracy) else ""
            lines.append(f"Validation after step {one.ends[-1]}: loss {number(one.final_loss)}{answers}.")
        for k, name in enumerate(self.layers if len(self.samples) else ()):
            ratio, gradient = (_median(rows[:, k]) for rows in (self.update_ratio, self.gradient))
            lines.append(f"{name}: update to weight {number(ratio)}, gradient {number(gradient)}.")
        for k, name in enumerate(self.calls if len(self.samples) else ()):
            told = [f"mean {number(self.mean[-1, k])}", f"deviation {number(self.deviation[-1, k])}"]
            told += [f"{percent(self.dead[-1, k])} dead"] if math.isfinite(self.dead[-1, k]) else []
            told += [f"{percent(self.saturated[-1, k])} saturated"] if math.isfinite(self.saturated[-1, k]) else []
            lines.append(f"{name} gives {', '.join(told)}.")
        return "\n".join(lines)

    def save(self, path: str | Path) -> None:
        """Write it to a ``.json`` or ``.npz`` file, of which :meth:`History.load` reads the history.

        Raises:
            ValueError: the name has another ending.
        """
        own = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "history"}
        history_files.save(path, [self.history], record={name: _packed(value) for name, value in own.items()})

    @classmethod
    def load(cls, path: str | Path) -> Record:
        """Read what :meth:`save` has written, to the last bit.

        Raises:
            ValueError: the file holds no record.
        """
        found, about = history_files.load(path)
        try:
            return cls(found[0], **{name: _unpacked(value) for name, value in about["record"].items()})
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{Path(path).name} holds no record of a training ({error})") from error

    def __repr__(self) -> str:
        return f"<record of {self.steps:,} steps, {len(self.samples):,} sampled, {len(self.history.ends)} validations>"


def _packed(value: Any) -> Any:
    """As JSON can carry it: NaN and infinities become words."""
    if isinstance(value, np.ndarray):
        flat = [each if math.isfinite(each) else str(each) for each in value.ravel().tolist()]
        return {"shape": [*value.shape], "type": value.dtype.name, "values": flat}
    return value


def _unpacked(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {"shape", "type", "values"}:
        return np.array([float(each) for each in value["values"]]).astype(value["type"]).reshape(value["shape"])
    return tuple(value) if isinstance(value, list) else value


def _median(values: np.ndarray) -> float:
    """Of the finite ones; NaN if there is none."""
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else math.nan
