"""The three ways back through a ReLU: the lecture's numbers, and the definitions written out as loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cnnwidgets.methods import backward_rules
from cnnwidgets.methods.backward_rules import EXAMPLES
from cnnwidgets.net.relu_rules import RULES

PASSES = {
    "backpropagation": lambda forward, above: forward > 0,
    "deconvnet": lambda forward, above: above > 0,
    "guided": lambda forward, above: forward > 0 and above > 0,
}
"""The definitions: when what comes from above passes."""

numbers = st.floats(-1e100, 1e100)
tables = st.tuples(st.integers(1, 4), st.integers(1, 4)).flatmap(
    lambda shape: st.tuples(arrays(np.float64, shape, elements=numbers), arrays(np.float64, shape, elements=numbers))
)


def of(example: str):
    start = EXAMPLES[example]
    return backward_rules(start.input, start.above, start.weights)


def ruled(rule: str, before: np.ndarray, above: np.ndarray) -> np.ndarray:
    pairs = zip(before.ravel().tolist(), above.ravel().tolist(), strict=True)
    return np.reshape([a if PASSES[rule](f, a) else 0.0 for f, a in pairs], before.shape)


def test_the_lecture_s_numbers():
    result = of("relu")
    assert result.after.tolist() == [[1, 0, 5], [2, 0, 0], [0, 2, 4]]
    assert {rule: values.tolist() for rule, values in result.at_input.items()} == {
        "backpropagation": [[-2, 0, -1], [6, 0, 0], [0, -1, 3]],
        "deconvnet": [[0, 3, 0], [6, 0, 1], [2, 0, 3]],
        "guided": [[0, 0, 0], [6, 0, 0], [0, 0, 3]],
    }
    np.testing.assert_equal(result.through_relu, result.at_input)


def test_the_network_is_what_loops_over_its_cells_give():
    result = of("network")
    assert result.weights is not None
    before, score = np.zeros((2, 2)), 0.0
    for p, q in np.ndindex(2, 2):
        for k, m in np.ndindex(3, 3):
            before[p, q] += result.input[p + k, q + m] * result.weights[k, m]
        score += result.above[p, q] * max(before[p, q], 0)
    assert result.before.tolist() == before.tolist()
    assert result.after.tolist() == np.maximum(before, 0).tolist()
    assert result.score == score
    for rule in RULES:
        through, at_input = ruled(rule, before, result.above), np.zeros((4, 4))
        for p, q in np.ndindex(2, 2):
            for k, m in np.ndindex(3, 3):
                at_input[p + k, q + m] += through[p, q] * result.weights[k, m]
        assert result.through_relu[rule].tolist() == through.tolist()
        assert result.at_input[rule].tolist() == at_input.tolist()


def test_the_network_s_outputs_are_the_four_cases_and_its_numbers_are_small_and_whole():
    result = of("network")
    cases = {(bool(f > 0), bool(a > 0)) for f, a in zip(result.before.flat, result.above.flat, strict=True)}
    assert len(cases) == 4
    everything = [result.before, *result.at_input.values()]
    assert all((values == np.rint(values)).all() and np.abs(values).max() <= 6 for values in everything)
    one, two, three = result.at_input.values()
    assert min((a != b).sum() for a, b in ((one, two), (one, three), (two, three))) >= 4


def test_backpropagation_is_the_gradient_of_the_score():
    start, step = EXAMPLES["network"], 1e-6
    gradient = of("network").at_input["backpropagation"]
    for at in np.ndindex(4, 4):
        more, less = np.array(start.input), np.array(start.input)
        more[at] += step
        less[at] -= step
        rise = (
            backward_rules(more, start.above, start.weights).score - backward_rules(less, start.above, start.weights).score
        )
        assert math.isclose(rise / (2 * step), gradient[at], abs_tol=1e-6)


@settings(max_examples=60, deadline=None)
@given(pair=tables)
def test_for_any_numbers_the_rules_are_their_definitions(pair):
    before, above = pair
    result = backward_rules(before, above)
    for rule in RULES:
        np.testing.assert_array_equal(result.at_input[rule], ruled(rule, before, above))


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_no_number_overflows_in_the_network(data):
    input, weights, above = (
        data.draw(arrays(np.float64, size, elements=numbers)) for size in ((4, 4), (3, 3), (2, 2))
    )  # fmt: skip
    result = backward_rules(input, above, weights)
    assert math.isfinite(result.score)
    for rule in RULES:
        assert np.isfinite(result.at_input[rule]).all()
        np.testing.assert_array_equal(result.through_relu[rule], ruled(rule, result.before, above))


def test_what_is_given_stays_as_it_is():
    given = np.array([[1.0, -1.0]])
    result = backward_rules(given, given)
    assert not any(np.shares_memory(given, values) for values in (result.input, result.above, result.before))


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (([[1, 2], [3]], [[1]]), "rows of the same length"),
        (([[1, "x"]], [[1, 1]]), "not a table of numbers"),
        (([1, 2], [[1, 1]]), "rows and columns"),
        (([[math.nan]], [[1]]), "numbers from −1e"),
        (([[1]], [[math.inf]]), "got inf"),
        (([[1, 2]], [[1]]), "from above is 1×1, but the ReLU's output is 1×2"),
        (([[1, 2]], [[1]], [[1], [2]]), "the weights are 2×1, which is larger than the input"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_a_sentence(asked, sentence):
    with pytest.raises(ValueError, match=sentence):
        backward_rules(*asked)


@pytest.mark.parametrize("example", EXAMPLES)
def test_windows_and_what_they_reach_are_the_convolution_and_its_transpose(example):
    found = of(example)
    weights = np.ones(1) if found.weights is None else found.weights.ravel()
    sums = [found.input.flat[window] @ weights for window in found.windows]
    np.testing.assert_array_equal(np.reshape(sums, found.before.shape), found.before)
    for rule, through in found.through_relu.items():
        back = [sum(through.flat[k] * weights[w] for k, w in reached.items()) for reached in found.reached]
        np.testing.assert_array_equal(np.reshape(back, found.input.shape), found.at_input[rule])


def test_what_passes_is_counted_as_the_definitions_say():
    found = of("relu")
    for rule, count in found.passed.items():
        pairs = zip(found.before.ravel(), found.above.ravel(), strict=True)
        assert count == sum(PASSES[rule](*pair) for pair in pairs)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_code_gives_the_gradients_at_the_input(example):
    found, space = of(example), {}
    exec(found.code(), space)
    assert space["values"].keys() == found.at_input.keys()
    for rule, values in space["values"].items():
        np.testing.assert_array_equal(values.numpy(), found.at_input[rule])
