"""Preprocessing and back: our own keeps the depth of a picture, anybody else's is called as it is, and both can be shown."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision import models
from torchvision.transforms import v2

from cnnwidgets.net import bind
from cnnwidgets.net.preprocess import Preprocess
from tests.net.networks import cheap

RNG = np.random.default_rng(0)
COLOR = RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)
GRAY = RNG.integers(0, 256, (6, 8), dtype=np.uint8)
XRAY = RNG.integers(0, 4096, (6, 8)).astype(np.uint16)
"""12 bits in 16, as an X-ray comes."""


def gray():
    return bind(nn.Conv2d(1, 2, 3), input_shape=(1, 6, 8))


def test_a_network_of_four_channels_takes_tensors_alone():
    net = bind(nn.Conv2d(4, 2, 3), input_shape=(4, 6, 8))
    assert net.prepare(torch.zeros(4, 6, 8)).shape == (1, 4, 6, 8)
    with pytest.raises(ValueError, match="the network expects 4 channels: give a preprocessed float tensor"):
        net.prepare(COLOR)


# preprocessing and back

NORMALIZE = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5, 0.4, 0.3], [0.2, 0.3, 0.4])])


@pytest.mark.parametrize(
    "preprocess",
    [
        None,
        NORMALIZE,
        Preprocess((3, 6, 8), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        lambda picture: torch.from_numpy(np.array(picture) / 255).permute(2, 0, 1).float(),
    ],
    ids=["default", "torchvision's Compose", "with mean and standard deviation", "a function"],
)
def test_a_picture_comes_back_from_its_tensor_within_one_gray_level(preprocess):
    net = bind(nn.Conv2d(3, 2, 3), input_shape=(3, 6, 8), preprocess=preprocess)
    pixels = net.picture(net.prepare(COLOR))
    assert (pixels.dtype, pixels.shape) == (np.uint8, (6, 8, 3))
    assert np.abs(pixels.astype(int) - COLOR).max() <= 1


def test_a_gray_picture_comes_back_with_three_equal_channels():
    net = gray()
    pixels = net.picture(net.prepare(GRAY)[0])
    assert np.abs(pixels.astype(int) - GRAY[:, :, None]).max() <= 1


@pytest.mark.parametrize("values", [torch.full((3, 6, 8), 0.25), torch.linspace(0, 1, 144).view(3, 6, 8)])
def test_values_within_0_and_1_are_shown_as_they_are_where_the_preprocessing_is_unknown(values):
    net = bind(nn.Conv2d(3, 2, 3), input_shape=(3, 6, 8), preprocess=lambda picture: values)
    assert np.array_equal(net.picture(values), np.round(values.permute(1, 2, 0) * 255))


def test_other_values_are_stretched_to_the_gray_levels():
    net = bind(nn.Conv2d(3, 2, 3), input_shape=(3, 6, 8), preprocess=lambda picture: torch.zeros(3, 6, 8))
    pixels = net.picture(torch.linspace(-7, 9, 144).view(3, 6, 8))
    assert (pixels.min(), pixels.max()) == (0, 255)


@pytest.mark.parametrize("size", [(300, 200), (200, 300), (60, 60), (257, 1000)])
@pytest.mark.parametrize("weights", [models.ResNet18_Weights.IMAGENET1K_V1, models.EfficientNet_B0_Weights.IMAGENET1K_V1])
def test_torchvisions_presets_are_called_as_they_are(weights, size):
    picture = Image.fromarray(RNG.integers(0, 256, (*size, 3), dtype=np.uint8))
    net = bind(nn.Conv2d(3, 2, 3), preprocess=weights.transforms())
    assert torch.equal(net.prepare(picture)[0], weights.transforms()(picture))


def test_torchvisions_presets_come_back_within_one_gray_level():
    weights = models.ResNet18_Weights.IMAGENET1K_V1
    picture = Image.fromarray(RNG.integers(0, 256, (256, 256, 3), dtype=np.uint8))
    net = bind(cheap(models.resnet18), preprocess=weights.transforms())
    assert net.input_shape == (3, 224, 224)
    cropped = np.asarray(picture)[16:240, 16:240]
    assert np.abs(net.picture(net.prepare(picture)).astype(int) - cropped).max() <= 1


@pytest.mark.parametrize("size", [(256, 256), (256, 320), (400, 256)])
def test_our_own_resize_and_crop_is_torchvisions(size):
    """A picture whose shorter side is the wanted one already: the crop alone is left to compare."""
    picture = Image.fromarray(RNG.integers(0, 256, (*size, 3), dtype=np.uint8))
    theirs = models.ResNet18_Weights.IMAGENET1K_V1.transforms()
    ours = Preprocess((3, 224, 224), tuple(theirs.mean), tuple(theirs.std), resize=256)
    torch.testing.assert_close(ours(picture), theirs(picture), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("gives", "sentence"),
    [
        (lambda picture: np.zeros((3, 6, 8)), "preprocess gave ndarray; the network expects 3×6×8"),
        (lambda picture: torch.zeros(3, 5, 8), "preprocess gave a float32 tensor 3×5×8; the network expects 3×6×8"),
    ],
)
def test_a_preprocessing_that_gives_something_else_is_refused(gives, sentence):
    with pytest.raises(ValueError, match=sentence):
        bind(nn.Conv2d(3, 2, 3), input_shape=(3, 6, 8), preprocess=gives).prepare(COLOR)


def test_a_preprocessing_that_gives_no_tensor_says_what_it_must():
    net = bind(nn.Conv2d(3, 2, 3), preprocess=lambda picture: picture)
    with pytest.raises(ValueError, match=r"preprocess must turn a PIL picture into a tensor \(C, H, W\)"):
        net.prepare(COLOR)


def test_a_gray_networks_preprocessing_is_shown_gray_pictures():
    preprocess = v2.Compose(
        [v2.Resize((28, 28)), v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.1], [0.3])]
    )
    net = bind(nn.Conv2d(1, 2, 3), preprocess=preprocess)
    assert net.input_shape == (1, 28, 28)
    assert net.prepare(COLOR).shape == (1, 1, 28, 28)


# depth


@pytest.mark.parametrize("resize", [None, 12])
@pytest.mark.parametrize("channels", [1, 3])
def test_16_bits_are_resized_in_full_depth(resize, channels):
    """A picture of twice the size, of blocks of two by two: between its levels a resized one has many more than 256."""
    values = np.linspace(1000, 1400, 24 * 32).reshape(24, 32).astype(np.uint16)
    values = values if channels == 1 else np.dstack([values, values + 100, values + 200])
    found = Preprocess((channels, 6, 8), resize=resize)(Image.fromarray(values) if channels == 1 else values)
    scale = 4 if resize is None else 2
    wanted = torch.from_numpy(values.astype(np.float32)).reshape(24, 32, channels).permute(2, 0, 1)[None] / 65535
    whole = torch.nn.functional.interpolate(wanted, scale_factor=1 / scale, mode="bilinear", antialias=True)[0]
    top, left = (whole.shape[1] - 6) // 2, (whole.shape[2] - 8) // 2
    torch.testing.assert_close(found, whole[:, top : top + 6, left : left + 8], rtol=0, atol=1e-7)


def test_a_gray_network_gets_the_luma_of_deep_colors():
    colors = RNG.integers(0, 65536, (6, 8, 3)).astype(np.uint16)
    luma = (colors / 65535 * [0.299, 0.587, 0.114]).sum(2)
    np.testing.assert_allclose(gray().prepare(colors)[0, 0], luma, atol=1e-6)


def test_transparency_of_deep_colors_is_laid_over_white():
    colors = RNG.random((6, 8, 4)).astype(np.float32)
    over_white = colors[..., :3] * colors[..., 3:] + 1 - colors[..., 3:]
    found = bind(nn.Conv2d(3, 2, 3), input_shape=(3, 6, 8)).prepare(colors)[0]
    np.testing.assert_allclose(found.permute(1, 2, 0), over_white, atol=1e-6)


@pytest.mark.parametrize("size", [(20_000, 100), (100, 20_000), (65_000, 1)], ids=["wide", "tall", "a line"])
def test_a_panorama_is_cropped_without_being_enlarged_as_a_whole(size):
    """Of the last one the whole enlarged picture would have 4 billion pixels."""
    middle = Image.new("RGB", size, (51, 102, 153))
    found = Preprocess((3, 224, 224), resize=256)(middle)
    assert torch.equal(found, torch.tensor([0.2, 0.4, 0.6])[:, None, None].expand(3, 224, 224))


@pytest.mark.parametrize("size", [(300, 200), (200, 301), (97, 411), (1000, 640)])
def test_a_crop_is_that_of_the_picture_resized_as_a_whole(size):
    picture = Image.fromarray(RNG.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    scale = 128 / min(size)
    whole = picture.resize((round(size[0] * scale), round(size[1] * scale)), Image.Resampling.BILINEAR)
    left, top = (whole.width - 112) // 2, (whole.height - 112) // 2
    wanted = np.asarray(whole.crop((left, top, left + 112, top + 112)), int)
    found = (Preprocess((3, 112, 112), resize=128)(picture) * 255).permute(1, 2, 0)
    assert np.abs(found.numpy() - wanted).max() < 1.01


# what is shown


def test_a_picture_that_uses_a_small_part_of_its_range_is_stretched_to_be_shown_and_that_is_said():
    notes: list[str] = []
    inputs = gray().prepare(XRAY, notes=notes)
    np.testing.assert_allclose(inputs[0, 0], XRAY / 65535, atol=1e-7)  # not for the network
    low, high = float(XRAY.min()), float(XRAY.max())
    stretched = (XRAY - low) / (high - low) * 255
    np.testing.assert_allclose(gray().picture(inputs)[..., 0], stretched, atol=0.51)
    assert notes == [
        f"the picture's values run from {low / 65535:.3g} to {high / 65535:.3g}, where 0 is black and 1 is white: "
        "they are stretched to be shown, and the network gets them as they are"
    ]


@pytest.mark.parametrize("given", [GRAY, GRAY.astype(np.uint16) * 257, GRAY / 255], ids=["8 bits", "16 bits", "floats"])
def test_an_ordinary_picture_is_neither_stretched_nor_spoken_of(given):
    notes: list[str] = []
    inputs = gray().prepare(given, notes=notes)
    assert notes == [] and np.abs(gray().picture(inputs)[..., 0].astype(int) - GRAY).max() <= 1


@pytest.mark.parametrize("level", [0, 51, 255])
def test_a_picture_of_one_level_is_shown_as_it_is(level):
    assert (gray().picture(gray().prepare(np.full((6, 8), level, np.uint8))) == level).all()


def test_a_part_of_a_picture_is_shown_on_the_scale_of_the_whole():
    net = gray()
    inputs = net.prepare(XRAY)
    mean = inputs.mean().expand(1, 1, 6, 8)
    low, high = inputs.min(), inputs.max()
    expected = float((inputs.mean() - low) / (high - low) * 255)
    assert np.abs(net.picture(mean, like=inputs).astype(float) - expected).max() <= 0.51


def test_values_far_beyond_what_a_known_preprocessing_makes_are_stretched_and_that_is_said():
    net = bind(nn.Conv2d(1, 2, 3), input_shape=(1, 6, 8), preprocess=v2.Normalize([0.5], [0.5]))
    hounsfield, notes = torch.linspace(-1000, 3000, 48).view(1, 6, 8), []
    pixels = net.picture(net.prepare(hounsfield, notes=notes))
    assert (pixels.min(), pixels.max()) == (0, 255) and len(np.unique(pixels)) == 48
    assert notes and notes[0].startswith("the picture's values run from -500 to 1.5e+03, where 0 is black and 1 is white")


def test_for_another_network_a_picture_is_not_stretched():
    net = gray()
    np.testing.assert_allclose(net.intensities(net.prepare(XRAY)), np.dstack([XRAY / 65535] * 3), atol=1e-7)
