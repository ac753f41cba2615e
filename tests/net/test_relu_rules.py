"""The three ways back through a ReLU: the lecture's numbers, every way to write one, and what is refused."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from captum.attr import Deconvolution, GuidedBackprop
from torch import nn
from torch.utils.checkpoint import checkpoint

from cnnwidgets.net import bind
from cnnwidgets.net.relu_rules import RULES, NoRule
from tests.methods.small import picture, small
from tests.net.networks import Function, unchanged
from tests.net.relu_by_functions import gradient

INPUT = torch.tensor([[1.0, -1, 5], [2, -5, -7], [-3, 2, 4]])
ABOVE = torch.tensor([[-2.0, 3, -1], [6, -3, 1], [2, -1, 3]])


def back(net, image, target=0, *, rule):
    with net.graph(image, rule=rule) as passed:
        return passed.gradient(passed.output[0, target])


@pytest.mark.parametrize(
    "rule, expected",
    [
        ("backpropagation", [[-2, 0, -1], [6, 0, 0], [0, -1, 3]]),
        ("deconvnet", [[0, 3, 0], [6, 0, 1], [2, 0, 3]]),
        ("guided", [[0, 0, 0], [6, 0, 0], [0, 0, 3]]),
    ],
)
def test_the_lectures_three_by_three_example(rule, expected):
    net = bind(Function(lambda self, x: (F.relu(x) * ABOVE).sum((2, 3))), input_shape=(1, 3, 3))
    assert back(net, INPUT[None, None], rule=rule)[0, 0].tolist() == expected


def two_branches(relu):
    """A network whose two branches meet, with its ReLUs written in some way; the same weights each time."""
    torch.manual_seed(0)
    parts = {
        "first": nn.Conv2d(3, 4, 3),
        "left": nn.Conv2d(4, 4, 3),
        "right": nn.Conv2d(4, 4, 3),
        "last": nn.Linear(4, 5),
        "one": nn.ReLU(),
        "other": nn.ReLU(),
        "third": nn.ReLU(),
        "in_place": nn.ReLU(inplace=True),
    }

    def forward(self, x):
        x = relu(self, "one")(self.first(x))
        left, right = relu(self, "other")(self.left(x)), relu(self, "third")(self.right(x))
        return self.last((left + right).mean((2, 3)))

    return Function(forward, **parts).eval()


WAYS = {
    "a module each": lambda self, name: getattr(self, name),
    "in place": lambda self, name: self.in_place,
    "one shared module": lambda self, name: self.one,
    "F.relu": lambda self, name: F.relu,
    "F.relu_": lambda self, name: F.relu_,
    "torch.relu": lambda self, name: torch.relu,
    "Tensor.relu_": lambda self, name: torch.Tensor.relu_,
    "clamp": lambda self, name: lambda x: x.clamp(min=0),
    "clamp_min_": lambda self, name: lambda x: x.clamp_min_(0),
    "a threshold": lambda self, name: lambda x: F.threshold(x, 0, 0),
    "of a checkpoint": lambda self, name: lambda x: checkpoint(F.relu, x, use_reentrant=False),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("way", WAYS)
def test_twins_have_the_same_gradient_however_their_relu_is_written(way, rule):
    image = picture()
    expected = gradient(two_branches(WAYS["a module each"]), image[None], 2, rule)
    assert expected.abs().max() > 0
    model = two_branches(WAYS[way])
    with unchanged(model):
        found = back(bind(model, input_shape=(3, 12, 12)), image, 2, rule=rule)
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("peer, rule", [(GuidedBackprop, "guided"), (Deconvolution, "deconvnet")])
def test_captum_gives_the_same_for_modules(peer, rule):
    model, image = small(), picture()
    theirs = peer(model).attribute(image[None].clone().requires_grad_(), target=1)
    assert torch.allclose(back(bind(model, input_shape=(3, 12, 12)), image, 1, rule=rule), theirs, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("rule", RULES)
def test_a_relu_with_a_ceiling_is_one_too(rule):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU6(), nn.Conv2d(8, 4, 3), nn.ReLU6(), nn.Flatten(), nn.Linear(256, 3))
    image = 20 * picture()
    with torch.no_grad():
        assert (model[:2](image[None]) == 6).any()
    assert torch.equal(back(bind(model, input_shape=(3, 12, 12)), image, rule=rule), gradient(model, image[None], 0, rule))


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_scripted_network_is_right_or_refused_but_never_silently_wrong():
    model, image = small(), picture()
    expected = gradient(model, image[None], 0, "guided")
    scripted = bind(torch.jit.trace(model, image[None]), input_shape=(3, 12, 12))
    for _ in range(4):  # the first runs are profiled, later ones optimized
        try:
            found = back(scripted, image, rule="guided")
        except NoRule:
            continue
        assert torch.allclose(found, expected, rtol=1e-5, atol=1e-8)


class Hidden(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, above):
        return above * (ctx.saved_tensors[0] > 0)


def chosen(y):
    return torch.where(y > 0, y, 0.0)


def filled(y):
    return y.masked_fill(y < 0, 0)


def on_a_view(self, x):
    x = self.first(x)
    x[:, :2].relu_()
    return F.relu(x).mean((2, 3))


@pytest.mark.parametrize(
    "forward, reason",
    [
        (lambda self, x: F.relu(F.silu(self.first(x))).mean((2, 3)), "SiLU"),
        (lambda self, x: F.gelu(self.first(x)).mean((2, 3)), "GELU"),
        (lambda self, x: F.leaky_relu(self.first(x)).mean((2, 3)), "leaky ReLU"),
        (lambda self, x: F.hardswish(F.relu(self.first(x))).mean((2, 3)), "hard swish"),
        (lambda self, x: F.elu(self.first(x)).mean((2, 3)), "ELU"),
        (lambda self, x: F.relu(Hidden.apply(self.first(x))).mean((2, 3)), "Hidden"),
        (lambda self, x: torch.maximum(self.first(x), torch.zeros(())).relu().mean((2, 3)), "a maximum"),
        (lambda self, x: torch.max(self.first(x), torch.zeros(())).relu().mean((2, 3)), "a maximum"),
        (lambda self, x: chosen(self.first(x)).relu().mean((2, 3)), "torch.where"),
        (lambda self, x: filled(self.first(x)).relu().mean((2, 3)), "a masked fill"),
        (lambda self, x: F.relu(F.logsigmoid(self.first(x)) + 1).mean((2, 3)), "log sigmoid"),
        (lambda self, x: F.relu(F.glu(self.first(x), 1)).mean((2, 3)), "gated linear unit"),
        (on_a_view, "a view"),
        (lambda self, x: torch.tanh(self.first(x)).mean((2, 3)), "no ReLU lies between this score and the picture"),
    ],
)
@pytest.mark.parametrize("rule", ["deconvnet", "guided"])
def test_what_cannot_be_ruled_is_refused_with_the_reason(forward, reason, rule):
    torch.manual_seed(0)
    net = bind(Function(forward, first=nn.Conv2d(3, 4, 3)), input_shape=(3, 8, 8))
    image = picture(8)
    with pytest.raises(NoRule, match=reason):
        back(net, image, rule=rule)
    assert back(net, image, rule="backpropagation").abs().max() > 0


def pooled(pool):
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), pool, nn.Conv2d(6, 4, 3), pool, nn.Flatten(), nn.Linear(4, 3)).eval()


@pytest.mark.parametrize("peer, rule", [(GuidedBackprop, "guided"), (Deconvolution, "deconvnet")])
@pytest.mark.parametrize("power", [1, 2])
def test_the_relu_of_sizes_within_a_power_pooling_follows_no_rule_as_in_captum(power, peer, rule):
    model, image = pooled(nn.LPPool2d(power, 2)), picture()
    theirs = peer(model).attribute(image[None].clone().requires_grad_(), target=1)
    found = back(bind(model, input_shape=(3, 12, 12)), image, 1, rule=rule)
    assert theirs.abs().max() > 0
    assert torch.allclose(found, theirs, rtol=1e-5, atol=1e-8)


def test_a_network_whose_only_relu_is_within_a_power_pooling_has_none():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.LPPool2d(2, 2), nn.Flatten(), nn.Linear(100, 3))
    with pytest.raises(NoRule, match="no ReLU lies between this score and the picture"):
        back(bind(model, input_shape=(3, 12, 12)), picture(), rule="guided")


def test_a_relu_of_sizes_that_the_network_writes_itself_follows_the_rule():
    model, image = nn.Sequential(nn.Conv2d(3, 4, 3), Function(lambda self, x: x.abs()), nn.ReLU(), nn.Flatten()), picture()
    model.append(nn.Linear(400, 3))
    theirs = GuidedBackprop(model).attribute(image[None].clone().requires_grad_(), target=1)
    assert torch.allclose(back(bind(model, input_shape=(3, 12, 12)), image, 1, rule="guided"), theirs, rtol=1e-5, atol=1e-8)
