"""What can be bound, and the input shape that it takes."""

from __future__ import annotations

import inspect
import math
import operator
import reprlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from operator import itemgetter
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import fx, nn
from torch.nn.parameter import is_lazy

from cnnwidgets.net.arguments import is_whole, said
from cnnwidgets.net.internals import OpOverload
from cnnwidgets.net.layers import format_shape

Shape = tuple[int, int, int]


def check_module(model: Any) -> None:
    """Raises TypeError, with a sentence, for what is not a module or takes several inputs."""
    if not isinstance(model, nn.Module):
        hint = ""
        if isinstance(model, type):
            hint = f": {model.__name__} is a class, give an instance"
        elif isinstance(model, str):
            hint = f": cw.load({model!r}) loads a network by its name"
        elif isinstance(model, dict):
            hint = ": a state dict holds weights alone; build the model and call load_state_dict"
        elif isinstance(model, torch.export.ExportedProgram):
            hint = ": an exported program has no modules to look at; bind the model that was exported"
        raise TypeError(f"bind takes a torch.nn.Module, not a {type(model).__name__}{hint}")
    if isinstance(model, fx.GraphModule) and any(isinstance(node.target, OpOverload) for node in model.graph.nodes):
        raise TypeError(
            "this module comes from torch.export: it has no modules to look at and takes one size of batch; "
            "bind the model that was exported"
        )
    if isinstance(model, torch.jit.ScriptModule):
        return
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    given = inspect.signature(model.forward).parameters.values()
    needed = [p.name for p in given if p.default is p.empty and p.kind in kinds]
    if len(needed) > 1:
        raise TypeError(
            f"{type(model).__name__}.forward takes {len(needed)} inputs ({', '.join(needed)}); "
            "cnnwidgets binds networks that take one batch of pictures: wrap it in a module that supplies the others"
        )


def class_names(classes: Any) -> tuple[str, ...]:
    """Names of the outputs, in their order, of a sequence of names or of a dict.

    A dict is read as {index: name}, such as Hugging Face's ``id2label`` (whose indices may be texts), or as {name: index},
    such as a data set's ``class_to_idx``; never by the order of its keys.

    Raises:
        TypeError: they are a set, which has no order.
        ValueError: the indices of a dict are not 0, 1, 2 and so on, each once.
    """
    if isinstance(classes, Set):
        raise TypeError(f"classes is a {type(classes).__name__}, which has no order: expected a list, a tuple or a dict")
    if not isinstance(classes, Iterable):
        raise TypeError(f"classes is {said(classes)}; expected a list of names, or a dict")
    if not isinstance(classes, Mapping):
        return tuple(map(str, classes))
    keys, values = list(classes), list(classes.values())
    whole = (int, np.integer)  # numbers come before texts that look like some: {"7": 0, "8": 1} are names with their indices
    for kinds in (whole, (*whole, str)):
        for indices, names in ((keys, values), (values, keys)):
            numbers = [int(i) if isinstance(i, kinds) and str(i).isdecimal() else -1 for i in indices]
            if sorted(numbers) == list(range(len(numbers))):
                return tuple(str(name) for _, name in sorted(zip(numbers, names, strict=True), key=itemgetter(0)))
    raise ValueError(
        f"classes is a dict from {reprlib.repr(keys)} to {reprlib.repr(values)}: "
        f"expected the indices 0 to {len(keys) - 1}, each once, as its keys or as its values"
    )


def device_of(model: nn.Module, device: Any) -> torch.device:
    """Where inputs go: where the parameters are, which must be in one place and have values; ValueError otherwise."""
    if any(is_lazy(p) for p in model.parameters()):
        raise ValueError("the model has lazy layers that are not set up yet: run it on a batch once, then bind it")
    homes = {p.device for p in model.parameters()}
    if torch.device("meta") in homes:
        raise ValueError("the parameters are on the meta device, where they have no values: load weights first")
    if device is None:
        return next(iter(model.parameters()), torch.empty(0)).device
    try:
        device = torch.empty(0, device=device).device
    except (RuntimeError, TypeError, AssertionError) as error:
        why = str(error).splitlines()[0] if isinstance(device, (str, torch.device)) else "expected a name, such as 'cpu'"
        raise ValueError(f"device is {said(device)}, which torch cannot use here: {why}") from None
    if homes and homes != {device}:
        raise ValueError(
            f"device={str(device)!r}, but the model is on {', '.join(sorted(map(str, homes)))}: "
            f"move it first, model.to({str(device)!r}), or leave device out"
        )
    return device


def dtype_of(model: nn.Module) -> torch.dtype:
    """The type of the parameters, and so of what the network takes."""
    return next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)


def shape_of_input(shape: Sequence[int]) -> Shape:
    """An input shape as a user gives it, checked."""
    sides = tuple(shape) if isinstance(shape, (Sequence, np.ndarray)) and not isinstance(shape, (str, bytes)) else ()
    if len(sides) != 3 or not all(is_whole(side) and side >= 1 for side in sides):
        raise ValueError(f"input_shape is {said(shape)}; expected (C, H, W), without the batch axis")
    return int(sides[0]), int(sides[1]), int(sides[2])


def shape_of_preprocess(preprocess: Callable, channels: int | None) -> Shape | None:
    """The shape of what a preprocessing makes of any picture; None if that depends on the picture, or cannot be tried.

    Parameters:
        channels: what the network takes; None if that is not known.

    Raises:
        ValueError: it makes no tensor (C, H, W).
    """
    found = None
    for kind in _TRIED.get(channels or 0, ("RGB", "L", "RGBA", channels or 3)):
        try:
            made = [preprocess(_blank(kind, *size)) for size in ((256, 256), (320, 192))]
        except Exception:  # it is for pictures of another kind; or it is wrong, and says so of the first picture
            continue
        shapes = list(map(_shape_of, made))
        found = found or shapes
        if shapes[0][0] == channels:
            found = shapes
            break
    return found[0] if found and found[0] == found[1] else None


_TRIED = {1: ("L", "I;16", "F"), 3: ("RGB", "L", "I;16", "F"), 4: ("RGBA", "RGB", "CMYK", 4)}
"""What a preprocessing is tried on, by the network's channels: Pillow's modes, or arrays of so many channels."""


def _blank(kind: str | int, width: int, height: int) -> Image.Image | np.ndarray:
    return Image.new(kind, (width, height)) if isinstance(kind, str) else np.zeros((height, width, kind), np.uint8)


def _shape_of(result: Any) -> Shape:
    if not isinstance(result, torch.Tensor) or result.ndim < 3:
        raise ValueError("preprocess must turn a PIL picture into a tensor (C, H, W)")
    return shape_of_input(result.shape[-3:])


def usual_shapes(module: nn.Module) -> list[Shape]:
    """Input shapes to try, by what the first convolution or linear layer takes."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            return [(part.in_channels, side, side) for side in (224, 32, 28, 64, 96, 128, 299, 256, 16, 8)]
        if isinstance(part, nn.Linear):
            squares = [(c, round((part.in_features / c) ** 0.5)) for c in (1, 3)]
            return [(c, side, side) for c, side in squares if c * side * side == part.in_features]
    return []


def find_shape(shapes: list[Shape], run: Callable[[Shape], Any], name: str) -> Shape:
    """The first of some input shapes that the network accepts, when it is run on one."""
    errors: list[Exception] = []
    for shape in shapes:
        try:
            run(shape)
            return shape
        except (RuntimeError, ValueError, AssertionError) as error:
            errors.append(error)
    for failure in errors:  # the same one at several shapes is no matter of the shape: the network's own, with its line
        if len(shapes) == 1 or Counter(map(str, errors))[str(failure)] > 1:
            raise failure
    what = ", ".join(map(format_shape, shapes)) or "none: no convolution or linear layer says the number of channels"
    raise ValueError(f"cannot determine the input shape of {name} (tried {what}): bind with input_shape=(C, H, W)") from (
        errors[0] if errors else None
    )


def takes_others(shape: Shape, run: Callable[[Shape], Any]) -> bool:
    """Whether a network accepts inputs of another size, too: then nothing says that this one is right."""
    for side in (128, 256):
        if (side, side) != shape[1:]:
            try:
                run((shape[0], side, side))
                return True
            except Exception:  # whatever it is, it is not accepted
                continue
    return False


def whole_or_none(value: Any) -> int | None:
    """A whole number, of whatever type; None for all else."""
    if isinstance(value, (float, np.floating)):
        return int(value) if math.isfinite(value) and value % 1 == 0 else None
    try:
        return operator.index(value)
    except TypeError:
        return None
