"""A monitor sees what a loop that keeps a log of its own has seen, and changes nothing."""

from __future__ import annotations

import copy
import io
import math
import threading

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import LBFGS, SGD, Adam

from cnnwidgets.methods import History, Record, monitor
from tests.methods.learning import judged, lecture, loader, net, others, pictures, record


class Functional(nn.Module):
    """Its activation functions are no modules, and the first works in place."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.third = nn.Linear(4, 6), nn.Linear(6, 5), nn.Linear(5, 2)

    def forward(self, x):
        hidden = self.first(x.flatten(1))
        F.relu(hidden, inplace=True)
        return self.third(torch.tanh(self.second(hidden)))


def functional(seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Functional()


def sgd(model, lr=0.1):
    return SGD(model.parameters(), lr=lr, momentum=0.9)


def hooks(model, optimizer) -> list:
    parts = [(len(p._forward_hooks), len(p._forward_pre_hooks)) for p in model.modules()]
    return [parts, len(optimizer._optimizer_step_pre_hooks), len(optimizer._optimizer_step_post_hooks)]


@pytest.mark.parametrize("every", [None, 1, 2])
def test_a_training_is_the_same_to_the_last_bit_and_its_log_is_found(every):
    logs, models, states = [], [], []
    for watched in (False, True):
        torch.manual_seed(5)
        model, batches = net(), loader()
        optimizer = sgd(model)
        if watched:
            with monitor(model, batches, optimizer, every=every) as m:
                logs.append([row for _ in range(2) for row in lecture(model, batches, optimizer)])
        else:
            logs.append([row for _ in range(2) for row in lecture(model, batches, optimizer)])
        models.append(record(model))
        states.append(torch.get_rng_state())
    assert models[0] == models[1]
    assert torch.equal(*states)
    assert logs[0] == logs[1]
    found = m.record
    assert found.history.loss.tolist() == [row[0] for row in logs[0]]
    np.testing.assert_allclose(found.history.accuracy, [row[1] for row in logs[0]])
    assert found.history.rates.tolist() == [[0.1] * 6]
    assert found.sizes.tolist() == [16, 16, 8] * 2
    assert found.counts.tolist() == (2 * np.bincount(pictures()[:][1])).tolist()
    assert found.samples.tolist() == {1: [0, 1, 2, 3, 4, 5], 2: [0, 2, 4], None: found.samples.tolist()}[every]
    assert found.samples[:2].tolist() == [0, 2 if every == 2 else 1]
    assert found.history.ends.tolist() == [3, 6]  # the loader's length says where epochs end


def by_criterion(model):
    return judged(model, others())


def by_comparison(model):
    model.eval()
    with torch.no_grad():
        right = sum((model(x).argmax(1) == y).sum().item() for x, y in others())
    model.train()
    return math.nan, right / 30


def with_sums(model):
    model.eval()
    with torch.inference_mode():
        losses, right = [], 0
        for x, y in others():
            scores = model(x)
            losses.append(F.cross_entropy(scores, y, reduction="sum").item())
            right += scores.argmax(1).eq(y).sum().item()
    model.train()
    return sum(losses) / 30, right / 30


def with_gradients_on(model):
    model.eval()
    found = [(F.cross_entropy(model(x), y).item() * len(y), len(y)) for x, y in others()]
    right = sum((model(x).argmax(1) == y).sum().item() for x, y in others())
    model.train()
    return sum(loss for loss, _ in found) / 30, right / 30


@pytest.mark.parametrize("validate", [by_criterion, by_comparison, with_sums, with_gradients_on])
def test_a_validation_is_recognized(validate):
    model = net()
    optimizer = sgd(model)
    with monitor(model, loader(), optimizer) as m:
        told = []
        for _ in range(2):
            lecture(model, loader(), optimizer)
            told.append(validate(model))
        lecture(model, loader(), optimizer)
    found = m.history
    assert found.ends.tolist() == [3, 6]
    np.testing.assert_allclose(found.validation_loss, [loss for loss, _ in told], rtol=1e-6)
    np.testing.assert_allclose(found.validation_accuracy, [right for _, right in told], rtol=1e-6)


def test_what_the_loop_says_counts():
    model = net()
    optimizer = sgd(model)
    with monitor(model, None, optimizer) as m:
        for k, (x, y) in enumerate(loader()):
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            if k == 0:
                m.step(7.0)
            optimizer.step()
            if k == 1:
                m.step(torch.tensor(8.0), accuracy=0.25)
        judged(model, others())
        m.validate(0.5, accuracy=0.75)
        m.epoch()
    assert m.history.loss.tolist() == [7.0, 8.0, loss.item()]
    assert m.history.accuracy[1] == 0.25
    assert m.history.ends.tolist() == [3]
    assert m.history.validation_loss.tolist() == [0.5]
    assert m.history.validation_accuracy.tolist() == [0.75]


def test_without_an_optimizer_a_step_is_what_the_loop_calls_one():
    model = net()
    with monitor(model, every=1) as m:
        for x, y in loader(shuffle=False):
            loss = F.cross_entropy(model(x), y)
            gradients = torch.autograd.grad(loss, [*model.parameters()])
            with torch.no_grad():
                for each, gradient in zip(model.parameters(), gradients, strict=True):
                    each -= 0.1 * gradient
            m.step(loss)
    assert len(m.history.loss) == 3
    assert m.history.loss[-1] == loss.item()


def test_norms_are_those_of_each_layers_gradient_weights_and_update():
    model = functional()
    optimizer = sgd(model)
    told, last = [], None
    with monitor(model, loader(), optimizer, every=1) as m:
        for x, y in loader():
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            before = {name: each.detach().clone() for name, each in model.named_parameters()}
            optimizer.step()
            now = torch.cat([each.grad.flatten() for each in model.parameters()])
            cosine = math.nan if last is None else float(F.cosine_similarity(now, last, dim=0))
            last = now
            rows = []
            for name, layer in model.named_children():
                some = [(p.grad, before[f"{name}.{n}"], p - before[f"{name}.{n}"]) for n, p in layer.named_parameters()]
                rows.append(
                    [
                        float(torch.cat([each.detach().flatten() for each in column]).norm())
                        for column in zip(*some, strict=True)
                    ]
                )
            told.append((cosine, rows))
    found = m.record
    assert found.layers == ("first", "second", "third")
    rows = np.array([rows for _, rows in told])
    for k, name in enumerate(("gradient", "weight", "update")):
        np.testing.assert_allclose(getattr(found, name), rows[:, :, k], rtol=1e-5)
    np.testing.assert_allclose(found.update_ratio, rows[:, :, 2] / rows[:, :, 1], rtol=1e-5)
    np.testing.assert_allclose(found.cosine, [cosine for cosine, _ in told], rtol=1e-4)


def test_statistics_are_those_of_what_each_call_gave_in_place_or_not():
    model = functional()
    with torch.no_grad():
        model.first.bias[2] = -100  # a dead unit
        model.second.bias[0] = 100  # a saturated one
    optimizer = sgd(model, lr=0.0)
    batches = [*loader()]
    with monitor(model, batches, optimizer, every=1) as m:
        for x, y in batches * 2:
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    found = m.record
    assert found.calls == ("first", "relu", "second", "tanh", "third")
    assert found.kinds == ("Linear", "relu", "Linear", "tanh", "Linear")
    with torch.no_grad():
        x = batches[0][0]
        first = model.first(x.flatten(1))
        second = model.second(first.relu())
        values = [first, first.relu(), second, second.tanh(), model.third(second.tanh())]
    np.testing.assert_allclose(found.mean[0], [float(each.mean()) for each in values], rtol=1e-5)
    np.testing.assert_allclose(found.deviation[0], [float(each.std(correction=0)) for each in values], rtol=1e-4)
    dead, saturated = found.dead[:, 1], found.saturated[0]
    assert np.isnan(dead[:4]).all()  # five batches in a row are needed
    assert dead[4] >= 1 / 6
    whole = torch.cat([model.first(x.flatten(1)).relu() for x, _ in batches])
    assert dead[5] == pytest.approx(float((whole == 0).all(0).float().mean()))
    assert saturated[3] == pytest.approx(float((values[3].abs() > 0.99).float().mean()))
    assert saturated[3] >= 1 / 5
    assert np.isnan(saturated[[0, 1, 2, 4]]).all()


class Odd(Exception):
    pass


@pytest.mark.parametrize("error", [Odd, KeyboardInterrupt])
@pytest.mark.parametrize("where", ["forward", "loop", "step"])
def test_nothing_is_left_behind_also_after_an_error(error, where):
    model = net()
    optimizer = sgd(model)
    before = hooks(model, optimizer)

    def fail(*_):
        raise error

    with pytest.raises(error), monitor(model, loader(), optimizer) as m:
        lecture(model, loader(), optimizer)
        if where == "forward":
            failing = model[3].register_forward_hook(fail)
        if where == "step":
            optimizer.register_step_pre_hook(fail)
        try:
            for _ in range(40):
                lecture(model, loader(), optimizer)
                if where == "loop":
                    fail()
        finally:
            if where == "forward":
                failing.remove()
            optimizer._optimizer_step_pre_hooks.pop(max(optimizer._optimizer_step_pre_hooks)) if where == "step" else None
    assert hooks(model, optimizer) == before
    assert torch.overrides._get_current_function_mode() is None
    assert len(m.history.loss) >= 3
    lecture(model, loader(), optimizer)  # it trains on


def test_a_copy_made_in_the_loop_is_no_part_of_it():
    model = net()
    optimizer = sgd(model)
    with monitor(model, loader(), optimizer) as m:
        lecture(model, loader(), optimizer)
        twin = copy.deepcopy(model)
        lecture(twin, loader(), sgd(twin))
        file = io.BytesIO()
        torch.save(model, file)
    assert len(m.history.loss) == 3
    file.seek(0)
    read = torch.load(file, weights_only=False)
    x = torch.randn(3, 1, 2, 2)
    assert torch.equal(read.eval()(x), model.eval()(x))
    assert twin(x).shape == (3, 2)


def test_another_thread_that_runs_the_network_is_not_seen():
    model = net()
    optimizer = sgd(model)

    def elsewhere():
        with torch.no_grad():
            F.cross_entropy(model(torch.randn(7, 1, 2, 2)), torch.zeros(7, dtype=torch.long))

    with monitor(model, loader(), optimizer, every=1) as m:
        lecture(model, loader(), optimizer)
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert np.isnan(m.history.validation_loss).all()
    assert len(m.history.loss) == 3


@pytest.mark.parametrize("way", ["several backwards", "one backward"])
def test_gradients_that_are_added_up_make_one_step(way):
    model = functional()
    optimizer = sgd(model)
    (x, y), (u, v), _ = loader(shuffle=False)
    with monitor(model, None, optimizer, every=1) as m:
        if way == "one backward":
            loss = F.cross_entropy(model(x), y)
            loss = loss + F.cross_entropy(model(u), v)
            loss.backward()
            told = loss.item()
        else:
            losses = [F.cross_entropy(model(a), b) / 2 for a, b in ((x, y), (u, v))]
            for loss in losses:
                loss.backward()
            told = sum(loss.item() for loss in losses)
        optimizer.step()
    found = m.record
    assert found.history.loss.tolist() == [pytest.approx(told)]
    assert found.sizes.tolist() == [32]
    assert found.labels.tolist() == [*y.tolist(), *v.tolist()]
    assert not len(found.history.ends)


def test_a_closure_belongs_to_its_step():
    model = functional()
    optimizer = LBFGS(model.parameters(), max_iter=3)
    x, y = pictures()[:]
    losses = []

    def closure():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        losses.append(loss.item())
        return loss

    with monitor(model, None, optimizer, every=1) as m:
        for _ in range(2):
            optimizer.step(closure)
    assert len(m.history.loss) == 2
    assert m.record.update.shape == (2, 3)
    assert (m.record.update[0] > 0).all()


class Breaks(nn.Module):
    """Gives NaN from a call on."""

    def __init__(self, after):
        super().__init__()
        self.first, self.second, self.calls, self.after = nn.Linear(4, 3), nn.Linear(3, 2), 0, after

    def forward(self, x):
        self.calls += 1
        hidden = torch.relu(self.first(x.flatten(1)))
        return self.second(torch.log(hidden - 1e9 if self.calls > self.after else hidden + 1))


class NoSlope(nn.Module):
    """The root of 0 has an infinite slope."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 3), nn.Linear(3, 2)

    def forward(self, x):
        return self.second(torch.sqrt(0 * self.first(x.flatten(1))))


def watched(model, batches, optimizer, **options):
    with monitor(model, batches, optimizer, **options) as m:
        for x, y in batches:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    return m.record.facts["non_finite"]


@pytest.mark.parametrize("every", [1, 1000])
def test_the_step_and_the_place_of_the_first_nan_are_told(every):
    batches = [*loader()]
    model = Breaks(after=1)
    assert watched(model, batches, sgd(model), every=every) == {"step": 1, "what": "activation", "layer": "log"}
    model = Breaks(after=0)
    assert watched(model, batches, sgd(model), every=every) == {"step": 0, "what": "activation", "layer": "log"}
    model = NoSlope()
    assert watched(model, batches, sgd(model), every=every) == {"step": 0, "what": "gradient", "layer": "first"}
    model = functional()
    broken = [batches[0], (batches[1][0] * math.nan, batches[1][1])]
    assert watched(model, broken, sgd(model), every=every) == {"step": 1, "what": "input", "layer": ""}
    model = functional()
    with torch.no_grad():
        model.second.weight[0, 0] = math.inf
    found = watched(model, batches, sgd(model), every=every)
    assert (found["step"], found["layer"]) == (0, "second")
    model = functional()
    assert watched(model, batches, sgd(model), every=every) is None


def test_looking_for_the_first_nan_changes_nothing_either():
    models = []
    for seen in (False, True):
        torch.manual_seed(0)
        model = nn.Sequential(net(), nn.Linear(2, 2))
        with torch.no_grad():
            model[1].weight.fill_(math.nan)
        optimizer = sgd(model)
        if seen:
            with monitor(model, None, optimizer):
                lecture(model, [*loader()][:1], optimizer)
        else:
            lecture(model, [*loader()][:1], optimizer)
        models.append((record(model), torch.get_rng_state().tolist()))
    assert models[0] == models[1]


def test_what_is_in_the_optimizer_and_gets_a_gradient_is_told():
    model = functional()
    model.first.bias.requires_grad_(False)
    optimizer = Adam([{"params": model.first.parameters()}, {"params": [model.third.weight], "weight_decay": 0.1}], lr=0.01)
    with monitor(model, loader(), optimizer) as m:
        lecture(model, loader(), optimizer)
    rows = {row["name"]: row for row in m.record.facts["parameters"]}
    assert {name: (row["trainable"], row["group"], row["decay"], row["gradient"]) for name, row in rows.items()} == {
        "first.weight": (True, 0, 0.0, "some"),
        "first.bias": (False, 0, 0.0, "none"),
        "second.weight": (True, -1, 0.0, "some"),
        "second.bias": (True, -1, 0.0, "some"),
        "third.weight": (True, 1, 0.1, "some"),
        "third.bias": (True, -1, 0.0, "some"),
    }
    assert m.history.rates.shape == (2, 3)


@pytest.fixture(scope="module")
def whole() -> Record:
    model = net()
    optimizer = sgd(model)
    with monitor(model, loader(), optimizer, epochs=4) as m:
        for _ in range(2):
            lecture(model, loader(), optimizer)
            judged(model, others())
    return m.record


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_a_record_comes_back_to_the_last_bit(tmp_path, whole, suffix):
    whole.save(tmp_path / f"a{suffix}")
    again = Record.load(tmp_path / f"a{suffix}")
    for name in Record.__dataclass_fields__:
        one, other = getattr(whole, name), getattr(again, name)
        if isinstance(one, np.ndarray):
            assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes()), name
        elif name != "history":
            assert one == other
    assert History.load(tmp_path / f"a{suffix}").loss.tolist() == whole.history.loss.tolist()


def test_a_file_without_a_record_is_refused(tmp_path, whole):
    whole.history.save(tmp_path / "a.json")
    with pytest.raises(ValueError, match=r"a\.json holds no record of a training"):
        Record.load(tmp_path / "a.json")


def test_time_left_is_that_of_the_remaining_epochs(whole):
    assert whole.seconds_left == pytest.approx(6 * whole.seconds[-1] / 6)
    assert (np.diff(whole.seconds) > 0).all()
    assert whole.images_per_second > 0


def test_pictures_are_described_by_channel(whole):
    x = pictures()[:][0]
    assert whole.inputs.shape == (4, 1)
    assert whole.inputs[0, 0] >= float(x.min())
    assert whole.inputs[1, 0] <= float(x.max())
    assert whole.confusion.sum() == 30
    assert np.trace(whole.confusion) / 30 == pytest.approx(whole.history.final_accuracy)


def test_a_report_says_where_it_stands(whole):
    lines = whole.report().splitlines()
    assert lines[0].startswith("6 steps, loss ")
    assert lines[1].startswith("Validation after step 6: loss ")
    assert any(line.startswith("1: update to weight ") for line in lines)


def test_a_panel_is_told_at_the_end():
    told = []
    model = net()
    optimizer = sgd(model)
    with monitor(model, loader(), optimizer, on_update=lambda m: told.append(len(m.history.loss))):
        lecture(model, loader(), optimizer)
    assert told[-1] == 3


def test_what_is_wrong_is_said():
    model = net()
    optimizer = sgd(model)
    for options, error, words in (
        ({"loader": []}, ValueError, "the training loader is empty"),
        ({"optimizer": 3}, TypeError, "optimizer is 3; expected an optimizer of torch.optim"),
        ({"every": 0}, ValueError, "every is 0; expected a whole number of at least 1"),
        ({"epochs": 0}, ValueError, "epochs is 0"),
        ({"model": torch.compile(net(), backend="eager")}, ValueError, "expected the network before torch.compile"),
        ({"nothing": 1}, TypeError, "monitor has no 'nothing'"),
    ):
        with pytest.raises(error, match=words):
            monitor(**{"model": model, "optimizer": optimizer, **options})
    with monitor(model, loader(), optimizer) as m, pytest.raises(TypeError, match="loss is 'low'; expected a number"):
        m.step("low")
    with pytest.raises(RuntimeError, match="make a new one for each training"), m:
        pass
    assert m.record.report() == "No step was made."
