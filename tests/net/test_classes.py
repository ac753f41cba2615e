"""Names of the outputs: of sequences and of dicts either way round, and refused once if they are too few or too many."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.net import bind
from tests.methods.data_sets import Pictures, network

NAMES = ("ant", "bee", "cat", "dog")

READ = {
    "list": list(NAMES),
    "array": np.array(NAMES),
    "generator": (name for name in NAMES),
    "index to name": dict(enumerate(NAMES)),
    "index to name, in another order": {2: "cat", 0: "ant", 3: "dog", 1: "bee"},
    "id2label as JSON has it": {"0": "ant", "1": "bee", "2": "cat", "3": "dog"},
    "id2label in the order of texts": {"3": "dog", "1": "bee", "0": "ant", "2": "cat"},
    "NumPy's integers": {np.int64(i): name for i, name in enumerate(NAMES)},
    "class_to_idx": {name: i for i, name in enumerate(NAMES)},
    "class_to_idx, in another order": {"cat": 2, "ant": 0, "dog": 3, "bee": 1},
    "label2id as JSON has it": {"cat": "2", "ant": "0", "dog": "3", "bee": "1"},
    "a mapping that is no dict": MappingProxyType({name: i for i, name in enumerate(NAMES)}),
}


@pytest.mark.parametrize("kind", READ)
def test_names_are_read_by_their_indices(kind):
    assert bind(network().module, classes=READ[kind]).classes == NAMES


def test_names_that_look_like_numbers_are_names_where_the_indices_are_numbers():
    """Folders called by numbers, in the order of texts, as torchvision's ImageFolder reads them."""
    folders = {"1": 0, "10": 1, "2": 2, "0": 3}
    assert bind(network().module, classes=folders).classes == ("1", "10", "2", "0")
    some_digits = {3: 0, 5: 1, 7: 2, 9: 3}
    assert bind(network().module, classes=some_digits).classes == ("3", "5", "7", "9")


REFUSED = {
    "a gap": ({0: "ant", 1: "bee", 3: "dog"}, r"from \[0, 1, 3\] to \['ant', 'bee', 'dog'\]: expected the indices 0 to 2"),
    "from 1 on": ({1: "ant", 2: "bee"}, r"expected the indices 0 to 1, each once, as its keys or as its values"),
    "two names of one index": ({"ant": 0, "bee": 1, "wasp": 1}, r"expected the indices 0 to 2"),
    "no indices": ({"ant": "bee"}, r"expected the indices 0 to 0"),
    "truths": ({True: "ant", False: "bee"}, r"expected the indices 0 to 1"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_dict_without_all_indices_is_refused(kind):
    classes, sentence = REFUSED[kind]
    with pytest.raises(ValueError, match=sentence):
        bind(network().module, classes=classes)


def test_a_set_is_refused():
    with pytest.raises(TypeError, match="classes is a set, which has no order: expected a list, a tuple or a dict"):
        bind(network().module, classes=set(NAMES))


# as many as outputs

USES = {
    "predict": lambda net, x: net.predict(x),
    "probabilities": lambda net, x: net.probabilities(x),
    "saliency": lambda net, x: cw.methods.saliency(net, x, 1),
    "grad_cam": lambda net, x: cw.methods.attribute(net, x, 1, method="grad_cam"),
    "occlusion": lambda net, x: cw.methods.occlusion(net, x, 1),
    "rise": lambda net, x: cw.methods.attribute(net, x, 1, method="rise", n_samples=8),
    "features": lambda net, x: cw.methods.features(net, Pictures(8)),
    "scan": lambda net, x: cw.methods.scan(net, Pictures(8), [cw.methods.Confusion()]),
    "OcclusionSlider": lambda net, x: cw.OcclusionSlider(net, x).result,
    "SaliencyPanel": lambda net, x: cw.SaliencyPanel(net, x, methods=["saliency"]).result,
    "EmbeddingExplorer": lambda net, x: cw.EmbeddingExplorer(net, Pictures(8), method="pca").result,
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("count", [3, 5])
def test_a_wrong_number_of_names_is_refused_wherever_a_class_is_spoken_of(use, count):
    net = bind(network().module, classes=list("abcde"[:count]), input_shape=(3, 12, 12))
    with pytest.raises(ValueError, match=f"{count} class names were given for 4 outputs of Sequential"):
        USES[use](net, torch.rand(3, 12, 12))


def test_what_speaks_of_no_class_needs_no_names():
    net = bind(network().module, classes=["a"], input_shape=(3, 12, 12))
    assert net.layers.names and cw.methods.filters(net, net.layers.weighted[0].name)
    first = net.layers.maps[0].name
    assert cw.methods.saliency(net, torch.rand(3, 12, 12), unit=(first, 0)).values.shape == (12, 12)


@pytest.mark.parametrize(("names", "expected"), [(["no", "yes"], ("no", "yes")), (["yes"], ("not yes", "yes"))])
def test_one_output_that_says_which_of_two_may_have_one_name_or_two(names, expected):
    model = nn.Sequential(nn.Conv2d(3, 1, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Sigmoid()).eval()
    net = bind(model, classes=names, input_shape=(3, 12, 12))
    assert len(net.predict(torch.rand(3, 12, 12))[0]) == 2 and net.classes == expected
