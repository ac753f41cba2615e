"""How a signal travels through the layers of a network, forward as activations and back as gradients."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnnwidgets.methods.copies import trainable_copy
from cnnwidgets.methods.criteria import Loss, accuracy, fit_labels, scores_of
from cnnwidgets.methods.stacks import LinearStack
from cnnwidgets.net.arguments import checked
from cnnwidgets.net.randomness import Stream
from cnnwidgets.net.trace import Calls, first_tensor
from cnnwidgets.numbers import number, percent

ACTIVATIONS = frozenset(
    "relu relu6 prelu rrelu leaky_relu elu selu celu gelu silu mish tanh sigmoid hardtanh hardswish hardsigmoid "
    "softplus softsign logsigmoid tanhshrink softshrink hardshrink threshold".split()
)
"""Functions whose outputs are a network's signal, by torch's names."""

WEIGHTED = frozenset("linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d".split())
"""Those of a network that has no activation."""

BOUNDS = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0), "hardtanh": (-1.0, 1.0), "hardsigmoid": (0.0, 1.0)}
"""The ends of those activations that have two; what is within :data:`NEAR` of an end is saturated."""

NEAR = 0.01

DEAD = 0.1
"""A signal whose deviation falls below this share of the first layer's dies; one that grows as much explodes."""

BINS = 41
SAMPLE = 100_000
"""Values of a layer that a histogram counts at most."""


@dataclass(frozen=True, eq=False)
class Values:
    """The numbers in each layer: activations, or the loss's gradients by them.

    Attributes:
        mean, std: float64 (layers,), over all pictures, units and positions.
        between: float64 (layers,), the deviation from picture to picture: the root of the variance over the batch, averaged
            over units and positions. What is the same for all pictures tells nothing about them.
        counts: int64 (layers, bins): a histogram of at most 100,000 values drawn at random; the first and the last bin hold
            what lies beyond, too.
        edges: float64 (bins + 1,), the same for all layers.
    """

    mean: np.ndarray
    std: np.ndarray
    between: np.ndarray
    counts: np.ndarray
    edges: np.ndarray


@dataclass(frozen=True, eq=False)
class Signal:
    """The signal in each layer of a network, for one batch.

    Attributes:
        layers: names, in the order of the forward pass.
        functions: what gives the values of each: "tanh", for example.
        activations: the values.
        gradients: of the batch's mean loss by those values.
        dead: float64 (layers,), the share of units that are exactly 0 for the whole batch.
        saturated: float64 (layers,), the share of values within 0.01 of an end of tanh or sigmoid; NaN of other functions.
        alike: bool (layers,), whether all units of a layer give the same.
        loss, accuracy: of the batch.
    """

    layers: tuple[str, ...]
    functions: tuple[str, ...]
    activations: Values
    gradients: Values
    dead: np.ndarray
    saturated: np.ndarray
    alike: np.ndarray
    loss: float
    accuracy: float

    @property
    def finding(self) -> str:
        """What becomes of the signal on its way, in a sentence."""
        std, between = self.activations.std, self.activations.between
        names = [_spoken(name) for name in self.layers]
        first, last = (f"{number(std[k])} in {names[k]}" for k in (0, -1))
        if not np.isfinite(std).all():
            return f"The signal is lost: {names[int(np.isfinite(std).argmin())]} gives NaN or infinity."
        if not std.all() and not self.activations.mean[std == 0].any():
            return f"There is no signal: every value is 0 from {names[int((std == 0).argmax())]} on."
        if self.alike.all():
            return "All units of a layer give the same: a layer is worth no more than a single unit."
        if std[-1] < DEAD * std[0]:
            return f"The signal dies: its deviation falls from {first} to {last}."
        if std[-1] * DEAD > std[0]:
            return f"The signal explodes: its deviation grows from {first} to {last}."
        if self.saturated[-1] > 0.5:
            share = percent(self.saturated[-1])
            return f"The signal saturates: {share} of the values in {names[-1]} are within {NEAR} of an end."
        if between[-1] < DEAD * between[0]:
            ends = [f"{number(between[k])} in {names[k]}" for k in (0, -1)]
            return f"All pictures become one: the deviation from picture to picture falls from {ends[0]} to {ends[1]}."
        return f"The signal lives: its deviation is {first} and {last}."

    @property
    def facts(self) -> list[str]:
        """Sentences on the gradient on its way back, and on dead units."""
        back, names = self.gradients.std, [_spoken(name) for name in self.layers]
        found = []
        if len(back) > 1 and np.isfinite(back).all() and back[-1]:
            ratio = back[0] / back[-1]
            verb = "vanishes" if ratio < DEAD else "explodes" if ratio > 1 / DEAD else "gets through"
            found.append(f"The gradient {verb}: in {names[0]} it is {number(ratio)} times what it is in {names[-1]}.")
        most = int(self.dead.argmax())
        if self.dead[most]:
            found.append(f"{percent(self.dead[most])} of the units in {names[most]} are 0 for every picture of the batch.")
        return found


def _spoken(layer: str) -> str:
    return re.sub(r"^layer(\d+)$", r"layer \1", layer)


@checked
def signal(
    module: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    criterion: Loss = F.cross_entropy,
    layers: Sequence[str] | None = None,
    seed: int = 0,
) -> Signal:
    """Send a batch through a copy of a network in training mode, and its loss back, and look at every layer.

    >>> images, labels = next(iter(loader))
    >>> cw.methods.signal(model, images, labels).activations.std

    Parameters:
        module: the network; it stays as it is.
        images, labels: a batch.
        criterion: scores and labels to their mean loss.
        layers: names of modules whose outputs are looked at; by default what each activation function gives, or, in a
            network without one, each linear layer and convolution.
        seed: of what the network draws: dropout, for example.

    Raises:
        KeyError, TypeError, ValueError: the network cannot be copied, gives no scores, or shows no layer.
    """
    twin = trainable_copy(module).train()
    names = (
        tuple(layers) if layers is not None else getattr(module, "names", None) if isinstance(module, LinearStack) else None
    )
    for name in names or ():
        twin.get_submodule(name)
    device = next((each.device for each in twin.parameters()), torch.device("cpu"))
    x = images.detach().to(device).clone().requires_grad_()
    listener = _Listener(twin, names)
    with Stream(seed).flowing(), torch.inference_mode(False), torch.enable_grad():
        with listener.watching():
            scores = scores_of(twin(x))
        fitting = fit_labels(scores, labels.to(device), criterion)
        loss = criterion(scores, fitting)
        torch.autograd.grad(loss, x)
    found = listener.found()
    if not found:
        raise ValueError("no layer is seen in this network: expected one with activations, linear layers or convolutions")
    return _signal(found, loss.item(), accuracy(scores, fitting, criterion))


class _Listener(Calls):
    """Notes what each layer gives in a forward pass, and the gradient by it in the backward pass that follows."""

    def __init__(self, module: nn.Module, names: Sequence[str] | None):
        super().__init__(module, visit=lambda name, output: None)
        self._wanted, self._last = names, ""
        self._active: list[_Layer] = []
        self._weighted: list[_Layer] = []
        self._named: list[_Layer] = []

    def saw_function(self, name: str, args: tuple, kwargs: dict, output: Any) -> None:
        self._last, tensor = name, first_tensor(output)
        kept = self._active if name in ACTIVATIONS else self._weighted if name in WEIGHTED else None
        if self._wanted is None and kept is not None and tensor is not None:
            within = self._scope[-1] if self._scope else ""
            kept.append(_Layer(within if self._leaf is not None else ".".join(filter(None, (within, name))), name, tensor))

    def saw_call(self, name: str, kind: str | nn.Module, output: Tensor) -> None:
        self.saw_block(name, output)

    def saw_block(self, name: str, output: Tensor) -> None:
        if name in (self._wanted or ()):
            self._named.append(_Layer(name, self._last, output))

    def found(self) -> list[_Layer]:
        chosen = self._named or self._active or self._weighted
        counted: dict[str, int] = {}
        for layer in chosen:
            counted[layer.name] = counted.get(layer.name, 0) + 1
            if counted[layer.name] > 1:
                layer.name = f"{layer.name}:{counted[layer.name]}"
        return chosen


class _Layer:
    """A layer's output as it is now, and later the gradient by it; a later in-place function does not change them."""

    def __init__(self, name: str, kind: str, output: Tensor):
        self.name, self.kind, self.saturated = name or kind, kind, math.nan
        values = output.detach().double()
        self.activations = _numbers(values)
        self.gradients = _numbers(torch.zeros_like(values))
        units = values.movedim(-1 if values.ndim == 3 else min(1, values.ndim - 1), 0).flatten(1)
        self.dead = (units == 0).all(1).double().mean().item()
        self.alike = bool(len(units) > 1 and (units - units[0]).abs().max() <= 1e-5 * units.abs().max())
        self.bounds = BOUNDS.get(kind)
        if self.bounds:
            low, high = self.bounds
            self.saturated = ((values > high - NEAR) | (values < low + NEAR)).double().mean().item()
        if output.requires_grad:
            output.register_hook(self._take)

    def _take(self, gradient: Tensor) -> None:
        self.gradients = _numbers(gradient.detach().double())


def _numbers(values: Tensor) -> tuple[float, float, float, np.ndarray]:
    """Mean, deviation, deviation from picture to picture, and some of the values of a layer (N, …)."""
    variance, mean = torch.var_mean(values, correction=0)
    between = values.flatten(1).var(0, correction=0).mean().sqrt()
    flat = values.flatten()
    if flat.numel() > SAMPLE:
        flat = flat[torch.randint(flat.numel(), (SAMPLE,), generator=torch.Generator().manual_seed(0)).to(flat.device)]
    return mean.item(), variance.sqrt().item(), between.item(), flat.cpu().numpy()


def _signal(found: Sequence[_Layer], loss: float, right: float) -> Signal:
    bounds = {each.bounds for each in found}
    return Signal(
        tuple(each.name for each in found),
        tuple(each.kind for each in found),
        _values([each.activations for each in found], next(iter(bounds)) if len(bounds) == 1 else None),
        _values([each.gradients for each in found], None),
        np.array([each.dead for each in found]),
        np.array([each.saturated for each in found]),
        np.array([each.alike for each in found]),
        loss,
        right,
    )


def _values(found: Sequence[tuple[float, float, float, np.ndarray]], bounds: tuple[float, float] | None) -> Values:
    """The numbers of all layers, with histograms over one range: the bounds, or what holds all but one in a hundred."""
    samples = [sample[np.isfinite(sample)] for *_, sample in found]
    if bounds is None:
        ends = [np.quantile(sample, [0.005, 0.995]) for sample in samples if len(sample)] or [np.zeros(2)]
        low, high = min(pair[0] for pair in ends), max(pair[1] for pair in ends)
        bounds = (low, high) if high > low else (low - 1.0, high + 1.0)
    edges = np.linspace(*bounds, BINS + 1)
    counts = np.stack([np.histogram(np.clip(sample, *bounds), edges)[0] for sample in samples])
    mean, std, between = np.array([numbers for *numbers, _ in found]).T
    return Values(mean, std, between, counts, edges)
