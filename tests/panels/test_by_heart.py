"""What a monitor watches is tried on a copy: whether it learns twenty pictures by heart."""

from __future__ import annotations

import threading

import pytest
import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import cnnwidgets as cw
from cnnwidgets.base.jobs import LOCK
from cnnwidgets.methods import Task, over_fit
from cnnwidgets.net import Cancelled
from tests.base.tiny import PATIENCE, control
from tests.panels.test_monitoring import fresh, train
from tests.panels.test_race import data, network


def contradicting():
    """One picture, again and again, with both labels in turn."""
    pictures = torch.randn(1, 1, 4, 4, generator=torch.Generator().manual_seed(0)).expand(32, 1, 4, 4)
    return DataLoader(TensorDataset(pictures, torch.arange(32) % 2), 8)


def tried(panel):
    """The panel once its try is over."""
    panel.wait(PATIENCE)
    panel.learn_by_heart()
    line = panel._asides["by heart"]
    while (job := line.running) is not None:
        assert job.wait(PATIENCE)
    return panel


def test_a_network_that_can_learns_them_and_stays_as_it_is():
    model, optimizer = fresh()
    before, numbers = [each.clone() for each in model.state_dict().values()], torch.get_rng_state()
    panel = tried(cw.TrainingMonitor(model, data(), optimizer))
    alone = over_fit(Task(model, data(), data()))
    assert panel.by_heart.succeeded and panel.by_heart.loss.tolist() == alone.loss.tolist()
    assert panel.status.finding.startswith("It learns 20 pictures by heart: the loss falls from ")
    assert panel.findings.rows[0]["name"] == "learns 20 pictures by heart"
    assert all(torch.equal(a, b) for a, b in zip(before, model.state_dict().values(), strict=True))
    assert torch.equal(torch.get_rng_state(), numbers)
    assert all(each.grad is None for each in model.parameters())


def test_labels_that_contradict_each_other_cannot_be_learned():
    panel = tried(cw.TrainingMonitor(network(), contradicting()))
    assert not panel.by_heart.succeeded
    assert panel.by_heart.loss[-1] == pytest.approx(torch.tensor(2.0).log().item(), rel=0.01)  # as good as guessing
    row = panel.findings.rows[0]
    assert (row["name"], row["severity"]) == ("cannot learn 20 pictures by heart", 3)
    assert panel.status.finding.startswith("It cannot even learn 20 pictures by heart")


def test_a_network_that_is_trained_knows_them_already():
    model, _ = fresh()
    train(model, torch.optim.Adam(model.parameters(), lr=0.05), data(20), epochs=80)
    found = over_fit(Task(model, data(20), data(20)))
    loss = F.cross_entropy(model(torch.cat([x for x, _ in data(20)])), torch.cat([y for _, y in data(20)])).item()
    assert loss < 0.01 * torch.tensor(2.0).log().item()
    assert found.succeeded and found.loss.tolist() == pytest.approx([loss])
    assert found.summary.startswith("It knows 20 pictures by heart already")


def test_a_loop_that_is_under_way_is_left_alone():
    model, optimizer = fresh()
    with cw.monitor(model, data(), optimizer, every=1) as m:
        losses = train(model, optimizer, data())
        with pytest.raises(RuntimeError, match="the training is under way: 20 pictures can be learned by heart once"):
            m.learn_by_heart()
    again, optimizer = fresh()
    assert losses == train(again, optimizer, data())
    assert tried(m).by_heart.succeeded


def test_a_loop_that_begins_ends_the_try_first():
    begun = threading.Event()

    model, optimizer = fresh()
    panel = cw.TrainingMonitor(model, contradicting(), optimizer)
    panel.wait(PATIENCE)
    panel.status.observe(lambda change: begun.set() if "by heart" in change["new"] else None, "message")
    panel.learn_by_heart()
    assert begun.wait(PATIENCE)
    job = panel._learning
    with panel:
        assert job.done.is_set()
        losses = train(model, optimizer, data())
    again, optimizer = fresh()
    assert losses == train(again, optimizer, data())
    assert panel.by_heart is None


def test_cancel_ends_a_try_and_the_diagnosis_is_told_again():
    panel = cw.TrainingMonitor(network(), contradicting())
    panel.wait(PATIENCE)
    before, begun = panel.status.message, threading.Event()
    panel.status.observe(lambda change: begun.set() if "by heart" in change["new"] else None, "message")
    panel.learn_by_heart()
    assert begun.wait(PATIENCE)
    panel.cancel()
    assert panel._learning.wait(PATIENCE)
    with LOCK:
        assert (panel.status.message, panel.status.kind, panel.by_heart) == (before, "ready", None)


def test_how_far_it_is_is_told_and_it_can_be_cancelled():
    seen = []
    over_fit(
        Task(network(), contradicting(), data()), steps=20, on_update=lambda partial, done: seen.append((partial, done))
    )
    assert [len(partial.loss) for partial, _ in seen] == [10, 20] * 3
    assert [done for _, done in seen] == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1])
    stop = threading.Event()
    with pytest.raises(Cancelled):
        over_fit(Task(network(), contradicting(), data()), on_update=lambda *about: stop.set(), cancel=stop)


@pytest.mark.parametrize("name, there", [("D", True), ("over-fitting", True), ("record", False), ("iterator", False)])
def test_the_button_is_there_where_there_is_something_to_try(name, there):
    given = {
        "record": lambda: cw.TrainingMonitor(cw.methods.sick_run("D")),
        "iterator": lambda: cw.TrainingMonitor(network(), iter(data())),
    }
    panel = given.get(name, lambda: cw.TrainingMonitor(name))()
    panel.wait(PATIENCE)
    assert control(panel, "learn_by_heart")["absent"] != there
    if not there:
        with pytest.raises(ValueError, match="expected a network, and a loader that can be read again"):
            panel.learn_by_heart()


def test_a_bundled_training_begins_as_it_was_recorded():
    panel = tried(cw.TrainingMonitor("D"))
    assert not panel.by_heart.succeeded  # all weights are zero
    assert panel.by_heart.loss[0] == pytest.approx(torch.tensor(10.0).log().item(), rel=1e-5)
