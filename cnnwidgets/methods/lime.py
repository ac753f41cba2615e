"""LIME: switch off parts of the picture at random, and explain the answers by a linear model of which parts were on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from cnnwidgets.methods.arguments import real, whole
from cnnwidgets.methods.attribution import Attribution, Question, Target, Unit, one_or_many, subject
from cnnwidgets.methods.fills import fill_picture
from cnnwidgets.net import BoundModel, Cancelled
from cnnwidgets.net.arguments import checked
from cnnwidgets.net.layers import format_shape
from cnnwidgets.net.progress import Cancel, OnUpdate


@dataclass(frozen=True, repr=False)
class Lime:
    """A linear model of a class's probability, or of another score, given which superpixels are visible.

    Attributes:
        target: the class that is explained, or the name of the function; None for a unit.
        unit: (layer, unit) or (layer, unit, row, column) that is explained; None for a class or a function.
        segments: int64 (height, width), each pixel's superpixel, numbered from 0.
        coefficients: float64 (superpixels,), what each one adds to the score when it is visible.
        intercept: the model's score when none is visible.
        r_squared: the share of the answers' variance that the model explains, weighted by nearness to the picture: 1 for a
            linear network; NaN if all answers are the same. If it is low, the coefficients explain little.
        score: the score of the picture itself.
        n_samples: number of subsets that were tried.
        exact: whether these are all the subsets there are.
        quantity: what the score is, ``"probability"``; or ``"value"`` of a regression, a function or a unit.
        notes: sentences on the network, on the picture and on what to be careful about.
    """

    target: int | str | None
    unit: Unit | None
    segments: np.ndarray
    coefficients: np.ndarray
    intercept: float
    r_squared: float
    score: float
    n_samples: int
    exact: bool
    quantity: str
    notes: tuple[str, ...] = ()

    def attribution(self) -> Attribution:
        """The coefficients per pixel; what a superpixel adds is not divided among its pixels."""
        subsets = f"all {self.n_samples}" if self.exact else f"{self.n_samples} random"
        subsets += f" subsets of {len(self.coefficients)} superpixels"
        fit = f"linear model fits with R² = {self.r_squared:.2f}, from {subsets}"
        return Attribution(
            values=self.coefficients[self.segments].astype(np.float32),
            method="lime",
            target=self.target,
            unit=self.unit,
            score=self.score,
            size=self.segments.shape,  # type: ignore[arg-type]
            signed=True,
            notes=(*self.notes, fit),
        )

    def __repr__(self) -> str:
        return (
            f"<LIME of {subject(self.target, self.unit)}: {len(self.coefficients)} superpixels, R² = {self.r_squared:.2f}>"
        )


@one_or_many
@checked
def lime(
    net: BoundModel,
    image: Any,
    target: Target = None,
    *,
    unit: Unit | Sequence[Unit] | None = None,
    superpixels: int | np.ndarray = 50,
    n_samples: int = 1000,
    fill: str = "mean",
    alpha: float = 1.0,
    width: float = 0.25,
    seed: int = 0,
    max_memory: int = 512 * 2**20,
    on_update: OnUpdate[Any] | None = None,
    cancel: Cancel | None = None,
) -> Lime | list[Lime]:
    """LIME (local interpretable model-agnostic explanations): a linear model of the network's answers near the picture.

    The picture is divided into superpixels (SLIC). With z the subset of them that is visible, the others replaced by the
    fill, and p(z) the probability of the class (or another score): a ridge regression of p on z with the weights
    exp(-D(z)² / width²), where D(z) = 1 - sqrt(share that is visible) is the cosine distance of z from the full set.

    Ribeiro, Singh and Guestrin, "Why Should I Trust You?" (KDD 2016).

    >>> found = cw.methods.lime(net, "cat.jpg", "tabby")
    >>> found.segments == found.coefficients.argmax()  # the superpixel with the most evidence for it
    >>> found.attribution().display()

    Parameters:
        net: a bound network.
        image: one picture, as ``net.prepare`` takes it.
        target: a class's index or name, a function of the network's output, or a list of them, which share the forward
            passes; by default the predicted class. Of a regression, the value is explained.
        unit: (layer, unit) for the sum of a unit's map, or (layer, unit, row, column) for one of its values, instead of a
            target; or a list of them.
        superpixels: about how many; or a map (height, width) of your own, of whole numbers.
        n_samples: number of subsets, and of forward passes; each superpixel is in one with probability 1/2. If there are no
            more subsets than that, each is used once and weighted by how often it would be drawn.
        fill: of :mod:`~cnnwidgets.methods.fills`: ``"mean"`` (of the picture; the authors' program uses that of each
            superpixel), ``"gray"``, ``"zero"``, ``"noise"`` or ``"blur"``.
        alpha: strength of the ridge penalty; 0 for least squares.
        width: of the kernel: how near a subset must be to the picture to count.
        seed: random seed of the subsets and of the noise.
        max_memory: memory to use beside the network's own, in bytes.
        on_update: called with the result of the subsets so far, and the fraction done.
        cancel: an object with ``is_set()``.

    Returns:
        A :class:`Lime`; for a list of targets or units, a list of them.

    Raises:
        KeyError: there is no such layer; similar names are listed.
        TypeError, ValueError: a picture, target, unit or number does not fit, or a score is not finite.
        Cancelled: cancel was set; its ``partial`` is the result of the subsets so far, None if there are none.
    """
    n_samples, seed = whole("n_samples", n_samples, 1), whole("seed", seed, 0)
    alpha, width = real("alpha", alpha, 0), real("width", width, above=0)
    question = Question(net, image, target, unit)
    inputs = question.inputs
    clean = question.answers(inputs)[0].tolist()
    segments = _segments(net, inputs, superpixels)
    cover = fill_picture(net, inputs, fill, tuple(-(-side // 4) for side in segments.shape), seed)  # type: ignore[arg-type]
    seen, exact = _subsets(int(segments.max()) + 1, n_samples, seed)
    answers = np.empty((len(seen), len(clean)))

    def result(done: int) -> Any:
        near = np.exp(-((1 - np.sqrt(seen[:done].mean(1))) ** 2) / width**2) * (n_samples / len(seen))
        made = [
            Lime(
                asked.name, asked.unit, segments, *_ridge(seen[:done], values, near, alpha), score, done,
                exact and done == len(seen), asked.quantity(net.output), (*question.notes, net.output.sentence),
            )
            for asked, values, score in zip(question.asked, answers[:done].T, clean, strict=True)
        ]  # fmt: skip
        return made if question.many else made[0]

    most = question.at_once(max_memory)
    for start in range(0, len(seen), most):
        if cancel is not None and cancel.is_set():
            raise Cancelled("cancelled", partial=result(start) if start else None)
        shown = torch.from_numpy(seen[start : start + most][:, segments]).to(inputs.device)[:, None]
        answers[start : start + most] = question.answers(torch.where(shown, inputs, cover)).numpy()
        if on_update is not None:
            done = min(len(seen), start + most)
            on_update(result(done), done / len(seen))
    return result(len(seen))


def _segments(net: BoundModel, inputs: torch.Tensor, superpixels: int | np.ndarray) -> np.ndarray:
    """int64 (height, width), numbered from 0 without gaps."""
    size = inputs.shape[2:]
    if not isinstance(superpixels, (np.ndarray, torch.Tensor, list, tuple)) or np.ndim(superpixels) == 0:
        from skimage.segmentation import slic  # here, because it takes a second

        if size.numel() < 2:
            raise ValueError("a picture of one pixel has no superpixels to switch off")
        count = whole("superpixels", superpixels, 2, size.numel())
        found = slic(net.picture(inputs), n_segments=count, start_label=0)
    else:
        found = np.asarray(superpixels)
        if found.shape != tuple(size):
            raise ValueError(
                f"the superpixels are a map of {format_shape(found.shape)}, the picture is {format_shape(size)}"
            )
    return np.unique(found, return_inverse=True)[1].reshape(size)


def _subsets(count: int, n_samples: int, seed: int) -> tuple[np.ndarray, bool]:
    """bool (n, superpixels): which are visible, first all of them; and whether these are all the subsets there are."""
    if count < 63 and 2**count <= n_samples:
        return (np.arange(2**count)[::-1, None] >> np.arange(count) & 1).astype(bool), True
    seen = np.random.default_rng(seed).random((n_samples, count)) < 0.5
    seen[0] = True
    return seen, False


def _ridge(seen: np.ndarray, values: np.ndarray, near: np.ndarray, alpha: float) -> tuple[np.ndarray, float, float]:
    """Coefficients, intercept and weighted R²."""
    from sklearn.linear_model import Ridge  # here, because it takes seconds

    model = Ridge(alpha=alpha).fit(seen, values, near)
    r_squared = model.score(seen, values, near) if np.ptp(values) > 0 else float("nan")
    return model.coef_, float(model.intercept_), float(r_squared)
