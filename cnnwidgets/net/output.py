"""What a network's output means, decided once: logits, probabilities, labels, one value, or no table of numbers at all."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cnnwidgets.net.arguments import one_of
from cnnwidgets.numbers import number, percent

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

SAID, NAMED = "as outputs= says", "one output, and class names"
"""How the user can say what the output is."""

STRUCTURE = "structure"
"""The kind of an output that is no table of numbers: a tuple, a dict, a map."""


LONGEST = 40
"""Letters of a class's name in a sentence."""


def spoken(name: str) -> str:
    """A class's name in a sentence: its beginning if it is long; set apart if it is written from right to left."""
    name = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
    turns = any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in name)
    return f"\u2068{name}\u2069" if turns else name


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
    def is_said(self) -> bool:
        """Whether the user said so, by ``outputs=`` or by names of classes for a single output."""
        return self.why in (SAID, NAMED)

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
            case () if self.kind == "values":
                return ("value",) if self.count == 1 else tuple(f"value {k}" for k in range(self.count))
            case ():
                return tuple(map(str, range(self.count)))
            case names:
                return names

    def takes_names(self, names: Sequence[str]) -> bool:
        """Whether there are as many class names as this needs: one an output, or none; two may name a single one."""
        return len(names) in (0, self.count) or self.is_structure or (self.is_binary and len(names) == 2)

    def says(self, answers: Iterable[tuple[str, float]]) -> str:
        """What the network says of a picture, of what ``net.predict`` gives for it."""
        answers = list(answers)
        if self.is_binary:
            answers = answers[:1]
        return "prediction: " + ", ".join(self.word(name, value) for name, value in answers)

    def word(self, name: str, value: float) -> str:
        """What it says of one class: ``tabby (71%)``, ``p(positive) = 71.0%``, ``value 3.2``, ``age: 3.2``."""
        name = spoken(name.strip() or "(no name)")
        if not self.has_probabilities:
            return f"{name}{':' * (self.count > 1)} {number(value)}"
        if self.is_binary:
            return f"p({name}) = {percent(value)}"
        return f"{name} ({percent(value)})"

    def about_score(self, has_before: bool) -> str:
        """The sentence, and what of it is differentiated.

        Parameters:
            has_before: whether what goes into the last softmax or sigmoid can be had.
        """
        if self.has_logits or not self.has_probabilities:
            return self.sentence
        one_each = self.is_binary or self.kind == "labels" or "sigmoid" in self.why
        last = "sigmoid" if one_each and "softmax" not in self.why else "softmax"
        if has_before:
            return f"{self.sentence}; the score is the logit, before the {last}"
        return f"{self.sentence}; the score is the {_NOUNS[self.kind][0]}, after the {last} and not before it"

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


def check_outputs(outputs: str | None) -> str | None:
    """What a user says of the outputs, if it is one of :data:`KINDS`; else a ValueError lists them."""
    return None if outputs is None else one_of("outputs", outputs, KINDS)


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
