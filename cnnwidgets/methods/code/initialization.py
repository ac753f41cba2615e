"""The plain PyTorch lines that give ``model`` the weights of an initialization."""

from __future__ import annotations

import math
import textwrap
from typing import Any, TypeAlias

from torch import nn

Types: TypeAlias = tuple[type, ...]

_SET = {
    "zero": "nn.init.zeros_({weight})",
    "equal": "nn.init.constant_({weight}, {value})",
    "normal": "nn.init.normal_({weight}, std={std})",
    "uniform": "nn.init.uniform_({weight}, -{gain} / math.sqrt({fan}), {gain} / math.sqrt({fan}))",
    "xavier": "nn.init.xavier_normal_({weight}, gain={gain})",
    "kaiming": "nn.init.normal_({weight}, std={gain} / math.sqrt({fan}))",
    "orthogonal": "nn.init.orthogonal_({weight}, gain={gain})",
}
_FOR_RELU = 'nn.init.kaiming_normal_({weight}, mode="{mode}", nonlinearity="relu")'

_BIAS = """\
    if part.bias is not None:
        nn.init.zeros_(part.bias)"""


def initialization_lines(
    model: nn.Module, settled: dict[str, Any], layers: tuple[type, ...], norms: tuple[type, ...]
) -> str:
    """The lines that give ``model`` the weights of a scheme, in place.

    Parameters:
        settled: a scheme with all its values, as :func:`cnnwidgets.methods.initialization.settle` gives it.
        layers, norms: classes of modules that get weights, and that become as new.
    """
    by_layer = settled.get("by_layer", {})
    if settled["scheme"] == "keep" and not by_layer:
        return "# the weights of model stay as they are"
    lines = [f"if isinstance(part, {_kinds(model, layers)}):"]
    if by_layer:
        rules = [(name, by_layer[name]) for name in sorted(by_layer, key=len, reverse=True)]
        tests = [
            f'{"elif" if k else "if"} f"{{name}}.".startswith("{name}{"." * bool(name)}"):'
            for k, (name, _) in enumerate(rules)
        ]
        chosen = [*zip(tests, [one for _, one in rules], strict=True), ("else:", settled)]
        lines = [f"{test}\n    {_choice(one)}" for test, one in chosen] + lines
        lines += ["    fill(part.weight)", _BIAS]
    else:
        lines += [f"    {_line(settled, 'part.weight')}", _BIAS]
    if any(isinstance(part, norms) for part in model.modules()):
        lines += [f"elif isinstance(part, {_kinds(model, norms)}):", "    part.reset_parameters()  # weight 1, bias 0"]
    body = textwrap.indent("\n".join(lines), "    ")
    imports = ["import math"] * ("math." in body) + ["from torch import nn"]
    loop = "for name, part in model.named_modules():" if by_layer else "for part in model.modules():"
    return "\n".join([*imports, "", loop, body])


def _choice(settled: dict[str, Any]) -> str:
    return "continue  # as it is" if settled["scheme"] == "keep" else f"fill = lambda weight: {_line(settled, 'weight')}"


def _line(settled: dict[str, Any], weight: str) -> str:
    scheme, mode = settled["scheme"], settled.get("mode")
    for_relu = scheme == "kaiming" and settled["gain"] == math.sqrt(2)
    fan = f"{weight}[{':, ' * (mode == 'fan_out')}0].numel()"
    return (_FOR_RELU if for_relu else _SET[scheme]).format(weight=weight, fan=fan, **settled)


def _kinds(model: nn.Module, of: tuple[type, ...]) -> str:
    """The classes of torch that a network's modules are of, as an expression."""
    found = [
        f"nn.{kind.__name__}"
        for part in model.modules()
        if isinstance(part, of)
        for kind in type(part).__mro__
        if getattr(nn, kind.__name__, None) is kind and issubclass(kind, of)
    ]
    names = [*dict.fromkeys(found)]
    return names[0] if len(names) == 1 else f"({', '.join(names)})"
