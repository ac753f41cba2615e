"""The bundled runs are what they say, and come from the spec that they carry."""

from __future__ import annotations

import numpy as np
import pytest

from cnnwidgets.methods import race, recorded, task
from cnnwidgets.methods.recorded import RECORDED


def test_the_over_fitting_run_over_fits():
    run = recorded("over-fitting")
    assert run.spec["data"] == {"size": 600, "label_noise": 0.3, "batch": 32}
    assert run.epoch_accuracy[-1] > 0.97  # of labels of which 30% are wrong
    assert run.best_epoch < 15
    assert run.validation_loss[-1] > 2 * run.validation_loss.min()
    assert run.validation_accuracy[run.best_epoch - 1] - run.validation_accuracy[-1] > 0.1


@pytest.mark.parametrize("name", RECORDED)
def test_a_bundled_run_begins_as_its_spec_trains(name):
    run, recipe = recorded(name), RECORDED[name]
    begun = {**run.spec, "until": {"steps": 1}}
    (again,) = race(task(recipe.task), [begun], steps=recipe.steps, seeds=[run.seed]).histories
    np.testing.assert_allclose(again.loss, run.loss[: len(again.loss)], rtol=1e-3)  # other processors round differently


def test_a_name_that_is_not_bundled_is_told():
    with pytest.raises(ValueError, match=r"name is 'overfitting'; expected one of .*Did you mean 'over-fitting'"):
        recorded("overfitting")
