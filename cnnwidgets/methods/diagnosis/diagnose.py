"""What is wrong with a training, by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn
from torch.nn import functional as F
from torch.optim import Optimizer

from cnnwidgets.methods.criteria import Loss
from cnnwidgets.methods.diagnosis.curves import CURVES
from cnnwidgets.methods.diagnosis.data import DATA
from cnnwidgets.methods.diagnosis.layers import LAYERS
from cnnwidgets.methods.diagnosis.losses import LOSSES
from cnnwidgets.methods.diagnosis.modes import MODES
from cnnwidgets.methods.diagnosis.parameters import PARAMETERS
from cnnwidgets.methods.diagnosis.schedule import SCHEDULE
from cnnwidgets.methods.diagnosis.symptom import Diagnosis, Finding
from cnnwidgets.methods.diagnosis.trial import probe
from cnnwidgets.methods.histories import History
from cnnwidgets.methods.records import Record
from cnnwidgets.methods.tasks import Task
from cnnwidgets.net.arguments import checked, said

SYMPTOMS = (CURVES[0], *DATA, *LOSSES, *PARAMETERS, *MODES, *SCHEDULE, *LAYERS, *CURVES[1:])
"""All that is looked for; of two that are equally bad the earlier one is told first: causes before what they cause."""


@checked
def diagnose(
    what: Record | History | Task | nn.Module,
    loader: Iterable[Any] | None = None,
    *,
    validation_loader: Iterable[Any] | None = None,
    optimizer: Optimizer | None = None,
    criterion: Loss = F.cross_entropy,
    seed: int = 0,
) -> Diagnosis:
    """Say what is wrong with a training, with evidence and remedy.

    >>> cw.methods.diagnose(m.record).summary  # of a training that a monitor has watched
    >>> cw.methods.diagnose(model, loader).summary  # before it: a few steps of a copy are tried

    A record tells most; a history what its curves allow; a network with its loaders what can be tried in a few steps.

    Parameters:
        what: a record of :func:`cnnwidgets.methods.monitor`, a history, or a network or task.
        loader, validation_loader, optimizer, criterion: of a network; its own training, from which nothing is changed.
        seed: of what is tried.

    Raises:
        TypeError: it is none of these.
        ValueError: a network comes without a loader, or the loader gives no batch.
    """
    if isinstance(what, nn.Module):
        if loader is None:
            raise ValueError("a network of your own needs a training loader that gives batches of pictures and labels")
        what = Task(what, loader, loader if validation_loader is None else validation_loader, criterion)
    if isinstance(what, Task):
        what = probe(what, optimizer, seed=seed)
    if isinstance(what, History):
        what = Record(what)
    if not isinstance(what, Record):
        raise TypeError(f"what is {said(what)}; expected a record of cw.methods.monitor, a History, a Task or a network")
    judged = [symptom for symptom in SYMPTOMS if symptom.can_be_judged(what)]
    found = [finding for symptom in judged for finding in symptom.findings(what)]
    return Diagnosis(
        tuple(sorted(found, key=_worst_first)),
        tuple(symptom.name for symptom in judged),
        tuple(symptom.name for symptom in SYMPTOMS if symptom not in judged),
    )


def _worst_first(finding: Finding) -> int:
    return -finding.severity
