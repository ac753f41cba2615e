"""Maximized pictures of 16 units at once, beside the usual hook recipe and Horama, one unit at a time."""

from __future__ import annotations

import importlib.util
import itertools
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
import torchvision
from torch import Tensor, nn

import cnnwidgets as cw
from benchmarks.timing import Figure, figure, in_turn
from cnnwidgets.methods import maximize
from cnnwidgets.methods.objectives import unit

SIDE, STEPS, UNITS, EACH_ROUND = 128, 24, 16, 4
PIXELS = {"image": "pixels", "start": "noise", "rule": "adam", "lr": 0.02, "regularizers": ()}

Way = Callable[[], list[float]]
"""Makes pictures of some units, and gives the scores that the network gives them."""


def figures() -> Iterator[Figure]:
    torch.set_num_threads(2)
    scenes = cw.load("scenes")
    start = time.perf_counter()
    maximize(scenes, unit("layer3", 17), steps=1)
    yield figure("scenes: the first picture", time.perf_counter() - start, "s", most=0.5)
    torch.manual_seed(0)
    model = torchvision.models.resnet18(weights=None).eval()
    net = cw.bind(model, input_shape=(3, SIDE, SIDE))
    _ = net.layers, net.why_alone()
    recipe = turns(lambda number: by_hook(model, number))
    yield from compared("pixels, the usual recipe", batch(net, PIXELS), recipe)
    if importlib.util.find_spec("horama") is None:
        yield Figure("Horama", "", "not installed: pip install horama einops", None)
        return
    yield from compared("Fourier, Horama", batch(net, {}), turns(lambda number: horama(model, number)))


def compared(what: str, ours: Way, theirs: Way) -> Iterator[Figure]:
    """Seconds a unit, in turn, and the scores after as many steps."""
    scores: dict[str, list[list[float]]] = {"ours": [], "theirs": []}
    ways = {"ours": lambda: scores["ours"].append(ours()), "theirs": lambda: scores["theirs"].append(theirs())}
    times = in_turn(ways, rounds=UNITS // EACH_ROUND, warm_up=0)
    yield figure(f"{what}: times ours, a unit", times["theirs"] / EACH_ROUND / (times["ours"] / UNITS), "x", least=3.0)
    reached, wanted = np.array(scores["ours"][0]), np.concatenate(scores["theirs"])
    yield figure(f"{what}: our score over its, after {STEPS} steps", reached / wanted, "x", least=1.0)


def batch(net: cw.BoundModel, how: dict) -> Way:
    """All units at once."""
    return lambda: [one.score for one in maximize(net, [unit("layer3", k) for k in range(UNITS)], steps=STEPS, **how)]


def turns(one: Callable[[int], float]) -> Way:
    """A few units at each call, one at a time."""
    numbers = itertools.count()
    return lambda: [one(next(numbers)) for _ in range(EACH_ROUND)]


def hooked(model: nn.Module, number: int) -> Callable[[Tensor], Tensor]:
    """The unit's mean for pictures, as a hook sees it."""
    seen: list[Tensor] = []

    def score(pictures: Tensor) -> Tensor:
        handle = model.layer3.register_forward_hook(lambda module, given, output: seen.append(output))
        model(pictures)
        handle.remove()
        return seen.pop()[:, number].mean()

    return score


def by_hook(model: nn.Module, number: int) -> float:
    score = hooked(model, number)
    picture = (0.5 + 0.1 * torch.randn(1, 3, SIDE, SIDE)).clamp(0, 1).requires_grad_()
    optimizer = torch.optim.Adam([picture], lr=PIXELS["lr"])
    for _ in range(STEPS):
        optimizer.zero_grad()
        (-score(picture)).backward()
        optimizer.step()
        with torch.no_grad():
            picture.clamp_(0, 1)
    return score(picture).item()


def horama(model: nn.Module, number: int) -> float:
    """With as few crops as it can do with, each of nearly the whole picture; by default they are six, of a fifth of it."""
    from horama import fourier_fv

    fourier_fv.tqdm = iter  # no bar
    score = hooked(model, number)
    picture, _ = fourier_fv.fourier(
        score, total_steps=STEPS, image_size=SIDE, model_input_size=SIDE, crops_per_iteration=2, box_size=(0.95, 1.0),
        values_range=(0, 1), device="cpu",
    )  # fmt: skip
    return score(picture[None]).item()
