"""The range test is a lecture's loop under an ExponentialLR, to the last bit, and ends where the loss explodes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.optim import SGD, lr_scheduler

from cnnwidgets.methods import RangeTest, Task, lr_finder, task
from cnnwidgets.net import Cancelled
from cnnwidgets.numbers import number
from tests.methods.learning import Net, lecture, loader, net, others, record
from tests.net.networks import CancelAt


def own(model=None, **options) -> Task:
    return Task(model or net(), loader(**options), others())


@pytest.mark.parametrize("model", [net(), Net])
def test_rates_and_losses_are_those_of_a_lectures_loop(model):
    found = lr_finder(own(model), low=1e-4, high=0.5, steps=40, momentum=0.8, weight_decay=0.01, seed=6)
    torch.manual_seed(6)
    mine = Net() if model is Net else net()
    optimizer = SGD(mine.parameters(), lr=1e-4, momentum=0.8, weight_decay=0.01)
    scheduler = lr_scheduler.ExponentialLR(optimizer, (0.5 / 1e-4) ** (1 / 39))
    log = [step for _ in range(14) for step in lecture(mine, loader(), optimizer, scheduler)][:40]
    assert found.loss.tolist() == [step[0] for step in log]
    assert found.lr.tolist() == [step[2][0] for step in log]
    np.testing.assert_allclose(found.lr, np.geomspace(1e-4, 0.5, 40), rtol=1e-12)
    assert found.ended == "All 40 steps ran."


@pytest.mark.parametrize("high", [0.1, 500.0])
def test_the_code_gives_the_losses_again(high):
    """With the network's own loss of an explosion, too, after which the test ends early."""
    mine = own()
    found = lr_finder(mine, steps=30, high=high, momentum=0.5, seed=2)
    space = {"own": mine}
    exec(found.code(mine).replace("cw.methods.Task(model, loader, loader)  # yours", "own"), space)
    assert space["values"] == found.loss.tolist()
    assert space["rates"] == found.lr.tolist()


def test_the_code_of_a_sample_writes_every_line_out():
    found = lr_finder(task("digits"), steps=10, high=0.01)
    code, space = found.code("digits"), {}
    assert "cw.methods.train" not in code and "yours" not in code
    exec(code, space)
    assert space["values"] == found.loss.tolist()


def test_the_same_seed_gives_the_same_losses_and_another_others():
    one, again, other = (lr_finder(own(), steps=20, high=0.1, seed=seed).loss.tolist() for seed in (0, 0, 1))
    assert one == again != other


def test_smoothing_is_a_mean_over_the_steps_around_by_a_bell_curve():
    found = lr_finder(own(), steps=30, high=0.1)
    weights = np.exp(-0.5 * (np.arange(-8, 9) / 2) ** 2)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(found.loss, 8, mode="edge"), 17)
    np.testing.assert_allclose(found.smoothed, around @ weights / weights.sum(), rtol=1e-12)


def test_on_digits_a_rate_is_suggested_at_which_lenet5_learns_and_the_test_ends_early():
    digits = task("digits")
    found = lr_finder(digits, steps=100, seed=1)
    assert 1e-3 < found.suggested < 1
    assert len(found.lr) < 100
    assert found.ended.startswith("Ended early: the loss reached ")
    assert f"at a rate of {number(found.lr[-1], 2)}." in found.ended
    assert found.lr[found.steepest] == found.suggested < found.lr[found.lowest]
    bottom = float(found.lr[found.lowest])
    assert found.why == (
        f"Steepest fall at {number(found.suggested, 2)}. Lowest loss at {number(bottom, 2)}; "
        f"a tenth of that, {number(bottom / 10, 2)}, is a safe choice."
    )
    assert found.named == {"steepest": found.suggested, "lowest loss": bottom, "safe choice": bottom / 10}
    assert [*found.named.values()] == sorted(found.named.values())
    assert found.steep[0] <= found.suggested <= found.steep[1] < found.lr[-1]


def by_hand(losses) -> RangeTest:
    return RangeTest(np.geomspace(1e-4, 1, len(losses)), np.array(losses), np.array(losses, float), "")


def test_the_steepest_step_is_that_of_the_largest_fall_by_the_logarithm_of_the_rate():
    losses = [3.0] * 10 + [2.9, 2.0, 1.1, 1.0, 0.9, 1.5, 9.0]
    found = by_hand(losses)
    assert (found.lowest, found.steepest) == (14, 11)
    assert found.suggested == found.lr[11]


def test_where_nothing_falls_no_rate_is_suggested():
    for losses in ([2.0] * 20, list(range(1, 21)), [1.0]):
        found = by_hand(losses)
        assert found.steepest is None
        assert math.isnan(found.suggested)
        assert found.why == "No rate can be suggested: the loss does not fall at any rate tried."


class Deaf(torch.nn.Module):
    """Its weight changes nothing that it says."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return torch.zeros(len(x), 2) + 0 * self.weight


class NoNumber(Deaf):
    def forward(self, x):
        return super().forward(x) + math.nan * self.weight


def test_a_network_that_cannot_learn_is_said_to():
    found = lr_finder(own(Deaf()), steps=20)
    assert len(found.lr) == 20
    assert found.why.startswith("No rate can be suggested")
    assert math.isnan(found.suggested)


def test_a_loss_that_is_no_number_ends_the_test_at_its_first_step():
    found = lr_finder(own(NoNumber()), steps=20)
    assert len(found.lr) == 1
    assert found.ended == "Ended early: the loss reached NaN at a rate of 1×10⁻⁵."
    assert math.isnan(found.suggested)


def test_it_ends_where_the_smoothed_loss_is_four_times_its_lowest():
    found = lr_finder(own(), steps=60, low=1e-3, high=1e6)
    assert len(found.lr) < 60
    over = found.smoothed > 4 * np.minimum.accumulate(found.smoothed)
    assert not over[:-1].any()
    assert over[-1] or not np.isfinite(found.loss[-1])


@pytest.mark.parametrize("high", [0.1, 1e6])
def test_nothing_is_changed_by_it(high):
    generator = torch.Generator().manual_seed(4)
    model = net().eval()
    model[1].weight.grad = torch.ones(5, 4)
    mine = Task(model, loader(generator=generator), others())
    before, states = record(model), (generator.get_state(), torch.get_rng_state())
    lr_finder(mine, steps=20, high=high)
    with pytest.raises(Cancelled):
        lr_finder(mine, steps=20, cancel=CancelAt(1))
    assert record(model) == before
    assert torch.equal(generator.get_state(), states[0])
    assert torch.equal(torch.get_rng_state(), states[1])


def test_updates_are_parts_of_the_whole():
    told = []
    whole = lr_finder(own(), steps=23, high=0.1, on_update=lambda *update: told.append(update))
    assert [fraction for _, fraction in told] == [5 / 23, 10 / 23, 15 / 23, 20 / 23, 1]
    for partial, fraction in told:
        assert partial.loss.tolist() == whole.loss[: round(23 * fraction)].tolist()
        assert partial.ended == ""


@pytest.mark.parametrize("ask", range(4))
def test_cancelling_leaves_the_part_that_was_made(ask):
    whole = lr_finder(own(), steps=20, high=0.1)
    with pytest.raises(Cancelled) as caught:
        lr_finder(own(), steps=20, high=0.1, cancel=CancelAt(ask))
    part = caught.value.partial
    if not ask:
        assert part is None
    else:
        assert part.loss.tolist() == whole.loss[: 5 * ask].tolist()
        assert part.ended == "Cancelled."


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"low": 0}, "the rates go from 0 to 10.0; they must be above 0 and rise"),
        ({"low": 1, "high": 1}, "the rates go from 1 to 1"),
        ({"low": 1, "high": 0.1}, "the rates go from 1 to 0.1"),
        ({"low": math.nan}, "the rates go from nan"),
        ({"high": math.inf}, "to inf"),
        ({"steps": 9}, "steps is 9; the test needs at least 10"),
        ({"steps": 0}, "steps is 0; expected a whole number"),
        ({"steps": 20.0}, "steps is 20.0; expected a whole number"),
    ],
)
def test_what_is_wrong_is_said(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        lr_finder(own(), **options)


def test_a_loader_that_gives_nothing_is_said():
    with pytest.raises(ValueError, match="the training loader gives no batch in epoch 0"):
        lr_finder(Task(net(), iter([]), others()))
    with pytest.raises(ValueError, match="the training loader gives no batch in epoch 1"):
        lr_finder(Task(net(), iter([*loader()]), others()))
