"""Plain PyTorch lines for attribution methods: each puts its map into ``maps``, by the method's name."""

from __future__ import annotations

import textwrap
from typing import Any

from cnnwidgets.methods.attribution import Attribution
from cnnwidgets.methods.code.scores import bind_lines, identifier
from cnnwidgets.net import BoundModel

_CHANNELS = {"max": ".abs().amax(0)", "sum": ".abs().sum(0)"}

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

_WEIGHTED = {
    "grad_cam": "(g.mean((1, 2), keepdim=True) * a).sum(0)",
    "layer_cam": "(g.clamp(min=0) * a).sum(0)",
    "grad_cam_plus_plus": "((g.clamp(min=0) * (g**2 / (2 * g**2 + a.sum((1, 2), keepdim=True) * g**3).where(g != 0, 1))"
    ".nan_to_num()).sum((1, 2), keepdim=True) * a).sum(0)",
}


def attribution_lines(net: BoundModel, method: str, found: Attribution, options: dict[str, Any]) -> str:
    """The lines of one method's map; those of the library where plain ones would be as long as the method itself."""
    score = _score(net, found)
    if found.unit is None and score and method in ("saliency", "gradient_x_input", "deconvnet", "guided_backprop"):
        values = f"gradient[0]{_CHANNELS.get(options.get('reduce', ''), '')}"
        if method == "gradient_x_input":
            values = "(gradient * x.detach())[0].sum(0)"
        rule = {"deconvnet": "above[0]", "guided_backprop": "back[0]"}.get(method)
        rules = _RULES.format(rule=rule) if rule else ""
        return _GRADIENT.format(score=score, rules=rules, method=method, values=values)
    if found.unit is None and score and method in _WEIGHTED and found.layer:
        row = net.layers[found.layer]
        how, name, number = row.source
        if how == "module" and row.layout == "map":
            return _CAM.format(
                layer=name, score=score, number=number - 1, method=method,
                values=_WEIGHTED[method], name=row.name,
            )  # fmt: skip
    about: dict[str, Any] = {"target": found.target} if found.unit is None else {"unit": found.unit}
    if found.layer and method not in ("guided_grad_cam",):
        options = {**options, "layer": found.layer}
    given = ", ".join(f"{key}={value!r}" for key, value in {**about, **options}.items())
    if isinstance(found.target, str):
        given = given.replace(f"target={found.target!r}", f"target={identifier(found.target)}")
    return textwrap.dedent(
        f"""\
        import cnnwidgets as cw
        net = {bind_lines(net)}
        maps["{method}"] = cw.methods.attribute(net, x.detach(), {given}, method="{method}").values"""
    )


def _score(net: BoundModel, found: Attribution) -> str:
    """The expression of what is differentiated; empty where plain lines cannot get at it: what goes into a last softmax."""
    if isinstance(found.target, str):
        return f"{identifier(found.target)}(model.eval()(x)).sum()"
    output = net.output
    if output.is_binary or (output.has_probabilities and not output.has_logits):
        return ""
    call = "model.eval()(x)"
    return f"{call}.reshape(1, -1)[0, {found.target}]" if output.count == 1 else f"{call}[0, {found.target}]"


def randomised_lines(net: BoundModel, depth: int, seed: int) -> str:
    """The lines that make ``model`` forget its last layers."""
    return textwrap.dedent(
        f"""\
        import cnnwidgets as cw
        model = cw.methods.randomised({bind_lines(net)}, {depth}, seed={seed}).module"""
    )
