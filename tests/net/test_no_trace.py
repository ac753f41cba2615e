"""A bound network is left as it was: after success, after an exception, after a cancel."""

from __future__ import annotations

import gc
import random
import threading
import weakref

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from cnnwidgets.net import Cancelled, bind
from tests.net.networks import CancelAt, Function, LeNet5, Residual, everything, twins, unchanged

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")

IMAGE = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))

USES = {
    "layers": lambda net, images: net.layers,
    "input shape": lambda net, images: net.input_shape,
    "classes": lambda net, images: net.classes,
    "scores": lambda net, images: net.scores(images),
    "predict": lambda net, images: net.predict(images),
    "trace": lambda net, images: net.trace(images),
    "run": lambda net, images: net.run(images, lambda name, values: None),
    "picture": lambda net, images: net.picture(images[0]),
}


class Noisy(nn.Module):
    """Draws numbers, and changes its buffers in every way there is."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.bn = nn.BatchNorm2d(4)
        for name in ("in_place", "by_data", "rebound", "through_a_view", "deleted"):
            self.register_buffer(name, torch.zeros(3))
        self.register_buffer("filled", None)
        self.register_buffer("passing", torch.zeros(2), persistent=False)

    def forward(self, x):
        self.in_place.add_(1)
        self.by_data.data.add_(1)
        self.rebound = self.rebound + 1
        self.through_a_view[:1] += 1
        del self.deleted
        self.filled = torch.ones(2)
        self.passing.fill_(float("nan"))
        self.register_buffer("new", torch.ones(1), persistent=False)
        x = self.bn(self.conv(x))
        noise = torch.randn(()) + torch.rand(()) + np.random.randn() + random.gauss(0, 1)
        return x.mean((2, 3)) + noise * 0


class Trains(nn.Module):
    """Switches itself to training mode, as Monte-Carlo dropout does."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.drop = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout()

    def forward(self, x):
        self.bn.train()
        self.drop.train()
        return self.drop(self.bn(self.conv(x))).mean((2, 3))


MODELS = {
    "residual": Residual,
    "noisy": Noisy,
    "trains itself": Trains,
    "shared module": lambda: twins()["shared"],
    "weight norm": lambda: nn.Sequential(parametrizations.weight_norm(nn.Conv2d(3, 4, 3)), nn.Flatten(), nn.Linear(784, 2)),
    "spectral norm": lambda: nn.Sequential(parametrizations.spectral_norm(nn.Conv2d(3, 4, 3)), nn.Flatten()),
}


def user_model(name: str) -> nn.Module:
    """In a state that a user can have it in: in training mode but for a part, partly frozen, with gradients and hooks."""
    torch.manual_seed(0)
    model = MODELS[name]()
    model(IMAGE.clone())
    model = MODELS[name]() if name == "noisy" else model
    model.train()
    parts, parameters = list(model.modules()), list(model.parameters())
    parts[-1].eval()
    parameters[0].requires_grad_(False)
    for parameter in parameters[1:]:
        parameter.grad = torch.rand_like(parameter)
    parts[1].register_forward_hook(lambda module, args, output: None)
    parts[1].register_full_backward_hook(lambda module, before, after: None)
    np.random.seed(0)
    np.random.randn()  # the second of the pair that it makes is kept for the next call
    random.gauss(0, 1)
    return model


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("name", MODELS)
def test_nothing_is_changed_by_success(name, use):
    model = user_model(name)
    with unchanged(model):
        USES[use](bind(model, input_shape=None if use == "input shape" else (3, 16, 16)), IMAGE)


@pytest.mark.parametrize("use", [use for use in USES if use != "picture"])
def test_nothing_is_changed_by_an_exception_in_forward(use):
    def forward(self, x):
        x = self.inner(x)
        torch.rand(3)
        raise KeyError("half finished")

    model = Function(forward, inner=user_model("noisy"))
    with unchanged(model), pytest.raises(KeyError, match="half finished"):
        USES[use](bind(model, input_shape=None if use == "input shape" else (3, 16, 16)), IMAGE)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("moment", [0, 1, 2])
def test_nothing_is_changed_by_a_cancel(name, moment):
    model = user_model(name)
    with unchanged(model), pytest.raises(Cancelled):
        bind(model, input_shape=(3, 16, 16)).trace(IMAGE, cancel=CancelAt(moment))


def test_the_module_is_the_very_object():
    model = Residual()
    assert bind(model).module is model


@pytest.mark.parametrize("use", ["scores", "predict", "trace", "run"])
def test_the_input_tensor_is_unchanged_even_where_the_network_works_in_place(use):
    model = nn.Sequential(nn.ReLU(inplace=True), nn.Flatten(), nn.Dropout(inplace=True), nn.Linear(3 * 16 * 16, 2))
    mine = (IMAGE - 0.5).requires_grad_()
    before, version = mine.detach().clone(), mine._version
    USES[use](bind(model, input_shape=(3, 16, 16)), mine)
    assert torch.equal(mine, before)
    assert (mine._version, mine.grad, mine.grad_fn, mine.requires_grad) == (version, None, None, True)


def test_a_graph_that_the_user_is_about_to_differentiate_still_can_be():
    """An in-place write to a buffer or parameter, even of the same values, would make this backward pass raise."""
    model = Residual().train()
    loss = model(IMAGE).sum()
    bind(model, input_shape=(3, 16, 16)).trace(IMAGE)
    loss.backward()
    assert model.conv1.weight.grad is not None


def test_random_numbers_go_on_as_if_nothing_had_happened():
    def numbers(between):
        torch.manual_seed(1)
        np.random.seed(1)
        random.seed(1)
        first = [np.random.randn(), random.gauss(0, 1), float(torch.randn(()))]
        between()
        return [*first, np.random.randn(), np.random.rand(), random.gauss(0, 1), random.random(), float(torch.randn(()))]

    net = bind(Noisy(), input_shape=(3, 16, 16))
    assert numbers(lambda: net.trace(IMAGE)) == numbers(lambda: None)


@pytest.mark.parametrize("grad", [True, False])
def test_the_grad_mode_is_the_users_own(grad):
    with torch.set_grad_enabled(grad):
        bind(Residual(), input_shape=(3, 16, 16)).trace(IMAGE)
        assert torch.is_grad_enabled() == grad


def test_the_network_can_be_trained_between_two_uses():
    model = Residual()
    net = bind(model, input_shape=(3, 16, 16))
    before = net.scores(IMAGE)
    with torch.no_grad():
        model.fc.bias.add_(1)
    torch.testing.assert_close(net.scores(IMAGE), before + 1)


def test_a_scripted_model_is_left_as_it_was():
    model = torch.jit.script(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten())).train()
    before = [(name, values.clone()) for name, values in model.state_dict().items()]
    bind(model, input_shape=(3, 16, 16)).trace(IMAGE)
    assert model.training
    assert all(torch.equal(model.state_dict()[name], values) for name, values in before)


def test_nothing_keeps_the_model_alive():
    model = Residual()
    net = bind(model, input_shape=(3, 16, 16))
    maps = net.trace(IMAGE)
    with pytest.raises(Cancelled):
        net.trace(IMAGE, cancel=CancelAt(2))
    alive = weakref.ref(model)
    del model, net
    gc.collect()
    assert alive() is None
    assert maps["conv1"].isfinite().all()


def test_two_threads_at_once_leave_no_trace():
    model = user_model("noisy")
    net = bind(model, input_shape=(3, 16, 16))
    before = everything(model)
    threads = [threading.Thread(target=lambda: [net.predict(IMAGE) for _ in range(20)]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert everything(model) == before


@pytest.mark.parametrize("use", ["layers", "predict", "trace"])
def test_nothing_is_changed_by_a_panels_thread(use):
    model = user_model("noisy")
    with unchanged(model):
        thread = threading.Thread(target=lambda: USES[use](bind(model, input_shape=(3, 16, 16)), IMAGE))
        thread.start()
        thread.join()


def test_a_training_that_draws_numbers_while_a_panel_computes_draws_no_number_twice():
    net, computing, drawn = bind(Residual(), input_shape=(3, 16, 16)), threading.Event(), threading.Event()

    def visit(name, values):
        computing.set()
        drawn.wait(10)

    panel = threading.Thread(target=net.run, args=(IMAGE, visit))
    panel.start()
    computing.wait(10)
    torch.rand(3)
    state = torch.get_rng_state()
    drawn.set()
    panel.join()
    assert torch.equal(torch.get_rng_state(), state)


def test_lenet5_gives_the_same_scores_before_and_after():
    model = LeNet5().eval()
    image = torch.rand(1, 1, 32, 32)
    before = model(image)
    bind(model).trace(image)
    assert torch.equal(model(image), before)
