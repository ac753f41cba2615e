"""``until=``: when a run ends before its schedule does."""

from __future__ import annotations

from typing import Any

from cnnwidgets.methods.parameters import Parameter, settle_by

UNTIL: dict[str, Parameter] = {
    "steps": Parameter(None, "So many of the schedule's steps.", 1, 10_000_000, whole=True),
    "seconds": Parameter(None, "So many seconds of training.", 0.0, 1e9),
    "patience": Parameter(None, "Epochs without a better validation loss.", 1, 10_000_000, whole=True),
    "min_delta": Parameter(0.0, "How much lower a loss must be to count as better.", 0.0, 1e30),
}


def settle(given: Any) -> dict[str, Any]:
    return settle_by(UNTIL, "until", given)
