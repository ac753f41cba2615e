"""A scan on a real dask cluster of two worker processes, of which one is killed on the way: the same bits."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from cnnwidgets.methods import scan
from tests.methods.data_sets import Bad, Drawing, Slow, network
from tests.methods.test_scan import Threads, bits, reducers

distributed = pytest.importorskip("dask.distributed")


@pytest.fixture
def client(tmp_path):
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=tmp_path, silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_the_same_bits_when_a_worker_is_killed_on_the_way(client, monkeypatch):
    monkeypatch.setattr(sys.modules["cnnwidgets.methods.scan"], "UPDATES", 0.0)
    net = network()
    wanted = bits(scan(net, Bad(), reducers(net), batch_size=2))
    first = dict(client.run(os.getpid))
    assert len(first) == 2
    fractions = []

    def kill_one(partial, fraction):
        if not fractions:
            os.kill(next(iter(first.values())), signal.SIGKILL)
        fractions.append(fraction)

    found = scan(net, Slow(), reducers(net), batch_size=2, executor=client.get_executor(), on_update=kill_one)
    assert bits(found) == wanted
    assert fractions[0] < 0.5
    assert next(iter(first.values())) not in client.run(os.getpid).values()  # it is dead, and another took its place

    assert bits(scan(net, Drawing(), reducers(net), executor=client.get_executor())) == bits(
        scan(net, Drawing(), reducers(net))
    )
    assert scan(net, Bad(), [Threads()], executor=client.get_executor()).results == scan(net, Bad(), [Threads()]).results
