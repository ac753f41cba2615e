"""Answers averaged over crops: what a loop by hand counts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import cnnwidgets as cw
from cnnwidgets.methods import TenCrop, ten_crop
from cnnwidgets.methods.ten_crop import crops
from tests.methods.data_sets import Bad, Pictures
from tests.methods.small import bound, small

NET, N = bound(), 30


def views(picture: torch.Tensor) -> torch.Tensor:
    """The picture of 12 pixels, five parts of one of 14, and their mirror images."""
    larger = F.interpolate(picture[None], (14, 14), mode="bilinear", antialias=True, align_corners=False)[0]
    places = [(0, 0), (0, 2), (2, 0), (2, 2), (1, 1)]
    parts = [larger[:, top : top + 12, left : left + 12] for top, left in places]
    return torch.stack([picture, *parts, *(parts[k].flip(-1) for k in (1, 0, 3, 2, 4))])


def test_the_crops_are_corners_and_center_of_a_larger_picture_and_mirrored():
    torch.testing.assert_close(crops(Pictures()[0][0], 7 / 6), views(Pictures()[0][0]))


def test_it_is_what_a_loop_counts():
    right = []
    with torch.no_grad():
        for i in range(N):
            picture, label = Pictures()[i]
            chances = NET.module(views(picture)).softmax(1)
            each = [chances[0], chances[5], chances[1:6].mean(0), chances[1:].mean(0)]
            right.append([int(one.argmax()) == label for one in each])
    found = ten_crop(NET, Pictures(N), scale=7 / 6)
    np.testing.assert_array_equal(found.right, right)
    np.testing.assert_allclose(found.accuracy, np.mean(right, 0))
    assert found.indices.tolist() == [*range(N)] and found.total == N


@pytest.mark.parametrize("options", [{"batch_size": 1}, {"batch_size": 50}, {"executor": "threads"}, {"workers": 1}])
def test_it_is_the_same_however_it_is_scanned(options):
    with ThreadPoolExecutor(2) as pool:
        options = {name: pool if value == "threads" else value for name, value in options.items()}
        found = ten_crop(NET, Pictures(N), **options)
    np.testing.assert_array_equal(found.right, ten_crop(NET, Pictures(N)).right)


def test_bad_pictures_are_told_of_once_and_those_without_a_label_do_not_count():
    found = ten_crop(NET, Bad(50))
    assert [i for i, _ in found.skipped] == list(Bad.indices)
    assert found.indices.tolist() == [i for i in range(50) if i not in Bad.indices]
    pictures = [Pictures()[i][0] for i in range(5)]
    none = ten_crop(NET, pictures)
    assert not len(none.right) and np.isnan(none.accuracy).all() and none.summary.startswith("No picture has a label")


def test_some_of_the_pictures_by_their_numbers():
    some = ten_crop(NET, Pictures(N), indices=[7, -1])
    assert some.indices.tolist() == [7, N - 1]
    np.testing.assert_array_equal(some.right, ten_crop(NET, Pictures(N)).right[[7, N - 1]])


def test_a_network_that_looks_at_the_mean_of_flat_pictures_says_the_same_of_every_view():
    flat = [(torch.full((3, 12, 12), value), int(value > 0)) for value in np.linspace(-1, 1, 8, dtype=np.float32)]
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
    with torch.no_grad():
        model[2].weight[:], model[2].bias[:] = torch.tensor([[-1.0] * 3, [1.0] * 3]), 0
    found = ten_crop(cw.bind(model, input_shape=(3, 12, 12)), flat)
    assert found.accuracy.tolist() == [1, 1, 1, 1] and found.chance("whole", "ten crops") == 1


def test_the_chance_of_a_difference_is_that_of_throws_of_a_coin():
    """Five pictures of which only one view is right: twice the chance of five heads in a row."""
    right = np.zeros((9, 4), bool)
    right[:5, 0] = True
    found = TenCrop(("whole", "center", "five crops", "ten crops"), right, np.arange(9), 8 / 7, [], 9)
    assert found.chance("whole", "ten crops") == pytest.approx(2 * 0.5**5)
    assert "may be chance" in found.summary


def test_what_has_no_classes_or_is_not_larger_is_refused():
    values = cw.bind(small(), input_shape=(3, 12, 12), outputs="values")
    with pytest.raises(ValueError, match="there are no classes to count"):
        ten_crop(values, Pictures(3))
    with pytest.raises(ValueError, match="picture 1 has the label 7: the network has 4 classes, numbered from 0"):
        ten_crop(NET, [(Pictures()[0][0], 0), (Pictures()[1][0], 7)])
    with pytest.raises(ValueError, match="scale is 1; expected a number above 1"):
        ten_crop(NET, Pictures(3), scale=1)
