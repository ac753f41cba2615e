"""Where a change reaches is where torch's own operations show it, and groups are no dearer than all together."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cnnwidgets.net.incremental.geometry import Slide, around, split, tidy


def conv(row, kernel, stride, padding, dilation):
    return F.conv1d(row, torch.ones(1, 1, kernel, dtype=row.dtype), None, stride, padding, dilation)


def pool(row, kernel, stride, padding, dilation):
    return F.max_pool1d(row, kernel, stride, padding, dilation)


def pool_to_the_end(row, kernel, stride, padding, dilation):
    return F.max_pool1d(row, kernel, stride, padding, dilation, ceil_mode=True)


@settings(max_examples=400, deadline=None)
@given(
    operation=st.sampled_from([conv, pool, pool_to_the_end]),
    size=st.integers(1, 16),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 4),
    padding=st.integers(0, 4),
    dilation=st.integers(1, 3),
)
def test_a_change_reaches_the_outputs_that_change(operation, size, kernel, stride, padding, dilation):
    if operation is not conv:
        padding = min(padding, kernel // 2)
    assume(size + 2 * padding >= (kernel - 1) * dilation + 1)
    out = operation(torch.zeros(1, 1, size), kernel, stride, padding, dilation).shape[2]
    slide = Slide(kernel, stride, padding, dilation, size, out)
    places = [(first, end) for first in range(size) for end in range(first, size + 1)]
    first, end = slide.reach(tuple(np.array(places).T))
    for (one, other), begin, stop in zip(places, first, end, strict=True):
        row = torch.zeros(1, 1, size)
        row[..., one:other] = 1
        changed = np.flatnonzero(operation(row, kernel, stride, padding, dilation)[0, 0].numpy() > 0)
        if not len(changed):
            # nothing, or an interval that lies between what dilated or long strides look at
            assert begin >= stop or dilation > 1
        else:
            assert begin <= changed[0]
            assert changed[-1] < stop
            if dilation == 1:
                assert (begin, stop) == (changed[0], changed[-1] + 1)
    assert slide.seen(out) == size + slide.padding + slide.after


def test_nothing_and_an_interval_are_the_interval():
    nothing, rows = tidy((np.array([3]), np.array([3]))), (np.array([1]), np.array([2]))
    assert [int(part[0]) for part in around([nothing, rows])] == [1, 2]
    first, end = around([nothing, nothing])
    assert first[0] >= end[0]
    assert Slide(3, 1, 1, 1, 5, 5).reach(nothing)[0] >= Slide(3, 1, 1, 1, 5, 5).reach(nothing)[1]


def cost(groups, sizes, toll):
    return sum(len(group) * sizes[:, group].max(1).sum() + toll for group in groups)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_groups_hold_each_position_once_and_are_no_dearer_than_all_together(data):
    maps, count, stride = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 20)), data.draw(st.integers(1, 3))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    first = rng.integers(0, 20, (maps, count))
    changed = first, first + rng.integers(-1, 12, (maps, count))
    weights, toll = rng.uniform(0, 3, maps), data.draw(st.sampled_from([0.0, 1.0, 50.0, 1e6]))
    groups = split(changed, weights, toll, np.arange(count) * stride)
    assert sorted(np.concatenate(groups)) == list(range(count))
    sizes = np.maximum(changed[1] - changed[0], 0) * weights[:, None]
    together = cost([np.arange(count)], sizes, toll)
    assert cost(groups, sizes, toll) <= together * (1 + 1e-9)
    if toll == 1e6:
        assert len(groups) == 1


def test_positions_that_fall_alike_on_a_coarse_map_are_grouped():
    places = np.arange(16)
    slide = Slide(kernel=2, stride=2, padding=0, dilation=1, size=32, out=16)
    first, end = slide.reach((places, places + 2))
    groups = split((first[None], end[None]), np.ones(1), 0.5, places)
    assert [group.tolist() for group in groups] == [list(range(0, 16, 2)), list(range(1, 16, 2))]
