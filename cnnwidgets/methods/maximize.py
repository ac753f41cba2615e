"""Activation maximization: the picture that a class, a unit or a layer answers to most, by gradient ascent on the input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cnnwidgets.methods.arguments import real, whole
from cnnwidgets.methods.ascent import Ascent
from cnnwidgets.methods.maximize_presets import MAXIMIZE_PRESETS, Ascending
from cnnwidgets.methods.maximized import Maximized
from cnnwidgets.methods.objective import Objective
from cnnwidgets.methods.regularizers import Regularizer
from cnnwidgets.net import BoundModel, Cancelled
from cnnwidgets.net.arguments import checking, one_of, said
from cnnwidgets.net.progress import Cancel, OnUpdate


@checking("objective", "start", "lr", "regularizers")
def maximize(
    net: BoundModel,
    objective: Objective | Sequence[Objective],
    *,
    steps: int = 128,
    preset: str = "Olah 2017",
    image: str | None = None,
    start: Any = None,
    rule: str | None = None,
    lr: float | None = None,
    regularizers: Sequence[Regularizer] | None = None,
    pictures: int = 1,
    batch_size: int = 64,
    seed: int = 0,
    on_update: OnUpdate[Any] | None = None,
    cancel: Cancel | None = None,
) -> Maximized | list[Maximized]:
    """Make a picture that maximizes an objective, by gradient ascent on the input: x <- x + lr * d score / d x.

    Of several objectives each gets a picture of its own, which depends on no other; they share the passes, and these end at
    the deepest layer that is asked for. All pictures stay between black and white.

    >>> from cnnwidgets.methods.objectives import target, unit
    >>> found = cw.methods.maximize(net, unit("layer3", 17), steps=64)
    >>> found.picture, found.score
    >>> all_classes = cw.methods.maximize(net, [target(name) for name in net.classes], steps=64)

    Erhan, Bengio, Courville and Vincent, Visualizing Higher-Layer Features of a Deep Network (2009); Olah, Mordvintsev and
    Schubert, Feature Visualization (Distill 2017).

    Parameters:
        net: a bound network.
        objective: of :mod:`cnnwidgets.methods.objectives`, or a list of them.
        steps: of gradient ascent.
        preset: a name in :data:`cnnwidgets.methods.MAXIMIZE_PRESETS`, which says what is not given of the next five.
        image: what is changed: ``"pixels"``; ``"fourier"``, coefficients scaled by 1/f, of decorrelated colors; or
            ``"maco"``, the phases alone.
        start: ``"zeros"`` (of the preprocessed input: the mean picture), ``"noise"``, or a picture as ``net.prepare`` takes
            it.
        rule: ``"gradient"``, ``"normalized gradient"`` (divided by its root mean square) or ``"adam"``.
        lr: the learning rate, of pixels a share of the way from black to white.
        regularizers: of :mod:`cnnwidgets.methods.regularizers`, in their order.
        pictures: of each objective, from other noise each.
        batch_size: pictures that are shown at once.
        seed: of everything random. The same seed gives the same picture.
        on_update: called after each step with what this returns, as it is by then, and the fraction done.
        cancel: an object with ``is_set()``.

    Returns:
        A :class:`Maximized`; a list of them for a list of objectives or for several pictures, objective by objective.

    Raises:
        KeyError: there is no such layer; names like it are offered.
        TypeError, ValueError: an objective or an option does not fit, or a score is not finite.
        Cancelled: cancel was set; its ``partial`` is what was found until then.
    """
    steps, pictures, batch_size = (
        whole("steps", steps, 0),
        whole("pictures", pictures, 1),
        whole("batch_size", batch_size, 1),
    )
    given = {"image": image, "start": start, "rule": rule, "lr": lr, "regularizers": regularizers}
    how = replace(
        MAXIMIZE_PRESETS[one_of("preset", preset, MAXIMIZE_PRESETS)],
        **{name: value for name, value in given.items() if value is not None},
    )
    ascent = Ascent(net, _objectives(objective), _checked(how), pictures=pictures, seed=seed, batch_size=batch_size)
    several = isinstance(objective, (list, tuple)) or pictures > 1

    def found() -> Maximized | list[Maximized]:
        return ascent.found() if several else ascent.found()[0]

    for _ in range(steps):
        if cancel is not None and cancel.is_set():
            raise Cancelled("cancelled", partial=found())
        ascent.step()
        if on_update is not None:
            on_update(found(), ascent.steps / steps)
    return found()


def _objectives(asked: Any) -> list[Objective]:
    several = list(asked) if isinstance(asked, (list, tuple)) else [asked]
    if not several:
        raise ValueError("the list of objectives is empty")
    for one in several:
        if not isinstance(one, Objective):
            raise TypeError(f"objective is {said(one)}; expected unit('layer3', 17), target('7') or what these add up to")
    return several


def _checked(how: Ascending) -> Ascending:
    for one in how.regularizers:
        if not isinstance(one, Regularizer):
            raise TypeError(f"a regularizer is {said(one)}; expected one of cw.methods.regularizers, such as Jitter()")
    return replace(how, lr=real("lr", how.lr, above=0), regularizers=tuple(how.regularizers))
