"""Labels of every usual type and shape train as torch trains with the right ones, and accuracy is counted by hand."""

from __future__ import annotations

import math
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cnnwidgets.methods.criteria import accuracy, fit_labels, probabilities, scores_of

DRAW = torch.Generator().manual_seed(0)
SCORES = torch.randn(6, 4, generator=DRAW)
MAPS = torch.randn(2, 3, 5, 4, generator=DRAW)
CLASSES = torch.tensor([0, 1, 3, 1, 0, 2])
MASKS = torch.randint(0, 3, (2, 5, 4), generator=DRAW)
SEVERAL = (torch.rand(6, 4, generator=DRAW) > 0.5).float()
YES = torch.tensor([1.0, 0.0, 0.0, 1.0, 1.0, 0.0])
VALUES = torch.randn(6, generator=DRAW)
ONE = SCORES[:, :1]

CROSS = [F.cross_entropy, nn.CrossEntropyLoss(), partial(F.cross_entropy, label_smoothing=0.1), nn.MultiMarginLoss()]
BINARY = [F.binary_cross_entropy_with_logits, nn.BCEWithLogitsLoss(), partial(F.binary_cross_entropy_with_logits)]
NEAR = [F.mse_loss, nn.MSELoss(), nn.L1Loss(), F.smooth_l1_loss, nn.HuberLoss()]


def same(found, wanted) -> bool:
    return found.dtype == wanted.dtype and found.shape == wanted.shape and torch.equal(found, wanted)


# classes


@pytest.mark.parametrize("criterion", CROSS)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.float32, torch.float64])
@pytest.mark.parametrize("column", [False, True])
def test_class_numbers_of_every_type_and_in_a_column(criterion, dtype, column):
    labels = CLASSES.to(dtype)
    fitted = fit_labels(SCORES, labels[:, None] if column else labels, criterion)
    assert same(fitted, CLASSES)
    assert torch.equal(criterion(SCORES, fitted), criterion(SCORES, CLASSES))
    right = sum(int(row.argmax()) == label for row, label in zip(SCORES, CLASSES.tolist(), strict=True))
    assert accuracy(SCORES, fitted, criterion) == right / 6


def test_bools_are_two_classes():
    assert same(fit_labels(SCORES[:, :2], YES.bool(), F.cross_entropy), YES.long())


def test_class_numbers_that_are_right_are_not_copied():
    assert fit_labels(SCORES, CLASSES, F.cross_entropy) is CLASSES
    assert fit_labels(MAPS, MASKS, F.cross_entropy) is MASKS


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8, torch.float32, torch.float64])
def test_one_hot_labels_of_every_type_are_probabilities(dtype):
    labels = F.one_hot(CLASSES, 4).to(dtype)
    fitted = fit_labels(SCORES, labels, F.cross_entropy)
    torch.testing.assert_close(F.cross_entropy(SCORES, fitted), F.cross_entropy(SCORES, CLASSES))
    assert accuracy(SCORES, fitted) == accuracy(SCORES, CLASSES)


def test_soft_labels_are_right_where_their_highest_probability_is_named():
    soft = torch.tensor([[0.6, 0.4], [0.3, 0.7], [0.2, 0.8]])
    scores = torch.tensor([[2.0, 1.0], [2.0, 1.0], [0.0, 0.5]])
    assert same(fit_labels(scores, soft.double(), nn.CrossEntropyLoss()), soft)
    assert accuracy(scores, soft) == 2 / 3


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.float32])
@pytest.mark.parametrize("column", [False, True])
def test_a_segmentation_is_judged_by_pixel(dtype, column):
    masks = MASKS.to(dtype)
    fitted = fit_labels(MAPS, masks[:, None] if column else masks, F.cross_entropy)
    assert same(fitted, MASKS)
    right = sum(
        int(MAPS[n, :, y, x].argmax()) == MASKS[n, y, x].item() for n in range(2) for y in range(5) for x in range(4)
    )
    assert accuracy(MAPS, fitted) == right / 40


@pytest.mark.parametrize(
    "criterion, number",
    [(F.cross_entropy, -100), (nn.CrossEntropyLoss(ignore_index=255), 255), (partial(F.cross_entropy, ignore_index=9), 9)],
)
def test_what_is_ignored_does_not_count(criterion, number):
    labels = CLASSES.clone()
    labels[[1, 4]] = number
    fitted = fit_labels(SCORES, labels.int(), criterion)
    kept = [0, 2, 3, 5]
    torch.testing.assert_close(criterion(SCORES, fitted), F.cross_entropy(SCORES[kept], CLASSES[kept]))
    assert accuracy(SCORES, fitted, criterion) == accuracy(SCORES[kept], CLASSES[kept])
    assert math.isnan(accuracy(SCORES, torch.full((6,), number), criterion))


# labels


@pytest.mark.parametrize("criterion", [*BINARY, nn.MultiLabelSoftMarginLoss()])
@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool, torch.float32, torch.float64])
def test_several_labels_are_right_one_by_one(criterion, dtype):
    fitted = fit_labels(SCORES, SEVERAL.to(dtype), criterion)
    assert same(fitted, SEVERAL)
    right = sum((SCORES[i, k] > 0).item() == bool(SEVERAL[i, k]) for i in range(6) for k in range(4))
    assert accuracy(SCORES, fitted, criterion) == right / 24


@pytest.mark.parametrize("criterion", BINARY)
@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.float32, torch.float64])
@pytest.mark.parametrize("scores", [ONE, ONE[:, 0]])
@pytest.mark.parametrize("labels", [YES, YES[:, None]])
def test_yes_and_no_in_one_column_are_right_by_the_sign(criterion, dtype, scores, labels):
    fitted = fit_labels(scores, labels.to(dtype), criterion)
    torch.testing.assert_close(criterion(scores, fitted), F.softplus(torch.where(YES > 0, -ONE[:, 0], ONE[:, 0])).mean())
    assert accuracy(scores, fitted, criterion) == ((ONE[:, 0] > 0) == (YES > 0)).sum().item() / 6


@pytest.mark.parametrize("criterion", [nn.BCELoss(), F.binary_cross_entropy])
def test_probabilities_are_right_above_a_half(criterion):
    assert accuracy(SCORES.sigmoid(), SEVERAL, criterion) == accuracy(SCORES, SEVERAL, nn.BCEWithLogitsLoss())


def test_a_binary_segmentation_is_judged_by_pixel():
    masks = MASKS.clamp(max=1)
    fitted = fit_labels(MAPS[:, :1], masks, nn.BCEWithLogitsLoss())
    assert same(fitted, masks[:, None].float())
    assert accuracy(MAPS[:, :1], fitted, nn.BCEWithLogitsLoss()) == ((MAPS[:, 0] > 0) == masks.bool()).sum().item() / 40


# values


@pytest.mark.parametrize("criterion", NEAR)
@pytest.mark.parametrize("scores", [ONE, ONE[:, 0]])
@pytest.mark.parametrize("labels", [VALUES, VALUES[:, None], VALUES.double(), VALUES[:, None].half().float()])
def test_values_meet_their_own_scores_and_are_neither_right_nor_wrong(criterion, scores, labels):
    fitted = fit_labels(scores, labels, criterion)
    pairs = zip(ONE[:, 0], labels.flatten().float(), strict=True)
    torch.testing.assert_close(criterion(scores, fitted), torch.stack([criterion(a, b) for a, b in pairs]).mean())
    assert math.isnan(accuracy(scores, fitted, criterion))


def test_whole_numbers_are_values_too():
    assert same(fit_labels(ONE, CLASSES, nn.MSELoss()), CLASSES[:, None].float())


def test_classes_that_are_learned_by_squares_are_classes():
    one_hot = F.one_hot(CLASSES, 4)
    fitted = fit_labels(SCORES, one_hot, nn.MSELoss())
    assert same(fitted, one_hot.float())
    assert accuracy(SCORES, fitted, nn.MSELoss()) == accuracy(SCORES, CLASSES)


# a criterion of one's own


def test_ones_own_criterion_gets_the_labels_as_they_are():
    def own(scores, labels):
        return scores.sum()

    for labels in (CLASSES.int(), YES, VALUES[:, None].double(), SEVERAL):
        assert fit_labels(ONE, labels, own) is labels
    assert accuracy(SCORES, CLASSES.byte(), own) == accuracy(SCORES, CLASSES)
    assert accuracy(SCORES, F.one_hot(CLASSES, 4).float(), own) == accuracy(SCORES, CLASSES)
    assert accuracy(MAPS, MASKS, own) == accuracy(MAPS, MASKS)
    for scores, labels in ((ONE, VALUES), (SCORES, SEVERAL), (SCORES, VALUES), (ONE, CLASSES)):
        assert math.isnan(accuracy(scores, labels, own))


# what is refused


ONE_SCORE = "the network gives one score a picture, and the labels are"
FOR_ONE = r"pass criterion=nn.BCEWithLogitsLoss\(\) where a label is 1 or 0, .* criterion=nn.MSELoss\(\) where it is a value"


@pytest.mark.parametrize(
    "scores, labels, criterion, sentence",
    [
        (ONE, YES, F.cross_entropy, f"{ONE_SCORE} a float32 tensor 6, but cross_entropy compares .*: {FOR_ONE}"),
        (ONE, YES[:, None], F.cross_entropy, f"{ONE_SCORE} a float32 tensor 6×1, but .*: {FOR_ONE}"),
        (ONE, YES.long(), nn.CrossEntropyLoss(), f"{ONE_SCORE} an int64 tensor 6, but CrossEntropyLoss compares"),
        (ONE[:, 0], YES, F.cross_entropy, ONE_SCORE),
        (SCORES, VALUES, F.cross_entropy, r"expects class numbers from 0 to 3, got a float32 tensor 6 such as -?\d"),
        (
            SCORES,
            SEVERAL,
            F.cross_entropy,
            r"6×4 with several classes of a picture, .*: pass criterion=nn.BCEWithLogitsLoss\(\)",
        ),
        (SCORES, SEVERAL.long(), F.cross_entropy, "int64 tensor 6×4 with several classes"),
        (SCORES, torch.zeros(6, 3), F.cross_entropy, "expects class numbers 6 or probabilities 6×4 for scores 6×4, got a"),
        (MAPS, MASKS[:, 1:], F.cross_entropy, "expects class numbers 2×5×4 or .* got an int64 tensor 2×4×4"),
        (SCORES, CLASSES + 1, F.cross_entropy, "there is a label 4, but the network gives scores of 4 classes, numbered"),
        (SCORES, CLASSES - 1, nn.CrossEntropyLoss(), "there is a label -1, but the network gives scores of 4 classes"),
        (
            SCORES,
            CLASSES,
            nn.BCEWithLogitsLoss(),
            r"labels in the shape .* 6×4, got .*: class numbers are for criterion=nn.Cross",
        ),
        (ONE, CLASSES, nn.BCEWithLogitsLoss(), "expects labels from 0 to 1, got an int64 tensor 6×1 such as 3"),
        (SCORES, VALUES, nn.MSELoss(), "expects values in the shape of the scores, 6×4, got a float32 tensor 6"),
    ],
)
def test_labels_that_are_none_for_the_criterion_are_refused(scores, labels, criterion, sentence):
    with pytest.raises(ValueError, match=sentence):
        fit_labels(scores, labels, criterion)


# scores and averages


def test_scores_lie_in_the_tensor_or_under_a_name():
    for output in (SCORES, {"logits": SCORES, "hidden": 1}, SimpleNamespace(logits=SCORES), {"aux": MAPS, "out": SCORES}):
        assert scores_of(output) is SCORES
    for output, word in (((SCORES, SCORES), "a tuple of Tensor"), ({"aux": SCORES}, "a dict"), (None, "a NoneType")):
        with pytest.raises(TypeError, match=f"expected a tensor of scores from the network, got {word}: give a module"):
            scores_of(output)


@pytest.mark.parametrize(
    "scores, labels, criterion, wanted",
    [
        (SCORES, CLASSES, F.cross_entropy, SCORES.double().exp() / SCORES.double().exp().sum(1, keepdim=True)),
        (SCORES, SEVERAL, nn.BCEWithLogitsLoss(), 1 / (1 + (-SCORES.double()).exp())),
        (SCORES.sigmoid(), SEVERAL, nn.BCELoss(), SCORES.sigmoid().double()),
        (ONE, VALUES[:, None], nn.MSELoss(), ONE.double()),
    ],
)
def test_what_is_averaged_and_how_an_average_is_judged(scores, labels, criterion, wanted):
    found, judge = probabilities(scores, labels, criterion)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-7)
    assert accuracy(found, labels, judge) == pytest.approx(accuracy(scores, labels, criterion), nan_ok=True)
