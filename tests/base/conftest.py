from __future__ import annotations

import pytest

from tests.base.tiny import Doubler


@pytest.fixture
def panel():
    """A panel that has computed, and waits at its gate for no more."""
    panel = Doubler()
    assert panel.result == 2
    yield panel
    panel.gate.set()
    panel.close()
