"""``loss=``: what a training minimizes, where the labels are class numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from cnnwidgets.methods.criteria import Loss, OwnLoss
from cnnwidgets.methods.parameters import Parameter, settle_by
from cnnwidgets.methods.variations import tasks

DISTANCES: dict[str, Loss] = {"mse": F.mse_loss, "l1": F.l1_loss, "huber": F.huber_loss}

LOSSES: dict[str, Parameter] = {
    "name": Parameter("cross_entropy", "What is minimized.", choices=("cross_entropy", "focal", *DISTANCES)),
    "gamma": Parameter(2.0, "Focal loss: how much less the sure answers count; 0 is cross-entropy.", 0.0, 100.0),
    "delta": Parameter(1.0, "Huber loss: where the parabola becomes straight.", 1e-9, 1e9),
    "target": Parameter(
        "one-hot", "What scores are compared with: 1 for the class and 0 for others, or the class's number.",
        choices=("one-hot", "number"),
    ),
}  # fmt: skip

OF = {"gamma": ("focal",), "delta": ("huber",), "target": (*DISTANCES,)}
"""Which losses take a parameter."""


def settle(given: Any) -> dict[str, Any]:
    found = settle_by(LOSSES, "loss", given, "name")
    name = found.setdefault("name", "cross_entropy")
    for parameter, losses in OF.items():
        if parameter in found and name not in losses:
            raise TypeError(f"{name} takes no {parameter}; {' and '.join(losses)} {'does' if len(losses) == 1 else 'do'}")
    return found


def outputs(what: dict[str, Any]) -> int | None:
    """How many scores the network must give; None if it may stay as it is."""
    return 1 if what.get("loss", {}).get("target") == "number" else None


def criterion(of_task: Loss, what: dict[str, Any]) -> Loss:
    """The criterion of a varied task."""
    told, smoothing = what.get("loss"), what.get("regularize", {}).get("label_smoothing", 0.0)
    found = of_task if told is None else _loss(told)
    if smoothing:
        if found is not F.cross_entropy:
            raise ValueError("label smoothing is for cross-entropy; leave one of the two out")
        found = partial(F.cross_entropy, label_smoothing=smoothing)
    return tasks.joined(found, what["tasks"]) if "tasks" in what else found


def _loss(told: dict[str, Any]) -> Loss:
    name = told["name"]
    if name == "cross_entropy":
        return F.cross_entropy
    if name == "focal":
        return Focal(told.get("gamma", 2.0))
    distance: Loss = partial(F.huber_loss, delta=told["delta"]) if "delta" in told else DISTANCES[name]
    return ToNumber(distance) if told.get("target") == "number" else ToOneHot(distance)


@dataclass(frozen=True)
class Focal:
    """Cross-entropy that counts sure answers less: the mean of -(1 - p)^gamma log p, p the class's probability.

    Lin, Goyal, Girshick, He and Dollár, "Focal loss for dense object detection" (ICCV 2017), without their weights.
    """

    gamma: float

    def __call__(self, scores: Tensor, labels: Tensor) -> Tensor:
        logs = F.log_softmax(scores, 1).gather(1, labels.long().reshape(-1, 1)).squeeze(1)
        return (-((-torch.expm1(logs)).clamp(min=0) ** self.gamma) * logs).mean()


@dataclass(frozen=True)
class ToOneHot:
    """The distance of the scores (N, classes) from 1 for the label's class and 0 for all others."""

    distance: Loss

    def __call__(self, scores: Tensor, labels: Tensor) -> Tensor:
        return self.distance(scores, F.one_hot(labels.long().reshape(-1), scores.shape[1]).to(scores.dtype))


@dataclass(frozen=True)
class ToNumber(OwnLoss):
    """The distance of one score (N, 1) from the number of the class; an answer is right if that is the nearest one."""

    distance: Loss

    def __call__(self, scores: Tensor, labels: Tensor) -> Tensor:
        return self.distance(scores.reshape(-1), labels.reshape(-1).to(scores.dtype))

    def accuracy(self, scores: Tensor, labels: Tensor) -> float:
        return ((scores.reshape(-1) - labels.reshape(-1)).abs() < 0.5).double().mean().item()
