"""The lines that stop a training whose validation loss does not get better."""

from __future__ import annotations

from collections.abc import Sequence

_CODE = """\
nan, inf = float("nan"), float("inf")
losses = {losses}  # validation loss, epoch by epoch
best, best_epoch, waited, stopped = inf, -1, 0, None
for epoch, loss in enumerate(losses):
    if loss < best - {min_delta}:
        best, best_epoch, waited = loss, epoch, 0  # here save the network: torch.save(model.state_dict(), "best.pt")
    else:
        waited += 1
    if waited >= {patience}:
        stopped = epoch
        break
values = [stopped, best_epoch]"""


def stopping_lines(losses: Sequence[float], patience: int, min_delta: float) -> str:
    """The lines that put the epoch after which it stops, or None, and the best epoch into ``values``; both from 0."""
    return _CODE.format(losses=list(losses), patience=patience, min_delta=min_delta)
