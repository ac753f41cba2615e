"""What an output means: told from how a network ends and from what comes out, or said by the user; numbers by hand."""

from __future__ import annotations

import math
from collections import namedtuple
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision import models

import cnnwidgets as cw
from cnnwidgets.net.output import KINDS
from tests.net.networks import Function, LeNet5, cheap, unchanged

IMAGE = torch.rand(3, 2, 2, generator=torch.Generator().manual_seed(0))


def fixed(scores, last=lambda z: z, **known):
    """A network that gives the same scores for every picture, but for a hardly noticeable part, and ends as is wanted."""
    table = torch.tensor([scores])
    model = Function(lambda self, x: last(table + 1e-6 * x.mean((1, 2, 3))[:, None]))
    return cw.bind(model.eval(), input_shape=(3, 2, 2), **known)


def linear(width, last=lambda z: z, **known):
    with torch.random.fork_rng():
        torch.manual_seed(width)
        parts = {"flat": nn.Flatten(), "fc": nn.Linear(12, width)}
    return cw.bind(Function(lambda self, x: last(self.fc(self.flat(x))), **parts), input_shape=(3, 2, 2), **known)


# what is told


TOLD = {
    "a linear layer": (5, lambda z: z, "logits", "its last operation is linear"),
    "a linear layer, squeezed": (5, lambda z: z.squeeze(), "logits", "its last operation is linear"),
    "a ReLU": (5, F.relu, "logits", "by default"),
    "a ReLU with a ceiling of 1": (5, lambda z: z.clamp(0, 1), "logits", "by default"),
    "a tanh": (5, torch.tanh, "logits", "by default"),
    "nn.Softmax": (5, nn.Softmax(1), "probabilities", "its last operation is a softmax"),
    "F.softmax": (5, lambda z: F.softmax(z, -1), "probabilities", "its last operation is a softmax"),
    "a softmax, reshaped and cast": (
        5,
        lambda z: z.softmax(1).double()[:, :, None].flatten(1),
        "probabilities",
        "its last operation is a softmax",
    ),
    "a softmax by hand": (5, lambda z: z.exp() / z.exp().sum(1, True), "probabilities", "its outputs sum to 1"),
    "two classes, p and 1 - p": (1, lambda z: torch.cat([z.sigmoid(), 1 - z.sigmoid()], 1), "probabilities", "sum to 1"),
    "log_softmax": (5, lambda z: z.log_softmax(1), "log_probabilities", "its last operation is a log-softmax"),
    "a log-softmax by its sum": (
        5,
        lambda z: z - z.logsumexp(1, True),
        "log_probabilities",
        "its last operation is a log-s",
    ),
    "a log-softmax by hand": (5, lambda z: z - z.exp().sum(1, True).log(), "log_probabilities", "the exponentials"),
    "sigmoids": (5, torch.sigmoid, "labels", "its last operation is a sigmoid"),
    "sigmoids in place": (5, lambda z: z.sigmoid_(), "labels", "its last operation is a sigmoid"),
    "hard sigmoids": (5, nn.Hardsigmoid(), "labels", "its last operation is a hardsigmoid"),
    "sigmoids, then doubled": (5, lambda z: 2 * z.sigmoid(), "logits", "by default"),
    "sigmoids, then overwritten": (5, lambda z: z.sigmoid().mul_(2), "logits", "by default"),
    "a softmax of something else": (5, lambda z: z + z.softmax(1), "logits", "by default"),
    "logarithms of sigmoids": (5, F.logsigmoid, "log_probabilities", "its last operation is a log-sigmoid"),
    "one sigmoid": (1, nn.Sigmoid(), "binary", "its last operation is a sigmoid"),
    "one sigmoid, (N,)": (1, lambda z: z.sigmoid().squeeze(1), "binary", "its last operation is a sigmoid"),
    "one sigmoid, squeezed": (1, lambda z: z.sigmoid().squeeze(), "binary", "its last operation is a sigmoid"),
    "a softmax over one output": (1, nn.Softmax(1), "probabilities", "a softmax over one output is always 1"),
    "a column of a softmax": (2, lambda z: z.softmax(1)[:, 1], "binary", "its last operation is a softmax"),
    "one output": (1, lambda z: z, "values", "by default"),
    "one output, (N,)": (1, lambda z: z[:, 0], "values", "by default"),
}


@pytest.mark.parametrize("how", TOLD)
def test_the_kind_is_told_from_how_the_network_ends_and_what_comes_out(how):
    width, last, kind, why = TOLD[how]
    net = linear(width, last)
    with unchanged(net.module):
        assert net.output.kind == kind
    assert why in net.output.why
    assert net.output.sentence.endswith(f"({net.output.why})") and net.output.sentence.startswith("the network gives ")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("make", [lambda model: torch.jit.trace(model, torch.rand(1, 3, 2, 2)), torch.jit.script])
@pytest.mark.parametrize(
    ("last", "width", "kind"),
    [
        (nn.Sigmoid(), 5, "labels"),
        (nn.Sigmoid(), 1, "binary"),
        (nn.Softmax(1), 5, "probabilities"),
        (nn.ReLU(), 5, "logits"),
    ],
)
def test_a_scripted_network_is_told_by_autograds_graph(make, last, width, kind):
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, width), last, nn.Flatten()).eval()
    assert cw.bind(make(model), input_shape=(3, 2, 2)).output.kind == kind


def test_one_output_with_names_of_classes_is_a_logit():
    assert linear(1, classes=["cat"]).output.kind == "binary_logit"
    assert linear(1, classes=["cat"]).classes == ("not cat", "cat")
    assert linear(1, classes=["dog", "cat"]).classes == ("dog", "cat")
    assert linear(1, nn.Sigmoid()).classes == ("negative", "positive")
    assert linear(1).classes == ("value",)
    assert linear(1, classes=["age"], outputs="values").classes == ("age",)


def test_a_network_that_takes_one_picture_at_a_time_is_told_too():
    net = linear(3, lambda z: z.reshape(1, 3).softmax(1))
    assert net.output.kind == "probabilities"
    assert sum(p for _, p in net.predict(IMAGE)[0]) == pytest.approx(1)


@pytest.mark.parametrize(
    ("name", "kind"), [("squeezenet1_1", "logits"), ("googlenet", "logits"), ("vit_b_16", "logits"), ("resnet18", "logits")]
)
def test_torchvisions_networks_give_logits(name, kind):
    options = {"init_weights": False} if name == "googlenet" else {}
    net = cw.bind(cheap(models.get_model_builder(name), **options), input_shape=(3, 224, 224))
    assert (net.output.kind, net.output.count) == (kind, 1000)


def test_it_is_told_once_and_not_before_it_is_asked_for():
    passes = []
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 3), nn.Softmax(1))
    model.register_forward_hook(lambda *_: passes.append(1))
    net = cw.bind(model, input_shape=(3, 2, 2))
    assert not passes and repr(net) == "<Sequential: 3×2×2, 39 parameters>"
    net.predict(IMAGE)
    told = len(passes)
    net.predict(IMAGE)
    assert len(passes) == told + 1
    assert repr(net) == "<Sequential: 3×2×2, 39 parameters, 3 probabilities>"


def test_telling_leaves_the_random_generators_alone():
    net = linear(4, nn.Softmax(1))
    before = torch.get_rng_state()
    _ = net.output
    assert torch.equal(torch.get_rng_state(), before)


# what is said


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_user_says_is_taken(kind):
    one = kind.startswith("binary")
    last = {"probabilities": nn.Softmax(1), "log_probabilities": nn.LogSoftmax(1), "labels": nn.Sigmoid()}.get(kind)
    net = linear(1 if one else 4, nn.Sigmoid() if kind == "binary" else last or nn.Identity(), outputs=kind)
    assert (net.output.kind, net.output.why) == (kind, "as outputs= says")
    assert f"outputs={kind!r}" in repr(linear(4, outputs=kind))
    net.predict(IMAGE)


def test_a_word_that_is_none_is_refused_with_the_list():
    with pytest.raises(ValueError, match=r"outputs is 'softmax'; expected one of 'logits', 'log_probabilities', .*'values'"):
        cw.bind(LeNet5(), outputs="softmax")


@pytest.mark.parametrize(
    ("outputs", "count", "sentence"),
    [
        ("binary", 3, "outputs is 'binary', which is one output; the network has 3"),
        ("binary_logit", 3, "outputs is 'binary_logit', which is one output; the network has 3"),
        ("logits", 1, "outputs is 'logits', but the network has one output: 'binary_logit' or 'values' is expected"),
        ("probabilities", 3, "outputs is 'probabilities', from 0 to 1; the network gives numbers from -"),
        ("labels", 3, "outputs is 'labels', from 0 to 1; the network gives numbers from -"),
        ("log_probabilities", 3, "outputs is 'log_probabilities', 0 at most; the network gives numbers up to "),
    ],
)
def test_what_the_user_says_must_fit_to_what_comes_out(outputs, count, sentence):
    with pytest.raises(ValueError, match=sentence):
        linear(count, outputs=outputs).predict(IMAGE)


# what follows of it


def test_a_softmax_that_is_sure_of_one_of_a_thousand_classes_says_more_than_99_per_cent():
    scores = [0.0] * 1000
    scores[207] = 14.0  # of all exponentials, exp(14) / (exp(14) + 999)
    wanted = math.exp(14) / (math.exp(14) + 999)
    for last in (nn.Identity(), nn.Softmax(1), nn.LogSoftmax(1)):
        net = fixed(scores, last)
        ((name, chance),) = net.predict(IMAGE, k=1)[0]
        assert (name, chance) == ("207", pytest.approx(wanted, rel=1e-5))
        assert chance > 0.99
        assert net.output.says([(name, chance)]) == "prediction: 207 (99.9%)"


def test_seven_labels_of_88_per_cent_stay_88_per_cent():
    net = fixed([math.log(0.88 / 0.12)] * 7, nn.Sigmoid())
    assert [p for _, p in net.predict(IMAGE, k=7)[0]] == pytest.approx([0.88] * 7, rel=1e-5)
    assert net.output.says(net.predict(IMAGE, k=2)[0]) == "prediction: {} (88.0%), {} (88.0%)".format(
        *(name for name, _ in net.predict(IMAGE, k=2)[0])
    )
    said = fixed([math.log(0.88 / 0.12)] * 7, outputs="label_logits")
    assert [p for _, p in said.predict(IMAGE, k=7)[0]] == pytest.approx([0.88] * 7, rel=1e-5)


def test_labels_are_sorted_by_their_own_probability():
    net = fixed([0.0, 2.0, -2.0], nn.Sigmoid(), classes=["ant", "bee", "cat"])
    (bee, high), (ant, half), (cat, low) = net.predict(IMAGE)[0]
    assert (bee, ant, cat) == ("bee", "ant", "cat")
    assert (high, half, low) == pytest.approx((1 / (1 + math.exp(-2)), 0.5, 1 / (1 + math.exp(2))), rel=1e-5)


@pytest.mark.parametrize("last", ["sigmoid", "logit", "log"])
def test_one_output_has_two_classes_and_both_their_probabilities(last):
    logit = math.log(0.71 / 0.29)
    net = {
        "sigmoid": lambda: fixed([logit], nn.Sigmoid()),
        "logit": lambda: fixed([logit], outputs="binary_logit"),
        "log": lambda: fixed([logit], nn.LogSigmoid()),
    }[last]()
    (first, high), (second, low) = net.predict(IMAGE)[0]
    assert (first, second) == ("positive", "negative")
    assert (high, low) == pytest.approx((0.71, 0.29), rel=1e-4)
    assert net.output.says(net.predict(IMAGE)[0]) == "prediction: p(positive) = 71.0%"
    assert net.probabilities(IMAGE)[0].tolist() == pytest.approx([0.29, 0.71], rel=1e-4)
    assert (net.target("negative"), net.target("positive")) == (0, 1)
    with pytest.raises(ValueError, match="there is no class 2: the network has 2"):
        net.target(2)


def test_a_probability_next_to_0_keeps_its_digits():
    net = fixed([25.0], outputs="binary_logit")
    assert net.probabilities(IMAGE)[0, 0].item() == pytest.approx(math.exp(-25), rel=1e-4)


def test_a_regression_says_its_value_and_has_no_probabilities():
    net = fixed([3.2])
    assert net.predict(IMAGE) == [[("value", pytest.approx(3.2, abs=1e-5))]]
    assert net.output.says(net.predict(IMAGE)[0]) == "prediction: value 3.2"
    with pytest.raises(ValueError, match=r"one value .* expected probabilities; bind with outputs="):
        net.probabilities(IMAGE)
    two = fixed([3.2, -700.0], classes=["age", "height"], outputs="values")
    assert two.output.says(two.predict(IMAGE)[0]) == "prediction: age: 3.2, height: −700"


def test_probabilities_are_those_of_the_classes_in_their_order():
    net = fixed([1.0, 3.0, 2.0])
    total = sum(map(math.exp, (1, 2, 3)))
    assert net.probabilities(IMAGE)[0].tolist() == pytest.approx([math.exp(k) / total for k in (1, 3, 2)], rel=1e-5)
    assert net.scores(IMAGE)[0].tolist() == pytest.approx([1, 3, 2], abs=1e-5)


# what is no table


Heads = namedtuple("Heads", "boxes scores")


@dataclass
class Answer:
    logits: torch.Tensor
    hidden: tuple


STRUCTURES = {
    "a dict": (lambda x: {"out": x.mean((2, 3)), "aux": x}, "a dict of out (1×3) and aux (1×3×2×2)"),
    "a tuple": (lambda x: (x, x.sum()), "a tuple of 0 (1×3×2×2) and 1 (a number)"),
    "a named tuple": (lambda x: Heads(x, x.mean((1, 2, 3))), "a Heads of boxes (1×3×2×2) and scores (1)"),
    "a dataclass": (lambda x: Answer(x, (x, x)), "an Answer of logits (1×3×2×2) and hidden (a tuple)"),
    "a list of dicts": (lambda x: [{"boxes": x}], "a list of a dict of boxes (1×3×2×2)"),
    "a list of many": (lambda x: [x] * 9, "a list of 0 (1×3×2×2), 1 (1×3×2×2), 2 (1×3×2×2) and 6 more"),
    "a map": (lambda x: x, "a float32 tensor 1×3×2×2"),
    "one number for all pictures": (lambda x: x.sum(), "a float32 number"),
    "nothing": (lambda x: None, "nothing"),
}


@pytest.mark.parametrize("how", STRUCTURES)
def test_what_is_no_table_is_described_and_has_no_classes(how):
    wrap, what = STRUCTURES[how]
    net = cw.bind(Function(lambda self, x: wrap(self.pool(x)), pool=nn.AvgPool2d(1)), input_shape=(3, 2, 2))
    assert (net.output.kind, net.output.why, net.classes) == ("structure", what, ())
    assert net.output.sentence == f"the network gives {what}"
    with pytest.raises(TypeError, match="there is no class 0; give target= a function of the output"):
        net.target(0)


def test_a_name_neither_turns_nor_fills_the_sentence_that_it_stands_in():
    net = fixed([2.0, 1.0, 0.0])
    answers = [("שלום", 0.5), ("x" * 200, 0.25), (" ", 0.25)]
    assert net.output.says(answers) == f"prediction: \u2068שלום\u2069 (50.0%), {'x' * 39}… (25.0%), (no name) (25.0%)"
