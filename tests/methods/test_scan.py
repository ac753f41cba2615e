"""A scan is a bare loop over the data set; the same, to the last bit, with loader workers, on threads and in processes."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from collections import Counter
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods import ActivationStatistics, Confusion, scan
from cnnwidgets.methods.features import Answers, Vectors
from tests.methods.data_sets import Bad, Deadly, Drawing, Pictures, Slow, bare_loop, network
from tests.methods.test_activations import Transformer
from tests.net.networks import CancelAt, Function, Residual, unchanged

FINE = [i for i in range(50) if i not in Bad.indices]


def reducers(net) -> dict:
    layer = net.layers["5"]
    return {
        "confusion": Confusion(),
        "statistics": ActivationStatistics(layer),
        "vectors": Vectors(layer, max_memory=10**9),
        "answers": Answers(),
    }


def bits(result) -> dict:
    """Everything that a scan found, as bytes."""
    found = {"seen": result.seen, "skipped": result.skipped, "total": result.total}
    for name, one in result.results.items():
        values = one if isinstance(one, dict) else {"values": one} if isinstance(one, np.ndarray) else vars(one)
        found |= {(name, key): value.tobytes() for key, value in values.items() if isinstance(value, np.ndarray)}
    assert len(found) == 13
    return found


class Threads:
    """The numbers of torch threads that batches were computed with, whatever a worker has by itself."""

    def __init__(self):
        self.numbers = set()

    def update(self, batch):
        self.numbers.add(torch.get_num_threads())

    def merge(self, other):
        self.numbers |= other.numbers

    def result(self):
        return self.numbers


@pytest.fixture(scope="module")
def pool():
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


# what it finds


class Keep:
    """Keeps the batches as they are."""

    layers = ("5", "2")

    def __init__(self):
        self.batches = []

    def update(self, batch):
        self.batches.append(batch)

    def merge(self, other):
        self.batches += other.batches

    def result(self):
        return list(self.batches)


class Inputs(Keep):
    """Keeps the batches of a network without layers."""

    layers = ()


@pytest.mark.parametrize("batch_size", [1, 7, 50, 64])
def test_batches_are_those_of_a_bare_loop(batch_size):
    net = network()
    (batches,) = scan(net, Bad(), [Keep()], batch_size=batch_size).results
    places = [[i for i in range(k, min(k + batch_size, 50)) if i in FINE] for k in range(0, 50, batch_size)]
    assert [batch.indices.tolist() for batch in batches] == [numbers for numbers in places if numbers]
    for batch in batches:
        inputs = torch.stack([Pictures()[i][0] for i in batch.indices.tolist()])
        torch.testing.assert_close(batch.inputs, inputs, rtol=0, atol=0)
        with torch.no_grad():
            torch.testing.assert_close(batch.scores, net.module(inputs), rtol=0, atol=0)
            torch.testing.assert_close(batch.outputs["5"], net.module[:6](inputs), rtol=0, atol=0)
            torch.testing.assert_close(batch.outputs["2"], net.module[:3](inputs), rtol=0, atol=0)
        np.testing.assert_array_equal(batch.labels, batch.indices % 4)


def test_all_reducers_from_one_pass():
    net = network()
    result = scan(net, Bad(), reducers(net), batch_size=7)
    logits, maps = bare_loop(net, FINE, 7)
    counts = np.zeros((4, 4), int)
    np.add.at(counts, (np.array(FINE) % 4, logits.argmax(1).numpy()), 1)
    np.testing.assert_array_equal(result.results["confusion"].counts, counts)
    np.testing.assert_allclose(result.results["statistics"].mean, maps.double().mean((0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(result.results["vectors"], maps.mean((2, 3)), atol=1e-6)
    np.testing.assert_array_equal(result.results["answers"]["indices"], FINE)
    assert (result.seen, result.total, result.done, result.remaining) == (41, 50, 1, 0)
    assert result.rate > 0
    assert repr(result) == "<scan: 41 of 50 pictures, 9 skipped>"


def test_bad_pictures_are_listed_with_what_is_wrong():
    skipped = dict(scan(network(), Bad(), [], batch_size=7).skipped)
    assert list(skipped) == list(Bad.indices)
    assert skipped[0] == "OSError: the file is truncated"
    assert skipped[3].startswith("TypeError: NoneType is not a picture; expected a path")
    assert skipped[11].startswith("ValueError: the picture is a float32 tensor 3×9×12, the network expects 3×12×12")
    assert skipped[12] == "ValueError: 432 of the 432 values of the picture are NaN or infinite"
    assert skipped[13] == "ValueError: expected one picture, got 2"
    assert skipped[14] == "KeyError: 'gone'"
    assert skipped[15].startswith("ValueError: expected an item with a picture under a name such as 'image'")
    assert skipped[29].startswith("FileNotFoundError: there is no file")
    assert skipped[49]


def test_a_batch_of_bad_pictures_alone_is_no_batch():
    (batches,) = scan(network(), Bad(), [Keep()], indices=[11, 12, 13, 1, 2], batch_size=3).results
    assert [batch.indices.tolist() for batch in batches] == [[1, 2]]


@pytest.mark.parametrize(
    "item, label",
    [
        (lambda x: (x, 3), 3),
        (lambda x: [x, torch.tensor(3)], 3),
        (lambda x: (x, np.int64(3), "a mask"), 3),
        (lambda x: {"image": x, "label": 3}, 3),
        (lambda x: {"pixel_values": x, "labels": np.int32(3)}, 3),
        (lambda x: (x, -100), -1),
        (lambda x: (x, "three"), -1),
        (lambda x: (x, np.zeros(4)), -1),
        (lambda x: (x, 3.0), 3),
        (lambda x: (x, 3.5), -1),
        (lambda x: (x, torch.eye(4)[3]), 3),
        (lambda x: (x, [1, 0, 1, 1]), -1),
        (lambda x: (x, torch.ones(12, 12, dtype=torch.int64)), -1),
        (lambda x: {"pixels": x[None], "target": np.float32(3)}, 3),
        (lambda x: {"pixel_values": x.tolist(), "labels": [0.0, 0.0, 0.0, 1.0]}, 3),
        (lambda x: (x,), -1),
        (lambda x: x, -1),
        (lambda x: {"image": x}, -1),
        (lambda x: x.double(), -1),
    ],
)
def test_items_may_be_pictures_pairs_or_dicts(item, label):
    x = Pictures()[5][0]
    (batches,) = scan(network(), [item(x)], [Keep()]).results
    torch.testing.assert_close(batches[0].inputs[0], x)
    assert batches[0].labels.tolist() == [label]


def test_labels_that_are_names_are_classes_of_the_data_set_or_else_of_the_network():
    class Named(list):
        classes = ("cat", "dog", "eel", "fly", "gnu")

    items = [(Pictures()[i][0], word) for i, word in enumerate(["dog", "gnu", "cow", "cat"])]
    net = cw.bind(network().module, input_shape=(3, 12, 12), classes=["cat", "cow", "dog", "eel"])
    for dataset, labels in ((Named(items), [1, 4, -1, 0]), (items, [2, -1, 1, 0])):
        (batches,) = scan(net, dataset, [Keep()]).results
        assert batches[0].labels.tolist() == labels
    (batches,) = scan(cw.bind(nn.ReLU(), input_shape=(3, 12, 12)), items, [Inputs()]).results
    assert batches[0].labels.tolist() == [-1] * 4


def test_a_data_set_as_hugging_face_has_them(pool):
    net = network()
    (wanted,) = scan(net, [Pictures()[i] for i in range(8)], [Answers()], batch_size=3).results
    for options in ({}, {"workers": 1}, {"executor": pool}):
        (found,) = scan(net, Rows(), [Answers()], batch_size=3, **options).results
        for name, values in wanted.items():
            np.testing.assert_array_equal(found[name], values)


class Rows:
    """Items 0 to 7 of Pictures as rows with names, by whole numbers of Python only, of no class of torch's."""

    def __len__(self):
        return 8

    def __getitem__(self, i):
        assert type(i) is int
        picture, label = Pictures()[i]
        return {"image_id": i, "pixel_values": picture[None].tolist(), "labels": label}


def test_pictures_of_any_kind_are_what_prepare_makes_of_them(tmp_path):
    from PIL import Image

    net, pixels = network(), np.random.default_rng(0).integers(0, 256, (20, 15, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    kinds = [pixels, pixels / 255, Image.fromarray(pixels), tmp_path / "a.png", torch.randn(3, 12, 12)]
    (batches,) = scan(net, kinds, [Keep()], batch_size=3).results
    torch.testing.assert_close(torch.cat([b.inputs for b in batches]), net.prepare(kinds), rtol=0, atol=0)


def test_a_tensor_of_pictures_is_a_data_set():
    pictures = torch.randn(5, 3, 12, 12)
    before = pictures.clone()
    (batches,) = scan(cw.bind(nn.ReLU(inplace=True), input_shape=(3, 12, 12)), pictures, [_No()]).results
    assert batches == 5
    assert torch.equal(pictures, before)


class _No:
    """Counts pictures; no layers."""

    def __init__(self):
        self.count = 0

    def update(self, batch):
        assert batch.scores is None
        assert batch.outputs == {}
        assert (batch.inputs < 0).any()  # not what an in-place network made of them
        self.count += len(batch.indices)

    def merge(self, other):
        self.count += other.count

    def result(self):
        return self.count


def test_reducers_that_were_given_stay_fresh():
    net = network()
    given = reducers(net)
    first = scan(net, Pictures(), given)
    assert bits(scan(net, Pictures(), given)) == bits(first)
    assert given["confusion"].counts.size == 0


# the same everywhere


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("data", [Bad, Drawing])
def test_the_same_bits_with_loader_workers_and_in_processes(data, threads, pool):
    before, theirs = torch.get_num_threads(), set(pool.map(_threads, range(4)))
    torch.set_num_threads(threads)
    try:
        net = network()
        with unchanged(net.module):
            wanted = bits(scan(net, data(), reducers(net), batch_size=4))
            assert bits(scan(net, data(), reducers(net), batch_size=4, workers=2)) == wanted
            assert bits(scan(net, data(), reducers(net), batch_size=4, executor=pool)) == wanted
            assert scan(net, data(), [Threads()], executor=pool).results == [{threads}]
            assert set(pool.map(_threads, range(4))) == theirs  # the workers are left with their own number
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def _threads(_) -> int:
    return torch.get_num_threads()


class Threaded(Pictures):
    """The label is the number of torch threads with which an item is loaded: a preprocessing may sum over the picture."""

    def __getitem__(self, i):
        return super().__getitem__(i)[0], torch.get_num_threads()


def test_pictures_are_loaded_with_the_callers_threads_too(pool):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for executor in (None, pool):
            (found,) = scan(network(), Threaded(), [Answers()], executor=executor).results
            assert set(found["labels"]) == {2}
    finally:
        torch.set_num_threads(before)


def test_the_same_bits_on_threads():
    net = network()
    wanted = bits(scan(net, Bad(), reducers(net), batch_size=4))
    for workers in (1, 3):
        with ThreadPoolExecutor(workers) as executor, unchanged(net.module):
            assert bits(scan(net, Bad(), reducers(net), batch_size=4, executor=executor)) == wanted


def test_the_same_bits_on_threads_for_a_transformer():
    torch.manual_seed(0)
    net = cw.bind(Transformer(), input_shape=(3, 12, 12))
    with ThreadPoolExecutor(2) as executor:
        found = [scan(net, Pictures(), [Answers()], executor=executor_) for executor_ in (None, executor)]
    for name, value in found[0].results[0].items():
        np.testing.assert_array_equal(found[1].results[0][name], value)


class Backwards(Executor):
    """Runs on a thread, and the last one first: two parts at a time."""

    _max_workers = 1

    def __init__(self):
        self.held, self.most, self.under_way = [], 0, 0

    def submit(self, function, *args):
        future = Future()
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        future.add_done_callback(lambda _: setattr(self, "under_way", self.under_way - 1))
        self.held.append((future, function, args))
        threading.Timer(0.01, self._run).start()
        return future

    def _run(self):
        future, function, args = self.held.pop()
        if future.set_running_or_notify_cancel():
            future.set_result(function(*args))


def test_parts_that_come_back_in_another_order_are_merged_in_theirs():
    net, executor = network(), Backwards()
    wanted = bits(scan(net, Bad(), reducers(net), batch_size=4))
    assert bits(scan(net, Bad(), reducers(net), batch_size=4, executor=executor)) == wanted
    assert executor.most == 2  # and no more are handed out than that


def test_a_process_unpickles_the_network_once(pool):
    net = network()
    result = scan(net, Counting(), [Unpickled()], batch_size=2, executor=pool)
    assert len(result.results[0]) <= 2
    assert all(count == 1 for count in result.results[0].values())


class Counting(Pictures):
    """Knows how often it was unpickled in this process."""

    times = 0

    def __setstate__(self, state):
        vars(self).update(state)
        type(self).times += 1


class Unpickled:
    """For every process how often it has unpickled a Counting."""

    def __init__(self):
        self.times = Counter()

    def update(self, batch):
        self.times[os.getpid()] = Counting.times

    def merge(self, other):
        self.times |= other.times

    def result(self):
        return dict(self.times)


def test_what_cannot_be_sent_is_said(pool):
    net = cw.bind(network().module, input_shape=(3, 12, 12), preprocess=lambda picture: torch.zeros(3, 12, 12))
    with pytest.raises(
        TypeError, match=r"cannot be sent to another process .*lambdas .* define it in a file, or use threads"
    ):
        scan(net, Pictures(), [Confusion()], executor=pool)


def test_an_error_on_a_worker_is_raised_here(pool):
    data = [(Pictures()[i][0], 9) for i in range(5)]
    for executor in (None, pool, ThreadPoolExecutor(1)):
        with pytest.raises(ValueError, match="picture 0 has the label 9: the network has 4 classes"):
            scan(network(), data, [Confusion()], executor=executor)


def test_forks_of_a_process_with_threads_are_refused_because_they_hang():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with (
            ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as executor,
            pytest.raises(ValueError, match="forks hang once torch has computed with several threads here: give"),
        ):
            scan(network(), Pictures(), [], executor=executor)
    finally:
        torch.set_num_threads(before)


def test_a_pool_that_dies_leaves_a_checkpoint_from_which_to_go_on(tmp_path):
    net = network()
    spawn = multiprocessing.get_context("spawn")
    run = {"batch_size": 4, "checkpoint": tmp_path / "run"}
    data = Deadly(tmp_path / "note")
    with (
        ProcessPoolExecutor(1, mp_context=spawn) as executor,
        pytest.raises(BrokenExecutor, match=r"died after \d+ of 50 pictures: run it again to go on from the checkpoint"),
    ):
        scan(net, data, reducers(net), executor=executor, **run)
    assert (tmp_path / "run").exists()
    assert bits(scan(net, data, reducers(net), **run)) == bits(scan(net, Slow(), reducers(net), batch_size=4))


# progress, cancelling


@pytest.mark.parametrize("kind", ["here", "threads"])
def test_updates_tell_what_is_done_and_how_fast(kind, monkeypatch):
    monkeypatch.setattr(sys.modules["cnnwidgets.methods.scan"], "UPDATES", 0.0)
    net, told = network(), []
    with ThreadPoolExecutor(2) as threads:
        executor = threads if kind == "threads" else None
        options = {"batch_size": 8, "executor": executor, "on_update": lambda *update: told.append(update)}
        last = scan(net, Slow(), reducers(net), **options)
    fractions = [done for _, done in told]
    assert fractions == [n / 50 for n in (8, 16, 24, 32, 40, 48, 50)]
    for partial, done in told:
        assert partial.done == done
        assert partial.seen == len(partial.results["vectors"]) == sum(i < 50 * done for i in FINE)
        assert 0 < partial.rate < 100 * (2 if executor else 1)  # every item takes 10 ms
        assert partial.remaining == pytest.approx((1 - done) * 50 / partial.rate)
    assert bits(told[-1][0]) == bits(last)


@pytest.mark.parametrize("kind", ["here", "workers", "threads"])
def test_cancelling_at_any_moment_leaves_no_trace_and_an_honest_part(kind, tmp_path):
    net = cw.bind(network().module.train(), input_shape=(3, 12, 12))
    full = scan(net, Bad(), reducers(net), batch_size=8)
    counts = set()
    for ask in range(0, 40, 8 if kind == "workers" else 1):
        with ThreadPoolExecutor(2) as threads:
            options = {"executor": threads} if kind == "threads" else {"workers": kind == "workers"}
            try:
                with unchanged(net.module):
                    scan(net, Bad(), reducers(net), batch_size=8, cancel=CancelAt(ask), **options)
            except cw.Cancelled as cancelled:
                partial = cancelled.partial
            else:
                break
        counts.add(partial.seen if partial else 0)
        if partial:
            assert [i for i, _ in partial.skipped] == [i for i in Bad.indices if i < partial.done * 50]
            rows = partial.results["vectors"]
            np.testing.assert_array_equal(rows, full.results["vectors"][: len(rows)])
            assert partial.results["confusion"].counts.sum() == partial.seen == len(rows)
            assert partial.remaining > 0
    assert len(counts) > 3 or kind == "workers"


def test_cancelling_waits_for_threads_that_have_the_network():
    def slow(self, x):
        time.sleep(0.1)
        return self.last(x.flatten(1))

    net = cw.bind(Function(slow, last=nn.Linear(432, 4)).train(), input_shape=(3, 12, 12))
    cancel = threading.Event()
    threading.Timer(0.15, cancel.set).start()
    with ThreadPoolExecutor(2) as executor, unchanged(net.module), pytest.raises(cw.Cancelled):
        scan(net, Pictures(), [Answers()], batch_size=5, executor=executor, cancel=cancel)


def test_cancelled_at_once_nothing_is_loaded():
    with pytest.raises(cw.Cancelled) as cancelled:
        scan(network(), [lambda: 1 / 0], [Confusion()], cancel=CancelAt(0))
    assert cancelled.value.partial is None


# leaving no trace


def test_the_network_and_the_generators_are_left_as_they_are():
    net = cw.bind(Residual().train(), input_shape=(3, 12, 12))
    with unchanged(net.module):
        scan(net, Drawing(), [Keep5("bn1")])
        scan(net, Drawing(), [Keep5("bn1")], workers=1)
    with unchanged(net.module), pytest.raises(RuntimeError, match="on purpose"):
        scan(net, Drawing(), [Broken()])


class Keep5(Keep):
    def __init__(self, layer):
        super().__init__()
        self.layers = [layer]


class Broken(Keep):
    layers = ()

    def update(self, batch):
        raise RuntimeError("on purpose")


# what is given


class Stream(torch.utils.data.IterableDataset):
    def __iter__(self):
        yield from (Pictures()[i] for i in range(3))

    def __len__(self):
        return 3


@pytest.mark.parametrize(
    "data, options, error, sentence",
    [
        (Stream(), {}, TypeError, "expected a data set with a length and numbered items, .* got Stream"),
        ({"a": 1}, {}, TypeError, "got a dict"),
        (torch.utils.data.DataLoader(Pictures()), {}, TypeError, "got a DataLoader: give its data set, loader.dataset"),
        (iter([1]), {}, TypeError, "got list_iterator"),
        ([], {}, ValueError, "expected pictures to scan, got none: the data set is empty"),
        (Pictures(), {"indices": []}, ValueError, "expected pictures to scan, got none: indices is empty"),
        (Pictures(), {"indices": [0, -51]}, IndexError, "there is no item -51: the data set has 50, numbered from 0"),
        (Pictures(), {"indices": [0.5]}, TypeError, "indices are float64: expected whole numbers"),
        (Pictures(), {"indices": np.ones(50, bool)}, TypeError, "indices are bool: .* np.flatnonzero"),
        (Pictures(), {"indices": 3}, TypeError, "indices are a single number: expected a list"),
        (Pictures(), {"batch_size": 0}, ValueError, "batch_size is 0; expected a whole number of at least 1"),
        (Pictures(), {"workers": -1}, ValueError, "workers is -1"),
        (Pictures(), {"workers": 2, "executor": ThreadPoolExecutor(1)}, ValueError, "workers= load for a scan without"),
        (Pictures(), {"executor": 4}, TypeError, "executor is a int; expected a concurrent.futures.Executor"),
        (
            [None, 3],
            {},
            ValueError,
            "none of the 2 pictures can be used; the first, 0: TypeError: NoneType is not a picture",
        ),
    ],
)
def test_what_cannot_be_scanned_is_said(data, options, error, sentence):
    with pytest.raises(error, match=sentence):
        scan(network(), data, [Confusion()], **options)


def test_one_picture():
    result = scan(network(), [Pictures()[0]], [Confusion()])
    assert result.results[0].counts.sum() == result.seen == 1


def test_a_layer_that_is_not_there_is_said_before_anything_runs():
    with pytest.raises(KeyError, match="no layer 'conv9'"):
        scan(network(), Pictures(), [Keep5("conv9")])


class Alone:
    """Says that it runs the network itself."""

    runs_itself = True

    def __init__(self):
        self.batches = 0

    def update(self, batch):
        assert batch.scores is None and batch.outputs == {}
        self.batches = len(batch.inputs)

    def merge(self, other):
        self.batches += other.batches

    def result(self):
        return self.batches


def test_the_network_is_not_run_where_all_reducers_do_that_themselves():
    net, calls = network(), []
    net.module.register_forward_hook(lambda *_: calls.append(1))
    _ = net.takes_batches(), net.output  # which it is asked for first
    calls.clear()
    scan(net, Pictures(20), [Alone()], batch_size=5)
    assert not calls
    scan(net, Pictures(20), [Confusion()], batch_size=5)
    assert len(calls) == 4
