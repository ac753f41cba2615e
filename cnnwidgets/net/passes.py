"""A network's forward passes: what is run, and what is shown, kept and differentiated on the way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from cnnwidgets.net.arena import Arena
from cnnwidgets.net.arguments import checked
from cnnwidgets.net.batching import Evidence, fingerprint, look_beside
from cnnwidgets.net.checks import Shape, dtype_of
from cnnwidgets.net.graph import Graph
from cnnwidgets.net.layers import Layers
from cnnwidgets.net.locks import Lock
from cnnwidgets.net.progress import Cancel
from cnnwidgets.net.relu_rules import follow
from cnnwidgets.net.replica import uncompiled
from cnnwidgets.net.runner import Runner, look
from cnnwidgets.net.trace import Calls, Visit, tensors_in

T = TypeVar("T")

ATTEMPTS = 3
"""Passes that are made while the weights change meanwhile, the last one of a copy of them."""


class Passes(ABC):
    """A network that can be run, without being changed; what it is given is for :class:`BoundModel` to say.

    Attributes:
        module: the very object that was passed.
        name: what reprs call it.
        device: where inputs go.
    """

    module: nn.Module
    name: str
    device: torch.device
    _runner: Runner | None = None
    _evidence: Evidence | None = None

    def __init__(self) -> None:
        self._looking = Lock()  # held while the network is looked at: others wait for what is seen
        self._arena, self._filling = Arena(), Lock()  # one trace at a time fills the arena

    @property
    @abstractmethod
    def input_shape(self) -> Shape:
        """(C, H, W) of one input."""

    @abstractmethod
    def prepare(self, images: Any, *, notes: list[str] | None = None) -> torch.Tensor:
        """The input tensor (N, C, H, W) of pictures."""

    @property
    def dtype(self) -> torch.dtype:
        """The type of the parameters, and so of what the network takes."""
        return dtype_of(self.module)

    @property
    def layers(self) -> Layers:
        """The layer table, one row a call in execution order; found by running the network once.

        Once the network has other parts, it is another table.
        """
        return self.runner.layers

    @property
    def original(self) -> nn.Module:
        """What the double is made of: the module, or of a compiled one the module that was compiled."""
        return uncompiled(self.module)

    @property
    def runner(self) -> Runner:
        """What is run in the network's place, made anew whenever the network's parts have changed."""
        with self._looking:
            if self._runner is not None and not self._runner.is_current(self.original):
                self._runner = None
            shape = self.input_shape  # where it has to be found, the network is looked at on the way
            if self._runner is None or self._runner.shape != shape:
                self._runner = self._look(shape)
            return self._runner

    @property
    def draws(self) -> bool:
        """Whether the network draws random numbers when it answers; every pass here draws the same ones."""
        return self.runner.draws or self.runner.draws_others

    def takes_batches(self, picture: torch.Tensor | None = None) -> bool:
        """Whether a picture is given the same answer beside others as alone, so that several may be shown at once.

        Parameters: as of :meth:`why_alone`.
        """
        return not self.why_alone(picture)

    def why_alone(self, picture: torch.Tensor | None = None) -> str:
        """A sentence on why pictures must be shown one at a time; empty if several may be shown at once.

        It is found out by a few passes, once, and anew when weights or parts have changed. A network that draws random
        numbers draws others for each picture of a batch; alone, all pictures get the same ones.

        Parameters:
            picture: (1, C, H, W), preprocessed, which is shown beside others; noise by default.
        """
        if self.draws:
            return self.runner.about_draws
        for attempt in range(ATTEMPTS):
            runner, weights, found = self.runner, fingerprint(self.original), self._evidence
            if found is not None and found.runner is runner and found.weights == weights:
                return found.sentence
            is_last = attempt == ATTEMPTS - 1
            looked_at = runner.with_snapshot(self.original) if is_last else runner
            if picture is None:
                picture = torch.randn(1, *runner.shape, generator=torch.Generator().manual_seed(1))
            sentence = look_beside(looked_at, picture.detach().to(self.device, self.dtype))
            if is_last or fingerprint(self.original) == weights:  # else somebody trains it, and passes were of other weights
                self._evidence = Evidence(runner, weights, sentence)
                return sentence
        raise AssertionError

    def _look(self, shape: Shape) -> Runner:
        return look(self.original, self._blank(shape))

    def _run_blank(self, shape: Shape) -> None:
        """Run the network on zeros of a shape, whatever is known of its input; raises what it raises."""
        with self._looking:
            if self._runner is None or not self._runner.is_current(self.original):
                self._runner = self._look(shape)
                return
            runner = self._runner
        with runner.running() as module, torch.no_grad():
            module(self._blank(shape))

    def _blank(self, shape: Shape) -> torch.Tensor:
        return torch.zeros(1, *shape, device=self.device, dtype=self.dtype)

    @contextmanager
    def running(self) -> Iterator[nn.Module]:
        """Inside, the network's double may be run: in evaluation mode, on inputs of ``dtype`` on ``device``."""
        with self.runner.running() as module:
            yield module

    def run(self, images: Any, visit: Visit | None = None, *, cancel: Cancel | None = None) -> Any:
        """Run the network and show every call's output to ``visit(layer name, tensor)``, in execution order.

        The tensor is the live one, shown before anything later can overwrite it: reduce or copy it, do not keep it.

        Parameters:
            cancel: an object with ``is_set()``, such as a ``threading.Event``; asked between calls that are shown.

        Returns:
            What the network gives, whatever that is.

        Raises:
            Cancelled: cancel was set.
        """
        inputs = self.prepare(images).to(self.dtype)
        with self.running() as module, torch.no_grad(), Calls(module, visit, cancel).watching() if visit else nullcontext():
            return module(inputs)

    @checked
    def trace(
        self, images: Any, layers: Iterable[str] | None = None, *, cancel: Cancel | None = None
    ) -> dict[str, torch.Tensor]:
        """Copies of the outputs of some layers (of all by default): name to float32 (N, ...) on the CPU.

        Raises:
            KeyError: there is no such layer; names like it are offered.
            Cancelled: cancel was set.
        """
        inputs = self.prepare(images)
        table = self.layers  # once: it is asked each time whether the network has changed
        wanted = {name: table[name] for name in (table.names if layers is None else layers)}
        numbers = len(inputs) * sum(int(np.prod(row.output_shape)) for row in wanted.values())
        rows = {row.name for row in wanted.values()}
        found: dict[str, torch.Tensor] = {}

        with self._empty_arena(numbers) as arena:

            def keep(name: str, output: torch.Tensor) -> None:
                if name in rows:
                    found[name] = arena.copy(output)

            self.run(inputs, keep, cancel=cancel)
        missing = [row.name for row in wanted.values() if row.name not in found]
        if missing:
            raise RuntimeError(f"this picture takes a different path through {self.name}: {missing[0]} was not run")
        return {name: found[row.name] for name, row in wanted.items()}

    @contextmanager
    def _empty_arena(self, numbers: int) -> Iterator[Arena]:
        """Room for so many numbers; a new one where another trace is filling that which is used again."""
        free = self._filling.acquire(blocking=False)
        try:
            arena = self._arena if free else Arena()
            arena.reset(numbers)
            yield arena
        finally:
            if free:
                self._filling.release()

    @contextmanager
    def graph(
        self,
        images: Any,
        layers: Iterable[str] = (),
        *,
        rule: str = "backpropagation",
        snapshot: bool = False,
        to_end: bool = True,
    ) -> Iterator[Graph]:
        """A forward pass of which gradients can be taken inside, as many as are wanted.

        >>> with net.graph("cat.jpg", ["layer4"]) as passed:
        ...     slope = passed.gradient(passed.output[0, 281], "layer4")

        Parameters:
            layers: names in ``net.layers`` whose outputs are kept, to take scores or gradients of.
            rule: for the ReLUs on the way back from the output: ``"backpropagation"``, ``"deconvnet"`` or ``"guided"``.
            snapshot: whether to copy the weights, which then may be trained meanwhile.
            to_end: whether the pass goes on to the output behind the last of the layers, or ends there.

        Raises:
            KeyError: there is no such layer; names like it are offered.
            NoRule: a ValueError: the network has no ReLUs, or others that the rule cannot be given to.
            RuntimeError: somebody has changed the weights before the gradient was taken.
        """
        with torch.inference_mode(False), torch.enable_grad():
            inputs = self.prepare(images).to(self.dtype)
            table = self.layers
            rows = {name: table[name] for name in layers}
            runner = self.runner.with_snapshot(self.original) if snapshot else self.runner
            with runner.running() as module:
                passed = Graph(module, inputs, rows, table.ending, to_end=to_end)
                if rule != "backpropagation":
                    follow(rule, [*tensors_in(passed.output), *passed.maps.values()])
                yield passed

    def differentiate(
        self,
        images: Any,
        work: Callable[[Graph], T],
        layers: Iterable[str] = (),
        *,
        rule: str = "backpropagation",
        to_end: bool = True,
    ) -> T:
        """What ``work`` makes of a :meth:`graph`, also while somebody trains the network.

        Where the weights are changed between a forward pass and its gradient, the gradient would be of neither network, and
        autograd refuses it: the pass is made again, and the third time on a copy of the weights.

        Parameters:
            work: gets the graph, and may get another one: what it returns is all that it does.
            layers, rule, to_end: as of :meth:`graph`.
        """
        for attempt in range(ATTEMPTS):
            try:
                last = attempt == ATTEMPTS - 1
                with self.graph(images, layers, rule=rule, snapshot=last, to_end=to_end) as passed:
                    return work(passed)
            except RuntimeError as error:
                if last or "modified by an inplace operation" not in str(error):
                    raise
        raise AssertionError
