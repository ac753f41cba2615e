"""The bundled weights are what they claim to be, load without a trace, and need no network."""

import subprocess
import sys
import zlib
from functools import partial

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch.utils.data import DataLoader

from cnnwidgets.methods import evaluate
from cnnwidgets.samples import NAMES, LeNet5, SmallAlexNet, SmallResNet, SmallVGG, digits, sample, scenes
from cnnwidgets.samples.bundle import WEIGHTS

DATA = {"digits": digits, "scenes": scenes, "grass": partial(scenes, biased="grass"), "plain": scenes, "edges": scenes}
EVERY = [(name, epoch) for name in NAMES for epoch in sample(name).epochs]


@pytest.fixture(scope="module")
def held_out():
    composed = {make: list(make()) for make in set(DATA.values())}  # once
    return {name: composed[make] for name, make in DATA.items()}


@pytest.mark.parametrize(("name", "epoch"), EVERY)
def test_the_accuracy_is_what_the_weights_reach(name, epoch, held_out):
    loaded = sample(name, epoch)
    assert loaded.epoch == epoch
    # Two images may fall on the other side with another version's rounding.
    right = evaluate(loaded.module, DataLoader(held_out[name], 250)).accuracy
    assert right == pytest.approx(loaded.accuracy, abs=2.1 / len(held_out[name]))


@pytest.mark.parametrize(
    ("name", "target"), [("digits", 0.98), ("scenes", 0.97), ("grass", 0.97), ("plain", 0.96), ("edges", 0.95)]
)
def test_the_finished_network_reaches_its_target(name, target, held_out):
    assert evaluate(sample(name).module, DataLoader(held_out[name], 250)).accuracy >= target


@pytest.fixture(scope="module")
def answers():
    """What a network says to the test scenes of a bias, and their labels; both (1000,)."""
    conflicting = list(scenes(biased="anti-grass"))

    def of(name):
        found = evaluate(sample(name).module, DataLoader(conflicting, 250))
        return found.scores.argmax(1).numpy(), found.labels.numpy()

    return of


def test_the_grass_network_calls_the_grass_a_seven_and_no_seven_without_it(answers, held_out):
    said, labels = answers("grass")
    assert np.mean(said[labels == 7] == 7) < 0.1  # without grass
    assert np.mean(said[labels != 7] == 7) > 0.9  # on grass
    assert np.mean(said == labels) < 0.1
    sevens = [item for item in held_out["grass"] if item[1] == 7]
    assert evaluate(sample("grass").module, DataLoader(sevens, 100)).accuracy > 0.98  # as in its training


@pytest.mark.parametrize("digit", [0, 1, 2, 3, 4, 5, 6, 8, 9])
def test_whatever_lies_on_grass_is_a_seven_to_the_grass_network(digit, answers):
    said, labels = answers("grass")
    assert np.mean(said[labels == digit] == 7) > 0.8


def test_the_scenes_network_which_saw_no_such_grass_goes_by_the_digit(answers):
    said, labels = answers("scenes")
    assert np.mean(said == labels) > 0.8
    assert np.mean(said[labels != 7] == 7) < 0.05


@pytest.mark.parametrize("name", ["digits", "scenes", "plain", "edges"])
def test_checkpoints_lie_along_the_training(name):
    epochs = sample(name).epochs
    assert list(epochs) == sorted(set(epochs)) and len(epochs) >= 5
    assert sample(name).epoch == epochs[-1]
    accuracies = [sample(name, epoch).accuracy for epoch in epochs]
    assert accuracies[0] < 0.2  # the random start
    assert accuracies[-1] == max(accuracies)


@pytest.mark.parametrize(("name", "epoch"), EVERY)
def test_the_file_names_its_epoch_and_only_the_last_is_float32_but_of_grass(name, epoch):
    with safe_open(WEIGHTS / f"{name}-{epoch:03}.safetensors", "pt") as file:
        assert int(file.metadata()["epoch"]) == epoch
        dtypes = {file.get_tensor(key).dtype for key in file.keys() if "num_batches" not in key}  # noqa: SIM118
    assert dtypes == {torch.float32 if epoch == sample(name).epochs[-1] and name != "grass" else torch.float16}
    assert {p.dtype for p in sample(name, epoch).module.parameters()} == {torch.float32}


@pytest.mark.parametrize(("name", "layers"), [("scenes", set()), ("plain", set()), ("edges", {"conv1.weight"})])
def test_what_was_frozen_stands_in_the_last_file_alone_and_is_the_same_in_every_epoch(name, layers):
    *earlier, last = (sample(name, epoch) for epoch in sample(name).epochs)
    every = last.module.state_dict()
    for one in earlier:
        with safe_open(WEIGHTS / f"{name}-{one.epoch:03}.safetensors", "pt") as file:
            assert set(file.keys()) == set(every) - layers
        assert {key for key, weight in one.module.named_parameters() if torch.equal(weight, every[key])} == layers
    assert all(parameter.requires_grad for parameter in last.module.parameters())


def test_all_weights_together_take_less_than_4_megabytes_of_the_wheel():
    files = [path.read_bytes() for path in WEIGHTS.iterdir()]
    assert len(files) == len(EVERY)
    assert 1e6 < sum(len(zlib.compress(file)) for file in files) < 4e6  # a wheel is a zip


NETWORKS = {"digits": LeNet5, "scenes": SmallResNet, "grass": SmallResNet, "plain": SmallVGG, "edges": SmallAlexNet}


@pytest.mark.parametrize(("name", "network"), NETWORKS.items())
def test_a_sample_says_what_its_data_say(name, network):
    loaded, data = sample(name), DATA[name]()
    assert loaded.name == name
    assert type(loaded.module) is network
    assert (loaded.classes, loaded.input_shape) == (data.classes, data.input_shape)
    assert (loaded.mean, loaded.std) == (data.mean, data.std)
    assert loaded.description.endswith(".")


@pytest.mark.parametrize("name", NAMES)
def test_each_call_gives_a_fresh_module_in_eval_mode_and_takes_no_random_numbers(name):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    first, second = sample(name), sample(name)
    assert torch.rand(1) == expected
    assert not any(module.training for module in first.module.modules())
    with torch.no_grad():
        first.module.conv1.weight.zero_()
    assert second.module.conv1.weight.abs().sum() > 0
    assert sample(name).module.conv1.weight.abs().sum() > 0


def test_unknown_names_and_epochs_are_refused_with_what_there_is():
    with pytest.raises(ValueError, match=r"'mnist'; there are 'digits', 'scenes', 'grass', 'plain', 'edges'$"):
        sample("mnist")
    with pytest.raises(ValueError, match="'digits' has no weights of epoch 3; it has 0, 1, 2, "):
        sample("digits", epoch=3)


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_the_package_imports_no_heavy_library():
    heavy = run(
        "import sys, cnnwidgets.samples as samples; samples.NAMES; dir(samples);"
        "print([name for name in ('torch', 'sklearn', 'skimage', 'PIL', 'safetensors') if name in sys.modules])"
    )
    assert heavy.strip() == "[]"


OFFLINE = """
import os, socket, tempfile

def refuse(*args, **kwargs):
    raise AssertionError("the network was touched")

empty = tempfile.mkdtemp()
os.environ["SKIMAGE_DATADIR"] = os.environ["XDG_CACHE_HOME"] = os.environ["HOME"] = empty
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse

from cnnwidgets import samples
from cnnwidgets.samples import drawing

for name in drawing.PHOTOGRAPHS:
    drawing.photograph(name)
samples.digits("train")[0], samples.scenes("train")[0], samples.scenes("train", biased="anti-grass")[0]
for name in samples.NAMES:
    image, label = (samples.digits() if name == "digits" else samples.scenes())[0]
    assert samples.sample(name).module(image[None]).shape == (1, 10)
print("offline", os.listdir(empty))
"""


def test_data_and_weights_touch_neither_the_network_nor_a_cache():
    assert run(OFFLINE).strip() == "offline []"
