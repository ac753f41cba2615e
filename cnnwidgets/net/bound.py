"""A torch model, bound: one object that knows the network's layers, its input and its classes, and leaves it as it is."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import nn

from cnnwidgets.net import pictures
from cnnwidgets.net.arena import Arena
from cnnwidgets.net.checks import (
    Shape,
    check_module,
    device_of,
    find_shape,
    shape_of_input,
    shape_of_preprocess,
    usual_shapes,
)
from cnnwidgets.net.graph import Graph
from cnnwidgets.net.items import read
from cnnwidgets.net.layers import Layers, format_shape, nearest
from cnnwidgets.net.no_trace import TORCH_LOCK
from cnnwidgets.net.relu_rules import follow
from cnnwidgets.net.replica import replicate, uncompiled
from cnnwidgets.net.runner import Runner, look
from cnnwidgets.net.trace import Calls, Visit

T = TypeVar("T")

ATTEMPTS = 3
"""Passes that are made while the weights change meanwhile, the last one of a copy of them."""


def bind(
    model: nn.Module,
    *,
    classes: Sequence[str] | None = None,
    preprocess: Callable[[Image.Image], torch.Tensor] | None = None,
    input_shape: Sequence[int] | None = None,
    device: torch.device | str | None = None,
) -> BoundModel:
    """Bind a network, so that panels and methods can ask it things. The network itself is left as it is.

    >>> net = cw.bind(model)
    >>> net.layers
    >>> net.predict("cat.jpg")

    Parameters:
        model: any ``nn.Module`` that takes one batch of pictures (N, C, H, W).
        classes: names of the outputs; their numbers by default.
        preprocess: PIL picture to input tensor (C, H, W), such as ``weights.transforms()``; by default pictures are
            resized to the input and scaled to [0, 1].
        input_shape: (C, H, W); by default what ``preprocess`` gives, else the first float tensor that is shown to the
            network, else found by trying usual sizes.
        device: where inputs go; by default where the parameters are.

    Raises:
        TypeError: the model is no module, or takes several inputs.
        ValueError: the shape, the classes or the device do not fit.
    """
    return BoundModel(model, classes=classes, preprocess=preprocess, input_shape=input_shape, device=device)


class BoundModel:
    """A network and what is known of it; made by :func:`bind` and :func:`load`.

    Attributes:
        module: the very object that was passed.
        name: what reprs call it.
        device: where inputs go.
        code: the lines of plain PyTorch that make ``model`` and ``preprocess``.
    """

    def __init__(
        self, model: nn.Module, *, classes=None, preprocess=None, input_shape=None, device=None, name=None, code=None
    ):
        check_module(model)
        self.module = model
        self.name = name or type(model).__name__
        self.code = code or "model = ...  # your network\npreprocess = ...  # PIL picture to input tensor"
        self.device = device_of(model, device)
        self._classes = tuple(map(str, classes)) if classes is not None else None
        self._preprocess = preprocess
        self._input_shape = shape_of_input(input_shape) if input_shape is not None else None
        self._arena = Arena()
        self._runner: Runner | None = None

    # what is known

    @property
    def input_shape(self) -> Shape:
        """(C, H, W) of one input."""
        if self._input_shape is None:
            usual = usual_shapes(self.module)
            gray = bool(usual) and usual[0][0] == 1
            self._input_shape = (
                shape_of_preprocess(self._preprocess, gray) if self._preprocess else self._first_that_fits(usual)
            )
        return self._input_shape

    @property
    def preprocess(self) -> Callable[[Image.Image], torch.Tensor]:
        """PIL picture to input tensor (C, H, W)."""
        return self._preprocess or pictures.Preprocess(self.input_shape)

    @property
    def layers(self) -> Layers:
        """The layer table, one row a call in execution order; found by running the network once.

        Once the network has other parts, it is another table.
        """
        return self.runner.layers

    @property
    def original(self) -> nn.Module:
        """What the double is made of: the module, or the one that ``torch.compile`` or ``nn.DataParallel`` has wrapped."""
        return uncompiled(self.module)

    @property
    def runner(self) -> Runner:
        """What is run in the network's place, made anew whenever the network's parts have changed."""
        with TORCH_LOCK:
            if self._runner is None or not self._runner.is_current(self.original):
                self._runner = None
                shape = self.input_shape  # where it has to be found, the network is looked at on the way
                self._runner = self._runner or self._look(shape)
            return self._runner

    def alike(self, module: nn.Module, name: str) -> BoundModel:
        """A copy of the network with other weights, bound in the same way; the layer table is the same."""
        other = copy.copy(self)
        other.module, other.name, other._arena = module, name, Arena()
        other._runner = replace(self.runner, double=replicate(module))
        return other

    def _look(self, shape: Shape) -> Runner:
        return look(self.original, torch.zeros(1, *shape, device=self.device, dtype=self.dtype))

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the outputs."""
        if self._classes is not None:
            return self._classes
        outputs = self.runner.outputs
        if outputs is None:
            outputs = self.logits(torch.zeros(1, *self.input_shape)).shape[1]  # which says what is wrong
        return tuple(map(str, range(outputs)))

    @property
    def parameters(self) -> int:
        """Number of parameters, those of parts that evaluation skips (auxiliary classifiers) included."""
        return sum(p.numel() for p in self.module.parameters())

    # pictures in and out

    def prepare(self, images: Any) -> torch.Tensor:
        """The input tensor (N, C, H, W) of one picture, or of a list of them; never a view of what was given.

        Parameters:
            images: a path, a PIL picture, a uint8 or [0, 1] float array (H, W) or (H, W, 3), a uint8 tensor (C, H, W): is
                preprocessed; a float tensor (C, H, W) or (N, C, H, W): is taken as preprocessed; an item of a data
                set, (picture, label, ...) or a dict (see :func:`cnnwidgets.net.items.read`); or a list of these.

        Raises:
            FileNotFoundError, TypeError, ValueError: with a sentence that says what was given and what is wanted.
        """
        if isinstance(images, list):
            if not images:
                raise ValueError("no picture was given: the list is empty")
            return torch.cat([self.prepare(read(image).image) for image in images])
        images = read(images).image
        if isinstance(images, torch.Tensor) and images.is_floating_point():
            return self._check_tensor(images)
        picture = pictures.open_picture(images)
        tensor = self.preprocess(picture.convert("L" if self.input_shape[0] == 1 else "RGB"))
        if not isinstance(tensor, torch.Tensor) or tuple(tensor.shape[-3:]) != self.input_shape:
            got = pictures.describe_tensor(tensor) if isinstance(tensor, torch.Tensor) else type(tensor).__name__
            raise ValueError(f"preprocess gave {got}; the network takes {format_shape(self.input_shape)}")
        return tensor.reshape(1, *self.input_shape).to(self.device, copy=True)

    def picture(self, tensor: torch.Tensor) -> np.ndarray:
        """The picture that an input tensor (C, H, W) or (1, C, H, W) shows: uint8 (H, W, 3)."""
        return pictures.to_pixels(tensor.reshape(tensor.shape[-3:]), self.preprocess)

    def takes(self, tensor: torch.Tensor) -> bool:
        """Whether a preprocessed picture (C, H, W) has the input's shape, as far as that is known."""
        known = self._input_shape is not None or self._preprocess is not None
        return not known or tuple(tensor.shape[-3:]) == self.input_shape

    def takes_inputs_of(self, other: BoundModel) -> bool:
        """Whether the other network's input tensors fit this one: same shape, and no other preprocessing is known."""
        known = self._preprocess is None or repr(self._preprocess) == repr(other.preprocess)  # torchvision's have no ==
        return self.input_shape == other.input_shape and known

    # running

    @contextmanager
    def running(self) -> Iterator[nn.Module]:
        """Inside, the network's double may be run: in evaluation mode, on inputs of ``dtype`` on ``device``."""
        with self.runner.running() as module:
            yield module

    def logits(self, images: Any) -> torch.Tensor:
        """The scores before the softmax: float32 (N, classes), on the CPU.

        Raises:
            TypeError: the network's output is no tensor (N, classes).
        """
        inputs = self.prepare(images)
        with self.running() as module, torch.no_grad():
            output = module(inputs.to(self.dtype))
        return self.check_scores(output).detach().float().cpu().clone()

    def check_scores(self, output: Any) -> torch.Tensor:
        """The network's output, if that is class scores (N, classes); else a TypeError says what it is."""
        if isinstance(output, torch.Tensor) and output.ndim == 2:
            return output
        what = pictures.describe_tensor(output) if isinstance(output, torch.Tensor) else f"a {type(output).__name__}"
        raise TypeError(
            f"{self.name} outputs {what}; class scores need a tensor (N, classes): "
            "bind a module that returns the scores alone"
        )

    def predict(self, images: Any, k: int = 5) -> list[list[tuple[str, float]]]:
        """For each picture the k most probable classes, as (name, softmax probability), the most probable first.

        Raises:
            TypeError: the network's output is no tensor (N, classes).
            ValueError: the output is not finite, or the class names are not as many as the outputs.
        """
        probabilities = self.logits(images).softmax(1)
        pictures.check_finite(probabilities, f"the output of {self.name}")
        if len(self.classes) != probabilities.shape[1]:
            raise ValueError(f"{len(self.classes)} class names were given for {probabilities.shape[1]} outputs")
        values, indices = probabilities.topk(min(k, probabilities.shape[1]))
        return [
            [(self.classes[i], p) for i, p in zip(row, chances, strict=True)]
            for row, chances in zip(indices.tolist(), values.tolist(), strict=True)
        ]

    def target(self, target: int | str) -> int:
        """A class's index, of its index or its name.

        Raises:
            ValueError: there is no such class; names like it are offered.
        """
        if isinstance(target, str):
            if target not in self.classes:
                raise ValueError(f"there is no class {target!r}.{nearest(target, self.classes)}")
            return self.classes.index(target)
        if not 0 <= int(target) < len(self.classes):
            raise ValueError(f"there is no class {target}: the network has {len(self.classes)}, numbered from 0")
        return int(target)

    def run(self, images: Any, visit: Visit, *, cancel=None) -> None:
        """Run the network and show every call's output to ``visit(layer name, tensor)``, in execution order.

        The tensor is the live one, shown before anything later can overwrite it: reduce or copy it, do not keep it.

        Parameters:
            cancel: an object with ``is_set()``, such as a ``threading.Event``; asked between calls.

        Raises:
            Cancelled: cancel was set.
        """
        inputs = self.prepare(images).to(self.dtype)
        with self.running() as module, torch.no_grad(), Calls(module, visit, cancel).watching():
            module(inputs)

    def trace(self, images: Any, layers: Iterable[str] | None = None, *, cancel=None) -> dict[str, torch.Tensor]:
        """Copies of the outputs of some layers (of all by default): name to float32 (N, ...) on the CPU.

        Raises:
            KeyError: there is no such layer; names like it are offered.
            Cancelled: cancel was set.
        """
        inputs = self.prepare(images)
        wanted = {name: self.layers[name] for name in (self.layers.names if layers is None else layers)}
        numbers = len(inputs) * sum(int(np.prod(row.output_shape)) for row in wanted.values())
        rows = {row.name for row in wanted.values()}
        found: dict[str, torch.Tensor] = {}

        def keep(name: str, output: torch.Tensor) -> None:
            if name in rows:
                found[name] = self._arena.copy(output)

        with TORCH_LOCK:  # one trace at a time fills the arena
            self._arena.reset(numbers)
            self.run(inputs, keep, cancel=cancel)
        missing = [row.name for row in wanted.values() if row.name not in found]
        if missing:
            raise RuntimeError(f"this picture takes another path through {self.name}: {missing[0]} was not run")
        return {name: found[row.name] for name, row in wanted.items()}

    @contextmanager
    def graph(
        self, images: Any, layers: Iterable[str] = (), *, rule: str = "backpropagation", snapshot: bool = False
    ) -> Iterator[Graph]:
        """A forward pass of which gradients can be taken inside, as many as are wanted.

        >>> with net.graph("cat.jpg", ["layer4"]) as passed:
        ...     slope = passed.gradient(passed.output[0, 281], "layer4")

        Parameters:
            layers: names in ``net.layers`` whose outputs are kept, to take scores or gradients of.
            rule: for the ReLUs on the way back: ``"backpropagation"``, ``"deconvnet"`` or ``"guided"``.
            snapshot: whether to copy the weights, which then may be trained meanwhile.

        Raises:
            KeyError: there is no such layer; names like it are offered.
            NoRule: a ValueError: the network has no ReLUs, or others that the rule cannot be given to.
            RuntimeError: somebody has changed the weights before the gradient was taken.
        """
        with torch.inference_mode(False), torch.enable_grad():
            inputs = self.prepare(images).to(self.dtype)
            rows = {name: self.layers[name] for name in layers}
            runner = self.runner.with_snapshot(self.original) if snapshot else self.runner
            with runner.running() as module:
                passed = Graph(module, inputs, rows)
                if rule != "backpropagation":
                    follow(rule, [passed.output, *passed.maps.values()])
                yield passed

    def differentiate(
        self, images: Any, work: Callable[[Graph], T], layers: Iterable[str] = (), *, rule: str = "backpropagation"
    ) -> T:
        """What ``work`` makes of a :meth:`graph`, also while somebody trains the network.

        Where the weights are changed between a forward pass and its gradient, the gradient would be of neither network, and
        autograd refuses it: the pass is made again, and the third time on a copy of the weights.

        Parameters:
            work: gets the graph, and may get another one: what it returns is all that it does.
        """
        for attempt in range(ATTEMPTS):
            try:
                with self.graph(images, layers, rule=rule, snapshot=attempt == ATTEMPTS - 1) as passed:
                    return work(passed)
            except RuntimeError as error:
                if attempt == ATTEMPTS - 1 or "modified by an inplace operation" not in str(error):
                    raise
        raise AssertionError

    def __repr__(self) -> str:
        shape = format_shape(self._input_shape) if self._input_shape else "input not known yet"
        return f"<{self.name}: {shape}, {self.parameters:,} parameters>"

    @property
    def dtype(self) -> torch.dtype:
        """The type of the parameters, and so of what the network takes."""
        return next((p.dtype for p in self.module.parameters() if p.is_floating_point()), torch.float32)

    def _check_tensor(self, tensor: torch.Tensor) -> torch.Tensor:
        if tensor.ndim not in (3, 4) or 0 in tensor.shape:
            raise ValueError(f"{pictures.describe_tensor(tensor)} is no picture: wanted is {pictures.WANTED}")
        if self._input_shape is None and self._preprocess is None:
            self._input_shape = self._first_that_fits([shape_of_input(tensor.shape[-3:])])
        if tuple(tensor.shape[-3:]) != self.input_shape:
            raise ValueError(
                f"the picture is {pictures.describe_tensor(tensor)}, the network takes {format_shape(self.input_shape)}: "
                "give a path, a PIL picture or an array, which are resized, or bind with input_shape="
            )
        pictures.check_finite(tensor, "the picture")
        return tensor.detach().reshape(-1, *self.input_shape).to(self.device, torch.float32, copy=True)

    def _first_that_fits(self, shapes: list[Shape]) -> Shape:
        def run(shape: Shape) -> None:
            self._runner = self._look(shape)

        return find_shape(shapes, run, self.name)

    def __getstate__(self) -> dict[str, Any]:
        """Without the double: another process makes its own."""
        return {**vars(self), "_runner": None}
