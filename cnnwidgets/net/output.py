"""What a network's output means, decided once: logits, probabilities, labels, one value, or no table of numbers at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnwidgets.net.layers import format_shape
from cnnwidgets.net.pictures import describe_tensor

KINDS = {
    "logits": "logits, of which a softmax makes probabilities",
    "log_probabilities": "logarithms of probabilities, as a log-softmax gives them",
    "probabilities": "probabilities that sum to 1, as a softmax gives them",
    "labels": "a probability for each label, as sigmoids give them; several labels may be on",
    "label_logits": "a logit for each label, before the sigmoids",
    "binary": "one probability, as a sigmoid gives it",
    "binary_logit": "one logit, before the sigmoid",
    "values": "values of a regression",
}
"""What ``outputs=`` of :func:`cnnwidgets.bind` takes, and what each word says."""

STRUCTURE = "structure"
"""The kind of an output that is no table of numbers: a tuple, a dict, a map."""

Activation = Callable[[Tensor], Tensor]

ACTIVATIONS: dict[str, Activation] = {
    "softmax": lambda z: z.softmax(1),
    "log_softmax": lambda z: z.log_softmax(1),
    "sigmoid": torch.sigmoid,
    "hardsigmoid": F.hardsigmoid,
    "log_sigmoid": F.logsigmoid,
}
"""By name: operations at the end of a network that make probabilities of logits."""

TOLERANCE = 1e-3, 2e-2
"""How far from 1 a sum of probabilities may be: in single precision, and in half."""


class Ending(NamedTuple):
    """How a forward pass ends; found by the survey that writes the layer table.

    Attributes:
        shape: of the output of one picture; None where that is no tensor.
        operation: a name in ``ACTIVATIONS`` or ``"linear"``, if nothing but reshaping follows it; else empty.
        function, number: which call that is: the function's own name, and its ordinal from 1 among calls of that name.
        what: the output in words: ``"a dict of out (1×21×64×64) and aux (1×21×64×64)"``.
    """

    shape: tuple[int, ...] | None
    operation: str
    function: str
    number: int
    what: str


@dataclass(frozen=True)
class Output:
    """What the numbers that a network gives mean; everything that speaks of a probability asks this.

    >>> net.output
    Output(kind='probabilities', count=10, why='its last operation is a softmax')

    Attributes:
        kind: one of :data:`KINDS`, or ``"structure"``.
        count: number of outputs, K; 0 for a structure.
        why: how that is known; for a structure, what it is.
    """

    kind: str
    count: int
    why: str

    # what is spoken of

    @property
    def is_structure(self) -> bool:
        """Whether this is no table (N, K): what it means only a function of it can say."""
        return self.kind == STRUCTURE

    @property
    def is_binary(self) -> bool:
        """Whether the only output says which of two classes it is."""
        return self.count == 1 and self.kind != "values"

    @property
    def has_probabilities(self) -> bool:
        """Whether there is a probability of each class."""
        return self.kind not in ("values", STRUCTURE)

    @property
    def has_logits(self) -> bool:
        """Whether the outputs themselves are logits."""
        return self.kind in ("logits", "label_logits", "binary_logit")

    @property
    def quantity(self) -> str:
        """What is said of a class: its ``"probability"``, or the ``"value"``."""
        return "probability" if self.has_probabilities else "value"

    @property
    def sentence(self) -> str:
        """What the network gives and how that is known: for strips and notes."""
        return f"the network gives {self}" + ("" if self.is_structure else f" ({self.why})")

    def __str__(self) -> str:
        """In a few words: ``10 logits``, ``one value``."""
        if self.is_structure:
            return self.why
        one, many = _NOUNS[self.kind]
        return f"{self.count:,} {many}" if self.count > 1 else f"one {one}"

    def names(self, given: Sequence[str] | None) -> tuple[str, ...]:
        """The classes' names, of those that the user gave; two for one output that says which of two it is."""
        match tuple(given or ()):
            case () if self.is_binary:
                return "negative", "positive"
            case (name,) if self.is_binary:
                return f"not {name}", name
            case () if self.kind == "values" and self.count == 1:
                return ("value",)
            case ():
                return tuple(map(str, range(self.count)))
            case names:
                return names

    def says(self, answers: Iterable[tuple[str, float]]) -> str:
        """What the network says of a picture, of what ``net.predict`` gives for it."""
        answers = list(answers)
        if self.is_binary:
            answers = answers[:1]
        return "the network says " + ", ".join(self.word(name, value) for name, value in answers)

    def word(self, name: str, value: float) -> str:
        """What it says of one class: ``tabby (71%)``, ``p(positive) 0.71``, ``value 3.2``."""
        if not self.has_probabilities:
            return f"{name} {value:.3g}"
        if self.is_binary:
            return f"p({name}) {value:.2f}" if 0.005 <= value < 0.995 else f"p({name}) {value:.3g}"
        return f"{name} ({_percent(value)})"

    # what is computed

    def table(self, output: Any, pictures: int) -> Tensor | None:
        """What the network gave for so many pictures as (N, K), if it is that; None otherwise."""
        if self.is_structure or not isinstance(output, Tensor) or output.ndim > 2:
            return None
        return output.reshape(pictures, self.count) if output.numel() == pictures * self.count else None

    def answers(self, table: Tensor) -> Tensor:
        """(N, classes): the probability of each class, of a table (N, K); values as they are."""
        match self.kind:
            case "logits":
                found = table.softmax(1)
            case "log_probabilities":
                found = table.exp()
            case "label_logits" | "binary_logit":
                found = table.sigmoid()
            case _:
                found = table
        if not self.is_binary:
            return found
        return torch.cat([(-table).sigmoid() if self.has_logits else 1 - found, found], 1)

    def top(self, table: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """(N, k) the most probable classes' probabilities and indices, the most probable first; k = 0 without any."""
        answers = self.answers(table) if self.has_probabilities else table[:, :0]
        found = answers.topk(min(k, answers.shape[1]))
        return found.values, found.indices

    def predicted(self, table: Tensor) -> int:
        """The most probable class of the first picture; of values, the first."""
        return int(self.answers(table)[0].argmax()) if self.has_probabilities else 0

    def scores(self, table: Tensor, before: Tensor | None) -> Tensor:
        """(N, classes): what is to be differentiated: the logits, where they are there, or else the outputs.

        Parameters:
            before: (N, K) what goes into the softmax or sigmoid that the network ends in, if it can be had.
        """
        found = table if before is None else before
        if not self.is_binary:
            return found
        if before is not None or self.has_logits:
            return torch.cat([-found, found], 1)
        return torch.cat([(1 - found.exp()).log() if self.kind == "log_probabilities" else 1 - found, found], 1)

    def log_odds(self, table: Tensor, before: Tensor | None, target: int) -> Tensor:
        """(N,): the logarithm of the probability of a class over that of all others."""
        if self.is_binary or self.kind in ("labels", "label_logits"):
            scores = self.scores(table, before)
            is_logit = before is not None or self.has_logits
            return scores[:, target] if is_logit else torch.logit(self.answers(table)[:, target], eps=1e-6)
        scores = table if before is None else before
        if before is None and self.kind == "probabilities":
            scores = scores.clamp(min=1e-12).log()
        others = scores.index_fill(1, torch.tensor(target, device=scores.device), -torch.inf)
        return scores[:, target] - others.logsumexp(1)


def before_activation(ending: Ending, given: Tensor | None, output: Any, pictures: int) -> Tensor | None:
    """What goes into the softmax or sigmoid that a network ends in, as (N, K); None if it does not give that.

    Parameters:
        given: the argument of that call, in a forward pass of so many pictures that gave the output.
    """
    if given is None or not isinstance(output, Tensor) or given.numel() != output.numel() or not output.numel():
        return None
    before, after = given.reshape(pictures, -1), output.detach().reshape(pictures, -1)
    again, tolerance = ACTIVATIONS[ending.operation](before.detach()).to(after), _tolerance(after)
    return before if torch.allclose(again, after, rtol=tolerance, atol=tolerance / 10) else None


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
        return Output(outputs, table.shape[1], "as outputs= says")
    kind, why = _told_of_one(ending, table, names) if table.shape[1] == 1 else _told_of_many(ending, table)
    return Output(kind, table.shape[1], why)


def kind_of(table: Tensor) -> str:
    """``"probabilities"`` or ``"log_probabilities"`` if a table (N, K) is seen to be that; else ``"logits"``."""
    values, tolerance = table.detach().double(), _tolerance(table)
    if table.shape[1] > 1:
        if bool((values >= 0).all() and (values.sum(1) - 1).abs().max() < tolerance):
            return "probabilities"
        if bool((values <= 0).all() and (values.exp().sum(1) - 1).abs().max() < tolerance):
            return "log_probabilities"
    return "logits"


def _told_of_many(ending: Ending, table: Tensor) -> tuple[str, str]:
    kind = kind_of(table)
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
    if ending.operation == "softmax" and not bool((table == 1).all()):  # one of its columns
        return "binary", last
    return ("binary_logit", "one output, and class names") if len(names or ()) in (1, 2) else ("values", "by default")


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


def check_outputs(outputs: str | None) -> str | None:
    """What a user says of the outputs, if it is one of :data:`KINDS`; else a ValueError lists them."""
    if outputs is not None and outputs not in KINDS:
        raise ValueError(f"outputs is {outputs!r}; it must be one of {', '.join(map(repr, KINDS))}")
    return outputs


def describe(output: Any) -> str:
    """What a network gives, in words: ``a dict of out (1×21×64×64) and aux (1×21×64×64)``."""
    if isinstance(output, Tensor):
        return describe_tensor(output)
    parts = [f"{name} ({_short(part)})" for name, part in _parts(output)]
    if not parts:
        return "nothing" if output is None else f"a {type(output).__name__}"
    shown = parts if len(parts) < 5 else [*parts[:3], f"{len(parts) - 3} more"]
    listed = " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
    return f"a {type(output).__name__} of {listed}"


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


def _percent(chance: float) -> str:
    return f"{chance:.0%}" if chance >= 0.1 else f"{chance:.1%}" if chance >= 0.001 else "< 0.1%"


_NOUNS = {
    "logits": ("logit", "logits"),
    "log_probabilities": ("log-probability", "log-probabilities"),
    "probabilities": ("probability", "probabilities"),
    "labels": ("label's probability", "labels' probabilities"),
    "label_logits": ("label's logit", "labels' logits"),
    "binary": ("probability", "probabilities"),
    "binary_logit": ("logit", "logits"),
    "values": ("value", "values"),
}
