"""Reducers: what they gather is what NumPy gives on the whole; merged parts equal the whole, for any split."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

import cnnwidgets as cw
from cnnwidgets.methods import ActivationStatistics, Batch, Confusion
from cnnwidgets.methods.features import Answers, Vectors
from tests.methods.data_sets import network
from tests.methods.test_activations import ConvNeXt, Transformer

N = 24
MAPS = torch.randn(N, 8, 4, 4, generator=torch.Generator().manual_seed(0)).clamp_min(-0.5) + 0.5
LOGITS = torch.randn(N, 4, generator=torch.Generator().manual_seed(1))
LABELS = np.arange(N) % 5 - 1  # every fifth has none


def batch(numbers) -> Batch:
    inputs = torch.arange(12.0).reshape(3, 2, 2) + torch.tensor(numbers)[:, None, None, None]
    return Batch(np.array(numbers), LABELS[numbers], inputs, LOGITS[numbers], {"5": MAPS[numbers]})


LAYER = network().layers["5"]
REDUCERS = {
    "confusion": Confusion(),
    "statistics": ActivationStatistics(LAYER),
    "vectors": Vectors(LAYER, max_memory=10**9),
    "vectors in a file": Vectors(LAYER, max_memory=0),
    "pixels": Vectors(None, max_memory=10**9),
    "answers": Answers(),
}


def arrays(result) -> dict:
    if isinstance(result, np.ndarray):
        return {"values": result}
    result = result if isinstance(result, dict) else vars(result)
    return {name: np.asarray(value) for name, value in result.items() if name != "layer"}


def assert_same(found, wanted) -> None:
    found, wanted = arrays(found), arrays(wanted)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        if name in ("mean", "variance"):  # sums: in another order they round otherwise
            np.testing.assert_allclose(found[name], value, rtol=1e-12, atol=1e-12)
        else:
            np.testing.assert_array_equal(found[name], value)


@st.composite
def splits(draw):
    """Where the pictures 0 to N are cut into batches, and in which order neighbors are merged; some parts are empty."""
    cuts = sorted(draw(st.lists(st.integers(1, N - 1), max_size=6, unique=True)))
    batches = [list(range(a, b)) for a, b in zip([0, *cuts], [*cuts, N], strict=True)]
    for place in sorted(draw(st.lists(st.integers(0, len(batches)), max_size=2)), reverse=True):
        batches.insert(place, [])
    return batches, [draw(st.integers(0, left - 2)) for left in range(len(batches), 1, -1)]


@pytest.mark.parametrize("kind", REDUCERS)
@settings(max_examples=60, deadline=None)
@given(split=splits())
def test_merged_parts_equal_the_whole_for_any_split_and_order(kind, split):
    batches, merges = split
    whole = copy.deepcopy(REDUCERS[kind])
    whole.update(batch(list(range(N))))
    parts = [copy.deepcopy(REDUCERS[kind]) for _ in batches]
    for part, numbers in zip(parts, batches, strict=True):
        if numbers:
            part.update(batch(numbers))
    for place in merges:
        parts[place].merge(_at_home(parts.pop(place + 1)))
    (merged,) = parts
    assert_same(merged.result(), whole.result())


def _at_home(reducer):
    """As it comes from a worker: with its rows in memory. (A scan merges into one, that of all batches before.)"""
    if isinstance(reducer, Vectors) and reducer._rows._file is not None:
        rows = Vectors(reducer.layer, max_memory=10**9)
        rows._rows.append(reducer.result())
        return rows
    return reducer


@pytest.mark.parametrize("kind", REDUCERS)
def test_what_a_part_gathered_is_left_as_it_is(kind):
    total, part = copy.deepcopy(REDUCERS[kind]), copy.deepcopy(REDUCERS[kind])
    total.update(batch([0, 1]))
    part.update(batch([2, 3, 4]))
    before = arrays(copy.deepcopy(part).result())
    total.merge(part)
    first = {name: value.copy() for name, value in arrays(total.result()).items()}
    held = total.result()
    part.update(batch([5]))
    total.merge(part)
    assert_same(held, first)  # a result that was given does not change any more
    assert len(before) == len(first)


# values


def test_the_confusion_matrix_is_scikit_learns():
    reducer = Confusion()
    reducer.update(batch(list(range(N))))
    known = LABELS >= 0
    found = reducer.result()
    np.testing.assert_array_equal(found.counts, confusion_matrix(LABELS[known], LOGITS.argmax(1)[known], labels=range(4)))
    assert found.accuracy == (LOGITS.argmax(1).numpy() == LABELS)[known].mean()


def test_nothing_labeled_is_no_accuracy():
    reducer = Confusion()
    reducer.update(batch([0, 5, 10]))
    assert reducer.result().counts.sum() == 0
    assert np.isnan(reducer.result().accuracy)


def test_a_label_beyond_the_classes_names_the_picture():
    with pytest.raises(ValueError, match="picture 7 has the label 9: the network has 4 classes, numbered from 0"):
        Confusion().update(Batch(np.array([2, 7]), np.array([3, 9]), torch.zeros(2, 3, 2, 2), torch.zeros(2, 4)))
    with pytest.raises(ValueError, match="gives no tensor"):
        Confusion().update(Batch(np.array([2]), np.array([3]), torch.zeros(1, 3, 2, 2), None))


def test_statistics_are_numpys():
    reducer = ActivationStatistics(LAYER)
    reducer.update(batch(list(range(N))))
    found, values = reducer.result(), MAPS.numpy().astype(np.float64)
    assert found.values == N * 16
    np.testing.assert_allclose(found.mean, values.mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(found.variance, values.var((0, 2, 3)), rtol=1e-12)
    np.testing.assert_array_equal(found.maximum, values.max((0, 2, 3)))
    np.testing.assert_array_equal(found.zeros, (values == 0).mean((0, 2, 3)))
    assert found.zeros.min() > 0


def test_the_variance_of_large_values_keeps_its_digits():
    """A sum of squares would lose all: 1e4 ** 2 has no room for 1e-3 ** 2 in float32, and hardly in float64."""
    maps = 1e4 + 1e-2 * torch.randn(64, 8, 4, 4, generator=torch.Generator().manual_seed(2))
    reducer = ActivationStatistics(LAYER)
    for part in maps.split(16):
        one = ActivationStatistics(LAYER)
        one.update(Batch(np.arange(16), np.arange(16), torch.zeros(16, 3, 2, 2), None, {"5": part}))
        reducer.merge(one)
    np.testing.assert_allclose(reducer.result().variance, maps.double().numpy().var((0, 2, 3)), rtol=1e-8)


@pytest.mark.parametrize(
    "build, shape, layer, axes",
    [
        (Transformer, (3, 16, 8), "norm", (0, 1)),
        (ConvNeXt, (3, 8, 12), "norm", (0, 1, 2)),
        (ConvNeXt, (3, 8, 12), "stem", (0, 2, 3)),
    ],
)
def test_units_are_found_wherever_the_layer_has_them(build, shape, layer, axes):
    torch.manual_seed(0)
    net = cw.bind(build(), input_shape=shape)
    pictures = list(torch.randn(5, *shape))
    (found,) = cw.methods.scan(net, pictures, [ActivationStatistics(net.layers[layer])]).results
    values = net.trace(torch.stack(pictures), [layer])[layer].double().numpy()
    np.testing.assert_allclose(found.mean, values.mean(axes), rtol=1e-12)
    np.testing.assert_array_equal(found.maximum, values.max(axes))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert repr(found).startswith(f"<{layer}: {len(found.mean)} units, ")
