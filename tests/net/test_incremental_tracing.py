"""Forward passes as people write them: windows where they can be, whole pictures elsewhere, and nothing stays behind."""

from __future__ import annotations

import dataclasses
import io
import logging

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import fx, nn
from torch.utils.checkpoint import checkpoint

from cnnwidgets.methods import occlusion
from cnnwidgets.net import Cancelled
from cnnwidgets.net.incremental import engine, folding, scorer
from tests.net.networks import unchanged
from tests.net.occluding import PATCH, assert_right, asserting, picture, with_forward

WINDOWS = "exact windows in 2 of 2 convolutions"
HALF = "exact windows in 1 of 2 convolutions"
ALONE = "one picture after the other: torch.fx cannot follow its forward pass ({})"


def buffers(**values):
    def setup(module):
        for name, value in values.items():
            module.register_buffer(name, torch.tensor(value))

    return setup


# arguments


def with_default(self, x, mask=None):
    x = self.conv1(x)
    if mask is not None:
        x = x * mask
    return self.end(x)


def by_name_only(self, x, *, scale=2.0):
    return self.end(self.conv1(x) * scale)


def by_star(self, *args):
    return self.end(self.conv1(args[0]))


def by_both_stars(self, *args, **kwargs):
    return self.end(self.conv1(*args, **kwargs))


# what they keep


def moving_average(self, x):
    x = self.conv1(x)
    self.average = 0.9 * self.average + x.detach().mean()
    return self.end(x)


def counting(self, x):
    self.count += 1
    return self.end(self.conv1(x))


def counting_for_the_score(self, x):
    self.count += 1
    return self.end(self.conv1(x) * self.count)


def copied(self, x):
    self.seen.copy_(x.mean((0, 2, 3)))
    return self.end(self.conv1(x))


def decayed(self, x):
    self.seen.mul_(0.9).add_(x.mean((0, 2, 3)))
    return self.end(self.conv1(x))


def kept(self, x):
    self.last = x
    self.maps.append(x)
    self.calls = getattr(self, "calls", 0) + 1
    return self.end(self.conv1(x))


# control flow


def on_sizes(self, x):
    x = self.conv1(x)
    _, channels, height, width = x.shape
    assert channels == 4 and x.dim() == 4 and len(x.shape) == 4
    if x.size(2) % 2 == 0 and x.dtype == torch.float32 and x.device.type == "cpu":
        x = x * 2
    for _ in range(height // 4):
        x = x + 1
    return self.end(x.clamp(max=float(width)))


def while_large(self, x):
    x = self.conv1(x)
    while x.shape[-1] > 4:
        x = F.max_pool2d(x, 2)
    return self.end(x)


def on_kinds(self, x):
    if not isinstance(x, torch.Tensor) or isinstance(x.shape, list):
        raise TypeError("expected a tensor")
    return self.end(self.conv1(x))


def on_a_flag(self, x):
    x = self.conv1(x)
    if self.flag:
        x = x * 2
    return self.end(x if self.training else x + self.flag.item())


def in_a_loop(self, x):
    maps = [x]
    for module in self.children():
        if isinstance(module, nn.Conv2d):
            maps.append(F.relu(module(maps[-1])))
    return self.head(maps[-1].amax((2, 3)))


def in_parts(self, x):
    return self.end(torch.cat([F.relu(part) for part in self.conv1(x).split(2, dim=1)], dim=1))


def telling(self, x):
    x = self.conv1(x)
    print(x.mean(), f"{x.amax():.3f}", x.shape, file=io.StringIO())
    logging.getLogger(__name__).debug("mean %s", x.mean())
    return self.end(x)


# what surrounds them


def without_gradients(self, x):
    with torch.no_grad():
        return self.end(self.conv1(x))


def without_casting(self, x):
    with torch.autocast("cpu", enabled=False):
        return self.end(self.conv1(x))


def checkpointed(self, x):
    return self.end(checkpoint(self.conv1, x, use_reentrant=False))


def with_an_unused_branch(self, x):
    self.conv2(self.conv1(x) * 3)
    return self.end(self.conv1(x))


FORWARDS = [
    *((forward, WINDOWS, None) for forward in (with_default, by_name_only, by_star, by_both_stars)),
    (moving_average, WINDOWS, buffers(average=0.0)),
    (counting, WINDOWS, buffers(count=0)),
    (counting, WINDOWS, lambda module: setattr(module, "count", torch.zeros(()))),
    (copied, WINDOWS, buffers(seen=[0.0, 0.0])),
    (decayed, WINDOWS, buffers(seen=[0.0, 0.0])),
    (kept, WINDOWS, lambda module: setattr(module, "maps", [])),
    *((forward, WINDOWS, None) for forward in (on_sizes, on_kinds, in_a_loop, asserting, telling)),
    *((forward, WINDOWS, None) for forward in (without_gradients, without_casting, checkpointed, with_an_unused_branch)),
    (on_a_flag, WINDOWS, buffers(flag=1.0)),
    (while_large, WINDOWS, None),
    (in_parts, HALF, None),
]


@pytest.mark.parametrize("forward, how, setup", FORWARDS, ids=lambda value: getattr(value, "__name__", ""))
def test_windows_work_and_nothing_stays_behind(forward, how, setup):
    net = with_forward(forward, setup or (lambda module: None))
    with unchanged(net.module):
        assert assert_right(net) == how
    assert_no_stand_ins(net.module)
    assert_no_stand_ins(net.runner.double.module)


def assert_no_stand_ins(module):
    for part in module.modules():
        held = [*vars(part).values(), *part._buffers.values()]
        held += [thing for container in held if isinstance(container, list) for thing in container]
        assert not [thing for thing in held if isinstance(thing, fx.Proxy)]


def test_what_counts_for_the_score_is_counted():
    net = with_forward(counting_for_the_score, buffers(count=0))
    with unchanged(net.module):
        assert_right(net)


# values


def on_values(self, x):
    x = self.conv1(x)
    if x.sum() > 0:
        x = x * 2
    return self.end(x)


def on_values_in_a_try(self, x):
    x = self.conv1(x)
    try:
        if x.sum() > 0:
            x = x * 2
    except Exception:
        x = x * 100
    return self.end(x)


def on_their_number(self, x):
    return self.end(self.conv1(x)) if len(x) else None


def through_numpy(self, x):
    return self.end(torch.from_numpy(np.tanh(self.conv1(x).detach().numpy())))


def writing_into_a_constant(self, x):
    out = torch.zeros(1, 4, 8, 8)
    out[:, :2] = self.conv1(x)[:, :2]
    return self.end(out)


@torch.jit.script
def scripted(x):
    return torch.relu(x) * 2


def through_a_script(self, x):
    return self.end(scripted(self.conv1(x)))


@pytest.mark.parametrize(
    "forward, why",
    [
        (on_values, "it branches on values"),
        (on_values_in_a_try, "it branches on values"),
        (on_their_number, "it asks how many pictures there are"),
        (writing_into_a_constant, "it writes into a tensor that no picture has given"),
        (through_numpy, None),
        (through_a_script, None),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_cannot_be_followed_sees_whole_pictures(forward, why):
    net = with_forward(forward)
    with unchanged(net.module):
        how = assert_right(net)
    assert how == ALONE.format(why) if why else how.startswith(ALONE[:-3])
    assert_no_stand_ins(net.runner.double.module)


def test_a_pass_under_autocast_takes_plain_batches():
    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            x = self.conv1(x)
        return self.end(x.float())

    assert assert_right(with_forward(forward)) == "plain batches: it computes under autocast"


@pytest.mark.parametrize(
    "forward",
    [
        lambda self, x: self.end((x := self.conv1(x)) / x.abs().amax()),
        lambda self, x: self.end((x := self.conv1(x)) * x.mean().item()),
        lambda self, x: self.end((x := self.conv1(x)) - x[0, 0, 0, 0]),
    ],
    ids=["amax", "item", "one cell"],
)
def test_a_number_of_all_pictures_is_of_one_picture(forward):
    assert assert_right(with_forward(forward)).endswith(" is one number of all pictures of a batch")


# outputs


@dataclasses.dataclass
class Answer:
    logits: torch.Tensor


@pytest.mark.parametrize(
    "wrap, target",
    [
        (lambda scores: {"out": scores}, lambda output: output["out"][:, 0]),
        (lambda scores: (scores, 1), lambda output: output[0][:, 0]),
        (lambda scores: Answer(scores), lambda output: output.logits[:, 0]),
    ],
    ids=["dict", "tuple", "dataclass"],
)
def test_outputs_of_any_form(wrap, target):
    net = with_forward(lambda self, x: wrap(self.end(self.conv1(x))))
    assert assert_right(net, target) == WINDOWS


@pytest.mark.parametrize(
    "forward, value",
    [
        (lambda self, x: x.flatten(1)[:, :3] * 0 + 1, 1.0),
        (lambda self, x: self.head(torch.ones(1, 4)).expand(x.shape[0], 3) * 0 + 2, 2.0),
        (lambda self, x: x.new_zeros(x.shape[0], 3), 0.0),
    ],
)
def test_an_output_that_does_not_depend_on_the_picture(forward, value):
    result = occlusion(with_forward(forward), picture(), 0, score="logit", **PATCH)
    assert (result.values == value).all()


def test_a_network_that_gives_its_input():
    result = occlusion(with_forward(lambda self, x: x.flatten(1)), picture(), 0, score="logit", patch=2, stride=1)
    wanted = np.full((9, 9), picture()[0, 0, 0])
    wanted[0, 0] = picture()[0].mean()
    np.testing.assert_allclose(result.values, wanted, rtol=1e-6)


def test_a_map_of_no_channels():
    def forward(self, x):
        x = self.conv1(x)
        nothing = F.relu(x[:, :0]) * 2
        return self.end(torch.cat([x, nothing], 1)) + nothing.sum((1, 2, 3))[:, None]

    assert_right(with_forward(forward))


def test_a_module_that_is_called_twice():
    net = with_forward(lambda self, x: self.end(self.conv2(self.same(self.conv2(self.conv1(x))))), same=nn.Identity())
    assert assert_right(net) == "exact windows in 4 of 4 convolutions"


# whatever else goes wrong


@pytest.mark.parametrize("place", ["fold", "Program", "Engine"])
def test_an_error_on_the_way_to_windows_is_said_and_whole_pictures_are_taken(place, monkeypatch):
    def fail(*args):
        raise KeyError("a reason")

    monkeypatch.setattr(scorer, place, fail)
    net = with_forward(by_star)
    assert assert_right(net) == "plain batches: windows of its maps fail ('a reason')"
    monkeypatch.undo()
    assert assert_right(net) == WINDOWS


def test_an_error_half_way_is_said_and_the_rest_is_found_from_whole_pictures(monkeypatch):
    net, windows, calls = with_forward(by_star), engine.Engine.windows, []
    assert assert_right(net) == WINDOWS  # which proves them

    def fail_later(self, route):
        calls.append(len(route))
        if len(calls) > 2:
            raise IndexError("a reason")
        return windows(self, route)

    monkeypatch.setattr(engine.Engine, "windows", fail_later)
    monkeypatch.setattr(scorer, "BATCH", 3)
    monkeypatch.setattr(scorer, "FEWEST_WINDOWS", 3)
    assert assert_right(net) == "plain batches: windows of its maps fail (a reason)"
    assert len(calls) == 3


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Cancelled()], ids=["interrupt", "cancelled"])
def test_who_stops_it_stops_it(error, monkeypatch):
    def stop(*args):
        raise error

    monkeypatch.setattr(scorer, "Engine", stop)
    with pytest.raises(type(error)):
        occlusion(with_forward(by_star), picture(), **PATCH)


def test_errors_of_the_network_itself_come_through():
    def forward(self, x):
        if x.amin() < -1e3:
            raise ZeroDivisionError("its own")
        return self.end(self.conv1(x))

    net = with_forward(forward)
    with pytest.raises(ZeroDivisionError, match="its own"):
        occlusion(net, picture() * 1e4, 0, **PATCH)


def test_a_network_that_cannot_be_followed_is_tried_once(monkeypatch):
    net, calls = with_forward(on_values), []
    monkeypatch.setattr(scorer, "fold", lambda *args: calls.append(args) or folding.fold(*args))
    for _ in range(3):
        occlusion(net, picture(), **PATCH)
    assert len(calls) == 1


def test_a_network_that_cannot_be_copied_is_left_as_it_was():
    def forward(self, x):
        self.average = 0.9 * self.average + x.mean()
        self.count += 1
        self.last = x
        return self.end(self.conv1(x))

    def setup(module):
        buffers(average=0.0, count=0)(module)
        module.generator = (number for number in range(3))  # no deepcopy

    net = with_forward(forward, setup)
    result = occlusion(net, picture(), 0, **PATCH)
    assert result.how == WINDOWS
    assert_no_stand_ins(net.module)
    assert net.module.count == 0 and net.module.average == 0


def test_a_stand_in_that_somebody_keeps_is_of_no_use():
    held = []

    def forward(self, x):
        held.append(x)
        return self.end(self.conv1(x))

    folding.fold(with_forward(forward).module)
    with pytest.raises(ValueError, match="a forward pass was traced, and is over"):
        held[-1] + 1
