"""What a criterion makes of a network's scores: the labels that it wants, and when an answer is right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnnwidgets.net import telling
from cnnwidgets.net.items import describe
from cnnwidgets.net.layers import format_shape
from cnnwidgets.net.output import Output

Loss = Callable[[Tensor, Tensor], Tensor]
"""Scores (N, ...) and labels to their mean loss."""


class OwnLoss:
    """A loss that itself says what accuracy is, and how its gradients come about."""

    def __call__(self, scores: Tensor, labels: Tensor) -> Tensor:
        raise NotImplementedError

    def accuracy(self, scores: Tensor, labels: Tensor) -> float:
        """The share of right answers, 0..1."""
        raise NotImplementedError

    def measures(self, scores: Tensor, labels: Tensor) -> dict[str, float]:
        """What else there is to know at each validation, by name."""
        return {}

    def backward(self, losses: Tensor, network: nn.Module) -> None:
        """Set the gradients of a network's weights."""
        losses.backward()


Kind = Literal["classes", "labels", "values"]
"""One class of several; several labels, each on or off; values that are near or far, and neither right nor wrong."""

CLASSES = (nn.CrossEntropyLoss, nn.NLLLoss, nn.MultiMarginLoss, F.cross_entropy, F.nll_loss, F.multi_margin_loss)
PROBABILITIES = (nn.BCELoss, F.binary_cross_entropy)
LABELS = (
    *PROBABILITIES,
    *(nn.BCEWithLogitsLoss, F.binary_cross_entropy_with_logits),
    *(nn.MultiLabelSoftMarginLoss, F.multilabel_soft_margin_loss),
)
VALUES = (
    *(nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss, nn.PoissonNLLLoss),
    *(F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss, F.poisson_nll_loss),
)
"""The losses of torch of which it is known what they want; any other is taken at its word."""

FOR_LABELS = "criterion=nn.BCEWithLogitsLoss()"
FOR_ONE = f"pass {FOR_LABELS} where a label is 1 or 0, for yes or no; criterion=nn.MSELoss() where it is a value"


def scores_of(output: Any) -> Tensor:
    """The scores in what a network gives: the tensor itself, or the part called ``logits`` or ``out``.

    So call it the networks of transformers, and those of torchvision for segmentation or with auxiliary classifiers,
    which then do not train.

    Raises:
        TypeError: there are none.
    """
    if isinstance(output, Tensor):
        return output
    for name in ("logits", "out"):
        part = output.get(name) if isinstance(output, Mapping) else getattr(output, name, None)
        if isinstance(part, Tensor):
            return part
    raise TypeError(
        f"expected a tensor of scores from the network, got {describe(output)}: give a module that returns the scores alone"
    )


def fit_labels(scores: Tensor, labels: Tensor, criterion: Loss) -> Tensor:
    """A batch's labels as a criterion of torch's takes them; a criterion of your own gets them as they are.

    Class numbers become int64, labels and values become the scores' type; an axis of length 1 that only one of the two
    has goes or comes. Where nothing has to be changed, the same tensor is given back.

    Parameters:
        scores: (N, classes), (N, classes, H, W) or, of labels and values, any (N, ...).
        labels: class numbers (N,) or (N, H, W), or probabilities of the classes in the scores' shape; labels and values in
            the scores' shape.

    Raises:
        ValueError: these labels are none for this criterion; the sentence says which criterion they are for.
    """
    if _is_one_of(CLASSES, criterion):
        return _as_classes(scores, labels, criterion)
    if _is_one_of(LABELS, criterion):
        return _as_values(scores, labels, "labels")
    return _as_values(scores, labels, "values") if _is_one_of(VALUES, criterion) else labels


def accuracy(scores: Tensor, labels: Tensor, criterion: Loss = F.cross_entropy) -> float:
    """The share of right answers, 0..1; NaN where nothing is right or wrong, or there is nothing to judge.

    Of classes: the share of the labels (of the pixels, in a segmentation) that the highest score names; where labels are
    probabilities, of those whose highest one it names. What the criterion ignores is left out. Of labels, one or several a
    picture: the share of all labels, whole pictures apart, that are said rightly on (a score above 0, or a probability
    above 1/2) or off. Of values: NaN. Under a criterion of your own there are classes where the labels are class numbers,
    or one-hot, else values.

    Parameters:
        scores, labels: as :func:`fit_labels` gives them.
    """
    if isinstance(criterion, OwnLoss):
        return criterion.accuracy(scores, labels)
    kind, total = kind_of(scores, labels, criterion), labels.numel()
    if kind == "values":
        return float("nan")
    if kind == "labels":
        right = (scores > (0.5 if _is_one_of(PROBABILITIES, criterion) else 0.0)) == (labels > 0.5)
    elif labels.shape == scores.shape:
        right, total = scores.argmax(1) == labels.argmax(1), labels.numel() // labels.shape[1]
    else:
        counts = labels.long() != _ignored(criterion)
        right, total = (scores.argmax(1) == labels) & counts, int(counts.sum())
    return int(right.sum()) / total if total else float("nan")


def probabilities(scores: Tensor, labels: Tensor, criterion: Loss) -> tuple[Tensor, Loss]:
    """What the answers of several networks are averaged as, and the criterion under which an average is judged.

    Classes as float64 probabilities, labels likewise, values as they are.
    """
    kind = kind_of(scores, labels, criterion)
    if kind == "classes":
        told = telling.kind_of(scores) if scores.ndim == 2 else "logits"
        return Output(told, scores.shape[1], "by their sums").answers(scores.double()), criterion
    if kind == "values":
        return scores.double(), criterion
    return (scores if _is_one_of(PROBABILITIES, criterion) else scores.sigmoid()).double(), F.binary_cross_entropy


def kind_of(scores: Tensor, labels: Tensor, criterion: Loss) -> Kind:
    """What is learned: by the criterion, or, where that does not say, by the labels."""
    if _is_one_of(CLASSES, criterion):
        return "classes"
    if _is_one_of(LABELS, criterion):
        return "labels"
    if scores.ndim < 2 or scores.shape[1] < 2:
        return "values"
    numbered = not labels.is_floating_point() and labels.shape == scores.shape[:1] + scores.shape[2:]
    return "classes" if numbered or (labels.shape == scores.shape and _is_one_hot(labels)) else "values"


def _is_one_hot(labels: Tensor) -> bool:
    return bool(((labels == 0) | (labels == 1)).all() and (labels.sum(1) == 1).all())


def _as_classes(scores: Tensor, labels: Tensor, criterion: Loss) -> Tensor:
    if scores.ndim < 2 or scores.shape[1] == 1:
        raise ValueError(
            f"the network gives one score a picture, and the labels are {describe(labels)}, but {_name(criterion)} compares "
            f"the scores of at least two classes: {FOR_ONE}"
        )
    numbered = scores.shape[:1] + scores.shape[2:]
    if labels.shape == scores.shape:
        if criterion is F.cross_entropy and (labels.sum(1) > 1.001).any():
            raise ValueError(
                f"the labels are {describe(labels)} with several classes of a picture, but {_name(criterion)} expects one "
                f"class: pass {FOR_LABELS}"
            )
        return labels.to(scores.dtype)
    if labels.shape == (*scores.shape[:1], 1, *scores.shape[2:]):
        labels = labels.squeeze(1)
    if labels.shape != numbered:
        raise ValueError(
            f"{_name(criterion)} expects class numbers {format_shape(numbered)} or probabilities "
            f"{format_shape(scores.shape)} for scores {format_shape(scores.shape)}, got {describe(labels)}"
        )
    if labels.is_floating_point():
        broken = labels[labels != labels.round()]
        if len(broken):
            raise ValueError(
                f"{_name(criterion)} expects class numbers from 0 to {scores.shape[1] - 1}, got {describe(labels)} such as "
                f"{float(broken[0]):.4g}: for values give a network with one score for each and criterion=nn.MSELoss()"
            )
    labels = labels.to(torch.int64)
    classes = scores.shape[1]
    least, largest = map(int, labels.aminmax()) if labels.numel() else (0, 0)
    if least < 0 or largest >= classes:  # a closer look takes longer
        beyond = labels[((labels < 0) | (labels >= classes)) & (labels != _ignored(criterion))]
        if len(beyond):
            raise ValueError(
                f"there is a label {int(beyond[0])}, but the network gives scores of {classes} classes, numbered from 0"
            )
    return labels


def _as_values(scores: Tensor, labels: Tensor, kind: Kind) -> Tensor:
    if labels.shape != scores.shape:
        if [side for side in labels.shape if side > 1] != [side for side in scores.shape if side > 1]:
            hint = ": class numbers are for criterion=nn.CrossEntropyLoss()" if labels.ndim < scores.ndim else ""
            raise ValueError(
                f"the criterion expects {kind} in the shape of the scores, {format_shape(scores.shape)}, got "
                f"{describe(labels)}{hint}"
            )
        labels = labels.reshape(scores.shape)
    beyond = labels[(labels < 0) | (labels > 1)] if kind == "labels" else labels[:0]
    if len(beyond):
        raise ValueError(f"the criterion expects labels from 0 to 1, got {describe(labels)} such as {beyond[0]:.4g}")
    return labels.to(scores.dtype)


def _is_one_of(losses: tuple[Any, ...], criterion: Any) -> bool:
    criterion = criterion.func if isinstance(criterion, partial) else criterion
    return criterion in losses or isinstance(criterion, _classes_among(losses))


@cache
def _classes_among(losses: tuple[Any, ...]) -> tuple[type, ...]:
    return tuple(loss for loss in losses if isinstance(loss, type))


def _ignored(criterion: Any) -> int:
    """The class number that does not count."""
    if isinstance(criterion, partial):
        return criterion.keywords.get("ignore_index", -100)
    return getattr(criterion, "ignore_index", -100)


def _name(criterion: Any) -> str:
    return getattr(criterion, "__name__", type(criterion).__name__)
