"""Schemes of initialization: how the weights of a layer are drawn, and their variance in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from cnnwidgets.methods.parameters import Parameter


def _gain(default: float, help: str) -> dict[str, Parameter]:
    return {"gain": Parameter(default, help, 0.0, 100.0)}


@dataclass(frozen=True)
class Initialization:
    """A scheme: how the weights of a layer are set, and what they then are.

    Attributes:
        title: what a menu calls it.
        help: one line on it.
        formula: the variance of a weight, as a reader writes it.
        fill: sets a weight in place, given the weight and the parameters' values.
        variance: of a weight in closed form, given its shape and the parameters' values.
        parameters: what can be set of it.
    """

    title: str
    help: str
    formula: str
    fill: Callable[[Tensor, dict[str, Any]], Any]
    variance: Callable[[tuple[int, ...], dict[str, Any]], float]
    parameters: dict[str, Parameter]


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """``fan_in`` and ``fan_out`` of a weight (out, in, …) as ``torch.nn.init`` counts them.

    A convolution's kernel counts in both. In ``groups`` a unit sees a part of the channels, so that fan_in is that much
    smaller, and fan_out is not. A transposed convolution's weight is (in, out, …), so that the two change places.
    """
    kernel = math.prod(shape[2:])
    return shape[1] * kernel, shape[0] * kernel


def _uniform(weight: Tensor, settings: dict[str, Any]) -> None:
    bound = settings["gain"] / math.sqrt(fans(tuple(weight.shape))[0])
    nn.init.uniform_(weight, -bound, bound)


def _kaiming(weight: Tensor, settings: dict[str, Any]) -> None:
    nn.init.normal_(weight, std=settings["gain"] / math.sqrt(_fan(tuple(weight.shape), settings)))


def _fan(shape: tuple[int, ...], settings: dict[str, Any]) -> int:
    return fans(shape)[settings["mode"] == "fan_out"]


INITIALIZATIONS: dict[str, Initialization] = {
    "zero": Initialization(
        "zero",
        "Every weight is 0.",
        "0",
        lambda weight, _: nn.init.zeros_(weight),
        lambda shape, _: 0.0,
        {},
    ),
    "equal": Initialization(
        "all equal",
        "Every weight is the same number, so that all units of a layer stay the same.",
        "0",
        lambda weight, settings: nn.init.constant_(weight, settings["value"]),
        lambda shape, _: 0.0,
        {"value": Parameter(0.01, "What every weight is.", -100.0, 100.0)},
    ),
    "normal": Initialization(
        "normal",
        "Normal random numbers of the same deviation in every layer.",
        "std²",
        lambda weight, settings: nn.init.normal_(weight, std=settings["std"]),
        lambda shape, settings: settings["std"] ** 2,
        {"std": Parameter(0.01, "Standard deviation of the weights.", 0.0, 100.0)},
    ),
    "uniform": Initialization(
        "uniform 1/√n",
        "Uniform random numbers between ±gain/√fan_in: torch's own default (LeCun et al. 1998).",
        "gain² / (3 · fan_in)",
        _uniform,
        lambda shape, settings: settings["gain"] ** 2 / (3 * fans(shape)[0]),
        _gain(1.0, "The bound is this over the root of fan_in."),
    ),
    "xavier": Initialization(
        "Xavier",
        "Normal; keeps the variance of a linear signal forward and backward (Glorot and Bengio 2010).",
        "gain² · 2 / (fan_in + fan_out)",
        lambda weight, settings: nn.init.xavier_normal_(weight, gain=settings["gain"]),
        lambda shape, settings: settings["gain"] ** 2 * 2 / sum(fans(shape)),
        _gain(1.0, "1 for a linear layer, 5/3 for tanh."),
    ),
    "kaiming": Initialization(
        "Kaiming",
        "Normal; keeps the variance through ReLU (He et al. 2015).",
        "gain² / fan",
        _kaiming,
        lambda shape, settings: settings["gain"] ** 2 / _fan(shape, settings),
        {
            **_gain(math.sqrt(2), "√2 for ReLU, 1 for a linear layer."),
            "mode": Parameter("fan_in", "Keep the signal forward, or the gradient backward.", choices=("fan_in", "fan_out")),
        },
    ),
    "orthogonal": Initialization(
        "orthogonal",
        "Rows or columns are orthogonal and of length gain, so that no direction shrinks (Saxe et al. 2014).",
        "gain² / max(rows, columns)",
        lambda weight, settings: nn.init.orthogonal_(weight, gain=settings["gain"]),
        lambda shape, settings: settings["gain"] ** 2 / max(shape[0], math.prod(shape[1:])),
        _gain(1.0, "Length of the rows or columns."),
    ),
    "keep": Initialization(
        "as it is", "Weights, biases and norms stay.", "", lambda weight, _: None, lambda shape, _: math.nan, {}
    ),
}  # fmt: skip
"""By name, in the order of a menu."""
