"""An occlusion map while it fills: updates, cancelling, errors, scarce memory; the network is as it was each time."""

from __future__ import annotations

from importlib import import_module
from itertools import pairwise

import numpy as np
import pytest
import torch.nn.functional as F
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods import occlusion
from cnnwidgets.methods.occlusion_order import slabs
from tests.methods.small import bound, picture, small
from tests.net.brute_force import lively
from tests.net.networks import CancelAt, Function, unchanged

WATCHED = [{"score": "probability"}, {"score": "logit"}, {"unit": ("4", 3)}, {"unit": ("4", 3, 1, 2)}]

# cancelling, progress


@pytest.fixture
def small_batches(monkeypatch):
    """Many steps, an update after each of them."""
    module = import_module("cnnwidgets.methods.occlusion")  # the package's attribute of this name is the function
    monkeypatch.setattr(module, "UPDATES", 0.0)
    monkeypatch.setattr("cnnwidgets.methods.occlusion_order.FEWEST", 5)
    monkeypatch.setattr("cnnwidgets.net.incremental.scorer.BATCH", 5)


@pytest.mark.parametrize("watched", WATCHED, ids=str)
@pytest.mark.parametrize("told", [False, True])
def test_cancelling_at_any_moment_leaves_no_trace_and_an_honest_part(told, watched, small_batches):
    net = bound()
    net.module.train()
    options = {"patch": 3, "stride": 1, **watched}
    on_update = (lambda result, done: None) if told else None
    full = occlusion(net, picture(), **options)
    parts = 0
    for ask in range(100):
        try:
            with unchanged(net.module):
                last = occlusion(net, picture(), **options, cancel=CancelAt(ask), on_update=on_update)
        except cw.Cancelled as cancelled:
            partial = cancelled.partial
        else:
            break
        if partial is None:
            continue
        parts += 1
        known = partial.known
        np.testing.assert_allclose(partial.values[known], full.values[known], atol=1e-5)
        np.testing.assert_array_equal(partial.top[known], full.top[known])
        assert (partial.classes[~known] == -1).all()
        assert partial.passes == known.sum() > 0
        assert partial.exact == known.all()
        assert partial.values.shape == full.values.shape
        assert np.isfinite(partial.values).all()
        assert (partial.remaining > 0) == (not known.all())
    assert parts > 5
    assert last.exact
    np.testing.assert_allclose(last.values, full.values, atol=1e-5)


def test_cancelled_at_once_nothing_runs():
    net = bound()
    with pytest.raises(cw.Cancelled) as cancelled:
        occlusion(net, picture(), cancel=CancelAt(0))
    assert cancelled.value.partial is None


@pytest.mark.parametrize("watched", WATCHED, ids=str)
def test_the_map_fills_up_to_the_same_map(watched, small_batches):
    net, seen = bound(), []
    direct = occlusion(net, picture(), patch=3, stride=1, **watched)
    with unchanged(net.module):
        last = occlusion(net, picture(), patch=3, stride=1, **watched, on_update=lambda *update: seen.append(update))
    np.testing.assert_allclose(last.values, direct.values, atol=1e-5)
    np.testing.assert_array_equal(last.estimate, direct.estimate)
    np.testing.assert_array_equal(last.top, direct.top)
    assert direct.exact
    assert last.exact
    assert last.passes == direct.passes == 100
    assert last.remaining == direct.remaining == 0
    (first, done), *others = seen
    assert done == 0
    assert not first.known.any()
    assert first.passes == 0
    assert (first.top == -1).all()
    np.testing.assert_array_equal(first.values, first.estimate)
    assert first.remaining > 0
    fractions = [done for _, done in seen]
    assert fractions == sorted(set(fractions))
    assert fractions[-1] == 1
    assert len(others) > 5
    for result, done in others:
        assert done == pytest.approx(result.known.mean())
        np.testing.assert_allclose(result.values[result.known], direct.values[result.known], atol=1e-5)
    ends = np.cumsum(list(slabs(first.estimate)), 0).astype(bool)
    for result, _ in others:  # the order is that of the estimate, whatever the values are
        assert any(
            (result.known >= begun).all() and (result.known <= end).all() for begun, end in pairwise([0 * ends[0], *ends])
        )


def test_an_error_in_between_leaves_no_trace():
    net = bound()
    net.module.train()

    def broken(result, done):
        raise KeyError("told")

    with unchanged(net.module), pytest.raises(KeyError):
        occlusion(net, picture(), on_update=broken)
    for watched in WATCHED:
        with unchanged(net.module):
            occlusion(net, picture(), **watched, on_update=lambda *update: None)


def test_one_position_is_one_of_the_map():
    net = bound()
    options = {
        "patch": (4, 3),
        "stride": (2, 1),
        "fill": "noise",
        "shape": "ellipse",
        "score": "logit",
        "region": None,
        "seed": 3,
    }
    here = cw.methods.Occlusion(net, picture(), 1, **options)
    full = here.map()
    answer = here.at(int(full.ys[2]), int(full.xs[5]))
    assert answer.value == pytest.approx(full.values[2, 5], abs=1e-5)
    np.testing.assert_array_equal(answer.classes, full.classes[2, 5])
    assert here.at(3, 1).value != here.at(1, 3).value  # anywhere, on the grid or off it
    assert here.covered(0, 0).shape == (12, 12, 3)


def test_only_positions_with_their_center_in_the_region():
    full, part = (occlusion(bound(), picture(), patch=3, stride=1, region=region) for region in (None, (2, 4, 5, 3)))
    assert part.ys.tolist() == [1, 2, 3, 4, 5]
    assert part.xs.tolist() == [3, 4, 5]
    np.testing.assert_allclose(part.values, full.values[1:6, 3:6], atol=1e-6)
    np.testing.assert_allclose(part.estimate, full.estimate[1:6, 3:6], atol=1e-6)
    outside = part.per_pixel().copy()
    outside[1:8, 3:8] = 0
    assert (outside == 0).all()


# memory


def scarce(monkeypatch):
    """A machine whose memory allows three pictures at once."""
    real = F.conv2d

    def conv2d(x, *args, **kwargs):
        if len(x) > 3:
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes.")
        return real(x, *args, **kwargs)

    monkeypatch.setattr(F, "conv2d", conv2d)


def attentive():
    def forward(self, x):
        x = F.group_norm(self.conv(x), 2)
        return self.head(self.second(x).amax((2, 3)))

    return lively(Function(forward, conv=nn.Conv2d(3, 4, 3), second=nn.Conv2d(4, 4, 3), head=nn.Linear(4, 3)))


def overwriting():
    def forward(self, x):
        x = self.conv(x)
        x[:, :2].relu_()
        return self.head(self.second(x).amax((2, 3)))

    return lively(Function(forward, conv=nn.Conv2d(3, 4, 3), second=nn.Conv2d(4, 4, 3), head=nn.Linear(4, 3)))


@pytest.mark.parametrize(
    "build, how", [(small, "exact windows in 2 of 2"), (attentive, "exact windows in 1 of 2"), (overwriting, "plain batch")]
)
def test_scarce_memory_changes_nothing_but_the_time(build, how, monkeypatch):
    net = cw.bind(build(), input_shape=(3, 12, 12))
    options = {"patch": 3, "stride": 1, "score": "logit", "target": 1}
    wanted = occlusion(net, picture(), **options)
    assert wanted.how.startswith(how)
    np.testing.assert_allclose(occlusion(net, picture(), **options, max_memory=1).values, wanted.values, atol=1e-5)
    scarce(monkeypatch)
    with unchanged(net.module):
        found = occlusion(net, picture(), **options)
    assert found.how == wanted.how
    np.testing.assert_allclose(found.values, wanted.values, atol=1e-5)
