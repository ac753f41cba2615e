"""What a function takes is told by its annotations; whatever else it gets is refused in one sentence."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

import cnnwidgets as cw
from cnnwidgets.net.arguments import checked, said
from cnnwidgets.net.errors import capitalized
from tests.net.networks import LeNet5


@checked
def asked(
    count: int = 1,
    share: float = 0.5,
    word: str = "a",
    flag: bool = False,
    layers: str | Sequence[str] | None = None,
    on_update: Callable[[float], None] | None = None,
    seed: int = 0,
    anything: list[int] | None = None,
) -> str:
    """What it gives."""
    return "done"


WRONG = {
    "a text for a whole number": ({"count": "3"}, ValueError, "count is '3'; expected a whole number"),
    "a fraction": ({"count": 2.5}, ValueError, "count is 2.5; expected a whole number"),
    "True for a number": ({"count": True}, ValueError, "count is True; expected a whole number"),
    "None where it is no choice": ({"word": None}, TypeError, "word is None; expected a text"),
    "NaN": ({"share": math.nan}, ValueError, "share is nan; expected a number"),
    "infinity": ({"share": -math.inf}, ValueError, "share is -inf; expected a number"),
    "an array": ({"share": np.zeros(3)}, ValueError, "share is an array 3; expected a number"),
    "a tensor": ({"word": torch.zeros(2, 3)}, TypeError, "word is a tensor 2×3; expected a text"),
    "a number for a flag": ({"flag": 1}, TypeError, "flag is 1; expected True or False"),
    "a number for texts": ({"layers": 3}, TypeError, "layers is 3; expected a text or a list of texts or None"),
    "numbers for texts": ({"layers": [1, 2]}, TypeError, "layers is [1, 2]; expected a text or a list of texts or None"),
    "a text for a function": ({"on_update": "f"}, TypeError, "on_update is 'f'; expected a function or None"),
    "a seed below 0": ({"seed": -1}, ValueError, "seed is -1; expected a whole number from 0 to 4,294,967,295"),
    "a class": ({"count": int}, ValueError, "count is the class int; expected a whole number"),
    "an object": ({"count": object()}, ValueError, "count is an object; expected a whole number"),
    "a misspelled name": (
        {"cuont": 3},
        TypeError,
        "asked has no 'cuont'. Did you mean 'count'? It has: count, share, word, flag, layers, on_update, seed, anything",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_does_not_fit_is_told_with_what_is_expected(what):
    given, kind, sentence = WRONG[what]
    with pytest.raises((TypeError, ValueError)) as raised:
        asked(**given)
    assert type(raised.value) is kind
    assert str(raised.value) == sentence


RIGHT = [
    {"count": np.int64(3)},
    {"count": torch.tensor(3)},
    {"share": 1},
    {"share": np.float32(0.5)},
    {"layers": "conv1"},
    {"layers": ("conv1", "fc")},
    {"layers": None},
    {"on_update": print},
    {"flag": np.True_},
    {"anything": "not told by a word that is known"},
]


@pytest.mark.parametrize("given", RIGHT)
def test_what_fits_goes_through_also_from_other_libraries(given):
    assert asked(**given) == "done"


def test_the_function_looks_as_it_did():
    assert asked.__doc__ == "What it gives."
    assert list(inspect.signature(asked).parameters)[:3] == ["count", "share", "word"]


def test_a_missing_argument_names_its_function():
    with pytest.raises(TypeError, match="saliency: missing a required argument: 'image'"):
        cw.methods.saliency(cw.load("digits"))


def test_every_public_function_of_the_methods_is_checked():
    functions = {name: getattr(cw.methods, name) for name in cw.methods.__all__}
    unchecked = [name for name, each in functions.items() if inspect.isfunction(each) and not hasattr(each, "__wrapped__")]
    assert unchecked == ["backward_rules"]  # which takes anything that has numbers in rows, and says what has not


def test_a_long_value_is_told_by_its_kind():
    assert said("a" * 40) == repr("a" * 12 + "..." + "a" * 13)
    assert said({"one": 1}) == "{'one': 1}"
    assert said(LeNet5()) == "a LeNet5"
    assert said(np.int64(3)) == "3"


BIND = {
    "a number of classes": ({"classes": 10}, TypeError, "classes is 10; expected a list of names, or a dict"),
    "one side": ({"input_shape": 224}, ValueError, r"input_shape is 224; expected \(C, H, W\)"),
    "texts": ({"input_shape": "abc"}, ValueError, r"input_shape is 'abc'; expected \(C, H, W\)"),
    "fractions": ({"input_shape": (1, 0.5, 3)}, ValueError, r"input_shape is \(1, 0.5, 3\); expected \(C, H, W\)"),
    "no device": ({"device": "gpu"}, ValueError, "device is 'gpu', which torch cannot use here: Expected one of cpu"),
    "a device's list": (
        {"device": ["cpu"]},
        ValueError,
        r"device is \['cpu'\], which torch cannot use here: expected a name",
    ),
    "a list of outputs": ({"outputs": ["logits"]}, ValueError, r"outputs is \['logits'\]; expected one of 'logits'"),
    "no function": ({"preprocess": "resize"}, TypeError, "preprocess is 'resize'; expected None or a function"),
}


@pytest.mark.parametrize("what", BIND)
def test_bind_refuses_what_does_not_fit(what):
    given, kind, sentence = BIND[what]
    with pytest.raises(kind, match=sentence):
        cw.bind(LeNet5(), **given)


ASKED_OF_THE_NETWORK = {
    "a text for k": (lambda net, x: net.predict(x, "3"), ValueError, "k is '3'; expected a whole number of at least 1"),
    "no answer": (lambda net, x: net.predict(x, 0), ValueError, "k is 0; expected a whole number of at least 1"),
    "a list of targets": (lambda net, x: net.target([1]), ValueError, r"target is \[1\]; expected a whole number or a text"),
    "no target": (lambda net, x: net.target(math.nan), ValueError, "target is nan; expected a whole number or a text"),
    "a path as a tensor": (lambda net, x: net.picture("a.png"), TypeError, "tensor is 'a.png'; expected a tensor"),
    "many pictures": (
        lambda net, x: net.picture(torch.rand(2, 1, 32, 32)),
        ValueError,
        r"tensor is a tensor 2×1×32×32; expected the input of one picture, \(C, H, W\) or \(1, C, H, W\)",
    ),
    "a layer by a list": (lambda net, x: net.layers[["conv1"]], TypeError, "a layer is asked for by a list; expected its"),
    "a row too many": (lambda net, x: net.layers[99], IndexError, "there is no row 99: the network has 12, numbered from 0"),
    "a single layer to trace": (lambda net, x: net.trace(x, "conv1"), TypeError, "layers is 'conv1'; expected a list of t"),
}


@pytest.mark.parametrize("what", ASKED_OF_THE_NETWORK)
def test_what_is_asked_of_a_network_is_checked_and_the_next_question_is_answered(what):
    ask, kind, sentence = ASKED_OF_THE_NETWORK[what]
    net = cw.load("digits")
    picture, label = cw.samples.digits()[0]
    with pytest.raises(kind, match=sentence):
        ask(net, picture)
    assert net.predict(picture, 1)[0][0][0] == str(label)


SAMPLES = {
    "no split": (lambda: cw.samples.digits(["train"]), r"split is \['train'\]; expected 'train' or 'test'"),
    "a negative size": (lambda: cw.samples.scenes(size=-1), "size is -1; expected a whole number of pictures"),
    "a text for a size": (lambda: cw.samples.scenes(size="5"), "size is '5'; expected a whole number of pictures"),
    "a list of biases": (lambda: cw.samples.scenes(biased=["grass"]), r"biased is \['grass'\]; expected"),
    "a list of names": (lambda: cw.samples.sample(["digits"]), r"no sample is named \['digits'\]; there are 'digits'"),
    "a list of epochs": (lambda: cw.samples.sample("digits", [1]), r"'digits' has no weights of epoch \[1\]; it has 0"),
}


@pytest.mark.parametrize("what", SAMPLES)
def test_samples_say_what_they_have(what):
    make, sentence = SAMPLES[what]
    with pytest.raises(ValueError, match=sentence):
        make()


@pytest.mark.parametrize("name", [None, 3, ["digits"], np.zeros(2)])
def test_a_network_is_loaded_by_its_name(name):
    with pytest.raises(TypeError, match=r"name is .*; expected a text"):
        cw.load(name)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("n_iter is −1; expected a whole number of at least 1", "n_iter is −1; expected a whole number of at least 1"),
        ("methods[0] is 3; expected a text", "methods[0] is 3; expected a text"),
        ("layer1.0.conv1 has no filters", "layer1.0.conv1 has no filters"),
        ("there is no class 'x'", "There is no class 'x'"),
        ("the picture is empty", "The picture is empty"),
        ("no layer has filters", "No layer has filters"),
        ("", ""),
    ],
)
def test_a_sentence_begins_with_a_capital_but_a_name_stays_what_one_types(message, told):
    assert capitalized(message) == told
