"""What can be bound, what is known of it then, and the sentences for what cannot."""

from __future__ import annotations

import math
import traceback
from collections import OrderedDict

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision import models
from torchvision.transforms import v2

from cnnwidgets.net import bind
from tests.net.half_finished import HalfFinished
from tests.net.networks import LeNet5, Residual, cheap, unchanged

# refusals


class TwoInputs(nn.Module):
    def forward(self, image, caption, *, mode):
        return image


NOT_BOUND = {
    "two inputs": (
        TwoInputs(),
        TypeError,
        r"TwoInputs.forward takes 3 inputs \(image, caption, mode\); .*one batch of pictures",
    ),
    "a class": (LeNet5, TypeError, r"bind takes a torch.nn.Module, not a type: LeNet5 is a class, give an instance"),
    "a name": ("resnet18", TypeError, r"not a str: cw.load\('resnet18'\) loads a network by its name"),
    "a state dict": (
        LeNet5().state_dict(),
        TypeError,
        r"not a OrderedDict: a state dict holds weights alone; build the model",
    ),
    "a function": (torch.relu, TypeError, r"bind takes a torch.nn.Module, not a builtin_function_or_method"),
    "nothing": (None, TypeError, r"bind takes a torch.nn.Module, not a NoneType"),
    "no values": (
        nn.Conv2d(1, 1, 1, device="meta"),
        ValueError,
        r"on the meta device, where they have no values: load weights",
    ),
    "lazy layers": (nn.LazyConv2d(3, 3), ValueError, r"lazy layers that are not set up yet: run it on a batch once"),
}


@pytest.mark.parametrize("what", NOT_BOUND)
def test_what_cannot_be_bound_is_refused_with_what_to_do(what):
    model, error, sentence = NOT_BOUND[what]
    with pytest.raises(error, match=sentence):
        bind(model)


@pytest.mark.parametrize("shape", [(1, 1, 32, 32), (32, 32), (1, 0, 32), (1, -1, 32), ()])
def test_an_input_shape_is_three_sides(shape):
    with pytest.raises(ValueError, match=r"expected \(C, H, W\), without the batch axis"):
        bind(LeNet5(), input_shape=shape)


def test_another_device_than_the_models_is_refused():
    with pytest.raises(ValueError, match=r"device='meta', but the model is on cpu: move it first, model.to\('meta'\)"):
        bind(LeNet5(), device="meta")


@pytest.mark.parametrize("device", [None, "cpu", torch.device("cpu")])
def test_the_models_own_device_is_the_device(device):
    assert bind(LeNet5(), device=device).device == torch.device("cpu")


def test_optional_inputs_are_no_inputs():
    class Optional(LeNet5):
        def forward(self, x, targets=None, *rest, scale=1, **more):
            return super().forward(x)

    assert len(bind(Optional()).predict(torch.zeros(1, 32, 32))) == 1


# the input shape

GUESSED = {
    "LeNet-5": (LeNet5, (1, 32, 32)),
    "perceptron of 28x28": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), (1, 28, 28)),
    "perceptron of 3x32x32": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(3072, 10)), (3, 32, 32)),
    "perceptron of 8x8": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), (1, 8, 8)),
    "resnet18": (lambda: cheap(models.resnet18), (3, 224, 224)),
    "any size": (Residual, (3, 224, 224)),
    "gray": (lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()), (1, 224, 224)),
    "8x8": (lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 10)), (1, 8, 8)),
    "96x96": (lambda: nn.Sequential(nn.Conv2d(3, 1, 1), nn.Flatten(), nn.Linear(96 * 96, 2)), (3, 96, 96)),
    "transformer": (lambda: models.VisionTransformer(32, 16, 1, 2, 8, 8, num_classes=3), (3, 32, 32)),
}


@pytest.mark.parametrize("name", GUESSED)
def test_the_input_shape_is_guessed(name):
    build, shape = GUESSED[name]
    net = bind(build())
    assert net.input_shape == shape
    assert len(net.predict(np.zeros(shape[1:], np.uint8))[0]) >= 2


def test_a_shape_that_nobody_could_guess_is_asked_for():
    model = nn.Sequential(nn.Conv2d(3, 1, 1), nn.Flatten(), nn.Linear(37 * 41, 2))
    with pytest.raises(ValueError) as caught:
        _ = bind(model).input_shape
    assert str(caught.value).startswith("cannot determine the input shape of Sequential (tried 3×224×224, 3×32×32, ")
    assert str(caught.value).endswith("): bind with input_shape=(C, H, W)")
    assert "shapes cannot be multiplied" in str(caught.value.__cause__)
    assert bind(model, input_shape=(3, 37, 41)).layers["2"].input_map == (1, 37, 41)


def test_without_a_weight_nothing_says_the_channels():
    with pytest.raises(ValueError, match="no convolution or linear layer says the number of channels"):
        _ = bind(nn.ReLU()).input_shape


def test_the_first_float_tensor_says_the_shape():
    net = bind(Residual())
    net.predict(torch.rand(3, 20, 24))
    assert net.input_shape == (3, 20, 24)
    with pytest.raises(ValueError, match="the network expects 3×20×24"):
        net.predict(torch.rand(3, 21, 24))


@pytest.mark.parametrize("wrong", [torch.rand(1, 28, 28), torch.full((1, 32, 32), math.nan), torch.rand(3, 32, 32)])
def test_a_first_tensor_that_does_not_fit_is_forgotten(wrong):
    net = bind(LeNet5())
    with pytest.raises((RuntimeError, ValueError)):
        net.predict(wrong)
    assert len(net.predict(torch.rand(1, 32, 32))[0]) == 5


def test_what_the_preprocessing_gives_is_the_shape():
    preprocess = v2.Compose([v2.Resize((20, 24)), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
    assert bind(Residual(), preprocess=preprocess).input_shape == (3, 20, 24)


# a network that fails


@pytest.mark.parametrize(
    "error", [NotImplementedError, NameError, TypeError, ValueError, RuntimeError, IndexError, AssertionError]
)
@pytest.mark.parametrize("shape", [None, (3, 32, 32)], ids=["guessed shape", "given shape"])
@pytest.mark.parametrize("use", ["layers", "classes", "predict", "trace"])
def test_the_error_of_a_half_finished_network_is_the_students_own_with_their_line(error, shape, use):
    model = HalfFinished(error)
    net = bind(model, input_shape=shape)
    with unchanged(model), pytest.raises(error, match=r"^TODO: the classifier$") as caught:
        getattr(net, use)(torch.zeros(3, 32, 32)) if use in ("predict", "trace") else getattr(net, use)
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert last.filename.endswith("half_finished.py")
    assert last.line == 'raise self.error("TODO: the classifier")'


def test_a_module_without_a_forward_says_so():
    class Empty(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 3)

    with pytest.raises(NotImplementedError, match=r'\[Empty\] is missing the required "forward" function'):
        _ = bind(Empty()).layers


def test_a_network_that_works_after_its_error_is_bound_as_before():
    model = HalfFinished(NotImplementedError)
    net = bind(model, input_shape=(3, 32, 32))
    with pytest.raises(NotImplementedError):
        _ = net.layers
    model.forward = lambda x: model.conv1(x).mean((2, 3))
    assert net.layers.names == ["conv1", "mean"]


# outputs that are no scores


class Outputs(nn.Module):
    def __init__(self, wrap):
        super().__init__()
        self.conv, self.wrap = nn.Conv2d(3, 2, 3), wrap

    def forward(self, x):
        return self.wrap(F.relu(self.conv(x)))


OUTPUTS = {
    "a dict of out (1×2) and aux (1×2×6×6)": lambda x: {"out": x.mean((2, 3)), "aux": x},
    "an OrderedDict of out (1×2×6×6)": lambda x: OrderedDict(out=x),
    "a tuple of 0 (1×2×6×6) and 1 (1×2×6×6)": lambda x: (x, x),
    "a list of a float32 tensor 1×2×6×6": lambda x: [x],
    "a float32 tensor 1×2×6×6": lambda x: x,
    "a float32 number": lambda x: x.sum(),
    "nothing": lambda x: None,
}


@pytest.mark.parametrize("what", OUTPUTS)
def test_a_network_that_gives_no_scores_has_layers_and_maps_but_predicts_nothing(what):
    model = Outputs(OUTPUTS[what])
    net = bind(model, input_shape=(3, 8, 8))
    assert net.layers.names[:2] == ["conv", "relu"]
    image = torch.rand(3, 8, 8)
    assert torch.equal(net.trace(image, ["conv"])["conv"], model.conv(image[None]))
    with unchanged(model), pytest.raises(TypeError) as caught:
        net.predict(image)
    assert str(caught.value).startswith(f"Outputs outputs {what}; ")
    assert "class scores need a tensor (N, classes): bind a module that returns the scores alone" in str(caught.value)


def test_weights_that_are_nan_are_said_to_be_the_networks():
    model = LeNet5()
    model.fc3.weight.data[3, 5] = math.nan
    net = bind(model)
    with pytest.raises(ValueError, match="1 of the 10 values of the output of LeNet5 is NaN or infinite"):
        net.predict(torch.rand(1, 32, 32))
    model.fc3.weight.data[3, 5] = 0
    assert net.predict(torch.rand(1, 32, 32))


# predictions and classes


class Fixed(nn.Module):
    """Scores that do not depend on the picture but for its number in the batch."""

    def forward(self, x):
        scores = torch.tensor([[1.0, 3.0, 2.0, 0.0]]).repeat(len(x), 1)
        scores[1:] = scores[1:].flip(1)
        return scores + 0 * x.sum()


def test_predictions_are_the_softmax_probabilities_of_the_best_classes():
    net = bind(Fixed(), classes=["ant", "bee", "cat", "dog"], input_shape=(3, 4, 4))
    first, second = net.predict(torch.zeros(2, 3, 4, 4), k=3)
    total = sum(math.exp(score) for score in range(4))
    expected = [math.exp(3) / total, math.exp(2) / total, math.exp(1) / total]
    assert [name for name, _ in first] == ["bee", "cat", "ant"]
    assert [name for name, _ in second] == ["cat", "bee", "dog"]
    for row in (first, second):
        assert [p for _, p in row] == pytest.approx(expected)


def test_no_more_classes_are_predicted_than_there_are():
    assert len(bind(Fixed(), input_shape=(3, 4, 4)).predict(torch.zeros(3, 4, 4), k=9)[0]) == 4


def test_classes_are_numbers_by_default():
    assert bind(LeNet5()).classes == tuple("0123456789")


def test_a_wrong_number_of_class_names_is_said():
    with pytest.raises(ValueError, match="2 class names were given for 4 outputs"):
        bind(Fixed(), classes=["ant", "bee"], input_shape=(3, 4, 4)).predict(torch.zeros(3, 4, 4))


@pytest.mark.parametrize(("given", "index"), [("bee", 1), (1, 1), (np.int64(3), 3), (0, 0)])
def test_a_target_is_an_index_or_a_name(given, index):
    assert bind(Fixed(), classes=["ant", "bee", "cat", "dog"]).target(given) == index


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("cats", r"there is no class 'cats'. Did you mean 'cat' or "),
        ("zebra", r"there is no class 'zebra'\.$"),
        (4, r"there is no class 4: the network has 4, numbered from 0"),
        (-1, r"there is no class -1"),
    ],
)
def test_a_class_that_is_not_there_is_refused(given, sentence):
    with pytest.raises(ValueError, match=sentence):
        bind(Fixed(), classes=["ant", "bee", "cat", "dog"]).target(given)


def test_scores_are_those_of_the_module_in_evaluation_mode():
    model, batch = Residual().train(), torch.rand(3, 3, 16, 16)
    scores = bind(model, input_shape=(3, 16, 16)).scores(batch)
    assert (scores.dtype, scores.device.type, scores.requires_grad) == (torch.float32, "cpu", False)
    with torch.no_grad():
        assert torch.equal(scores, model.eval()(batch))


def test_scores_are_no_view_of_what_the_network_keeps():
    class Keeps(nn.Module):
        def forward(self, x):
            self.last = x.flatten(1)
            return self.last

    net = bind(Keeps(), input_shape=(1, 2, 2))
    with net.running() as double:
        scores = net.scores(torch.ones(1, 2, 2))
        scores.zero_()
        assert double.last.sum() == 4
    assert not hasattr(double, "last") and not hasattr(net.module, "last")


def test_networks_share_inputs_of_the_same_shape_and_preprocessing():
    plain = bind(Residual(), input_shape=(3, 224, 224))
    alexnet, resnet34, efficientnet = (
        bind(Residual(), preprocess=weights.DEFAULT.transforms())
        for weights in (models.AlexNet_Weights, models.ResNet34_Weights, models.EfficientNet_B3_Weights)
    )
    assert alexnet.takes_inputs_of(resnet34)
    assert plain.takes_inputs_of(alexnet)
    assert not alexnet.takes_inputs_of(plain)
    assert not alexnet.takes_inputs_of(efficientnet)
    assert not plain.takes_inputs_of(bind(Residual(), input_shape=(3, 223, 224)))


# names


def test_the_repr_says_what_is_known():
    net = bind(LeNet5())
    assert repr(net) == "<LeNet5: input not known yet, 61,706 parameters>"
    _ = net.layers
    assert repr(net) == "<LeNet5: 1×32×32, 61,706 parameters>"


def test_binding_alone_runs_nothing():
    bind(HalfFinished(AssertionError))
