"""Several threads with bound networks at once: none waits for another's pass, and each gets what it would get alone."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.net import bind
from cnnwidgets.net.incremental.folding import fold
from tests.net.networks import Function, Residual

PATIENCE = 20.0
THREADS = 4
IMAGE = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0))


class Meeting:
    """A forward pass in which, once it is called, so many threads meet: alone it cannot be passed."""

    def __init__(self, threads: int):
        self.barrier, self.called = threading.Barrier(threads), False
        self.inside: list[int] = []

    def __call__(self, module, x):
        if self.called:
            self.inside.append(id(module))
            self.barrier.wait(PATIENCE)
        return x.flatten(1)


def together(*works):
    """What each gives, all begun at once."""
    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result() for future in [pool.submit(work) for work in works]]


def meeting_nets(count: int, threads: int = THREADS):
    meeting = Meeting(threads)
    nets = [bind(Function(lambda module, x: meeting(module, x)), input_shape=(3, 2, 2)) for _ in range(count)]
    for net in nets:
        assert net.output
    meeting.called = True
    return meeting, nets


def test_networks_do_not_wait_for_each_other():
    _, nets = meeting_nets(THREADS)
    together(*[lambda net=net: net.run(torch.zeros(3, 2, 2)) for net in nets])


def test_threads_with_one_network_do_not_wait_and_each_has_a_double_to_itself():
    meeting, (net,) = meeting_nets(1)
    for _ in range(3):  # spare ones are used again
        together(*[lambda: net.run(torch.zeros(3, 2, 2))] * THREADS)
    assert len(set(meeting.inside[:THREADS])) == THREADS
    assert set(meeting.inside) == set(meeting.inside[:THREADS])
    assert id(net.module) not in meeting.inside


def test_what_has_no_double_is_run_by_one_thread_at_a_time():
    inside, most = [], []

    class Uncopied(nn.Flatten):
        def __deepcopy__(self, memo):
            raise TypeError("no copies")

        def forward(self, x):
            inside.append(None)
            time.sleep(0.005)
            most.append(len(inside))
            inside.pop()
            return super().forward(x)

    nets = [bind(Uncopied(), input_shape=(3, 2, 2)) for _ in range(2)]  # also of different networks: they may share parts
    together(*[lambda net=net: net.scores(torch.zeros(3, 2, 2)) for net in nets * 2])
    assert set(most) == {1}


def test_a_spare_double_follows_the_weights_and_the_buffers():
    meeting = Meeting(2)
    model = Residual().eval()

    class Met(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, x):
            meeting(self, x)
            return self.model(x)

    net = bind(Met(), input_shape=(3, 16, 16))
    net.scores(IMAGE)
    meeting.called = True
    together(*[lambda: net.run(IMAGE)] * 2)
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            if tensor.is_floating_point():
                tensor.mul_(1.25)
    first, second = together(*[lambda: net.run(IMAGE)] * 2)
    meeting.called = False
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    torch.testing.assert_close(first, model(IMAGE[None]).detach())
    model.conv1 = nn.Conv2d(3, model.conv1.out_channels, 3, padding=1)
    net.scores(IMAGE)
    meeting.called = True
    for found in together(*[lambda: net.run(IMAGE)] * 2):
        torch.testing.assert_close(found, model(IMAGE[None]).detach())


def test_threads_get_what_each_would_get_alone():
    net = cw.load("scenes")
    picture = cw.samples.scenes().picture(0)

    def maps():
        return cw.methods.activations(net, picture, ["layer2.0.conv1"])["layer2.0.conv1"].values

    def occluded():
        return cw.methods.occlusion(net, picture, patch=16, stride=8).values

    def slopes():
        return cw.methods.saliency(net, picture).values

    def masked():
        return cw.methods.rise(net, picture, n_samples=96).values

    works = [maps, occluded, slopes, masked]
    alone = [work() for work in works]
    for _ in range(4):
        for one, other in zip(together(*works), alone, strict=True):
            np.testing.assert_array_equal(one, other)


def test_threads_that_follow_forward_passes_leave_torchs_modules_as_they_were():
    before = nn.Module.__call__, nn.Module.__getattr__
    x = torch.rand(1, 3, 16, 16)
    models = [Residual().eval() for _ in range(THREADS)]

    def follow(model):
        return [fold(model)(x).detach() for _ in range(5)]

    for model, found in zip(models, together(*[lambda m=model: follow(m) for model in models]), strict=True):
        for one in found:
            torch.testing.assert_close(one, model(x).detach(), rtol=1e-4, atol=1e-5)
    assert (nn.Module.__call__, nn.Module.__getattr__) == before


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_does_not_inherit_what_another_thread_holds():
    meeting, (net,) = meeting_nets(1, threads=2)
    thread = threading.Thread(target=lambda: net.run(torch.zeros(3, 2, 2)))
    thread.start()
    while not meeting.inside:
        time.sleep(0.001)
    child = os.fork()  # in the middle of a pass
    if not child:
        meeting.called = False
        fine = bool((net.scores(torch.ones(3, 2, 2)) == 1).all())
        os._exit(0 if fine else 1)
    meeting.barrier.wait(PATIENCE)
    thread.join(PATIENCE)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
