"""A torch model, bound: one object that knows the network's layers, its input and its classes, and leaves it as it is."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from cnnwidgets.net.address import LayerAddress
from cnnwidgets.net.arguments import KINDS, check
from cnnwidgets.net.checks import Shape, check_module, class_names, device_of, shape_of_input, whole_or_none
from cnnwidgets.net.input import Input
from cnnwidgets.net.items import is_dataset, names_of, size_of
from cnnwidgets.net.layers import format_shape, nearest
from cnnwidgets.net.output import Output, check_outputs
from cnnwidgets.net.passes import Passes
from cnnwidgets.net.pictures import check_finite, open_picture
from cnnwidgets.net.preprocess import one_input, to_intensities, to_pixels
from cnnwidgets.net.replica import replicate
from cnnwidgets.net.runner import Runner
from cnnwidgets.net.telling import HIDDEN, describe, operation_by_graph, told
from cnnwidgets.net.volumes import refuse_volumes


def bind(
    model: nn.Module,
    *,
    classes: Sequence[str] | Mapping[Any, Any] | None = None,
    preprocess: Callable[[Any], torch.Tensor] | None = None,
    input_shape: Sequence[int] | None = None,
    images: Any = None,
    device: torch.device | str | None = None,
    outputs: str | None = None,
) -> BoundModel:
    """Bind a network, so that panels and methods can ask it things. The network itself is left as it is.

    >>> net = cw.bind(model)
    >>> net.layers
    >>> net.predict("cat.jpg")

    Parameters:
        model: any ``nn.Module`` that takes one batch of pictures (N, C, H, W).
        classes: names of the outputs, or a dict {index: name} or {name: index}; their numbers by default.
        preprocess: PIL picture to input tensor (C, H, W), such as ``weights.transforms()``. It is given the file's own
            picture, of mode I;16, RGBA or F, say, and where it makes no input of that an 8-bit copy, in RGB, or in gray for
            a network of one channel. By default pictures are resized to the input and scaled to [0, 1].
        input_shape: (C, H, W); by default what ``preprocess`` gives, else that of the first float tensor or, up to
            299 pixels, of the first picture that is shown to the network, else found by trying usual sizes; what was
            guessed is said in ``net.notes``.
        images: a data set, or a list of pictures, that tells what is not given: the input shape, the classes, and the
            preprocessing, if its ``transform`` draws no random numbers.
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
        TypeError: the model is not a module, takes several inputs, or takes volumes; or images are not a data set.
        ValueError: the shape, the classes, the device or the outputs do not fit.
    """
    known: dict[str, Any] = {
        "classes": classes,
        "preprocess": preprocess,
        "input_shape": input_shape,
        "device": device,
        "outputs": outputs,
    }
    net = BoundModel(model, **known)
    if images is not None:
        net.learn(images)
    return net


class BoundModel(Passes):
    """A network and what is known of it; made by :func:`bind` and :func:`load`.

    Attributes:
        module: the very object that was passed.
        name: what reprs call it.
        device: where inputs go.
        sample: name of the bundled network that it is, at any epoch; empty for other networks.
        code: the lines of plain PyTorch that make ``model`` and ``preprocess``.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        classes: Any = None,
        preprocess: Any = None,
        input_shape: Any = None,
        device: Any = None,
        outputs: Any = None,
        name: str | None = None,
        sample: str = "",
        code: str | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        super().__init__()
        check_module(model)
        check("preprocess", preprocess, [KINDS["None"], KINDS["Callable"]])
        self.module = model
        self.name, self.sample = name or type(model).__name__, sample
        before = ", as it was before torch.compile" if self.original is not model else ""
        self.code = code or f"model = ...  # your network{before}\npreprocess = ...  # PIL picture to input tensor"
        self.device = device_of(model, device)
        self._names = class_names(classes) if classes is not None else None
        self._names_of_images: tuple[str, ...] = ()
        shape = shape_of_input(input_shape) if input_shape is not None else None
        refuse_volumes(model, shape, self.device)
        self._input = Input(model, self.device, self.name, shape, preprocess, self._run_blank)
        self._notes = list(notes)
        self._outputs = check_outputs(outputs)
        self._told: tuple[Runner, Output] | None = None  # of what is run, so that it is told anew with the network

    # what is known

    @property
    def input_shape(self) -> Shape:
        """(C, H, W) of one input."""
        return self._input.shape

    @property
    def preprocess(self) -> Callable[[Any], torch.Tensor]:
        """PIL picture to input tensor (C, H, W)."""
        return self._input.preprocess

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on the network that go with whatever is said of it: what was guessed, and how it was run."""
        said = [*self._input.notes, *self._notes]
        if getattr(self.module, "training", False):
            said.append("your network was in training mode; it was run in evaluation mode and left as it was")
        names = self._names_of_images
        if self._told and not self._names and not self._told[1].takes_names(names):
            count = self._told[1].count
            said.append(
                f"the data set names {len(names):,} classes, and the network has {count:,} outputs: they go by number"
            )
        if self._runner is not None:
            said += filter(None, (self._runner.double.note, self._runner.about_draws))
            if self._evidence is not None and self._evidence.runner is self._runner:
                said += filter(None, [self._evidence.sentence])
        return tuple(dict.fromkeys(said))

    @property
    def output(self) -> Output:
        """What the network's output means; told from how its forward pass ends, and perhaps by looking at a few outputs.

        Raises:
            ValueError: what comes out is not what ``outputs=`` says, or the class names are not as many as the outputs.
        """
        runner = self.runner
        if self._told is None or self._told[0] is not runner:
            ending, names = runner.layers.ending, self._names or self._names_of_images
            if not ending.operation and any(isinstance(part, HIDDEN) for part in self.module.modules()):
                with self.graph(torch.zeros(1, *self.input_shape)) as passed:
                    ending = ending._replace(operation=operation_by_graph(passed.output))
            output = told(ending, self._first_table, self._outputs, names)
            if self._names and not output.takes_names(names):
                raise ValueError(f"{len(names):,} class names were given for {output.count:,} outputs of {self.name}")
            self._told = runner, output
        return self._told[1]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the outputs, or of the two classes that a single output tells apart; none if it gives no table (N, K)."""
        if self._names is not None and len(self._names) > 1:
            return self._names
        names = self._names or self._names_of_images
        return self.output.names(names if self.output.takes_names(names) else None)

    def class_name(self, index: int) -> str:
        """What a class is called, with its number where another has the same name; its number where it has no name."""
        names = self.classes
        if index >= len(names):
            return str(index)
        if not names[index].strip():
            return f"class {index}"
        return names[index] if names.count(names[index]) == 1 else f"{names[index]} ({index})"

    @property
    def parameters(self) -> int:
        """Number of parameters, those of parts that evaluation skips (auxiliary classifiers) included."""
        return sum(p.numel() for p in self.module.parameters())

    def __getitem__(self, layer: str) -> LayerAddress:
        """A layer's units: ``net["layer3"][17]`` is one, and goes wherever a unit goes.

        Raises:
            KeyError: there is no such layer; names like it are offered.
            TypeError: layer is not a string.
            ValueError: it has no units.
        """
        check("layer", layer, [KINDS["str"]])
        return LayerAddress(layer, self.layers[layer].map_shape[0])

    def alike(self, module: nn.Module, name: str) -> BoundModel:
        """A copy of the network with other weights, bound in the same way; the layer table is the same."""
        other = copy.copy(self)
        Passes.__init__(other)
        other.module, other.name = module, name
        other._runner = replace(self.runner, double=replicate(module))
        other._told = other._runner, self.output
        return other

    # pictures in and out

    def prepare(self, images: Any, *, notes: list[str] | None = None) -> torch.Tensor:
        """The input tensor (N, C, H, W) of one picture, or of a list of them; never a view of what was given.

        Parameters:
            images: a path, a file's bytes, a PIL picture, an array (H, W) or (H, W, 3) of uint8, uint16 or floats in [0, 1],
                a uint8 tensor (C, H, W): is preprocessed, and where ``preprocess`` is the user's own an array may have any
                type and any number of channels; a float tensor (C, H, W) or (N, C, H, W): is taken as preprocessed; an
                item of a data set, (picture, label, ...) or a dict (see :func:`cnnwidgets.net.items.read`); or a list of
                these.
            notes: a list that takes sentences on what became of the pictures, and should be known.

        Raises:
            FileNotFoundError, TypeError, ValueError: the message says what was given and what is expected.
        """
        return self._input.prepare(images, notes)

    def picture(self, tensor: torch.Tensor, like: torch.Tensor | None = None) -> np.ndarray:
        """The picture that an input tensor (C, H, W) or (1, C, H, W) shows: uint8 (H, W, 3).

        Parameters:
            like: another input, on whose scale it is shown where the values of that one have to be stretched.
        """
        scale = None if like is None else one_input("like", like)
        return to_pixels(one_input("tensor", tensor), self.preprocess, scale)

    def intensities(self, tensor: torch.Tensor) -> np.ndarray:
        """The same picture in full depth, for another network: float32 (H, W, 3) in [0, 1], not stretched to be shown."""
        return to_intensities(one_input("tensor", tensor), self.preprocess)

    def takes(self, tensor: torch.Tensor) -> bool:
        """Whether a preprocessed picture (C, H, W) has the input's shape, as far as that is known."""
        return self._input.takes(tensor)

    def takes_inputs_of(self, other: BoundModel) -> bool:
        """Whether the other network's input tensors fit this one: same shape, and no other preprocessing is known."""
        known = self._input.given is None or repr(self._input.given) == repr(other.preprocess)  # torchvision's have no ==
        return self.input_shape == other.input_shape and known

    def handed(self, image: Any) -> str:
        """How Python writes what ``preprocess`` is given of a picture, ``{}`` standing for what ``open_picture`` gives."""
        return self._input.intake.handed(open_picture(image))

    def learn(self, images: Any) -> None:
        """Let a data set tell what was not given to :func:`bind`: the classes, the preprocessing and the input shape.

        Raises:
            TypeError: it has no length or no numbered items, or is a single picture.
            ValueError: it is empty.
        """
        if not size_of(images):
            raise ValueError("expected a data set to learn from, got an empty one")
        if not is_dataset(images):
            raise TypeError(f"expected a data set, or a list of pictures, to learn from, got one {type(images).__name__}")
        self._names_of_images = names_of(images)
        self._input.learn(images)

    def learn_input_shape(self, images: Any, numbers: Iterable[int] | None = None) -> None:
        """Let a data set tell the input shape, if that is not known: by its first tensor, or its pictures' common size.

        Parameters:
            numbers: of the items that are looked at; by default from the first on.
        """
        self._input.learn_shape(images, numbers)

    # answers

    def scores(self, images: Any) -> torch.Tensor:
        """What the network gives for each picture, as it is: float32 (N, K), on the CPU.

        Where the answer to a picture depends on the others in its batch, each is shown alone.

        Raises:
            TypeError: the network's output is not a tensor (N, K).
            ValueError: the class names are not as many as the outputs.
        """
        inputs, _ = self.prepare(images), self.output  # which looks at pictures of its own, if it is not told yet
        parts = inputs.split(1 if len(inputs) > 1 and not self.takes_batches(inputs[:1]) else max(1, len(inputs)))
        tables = [self.check_scores(self.run(part), len(part)).detach().float().cpu() for part in parts]
        return torch.cat(tables).clone()

    def probabilities(self, images: Any) -> torch.Tensor:
        """The probability of each class: float32 (N, classes), on the CPU; the columns are those of ``net.classes``.

        Raises:
            TypeError: the network's output is not a tensor (N, K).
            ValueError: the network gives values, and no probabilities.
        """
        scores = self.scores(images)
        if not self.output.has_probabilities:
            raise ValueError(f"{self.output.sentence}: expected probabilities; bind with outputs= if they are")
        return self.output.answers(scores)

    def check_scores(self, output: Any, count: int) -> torch.Tensor:
        """What the network gave for so many pictures, if that is a table (N, K).

        Raises:
            TypeError: it is something else.
            ValueError: the class names are not as many as the outputs.
        """
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
            TypeError: the network's output is not a tensor (N, K), or k is not a whole number.
            ValueError: k is below 1, the output is not finite, or the class names are not as many as the outputs.
        """
        check("k", k, [KINDS["Count"]])
        return self.named(self.scores(images), k)

    def named(self, scores: torch.Tensor, k: int) -> list[list[tuple[str, float]]]:
        """What :meth:`predict` says of scores (N, K), such as :meth:`scores` gives."""
        check_finite(scores, f"the output of {self.name}")
        answers = self.output.answers(scores)
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
        check("target", target, [KINDS["int"], KINDS["str"]])
        if not self.classes:
            raise TypeError(f"{self.output.sentence}: there is no class {target}; give target= a function of the output")
        index = whole_or_none(target)
        if index is None:
            raise ValueError(f"target: expected a class's index or name, or a function of the output, got {target!r}")
        if not 0 <= index < len(self.classes):
            raise ValueError(f"there is no class {target}: the network has {len(self.classes)}, numbered from 0")
        return index

    def __getstate__(self) -> dict[str, Any]:
        """Without the double: another process makes its own."""
        return {**vars(self), "_runner": None, "_told": None, "_evidence": None}

    def __repr__(self) -> str:
        shape = format_shape(self._input.known) if self._input.known else "input not known yet"
        doubt = f" ({self._input.doubt})" if self._input.doubt else ""
        known = self._told and self._told[1]  # which is not looked for here
        means = f", {known}" if known else f", outputs={self._outputs!r}" if self._outputs else ""
        draws = ", draws random numbers" if self._runner is not None and self._runner.about_draws else ""
        return f"<{self.name}: {shape}{doubt}, {self.parameters:,} parameters{means}{draws}>"

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
