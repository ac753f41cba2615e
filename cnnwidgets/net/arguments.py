"""What a function takes, checked by its annotations: whatever is wrong is told in one sentence, before anything is done."""

from __future__ import annotations

import functools
import inspect
import math
import operator
import re
import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np
import torch
from torch import nn

from cnnwidgets.net.layers import format_shape, nearest

P = ParamSpec("P")
T = TypeVar("T")

BY_NAME = {"seed": "Seed", "max_memory": "Bytes", "most": "Count"}
"""What a whole number of some name is, in every function: more than its annotation says."""

LONGEST = 60
"""Letters of a value that a sentence repeats at most."""


class Kind(NamedTuple):
    """What one word of an annotation stands for: in words, and whether a value is that."""

    words: str
    holds: Callable[[Any], bool]


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number, of any library; True and False are none."""
    try:
        return not isinstance(value, (bool, np.bool_)) and operator.index(value) is not None
    except TypeError:
        return False


def is_number(value: Any) -> bool:
    """Whether a value is a finite number, of any library; True and False are none."""
    if isinstance(value, (bool, np.bool_, str, type)) or not hasattr(value, "__float__") or np.ndim(value):
        return False
    return is_whole(value) or math.isfinite(float(value))


def _is_row(of: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Whether a value is a row of such values."""

    def holds(value: Any) -> bool:
        if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, (Sequence, range, np.ndarray, torch.Tensor)):
            return False
        return np.ndim(value) == 1 and all(map(of, value)) if hasattr(value, "ndim") else all(map(of, value))

    return holds


def _is_iterable_of_texts(value: Any) -> bool:
    """Whether a value may give texts one by one; one that is used up by looking is taken at its word."""
    if isinstance(value, (str, bytes, type)) or not hasattr(value, "__iter__"):
        return False
    return not hasattr(value, "__len__") or all(isinstance(one, str) for one in value)


def _is_array(value: Any) -> bool:
    """Whether a value is numbers in rows and columns."""
    try:
        return np.ndim(value) > 0 and np.asarray(value).dtype.kind in "biuf"
    except (TypeError, ValueError, RuntimeError):
        return False


def _is(kind: type | tuple[type, ...]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kind)


def _is_named(name: str) -> Callable[[Any], bool]:
    """Whether a value's class, or one that it comes from, has a name: floors above this one have the class itself."""
    return lambda value: any(each.__name__ == name for each in type(value).__mro__)


def _can(name: str) -> Callable[[Any], bool]:
    """Whether a value has a method."""
    return lambda value: callable(getattr(value, name, None)) and not isinstance(value, type)


KINDS: dict[str, Kind] = {
    "None": Kind("None", lambda value: value is None),
    "bool": Kind("True or False", _is((bool, np.bool_))),
    "int": Kind("a whole number", is_whole),
    "Seed": Kind("a whole number from 0 to 4,294,967,295", lambda value: is_whole(value) and 0 <= int(value) < 2**32),
    "Count": Kind("a whole number of at least 1", lambda value: is_whole(value) and int(value) >= 1),
    "Bytes": Kind("a whole number of bytes", lambda value: is_whole(value) and int(value) >= 0),
    "float": Kind("a number", is_number),
    "str": Kind("a text", _is(str)),
    "Path": Kind("a path", _is(Path)),
    "Sequence[int]": Kind("a list of whole numbers", _is_row(is_number)),
    "Sequence[float]": Kind("a list of numbers", _is_row(lambda value: hasattr(value, "__float__"))),
    "Sequence[str]": Kind("a list of texts", _is_row(_is(str))),
    "Iterable[str]": Kind("a list of texts", _is_iterable_of_texts),
    "np.ndarray": Kind("an array of numbers", _is_array),
    "torch.Tensor": Kind("a tensor", _is(torch.Tensor)),
    "Callable": Kind("a function", callable),
    "nn.Module": Kind("a torch.nn.Module", _is(nn.Module)),
    "Optimizer": Kind("an optimizer of torch.optim", _is(torch.optim.Optimizer)),
    "Scheduler": Kind("a learning-rate scheduler", _can("step")),
    "Iterable[Any]": Kind(
        "batches of pictures and labels, such as a DataLoader gives",
        lambda value: hasattr(value, "__iter__") and not isinstance(value, (str, bytes, type)),  # iter() draws a seed
    ),
    "Pool": Kind("a text", _is(str)),
    "Loss": Kind("a function of scores and labels", callable),
    "Executor": Kind("a concurrent.futures.Executor", _can("submit")),
    "OnUpdate": Kind("a function", callable),
    "Cancel": Kind("an object with is_set()", _can("is_set")),
    "BoundModel": Kind("a bound network, as cw.bind(model) or cw.load(name) gives", _is_named("BoundModel")),
    "Layer": Kind("a row of net.layers, such as net.layers['conv1']", _is_named("Layer")),
    "UnitAddress": Kind("an address, such as net['layer3'][17]", _is_named("UnitAddress")),
    "Attribution": Kind("an Attribution, as cw.methods.saliency gives", _is_named("Attribution")),
    "Patch": Kind("a Patch, as found[layer].strongest(unit) gives", _is_named("Patch")),
    "Task": Kind("a Task, such as cw.methods.task('digits')", _is_named("Task")),
}
"""By the words of annotations. What has another word in its annotation is checked where it is used."""


NUMBERS = ("int", "Seed", "Count", "Bytes", "float", "Sequence[int]", "Sequence[float]")
"""Kinds for which a wrong value is a ValueError, out of range or none at all, as in :mod:`cnnwidgets.methods.parameters`."""


def checking(*own: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Makes a function check what it is given by its annotations, and tell of names that it does not have.

    Parameters:
        own: names of the arguments that the function checks itself, and tells more of.

    Raises:
        TypeError: an argument is of another kind than its annotation says, or there is no such parameter.
        ValueError: it is no such number.
    """

    def make(function: Callable[P, T]) -> Callable[P, T]:
        signature = inspect.signature(function)
        kinds = {name: _kinds_of(name, parameter.annotation) for name, parameter in signature.parameters.items()}
        kinds |= dict.fromkeys(own, ())
        name = function.__qualname__.removesuffix(".__init__")

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            check_names(name, kwargs, signature)
            try:
                given = signature.bind(*args, **kwargs)
            except TypeError as error:
                raise TypeError(f"{name}: {error}") from None
            for argument, value in given.arguments.items():
                if kinds[argument]:
                    check(argument, value, kinds[argument])
                if isinstance(value, np.generic):  # NumPy's numbers are none for torch's generators
                    given.arguments[argument] = value.item()
            return function(*given.args, **given.kwargs)

        return call

    return make


checked = checking()
"""Makes a function check all that it is given."""


def check_names(function: str, given: Mapping[str, Any], signature: inspect.Signature) -> None:
    """A TypeError for an argument that a function does not have; names like it are offered."""
    parameters = signature.parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    for name in given:
        if name not in parameters:
            known = [known for known in parameters if known != "self"]
            raise TypeError(f"{function} has no {name!r}.{nearest(name, known)} It has: {', '.join(known)}")


def check(name: str, value: Any, kinds: Sequence[Kind]) -> None:
    """A TypeError or ValueError for a value that is of none of the kinds."""
    if any(kind.holds(value) for kind in kinds):
        return
    expected = " or ".join(dict.fromkeys(kind.words for kind in kinds))
    of_numbers = any(kind is KINDS[word] for kind in kinds for word in NUMBERS)
    raise (ValueError if of_numbers else TypeError)(f"{name} is {said(value)}; expected {expected}")


def said(value: Any) -> str:
    """A value in a sentence: as Python writes it, if that is short; else what it is."""
    if isinstance(value, (np.ndarray, torch.Tensor)) and value.ndim:
        return f"{'an array' if isinstance(value, np.ndarray) else 'a tensor'} {format_shape(value.shape)}"
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, type):
        return f"the class {value.__name__}"
    text = reprlib.repr(value)
    plain = value is None or isinstance(value, (bool, int, float, str, bytes, list, tuple, dict, set))
    return text if plain and len(text) <= LONGEST else _article(type(value).__name__)


def one_of(name: str, value: Any, choices: Iterable[str]) -> str:
    """A text that is one of some; else a ValueError with those that look most like it."""
    known = list(choices)
    if isinstance(value, str) and value in known:
        return value
    near = nearest(value, known) if isinstance(value, str) else ""
    raise ValueError(f"{name} is {said(value)}; expected one of {', '.join(map(repr, known))}{'.' + near if near else ''}")


def _article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def _kinds_of(name: str, annotation: Any) -> tuple[Kind, ...]:
    """The kinds that an annotation names; none if there is a word that is not known, which then may be anything."""
    if not isinstance(annotation, str):
        return ()
    annotation = re.sub(r"\bint\b(?!\])", BY_NAME.get(name, "int"), annotation)
    words = [word.partition("[")[0] if word.startswith(("Callable", "OnUpdate")) else word for word in _union(annotation)]
    return tuple(KINDS[word] for word in words) if all(word in KINDS for word in words) else ()


def _union(annotation: str) -> list[str]:
    """The members of a union: ``"int | Sequence[int | str]"`` has two."""
    flat = re.sub(r"\[.*?\](?=\s*(\||$))", lambda found: found.group().replace("|", "\0"), annotation)
    return [part.strip().replace("\0", "|") for part in flat.split("|")]
