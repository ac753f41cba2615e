"""The three ways back through a ReLU, for every ReLU of a forward pass, however it is written.

Hooks on ``nn.ReLU`` modules miss ``F.relu``. Here the rule is given to the ReLUs of autograd's own graph, which
``nn.ReLU``, ``F.relu``, ``torch.relu_`` and ``clamp(min=0)`` become alike, in-place, shared or in a scripted model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node

Rule = Callable[[Tensor, Tensor], Tensor]
"""What goes back, of what autograd would send back and of what comes from above."""

RULES: dict[str, Rule] = {
    "backpropagation": lambda back, above: back,
    "deconvnet": lambda back, above: above.clamp(min=0),
    "guided": lambda back, above: back.clamp(min=0),
}
"""Deconvnet: Zeiler and Fergus (ECCV 2014). Guided backpropagation: Springenberg et al. (ICLR workshop 2015)."""


class NoRule(ValueError):
    """The rules cannot be followed in this network; the sentence says why."""


def follow(rule: str, outputs: Iterable[Tensor], *, needed: bool = True) -> int:
    """Let every ReLU on the way back from some outputs of a forward pass follow a rule; returns how many there are.

    Parameters:
        needed: whether there must be one.

    Raises:
        NoRule: there is no ReLU, though one is needed; or there is a function like it that has no such rule (SiLU, GELU,
            leaky ReLU); or a part of the graph that may be or hold a ReLU and does not show it (``torch.maximum``, a custom
            function). A ReLU that is written as a product, ``x * (x > 0)``, cannot be told from any other. The one within
            ``F.lp_pool2d``, which is of sizes and lets all of them pass, is no activation and follows no rule.
    """
    ruled, nodes = 0, [*_nodes(outputs)]
    of_sizes = {part for node in nodes for part in _relu_of_sizes(node)}
    for node in nodes:
        if reason := _hides(node) or _OTHERS.get(_kind(node)):
            raise NoRule(f"this network has no ReLU rules to follow: it contains {reason}")
        if _is_relu(node) and node not in of_sizes:
            node.register_hook(_by(RULES[rule]))
            ruled += 1
    if needed and not ruled:
        raise NoRule("the rules for a ReLU do not apply: no ReLU lies between this score and the picture")
    return ruled


def _by(rule: Rule) -> Callable:
    def hook(back: tuple[Tensor | None, ...], above: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...] | None:
        if back[0] is None or above[0] is None:
            return None
        return rule(back[0], above[0]), *back[1:]

    return hook


def _nodes(outputs: Iterable[Tensor]) -> Iterator[Node]:
    """Every node of a graph, once."""
    todo = [output.grad_fn for output in outputs]
    seen = set()
    while todo:
        node = todo.pop()
        if node is not None and node not in seen:
            seen.add(node)
            yield node
            todo += [before for before, _ in node.next_functions]


def _kind(node: Node) -> str:
    return node.name().rstrip("0123456789").removesuffix("Backward")


def _is_relu(node: Node) -> bool:
    """Whether a node is a ReLU, one with a ceiling (ReLU6) included."""
    kind = _kind(node)
    if kind == "Relu":
        return True
    floor = _FLOORS.get(kind)
    return floor is not None and _is_zero(getattr(node, floor, None))


def _relu_of_sizes(node: Node) -> Iterator[Node]:
    """The ReLU within ``F.lp_pool2d`` and its likes, where a number is ``sign(x) * relu(abs(x))``: it changes nothing."""
    factors = [factor for factor, _ in node.next_functions if factor is not None] if _kind(node) == "Mul" else []
    if [*map(_kind, factors)] == ["Sign", "Relu"]:
        sign, relu = factors
        size = relu.next_functions[0][0]
        if size is not None and _kind(size) == "Abs" and size.next_functions == sign.next_functions:
            yield relu


def _is_zero(value: Any) -> bool:
    return value is not None and not bool(torch.as_tensor(value).any())


def _hides(node: Node) -> str:
    """What a node is that does not show what it computes; empty if it is not one."""
    if isinstance(node, torch.autograd.function.BackwardCFunction):
        return f"the custom autograd function {node.name().removesuffix('Backward')}, which may hold a ReLU"
    if "CopySlices" in node.name():
        return "an in-place operation on a part of a tensor (a view), which may be a ReLU"
    if "DifferentiableGraph" in node.name():
        return "a scripted part, which may hold a ReLU"
    return ""


_FLOORS = {"Hardtanh": "_saved_min_val", "Clamp": "_saved_min", "ClampMin": "_saved_min", "Threshold": "_saved_threshold"}
_OTHERS = {
    "LeakyRelu": "a leaky ReLU",
    "RreluWithNoise": "a randomized leaky ReLU",
    "PreluKernel": "a PReLU",
    "Prelu": "a PReLU",
    "Elu": "an ELU or SELU",
    "Celu": "a CELU",
    "Gelu": "a GELU",
    "Silu": "a SiLU (swish)",
    "Mish": "a Mish",
    "Hardswish": "a hard swish",
    "Softplus": "a softplus",
    "LogSigmoid": "a log sigmoid",
    "Glu": "a gated linear unit",
    "Softshrink": "a soft shrinkage",
    "Hardshrink": "a hard shrinkage",
    "Maximum": "a maximum of two tensors, which may be a ReLU",
    "Fmax": "a maximum of two tensors, which may be a ReLU",
    "Where": "a choice between two tensors (torch.where), which may be a ReLU",
    "MaskedFill": "a masked fill, which may be a ReLU",
}
