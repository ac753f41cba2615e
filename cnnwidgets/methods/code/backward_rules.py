"""The lines that go back through a ReLU by each of the three rules."""

from __future__ import annotations

import numpy as np

_CODE = """\
import torch

{numbers}
rules = {{  # what goes back, of what autograd would send back and of what comes from above
    "backpropagation": lambda back, above: back,
    "deconvnet": lambda back, above: above.clamp(min=0),
    "guided": lambda back, above: back.clamp(min=0),
}}

x.requires_grad_()
values = {{}}
for name, rule in rules.items():
    before = {before}
    after = before.relu()
    after.grad_fn.register_hook(lambda backs, aboves, rule=rule: (rule(backs[0], aboves[0]),))
    score = (above * after).sum()
    values[name] = torch.autograd.grad(score, x)[0]"""


def rule_lines(input: np.ndarray, weights: np.ndarray | None, above: np.ndarray) -> str:
    """The lines that put the gradients at the input into a dict ``values``, by rule."""
    given = {"x": input, "weights": weights, "above": above}
    numbers = [
        f"{name} = torch.tensor({values.tolist()}, dtype=torch.float64)"
        for name, values in given.items()
        if values is not None
    ]
    before = "x" if weights is None else "torch.nn.functional.conv2d(x[None, None], weights[None, None])[0, 0]"
    return _CODE.format(numbers="\n".join(numbers), before=before)
