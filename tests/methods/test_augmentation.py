"""Changes of a picture by chance: none at strength 0, and little where it is small, whatever the picture's shape."""

from __future__ import annotations

import pytest
import torch

from cnnwidgets.methods.augmentation import AUGMENTATIONS, augmentation

SHAPES = [(3, 28, 28), (3, 24, 48), (3, 48, 20)]


def gradient(shape: tuple[int, ...]) -> torch.Tensor:
    """A picture that gets brighter to the right and to the bottom, so that a small shift is a small change."""
    channels, height, width = shape
    return ((torch.linspace(0, 1, height)[:, None] + torch.linspace(0, 1, width)) / 2).expand(channels, -1, -1).clone()


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_strength_0_changes_nothing(name, shape):
    picture = torch.rand(shape)
    assert torch.equal(augmentation([name], 0.0, [0.4] * 3, [0.2] * 3)(picture), picture)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_little_crop_keeps_nearly_all_of_a_picture_of_any_shape(shape):
    torch.manual_seed(0)
    picture = gradient(shape)
    change = augmentation(["crop"], 0.1)
    assert max(float((change(picture) - picture).abs().max()) for _ in range(50)) < 0.15


def test_a_crop_is_stretched_by_up_to_a_third():
    torch.manual_seed(0)
    picture = gradient((1, 64, 64))
    spans = [part.amax((0, 2)).diff().sum() / part.amax((0, 1)).diff().sum() for part in crops(picture, 1.0, 100)]
    assert 1.15 < float(max(spans)) < 1.5 and 1.15 < 1 / float(min(spans)) < 1.5


def crops(picture: torch.Tensor, strength: float, count: int) -> list[torch.Tensor]:
    change = augmentation(["crop"], strength)
    return [change(picture) for _ in range(count)]
