"""Telling what a network's output means: from how its forward pass ends, and from what comes out for a few pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnwidgets.net.layers import Ending, format_shape
from cnnwidgets.net.output import NAMED, SAID, STRUCTURE, Output
from cnnwidgets.net.pictures import describe_tensor

Activation = Callable[[Tensor], Tensor]

ACTIVATIONS: dict[str, Activation] = {
    "softmax": lambda z: z.softmax(1),
    "log_softmax": lambda z: z.log_softmax(1),
    "sigmoid": torch.sigmoid,
    "hardsigmoid": F.hardsigmoid,
    "log_sigmoid": F.logsigmoid,
}
"""By name: operations at the end of a network that make probabilities of logits."""

HIDDEN = torch.jit.ScriptModule, torch.fx.GraphModule
"""Modules whose operations a survey may not see; autograd's graph tells them."""

_OPERATIONS = {
    "Softmax": "softmax",
    "LogSoftmax": "log_softmax",
    "Sigmoid": "sigmoid",
    "Hardsigmoid": "hardsigmoid",
    "LogSigmoid": "log_sigmoid",
}
_RESHAPES = frozenset("View UnsafeView ReshapeAlias Squeeze Unsqueeze ToCopy Clone Alias Select".split())

TOLERANCE = 1e-3, 2e-2
"""How far from 1 a sum of probabilities may be: in single precision, and in half."""


def told(
    ending: Ending, look: Callable[[], Tensor | None], outputs: str | None = None, names: Sequence[str] | None = None
) -> Output:
    """What a network's output means.

    Parameters:
        look: gives (N, K), what the network gives for a few pictures; None if that is no table.
        outputs: what the user says it is.
        names: of the classes, if the user gave them.

    Raises:
        ValueError: what the user says does not fit to what comes out.
    """
    structure = Output(STRUCTURE, 0, ending.what)
    if ending.shape is None or len(ending.shape) > 2:
        return structure
    if outputs is None and ending.operation == "linear" and len(ending.shape) == 2 and ending.shape[1] > 1:
        return Output("logits", ending.shape[1], "its last operation is linear")
    table = look()
    if table is None:
        return structure
    if outputs is not None:
        _check(outputs, table)
        return Output(outputs, table.shape[1], SAID)
    kind, why = _told_of_one(ending, table, names) if table.shape[1] == 1 else _told_of_many(ending, table)
    return Output(kind, table.shape[1], why)


def kind_of(table: Tensor) -> str:
    """What a table (N, K) of scores is seen to be: ``"probabilities"``, ``"log_probabilities"`` or else ``"logits"``."""
    values, tolerance = table.detach().double(), _tolerance(table)
    if bool((values >= 0).all() and (values.sum(1) - 1).abs().max() < tolerance):
        return "probabilities"
    if bool((values <= 0).all() and (values.exp().sum(1) - 1).abs().max() < tolerance):
        return "log_probabilities"
    return "logits"


def operation_by_graph(output: Any) -> str:
    """The last operation of a forward pass that kept its graph, as of :class:`~cnnwidgets.net.layers.Ending`."""
    node = output.grad_fn if isinstance(output, Tensor) else None
    while node is not None and _name(node) in _RESHAPES:
        node = node.next_functions[0][0]
    return _OPERATIONS.get(_name(node), "") if node is not None else ""


def _name(node: torch.autograd.graph.Node) -> str:
    return node.name().rstrip("0123456789").removesuffix("Backward")


def _told_of_many(ending: Ending, table: Tensor) -> tuple[str, str]:
    kind = kind_of(table)
    if not bool(torch.isfinite(table).all()):  # of broken weights: what is done with them is still known
        kind = {"softmax": "probabilities", "log_softmax": "log_probabilities"}.get(ending.operation, kind)
    last = f"its last operation is a {ending.operation.replace('_', '-')}"
    if kind == "probabilities":
        return kind, last if ending.operation == "softmax" else "its outputs sum to 1"
    if kind == "log_probabilities":
        return kind, last if ending.operation == "log_softmax" else "the exponentials of its outputs sum to 1"
    if ending.operation in ("sigmoid", "hardsigmoid"):
        return "labels", last
    if ending.operation == "log_sigmoid":
        return "log_probabilities", last
    return kind, "its last operation is linear" if ending.operation == "linear" else "by default"


def _told_of_one(ending: Ending, table: Tensor, names: Sequence[str] | None) -> tuple[str, str]:
    last = f"its last operation is a {ending.operation.replace('_', '-')}"
    if ending.operation in ("sigmoid", "hardsigmoid"):
        return "binary", last
    if ending.operation == "log_sigmoid":
        return "log_probabilities", last
    if ending.operation == "softmax":
        if bool((table == 1).all()):
            return "probabilities", "a softmax over one output is always 1"
        return "binary", last  # one of its columns
    return ("binary_logit", NAMED) if len(names or ()) in (1, 2) else ("values", "by default")


def _check(outputs: str, table: Tensor) -> None:
    """A ValueError if a table cannot be what the user says it is."""
    count = table.shape[1]
    low, high, tolerance = float(table.min()), float(table.max()), _tolerance(table)
    if outputs in ("binary", "binary_logit") and count > 1:
        raise ValueError(f"outputs is {outputs!r}, which is one output; the network has {count}")
    if outputs == "logits" and count == 1:
        raise ValueError("outputs is 'logits', but the network has one output: 'binary_logit' or 'values' is expected")
    if outputs in ("probabilities", "labels", "binary") and not (low >= -tolerance and high <= 1 + tolerance):
        raise ValueError(f"outputs is {outputs!r}, from 0 to 1; the network gives numbers from {low:.3g} to {high:.3g}")
    if outputs == "log_probabilities" and not high <= tolerance:
        raise ValueError(f"outputs is {outputs!r}, 0 at most; the network gives numbers up to {high:.3g}")


def before_activation(ending: Ending, given: Tensor | None, output: Any, pictures: int) -> Tensor | None:
    """What goes into the softmax or sigmoid that a network ends in, as (N, K); None if it does not give that.

    Parameters:
        given: the argument of that call, in a forward pass of so many pictures that gave the output.
    """
    if given is None or not isinstance(output, Tensor) or given.numel() != output.numel() or not output.numel():
        return None
    before, after = given.reshape(pictures, -1), output.detach().reshape(pictures, -1)
    again, tolerance = ACTIVATIONS[ending.operation](before.detach()).to(after), _tolerance(after)
    if ending.operation.startswith("log_"):  # of a logarithm with an epsilon inside, the smallest are others
        again, after = again.exp(), after.exp()
    return before if torch.allclose(again, after, rtol=tolerance, atol=tolerance / 10) else None


def describe(output: Any) -> str:
    """What a network gives, in words: ``a dict of out (1×21×64×64) and aux (1×21×64×64)``."""
    if isinstance(output, Tensor):
        return describe_tensor(output)
    kind = type(output).__name__
    article, parts = "an" if kind[0] in "AEIOUaeiou" else "a", [f"{name} ({_short(part)})" for name, part in _parts(output)]
    if not parts:
        return "nothing" if output is None else f"{article} {kind}"
    if len(parts) == 1 and isinstance(output, (tuple, list)):
        return f"{article} {kind} of {describe(output[0])}"
    shown = parts if len(parts) < 5 else [*parts[:3], f"{len(parts) - 3} more"]
    listed = " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
    return f"{article} {kind} of {listed}"


def _parts(output: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(output, Mapping):
        yield from ((str(name), part) for name, part in output.items())
    elif dataclasses.is_dataclass(output):
        yield from ((field.name, getattr(output, field.name)) for field in dataclasses.fields(output))
    elif isinstance(output, (tuple, list)):
        yield from zip(getattr(output, "_fields", map(str, range(len(output)))), output, strict=False)


def _short(part: Any) -> str:
    if isinstance(part, Tensor):
        return format_shape(part.shape) or "a number"
    return f"a {type(part).__name__}"


def _tolerance(table: Tensor) -> float:
    return TOLERANCE[table.dtype in (torch.float16, torch.bfloat16)]
