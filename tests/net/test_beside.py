"""Whatever computes beside a training, on another thread, the training is what it is alone; and Ctrl-C leaves nothing."""

from __future__ import annotations

import random
import signal
import threading
import time

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import cnnwidgets as cw
from cnnwidgets.net.mentions import mentions_random
from tests.net.networks import Function, everything

IMAGES = torch.rand(32, 3, 16, 16, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(32) % 5


class Net(nn.Module):
    """With all that a training minds: statistics, dropout in both ways, operations in place, a buffer that is assigned."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.bn = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(8, 5)
        self.register_buffer("average", torch.zeros(8))

    def forward(self, x):
        x = self.relu(self.bn(self.conv1(x)))
        x = self.relu(self.conv2(x).add_(x))
        x = self.drop(x.mean((2, 3)))
        self.average = 0.9 * self.average + 0.1 * x.detach().mean(0)
        return self.fc(F.dropout(x + self.average, 0.1))  # also in evaluation mode


def training(model: nn.Module, seconds: float = 0.0) -> dict:
    """A loop as a notebook has it, for some steps and at least so many seconds; what came of the first steps."""
    torch.manual_seed(1)
    random.seed(1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    loader = DataLoader(TensorDataset(IMAGES, LABELS), batch_size=8, shuffle=True)
    drawn, end = [], time.perf_counter() + seconds
    model.train()
    for _ in range(6):
        for images, labels in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images), labels)
            time.sleep(0.002 if seconds else 0)  # here another thread would come in between
            loss.backward()
            optimizer.step()
            drawn.append((loss.item(), torch.rand(1).item()))
    while time.perf_counter() < end:
        time.sleep(0.01)
    return {"drawn": drawn, "weights": {name: value.clone() for name, value in model.state_dict().items()}}


def race(net, cancel):
    loader = DataLoader(TensorDataset(IMAGES, LABELS), batch_size=8, shuffle=True)
    task = cw.methods.Task(Net, loader, loader)
    cw.methods.race(task, [{"kind": "constant", "lr": 0.1}, {"kind": "cosine", "lr": 0.1}], steps=3, cancel=cancel)


def lr_finder(net, cancel):
    loader = DataLoader(TensorDataset(IMAGES, LABELS), batch_size=8, shuffle=True)
    cw.methods.lr_finder(cw.methods.Task(Net, loader, loader), steps=20, cancel=cancel)


BESIDE = {
    "predict": lambda net, cancel: net.predict(IMAGES[:2]),
    "activations": lambda net, cancel: cw.methods.activations(net, IMAGES[0]),
    "saliency": lambda net, cancel: cw.methods.saliency(net, IMAGES[0], 1),
    "smoothgrad": lambda net, cancel: cw.methods.smoothgrad(net, IMAGES[0], 1, n_samples=8),
    "grad_cam": lambda net, cancel: cw.methods.grad_cam(net, IMAGES[0], 1),
    "occlusion": lambda net, cancel: cw.methods.occlusion(net, IMAGES[0], 1, patch=4, stride=4, on_update=lambda *_: None),
    "rise": lambda net, cancel: cw.methods.rise(net, IMAGES[0], 1, n_samples=32),
    "lime": lambda net, cancel: cw.methods.lime(net, IMAGES[0], 1, n_samples=32),
    "sanity": lambda net, cancel: cw.methods.sanity_check(net, IMAGES[0], 1, methods=["saliency"]),
    "features": lambda net, cancel: cw.methods.features(net, [*IMAGES]),
    "race": race,
    "lr_finder": lr_finder,
}


@pytest.mark.parametrize("name", BESIDE)
def test_a_training_in_the_cell_is_what_it_is_alone(name):
    torch.manual_seed(0)
    state = Net().state_dict()
    alone, beside = Net(), Net()
    alone.load_state_dict(state)
    beside.load_state_dict(state)
    wanted = training(alone)
    net, stop, errors, rounds = cw.bind(beside, input_shape=(3, 16, 16)), threading.Event(), [], 0

    def compute():
        nonlocal rounds
        while not stop.is_set():
            try:
                BESIDE[name](net, stop)
            except cw.Cancelled:
                pass
            except Exception as error:
                errors.append(error)
                return
            rounds += 1

    panel = threading.Thread(target=compute)
    panel.start()
    try:
        found = training(beside, seconds=0.3)
    finally:
        stop.set()
        panel.join()
    assert not errors
    assert found["drawn"] == wanted["drawn"]
    assert all(torch.equal(value, wanted["weights"][key]) for key, value in found["weights"].items())


def test_a_panel_beside_a_training_says_what_holds_at_the_end():
    model = Net()
    panel = cw.SaliencyPanel(cw.bind(model, input_shape=(3, 16, 16)), IMAGES[0], methods=["saliency", "grad_cam"])
    training(model)
    panel.target = "3"
    assert panel.result.rows[0].target == 3
    panel.close()


def test_a_network_that_draws_gives_the_same_twice_and_moves_no_generator():
    net = cw.bind(Net(), input_shape=(3, 16, 16))
    state = torch.get_rng_state()
    assert torch.equal(net.scores(IMAGES), net.scores(IMAGES))
    assert torch.equal(torch.get_rng_state(), state)
    assert net.runner.draws and not net.runner.draws_others


class Shaken(Net):
    """Draws NumPy's and Python's numbers as well."""

    def forward(self, x):
        return super().forward(x) + np.random.rand() + random.random()


def test_numpys_and_pythons_numbers_are_lent_to_a_network_that_draws_them():
    net = cw.bind(Shaken(), input_shape=(3, 16, 16))
    states = repr(np.random.get_state()), random.getstate()
    assert torch.equal(net.scores(IMAGES), net.scores(IMAGES))
    assert (repr(np.random.get_state()), random.getstate()) == states
    assert net.runner.draws_others


def test_they_are_lent_on_a_panels_thread_too():
    net, found = cw.bind(Shaken(), input_shape=(3, 16, 16)), []
    states = repr(np.random.get_state()), random.getstate()
    thread = threading.Thread(target=lambda: found.append(net.scores(IMAGES)))
    thread.start()
    thread.join()
    assert (repr(np.random.get_state()), random.getstate()) == states
    assert torch.equal(found[0], net.scores(IMAGES))


# Ctrl-C

INTERRUPTED = ["predict", "activations", "saliency", "grad_cam", "occlusion", "lime", "features", "sanity"]


def global_state() -> tuple:
    return (
        torch._C._len_torch_function_stack(),
        torch._C._len_torch_dispatch_stack(),
        nn.Module.__call__,
        nn.Module.__getattr__,
        signal.getsignal(signal.SIGINT),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
    )


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="timers that send signals are Unix's")
@pytest.mark.parametrize("name", INTERRUPTED)
def test_an_interrupt_at_any_moment_leaves_nothing(name):
    model, times, runs = Net().train(), 200, []
    for _ in range(4):
        start = time.perf_counter()
        BESIDE[name](cw.bind(model, input_shape=(3, 16, 16)), None)
        runs.append(time.perf_counter() - start)
    seconds = min(runs)
    before, state = everything(model), global_state()
    handler = signal.signal(signal.SIGALRM, lambda number, frame: signal.raise_signal(signal.SIGINT))
    interrupted = 0
    try:
        for k in range(times):
            net = cw.bind(model, input_shape=(3, 16, 16))
            try:
                signal.setitimer(signal.ITIMER_REAL, seconds * (k + 1) / times)
                BESIDE[name](net, None)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                interrupted += 1
            assert global_state() == state, k
            if k % 10 == 0:
                after = everything(model)
                assert all(after[part] == before[part] for part in before), k
                assert net.predict(IMAGES[:1])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert interrupted > times / 10  # as far as the machine is as fast as before
    after = everything(model)
    assert all(after[part] == before[part] for part in before)


def test_a_forward_pass_that_names_a_method_of_an_array_or_has_no_module_is_looked_at():
    """Whether two arrays are equal is no yes or no; what ``exec`` makes may belong to no module."""
    space = {"take": np.zeros(3).sum, "torch": torch}
    exec("def forward(self, x):\n    return x.flatten(1) + float(take())", space)
    space["forward"].__module__ = None
    assert not mentions_random(Function(space["forward"]))
    assert mentions_random(Shaken())
