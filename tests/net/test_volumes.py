"""Networks of volumes are told apart when they are bound; those that make a volume of a picture are bound as any."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision import models

from cnnwidgets.net import bind
from tests.net.networks import Function, cheap, unchanged


def of_volumes(channels: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv3d(channels, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(4, 2)).eval()


def of_slices(channels: int = 1) -> nn.Module:
    """A picture's channels become the slices of a volume."""
    return Function(lambda self, x: self.net(x[:, None].expand(-1, channels, -1, -1, -1)), net=of_volumes(channels)).eval()


def transposed() -> nn.Sequential:
    return nn.Sequential(nn.ConvTranspose3d(1, 4, 3), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(4, 2))


SENTENCE = (
    r"takes volumes \(N, C, D, H, W\), for its first convolution is a Conv(Transpose)?3d; cnnwidgets binds networks of "
    r"pictures \(N, C, H, W\): wrap it in a module that makes the volume of a picture, .*input_shape=\(slices, H, W\)$"
)


@pytest.mark.parametrize("shape", [None, (1, 16, 16), (16, 24, 24), (3, 64, 64)])
@pytest.mark.parametrize(
    "build",
    [of_volumes, lambda: of_volumes(2), lambda: of_volumes(16), transposed, lambda: cheap(models.video.r3d_18)],
    ids=["one channel", "two", "as many as slices", "transposed", "of videos"],
)
def test_a_network_of_volumes_is_refused_with_what_to_do(build, shape):
    """Torch itself takes a batch (N, C, H, W) for one volume (C, D, H, W), without a word."""
    model = build()
    with unchanged(model), pytest.raises(TypeError, match=SENTENCE):
        bind(model, input_shape=shape)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_network_that_makes_volumes_of_pictures_is_bound(channels):
    model = of_slices(channels)
    net = bind(model, input_shape=(16, 20, 24))
    slices = torch.rand(3, 16, 20, 24)
    with torch.no_grad():
        expected = model(slices).softmax(1)
    found = torch.tensor([[p for _, p in sorted(row)] for row in net.predict(slices)])
    torch.testing.assert_close(found, expected)


def test_such_a_network_without_a_shape_says_how_it_is_given():
    with pytest.raises(TypeError, match=SENTENCE):
        bind(of_slices())


def test_a_network_that_looks_at_pictures_first_is_bound_as_any():
    """A cost volume, as networks of stereo make it of maps."""
    model = Function(
        lambda self, x: self.volume(torch.stack([self.maps(x)] * 4, 2)).mean((2, 3, 4)),
        maps=nn.Conv2d(3, 4, 3),
        volume=nn.Conv3d(4, 2, 3),
    ).eval()
    assert len(bind(model).predict(torch.rand(3, 16, 16))[0]) == 2
