"""A torch model, bound: one object that knows the network's layers, its input and its classes, and leaves it as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cached_property
from typing import Any

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
from cnnwidgets.net.layers import Layers, format_shape, nearest
from cnnwidgets.net.no_trace import TORCH_LOCK, no_trace
from cnnwidgets.net.output import Output, check_outputs
from cnnwidgets.net.relu_rules import follow
from cnnwidgets.net.survey import survey
from cnnwidgets.net.telling import HIDDEN, describe, operation_by_graph, told
from cnnwidgets.net.trace import Calls, Visit, tensors_in


def bind(
    model: nn.Module,
    *,
    classes: Sequence[str] | None = None,
    preprocess: Callable[[Image.Image], torch.Tensor] | None = None,
    input_shape: Sequence[int] | None = None,
    device: torch.device | str | None = None,
    outputs: str | None = None,
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
        outputs: what the network's outputs are. By default it is told from the last operation of the network and from what
            comes out for a few inputs, and ``net.output`` and ``repr(net)`` say what was found:

            - ``"logits"``: one a class; a softmax makes probabilities of them;
            - ``"log_probabilities"``: one a class, as a log-softmax gives them;
            - ``"probabilities"``: one a class, which sum to 1, as a softmax gives them;
            - ``"labels"``: a probability for each label, as sigmoids give them; several labels may be on;
            - ``"label_logits"``: a logit for each label, before the sigmoids (only you can tell them from logits);
            - ``"binary"``: a single probability, that of the second of two classes;
            - ``"binary_logit"``: a single logit, before the sigmoid;
            - ``"values"``: of a regression.

    Raises:
        TypeError: the model is no module, or takes several inputs.
        ValueError: the shape, the classes, the device or the outputs do not fit.
    """
    known = {"classes": classes, "preprocess": preprocess, "input_shape": input_shape, "device": device, "outputs": outputs}
    return BoundModel(model, **known)


class BoundModel:
    """A network and what is known of it; made by :func:`bind` and :func:`load`.

    Attributes:
        module: the very object that was passed.
        name: what reprs call it.
        device: where inputs go.
        code: the lines of plain PyTorch that make ``model`` and ``preprocess``.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        classes=None,
        preprocess=None,
        input_shape=None,
        device=None,
        outputs=None,
        name=None,
        code=None,
    ):
        check_module(model)
        self.module = model
        self.name = name or type(model).__name__
        self.code = code or "model = ...  # your network\npreprocess = ...  # PIL picture to input tensor"
        self.device = device_of(model, device)
        self._classes = tuple(map(str, classes)) if classes is not None else None
        self._preprocess = preprocess
        self._input_shape = shape_of_input(input_shape) if input_shape is not None else None
        self._outputs = check_outputs(outputs)
        self._arena = Arena()

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

    @cached_property
    def layers(self) -> Layers:
        """The layer table, one row a call in execution order; found by running the network once."""
        return survey(self.module, torch.zeros(1, *self.input_shape, device=self.device, dtype=self.dtype))

    @cached_property
    def output(self) -> Output:
        """What the network's output means; told from how its forward pass ends, and perhaps by looking at a few outputs.

        Raises:
            ValueError: what comes out is not what ``outputs=`` says.
        """
        ending = self.layers.ending
        if not ending.operation and any(isinstance(part, HIDDEN) for part in self.module.modules()):
            with self.graph(torch.zeros(1, *self.input_shape)) as passed:
                ending = ending._replace(operation=operation_by_graph(passed.output))
        return told(ending, self._first_table, self._outputs, self._classes)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the outputs, or of the two classes that a single output tells apart; none if it gives no table (N, K)."""
        if self._classes is not None and len(self._classes) > 1:
            return self._classes
        return self.output.names(self._classes)

    @property
    def parameters(self) -> int:
        """Number of parameters, those of parts that evaluation skips (auxiliary classifiers) included."""
        return sum(p.numel() for p in self.module.parameters())

    # pictures in and out

    def prepare(self, images: Any) -> torch.Tensor:
        """The input tensor (N, C, H, W) of one picture, or of a list of them; never a view of what was given.

        Parameters:
            images: a path, a PIL picture, a uint8 or [0, 1] float array (H, W) or (H, W, 3), a uint8 tensor (C, H, W): is
                preprocessed; a float tensor (C, H, W) or (N, C, H, W): is taken as preprocessed; an item
                (image, label) of a data set; or a list of these.

        Raises:
            FileNotFoundError, TypeError, ValueError: with a sentence that says what was given and what is wanted.
        """
        if isinstance(images, list):
            if not images:
                raise ValueError("no picture was given: the list is empty")
            return torch.cat([self.prepare(image) for image in images])
        if isinstance(images, tuple) and len(images) == 2 and np.ndim(images[1]) == 0:
            images = images[0]
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

    def scores(self, images: Any) -> torch.Tensor:
        """What the network gives, as it is: float32 (N, K), on the CPU.

        Raises:
            TypeError: the network's output is no tensor (N, K).
        """
        inputs, _ = self.prepare(images), self.output  # which looks at pictures of its own, if it is not told yet
        with no_trace(self.module), torch.no_grad():
            output = self.module(inputs.to(self.dtype))
        return self.check_scores(output, len(inputs)).detach().float().cpu().clone()

    def probabilities(self, images: Any) -> torch.Tensor:
        """The probability of each class: float32 (N, classes), on the CPU; the columns are those of ``net.classes``.

        Raises:
            TypeError: the network's output is no tensor (N, K).
            ValueError: the network gives values, and no probabilities.
        """
        scores = self.scores(images)
        if not self.output.has_probabilities:
            raise ValueError(f"{self.output.sentence}: probabilities are expected; bind with outputs= if they are that")
        return self.output.answers(scores)

    def check_scores(self, output: Any, count: int) -> torch.Tensor:
        """What the network gave for so many pictures, if that is a table (N, K); else a TypeError says what it is."""
        table = self.output.table(output, count)
        if table is not None:
            return table
        raise TypeError(
            f"{self.name} outputs {describe(output)}; class scores need a tensor (N, classes): "
            "bind a module that returns the scores alone, or give target= a function of the output"
        )

    def predict(self, images: Any, k: int = 5) -> list[list[tuple[str, float]]]:
        """For each picture the k most probable classes, as (name, probability), the most probable first.

        Several labels have a probability each; a regression gives its first k values, as (name, value).

        Raises:
            TypeError: the network's output is no tensor (N, K).
            ValueError: the output is not finite, or the class names are not as many as the outputs.
        """
        scores = self.scores(images)
        pictures.check_finite(scores, f"the output of {self.name}")
        answers = self.output.answers(scores)
        if len(self.classes) != answers.shape[1]:
            raise ValueError(f"{len(self.classes)} class names were given for {answers.shape[1]} outputs")
        if not self.output.has_probabilities:
            return [list(zip(self.classes[:k], row, strict=False)) for row in answers.tolist()]
        values, indices = self.output.top(scores, k)
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
        if not self.classes:
            raise TypeError(f"{self.output.sentence}: there is no class {target}; give target= a function of the output")
        if not 0 <= int(target) < len(self.classes):
            raise ValueError(f"there is no class {target}: the network has {len(self.classes)}, numbered from 0")
        return int(target)

    def run(self, images: Any, visit: Visit | None = None, *, cancel=None) -> Any:
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
        watching = Calls(self.module, visit, cancel).watching() if visit else nullcontext()
        with no_trace(self.module), torch.no_grad(), watching:
            return self.module(inputs)

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
    def graph(self, images: Any, layers: Iterable[str] = (), *, rule: str = "backpropagation") -> Iterator[Graph]:
        """A forward pass of which gradients can be taken inside, as many as are wanted.

        >>> with net.graph("cat.jpg", ["layer4"]) as passed:
        ...     slope = passed.gradient(passed.output[0, 281], "layer4")

        Parameters:
            layers: names in ``net.layers`` whose outputs are kept, to take scores or gradients of.
            rule: for the ReLUs on the way back from the output: ``"backpropagation"``, ``"deconvnet"`` or ``"guided"``.

        Raises:
            KeyError: there is no such layer; names like it are offered.
            NoRule: a ValueError: the network has no ReLUs, or others that the rule cannot be given to.
        """
        with torch.inference_mode(False), torch.enable_grad():
            inputs = self.prepare(images).to(self.dtype)
            rows = {name: self.layers[name] for name in layers}
            with no_trace(self.module):
                passed = Graph(self.module, inputs, rows, self.layers.ending)
                if rule != "backpropagation":
                    follow(rule, [*tensors_in(passed.output), *passed.maps.values()])
                yield passed

    def __repr__(self) -> str:
        shape = format_shape(self._input_shape) if self._input_shape else "input not known yet"
        known = self.__dict__.get("output")  # which is not looked for here
        means = f", {known}" if known else f", outputs={self._outputs!r}" if self._outputs else ""
        return f"<{self.name}: {shape}, {self.parameters:,} parameters{means}>"

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

    def _first_table(self) -> torch.Tensor | None:
        """(3, K): what the network gives for a black picture and for two of noise; None if that is no table."""
        noise = torch.randn(2, *self.input_shape, generator=torch.Generator().manual_seed(0))
        images = torch.cat([torch.zeros(1, *self.input_shape), noise])
        try:
            parts = [self.run(images)]
        except (RuntimeError, ValueError, AssertionError):  # a network that takes one picture at a time
            parts = [self.run(image) for image in images]
        if not all(isinstance(part, torch.Tensor) and part.ndim <= 2 and part.numel() for part in parts):
            return None
        rows = torch.cat([part.reshape(len(part) if len(parts) == 1 and part.ndim else 1, -1) for part in parts])
        return rows.detach() if len(rows) == len(images) else None

    def _first_that_fits(self, shapes: list[Shape]) -> Shape:
        return find_shape(self.module, shapes, self.device, self.dtype, self.name)
