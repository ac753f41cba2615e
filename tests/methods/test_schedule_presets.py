"""Every preset is a set of schedules that torch gives."""

from __future__ import annotations

import pytest

from cnnwidgets.methods import schedule
from cnnwidgets.methods.schedule_presets import PRESETS


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_s_schedules_have_a_rate_in_every_step(name):
    preset = PRESETS[name]
    for spec in preset.specs:
        losses = [1.0] * preset.steps if spec["kind"] == "plateau" else None
        found = schedule(spec, preset.steps, losses=losses)
        assert found.lr.shape == (preset.steps,)
        assert (found.lr >= 0).all() and found.lr.max() > 0
