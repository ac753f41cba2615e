"""Groups of parameters, each of which an optimizer trains with its own rate, momentum and weight decay."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from cnnwidgets.methods.schedule_parameters import OPTIMIZERS, SGD
from cnnwidgets.net.layers import nearest

Groups = Sequence[dict[str, Any]]
"""A spec's groups; empty where all parameters are in one."""


# what a reader is told


def label(groups: Groups, members: Sequence[int]) -> str:
    """What a legend calls some groups: their names or numbers; empty if there is only one group.

    >>> label([{"name": "head"}, {"tensors": 12, "weights": 3456}], [1])
    'group 1 · 12 tensors, 3,456 weights'
    """
    if len(groups) < 2:
        return ""
    names = [group.get("name") for group in groups]
    named = [
        name if names.count(name) == 1 else f"{name} (group {k})" for k in members if (name := names[k])
    ]  # two of one name are told apart by their numbers
    others = [k for k in members if not names[k]]
    if not others:
        return ", ".join(named)
    numbered = f"group{'s' * (len(others) > 1)} {_runs(others)}"
    return ", ".join([*named, numbered]) + (_size(groups[others[0]]) if len(members) == 1 else "")


def _size(group: dict[str, Any]) -> str:
    if "tensors" not in group:
        return ""
    if not group["tensors"]:
        return " · empty"
    size = f" · {group['tensors']:,} tensor{'s' * (group['tensors'] != 1)}, {group.get('weights', 0):,} weights"
    return size + (", frozen" if group.get("frozen") else "")


def _runs(numbers: Sequence[int]) -> str:
    """Rising numbers, shortened: 0, 1, 4 to 9."""
    runs: list[list[int]] = []
    for k in numbers:
        if runs and k == runs[-1][-1] + 1:
            runs[-1].append(k)
        else:
            runs.append([k])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)


# those that share a rate


def alike(keys: Iterable[Hashable]) -> list[list[int]]:
    """The positions of equal keys together, in order of first appearance."""
    found: dict[Hashable, list[int]] = {}
    for k, key in enumerate(keys):
        found.setdefault(key, []).append(k)
    return [*found.values()]


def rated_alike(spec: dict[str, Any]) -> list[list[int]]:
    """The numbers of a spec's groups; those with the same rate at every step are together."""
    rows = [(group.get("factor", 1.0), tuple(group.get("rates", ()))) for group in spec.get("groups", ())]
    return alike(rows) or [[0]]


def shared(rows: np.ndarray, name: str) -> np.ndarray:
    """The one row that all groups (g, n) share.

    Raises:
        ValueError: they differ.
    """
    if not all(np.array_equal(row, rows[0], equal_nan=True) for row in rows[1:]):
        raise ValueError(f"there are {len(rows)} groups of parameters, and they differ: read {name}[k] for group k")
    return rows[0]


# an optimizer's


def settings_of(optimizer: Optimizer, network: nn.Module | None = None) -> dict[str, Any]:
    """A spec, but for its kind, with an optimizer's settings; its rates are those before any scheduler.

    Parameters:
        network: what the optimizer trains, for the names of the weights.

    Raises:
        ValueError: a group has no rate.
    """
    rates = [rate_of({"lr": group.get("initial_lr", group["lr"])}) for group in optimizer.param_groups]
    spec = {"lr": max(rates), **_about(optimizer, network)}
    for row, rate in zip(spec.get("groups", ()), rates, strict=False):
        row |= {} if rate == max(rates) else {"factor": rate / max(rates)}
    return spec


def recorded(optimizer: Optimizer, rates: np.ndarray, network: nn.Module | None = None) -> dict[str, Any]:
    """The spec of the rates (g, n) that an optimizer was given."""
    spec = {"kind": "recorded", **_about(optimizer, network)}
    if "groups" not in spec:
        return {**spec, "rates": rates[0].tolist()}
    rows = zip(spec["groups"], rates.tolist(), strict=True)
    return {**spec, "groups": [{**row, "rates": own} for row, own in rows]}


def kind_of(optimizer: Any) -> str:
    """The name of an optimizer's class, or of the optimizer that it wraps."""
    inner = getattr(optimizer, "optimizer", None) or getattr(optimizer, "base_optimizer", None) or optimizer
    return type(inner).__name__


def left_out(optimizer: Optimizer, network: nn.Module | None) -> list[str]:
    """The names of a network's trainable parameters that are in no group; none if the optimizer trains another network."""
    held = {id(each) for group in optimizer.param_groups for each in group["params"]}
    found = [*network.named_parameters()] if network is not None else []
    if not any(id(each) in held for _, each in found):
        return []
    return [name for name, each in found if each.requires_grad and id(each) not in held]


def rate_of(group: dict[str, Any]) -> float:
    """The current rate of an optimizer's group; a ValueError if it is not a number."""
    if group["lr"] is None:
        raise ValueError("a group of the optimizer has lr=None, so it sets its own rate; expected a number")
    return float(group["lr"])


def momentum_of(group: dict[str, Any]) -> float:
    """The momentum of an optimizer's group, or Adam's first beta; NaN if it has neither."""
    return float(group.get("momentum", group.get("betas", (math.nan,))[0]))


def _about(optimizer: Optimizer, network: nn.Module | None) -> dict[str, Any]:
    """All that a spec says of an optimizer except its rates; with groups if there are several, or weights are left out."""
    kind, groups = kind_of(optimizer), optimizer.param_groups
    common = _own(groups[0])
    spec = {**common, **({"optimizer": kind} if kind in OPTIMIZERS else {})}
    if kind == "SGD":
        spec |= {name: groups[0][name] for name, row in SGD.items() if groups[0].get(name, row.default) != row.default}
    if len(groups) == 1 and not left_out(optimizer, network):
        return spec
    own = [{name: value for name, value in _own(group).items() if value != common.get(name)} for group in groups]
    return {**spec, "groups": [row | more for row, more in zip(_described(optimizer, network), own, strict=True)]}


def _described(optimizer: Optimizer, network: nn.Module | None) -> list[dict[str, Any]]:
    """What each of an optimizer's groups holds, with the names of the weights if all are known."""
    names = {id(each): name for name, each in network.named_parameters()} if network is not None else {}
    rows, known = [], []
    for group in optimizer.param_groups:
        held = group["params"]
        rows.append({
            **({"name": str(group["name"])} if group.get("name") else {}),
            "tensors": len(held),
            "weights": sum(each.numel() for each in held if not is_lazy(each)),
            "frozen": bool(held) and not any(each.requires_grad for each in held),
        })  # fmt: skip
        known.append([names[id(each)] for each in held if id(each) in names] or group.get("param_names", []))
    if all(len(some) == row["tensors"] for some, row in zip(known, rows, strict=True)):
        rows = [{**row, "parameters": [*some]} for some, row in zip(known, rows, strict=True)]
    return rows


def _own(group: dict[str, Any]) -> dict[str, float]:
    """What else may differ between groups."""
    momentum = momentum_of(group)
    decay = {"weight_decay": float(group.get("weight_decay") or 0.0)}
    return decay | ({"momentum": momentum} if math.isfinite(momentum) else {})


# a network's


def arranged(settled: dict[str, Any], network: nn.Module) -> list[Any]:
    """A network's parameters, in the groups of a spec that has some.

    Raises:
        ValueError: the groups do not say what is in them, or name something that the network does not have.
    """
    groups, everything = settled["groups"], [*network.parameters()]
    if not groups:
        return everything
    if [group.keys() & {"parameters"} for group in groups] == [set()]:
        return [everything]
    if any("parameters" not in group for group in groups):
        raise ValueError(
            f"the schedule has {len(groups)} groups of parameters but does not say which weights are in which; "
            f"expected the names of each group's parameters: give the network together with its optimizer"
        )
    named: dict[str, Tensor] = dict(network.named_parameters(remove_duplicate=False))
    for name in (name for group in groups for name in group["parameters"] if name not in named):
        kind = type(network).__name__
        raise ValueError(
            f"a group of the schedule holds {name!r}, but {kind} has no such parameter.{nearest(name, [*named])}"
        )
    return [[named[name] for name in group["parameters"]] for group in groups]
