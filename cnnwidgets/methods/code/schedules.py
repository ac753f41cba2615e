"""The plain PyTorch lines that make a schedule's optimizer and scheduler, and that step them."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Any

from cnnwidgets.methods.schedule_parameters import KINDS, OPTIMIZERS, SGD

STAND_IN = "[torch.zeros(1, requires_grad=True)]"


def making(settled: dict[str, Any]) -> str:
    """The lines that make the optimizer and the scheduler of ``parameters``; of several groups that is a list for each."""
    shown = {name: repr(value) for name, value in settled.items()} | {"parameters": "parameters"}
    own = {name: settled[name] for name, row in SGD.items() if settled[name] != row.default}
    shown["sgd"] = "".join(f", {name}={value!r}" for name, value in own.items())
    if settled["groups"]:
        shown["parameters"] = "[\n" + "".join(f"    {row},\n" for row in _rows(settled)) + "]"
    lines = [f"optimizer = torch.optim.{OPTIMIZERS[settled['optimizer']].format(**shown)}"]
    if settled["groups"]:  # a scheduler that sets the rates itself takes a list
        for name in settled.keys() & {"lr", "max_lr"}:
            shown[name] = repr([settled[name] * group["factor"] for group in settled["groups"]])
    if settled["kind"] == "recorded":
        rows = [group["rates"] for group in settled["groups"]] or [settled["rates"]]
        lines.insert(0, "rates = [\n" + "".join(f"    {row},\n" for row in rows) + "]")
    package = "torch.optim.lr_scheduler"
    main = f"main = {package}.{KINDS[settled['kind']].scheduler.format(**shown)}"
    if not settled["warmup"]:
        return "\n".join([*lines, main, "scheduler = main"])
    lines.append(
        f"warmup = {package}.LinearLR(optimizer, start_factor={shown['warmup_factor']}, total_iters={shown['warmup']})"
    )
    both = "main" if settled["kind"] == "plateau" else (
        f"{package}.SequentialLR(optimizer, [warmup, main], milestones=[{settled['warmup']}])"
    )  # fmt: skip
    return "\n".join([*lines, main, f"scheduler = {both}"])


def _rows(settled: dict[str, Any]) -> list[str]:
    """The dict of each group, with what it has of its own."""
    rows = []
    for k, group in enumerate(settled["groups"]):
        own = {name: group[name] for name in ("lr", "weight_decay") if group[name] != settled[name]}
        told = [f'"{name}": {value!r}' for name, value in own.items()]
        if group["momentum"] != settled["momentum"]:
            adam = settled["optimizer"].startswith("Adam")
            told.append(f'"betas": ({group["momentum"]!r}, 0.999)' if adam else f'"momentum": {group["momentum"]!r}')
        if group.get("name"):
            told.append(f'"name": {group["name"]!r}')
        rows.append("{" + ", ".join([f'"params": parameters[{k}]', *told]) + "}")
    return rows


def parameters_line(settled: dict[str, Any]) -> str:
    """What stands for the parameters where there is no network."""
    if not settled["groups"]:
        return f"parameters = {STAND_IN}  # here your model.parameters()"
    lines = []
    for k, group in enumerate(settled["groups"]):
        size = f": {group['tensors']:,} tensors, {group.get('weights', 0):,} weights" if "tensors" in group else ""
        lines.append(f"    {STAND_IN},  # here those of group {k}{size}")
    return "\n".join(["parameters = [", *lines, "]"])


def listing(settled: dict[str, Any], steps: int, losses: Sequence[float] | None) -> str:
    """The whole code: what makes the scheduler, and the loop that steps it."""
    lines = making(settled)
    if lines.endswith("\nscheduler = main"):
        lines = lines.removesuffix("\nscheduler = main").replace("\nmain = ", "\nscheduler = ")
    advance = "scheduler.step()"
    if losses is not None:
        values = ", ".join(repr(loss) if math.isfinite(loss) else f'float("{loss}")' for loss in losses)
        lines += f"\nlosses = [{values}]  # validation loss, step by step"
        advance = f"if step < {steps - 1}:\n    scheduler.step(losses[step])"
        if settled["warmup"]:
            advance = f"if step < {settled['warmup']}:\n    warmup.step()\nel{advance}"
    numpy = "import numpy as np\n" if "np." in lines else ""
    several = '[group["lr"] for group in optimizer.param_groups]'
    rate = several if settled["groups"] else 'optimizer.param_groups[0]["lr"]'
    return "\n".join([
        f"{numpy}import torch",
        f"\n{parameters_line(settled)}",
        lines,
        f"\nlr = []\nfor step in range({steps}):",
        f"    lr.append({rate})",
        "    optimizer.step()  # after the gradients of your loss",
        textwrap.indent(advance, "    "),
    ])  # fmt: skip
