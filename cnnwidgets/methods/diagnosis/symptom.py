"""A symptom: what it is called, what it must be told, when it is there, and what is said and advised then."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from cnnwidgets.methods.records import Record

HINT, WARNING, ALARM = 1, 2, 3
"""How bad it is: worth knowing; costs accuracy or time; nothing can come of the training."""


class Seen(NamedTuple):
    """Where a symptom was seen, and the words that its sentences leave open."""

    layer: str = ""
    step: int | None = None
    words: dict[str, str] = {}  # noqa: RUF012


@dataclass(frozen=True)
class Finding:
    """A symptom that was found.

    Attributes:
        name: what it is called.
        layer: where; empty if it is in no layer.
        step: when it was first seen; None if it was there all the time, or at no time in particular.
        evidence: a sentence with numbers.
        remedy: what to do about it.
        severity: 3: nothing can come of this training; 2: it costs accuracy or time; 1: a hint.
    """

    name: str
    layer: str
    step: int | None
    evidence: str
    remedy: str
    severity: int

    @property
    def sentence(self) -> str:
        """Name and evidence."""
        return f"{self.name[0].upper()}{self.name[1:]}: {self.evidence}"


@dataclass(frozen=True)
class Symptom:
    """What may be wrong with a training.

    Attributes:
        name: what a finding is called.
        needs: names of :data:`NEEDS`.
        find: where it is in a record; nothing if it is not.
        evidence, remedy: sentences, with the words of what was seen in braces.
        severity: :data:`HINT`, :data:`WARNING` or :data:`ALARM`.
    """

    name: str
    needs: tuple[str, ...]
    find: Callable[[Record], Seen | None]
    evidence: str
    remedy: str
    severity: int = WARNING

    def can_be_judged(self, record: Record) -> bool:
        """Whether the record holds what is needed."""
        return all(NEEDS[need](record) for need in self.needs)

    def findings(self, record: Record) -> Iterable[Finding]:
        """What is found in a record that can be judged."""
        seen = self.find(record)
        if seen is not None:
            step = "" if seen.step is None else f"{seen.step:,}"
            words = {"layer": called(seen.layer), "step": step, **seen.words}
            yield Finding(
                self.name,
                seen.layer,
                seen.step,
                self.evidence.format(**words),
                self.remedy.format(**words),
                self.severity,
            )


def _has_curve(record: Record) -> bool:
    return record.steps >= 20 and not record.facts.get("probe")


def _has_validations(record: Record) -> bool:
    return int(np.isfinite(record.history.validation_loss).sum()) >= 4


NEEDS: dict[str, Callable[[Record], bool]] = {
    "curve": _has_curve,
    "validations": _has_validations,
    "losses": lambda record: record.steps > 0,
    "first": lambda record: bool(record.facts.get("first")),
    "watched": lambda record: bool(record.facts.get("parameters")),
    "trained": lambda record: bool(record.facts.get("parameters")) and len(record.samples) > 0,
    "optimizer": lambda record: bool(record.facts.get("optimizer")),
    "layers": lambda record: len(record.samples) > 0 and len(record.layers) > 0,
    "calls": lambda record: len(record.samples) > 0 and len(record.calls) > 0,
    "inputs": lambda record: record.inputs.size > 0,
    "validation inputs": lambda record: record.inputs.size > 0 and record.validation_inputs.shape == record.inputs.shape,
    "labels": lambda record: len(record.labels) >= 50,
    "counts": lambda record: record.counts.sum() > 0,
    "confusion": lambda record: record.confusion.sum() > 0,
    "modes": lambda record: bool(record.facts.get("modes")),
    "scheduler": lambda record: bool(record.facts.get("scheduled")),
    "validation pictures": lambda record: len(record.prints) > 1 or "validation_varies" in record.facts,
}
"""What a record may hold, by name."""


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a training.

    Attributes:
        findings: the worst first.
        judged: the names of the symptoms that were looked for.
        open: the names of those for which the record does not hold enough.
    """

    findings: tuple[Finding, ...] = ()
    judged: tuple[str, ...] = ()
    open: tuple[str, ...] = field(default=(), repr=False)

    def named(self, name: str) -> Finding | None:
        """The finding of this name; None if there is none."""
        return next((finding for finding in self.findings if finding.name == name), None)

    @property
    def summary(self) -> str:
        """The worst finding in a sentence; then its remedy, and one line for each of the others."""
        if not self.findings:
            return f"Nothing wrong was found: {len(self.judged)} symptoms were looked for."
        first, *others = self.findings
        return "\n".join([first.sentence, first.remedy, *(f"{one.sentence} {one.remedy}" for one in others)])


def median_of(values: Any) -> float:
    """Of the finite ones; NaN if there is none."""
    values = np.asarray(values, float)
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")


def called(name: str) -> str:
    """A layer in a sentence; one that has only a number for a name is said to be a layer."""
    return f"layer {name}" if name.isdigit() else name


def some(names: list[str], most: int = 3) -> str:
    """A few layers in a sentence: ``conv1, conv2 and 4 others``."""
    names = [called(name) for name in names]
    if len(names) <= most + 1:
        return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    return f"{', '.join(names[:most])} and {len(names) - most} others"
