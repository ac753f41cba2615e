"""What a user's own preprocessing is given: the file's own picture, and a copy of 8 bits only where it takes no other."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from torch import nn
from torchvision import models, transforms
from torchvision.transforms import v2

from cnnwidgets.net import bind
from cnnwidgets.net.checks import shape_of_preprocess

RNG = np.random.default_rng(0)
XRAY = RNG.integers(0, 4096, (6, 8)).astype(np.uint16)
RGBA = Image.fromarray(RNG.integers(0, 256, (6, 8, 4), dtype=np.uint8))
SCALED = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])


class Seen:
    """A preprocessing by hand, which remembers what it was given: its values divided by a number."""

    def __init__(self, white: float = 1.0):
        self.white, self.given = white, []

    def __call__(self, picture):
        self.given.append(picture)
        values = torch.from_numpy(np.array(picture, np.float32)) / self.white
        return values[None] if values.ndim == 2 else values.permute(2, 0, 1)

    @property
    def mode(self) -> str:
        return self.given[-1].mode


def network(channels: int, preprocess, size=(6, 8)):
    return bind(nn.Conv2d(channels, 2, 3), preprocess=preprocess, input_shape=(channels, *size))


def file(picture: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(values: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


OF_XRAY = {
    "16-bit PNG": (lambda: file(Image.fromarray(XRAY), "PNG"), "I;16"),
    "16-bit TIFF": (lambda: tiff(XRAY), "I;16"),
    "16-bit TIFF of the other byte order": (lambda: tiff(XRAY, byteorder=">"), "I;16"),
    "signed 16-bit TIFF": (lambda: tiff(XRAY.astype(np.int16) - 1024), "I"),
    "TIFF of floats": (lambda: tiff(XRAY.astype(np.float32) - 1024), "F"),
    "PIL picture of 16 bits": (lambda: Image.fromarray(XRAY), "I;16"),
    "PIL picture of 32 bits": (lambda: Image.fromarray(XRAY.astype(np.int32)), "I"),
    "uint16 array": (lambda: XRAY, "I;16"),
    "uint16 array of the other byte order": (lambda: XRAY.astype(">u2"), "I;16"),
    "int16 array": (lambda: XRAY.astype(np.int16) - 1024, "I"),
    "int64 array": (lambda: XRAY.astype(np.int64), "I"),
    "float array": (lambda: XRAY.astype(np.float64), "F"),
    "int32 tensor": (lambda: torch.from_numpy(XRAY.astype(np.int32)), "I"),
    "uint16 tensor with a channel": (lambda: torch.from_numpy(XRAY)[None], "I;16"),
}


@pytest.mark.parametrize("kind", OF_XRAY)
def test_a_preprocessing_gets_every_bit_of_a_gray_picture(kind):
    make, mode = OF_XRAY[kind]
    preprocess, below = Seen(4095), 1024 * ("signed" in kind or kind in ("int16 array", "TIFF of floats"))
    found = network(1, preprocess).prepare(make())
    assert preprocess.mode == mode
    np.testing.assert_allclose(found[0, 0], (XRAY.astype(float) - below) / 4095, atol=1e-6)


@pytest.mark.parametrize(("mode", "channels"), [("RGBA", 4), ("LA", 2), ("CMYK", 4)])
@pytest.mark.parametrize("kind", ["PIL picture", "TIFF"])
def test_a_preprocessing_gets_all_bands_of_a_picture(mode, channels, kind):
    picture, preprocess = RGBA.convert(mode) if mode != "CMYK" else RGBA.convert("RGB").convert(mode), Seen(255)
    found = network(channels, preprocess).prepare(picture if kind == "PIL picture" else file(picture, "TIFF"))
    assert preprocess.mode == mode
    np.testing.assert_allclose(found[0].permute(1, 2, 0), np.asarray(picture) / 255, atol=1e-6)


def test_a_transparent_palette_is_rgba():
    palette = Image.new("P", (8, 6), 1)
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putpixel((2, 1), 0)
    preprocess = Seen(255)
    found = network(4, preprocess).prepare(file(palette, "PNG", transparency=0))[0]
    assert preprocess.mode == "RGBA"
    assert found[:, 0, 0].tolist() == [0, 0, 1, 1] and found[:, 1, 2].tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("mode", ["LAB", "HSV", "YCbCr", "P", "1"])
@pytest.mark.parametrize("channels", [1, 3])
def test_what_stores_its_colors_otherwise_comes_as_rgb_or_gray(mode, channels):
    if mode == "LAB":
        picture = Image.new("LAB", (8, 6), (128, 128, 128))  # L of a half, no color
        expected = 0.466 * 255  # of CIE L* = 50, as sRGB writes it
    else:
        picture, expected = Image.new("RGB", (8, 6), "white").convert(mode), 255
    preprocess = Seen()
    found = network(channels, preprocess).prepare(picture)
    assert preprocess.mode == ("L" if channels == 1 else "RGB")
    assert (found - expected).abs().max() < 2


@pytest.mark.parametrize("orientation", [3, 6])
@pytest.mark.parametrize("mode", ["I;16", "RGBA", "F"])
def test_the_rotation_in_exif_is_applied_in_every_mode(mode, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = {"I;16": Image.fromarray(XRAY), "RGBA": RGBA, "F": Image.fromarray(XRAY.astype(np.float32))}[mode]
    turn = {3: lambda a: np.rot90(a, 2), 6: lambda a: np.rot90(a, -1)}[orientation]
    preprocess = Seen()
    size = (6, 8) if orientation == 3 else (8, 6)
    network(4 if mode == "RGBA" else 1, preprocess, size).prepare(file(picture, "TIFF", exif=exif))
    assert np.array_equal(preprocess.given[-1], turn(np.asarray(picture)))


def test_what_a_preprocessing_does_to_its_picture_is_not_seen_by_the_user():
    picture, before = RGBA.copy(), np.array(RGBA)

    def paints(given):
        given.paste((0, 0, 0, 0), (0, 0, 8, 6))
        return SCALED(given)

    assert network(4, paints).prepare(picture).sum() == 0
    assert np.array_equal(picture, before)


# where it takes no other than 8 bits


@pytest.mark.parametrize("preset", [models.ResNet18_Weights.IMAGENET1K_V1, models.EfficientNet_B0_Weights.IMAGENET1K_V1])
def test_a_preset_for_rgb_gets_rgba_over_white(preset):
    flat = Image.alpha_composite(Image.new("RGBA", RGBA.size, "white"), RGBA).convert("RGB")
    net, notes = bind(nn.Conv2d(3, 2, 3), preprocess=preset.transforms()), []
    assert torch.equal(net.prepare(RGBA, notes=notes)[0], preset.transforms()(flat))
    assert notes == []  # of 8 bits nothing was lost


def test_a_preset_for_rgb_gets_16_bits_as_a_copy_and_that_is_said():
    preset = models.ResNet18_Weights.IMAGENET1K_V1.transforms()
    net, notes = bind(nn.Conv2d(3, 2, 3), preprocess=preset), []
    copy = Image.fromarray(np.dstack([np.round(XRAY / 257).astype(np.uint8)] * 3))
    assert torch.equal(net.prepare(XRAY, notes=notes)[0], preset(copy))
    assert notes[0].startswith("preprocess was given an 8-bit copy of the picture, and not its own values (RuntimeError: ")


def test_whole_numbers_that_a_preprocessing_makes_are_the_networks_and_that_is_said():
    """torchvision's ToTensor scales 8 bits, and no more."""
    net, notes = network(1, transforms.ToTensor()), []
    assert torch.equal(net.prepare(XRAY, notes=notes)[0, 0], torch.from_numpy(XRAY.astype(np.float32)))
    assert notes == [
        f"preprocess makes whole numbers of the picture, from {XRAY.min()} to {XRAY.max():,}, "
        "and the network gets these as floats"
    ]


def test_colors_of_16_bits_are_given_as_8_for_want_of_a_pillow_picture_and_that_is_said():
    net, notes = network(3, SCALED), []
    net.prepare(np.dstack([XRAY * 16] * 3), notes=notes)
    assert notes == [
        "preprocess was given an 8-bit copy of the picture, and not its own values (Pillow has no colors of 16 bits)"
    ]


def test_a_preprocessing_that_fails_is_the_users_own_error_with_their_line():
    def broken(picture):
        raise LookupError("no such window")

    with pytest.raises(LookupError, match="no such window"):
        network(3, broken).prepare(RGBA)


def test_where_no_copy_can_be_made_both_reasons_are_told():
    def broken(picture):
        raise LookupError("no such window")

    sentence = r"takes no such picture \(LookupError: no such window\), and the picture's floats run from"
    with pytest.raises(ValueError, match=sentence):
        network(1, broken).prepare(XRAY.astype(np.float32))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_a_preprocessing_makes_must_be_finite(value):
    values = XRAY.astype(np.float32)
    values[2, 3] = value
    with pytest.raises(ValueError, match="1 of the 48 values of what preprocess gave is NaN or infinite"):
        network(1, Seen()).prepare(values)
    cleaned = network(1, lambda picture: Seen()(picture).nan_to_num(0, 0))
    assert cleaned.prepare(values)[0, 0, 2, 3] == 0


# other channels


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, ">i2"])
@pytest.mark.parametrize("channels", [2, 4, 5, 12])
def test_any_number_of_channels_is_taken_with_a_preprocessing_for_them(channels, dtype):
    values = RNG.integers(0, 200, (9, 7, channels)).astype(dtype)
    net = bind(nn.Conv2d(channels, 2, 3), preprocess=Seen(10_000))
    found = net.prepare(values)[0]
    np.testing.assert_allclose(found.permute(1, 2, 0), values.astype(float) / 10_000, atol=1e-7)
    assert net.input_shape == (channels, 9, 7)


def test_a_network_of_four_channels_gets_an_opaque_picture_of_three():
    found = network(4, SCALED).prepare(RGBA.convert("RGB"))[0]
    assert torch.equal(found[:3], SCALED(RGBA.convert("RGB"))) and (found[3] == 1).all()


def test_a_preprocessing_may_make_the_channels_itself():
    def with_edges(picture):
        values = SCALED(picture)
        return torch.cat([values, values.diff(dim=1, prepend=values[:, :1]).mean(0, keepdim=True), values[:1]])

    net = bind(nn.Conv2d(5, 2, 3), preprocess=v2.Compose([v2.Resize((6, 8)), with_edges]))
    assert net.input_shape == (5, 6, 8)
    assert torch.equal(net.prepare(RGBA.convert("RGB"))[0, :3], SCALED(RGBA.convert("RGB")))


def test_channels_that_a_preprocessing_does_not_make_are_refused():
    with pytest.raises(ValueError, match="preprocess gave a float32 tensor 3×6×8; the network expects 5×6×8"):
        network(5, SCALED).prepare(RGBA.convert("RGB"))
    with pytest.raises(ValueError, match=r"an array \(3, 6, 8\) is not a picture; expected .* channels last"):
        network(3, SCALED).prepare(np.zeros((3, 6, 8), np.uint8))


# what it makes of any picture


@pytest.mark.parametrize(
    ("preprocess", "channels", "shape"),
    [
        (v2.Compose([v2.Resize((6, 8)), SCALED]), 3, (3, 6, 8)),
        (v2.Compose([v2.CenterCrop(32), SCALED]), 1, (1, 32, 32)),
        (v2.Compose([v2.Resize((6, 8)), SCALED]), 4, (4, 6, 8)),
        (v2.Compose([v2.Resize((6, 8)), SCALED]), None, (3, 6, 8)),
        (SCALED, 3, None),  # as large as the picture
        (v2.Compose([v2.Resize(32), SCALED]), 3, None),  # the shorter side alone
    ],
)
def test_a_preprocessing_tells_the_shape_if_it_is_the_same_for_every_picture(preprocess, channels, shape):
    assert shape_of_preprocess(preprocess, channels) == shape


def test_a_preprocessing_for_16_bits_alone_tells_its_shape():
    def of_16_bits(picture):
        assert picture.mode == "I;16"
        return Seen(4095)(picture.resize((8, 6)))

    assert bind(nn.Conv2d(1, 2, 3), preprocess=of_16_bits).input_shape == (1, 6, 8)


def test_a_preprocessing_that_makes_three_channels_of_gray_alone_tells_its_shape():
    def of_gray(picture):
        values = torch.from_numpy(np.array(picture.resize((8, 6)), np.float32))
        assert values.ndim == 2
        return (values / 4095).expand(3, -1, -1)

    net = bind(nn.Conv2d(3, 2, 3), preprocess=of_gray)
    assert net.input_shape == (3, 6, 8)
    assert torch.equal(net.prepare(XRAY)[0], of_gray(Image.fromarray(XRAY)))


def test_a_preprocessing_that_cannot_be_tried_is_not_asked_before_the_first_picture():
    def of_one_kind(picture):
        assert picture.size == (8, 6) and picture.mode == "I;16"
        return Seen(4095)(picture)

    net = bind(nn.Conv2d(1, 2, 3).eval(), preprocess=of_one_kind)
    assert torch.equal(net.prepare(XRAY)[0, 0], torch.from_numpy(XRAY.astype(np.float32)) / 4095)
    assert net.input_shape == (1, 6, 8)
