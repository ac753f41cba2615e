"""Pictures in and out: each accepted kind gives the pixels that it shows, each refused one a sentence."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from cnnwidgets.net import bind
from cnnwidgets.net.pictures import check_finite, open_picture, plain

RNG = np.random.default_rng(0)
COLOR = RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)
GRAY = RNG.integers(0, 256, (6, 8), dtype=np.uint8)


def rgb():
    """A network that takes 3x6x8, the size of the test picture: nothing is resized."""
    return bind(nn.Conv2d(3, 2, 3), input_shape=(3, 6, 8))


def gray():
    return bind(nn.Conv2d(1, 2, 3), input_shape=(1, 6, 8))


def saved(picture: Image.Image, path: Path, **options) -> Path:
    picture.save(path, **options)
    return path


# every accepted kind of the same picture

COLOR_KINDS = {
    "path": lambda folder: saved(Image.fromarray(COLOR), folder / "a.png"),
    "path as a string": lambda folder: str(saved(Image.fromarray(COLOR), folder / "a.png")),
    "bytes of a file": lambda folder: saved(Image.fromarray(COLOR), folder / "a.png").read_bytes(),
    "PIL picture": lambda folder: Image.fromarray(COLOR),
    "opaque RGBA": lambda folder: Image.fromarray(COLOR).convert("RGBA"),
    "palette": lambda folder: Image.fromarray(COLOR).convert("P", palette=Image.Palette.ADAPTIVE, colors=256),
    "uint8 array": lambda folder: COLOR,
    "uint8 array with opaque alpha": lambda folder: np.dstack([COLOR, np.full((6, 8), 255, np.uint8)]),
    "array that is not contiguous": lambda folder: np.ascontiguousarray(COLOR[::-1])[::-1],
    "read-only array": lambda folder: np.asarray(Image.fromarray(COLOR)),
    "float array": lambda folder: COLOR / 255,
    "float32 array": lambda folder: (COLOR / 255).astype(np.float32),
    "float array of the other byte order": lambda folder: (COLOR / 255).astype(">f4"),
    "read-only float array": lambda folder: np.broadcast_to(COLOR / 255, (6, 8, 3)),
    "uint16 array": lambda folder: COLOR.astype(np.uint16) * 257,
    "uint8 tensor": lambda folder: torch.from_numpy(COLOR).permute(2, 0, 1),
    "item of a data set": lambda folder: (Image.fromarray(COLOR), 3),
    "item of a data set with a tensor label": lambda folder: (COLOR, torch.tensor(3)),
    "preprocessed tensor": lambda folder: torch.from_numpy(COLOR / 255).permute(2, 0, 1),
    "preprocessed batch": lambda folder: torch.from_numpy(COLOR / 255).permute(2, 0, 1)[None],
    "preprocessed item of a data set": lambda folder: (torch.from_numpy(COLOR / 255).permute(2, 0, 1), 3),
    "list": lambda folder: [COLOR],
}


@pytest.mark.parametrize("kind", COLOR_KINDS)
def test_every_kind_of_color_picture_gives_its_pixels(kind, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = rgb().prepare(COLOR_KINDS[kind](tmp_path))
    assert (tensor.shape, tensor.dtype) == ((1, 3, 6, 8), torch.float32)
    np.testing.assert_allclose(tensor[0].permute(1, 2, 0), COLOR / 255, atol=1e-6)


GRAY_KINDS = {
    "L": lambda folder: Image.fromarray(GRAY),
    "16-bit PNG": lambda folder: saved(Image.fromarray(GRAY.astype(np.uint16) * 257), folder / "a.png"),
    "I": lambda folder: Image.fromarray(GRAY.astype(np.int32) * 257),
    "F": lambda folder: Image.fromarray((GRAY / 255).astype(np.float32)),
    "TIFF of floats": lambda folder: saved(Image.fromarray((GRAY / 255).astype(np.float32)), folder / "a.tiff"),
    "array": lambda folder: GRAY,
    "array (H, W, 1)": lambda folder: GRAY[:, :, None],
    "float array": lambda folder: GRAY / 255,
    "uint8 tensor": lambda folder: torch.from_numpy(GRAY)[None],
}


@pytest.mark.parametrize("kind", GRAY_KINDS)
@pytest.mark.parametrize("net", [rgb, gray])
def test_every_kind_of_gray_picture_gives_its_pixels(kind, net, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = net().prepare(GRAY_KINDS[kind](tmp_path))[0]
    for channel in tensor:
        np.testing.assert_allclose(channel, GRAY / 255, atol=1e-6)


def test_black_and_white_is_0_and_255():
    assert np.array_equal(open_picture(GRAY > 128), np.where(GRAY > 128, 255, 0))
    assert np.array_equal(open_picture(Image.fromarray(GRAY > 128)), np.where(GRAY > 128, 255, 0))


def test_a_color_picture_for_a_gray_network_is_its_luma():
    luma = (COLOR * [0.299, 0.587, 0.114]).sum(2) / 255  # ITU-R 601-2
    np.testing.assert_allclose(gray().prepare(COLOR)[0, 0], luma, atol=1 / 255)


def test_transparency_is_laid_over_white():
    alpha = RNG.integers(0, 256, (6, 8), dtype=np.uint8)
    over_white = COLOR * (alpha[:, :, None] / 255) + 255 * (1 - alpha[:, :, None] / 255)
    np.testing.assert_allclose(rgb().prepare(np.dstack([COLOR, alpha]))[0].permute(1, 2, 0), over_white / 255, atol=1 / 255)
    picture = open_picture(Image.fromarray(np.dstack([COLOR, alpha])))
    assert np.array_equal(picture, np.dstack([COLOR, alpha]))
    np.testing.assert_allclose(plain(picture, "RGB"), over_white, atol=1)


def test_a_palettes_transparent_color_is_white(tmp_path):
    palette = Image.new("P", (8, 6))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putpixel((2, 1), 1)
    path = saved(palette, tmp_path / "a.gif", transparency=0)
    pixels = np.asarray(plain(open_picture(path), "RGB"))
    assert pixels[1, 2].tolist() == [0, 0, 255]
    assert (np.delete(pixels.reshape(-1, 3), 10, 0) == 255).all()


def test_cmyk_is_shown_as_rgb(tmp_path):
    path = saved(Image.new("CMYK", (8, 6), (0, 255, 255, 0)), tmp_path / "a.jpg")  # magenta and yellow: red
    assert np.abs(np.asarray(plain(open_picture(path), "RGB")).astype(int) - [255, 0, 0]).max() < 8
    assert (rgb().prepare(path)[0].mean((1, 2)) - torch.tensor([1.0, 0, 0])).abs().max() < 8 / 255


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [(1, lambda a: a), (2, np.fliplr), (3, lambda a: np.rot90(a, 2)), (6, lambda a: np.rot90(a, -1))],
)
def test_the_rotation_in_exif_is_applied(orientation, turn, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(Image.fromarray(COLOR), tmp_path / "a.png", exif=exif)
    assert np.array_equal(open_picture(path), turn(COLOR))
    with Image.open(path) as picture:
        assert np.array_equal(open_picture(picture), turn(COLOR))


def test_16_bits_are_rounded_to_the_nearest_of_8_in_a_copy():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    nearest = np.abs(values[..., None] / 257 - np.arange(256)).argmin(-1)
    assert np.array_equal(plain(open_picture(values), "L"), nearest)
    assert np.array_equal(plain(open_picture(np.dstack([values] * 3)), "RGB"), np.dstack([nearest] * 3))


def test_a_list_is_a_batch_in_its_order():
    batch = rgb().prepare([COLOR, Image.fromarray(COLOR[::-1].copy()), torch.zeros(3, 6, 8)])
    assert batch.shape == (3, 3, 6, 8)
    assert torch.equal(batch[0], batch[1].flip(1)) and batch[2].sum() == 0


@pytest.mark.parametrize("kind", ["uint8 array", "float32 array", "preprocessed tensor", "uint8 tensor", "PIL picture"])
def test_the_input_tensor_is_no_view_of_what_was_given(kind, tmp_path):
    given = COLOR_KINDS[kind](tmp_path)
    before = np.array(given)
    rgb().prepare(given).fill_(0.5)
    assert np.array_equal(np.array(given), before)


def test_a_picture_of_another_size_is_resized_to_the_input():
    tensor = rgb().prepare(np.full((50, 30, 3), 51, np.uint8))
    assert torch.equal(tensor, torch.full((1, 3, 6, 8), 0.2))


# refusals

WRONG_FILES = {
    "a text": (b"no picture at all", "is not a picture that Pillow can read"),
    "an empty file": (b"", "is not a picture that Pillow can read"),
    "half a picture": (None, "cannot be read as a picture: "),
}


@pytest.mark.parametrize("kind", WRONG_FILES)
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_file_that_is_no_picture_is_refused_by_name(kind, suffix, tmp_path):
    content, sentence = WRONG_FILES[kind]
    if content is None:
        whole = io.BytesIO()
        Image.fromarray(RNG.integers(0, 256, (90, 90, 3), dtype=np.uint8)).save(whole, {"jpg": "jpeg"}.get(suffix, suffix))
        content = whole.getvalue()[: len(whole.getvalue()) // 2]
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        rgb().prepare(path)
    assert str(caught.value).startswith(f"'{path}' {sentence}")


def test_a_missing_file_says_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as caught:
        rgb().prepare("cat.jpg")
    assert str(caught.value) == f"there is no file 'cat.jpg' (looked in '{tmp_path}')"


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"is a folder; expected a picture file"):
        rgb().prepare(tmp_path)


def test_a_file_can_be_deleted_after_it_was_opened(tmp_path):
    path = saved(Image.fromarray(COLOR), tmp_path / "a.png")
    picture = open_picture(path)
    path.unlink()
    assert np.array_equal(picture, COLOR)


NAN = np.where(np.arange(48).reshape(6, 8) < 2, np.nan, 0.5)

REFUSED = {
    "floats up to 255": (COLOR.astype(float), ValueError, r"floats run from \d+ to \d+; expected \[0, 1\]: divide by 255"),
    "negative floats": (COLOR / 255 - 0.5, ValueError, r"floats run from -0\.\d+ to 0\.\d+; expected \[0, 1\]"),
    "NaN": (NAN, ValueError, r"2 of the 48 values of the picture are NaN or infinite"),
    "infinity": (np.where(np.isnan(NAN), np.inf, 0.5), ValueError, r"2 of the 48 values of the picture are NaN or infinite"),
    "empty array": (COLOR[:0], ValueError, r"an array \(0, 8, 3\) is not a picture; expected \(H, W\) or \(H, W, 3\)"),
    "channels first": (COLOR.transpose(2, 0, 1), ValueError, r"an array \(3, 6, 8\) is not a picture.* channels last"),
    "batch of arrays": (COLOR[None], ValueError, r"an array \(1, 6, 8, 3\) is not a picture"),
    "row of numbers": (COLOR[0, 0], ValueError, r"an array \(3,\) is not a picture"),
    "integers": (
        COLOR.astype(np.int64),
        ValueError,
        r"an array of int64 is not a picture; expected uint8, or floats in \[0, 1\]",
    ),
    "complex numbers": (GRAY * 1j, ValueError, r"an array of complex128 is not a picture"),
    "texts": (np.array([["a"]]), ValueError, r"an array of <U1 is not a picture"),
    "32-bit picture": (
        Image.fromarray(GRAY.astype(np.int32) * 10**6),
        ValueError,
        r"values run from .*; expected 8 or 16",
    ),
    "floating picture": (
        Image.fromarray(GRAY.astype(np.float32)),
        ValueError,
        r"floats run from \d+ to \d+; expected \[0, 1\]",
    ),
    "empty picture": (Image.new("RGB", (0, 5)), ValueError, r"the picture is empty: 0 pixels wide, 5 high"),
    "uint8 channels last": (
        torch.from_numpy(COLOR),
        ValueError,
        r"torch.uint8 tensor \(6, 8, 3\) is not a picture.*\(3, H, W\)",
    ),
    "integer tensor": (torch.zeros(3, 6, 8, dtype=torch.int64), ValueError, r"torch.int64 tensor .* expected uint8"),
    "boolean tensor": (torch.zeros(3, 6, 8, dtype=torch.bool), ValueError, r"torch.bool tensor .* expected uint8"),
    "empty uint8 tensor": (torch.zeros(3, 0, 8, dtype=torch.uint8), ValueError, r"is not a picture|is empty"),
    "other size": (
        torch.zeros(3, 5, 8),
        ValueError,
        r"the picture is a float32 tensor 3×5×8, the network expects 3×6×8: give a path, a PIL picture or an array, which "
        r"are resized, or bind with input_shape=",
    ),
    "other channels": (torch.zeros(2, 1, 6, 8), ValueError, r"a float32 tensor 2×1×6×8, the network expects 3×6×8"),
    "flat tensor": (torch.zeros(6, 8), ValueError, r"a float32 tensor 6×8 is not a picture; expected a path, a PIL picture"),
    "empty tensor": (torch.zeros(0, 3, 6, 8), ValueError, r"a float32 tensor 0×3×6×8 is not a picture"),
    "NaN tensor": (
        torch.full((3, 6, 8), torch.nan),
        ValueError,
        r"144 of the 144 values of the picture are NaN or infinite",
    ),
    "empty list": ([], ValueError, r"no picture was given: the list is empty"),
    "list with one that is wrong": ([COLOR, None], TypeError, r"NoneType is not a picture"),
    "nothing": (None, TypeError, r"NoneType is not a picture; expected a path, a PIL picture"),
    "number": (7, TypeError, r"int is not a picture"),
    "bytes of something else": (b"GIF89a", ValueError, r"the file of 6 bytes is not a picture that Pillow can read"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_picture_is_refused_with_what_was_given_and_what_is_wanted(kind):
    given, error, sentence = REFUSED[kind]
    net = rgb()
    with pytest.raises(error, match=sentence):
        net.prepare(given)
    assert net.prepare(COLOR).shape == (1, 3, 6, 8)  # the next valid input works


def test_a_sum_that_overflows_is_no_value_that_is_not_finite():
    large = torch.full((4,), 3e38)
    assert large.sum().isinf()
    check_finite(large, "the picture")
    with pytest.raises(ValueError, match="1 of the 4 values of the picture is NaN or infinite"):
        check_finite(torch.tensor([torch.inf, -torch.inf, 0, 0])[[0, 2, 3, 3]], "the picture")
    with pytest.raises(ValueError, match="2 of the 3 values"):
        check_finite(torch.tensor([torch.inf, -torch.inf, 0.0]), "the picture")
