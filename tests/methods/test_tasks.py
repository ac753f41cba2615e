"""A task begins every run anew and is left as it is."""

from __future__ import annotations

import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, WeightedRandomSampler

import cnnwidgets as cw
from cnnwidgets import samples
from cnnwidgets.methods import Task, task
from cnnwidgets.methods.in_memory import loader as in_batches
from tests.methods.learning import Net, loader, net, others, pictures, record


def test_a_run_begins_with_a_copy_of_a_network():
    model = net()
    F.cross_entropy(model(pictures().tensors[0]), pictures().tensors[1]).backward()
    before = record(model)
    first, second = (Task(model, loader(), others()).start() for _ in range(2))
    assert record(first) == record(second)
    assert record(first)[0] == before[0]
    with torch.no_grad():
        first[1].weight.zero_()
    first(pictures().tensors[0])
    assert record(model) == before


def test_a_run_begins_with_what_a_function_makes():
    torch.manual_seed(3)
    made = Task(Net, loader(), others()).start()
    assert record(made) == record(net(3))


@pytest.mark.parametrize(
    "train, validation, sentence",
    [
        ([], others(), "the training loader is empty: it gives no batch"),
        (loader(), (), "the validation loader is empty: it gives no batch"),
        (None, others(), "needs a training loader that gives batches of pictures and labels"),
        (loader(), None, "needs a validation loader"),
        (DataLoader(pictures(5), batch_size=16, drop_last=True), others(), "the training loader is empty"),
    ],
)
def test_a_loader_that_gives_nothing_is_refused(train, validation, sentence):
    with pytest.raises(ValueError, match=sentence):
        Task(net(), train, validation)


@pytest.mark.parametrize("model", [nn.Flatten(), net().requires_grad_(False), nn.Flatten])
def test_a_network_without_anything_to_train_is_refused(model):
    with pytest.raises(ValueError, match="there is nothing to train: no parameter of the network requires a gradient"):
        Task(model, loader(), others()).start()


def test_generators_are_found_wherever_a_loader_holds_them():
    a, b, c = (torch.Generator() for _ in range(3))
    data = pictures()
    weighted = WeightedRandomSampler([1.0] * 40, 40, generator=b)
    batched = BatchSampler(RandomSampler(data, generator=c), 8, drop_last=False)
    for train, validation, wanted in (
        (loader(generator=a), others(), [a]),
        (loader(), others(), []),
        (loader(generator=a), loader(generator=a), [a]),
        (DataLoader(data, sampler=weighted), DataLoader(data, batch_sampler=batched), [b, c]),
        (DataLoader(data, sampler=batched, batch_size=None, generator=a), [next(iter(others()))], [a, c]),
    ):
        assert {id(each) for each in Task(net(), train, validation).generators} == {id(each) for each in wanted}
        assert len(Task(net(), train, validation).generators) == len(wanted)


# the samples


def test_digits_are_lenet5_and_its_1297_pictures_of_which_another_500_judge():
    digits = task("digits")
    assert type(digits.start()) is samples.LeNet5
    assert sum(len(labels) for _, labels in digits.loader) == 1297
    assert sum(len(labels) for _, labels in digits.validation_loader) == 500
    assert digits is task("digits")
    assert repr(digits) == "Task(digits)"


def test_a_sample_is_sent_to_another_process_by_its_name():
    sent = pickle.dumps(task("digits"))
    assert len(sent) < 200
    assert pickle.loads(sent) is task("digits")


def test_ones_own_task_is_sent_whole_even_under_a_samples_name():
    own = Task(net(), loader(), others(), name="digits")
    again = pickle.loads(pickle.dumps(own))
    assert record(again.model) == record(own.model)
    assert again is not task("digits")


def test_no_such_sample():
    with pytest.raises(ValueError, match=r"no sample 'digit' to train: use digits, scenes. Did you mean 'digits'"):
        task("digit")


def test_ones_own_task_may_have_the_name_of_a_sample_that_is_none():
    own = Task(net(), loader(), others(), name="grass")
    assert record(pickle.loads(pickle.dumps(own)).model) == record(own.model)


def test_batches_in_memory_are_those_of_a_plain_loader():
    for shuffle in (False, True):
        torch.manual_seed(2)
        found = [*in_batches(pictures(), 16, shuffle=shuffle)]
        everything = torch.cat([x for x, _ in found]), torch.cat([y for _, y in found])
        assert [len(y) for _, y in found] == [16, 16, 8]
        if not shuffle:
            torch.testing.assert_close(everything, pictures().tensors, rtol=0, atol=0)
        else:
            assert not torch.equal(everything[0], pictures().tensors[0])
            torch.testing.assert_close(everything[0].sort(0).values, pictures().tensors[0].sort(0).values)


@pytest.mark.parametrize(
    ("given", "kind", "sentence"),
    [
        ({"model": 3}, TypeError, "model is 3; expected a torch.nn.Module or a function"),
        ({"model": {"weight": 1}}, TypeError, "model is {'weight': 1}; expected a torch.nn.Module or a function"),
        ({"criterion": "mse"}, TypeError, "criterion is 'mse'; expected a function of scores and labels"),
        (
            {"loader": 5},
            TypeError,
            "the training loader is 5; expected batches of pictures and labels, such as",
        ),
        (
            {"validation_loader": "test"},
            TypeError,
            "the validation loader is 'test'; expected batches of pictures",
        ),
        ({"loader": None}, ValueError, "a network of your own needs a training loader"),
    ],
)
def test_what_is_no_task_is_told(given, kind, sentence):
    batch = [(torch.zeros(2, 4), torch.zeros(2, dtype=torch.long))]
    right = {"model": torch.nn.Linear(4, 2), "loader": batch, "validation_loader": batch}
    with pytest.raises(kind) as raised:
        cw.methods.Task(**{**right, **given})
    assert str(raised.value).startswith(sentence)


def test_what_a_function_makes_is_a_network():
    batch = [(torch.zeros(2, 4), torch.zeros(2, dtype=torch.long))]
    with pytest.raises(TypeError, match=r"what model\(\) makes is 3; expected a torch\.nn\.Module"):
        cw.methods.lr_finder(cw.methods.Task(lambda: 3, batch, batch))
