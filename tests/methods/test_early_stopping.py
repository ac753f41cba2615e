"""Early stopping, live or afterwards: it ends at the first epoch whose last few are no better than what was before them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnwidgets.methods import Patience, Stop, early_stopping

nan, inf = math.nan, math.inf


@pytest.mark.parametrize(
    "losses, patience, stop",
    [
        ([1.0, 0.5, 0.6, 0.7, 0.4], 2, Stop(3, True, 1, 0.5, 4, 0.4, 1)),
        ([1.0, 0.5, 0.6, 0.7, 0.4], 3, Stop(4, False, 4, 0.4, 4, 0.4, 0)),
        ([1.0, 0.5, 0.6, 0.7, 0.4], 1, Stop(2, True, 1, 0.5, 4, 0.4, 2)),
        ([3.0, 2.0, 1.0], 1, Stop(2, False, 2, 1.0, 2, 1.0, 0)),
        ([1.0, 1.0, 1.0], 1, Stop(1, True, 0, 1.0, 0, 1.0, 1)),
        ([2.0], 1, Stop(0, False, 0, 2.0, 0, 2.0, 0)),
        ([2.0, nan, 1.0], 1, Stop(1, True, 0, 2.0, 2, 1.0, 1)),
        ([2.0, nan, 1.0], 2, Stop(2, False, 2, 1.0, 2, 1.0, 0)),
        ([nan, nan, nan, 1.0], 2, Stop(1, True, -1, inf, 3, 1.0, 2)),
        ([inf, 1.0, 2.0], 2, Stop(2, False, 1, 1.0, 1, 1.0, 0)),
    ],
)  # fmt: skip
def test_examples_by_hand(losses, patience, stop):
    assert early_stopping(losses, patience) == stop
    assert early_stopping(np.array(losses), patience) == stop


def test_losses_that_are_not_finite_are_counted_in_a_second_line():
    finding, fact = early_stopping([2.0, nan, 1.0, inf], 3).summary.split("\n")
    assert finding == "Never stops within these 4 epochs; keeps epoch 3 (loss 1)."
    assert fact == "2 of the 4 losses are NaN or infinite, which is no improvement"
    assert early_stopping([2.0, nan, 1.0], 3).summary.endswith(
        "\n1 of the 3 losses is NaN or infinite, which is no improvement"
    )
    assert "\n" not in early_stopping([2.0, 1.0], 3).summary


def test_a_small_step_down_counts_only_if_it_is_larger_than_min_delta():
    losses = [1.0, 0.75, 0.5, 0.25]
    assert not early_stopping(losses, 1, 0.2).stopped
    assert early_stopping(losses, 1, 0.25) == Stop(1, True, 0, 1.0, 3, 0.25, 2)
    assert early_stopping(losses, 2, 0.25) == Stop(3, False, 2, 0.5, 3, 0.25, 0)  # 0.5 is better than 1 by more


def test_the_cost_is_what_a_longer_training_would_have_reached():
    assert early_stopping([1.0, 0.5, 0.75, 0.25], 1).cost == 0.25
    assert early_stopping([1.0, 0.5, 0.75], 1).cost == 0
    assert early_stopping([nan, nan, nan], 1).cost == 0


@given(
    st.lists(st.integers(0, 8).map(lambda n: n / 8) | st.just(nan), min_size=1, max_size=30),
    st.integers(1, 6),
    st.integers(0, 3).map(lambda n: n / 8),
)
@settings(max_examples=300, deadline=None)
def test_it_stops_at_the_first_epoch_whose_last_ones_are_no_better(losses, patience, delta):
    """Written without a state: the best before is what counted as better by then."""

    def best(record):
        found = inf
        for loss in record:
            found = loss if loss < found - delta else found
        return found

    def is_over(epoch):
        before, last = losses[: epoch + 1 - patience], losses[max(0, epoch + 1 - patience) : epoch + 1]
        return epoch + 1 >= patience and not any(loss < best(before) - delta for loss in last)

    over = [epoch for epoch in range(len(losses)) if is_over(epoch)]
    found = early_stopping(losses, patience, delta)
    assert (found.stopped, found.epoch) == ((True, over[0]) if over else (False, len(losses) - 1))
    assert found.best == best(losses[: found.epoch + 1])
    assert found.saved == len(losses) - 1 - found.epoch
    assert found.best_epoch == (losses.index(found.best) if found.best < inf else -1) or delta
    assert found.cost >= 0 or delta


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.integers(1, 5))
@settings(max_examples=50, deadline=None)
def test_live_and_afterwards_are_the_same(losses, patience):
    live = Patience(patience)
    over = next((epoch for epoch, loss in enumerate(losses) if live.is_over(loss)), None)
    found = early_stopping(losses, patience)
    assert (over is not None) == found.stopped
    assert (live.best, live.best_epoch) == (found.best, found.best_epoch)
    assert over is None or over == found.epoch == live.best_epoch + patience


@pytest.mark.parametrize("patience", [0, -1, 1.5, 2.0, "3", None, True, nan])
def test_patience_is_a_whole_number(patience):
    with pytest.raises(ValueError, match=rf"patience is {patience!r}; expected a whole number of at least 1"):
        early_stopping([1.0], patience)


@pytest.mark.parametrize("delta", [-0.1, nan, inf])
def test_min_delta_is_a_number_of_at_least_0(delta):
    with pytest.raises(ValueError, match=rf"min_delta is {delta!r}; expected a number of at least 0"):
        Patience(1, delta)


@pytest.mark.parametrize("losses", [[], 3.0, [[1.0]]])
def test_losses_are_a_list(losses):
    with pytest.raises(ValueError, match=r"losses has shape \(.*\); expected a list of at least one number"):
        early_stopping(losses, 1)


@given(
    st.lists(st.floats(0, 1) | st.sampled_from([nan, inf]), min_size=1, max_size=12), st.integers(1, 4), st.floats(0, 0.5)
)
@settings(max_examples=100, deadline=None)
def test_the_code_stops_where_the_method_does(losses, patience, delta):
    found, space = early_stopping(losses, patience, delta), {}
    exec(found.code(), space)
    assert space["values"] == [found.epoch if found.stopped else None, found.best_epoch]


@pytest.mark.parametrize(
    "losses, summary",
    [
        ([2.0, 1.0], "Never stops within these 2 epochs; keeps epoch 2 (loss 1)."),
        ([1.0, 2.0, 0.75], "Stops after epoch 2 and keeps epoch 1 (loss 1). Saves 1 epoch, misses 0.75 in epoch 3."),
        ([1.0, 2.0, 3.0, 4.0], "Stops after epoch 2 and keeps epoch 1 (loss 1). Saves 2 epochs, misses nothing."),
        ([1.0, 2.0], "Stops after epoch 2 and keeps epoch 1 (loss 1). Saves no epoch, misses nothing."),
    ],
)
def test_the_summary_counts_epochs_from_1(losses, summary):
    assert early_stopping(losses, 1).summary == summary
    none = early_stopping([nan, nan], 1).summary
    assert none == "No validation loss is a number: stops after epoch 1."
