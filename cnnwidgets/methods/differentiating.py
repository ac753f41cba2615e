"""What the gradient methods share: gradients of many scores from one forward pass, and channels as one number per pixel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor

from cnnwidgets.methods.attribution import Question
from cnnwidgets.net import Cancelled
from cnnwidgets.net.arguments import one_of
from cnnwidgets.net.graph import Graph
from cnnwidgets.net.progress import Cancel, OnUpdate
from cnnwidgets.net.relu_rules import follow

T = TypeVar("T")

REDUCTIONS = ("max", "sum", "signed", "none")
"""How the channels of a picture become one number per pixel."""


def each_gradient(
    question: Question, pictures: Tensor, take: Callable[[Tensor, Tensor], T], rule: str = "backpropagation"
) -> tuple[list[T], int | None]:
    """After one forward pass of N pictures, what ``take`` makes of each score's gradients (N, C, H, W) and values (N,).

    Returns also how many ReLUs follow the rule; None without one.
    """

    def work(passed: Graph) -> tuple[list[T], int | None]:
        several = question.scores(passed)
        ruled = None if rule == "backpropagation" else follow(rule, several, needed=not question.layers)
        found = [
            take(passed.gradient(scores.sum(), last=k == len(several)).detach(), scores.detach())
            for k, scores in enumerate(several, 1)
        ]
        return found, ruled

    return question.net.differentiate(pictures, work, question.layers)


def summed(question: Question, pictures: Tensor) -> Tensor:
    """For each score the sum of the pictures' gradients, float32 (scores, C, H, W)."""
    return torch.stack(each_gradient(question, pictures, lambda gradients, _: gradients.sum(0).float().cpu())[0])


def scores_of(question: Question, pictures: Tensor | None = None) -> list[float]:
    """Each score that is asked for, of one picture; by default of the question's own."""
    with question.net.graph(question.inputs if pictures is None else pictures, question.layers) as passed:
        return [scores[0].item() for scores in question.scores(passed)]


def reduction_of(reduce: str) -> Callable[[Tensor], Tensor]:
    """(C, H, W) to (H, W), or as it is."""
    one_of("reduce", reduce, REDUCTIONS)
    return {
        "max": lambda values: values.abs().amax(0),
        "sum": lambda values: values.abs().sum(0),
        "signed": lambda values: values.sum(0),
        "none": lambda values: values,
    }[reduce]


def is_signed(reduce: str) -> bool:
    return reduce in ("signed", "none")


def batches_of(total: int, most: int) -> Iterator[tuple[int, int]]:
    """Batches of a total: how many are done after each, and how many are in it."""
    for start in range(0, total, most):
        yield min(total, start + most), min(most, total - start)


def tell(on_update: OnUpdate[Any] | None, cancel: Cancel | None, result: Callable[[], Any], fraction: float) -> None:
    if cancel is not None and cancel.is_set():
        raise Cancelled("cancelled", partial=result())
    if on_update is not None:
        on_update(result(), fraction)
