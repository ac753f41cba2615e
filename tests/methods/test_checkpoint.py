"""A killed scan goes on from its checkpoint and gives the same bits; a file of another scan, or of none, is refused."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods import ActivationStatistics, Confusion, features, scan
from tests.methods.data_sets import Bad, Pictures, Slow, network
from tests.methods.test_scan import bits, reducers
from tests.net.networks import CancelAt

ROOT = Path(__file__).parents[2]

RUN = """
import sys
import cnnwidgets.methods
sys.modules["cnnwidgets.methods.scan"].SAVES = 0.03
from tests.methods.data_sets import Slow, network
from tests.methods.test_scan import reducers
net = network()
if sys.argv[2] == "scan":
    cnnwidgets.methods.scan(net, Slow(), reducers(net), batch_size=4, checkpoint=sys.argv[1])
else:
    cnnwidgets.methods.features(net, Slow(), ["5", "input"], batch_size=4, checkpoint=sys.argv[1], max_memory=0)
"""


def killed(path: Path, what: str) -> int:
    """Kill a run once it has written a checkpoint; the position that it holds."""
    with subprocess.Popen([sys.executable, "-c", RUN, str(path), what], cwd=ROOT) as process:
        while not path.exists():
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.005)
        time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    return torch.load(path, weights_only=True)["position"]


def test_a_killed_scan_goes_on_and_gives_the_same_bits(tmp_path):
    net, path = network(), tmp_path / "run"
    position = killed(path, "scan")
    assert 0 < position < 13
    asked = []

    class Asked(Bad):
        def __getitem__(self, i):
            asked.append(i)
            return super().__getitem__(i)

    found = scan(net, Asked(), reducers(net), batch_size=4, checkpoint=path)
    assert bits(found) == bits(scan(net, Bad(), reducers(net), batch_size=4))
    assert set(asked) - {0, 1} == set(range(4 * position, 50)) - {0, 1}  # the first ones are looked at for the input's shape
    assert found.rate > 0


def test_killed_features_go_on_in_their_files(tmp_path):
    net, path = network(), tmp_path / "run"
    position = killed(path, "features")
    assert 0 < position < 13
    with (tmp_path / "run.5.npy").open("ab") as file:
        file.write(b"rows that were written after the checkpoint" * 100)
    found = features(net, Slow(), ["5", "input"], batch_size=4, checkpoint=path)
    for layer, wanted in features(net, Bad(), ["5", "input"], batch_size=4).items():
        np.testing.assert_array_equal(found[layer].values, wanted.values)
        np.save(tmp_path / "wanted.npy", wanted.values)
        assert (tmp_path / f"run.{layer}.npy").read_bytes() == (tmp_path / "wanted.npy").read_bytes()
        for name in ("indices", "labels", "top", "chances"):
            np.testing.assert_array_equal(getattr(found[layer], name), getattr(wanted, name))
        assert found[layer].skipped == wanted.skipped


def test_cancelled_at_any_moment_it_goes_on(tmp_path):
    net, path = network(), tmp_path / "run"
    for _ in range(100):
        try:
            found = scan(net, Bad(), reducers(net), batch_size=4, checkpoint=path, cancel=CancelAt(3))
        except cw.Cancelled as cancelled:
            assert cancelled.partial.seen > 0
        else:
            break
    assert bits(found) == bits(scan(net, Bad(), reducers(net), batch_size=4))


def test_a_scan_that_is_done_gives_its_answer_at_once(tmp_path):
    net, path = network(), tmp_path / "run"
    wanted = scan(net, Bad(), reducers(net), checkpoint=path)

    class Closed(Pictures):
        def __getitem__(self, i):
            raise OSError("nothing is read any more")

    found = scan(net, Closed(), reducers(net), checkpoint=path)
    assert bits(found) == bits(wanted)
    assert found.remaining == 0


def test_it_goes_on_with_the_threads_it_began_with(tmp_path):
    net, path = network(), tmp_path / "run"
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with pytest.raises(cw.Cancelled):
            scan(net, Pictures(), [Number()], batch_size=4, checkpoint=path, cancel=CancelAt(5))
        torch.set_num_threads(1)
        assert scan(net, Pictures(), [Number()], batch_size=4, checkpoint=path).results == [[2] * 13]
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


class Number:
    """The number of torch threads of every batch."""

    def __init__(self):
        self.numbers = []

    def update(self, batch):
        self.numbers.append(torch.get_num_threads())

    def merge(self, other):
        self.numbers += other.numbers

    def result(self):
        return list(self.numbers)


def test_whoever_is_killed_while_writing_leaves_the_file_before(tmp_path, monkeypatch):
    net, path = network(), tmp_path / "run"
    with pytest.raises(cw.Cancelled):
        scan(net, Pictures(), [Confusion()], batch_size=4, checkpoint=path, cancel=CancelAt(5))
    before = path.read_bytes()

    def half(value, file):
        file.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr("torch.save", half)
    with pytest.raises(OSError, match="no space"):
        scan(net, Pictures(), [Confusion()], batch_size=4, checkpoint=path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


# another scan's


@pytest.mark.parametrize(
    "change, what",
    [
        ({"indices": range(49)}, "pictures"),
        ({"batch_size": 5}, "batch size"),
        ({"reducers": []}, "reducers"),
        ({"reducers": ["2"]}, "reducers"),
        ({"weight": 1e-6}, "network"),
        ({"dtype": torch.float64}, "network"),
        ({"preprocess": nn.ReLU()}, "preprocessing"),
        ({"batch_size": 5, "weight": 1.0}, "network and batch size"),
    ],
)
def test_a_checkpoint_of_another_scan_is_refused(change, what, tmp_path):
    path = tmp_path / "run"
    run(path)
    before = path.read_bytes()
    run(path)  # the same one is not
    with pytest.raises(ValueError, match=f"is of another scan, with other {what}: delete it, or give another path"):
        run(path, **change)
    assert path.read_bytes() == before


def run(path, weight=0.0, reducers=("5",), dtype=torch.float32, preprocess=None, batch_size=4, indices=None):
    module = network().module.to(dtype)
    with torch.no_grad():
        module[0].weight[0, 0, 0, 0] += weight
    net = cw.bind(module, input_shape=(3, 12, 12), preprocess=preprocess)
    of = [ActivationStatistics(net.layers[layer]) for layer in reducers]
    scan(net, Pictures(), of, batch_size=batch_size, indices=indices, checkpoint=path)


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("a file that ran code",)


@pytest.mark.parametrize(
    "content", [b"", b"no checkpoint", pickle.dumps({"scan": {}}, 2), pickle.dumps(Bomb(), 2), "bomb", "list"]
)
def test_a_file_that_is_no_checkpoint_is_refused_and_runs_no_code(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "run"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save({"scan": Bomb()} if content == "bomb" else [1], path)
    with pytest.raises(ValueError, match="is not a readable checkpoint of a scan"):
        run(path)
    assert list(tmp_path.iterdir()) == [path]


def test_rows_that_are_gone_are_missed(tmp_path):
    features(network(), Pictures(), "5", checkpoint=tmp_path / "run")
    (tmp_path / "run.5.npy").unlink()
    with pytest.raises(ValueError, match=r"the checkpoint's 50 rows are not in .*: delete the checkpoint to begin anew"):
        features(network(), Pictures(), "5", checkpoint=tmp_path / "run")


class Strange(Number):
    def __init__(self):
        super().__init__()
        self.strange = object()


def test_a_reducer_that_a_file_cannot_hold_is_said_at_once(tmp_path):
    with pytest.raises(
        TypeError, match=r"Strange holds a object, which a checkpoint cannot: keep numbers, .* or give it state"
    ):
        scan(network(), Pictures(), [Strange()], checkpoint=tmp_path / "run")
    assert scan(network(), Pictures(), [Strange()]).seen == 50  # without a checkpoint it may


class Everything(Number):
    """All that attributes may be."""

    def __init__(self):
        super().__init__()
        self.held = {
            "array": np.arange(6, dtype=np.float16).reshape(2, 3)[:, ::2],
            3: (np.float64(0.1), np.int64(-3), np.True_, None, True, "text", b"bytes"),
            "big endian": np.arange(3, dtype=">i4"),
            "empty": [np.zeros((0, 4)), {}, ()],
            "tensor": torch.arange(3),
        }


def test_attributes_come_back_as_they_were(tmp_path):
    net = network()
    scan(net, Pictures(), [Everything()], checkpoint=tmp_path / "run")
    got = []

    class Closed(Everything):
        def result(self):
            got.append(self.held)

    Closed.__qualname__ = "Everything"
    scan(net, Pictures(), [Closed()], checkpoint=tmp_path / "run")
    (found,) = got
    wanted = Everything().held
    assert list(found) == list(wanted)
    np.testing.assert_array_equal(found["array"], wanted["array"])
    assert found["array"].dtype == np.float16
    assert found[3] == wanted[3]
    np.testing.assert_array_equal(found["big endian"], [0, 1, 2])
    assert found["empty"][0].shape == (0, 4)
    assert torch.equal(found["tensor"], wanted["tensor"])


def test_top_patches_that_have_seen_nothing_yet_can_be_written(tmp_path):
    """Their sample is an array of no numbers."""
    net, path = network(), tmp_path / "scan"
    found = cw.methods.top_patches(net, Pictures(9), "5", batch_size=4, checkpoint=path)
    again = cw.methods.top_patches(net, Pictures(9), "5", batch_size=4, checkpoint=path)
    assert again["5"].strongest(2) == found["5"].strongest(2)
