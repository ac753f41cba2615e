"""``tasks=``: several heads on one network, and how their gradients are joined.

Summed; one head at random a step; each picture for one head; or projected where they conflict: Yu, Kumar, Gupta, Levine,
Hausman and Finn, "Gradient surgery for multi-task learning" (NeurIPS 2020).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cnnwidgets.methods.criteria import Loss, OwnLoss, accuracy
from cnnwidgets.methods.parameters import Parameter, settle_by
from cnnwidgets.net.arguments import is_number, is_whole
from cnnwidgets.net.layers import format_shape

WAYS = ("sum", "random", "gate", "project")

TURN = "turn"
"""A head of this name tells by how many quarter turns a picture is turned, where a picture has one label: Gidaris, Singh and
Komodakis, "Unsupervised representation learning by predicting image rotations" (ICLR 2018)."""

TASKS: dict[str, Parameter] = {
    "by": Parameter(
        "sum",
        "Gradients are summed; or one head is drawn per step, or per picture; or conflicts are projected away.",
        choices=WAYS,
    ),
}


def settle(given: Any) -> dict[str, Any]:
    """``heads``: a dict of each head's number of classes; ``weights``: a dict of numbers above 0; ``by``: one of WAYS."""
    if not isinstance(given, dict) or not isinstance(given.get("heads"), dict) or len(given["heads"]) < 2:
        raise TypeError(f"tasks is {given!r}; expected a dict with heads, such as {{'heads': {{'class': 10, 'turn': 4}}}}")
    heads, weights = given["heads"], given.get("weights", {})
    for name, classes in heads.items():
        if not isinstance(name, str) or not is_whole(classes) or classes < 2:
            raise ValueError(f"head {name!r} has {classes!r} classes; expected a whole number of at least 2")
    if heads.get(TURN, 4) != 4:
        raise ValueError(f"head 'turn' has {heads[TURN]} classes; expected 4 quarter turns")
    if not isinstance(weights, dict) or not weights.keys() <= heads.keys():
        raise ValueError(f"tasks['weights'] is {weights!r}; expected a number for any of: {', '.join(heads)}")
    for name, weight in weights.items():
        if not is_number(weight) or weight < 0:
            raise ValueError(f"the weight of head {name!r} is {weight!r}; expected a number of at least 0")
    rest = {name: value for name, value in given.items() if name not in ("heads", "weights")}
    found = {"heads": {name: int(classes) for name, classes in heads.items()}, **settle_by(TASKS, "tasks", rest)}
    return {**found, **({"weights": {name: float(weight) for name, weight in weights.items()}} if weights else {})}


def outputs(what: dict[str, Any]) -> int | None:
    """How many scores the network must give: those of all heads."""
    return sum(what["tasks"]["heads"].values()) if "tasks" in what else None


def draws(what: dict[str, Any]) -> bool:
    """Whether the heads' gradients are joined by chance."""
    return what.get("tasks", {}).get("by", "sum") != "sum"


def joined(of_one: Loss, what: dict[str, Any]) -> Heads:
    """The criterion of all heads."""
    names = [*what["heads"]]
    weights = tuple(what.get("weights", {}).get(name, 1.0) for name in names)
    return Heads(of_one, tuple(names), tuple(what["heads"].values()), weights, what.get("by", "sum"))


@dataclass(frozen=True)
class Heads(OwnLoss):
    """The losses of several heads on scores (N, classes of all heads) and labels (N, heads), joined.

    Attributes:
        of_one: the loss of a head.
        names, classes, weights: of the heads, in the order of the scores' columns.
        by: one of :data:`WAYS`. Without gradients, as when it validates, it is always the sum.
    """

    of_one: Loss
    names: tuple[str, ...]
    classes: tuple[int, ...]
    weights: tuple[float, ...]
    by: str

    def __call__(self, scores: Tensor, labels: Tensor) -> Tensor:
        """The joined loss; of "project" while training one for each head (heads,), which :meth:`backward` takes."""
        parts = self._parts(scores, labels)
        if scores.requires_grad and self.by == "random":
            k = int(torch.randint(len(parts), ()))
            return self._loss(k, parts[k])
        if scores.requires_grad and self.by == "gate":
            own = torch.randint(len(parts), (len(scores),))
            chosen = [(k, own == k) for k in range(len(parts)) if (own == k).any()]
            means = [self._loss(k, (parts[k][0][some], parts[k][1][some])) for k, some in chosen]
            shares = [mean * some.double().mean().item() for mean, (_, some) in zip(means, chosen, strict=True)]
            return torch.stack(shares).sum()
        losses = torch.stack([self._loss(k, part) for k, part in enumerate(parts)])
        return losses if scores.requires_grad and self.by == "project" else losses.sum()

    def accuracy(self, scores: Tensor, labels: Tensor) -> float:
        """The mean of the heads' accuracies."""
        found = self.measures(scores, labels)
        return sum(found.values()) / len(found)

    def measures(self, scores: Tensor, labels: Tensor) -> dict[str, float]:
        """The accuracy of each head, 0..1, by its name."""
        parts = self._parts(scores, labels)
        return {name: accuracy(*part, self.of_one) for name, part in zip(self.names, parts, strict=True)}

    def backward(self, losses: Tensor, network: nn.Module) -> None:
        """Set the gradients: of the one loss there is, or of all losses (heads,) without what conflicts."""
        if not losses.ndim:
            losses.backward()
            return
        weights = [weight for weight in network.parameters() if weight.requires_grad]
        each = [torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True) for loss in losses]
        whole = [[torch.zeros_like(w) if g is None else g for g, w in zip(some, weights, strict=True)] for some in each]
        flat = torch.stack([torch.cat([g.reshape(-1) for g in some]) for some in whole])
        for weight, gradient in zip(weights, project(flat).sum(0).split([w.numel() for w in weights]), strict=True):
            weight.grad = gradient.reshape(weight.shape)

    def _parts(self, scores: Tensor, labels: Tensor) -> list[tuple[Tensor, Tensor]]:
        if labels.shape != (len(scores), len(self.names)) or scores.shape[1] != sum(self.classes):
            raise ValueError(
                f"expected labels {format_shape((len(scores), len(self.names)))}, one for each of the heads "
                f"{', '.join(self.names)}, and {sum(self.classes)} scores, got labels {format_shape(labels.shape)} "
                f"and scores {format_shape(scores.shape)}"
            )
        return [*zip(scores.split(self.classes, 1), labels.long().unbind(1), strict=True)]

    def _loss(self, k: int, part: tuple[Tensor, Tensor]) -> Tensor:
        return self.weights[k] * self.of_one(*part)


def project(gradients: Tensor) -> Tensor:
    """Each of several gradients (tasks, n) without what points against another one, taken away in a random order.

    A gradient g that conflicts with another one h, g h < 0, becomes g - (g h / h h) h.
    """
    found = gradients.clone()
    for k, own in enumerate(found):
        for other in torch.randperm(len(gradients)).tolist():
            against = gradients[other]
            if other != k and (product := own @ against) < 0:
                own -= product / (against @ against) * against
    return found
