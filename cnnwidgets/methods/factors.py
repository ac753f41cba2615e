"""The building blocks of what a network sees: a layer's maps as sums of few non-negative factors."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnwidgets.methods.batches import Skipped, generators_kept, learn_input_shape, numbers_of
from cnnwidgets.methods.layer_sample import LayerSample, Positions, WholeMaps, gathered
from cnnwidgets.methods.parts import ask
from cnnwidgets.methods.patches import Crop, Patch, cut, picture_of
from cnnwidgets.methods.scan import Scan, scan
from cnnwidgets.net import BoundModel, Cancelled, Layer
from cnnwidgets.net.arguments import checked, checking
from cnnwidgets.net.progress import Cancel, OnUpdate
from cnnwidgets.numbers import percent

STEPS, PORTION, TOLERANCE = 1000, 20, 1e-4
"""Of the fit: at most so many steps, until so many of them lower what is left by no more than this part of it."""

EXACT = 1e-7
"""The same for the amounts, which then depend neither on the batch nor on where they start."""


@dataclass(frozen=True, repr=False, eq=False)
class Factors:
    """A layer's maps as sums: at each position, of the n directions, each as often as its map says.

    Attributes:
        directions: float32 (n, units), each of length 1, not negative; that with the largest amounts is the first.
        maps: float32 (pictures, n, rows, columns), not negative, of the pictures whose numbers are ``indices``.
        amounts: float32 (positions, n), the same at the positions of the sample.
        explained: the share of the sample's sum of squares that the factors explain, at most 1.
        steps: number of iterations of the fit.
        sample: the :class:`LayerSample` that they were found by.
        notes: sentences on the network, and on the fit.
    """

    directions: np.ndarray
    maps: np.ndarray
    amounts: np.ndarray
    explained: float
    steps: int
    sample: LayerSample
    notes: tuple[str, ...] = ()

    @property
    def layer(self) -> Layer:
        """The layer's row in ``net.layers``."""
        return self.sample.layer

    @property
    def indices(self) -> np.ndarray:
        """int64 (pictures,), the number in the data set of each picture that has maps, in order."""
        return self.sample.shown

    @property
    def labels(self) -> np.ndarray:
        """int64 (pictures,), of each of them; -1 where there is none."""
        return self.sample.shown_labels

    @property
    def skipped(self) -> Skipped:
        """(index, sentence) of every picture that could not be used."""
        return self.sample.skipped

    @property
    def shares(self) -> np.ndarray:
        """(n,) each factor's share of the total amount."""
        return self.amounts.sum(0, dtype=float) / (self.amounts.sum(dtype=float) or 1.0)

    @checked
    def strongest(self, factor: int, k: int = 9) -> list[Patch]:
        """The positions of the sample with the largest amounts of a factor, one a picture; those without it are left out.

        Raises:
            IndexError: there is no such factor.
        """
        if not 0 <= factor < len(self.directions):
            raise IndexError(f"there is no factor {factor}; expected 0 to {len(self.directions) - 1}, got {factor}")
        at, amounts, width = self.sample, self.amounts[:, factor], self.layer.map_shape[2]
        order = np.lexsort((at.places, at.indices, -amounts))
        _, first = np.unique(at.indices[order], return_index=True)
        chosen = order[np.sort(first)][:k]
        return [
            Patch(float(amounts[i]), int(at.indices[i]), *divmod(int(at.places[i]), width), int(at.labels[i]))
            for i in chosen[amounts[chosen] > 0]
        ]

    @checked
    def crop(self, net: BoundModel, dataset: Any, patch: Patch) -> Crop:
        """What a patch's position sees, cut from its picture; net and dataset are those that the factors are of."""
        return cut(self.layer, picture_of(net, dataset, patch.index)[0].numpy(), patch)

    @checked
    def again(self, n: int, *, seed: int = 0, cancel: Cancel | None = None) -> Factors:
        """Another number of factors, from the same sample: the network does not run again.

        Raises:
            ValueError: n does not fit.
            Cancelled: cancel was set.
        """
        return factorized(self.sample, n, seed, cancel)

    @property
    def sentence(self) -> str:
        """What came out, in words."""
        n, sample = len(self.directions), self.sample
        taken = f" {percent(sample.negative)} of its values are negative and count as 0." if sample.negative else ""
        return (
            f"{n:,} factor{'s explain' if n > 1 else ' explains'} {percent(self.explained)} of the sum of squares of "
            f"{self.layer.name}, at {sample.sentence}.{taken}"
        )

    def __repr__(self) -> str:
        return f"<factors: {self.sentence}>"


@checking("indices", "batch_size", "workers", "executor")
def factors(
    net: BoundModel,
    dataset: Any,
    layer: str,
    n: int = 6,
    *,
    rectify: bool = False,
    positions: int = 10_000,
    pictures: int = 100,
    seed: int = 0,
    indices: Sequence[int] | None = None,
    batch_size: int = 64,
    workers: int = 0,
    executor: Executor | None = None,
    on_update: OnUpdate[Scan] | None = None,
    cancel: Cancel | None = None,
) -> Factors:
    """Non-negative matrix factorization of a layer's maps, over pictures and positions: Olah et al. 2018.

    A position of the layer is a vector of its units' values. All of them are sums of the same n directions, which stand for
    what often is there together: Olah et al., The building blocks of interpretability (Distill 2018); the factorization is
    that of Lee and Seung (1999), by scikit-learn's coordinate descent.

    One :func:`scan` keeps a random sample of positions, from which the directions are found, and the whole maps of a random
    sample of pictures, to which the directions are fitted by non-negative least squares: memory does not grow with the data
    set, and for another n (see :meth:`Factors.again`) the network does not run again.

    >>> found = cw.methods.factors(net, cw.samples.scenes(size=100), "layer3", 6)    # net: cw.load("scenes")
    >>> found.maps.shape, found.directions.shape
    ((100, 6, 8, 8), (6, 64))

    Parameters:
        net, dataset, indices, batch_size, workers, executor, cancel: see :func:`scan`.
        layer: a name in ``net.layers`` whose values are not negative, as behind a ReLU.
        n: number of factors, at most the layer's units.
        rectify: whether negative values are taken to be 0; else they are refused.
        positions: number of positions, of all pictures, from which the directions are found.
        pictures: number of pictures whose maps are kept; fewer if they would have more than 16 million values.
        seed: random seed of the samples and of the fit.
        on_update: called with the partial :class:`Scan` and the fraction done.

    Raises:
        KeyError: there is no such layer; names like it are offered.
        ValueError: the layer has negative values, or no others than 0, or a value that is not finite; its positions have no
            place in the picture; n does not fit; and whatever :func:`scan` raises.
        Cancelled: cancel was set.
    """
    with generators_kept():
        learn_input_shape(net, dataset, numbers_of(dataset, indices))
    row = net.layers[layer]
    if not row.has_places:
        raise ValueError(f"{layer} gives {row.output}: its positions have no place in the picture")
    _check(row, n)
    for name, count, least in (("positions", positions, n), ("pictures", pictures, 1)):
        if count < least:
            raise ValueError(f"{name} is {count}; expected at least {f'n, which is {n}' if name == 'positions' else least}")
    try:
        done = scan(
            net, dataset, [Positions(row, positions, seed, rectify), WholeMaps(row, pictures, seed)], indices=indices,
            batch_size=batch_size, workers=workers, executor=executor, on_update=on_update, cancel=cancel,
        )  # fmt: skip
    except Cancelled:
        raise Cancelled("cancelled") from None
    return factorized(gathered(done, row), n, seed, cancel)


def factorized(sample: LayerSample, n: int, seed: int, cancel: Cancel | None) -> Factors:
    """The factors of what was kept of a layer."""
    layer, values = sample.layer, sample.values.astype(float)  # else rounding decides the fourth digit
    _check(layer, n)
    if not values.any():
        raise ValueError(f"{layer.name} gives 0 at {sample.sentence}: there is nothing to factor")
    if len(values) < n:
        raise ValueError(f"n is {n}; expected at most {len(values)}, the positions that there are")
    with generators_kept():  # to import scikit-learn draws from Python's
        model, steps = _fit(values, n, seed, cancel)
    lengths = np.linalg.norm(model.components_, axis=1)
    amounts = _amounts(model, values) * lengths
    units, rows, columns = layer.map_shape
    whole = _amounts(model, sample.maps.transpose(0, 2, 3, 1).reshape(-1, units)) * lengths
    maps = whole.reshape(-1, rows, columns, n).transpose(0, 3, 1, 2)
    order = np.argsort(-amounts.sum(0, dtype=float), kind="stable")
    directions = model.components_ / np.where(lengths > 0, lengths, 1)[:, None]
    left = float(((values - amounts @ directions) ** 2).sum())
    notes = [f"the fit had not converged after {STEPS:,} iterations"] if steps >= STEPS else []
    return Factors(
        directions[order].astype(np.float32), maps[:, order].astype(np.float32), amounts[:, order].astype(np.float32),
        1 - left / sample.squares, steps, sample, (*sample.notes, *notes),
    )  # fmt: skip


def _check(layer: Layer, n: int) -> None:
    units = layer.map_shape[0]
    if not 1 <= n <= units:
        raise ValueError(f"n is {n}; expected a whole number from 1 to {units}, the units of {layer.name}")


def _fit(values: np.ndarray, n: int, seed: int, cancel: Cancel | None) -> tuple[Any, int]:
    """scikit-learn's model, ready to find amounts, and its number of steps; between portions of them it can be cancelled.

    It is the model of as many steps in one go: each portion begins where the one before has ended.
    """
    from sklearn.decomposition import NMF  # here, because it takes seconds

    first: dict[str, np.ndarray] = {}
    steps, before = 0, np.inf
    while steps < STEPS:
        ask(cancel)
        model = NMF(n, init="custom" if first else "nndsvda", tol=0, max_iter=PORTION, random_state=seed)
        first = {"W": model.fit_transform(values, **first), "H": model.components_}
        steps += PORTION
        if model.reconstruction_err_ >= (1 - TOLERANCE) * before:
            break
        before = model.reconstruction_err_
    return model.set_params(tol=EXACT, max_iter=STEPS), steps


def _amounts(model: Any, values: np.ndarray) -> np.ndarray:
    """(positions, n) the non-negative least squares of values (positions, units)."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # where directions are alike, so are many amounts
        return model.transform(values.astype(float))
