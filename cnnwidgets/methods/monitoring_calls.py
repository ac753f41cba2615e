"""Seeing a training from inside: each forward pass, what the loss function is given, and what ``backward`` is called on.

All of it passes one ``torch.overrides.TorchFunctionMode``, which is on while the training runs: so functional ReLUs, losses
of any form and ``loss.backward()`` are seen without a line in the loop.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnnwidgets.net.internals import DisableTorchFunction
from cnnwidgets.net.randomness import OwnNumbers
from cnnwidgets.net.trace import Calls, first_tensor, tensors_in

DEAD_FOR = 5
"""Sampled batches in a row for which a unit must be 0 to count as dead."""

RECTIFIERS = frozenset(("relu", "relu6", "threshold", "clamp", "clamp_min"))
SATURATING = {"tanh": (-0.99, 0.99), "sigmoid": (0.01, 0.99)}
"""Between these values an activation function has a slope worth the name."""
ACTIVATIONS = (
    RECTIFIERS | SATURATING.keys() | frozenset("leaky_relu prelu elu selu celu gelu silu mish hardswish softplus".split())
)

LOSSES = {
    *(F.cross_entropy, F.nll_loss, F.multi_margin_loss, F.binary_cross_entropy, F.binary_cross_entropy_with_logits),
    *(F.multilabel_soft_margin_loss, F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss, F.poisson_nll_loss),
}
"""The losses of torch that take scores and labels, also when a module of ``torch.nn`` calls them."""

WANTED = LOSSES | {Tensor.backward, torch.eq, Tensor.eq, Tensor.__eq__}


class Statistics(NamedTuple):
    """Of all values that a call gives; what does not apply to its kind is NaN."""

    mean: float
    deviation: float
    dead: float
    saturated: float


class Trainer(Protocol):
    """What is told of a training."""

    def begins(self, args: tuple, kwargs: dict[str, Any], training: bool) -> bool: ...
    def looks(self, inputs: Tensor | None, training: bool) -> None: ...
    def saw_loss(self, function: Callable, scores: Tensor, labels: Tensor, kwargs: dict[str, Any], loss: Tensor) -> None: ...
    def saw_equal(self, sides: tuple, hits: Tensor, answer: Any) -> None: ...
    def going_back(self, loss: Tensor) -> None: ...


class Watching(Calls):
    """Tells a trainer of all that happens, and takes statistics of the calls of the forward passes that it wants sampled.

    Attributes:
        found: by the call's name, its kind and statistics, of the last forward pass that was sampled.
    """

    def __init__(self, model: nn.Module, trainer: Trainer):
        super().__init__(model, lambda name, output: None)
        self._model, self._trainer, self._sampling = model, trainer, False
        self._alive: dict[str, deque[Tensor]] = {}
        self.found: dict[str, tuple[str, Statistics]] = {}
        self._seconds = 0.0
        self._answer: Any = None

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if not self._sampling and func not in WANTED:  # most calls: as little as can be
            return func(*args, **kwargs) if kwargs else func(*args)
        kwargs = kwargs or {}
        if self._is_foreign():
            return func(*args, **kwargs)
        return self._wanted(func, args, kwargs) if func in WANTED else super().__torch_function__(func, types, args, kwargs)

    def _wanted(self, func: Any, args: tuple, kwargs: dict) -> Any:
        if func in LOSSES:
            return self._loss(func, args, kwargs)
        if func is Tensor.backward:
            with self._stepping_aside(), torch.no_grad():  # which may look at a whole forward pass
                self._trainer.going_back(args[0])
            return func(*args, **kwargs)
        output = func(*args, **kwargs)
        if not torch.is_grad_enabled() and isinstance(output, Tensor):
            with self.aside():
                self._trainer.saw_equal(args, output, self._answer)
        return output

    def _loss(self, func: Any, args: tuple, kwargs: dict) -> Any:
        aside, self._aside = self._aside, True  # a loss may be made of others
        try:
            output = func(*args, **kwargs)
        finally:
            self._aside = aside
        given = [*args, *(kwargs[name] for name in ("input", "target") if name in kwargs)][:2]
        if len(given) == 2 and all(isinstance(each, Tensor) for each in (*given, output)):
            with self.aside():
                self._trainer.saw_loss(func, given[0], given[1], kwargs, output)
        return output

    def _began(self, model: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
        """A hook: a forward pass of the whole network begins."""
        if self._is_foreign():
            return
        self._count.clear()
        self._scope.clear()
        self._leaf = None
        training = torch.is_grad_enabled()
        self._sampling = self._trainer.begins(args, kwargs, training)
        if self._sampling or not training:
            self.found = {} if self._sampling else self.found
            with self.aside():
                self._trainer.looks(first_tensor((args, kwargs)), training)

    def _ended(self, model: nn.Module, args: tuple, output: Any) -> None:
        """A hook: it ends."""
        if not self._is_foreign():
            self._sampling = False
            self._answer = None if torch.is_grad_enabled() else output

    def sample(self) -> tuple[dict[str, tuple[str, Statistics]], float]:
        """What was found in the last forward pass that was sampled, and the seconds that it took; once."""
        found, seconds = self.found, self._seconds
        self.found, self._seconds = {}, 0.0
        return found, seconds

    def stepping_aside(self) -> Any:
        """What runs inside is no part of the training, but may follow forward passes itself."""
        return self._stepping_aside()

    def aside(self) -> Aside:
        """What runs inside is no part of the training."""
        return Aside(self)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Inside, a training on this thread is seen; afterwards the network has the hooks that it had before."""
        self._thread = threading.get_ident()
        began = nn.Module.register_forward_pre_hook(self._model, self._began, prepend=True, with_kwargs=True)
        ended = nn.Module.register_forward_hook(self._model, self._ended, always_call=True)
        try:
            with super().watching():
                yield
        finally:
            began.remove()
            ended.remove()
            self._answer = None

    def _enter(self, module: nn.Module, args: tuple) -> None:
        if self._sampling and module in self._names:
            super()._enter(module, args)

    def _leave(self, module: nn.Module, args: tuple, output: Any) -> None:
        if self._sampling and self._scope and module in self._names:
            super()._leave(module, args, output)

    def saw_call(self, name: str, kind: str | nn.Module, output: Tensor) -> None:
        start = time.perf_counter()
        word = type(kind).__name__ if isinstance(kind, nn.Module) else kind
        plain = _plain_name(word)
        if plain in ACTIVATIONS:
            self.found[name] = plain, self._statistics(name, plain, output.detach())
        elif isinstance(kind, nn.Module) and kind._parameters:
            self.found[name] = word, self._statistics(name, "", output.detach())
        self._seconds += time.perf_counter() - start

    def _statistics(self, name: str, kind: str, output: Tensor) -> Statistics:
        with DisableTorchFunction(), torch.no_grad():
            values = output if output.is_floating_point() else output.float()
            mean = float(values.mean())
            square = float(torch.linalg.vector_norm(values)) ** 2 / max(1, values.numel()) - mean**2
            deviation = square**0.5 if square > 1e-3 * mean**2 else float(values.std(correction=0))
            dead = self._dead(name, values) if kind in RECTIFIERS else float("nan")
            saturated = _beyond(values, *SATURATING[kind]) if kind in SATURATING else float("nan")
        return Statistics(mean, deviation, dead, saturated)

    def _dead(self, name: str, values: Tensor) -> float:
        """The share of units that were 0 in the last batches; NaN before there are enough of them."""
        axis = 1 if values.ndim in (2, 4, 5) else values.ndim - 1
        others = [k for k in range(values.ndim) if k != axis]
        largest, least = values.amax(others), values.amin(others)
        batches = self._alive.setdefault(name, deque(maxlen=DEAD_FOR))
        if batches and batches[0].shape != largest.shape:
            batches.clear()
        batches.append((largest != 0) | (least != 0))
        return 1 - float(torch.stack([*batches]).any(0).float().mean()) if len(batches) == DEAD_FOR else float("nan")

    def __deepcopy__(self, memo: dict) -> Silent:
        return Silent()

    def __reduce__(self) -> tuple[Any, ...]:
        return Silent, ()


class Aside:
    """Inside, nothing is seen, and nothing has gradients. A class, which takes a third of a generator's time."""

    def __init__(self, watching: Watching):
        self._watching, self._parts = watching, (DisableTorchFunction(), torch.no_grad())

    def __enter__(self) -> None:
        self._before, self._watching._aside = self._watching._aside, True
        for part in self._parts:
            part.__enter__()

    def __exit__(self, *error: Any) -> None:
        for part in reversed(self._parts):
            part.__exit__(*error)
        self._watching._aside = self._before


class Silent:
    """Stands in the hooks of a network's copies, which are no part of the training."""

    _sampling = False

    def _is_foreign(self) -> bool:
        """Whoever calls it."""
        return True

    def _began(self, *given: Any) -> None:
        """Does nothing, as the others."""

    _ended = _enter = _leave = _began


def first_broken(model: nn.Module, args: tuple, kwargs: dict[str, Any]) -> str | None:
    """The first call of a forward pass that gives a NaN or an infinity; "input" if it is given one; None if none does.

    The network runs once more as it is; its buffers and the random numbers are put back.
    """
    if any(_is_broken(each) for each in tensors_in((args, kwargs))):
        return "input"
    found: list[str] = []

    def look(name: str, output: Tensor) -> None:
        if not found and _is_broken(output):
            found.append(name)

    buffers = [(each, each.clone()) for each in model.buffers()]
    calls = Calls(model, look)
    try:
        with OwnNumbers(0), torch.no_grad(), calls.watching():
            model(*args, **kwargs)
    finally:
        with torch.no_grad():
            for each, value in buffers:
                each.copy_(value)
    return found[0] if found else None


def _is_broken(values: Tensor) -> bool:
    return values.is_floating_point() and not bool(torch.isfinite(values).all())


def _beyond(values: Tensor, low: float, high: float) -> float:
    return float(((values < low) | (values > high)).float().mean())


def _plain_name(word: str) -> str:
    return {"leakyrelu": "leaky_relu"}.get(word.lower(), word.lower())
