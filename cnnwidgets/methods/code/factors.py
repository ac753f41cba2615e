"""The lines that take a layer's maps apart by scikit-learn, without the scan: every map is kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnwidgets.methods.code.data_sets import looking_lines
from cnnwidgets.methods.code.text import tidy
from cnnwidgets.methods.factors import EXACT, STEPS, Factors
from cnnwidgets.net import BoundModel

_CODE = """\
from sklearn.decomposition import NMF
from cnnwidgets.methods.strongest import priorities
maps = np.stack([look(i) for i in numbers]).clip(0).transpose(0, 2, 3, 1)  # {layer}: (pictures, height, width, units)

count = {positions}  # positions of a picture
places = (numbers[:, None] * count + np.arange(count)).ravel()
sample = maps.reshape(-1, {units})[np.argsort(priorities(places, {seed}), kind="stable")[:{sampled}]]  # random positions
shown = np.sort(np.argsort(priorities(numbers, {seed}), kind="stable")[:{shown}])  # and pictures

sample = sample.astype(float)
model = NMF({n}, init="nndsvda", tol=0, max_iter={steps}, random_state={seed}).fit(sample)
model.set_params(tol={exact}, max_iter={most})  # from here on the directions stay
lengths = np.linalg.norm(model.components_, axis=1)
order = np.argsort(-(model.transform(sample) * lengths).sum(0), kind="stable")
amounts = model.transform(maps[shown].reshape(-1, {units}).astype(float)) * lengths

indices, directions = numbers[shown], (model.components_ / lengths[:, None])[order]
values = amounts[:, order].reshape(len(shown), {height}, {width}, {n}).transpose(0, 3, 1, 2)  # of each picture"""


def factor_lines(net: BoundModel, dataset: Any, found: Factors, seed: int) -> str:
    """The lines that put the factors' maps into ``values``, and their ``directions`` and the pictures' ``indices``.

    Parameters:
        seed: that they were found with.
    """
    sample, (units, height, width) = found.sample, found.layer.map_shape
    numbers = np.setdiff1d(np.arange(sample.total), [index for index, _ in sample.skipped]).tolist()
    code = _CODE.format(
        layer=found.layer.name, positions=height * width, units=units, seed=seed, sampled=len(sample.values),
        shown=len(found.indices), n=len(found.directions), steps=found.steps, exact=EXACT, most=STEPS, height=height,
        width=width,
    )  # fmt: skip
    return tidy("\n".join([*looking_lines(net, dataset, found.layer, numbers, "values"), code]))
