"""The script that trains the samples: what it writes, and that it writes the same again."""

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch.utils.data import DataLoader, Subset

from cnnwidgets.methods import evaluate
from cnnwidgets.samples import LeNet5, digits, train


def half_frozen() -> LeNet5:
    network = LeNet5()
    network.conv1.requires_grad_(False)
    return network


SOME, OTHERS = Subset(digits("train"), range(64)), Subset(digits(), range(40))


@pytest.fixture
def files(monkeypatch, tmp_path):
    """What a short training of a network with a frozen layer wrote, by epoch."""
    recipe = train.Recipe(half_frozen, 2, 16, 0.01, lambda epoch: SOME, lambda: OTHERS, (0, 1))
    monkeypatch.setitem(train.RECIPES, "short", recipe)
    (tmp_path / "short-009.safetensors").touch()  # of an earlier and longer training
    train.train_sample("short", tmp_path)
    return {int(path.stem.removeprefix("short-")): path for path in tmp_path.iterdir()}


def test_what_is_frozen_is_written_once_and_as_it_was(files):
    assert sorted(files) == [0, 1, 2]
    torch.manual_seed(0)
    start = half_frozen().state_dict()
    first, second, last = (load_file(files[epoch]) for epoch in range(3))
    frozen = {"conv1.weight", "conv1.bias"}
    assert set(last) == set(start) and set(first) == set(second) == set(start) - frozen
    assert all(torch.equal(last[key], start[key]) == (key in frozen) for key in start)
    assert all(torch.equal(first[key], start[key].half()) for key in first)


def test_the_accuracy_that_a_file_tells_is_that_of_the_weights_in_it(files):
    for epoch, path in files.items():
        network = LeNet5()
        network.load_state_dict(load_file(files[2]) | load_file(path))
        with safe_open(path, "pt") as file:
            told = file.metadata()
        assert int(told["epoch"]) == epoch
        assert float(told["accuracy"]) == evaluate(network, DataLoader(OTHERS, 40)).accuracy


def test_training_again_gives_the_same_to_the_bit(files, tmp_path):
    train.train_sample("short", tmp_path / "again")
    for path in files.values():
        again, once = load_file(tmp_path / "again" / path.name), load_file(path)
        assert all(torch.equal(again[key], once[key]) for key in once)
