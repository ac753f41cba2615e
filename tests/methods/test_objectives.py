"""Objectives equal what is computed of the network's layers by hand, and their gradients equal finite differences."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods.many_scores import ManyScores
from cnnwidgets.methods.objectives import diversity, inversion, layer, target, unit
from tests.methods.small import picture, small


def bound(dtype=torch.float32):
    return cw.bind(small().to(dtype), input_shape=(3, 12, 12))


def pictures(count=1):
    return torch.stack([picture(seed=seed) for seed in range(count)])


def by_hand(net, x, last):
    return net.module[:last](x.to(net.dtype)).detach()


def scores(net, objective, x):
    return ManyScores(net, [objective], len(x), 64).scores(x)


CASES = {
    "a unit's mean": (unit("4", 3), lambda net, x: by_hand(net, x, 5)[:, 3].mean((1, 2))),
    "one position": (unit("4", 3, 1, 2), lambda net, x: by_hand(net, x, 5)[:, 3, 1, 2]),
    "a unit of a vector": (unit("6", 7), lambda net, x: by_hand(net, x, 7)[:, 7]),
    "a class's logit": (target(2), lambda net, x: by_hand(net, x, 8)[:, 2]),
    "a layer": (layer("4"), lambda net, x: by_hand(net, x, 5).square().sum((1, 2, 3))),
    "a sum with a factor": (
        unit("4", 3) + 0.5 * target("2"),
        lambda net, x: by_hand(net, x, 5)[:, 3].mean((1, 2)) + 0.5 * by_hand(net, x, 8)[:, 2],
    ),
    "a difference": (target(0) - target(1), lambda net, x: by_hand(net, x, 8)[:, 0] - by_hand(net, x, 8)[:, 1]),
    "a product": (
        unit("4", 3) * (2 - target(1)),
        lambda net, x: by_hand(net, x, 5)[:, 3].mean((1, 2)) * (2 - by_hand(net, x, 8)[:, 1]),
    ),
    "nothing but a minus": (-unit("0", 1), lambda net, x: -by_hand(net, x, 1)[:, 1].mean((1, 2))),
    "two layers": (
        unit("4", 3) * unit("0", 2, 5, 5),
        lambda net, x: by_hand(net, x, 5)[:, 3].mean((1, 2)) * by_hand(net, x, 1)[:, 2, 5, 5],
    ),
    "nearness to features": (
        inversion("3", picture(seed=9)),
        lambda net, x: (
            -(by_hand(net, x, 4) - by_hand(net, picture(seed=9)[None], 4)).square().sum((1, 2, 3))
            / by_hand(net, picture(seed=9)[None], 4).square().sum()
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_an_objective_is_what_one_computes_by_hand(case):
    objective, expected = CASES[case]
    net, x = bound(), pictures(3)
    torch.testing.assert_close(scores(net, objective, x), expected(net, x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_its_gradient_equals_finite_differences(case):
    objective, _ = CASES[case]
    net, x, step = bound(torch.float64), pictures(1), 2e-3
    asked = ManyScores(net, [objective], 1, 64)
    _, slope = asked.slopes(x)
    for place in [(0, 1, 1), (1, 5, 6), (2, 11, 3)]:
        moved = torch.zeros_like(x)
        moved[(0, *place)] = step  # inputs are float32: a smaller one is lost in them
        numeric = (asked.scores(x + moved) - asked.scores(x - moved)) / (2 * step)
        assert slope[(0, *place)].item() == pytest.approx(numeric.item(), rel=2e-2, abs=2e-4)


def test_diversity_is_minus_the_mean_cosine_of_the_gram_matrices():
    net, x = bound(), pictures(3)
    flat = by_hand(net, x, 5).flatten(2)
    grams = [(maps @ maps.T).flatten() for maps in flat]
    cosine = [[float(torch.cosine_similarity(a, b, dim=0)) for b in grams] for a in grams]
    expected = torch.tensor([-(sum(cosine[k]) - cosine[k][k]) / 2 for k in range(3)])
    torch.testing.assert_close(scores(net, diversity("4"), x), expected, rtol=1e-4, atol=1e-5)
    assert scores(net, diversity("4"), x[:1]).item() == 0
    torch.testing.assert_close(scores(net, diversity("4"), x[:1].repeat(2, 1, 1, 1)), torch.tensor([-1.0, -1.0]))


def test_a_class_is_asked_before_the_softmax():
    net, peer = cw.bind(nn.Sequential(*small(), nn.Softmax(1)), input_shape=(3, 12, 12)), bound()
    torch.testing.assert_close(scores(net, target(1), pictures(2)), peer.scores(pictures(2))[:, 1])


def test_an_objective_says_what_it_is():
    asked = unit("4", 3) + 0.5 * target("cat")
    assert str(asked) == "unit 3 of 4 + 0.5 × class cat"
    assert str(2 * asked) == "2 × (unit 3 of 4 + 0.5 × class cat)"
    assert str(unit("4", 3, 1, 2) - layer("0")) == "unit 3 of 4 at row 1, column 2 − all of 0"
    assert str(1 - (target(1) - target(2))) == "1 − (class 1 − class 2)"


@pytest.mark.parametrize(
    ("make", "kind", "sentence"),
    [
        (lambda: unit("4", 3, 1), ValueError, "row is 1 and column is None; expected both, or neither"),
        (lambda: unit(4, 3), TypeError, "layer is 4; expected a text"),
        (lambda: unit("4", "3"), ValueError, "index is '3'; expected a whole number"),
        (lambda: target(1).on(cw.bind(nn.Conv2d(3, 2, 3), input_shape=(3, 12, 12))), TypeError, "it has no classes; ask"),
        (lambda: layer(3), TypeError, "name is 3; expected a text"),
        (lambda: unit("4", 3) + "7", TypeError, "unsupported operand"),
        (lambda: inversion("4", pictures(2)).on(bound()), ValueError, "one picture whose features are wanted, got 2"),
        (lambda: inversion("0", torch.zeros(3, 12, 12)).on(cw.bind(nn.Sequential(nn.ReLU(), nn.Flatten()),
         input_shape=(3, 12, 12))), ValueError, "0 gives 0 everywhere for the picture: its features say nothing of it"),
    ],
)  # fmt: skip
def test_what_is_no_objective_is_refused_in_a_sentence(make, kind, sentence):
    with pytest.raises(kind, match=sentence):
        make()
