"""What a panel tells of what it cannot do, and whether it can do the next thing."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.base.tiny import PATIENCE

QUICK = {"limit": 50, "n_iter": 30}

NO_DATA = "Expected a data set with a length and numbered items, or a list of pictures"


def told(panel) -> str:
    assert panel.wait(PATIENCE)
    assert panel.status.kind == "error"
    with pytest.raises(type(panel.error), match=re.escape(str(panel.error)[:40])):
        _ = panel.result
    return panel.status.message


def works(panel) -> bool:
    found = panel.result
    return (
        (panel.status.kind, panel.error) == ("ready", None) and np.isfinite(found.points).all() and len(panel.figure().axes)
    )
