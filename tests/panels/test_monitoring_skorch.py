"""The callback that the docs give for skorch sees what skorch's own history holds, and changes nothing."""

from __future__ import annotations

import ast

import numpy as np
import pytest
import torch
from skorch import NeuralNetClassifier
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods import diagnose
from tests.methods.learning import Net, pictures, record
from tests.test_docs import blocks, page_of, run

IMAGES, LABELS = pictures(103)[:]


@pytest.fixture(scope="module")
def watch():
    """The callback as the docs print it, without what they train."""
    (code,) = [block for block in blocks(page_of("training")) if "skorch" in block]
    parts = [ast.unparse(part) for part in ast.parse(code).body if isinstance(part, (ast.ImportFrom, ast.ClassDef))]
    return run("\n".join(["import cnnwidgets as cw", *parts]))["Watch"]


def trained(module=Net, *callbacks, criterion=nn.CrossEntropyLoss, **options) -> NeuralNetClassifier:
    torch.manual_seed(0)
    usual = {"lr": 0.1, "optimizer__momentum": 0.9, "batch_size": 16, "iterator_train__shuffle": True, "max_epochs": 3}
    net = NeuralNetClassifier(module, criterion=criterion, callbacks=[*callbacks], verbose=0, **{**usual, **options})
    return net.fit(IMAGES, LABELS)


def losses(net) -> list[float]:
    """Of every step, as skorch has them."""
    return [row["train_loss"] for epoch in net.history for row in epoch["batches"] if "train_loss" in row]


def test_losses_steps_epochs_and_validations_are_those_of_skorch(watch):
    own = watch()
    net = trained(Net, own)
    history, theirs = own.monitor.record.history, net.history
    assert history.loss.tolist() == losses(net)
    assert history.ends.tolist() == np.cumsum(theirs[:, "train_batch_count"]).tolist() == [6, 12, 18]
    np.testing.assert_allclose(history.validation_loss, theirs[:, "valid_loss"], rtol=1e-6)
    np.testing.assert_allclose(history.validation_accuracy, theirs[:, "valid_acc"], rtol=1e-12)
    sizes = [row["train_batch_size"] for epoch in theirs for row in epoch["batches"] if "train_batch_size" in row]
    assert own.monitor.record.sizes.tolist() == sizes == [16, 16, 16, 16, 16, 2] * 3
    assert own.monitor.record.facts["epochs"] == 3
    own.monitor.close()


def test_the_training_is_the_same_to_the_last_bit_and_the_network_has_no_hooks_left(watch):
    own = watch()
    net, alone = trained(Net, own), trained()
    assert losses(net) == losses(alone)
    assert record(net.module_) == record(alone.module_)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.module_.modules())
    own.monitor.close()


def test_epochs_end_where_skorch_ends_them_without_a_validation(watch):
    own = watch()
    net = trained(Net, own, train_split=None, max_epochs=2)
    history = own.monitor.record.history
    assert history.loss.tolist() == losses(net)
    assert history.ends.tolist() == np.cumsum(net.history[:, "train_batch_count"]).tolist() == [7, 14]
    assert np.isnan(history.validation_loss).all()
    own.monitor.close()


class Probabilities(nn.Sequential):
    """Ends with a softmax, of which skorch takes the logarithm for its usual loss."""

    def __init__(self):
        super().__init__(Net(), nn.Softmax(dim=1))


@pytest.mark.parametrize("criterion, wrong", [(nn.NLLLoss, False), (nn.CrossEntropyLoss, True)])
def test_skorchs_usual_loss_takes_probabilities_and_cross_entropy_does_not(watch, criterion, wrong):
    own = watch()
    net = trained(Probabilities, own, criterion=criterion)
    assert own.monitor.record.history.loss.tolist() == losses(net)
    assert any("softmax" in one.name for one in diagnose(own.monitor.record).findings) is wrong
    own.monitor.close()


def test_a_second_training_has_a_monitor_of_its_own(watch):
    own = watch()
    net = trained(Net, own)
    first = own.monitor
    net.fit(IMAGES, LABELS)
    assert own.monitor is not first
    assert own.monitor.record.history.loss.tolist() == losses(net)
    for one in (first, own.monitor):
        one.close()


def test_around_partial_fit_the_monitor_ends_with_a_training_that_raises():
    net = NeuralNetClassifier(Net, criterion=nn.CrossEntropyLoss, batch_size=16, verbose=0).initialize()
    with (
        pytest.raises(RuntimeError),
        cw.monitor(net.module_, optimizer=net.optimizer_) as m,
    ):
        net.partial_fit(IMAGES, LABELS, epochs=1)
        net.partial_fit(IMAGES[:, :, :1], LABELS)
    assert m.record.history.loss.tolist() == losses(net)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.module_.modules())
    m.close()
