"""Whether a network answers picture by picture is found out, once, and anew when it has changed."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision import models

from cnnwidgets.net import bind
from tests.methods.small import picture, small
from tests.net.brute_force import lively
from tests.net.mixing import MIXING, by_a_hook, mixing, not_tracking
from tests.net.networks import Function, LeNet5, Residual, cheap, unchanged

SHAPE = (3, 12, 12)


def passes_of(net) -> list[int]:
    """How many pictures each forward pass of a network had, from now on: the double is made anew with this hook."""
    seen: list[int] = []
    net.module.register_forward_pre_hook(lambda module, args: seen.append(len(args[0])))
    _ = net.output
    seen.clear()
    return seen


@pytest.mark.parametrize("how", MIXING)
def test_a_network_that_mixes_its_batch_is_noticed_and_left_as_it_is(how):
    model = MIXING[how]()
    net = bind(model, input_shape=SHAPE)
    with unchanged(model):
        assert not net.takes_batches()
    (note,) = [note for note in net.notes if "one at a time" in note]
    assert note.startswith("the answer to a picture depends on the others in its batch")


@pytest.mark.parametrize(
    "image", [torch.zeros(3, 12, 12), torch.ones(3, 12, 12), picture()], ids=["black", "one color", "noise"]
)
@pytest.mark.parametrize("how", MIXING)
def test_no_picture_that_it_is_tried_with_hides_that(how, image):
    assert not bind(MIXING[how](), input_shape=SHAPE).takes_batches(image[None])


ORDINARY = {
    "lenet": (LeNet5, (1, 32, 32)),
    "a residual net": (lambda: lively(Residual()), SHAPE),
    "batch norm": (small, SHAPE),
    "a large offset": (lambda: nn.Sequential(small(), Function(lambda self, z: z + 1e6)), SHAPE),
    "instance norm": (lambda: nn.Sequential(nn.InstanceNorm2d(3), small()), SHAPE),
    "answers always the same": (lambda: Function(lambda self, x: x.flatten(1)[:, :3] * 0 + 1), SHAPE),
    "not a number": (lambda: Function(lambda self, x: x.flatten(1)[:, :3] * torch.nan), SHAPE),
    "half precision": (lambda: small().bfloat16(), SHAPE),
    "a tuple": (lambda: Function(lambda self, x: (self.body(x), x.mean((2, 3))), body=small()), SHAPE),
    "a list by picture": (lambda: Function(lambda self, x: [{"scores": row} for row in self.body(x)], body=small()), SHAPE),
    "one row of all": (lambda: Function(lambda self, x: {"all": self.body(x).flatten()}, body=small()), SHAPE),
    "resnet18": (lambda: cheap(models.resnet18), (3, 64, 64)),
    "mobilenet": (lambda: cheap(models.mobilenet_v3_small), (3, 64, 64)),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_a_network_that_answers_picture_by_picture_takes_batches(name):
    build, shape = ORDINARY[name]
    net = bind(build().eval(), input_shape=shape)
    assert net.takes_batches()
    assert not any("one at a time" in note for note in net.notes)


def test_a_network_that_takes_one_picture_only_is_noticed():
    net = bind(Function(lambda self, x: self.body(x.reshape(1, 3, 12, 12)), body=small()), input_shape=SHAPE)
    assert not net.takes_batches()
    assert "the network takes one picture at a time" in net.notes


def test_the_first_layer_that_mixes_is_named():
    net = bind(not_tracking(), input_shape=SHAPE)
    net.takes_batches()
    assert any("(from 1 on)" in note for note in net.notes)
    named = bind(Function(lambda self, x: self.body(F.relu(x - x.mean(0))), body=small()), input_shape=SHAPE)
    named.takes_batches()
    assert any("(from sub on)" in note for note in named.notes)


def test_it_is_found_out_once_with_seven_pictures():
    net = bind(small(), input_shape=SHAPE)
    seen = passes_of(net)
    assert net.takes_batches() and seen == [2, 2, 2, 1]
    assert net.takes_batches() and net.takes_batches(picture()[None]) and len(seen) == 4


def test_it_is_found_out_anew_when_weights_have_changed():
    model = Function(lambda self, x: self.body(x - self.share * x.mean(0)), body=small())
    model.register_parameter("share", nn.Parameter(torch.zeros(())))
    net = bind(model.eval(), input_shape=SHAPE)
    assert net.takes_batches()
    with torch.no_grad():
        model.share.fill_(0.5)
    assert not net.takes_batches()
    model.share.data.zero_()  # which counts as no change for autograd
    assert net.takes_batches()
    assert not any("one at a time" in note for note in net.notes)


def test_it_is_found_out_anew_when_a_hook_came():
    model = small()
    net = bind(model, input_shape=SHAPE)
    assert net.takes_batches()
    handle = model[0].register_forward_hook(lambda module, args, output: output - output.mean(0))
    assert not net.takes_batches()
    handle.remove()
    assert net.takes_batches()


def test_a_copy_with_other_weights_is_looked_at_by_itself():
    net = bind(small(), input_shape=SHAPE)
    assert net.takes_batches()
    assert not net.alike(nn.Sequential(by_a_hook()), "another").takes_batches()
    assert net.takes_batches()


@pytest.mark.parametrize("how", MIXING)
def test_scores_and_predictions_of_several_pictures_are_those_of_each_alone(how):
    model = MIXING[how]()
    net, images = bind(model, input_shape=SHAPE), torch.stack([picture() + 0.1 * picture(seed=k) for k in range(5)])
    with torch.no_grad():
        alone = torch.cat([model(one) for one in images.split(1)])
        together = model(images)
    assert torch.equal(net.scores(images), alone)
    assert (together - alone).abs().max() > 10 * torch.finfo(torch.float32).eps * alone.abs().max()
    assert net.predict(images) == [net.predict(image)[0] for image in images]


def test_a_single_picture_costs_no_pass_more():
    net = bind(mixing("minus the mean"), input_shape=SHAPE)
    seen = passes_of(net)
    net.predict(picture())
    assert seen == [1]
