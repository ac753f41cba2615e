"""Plain PyTorch lines for attribution methods: each puts its map into ``maps``, by the method's name."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from cnnwidgets.methods.attribution import Attribution
from cnnwidgets.methods.code.scores import bind_lines, identifier
from cnnwidgets.net import BoundModel

Lines: TypeAlias = "Callable[[BoundModel, Attribution, Mapping[str, Any]], str]"
"""The lines of a method's map, of what it found and the options that it was given."""

_CHANNELS = {"max": ".abs().amax(0)", "sum": ".abs().sum(0)", "signed": ".sum(0)", "none": ""}

_GRADIENT = """\
x = x.detach().requires_grad_()
score = {score}
{rules}(gradient,) = torch.autograd.grad(score, x)
maps["{method}"] = {values}"""

_RULES = """\
todo, seen = [score.grad_fn], set()
while todo:  # every ReLU of the graph, however it is written
    node = todo.pop()
    if node is None or node in seen:
        continue
    seen.add(node)
    todo += [before for before, _ in node.next_functions]
    floors = (getattr(node, name, None) for name in ("_saved_min_val", "_saved_min", "_saved_threshold"))
    if node.name() == "ReluBackward0" or any(floor == 0 for floor in floors):
        node.register_hook(lambda back, above: ({rule}.clamp(min=0), *back[1:]))
"""

_CAM = """\
outputs = []

def keep(module, args, output):
    outputs.append(output)
    return output.clone()  # which may be overwritten

hook = model.get_submodule("{layer}").register_forward_hook(keep)
score = {score}
hook.remove()
(slope,) = torch.autograd.grad(score, outputs[{number}])
a, g = outputs[{number}][0].detach(), slope[0]
maps["{method}"] = {values}.clamp(min=0)  # of {name}, (rows, columns)"""


def library_lines(net: BoundModel, found: Attribution, options: Mapping[str, Any]) -> str:
    """The library's own lines, where plain ones would be as long as the method itself."""
    about: dict[str, Any] = {"target": found.target} if found.unit is None else {"unit": found.unit}
    given = ", ".join(f"{key}={value!r}" for key, value in {**about, **options}.items())
    if isinstance(found.target, str):
        given = given.replace(f"target={found.target!r}", f"target={identifier(found.target)}")
    return textwrap.dedent(
        f"""\
        import cnnwidgets as cw
        net = {bind_lines(net)}
        maps["{found.method}"] = cw.methods.attribute(net, x.detach(), {given}, method="{found.method}").values"""
    )


def gradient_lines(values: str = "gradient[0]", *, rule: str = "", reduce: str = "max") -> Lines:
    """What writes a gradient; the library's lines where plain ones cannot get at the score, or it is a unit's.

    Parameters:
        values: the expression of (C, H, W) values, of ``gradient`` and ``x``, both (1, C, H, W).
        rule: what a ReLU lets back where it is positive, of ``above`` and ``back``; by default the gradient itself.
        reduce: what becomes of the channels if the method is not told.
    """

    def lines(net: BoundModel, found: Attribution, options: Mapping[str, Any]) -> str:
        score = _score(net, found)
        if not score:
            return library_lines(net, found, options)
        return _GRADIENT.format(
            score=score,
            rules=_RULES.format(rule=rule) if rule else "",
            method=found.method,
            values=values + _CHANNELS[options.get("reduce", reduce)],
        )

    return lines


def cam_lines(values: str = "") -> Lines:
    """What writes a class activation map; the library's lines where there are no plain ones, which name the layer, too.

    Parameters:
        values: the expression of (rows, columns) values, of the maps ``a`` and their gradient ``g``, both (units, rows,
            columns); empty if there is none.
    """

    def lines(net: BoundModel, found: Attribution, options: Mapping[str, Any]) -> str:
        row, score = net.layers[found.layer], _score(net, found)  # type: ignore[index]  # such a map has one
        how, name, number = row.source
        if not (values and score and how == "module" and row.layout == "map"):
            return library_lines(net, found, {**options, "layer": found.layer})
        return _CAM.format(layer=name, score=score, number=number - 1, method=found.method, values=values, name=row.name)

    return lines


def _score(net: BoundModel, found: Attribution) -> str:
    """The expression of what is differentiated; empty where plain lines cannot get at it: a unit, or before a softmax."""
    if found.unit is not None:
        return ""
    if isinstance(found.target, str):
        return f"{identifier(found.target)}(model.eval()(x)).sum()"
    output = net.output
    if output.is_binary or (output.has_probabilities and not output.has_logits):
        return ""
    call = "model.eval()(x)"
    return f"{call}.reshape(1, -1)[0, {found.target}]" if output.count == 1 else f"{call}[0, {found.target}]"


def randomized_lines(net: BoundModel, depth: int, seed: int) -> str:
    """The lines that make ``model`` forget its last layers."""
    return textwrap.dedent(
        f"""\
        import cnnwidgets as cw
        model = cw.methods.randomized({bind_lines(net)}, {depth}, seed={seed}).module"""
    )
