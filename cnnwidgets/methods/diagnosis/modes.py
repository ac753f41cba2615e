"""What the modes tell: ``.eval()`` or ``.train()`` forgotten."""

from __future__ import annotations

from cnnwidgets.methods.diagnosis.symptom import ALARM, WARNING, Seen, Symptom, some
from cnnwidgets.methods.records import Record

EFFECTS = {
    "batch norm": "batch norm uses the statistics of the batch",
    "dropout": "dropout is active",
}


def eval_forgotten(record: Record) -> Seen | None:
    modes = record.facts["modes"]
    if not modes["wrong_validations"]:
        return None
    effects = " and ".join(EFFECTS[kind] for kind in sorted({*modes["active"].values()}))
    counts = f"{modes['wrong_validations']} of {modes['validations']}"
    return Seen(next(iter(modes["active"])), None, {"counts": counts, "effects": effects, "names": some([*modes["active"]])})


def train_forgotten(record: Record) -> Seen | None:
    modes = record.facts["modes"]
    if modes["wrong_steps"] <= modes["steps"] / 10:
        return None
    idle = {"batch norm": "batch norm keeps its old statistics", "dropout": "dropout is idle"}
    effects = " and ".join(idle[kind] for kind in sorted({*modes["idle"].values()}))
    counts = f"{modes['wrong_steps']} of {modes['steps']}"
    return Seen(next(iter(modes["idle"])), None, {"counts": counts, "effects": effects, "names": some([*modes["idle"]])})


MODES = (
    Symptom(
        ".eval() forgotten",
        ("modes",),
        eval_forgotten,
        "in {counts} validations the network is in training mode, so {effects} ({names}).",
        "Call model.eval() before you validate, and model.train() afterwards.",
        ALARM,
    ),
    Symptom(
        ".train() forgotten",
        ("modes",),
        train_forgotten,
        "in {counts} training steps sampled the network is in evaluation mode, so {effects} ({names}).",
        "Call model.train() at the start of each epoch: a validation has left the network in evaluation mode.",
        WARNING,
    ),
)
