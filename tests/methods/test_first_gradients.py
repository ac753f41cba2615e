"""The gradients of the first step, by depth: torch's own, a chain's closed form, and a race that they leave as it was."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import cnnwidgets as cw
from cnnwidgets.methods import Task, first_gradients, race, recorded_race
from cnnwidgets.methods.race_runs import plans_of
from cnnwidgets.methods.training_run import TrainingRun
from cnnwidgets.net import Cancelled


def data(count=24, shuffle=True, generator=None):
    draw = torch.Generator().manual_seed(0)
    pictures = torch.randn(count, 1, 6, 6, generator=draw)
    return DataLoader(TensorDataset(pictures, (pictures.mean((1, 2, 3)) > 0).long()), 8, shuffle, generator=generator)


class Backward(nn.Module):
    """A network that has its layers in another order than it calls them in."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3 * 16, 2)
        self.never = nn.Linear(2, 2)
        self.norm = nn.BatchNorm2d(3)
        self.second = nn.Conv2d(2, 3, 2)
        self.first = nn.Conv2d(1, 2, 2)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        return self.head(self.dropout(self.norm(self.second(self.first(x).relu())).relu()).flatten(1))


def plain():
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 2))


def task(model=plain, **more):
    return Task(model, data(), data(shuffle=False), **more)


def specs(*models, **more):
    return [{"lr": 0.1, "model": model, "name": f"net {k}", **more} for k, model in enumerate(models)]


def test_they_are_what_torch_gives_in_the_order_in_which_layers_are_called():
    found = first_gradients(task(), specs(Backward), seed=3)
    torch.manual_seed(3)
    network = Backward().train()
    images, labels = next(iter(data()))
    F.cross_entropy(network(images), labels).backward()
    expected = [getattr(network, name).weight.grad.norm().item() for name in ("first", "second", "head")]
    assert found.layers == (("first", "second", "head"),)
    np.testing.assert_allclose(found.norms[0], expected, rtol=1e-6)
    assert found.ratios == pytest.approx([expected[0] / expected[2]], rel=1e-6)
    assert found.batch_norm == (True,)


@pytest.mark.parametrize("factors", [(0.5, 2.0, 3.0), (0.1,) * 5, (4.0,)])
def test_of_a_chain_of_numbers_each_has_the_product_of_all_others(factors):
    """The loss (y - t)^2 of y = w1 ... wn x has the gradient 2 (y - t) x w1 ... wn / wk by wk."""

    def chain():
        layers = [nn.Linear(1, 1, bias=False) for _ in factors]
        for layer, factor in zip(layers, factors, strict=True):
            nn.init.constant_(layer.weight, factor)
        return nn.Sequential(*layers)

    x, wanted = 1.5, 7.0
    batches = [(torch.tensor([[x]]), torch.tensor([[wanted]]))]
    found = first_gradients(Task(chain, batches, batches, nn.MSELoss()), [{"lr": 0.1, "init": "keep"}])
    y = math.prod(factors) * x
    np.testing.assert_allclose(found.norms[0], [abs(2 * (y - wanted) * y / factor) for factor in factors], rtol=1e-5)
    assert found.ratios == pytest.approx([factors[-1] / factors[0]], rel=1e-5)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"regularize": {"dropout": 0.5, "label_smoothing": 0.2}},
        {"loss": "focal", "init": "orthogonal"},
        {"tasks": {"heads": {"class": 10, "turn": 4}, "by": "project"}},
        {"data": {"size": 100, "label_noise": 0.3, "batch": 16}},
    ],
)
def test_they_are_those_of_the_first_step_of_a_run_to_the_last_bit(more):
    spec = {"lr": 0.1, "model": {"builder": "stack", "depth": 6, "stride": 4}, **more}
    digits = cw.methods.task("digits")
    found = first_gradients(digits, [spec], seed=5)
    (plan,) = plans_of(digits, [spec], 1, seeds=[5])
    run = TrainingRun(plan)
    run.train(0)
    weights = {name: weight for name, weight in run.model.named_parameters() if weight.ndim > 1}
    assert found.layers[0] == tuple(name.removesuffix(".weight") for name in weights)
    assert found.norms[0].tolist() == [weight.grad.double().norm().item() for weight in weights.values()]


def test_a_race_with_them_has_the_histories_of_races_without():
    both = race(task(), specs(Backward, plain), steps=3, seeds=[0, 4])
    assert both.gradients.names == ("net 0", "net 1")
    for model, name in ((Backward, "net 0"), (plain, "net 1")):
        alone = race(task(), [{"lr": 0.1, "model": model, "name": name}], steps=3, seeds=[0, 4])
        assert alone.gradients is None
        for one, other in zip(alone.histories, both.of(name), strict=True):
            np.testing.assert_array_equal(one.loss, other.loss)
            np.testing.assert_array_equal(one.validation_loss, other.validation_loss)


def test_they_are_of_the_first_seed_and_of_several_networks_only():
    two = race(task(), specs(plain, Backward), steps=1, seeds=[7, 8])
    np.testing.assert_array_equal(two.gradients.table, first_gradients(task(), specs(plain, Backward), seed=7).table)
    rates = [{"kind": "constant", "lr": rate, "model": plain} for rate in (0.1, 0.2)]
    assert race(task(), rates, steps=1).gradients is None
    assert race(task(), [{"lr": 0.1, "init": "zero"}, {"lr": 0.1, "init": "keep"}], steps=1, unit="batch").gradients is None


def test_they_leave_no_trace():
    model, own = plain(), torch.Generator().manual_seed(1)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(9)
    np.random.seed(9)
    generators = torch.get_rng_state(), own.get_state(), np.random.get_state()[1].copy()
    first_gradients(Task(model, data(generator=own), data()), [{"kind": "constant", "lr": 0.1}])
    assert torch.equal(torch.get_rng_state(), generators[0]) and torch.equal(own.get_state(), generators[1])
    np.testing.assert_array_equal(np.random.get_state()[1], generators[2])
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_a_weight_that_two_layers_share_is_one_layer():
    def shared():
        first, second = nn.Linear(36, 36), nn.Linear(36, 36)
        second.weight = first.weight
        return nn.Sequential(nn.Flatten(), first, second, nn.Linear(36, 2))

    assert first_gradients(task(), specs(shared)).layers == (("1", "3"),)


def test_what_is_frozen_is_left_out_and_said_where_nothing_is_left():
    class Shift(nn.Module):
        def __init__(self):
            super().__init__()
            self.shift = nn.Parameter(torch.zeros(2))

        def forward(self, x):
            return x.flatten(1)[:, :2] + self.shift

    some = first_gradients(task(), specs(plain, freeze=["0"]))
    assert some.layers == (("3",),)
    found = first_gradients(task(), specs(Shift, plain))
    assert found.layers == ((), ("0", "3")) and np.isnan(found.ratios[0])
    assert found.table.shape == (2, 2) and np.isnan(found.table[0]).all()
    assert 'No layer of "net 0" has a gradient: none has weights that train.' in found.summary.splitlines()


@pytest.mark.parametrize(
    ("value", "sentence"),
    [(0.0, 'The gradient of "net 0" is 0 in 3.'), (math.nan, 'The gradient of "net 0" is NaN in 3.')],
)
def test_a_gradient_that_is_lost_is_told_with_the_layer_that_loses_it(value, sentence):
    def lost():
        network = plain()
        for weight in network.parameters():
            nn.init.constant_(weight, value)
        return network

    told = first_gradients(task(), specs(lost, plain)).summary.splitlines()
    assert told[0].startswith("Before training, the first layer's gradient is ") and '("net 1")' in told[0]
    assert told[1:] == [sentence]


def test_of_the_depth_preset_plain_networks_explode_and_residual_ones_do_not():
    preset, bundled = cw.methods.RACES["depth"], recorded_race("depth")
    found = first_gradients(cw.methods.task(preset.task), preset.specs)
    assert found.names == bundled.gradients.names == tuple(bundled.names)
    assert found.layers == bundled.gradients.layers
    np.testing.assert_allclose(bundled.gradients.table, found.table, rtol=0.02)  # other processors round differently
    assert [len(layers) for layers in found.layers] == [8, 20, 32, 44] * 2
    plain, residual = found.ratios[:4], found.ratios[4:]
    assert (np.diff(plain) > 0).all() and plain[3] > 50 and residual.max() < 1
    assert "which He et al. (2016) exclude" in found.summary


def test_without_batch_norm_nothing_explodes_and_the_caveat_is_not_said():
    model = {"builder": "stack", "depth": 20, "stride": 4, "batch_norm": False}
    found = first_gradients(cw.methods.task("digits"), [{"lr": 0.1, "model": model}])
    assert found.batch_norm == (False,) and found.ratios[0] < 0.1
    assert "He et al." not in found.summary


@pytest.mark.parametrize("ending", ["json", "npz"])
def test_a_file_of_a_race_has_them_to_the_last_bit(tmp_path, ending):
    found = race(task(), specs(plain, Backward), steps=1)
    odd = replace(found.gradients, norms=(np.array([math.nan, math.inf]), found.gradients.norms[1]))
    path = tmp_path / f"race.{ending}"
    for gradients in (found.gradients, odd, None):
        replace(found, gradients=gradients).save(path)
        again = cw.methods.Race.load(path).gradients
        if gradients is None:
            assert again is None
            continue
        assert (again.names, again.layers, again.batch_norm) == (gradients.names, gradients.layers, gradients.batch_norm)
        np.testing.assert_array_equal(again.table, gradients.table)


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ([], ValueError, "there is no network to look at: specs is empty"),
        ({"lr": 0.1}, TypeError, "specs is {'lr': 0.1}; expected a list of specs"),
        ([{"modle": "stack"}], ValueError, "there is no kind of schedule"),
        ([{"model": "stak"}], ValueError, "Did you mean 'stack'"),
    ],
)
def test_specs_that_are_none_are_refused(given, kind, words):
    with pytest.raises(kind, match=words):
        first_gradients(task(), given)


def test_a_loader_without_a_batch_is_told():
    class Empty:
        def __iter__(self):
            return iter(())

    with pytest.raises(ValueError, match="the training loader gives no batch"):
        first_gradients(Task(plain, Empty(), data()), specs(plain))


def test_a_cancel_ends_it():
    class Set:
        def is_set(self):
            return True

    with pytest.raises(Cancelled):
        first_gradients(task(), specs(plain), cancel=Set())
