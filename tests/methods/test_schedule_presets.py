"""Every preset is a set of schedules that torch gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cnnwidgets.methods import schedule
from cnnwidgets.methods.schedule_presets import PRESETS, preset_of


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_s_schedules_have_a_rate_in_every_step(name):
    preset = PRESETS[name]
    for spec in preset.specs:
        losses = [1.0] * preset.steps if spec["kind"] == "plateau" else None
        found = schedule(spec, preset.steps, losses=losses)
        assert found.lr.shape == (preset.steps,)
        assert (found.lr >= 0).all() and found.lr.max() > 0


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_known_again_by_what_it_is(name):
    steps, specs = PRESETS[name]
    assert preset_of(steps, specs) == name
    assert preset_of(steps + 1, specs) is None
    assert preset_of(steps, specs[1:]) is None


def test_arrays_and_tensors_in_specs_are_no_preset():
    knots = {"kind": "drawn", "at": np.array([0, 10, 40, 59]), "rates": torch.tensor([0.001, 0.05, 0.05, 0.0005])}
    assert preset_of(60, [knots]) is None
