"""How much of what a network says of a picture stays when the picture is changed by chance, a little or a lot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from cnnwidgets.methods.activations import one_picture
from cnnwidgets.methods.arguments import whole
from cnnwidgets.methods.attribution import One, Question
from cnnwidgets.methods.augmentation import AUGMENTATIONS, augmentation
from cnnwidgets.methods.code.stability import stability_lines
from cnnwidgets.methods.features import INPUT, signature
from cnnwidgets.net import BoundModel, Cancelled
from cnnwidgets.net.arguments import checked, one_of
from cnnwidgets.net.output import spoken
from cnnwidgets.net.pictures import check_finite
from cnnwidgets.net.preprocess import mean_and_std, to_pixels
from cnnwidgets.net.progress import Cancel, OnUpdate
from cnnwidgets.net.randomness import OwnNumbers
from cnnwidgets.numbers import number, percent

STRENGTHS = tuple(k / 10 for k in range(11))

MEMORY = 2**28
"""Bytes that the maps of the copies which go through the network at once may take."""

SLACK = 1e-3
"""How far beyond black and white rounding may take a value."""


@dataclass(frozen=True, repr=False, eq=False)
class Stability:
    """Copies of a picture that were changed by chance, with what the network says of each.

    Attributes:
        augmentations: names of what was done to them.
        strengths: float64 (strengths,), between 0 and 1.
        picture: uint8 (H, W, 3), unchanged.
        pictures: uint8 (strengths, copies, H, W, 3); copy k has the same chance at each strength.
        values: float32 (strengths, copies), what is watched: the target's probability, or the value of a function or a
            regression.
        answers: float32 (strengths, copies, classes), the probability of each class; None where there are none.
        similarity: float32 (strengths, copies), the cosine between the features of a copy and those of the picture.
        clean: float, what is watched, of the picture itself.
        said: float32 (classes,), the picture's own answer; None as above.
        target: the class's index, or the name of the function.
        layer: whose features they are: the mean over each unit's map.
        quantity: ``"probability"`` or ``"value"``.
        seed: of the changes.
        scale: mean and std of the preprocessing, one value a channel each; None where it is not known which values are
            black and white.
        others: the mean cosine between the features of the picture and those of others; NaN without any.
        notes: sentences on the network and on the picture.
    """

    augmentations: tuple[str, ...]
    strengths: np.ndarray
    picture: np.ndarray
    pictures: np.ndarray
    values: np.ndarray
    answers: np.ndarray | None
    similarity: np.ndarray
    clean: float
    said: np.ndarray | None
    target: int | str | None
    layer: str
    quantity: str
    seed: int
    scale: tuple[list[float], list[float]] | None = None
    others: float = float("nan")
    notes: tuple[str, ...] = ()

    @property
    def predicted(self) -> np.ndarray | None:
        """int64 (strengths, copies): the most probable class; None where the network gives no probabilities."""
        return None if self.answers is None else self.answers.argmax(2)

    @property
    def kept(self) -> np.ndarray | None:
        """float64 (strengths,): the share of copies whose most probable class is the picture's own."""
        return None if self.predicted is None or self.said is None else (self.predicted == self.said.argmax()).mean(1)

    @property
    def averaged(self) -> np.ndarray | None:
        """float32 (strengths, classes): the mean over the copies, which is what averaging at test time answers."""
        return None if self.answers is None else self.answers.mean(1)

    def nearest(self, strength: float) -> int:
        """Which of the strengths is nearest to one."""
        return int(np.abs(self.strengths - strength).argmin())

    def sentence(self, at: int, classes: Sequence[str]) -> str:
        """What has become of the answer at one of the strengths, in words."""
        begin, alike = f"At strength {number(self.strengths[at])},", number(float(self.similarity[at].mean()), 2)
        features = f"the features of {self.layer} keep a cosine of {alike}"
        if self.kept is None or self.averaged is None or self.said is None:
            return f"{begin} the value is {number(self.values[at].mean())}, before {number(self.clean)}; {features}."
        copies, mean = self.values.shape[1], self.averaged[at]
        same, own = round(self.kept[at] * copies), spoken(classes[int(self.said.argmax())])
        stay = f"{same} of {copies} copies {'is' if same == 1 else 'are'} still called {own}"
        voted = f"their mean says {spoken(classes[int(mean.argmax())])} ({percent(mean.max())})"
        return f"{begin} {stay}; {voted}; {features}."

    def code(self, net: BoundModel) -> str:
        """Lines that compute ``values`` from ``model`` and its input ``x`` (1, C, H, W)."""
        asked = self.target, self.seed, self.values.shape[1]
        return stability_lines(net, self.augmentations, self.strengths, self.scale, *asked)

    def __repr__(self) -> str:
        kept = "" if self.kept is None else f", {percent(self.kept[-1])} keep their class at strength {self.strengths[-1]:g}"
        return f"<{', '.join(self.augmentations) or 'unchanged'}: {self.values.shape[1]} copies{kept}>"


@checked
def stability(
    net: BoundModel,
    image: Any,
    augmentations: Sequence[str] = ("rotate",),
    strengths: Sequence[float] = STRENGTHS,
    *,
    target: One | None = None,
    copies: int = 12,
    layer: str | None = None,
    others: Sequence[Any] = (),
    seed: int = 0,
    on_update: OnUpdate[Stability] | None = None,
    cancel: Cancel | None = None,
) -> Stability:
    """How stable are a network's answer and its features when a picture is changed by chance?

    >>> found = cw.methods.stability(cw.load("digits"), cw.samples.digits()[0][0], ["rotate"])
    >>> found.kept.shape
    (11,)

    Zeiler and Fergus (2014, section 4.1) ask this of shifts, sizes and turns. What holds in a training with augmentation
    (Krizhevsky, Sutskever and Hinton 2012) need not hold without.

    Parameters:
        net: a bound network.
        image: one picture, as ``net.prepare`` takes it. It is changed as the network sees it, in its size.
        augmentations: names in ``cw.methods.AUGMENTATIONS``, one done after the other.
        strengths: between 0, which changes nothing, and 1.
        target: a class's index or name, or a function of the network's output; by default the class that is predicted.
        copies: how many changed pictures there are at each strength.
        layer: whose features are compared, or ``"input"`` for the pixels; by default what the classifier gets.
        others: further pictures, which tell what a cosine means: how alike those of different pictures are.
        seed: of the changes.
        on_update: called with the strengths so far, and the fraction done.
        cancel: an object with ``is_set()``.

    Raises:
        KeyError: there is no such layer; names like it are offered.
        ValueError: there is no such augmentation or class, or a strength is not between 0 and 1; colors are to be changed,
            and it is not known which values are black and white; an answer is not finite.
        Cancelled: cancel was set; its ``partial`` has the strengths so far, or is None.
    """
    names = [one_of("augmentations", name, AUGMENTATIONS) for name in augmentations]
    levels, copies, seed = _levels(strengths), whole("copies", copies, 1), whole("seed", seed, 0)
    watched = _Watched(net, image, target, layer)
    scale = _scale(net, watched.inputs)
    apart = watched.cosine(others)
    pictures: list[np.ndarray] = []
    rows: list[tuple[Any, Any, Any]] = []

    def found() -> Stability:
        values, answers, similarity = zip(*rows, strict=True)
        told = None if watched.said is None else np.stack(answers)
        clean = watched.clean, watched.said, watched.target
        return Stability(
            tuple(names), levels[: len(rows)], net.picture(watched.inputs), np.stack(pictures), np.stack(values), told,
            np.stack(similarity), *clean, watched.layer, watched.quantity, seed, scale, apart, watched.question.notes,
        )  # fmt: skip

    for k, level in enumerate(levels, 1):
        if cancel is not None and cancel.is_set():
            raise Cancelled("cancelled", partial=found() if rows else None)
        change = augmentation(names, float(level), *(scale or ()))
        changed = torch.stack([_changed(change, watched.inputs[0], seed + copy) for copy in range(copies)])
        pictures.append(np.stack([to_pixels(one, net.preprocess, watched.inputs[0]) for one in changed]))
        rows.append(watched.look(changed))
        if on_update:
            on_update(found(), k / len(levels))
    return found()


def _scale(net: BoundModel, picture: Tensor) -> tuple[list[float], list[float]] | None:
    """Mean and std of the preprocessing, if a picture's values lie between black and white with these undone."""
    known = mean_and_std(net.preprocess)
    if known is None:
        return None
    mean, std = ([float(value) for value in each] for each in known)
    undone = picture * torch.tensor(std).reshape(-1, 1, 1) + torch.tensor(mean).reshape(-1, 1, 1)
    return (mean, std) if undone.min() >= -SLACK and undone.max() <= 1 + SLACK else None


def _changed(change: Any, picture: Tensor, seed: int) -> Tensor:
    """A picture as it is changed with the chance of a seed; torch's global generator goes on as if nothing was drawn."""
    with OwnNumbers(seed):
        return change(picture)


def _levels(strengths: Sequence[float]) -> np.ndarray:
    levels = np.asarray(strengths, np.float64).reshape(-1)
    if not len(levels) or not ((levels >= 0) & (levels <= 1)).all():
        raise ValueError(f"strengths: expected numbers between 0 and 1, got {list(strengths)!r}")
    return levels


class _Watched:
    """A picture's answer and features, and what becomes of them."""

    def __init__(self, net: BoundModel, image: Any, target: One | None, layer: str | None):
        self.net, self.question = net, Question(net, image, target, None)
        self.inputs, name = self.question.inputs.cpu(), layer or signature(net)  # chance is the same on every device
        self.row = None if name == INPUT else net.layers[name]
        _ = self.row and self.row.map_shape  # raises the sentence for a layer without units
        values, answers, self._features = self._pass(self.inputs)
        self.clean, self.said = float(values[0]), None if answers is None else answers[0].numpy()

    @property
    def layer(self) -> str:
        return self.row.name if self.row else INPUT

    @property
    def target(self) -> int | str | None:
        return self.question.asked[0].name

    @property
    def quantity(self) -> str:
        return self.question.asked[0].quantity(self.net.output)

    def look(self, pictures: Tensor) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        """Of N pictures what is watched (N,), the answers (N, classes) or None, and the features' similarity (N,)."""
        parts = [self._pass(part) for part in pictures.split(self.question.at_once(MEMORY))]
        values, answers, features = zip(*parts, strict=True)
        alike = F.cosine_similarity(torch.cat(features), self._features)
        told = None if answers[0] is None else torch.cat(answers).numpy()
        return torch.cat(values).numpy(), told, alike.numpy()

    def cosine(self, others: Sequence[Any]) -> float:
        """The mean similarity between the features of other pictures and of this one; NaN if there are none."""
        each = [float(self.look(one_picture(self.net, other))[2][0]) for other in others]
        return float(np.mean(each)) if each else float("nan")

    def _pass(self, pictures: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        features: list[Tensor] = [] if self.row else [pictures.flatten(1)]

        def look(name: str, output: Tensor) -> None:
            if self.row and name == self.row.name:
                features.append(self.row.by_unit(output).mean((2, 3)).float().cpu())

        output = self.net.run(pictures, look)
        if not features:
            raise RuntimeError(f"these pictures take a different path through {self.net.name}: {self.layer} was not run")
        check_finite(features[0], f"the output of {self.layer}")
        values = self.question.told(output, len(pictures))[:, 0]
        table = self.net.output.table(output, len(pictures)) if self.net.output.has_probabilities else None
        return values, None if table is None else self.net.output.answers(table.detach().float().cpu()), features[0]
