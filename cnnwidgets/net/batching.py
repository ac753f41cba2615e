"""Whether a picture's answer is the same beside other pictures: found out by giving it others.

Batch normalization without running statistics, ``x - x.mean(0)`` or attention over the batch answer for all pictures
together. A picture is shown beside one other and then beside another one, at the same place in a batch of the same size: a
network that answers picture by picture then gives the same bits, however large or small the effect of a picture is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from cnnwidgets.net.runner import Runner
from cnnwidgets.net.trace import Calls, tensors_in

Rows = Sequence[Sequence[Tensor]]
"""Of each picture of a batch the tensors that it is given."""

TOLERANCE = 1e-3
"""How much the answer may differ between a batch and a picture alone, in parts of how much it differs between pictures."""


class Unknown(ValueError):
    """It cannot be told which part of an output is of which picture."""


class Evidence(NamedTuple):
    """What was found of a network as it was then.

    Attributes:
        runner, weights: the network as it was; see :func:`fingerprint`.
        sentence: why it must be given one picture at a time; empty if it may be given several.
    """

    runner: Runner
    weights: tuple
    sentence: str


def fingerprint(module: nn.Module) -> tuple:
    """What differs once weights or buffers have changed; by sums too: a change through ``.data`` leaves no other sign."""
    held = [*module.parameters(), *module.buffers()]
    return tuple((id(each), 0 if each.is_inference() else each._version, repr(each.detach().sum().item())) for each in held)


def look_beside(runner: Runner, picture: Tensor) -> str:
    """Why a network must be given one picture at a time; empty if it may be given several.

    Parameters:
        picture: (1, C, H, W) of the network's own type, which is shown beside noise.
    """

    def run(pictures: Tensor) -> Any:
        with runner.running() as module, torch.no_grad():
            return module(pictures.clone())

    try:
        try:
            mixes = depends_on_others(lambda pictures: by_picture(run(pictures), len(pictures)), picture)
        except Unknown:
            mixes = bool(_first_to_mix(runner, picture))
        if not mixes:
            return ""
        layer = _first_to_mix(runner, picture)
    except Exception:  # which a picture alone does not raise
        return "the network takes one picture at a time"
    where = f" (from {layer} on)" if layer else ""
    return f"the answer to a picture depends on the others in its batch{where}: pictures are shown one at a time"


def depends_on_others(rows: Callable[[Tensor], Rows], picture: Tensor) -> bool:
    """Whether a picture is given other values beside other pictures.

    Parameters:
        rows: gives what each of some pictures (N, C, H, W) is given.
        picture: (1, C, H, W).
    """
    pairs = _pairs(picture)
    here, other_after, other_before = map(rows, pairs)
    if not (_are_equal(here[0], other_after[0]) and _are_equal(here[1], other_before[1])):
        if all(map(_are_equal, here, rows(pairs[0]))):
            return True
        if not (_are_close(here[0], other_after[0], here[1]) and _are_close(here[1], other_before[1], here[0])):
            return True  # one that gives other bits each time is taken at its word only where the others' effect is small
    return not _are_close(here[0], rows(picture)[0], here[1])


def by_picture(output: Any, count: int) -> Rows:
    """Of each of so many pictures the tensors that an output gives it.

    Raises:
        Unknown: it cannot be told what is whose.
    """
    tensors = [*tensors_in(output)]
    if tensors and all(tensor.shape[:1] == (count,) for tensor in tensors):
        return [[tensor[k] for tensor in tensors] for k in range(count)]
    if isinstance(output, Tensor) and output.numel() and output.numel() % count == 0:
        return [[row] for row in output.reshape(count, -1)]
    if isinstance(output, (list, tuple)) and len(output) == count:
        return [[*tensors_in(part)] for part in output]
    raise Unknown


def _pairs(picture: Tensor) -> list[Tensor]:
    """Batches of two: a picture and one like it; the same beside one unlike it; and that beside the one like it.

    Some networks mix only what is alike (attention), others show only by what is larger.
    """
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(picture.shape, generator=generator).to(picture) for _ in range(2))
    contrast = float(picture.float().std(correction=0)) or 1.0
    like, unlike = picture + 0.1 * contrast * first, 3 * contrast * second - picture
    return [torch.cat(pair) for pair in ((picture, like), (picture, unlike), (unlike, like))]


def _are_equal(one: Sequence[Tensor], other: Sequence[Tensor]) -> bool:
    return len(one) == len(other) and all(
        a.shape == b.shape and bool(((a == b) | (a.isnan() & b.isnan())).all()) for a, b in zip(one, other, strict=True)
    )


def _are_close(one: Sequence[Tensor], other: Sequence[Tensor], another: Sequence[Tensor]) -> bool:
    """Whether two answers to a picture differ by rounding only, beside how much that to another picture differs."""
    if [tensor.shape for tensor in one] != [tensor.shape for tensor in other]:
        return False
    for a, b, c in zip(one, other, another, strict=False):
        if not a.numel() or not a.is_floating_point():
            continue
        effect = (a - c).abs().max() if a.shape == c.shape else a.abs().max()
        rounding = 64 * torch.finfo(a.dtype).eps * a.abs().max()
        if bool((a - b).abs().max() > TOLERANCE * effect + rounding):
            return False
    return True


def _first_to_mix(runner: Runner, picture: Tensor) -> str:
    """The first layer whose values for a picture depend on the others; empty where none that is shown does."""
    shown = {row.name for row in runner.layers.with_units}

    def sums(pictures: Tensor) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}

        def look(name: str, output: Tensor) -> None:
            if name in shown and output.shape[:1] == (len(pictures),):
                found[name] = output.detach().flatten(1).double().sum(1).cpu()

        with runner.running() as module, torch.no_grad(), Calls(module, look).watching():
            module(pictures.clone())
        return found

    here, other_after, other_before = map(sums, _pairs(picture))
    return next(
        (
            name
            for name, values in here.items()
            if not torch.equal(torch.stack([other_after[name][0], other_before[name][1]]), values)
        ),
        "",
    )
