"""What the rates tell: a scheduler stepped in the wrong place or order."""

from __future__ import annotations

import numpy as np

from cnnwidgets.methods.diagnosis.symptom import WARNING, Seen, Symptom
from cnnwidgets.methods.records import Record
from cnnwidgets.numbers import number


def before_optimizer(record: Record) -> Seen | None:
    facts = record.facts
    early = facts["scheduled"][0] - facts["scheduled_start"]
    words = {"kind": facts["scheduler"], "first": number(record.history.rates[0, 0])}
    return Seen("", 0, words) if early > 0 else None


def wrong_place(record: Record) -> Seen | None:
    facts = record.facts
    length, each, epochs = facts["horizon"], facts["epoch_steps"], facts["epochs"]
    done = facts["scheduled"][-1] - facts["scheduled_start"]
    if not length or not each or each < 2 or not done or record.steps < 2 * each:
        return None
    by_batch = done > record.steps / 2
    whole = (epochs or round(record.steps / each)) * each
    if by_batch and 2 * length <= whole:
        told = (
            f"it is made for {length:,} steps and stepped at every batch, so it is through after {length / each:.1f} epochs"
        )
        return Seen("", length, {"kind": facts["scheduler"], "told": told, "remedy": "once an epoch, after the batches"})
    if not by_batch and length >= 2 * whole / each and length > whole / 2:
        told = f"it is made for {length:,} steps but stepped once an epoch, so it would be through after {length:,} epochs"
        return Seen("", None, {"kind": facts["scheduler"], "told": told, "remedy": "after every batch"})
    return None


def spent(record: Record) -> Seen | None:
    rates = record.history.rates.max(0)
    if not len(rates) or not np.isfinite(rates).all() or rates.max() <= 0 or len(rates) < 20:
        return None
    gone = rates < 1e-3 * rates.max()
    if not gone[-1]:
        return None
    step = len(rates) - int(np.argmin(gone[::-1])) if not gone.all() else 0
    if step > len(rates) / 2:
        return None
    return Seen("", step, {"high": number(rates.max()), "low": number(rates[-1]), "all": f"{len(rates):,}"})


SCHEDULE = (
    Symptom(
        "scheduler stepped before the optimizer",
        ("scheduler",),
        before_optimizer,
        "{kind} was stepped before the first step, so the training began with its second rate, {first}.",
        "Call scheduler.step() after optimizer.step(), or at the end of the epoch.",
        WARNING,
    ),
    Symptom(
        "scheduler in the wrong place",
        ("scheduler",),
        wrong_place,
        "{kind}: {told}.",
        "Step it {remedy}, or make it for as many steps as there are.",
        WARNING,
    ),
    Symptom(
        "rate spent",
        ("curve",),
        spent,
        "the rate falls from {high} to {low}, and below a thousandth from step {step} of {all} on: the rest trains nothing.",
        "Step the scheduler once an epoch instead of at every batch, or let it fall more slowly.",
        WARNING,
    ),
)
