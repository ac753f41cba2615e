"""Every method that speaks of a probability takes the network's own, whatever its output is; by hand, of the same scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods.rise import Masks
from cnnwidgets.methods.snapshots import Snapshots
from tests.methods.small import picture, small

ENDS = {  # kind: how the network ends, and the probabilities (or values) of its classes, of the scores z (N, 4) by hand
    "probabilities": (nn.Softmax(1), lambda z: z.softmax(1)),
    "log_probabilities": (nn.LogSoftmax(1), lambda z: z.softmax(1)),
    "labels": (nn.Sigmoid(), lambda z: 1 / (1 + (-z).exp())),
    "label_logits": (nn.Identity(), lambda z: 1 / (1 + (-z).exp())),
    "values": (nn.Identity(), lambda z: z),
}


class First(nn.Module):
    """The first score alone."""

    def __init__(self, last):
        super().__init__()
        self.body, self.last = small(), last

    def forward(self, x):
        return self.last(self.body(x)[:, :1])


def two(z):
    p = 1 / (1 + (-z[:, :1]).exp())
    return torch.cat([1 - p, p], 1)


def bound(kind):
    """A network of a kind, which is said."""
    if kind.startswith("binary"):
        return cw.bind(
            First(nn.Sigmoid() if kind == "binary" else nn.Identity()).eval(), input_shape=(3, 12, 12), outputs=kind
        )
    return cw.bind(nn.Sequential(small(), ENDS[kind][0]).eval(), input_shape=(3, 12, 12), outputs=kind)


def by_hand(kind, pictures):
    with torch.no_grad():
        z = small()(pictures).double()
    return two(z) if kind.startswith("binary") else ENDS[kind][1](z)


KINDS = [*ENDS, "binary", "binary_logit"]
PROBABLE = [kind for kind in KINDS if kind != "values"]
PICTURES = torch.stack([picture(seed=k) for k in range(9)])
NINTHS = np.arange(9).reshape(3, 3).repeat(4, 0).repeat(4, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_occlusion_watches_it(kind):
    found = cw.methods.occlusion(bound(kind), picture(), 1, patch=4, stride=4, fill="zero")
    for i, y in enumerate(found.ys):
        for j, x in enumerate(found.xs):
            covered = picture()
            covered[:, y : y + 4, x : x + 4] = 0
            wanted = by_hand(kind, covered[None])[0]
            assert found.values[i, j] == found.probability[i, j] == pytest.approx(wanted[1].item(), abs=1e-5)
            if kind != "values":
                assert found.top[i, j] == wanted.argmax()
                np.testing.assert_allclose(found.chances[i, j], wanted.sort(descending=True).values, atol=1e-5)
    assert found.score == ("value" if kind == "values" else "probability")
    assert found.output == bound(kind).output.sentence


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_estimate_is_the_first_order_of_what_is_watched(kind):
    """For a patch that changes next to nothing the estimate is the value itself, to second order."""
    base = picture()
    net = bound(kind)
    found = cw.methods.occlusion(net, base, 1, patch=12, stride=12, fill="zero")
    tiny = cw.methods.occlusion(net, 1e-3 * base, 1, patch=12, stride=12, fill="zero")
    change = by_hand(kind, torch.zeros(1, 3, 12, 12))[0, 1].item() - by_hand(kind, 1e-3 * base[None])[0, 1].item()
    assert tiny.estimate[0, 0] - tiny.clean == pytest.approx(change, rel=0.05, abs=3e-7)
    assert found.exact


def test_a_logit_is_watched_only_where_there_is_one():
    found = cw.methods.occlusion(bound("label_logits"), picture(), 1, patch=12, stride=12, fill="zero", score="logit")
    assert found.values[0, 0] == pytest.approx(small()(torch.zeros(1, 3, 12, 12))[0, 1].item(), abs=1e-5)
    negative = cw.methods.occlusion(bound("binary_logit"), picture(), 0, patch=12, stride=12, fill="zero", score="logit")
    assert negative.values[0, 0] == pytest.approx(-small()(torch.zeros(1, 3, 12, 12))[0, 0].item(), abs=1e-5)
    for kind in ("probabilities", "log_probabilities", "labels", "binary", "values"):
        usual = "value" if kind == "values" else "probability"
        with pytest.raises(ValueError, match=rf"score is 'logit', but the network gives .*: expected '{usual}', or unit="):
            cw.methods.occlusion(bound(kind), picture(), score="logit")
    with pytest.raises(ValueError, match="score is 'probability', but the network gives 4 values"):
        cw.methods.occlusion(bound("values"), picture(), score="probability")


@pytest.mark.parametrize("kind", KINDS)
def test_rise_is_the_mean_of_it_over_the_masks(kind):
    net = bound(kind)
    found = cw.methods.rise(net, picture(), 1, n_samples=12, seed=3)
    masks = Masks((12, 12), 7, 0.5, 12, 3)[:12]
    chances = by_hand(kind, picture() * masks[:, None])[:, 1]
    wanted = (chances[:, None, None] * masks).mean(0) / 0.5
    np.testing.assert_allclose(found.values, wanted, atol=1e-5)
    assert found.score == pytest.approx(by_hand(kind, picture()[None])[0, 1].item(), abs=1e-6)
    assert net.output.sentence in found.notes[0]


@pytest.mark.parametrize("kind", KINDS)
def test_lime_explains_it(kind):
    net = bound(kind)
    found = cw.methods.lime(net, picture(), 1, superpixels=NINTHS, fill="zero", alpha=0, n_samples=600)
    assert found.exact and found.quantity == ("value" if kind == "values" else "probability")
    seen = (np.arange(512)[:, None] >> np.arange(9) & 1).astype(bool)
    answers = by_hand(kind, picture() * torch.from_numpy(seen[:, NINTHS])[:, None])[:, 1].numpy()
    weights = np.exp(-((1 - np.sqrt(seen.mean(1))) ** 2) / 0.25**2) ** 0.5
    table = np.concatenate([seen, np.ones((512, 1))], 1)
    wanted = np.linalg.lstsq(table * weights[:, None], answers * weights, rcond=None)[0]
    np.testing.assert_allclose(found.coefficients, wanted[:-1], atol=1e-4 * max(1, np.abs(wanted).max()))
    assert found.score == pytest.approx(by_hand(kind, picture()[None])[0, 1].item(), abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_deletion_and_insertion_begin_and_end_with_it(kind):
    net = bound(kind)
    curves = cw.methods.faithfulness(net, picture(), cw.methods.saliency(net, picture(), 1), steps=3, randoms=1, fill="zero")
    clean, zero = by_hand(kind, torch.stack([picture(), torch.zeros(3, 12, 12)]))[:, 1].tolist()
    assert curves.deletion[[0, -1]].tolist() == pytest.approx([clean, zero], abs=1e-5)
    assert curves.insertion[[0, -1]].tolist() == pytest.approx([zero, clean], abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_sanity_check_tells_it(kind):
    net = bound(kind)
    found = cw.methods.sanity_check(net, picture(), methods=["saliency"], depths=[0])
    wanted = by_hand(kind, picture()[None])[0]
    target = 0 if kind == "values" else int(wanted.argmax())
    assert (found.target, found.probability[0]) == (target, pytest.approx(wanted[target].item(), abs=1e-6))


@pytest.mark.parametrize("kind", KINDS)
def test_features_keep_it(kind):
    net = bound(kind)
    found = cw.methods.features(net, list(PICTURES), "input")
    wanted = by_hand(kind, PICTURES)
    if kind == "values":
        np.testing.assert_allclose(found.regression, wanted[:, :3], atol=1e-4)
        assert found.top is None and found.chances is None and found.predicted is None and found.classes == ()
        return
    best = wanted.topk(min(3, wanted.shape[1]))
    np.testing.assert_array_equal(found.top, best.indices)
    np.testing.assert_allclose(found.chances, best.values, atol=1e-5)
    assert found.regression is None and found.classes == net.classes and found.output == net.output


@pytest.mark.parametrize("kind", PROBABLE)
def test_the_confusion_matrix_counts_the_most_probable_class(kind):
    classes = by_hand(kind, PICTURES).shape[1]
    items = [(one, k % classes) for k, one in enumerate(PICTURES)]
    found = cw.methods.scan(bound(kind), items, [cw.methods.Confusion()]).results[0]
    wanted = np.zeros((classes, classes), int)
    for (_, label), best in zip(items, by_hand(kind, PICTURES).argmax(1).tolist(), strict=True):
        wanted[label, best] += 1
    assert found.counts.tolist() == wanted.tolist()


def test_a_regression_has_nothing_to_confuse():
    with pytest.raises(ValueError, match=r"the network gives 4 values \(as outputs= says\): there are no classes to count"):
        cw.methods.scan(bound("values"), list(PICTURES), [cw.methods.Confusion()])


@pytest.mark.parametrize("last", [nn.Identity(), nn.Softmax(1), nn.LogSoftmax(1)])
def test_an_ensemble_of_snapshots_averages_probabilities_whatever_a_network_gives(last):
    """One member is very sure of class 0; the other two favor class 1. By scores 0 would win, by probabilities 1 does."""
    members = [torch.tensor([[20.0, 0.0]]), torch.tensor([[0.0, 3.0]]), torch.tensor([[0.0, 3.0]])]
    snapshots = Snapshots()
    for scores in members:
        snapshots.add(last(scores), torch.tensor([1]))
    mean = [sum(one.softmax(1) for one in members[: k + 1])[0] for k in range(3)]
    assert snapshots.ensemble == [float(one[1] > one[0]) for one in mean]


def test_a_scan_gives_reducers_what_the_network_gives_and_what_that_means():
    class Look:
        def update(self, batch):
            assert batch.output.kind == "labels"
            torch.testing.assert_close(batch.scores.double(), by_hand("labels", batch.inputs), rtol=1e-5, atol=1e-6)

        def merge(self, other):
            pass

        def result(self):
            return "seen"

    assert cw.methods.scan(bound("labels"), list(PICTURES), [Look()]).results == ["seen"]
