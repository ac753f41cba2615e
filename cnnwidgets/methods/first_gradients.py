"""The gradients that the first step of a training has, by depth: what a network's layers hear of the loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cnnwidgets.methods.parts import ask
from cnnwidgets.methods.race_runs import plans_of
from cnnwidgets.methods.schedule_parameters import settle
from cnnwidgets.methods.signals import DEAD
from cnnwidgets.methods.tasks import Task
from cnnwidgets.methods.training import train
from cnnwidgets.methods.training_run import Plan
from cnnwidgets.net.arguments import checked, said
from cnnwidgets.net.progress import Cancel
from cnnwidgets.numbers import number

EXPLODING = (
    "Batch norm makes gradients explode in deep networks without shortcuts: they have a share in this, which He et al. "
    "(2016) exclude."
)


@dataclass(frozen=True, eq=False)
class FirstGradients:
    """The norms of the loss's gradients in each layer of some networks, before their first step.

    Attributes:
        names: of the networks, as in a race of the same specs.
        layers: of each network the names of its layers, in the order of the forward pass. A layer is a weight of two axes
            or more: that of a convolution or a linear layer. One that is frozen or unused has no gradient and is left out.
        norms: of each network float64 (layers,): the Euclidean norm of the gradient of the first batch's mean loss by that
            weight; it may be 0, infinite or NaN.
        batch_norm: of each network, whether it normalizes over the batch.
    """

    names: tuple[str, ...]
    layers: tuple[tuple[str, ...], ...]
    norms: tuple[np.ndarray, ...]
    batch_norm: tuple[bool, ...]

    @property
    def ratios(self) -> np.ndarray:
        """float64 (networks,): the first layer's norm divided by the last layer's; NaN where there is nothing to divide."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.array([one[0] / one[-1] if len(one) else np.nan for one in self.norms])

    @property
    def table(self) -> np.ndarray:
        """float64 (networks, layers): the norms, NaN behind the last layer of a network that has fewer than others."""
        most = max(map(len, self.norms))
        return np.stack([np.pad(one, (0, most - len(one)), constant_values=np.nan) for one in self.norms])

    @property
    def summary(self) -> str:
        """How far apart the first and the last layer are; then, one a line, where a gradient is lost, and what explodes."""
        ratios = self.ratios
        order = [k for k in np.argsort(ratios) if np.isfinite(ratios[k]) and ratios[k]]
        told = [f'{number(ratios[k])} times ("{self.names[k]}")' for k in order[:1] + order[1:][-1:]]
        lines = [f"Before training, the first layer's gradient is {' to '.join(told)} the last layer's."] if told else []
        for name, layers, norms in zip(self.names, self.layers, self.norms, strict=True):
            lost = np.flatnonzero(~np.isfinite(norms) | (norms == 0))
            if not len(norms):
                lines.append(f'No layer of "{name}" has a gradient: none has weights that train.')
            elif len(lost):
                lines.append(f'The gradient of "{name}" is {number(norms[lost[-1]])} in {layers[lost[-1]]}.')
        if any(normed and ratio > 1 / DEAD for normed, ratio in zip(self.batch_norm, ratios, strict=True)):
            lines.append(EXPLODING)
        return "\n".join(lines)

    def plain(self) -> dict[str, Any]:
        """As JSON can carry it, to the last bit; NaN and infinities too."""
        return {**vars(self), "norms": [[str(norm) for norm in one.tolist()] for one in self.norms]}

    @classmethod
    def of_plain(cls, given: dict[str, Any]) -> FirstGradients:
        """What :meth:`plain` has given, again."""
        layers, norms = map(tuple, given["layers"]), (np.array(one, float) for one in given["norms"])
        return cls(tuple(given["names"]), tuple(layers), tuple(norms), tuple(given["batch_norm"]))


@checked
def first_gradients(
    task: Task, specs: Sequence[dict[str, Any]], *, seed: int = 0, cancel: Cancel | None = None
) -> FirstGradients:
    """How large the loss's gradient is in each layer of several networks before any of them has learned.

    >>> depth = cw.methods.RACES["depth"]
    >>> found = cw.methods.first_gradients(cw.methods.task("digits"), depth.specs)
    >>> dict(zip(found.names, found.ratios))

    They are those of a race's first step, to the last bit: of the same first weights, the same first batch, the same loss.

    After Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010. He, Zhang,
    Ren and Sun, "Deep residual learning for image recognition", 2016, section 4.1, find the gradients of their plain
    networks healthy, and exclude them as the reason why depth hurts. Those of the preset "depth" are not: with batch norm
    and without shortcuts, gradients grow with each layer on their way back (Yang et al., "A mean field theory of batch
    normalization", 2019), so that they have a share in what its plain networks fail at.

    Parameters:
        task: the networks' data; it stays as it is, and so do random generators. The training loader is asked for one batch
            for each spec.
        specs: see :func:`cnnwidgets.methods.race`, of which each has one network.
        seed: of the first weights and the order of the batches.
        cancel: an object with ``is_set()``.

    Raises:
        TypeError, ValueError: what is wrong with a spec or the data, as :func:`cnnwidgets.methods.race` says it.
        Cancelled: cancel was set.
    """
    if not isinstance(specs, (list, tuple)):
        raise TypeError(f"specs is {said(specs)}; expected a list of specs, see cw.methods.race")
    if not specs:
        raise ValueError("there is no network to look at: specs is empty")
    for spec in specs:
        settle(spec, 1)
    return gradients_of(plans_of(task, specs, 1, seeds=(seed,)), cancel)


def gradients_of(plans: Sequence[Plan], cancel: Cancel | None = None) -> FirstGradients:
    """The same of the first step of each plan."""
    found = []
    for plan in plans:
        ask(cancel)
        found.append(_first_step(plan))
    layers, norms, normed = zip(*found, strict=True)
    return FirstGradients(tuple(plan.name for plan in plans), layers, norms, normed)


def compare_networks(specs: Sequence[dict[str, Any]]) -> bool:
    """Whether not all specs have the same network."""
    return any(spec.get("model") != specs[0].get("model") for spec in specs)


def _first_step(plan: Plan) -> tuple[tuple[str, ...], np.ndarray, bool]:
    """The layers of a run's network, the norms of their gradients, and whether it has a batch norm."""
    network, stream = plan.task.stream(plan.seed)
    called: dict[Tensor, str] = {}  # a weight that two modules share is one layer, where it is first called
    for path, module in network.named_modules():
        module.register_forward_pre_hook(partial(_note, called, path))
    still = torch.optim.SGD(network.parameters(), lr=0.0)
    with stream.flowing():
        step = next(train(network, plan.task.loader, still, criterion=plan.task.criterion), None)
    if step is None:
        raise ValueError("there is nothing to train on: the training loader gives no batch in epoch 0")
    gradients = {name: weight.grad for weight, name in called.items() if weight.grad is not None}
    norms = [torch.linalg.vector_norm(gradient, dtype=torch.float64).item() for gradient in gradients.values()]
    return tuple(gradients), np.array(norms, float), any(isinstance(one, _BatchNorm) for one in network.modules())


def _note(called: dict[Tensor, str], path: str, module: nn.Module, args: Any) -> None:
    """Note the weights of a module that is called."""
    for name, weight in module.named_parameters(path, recurse=False):
        if weight.ndim > 1:
            called.setdefault(weight, name.removesuffix(".weight"))
