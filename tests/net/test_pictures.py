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
from torchvision import models
from torchvision.transforms import v2

from cnnwidgets.net import bind
from cnnwidgets.net.pictures import check_finite, open_picture
from cnnwidgets.net.preprocess import Preprocess
from tests.net.networks import cheap

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
def test_every_kind_of_colour_picture_gives_its_pixels(kind, tmp_path):
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


def test_a_colour_picture_for_a_gray_network_is_its_luma():
    luma = (COLOR * [0.299, 0.587, 0.114]).sum(2) / 255  # ITU-R 601-2
    np.testing.assert_allclose(gray().prepare(COLOR)[0, 0], luma, atol=1 / 255)


def test_transparency_is_laid_over_white():
    alpha = RNG.integers(0, 256, (6, 8), dtype=np.uint8)
    over_white = COLOR * (alpha[:, :, None] / 255) + 255 * (1 - alpha[:, :, None] / 255)
    np.testing.assert_allclose(open_picture(np.dstack([COLOR, alpha])), over_white, atol=1)
    np.testing.assert_allclose(open_picture(Image.fromarray(np.dstack([COLOR, alpha]))), over_white, atol=1)


def test_a_palettes_transparent_colour_is_white(tmp_path):
    palette = Image.new("P", (8, 6))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putpixel((2, 1), 1)
    path = saved(palette, tmp_path / "a.gif", transparency=0)
    pixels = np.asarray(open_picture(path))
    assert pixels[1, 2].tolist() == [0, 0, 255]
    assert (np.delete(pixels.reshape(-1, 3), 10, 0) == 255).all()


def test_cmyk_is_shown_as_rgb(tmp_path):
    path = saved(Image.new("CMYK", (8, 6), (0, 255, 255, 0)), tmp_path / "a.jpg")  # magenta and yellow: red
    picture = open_picture(path)
    assert picture.mode == "RGB"
    assert np.abs(np.asarray(picture).astype(int) - [255, 0, 0]).max() < 8


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


def test_16_bits_are_rounded_to_the_nearest_of_8():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    nearest = np.abs(values[..., None] / 257 - np.arange(256)).argmin(-1)
    assert np.array_equal(open_picture(values), nearest)
    assert np.array_equal(open_picture(Image.fromarray(values)), nearest)


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
    "a text": (b"no picture at all", "is no picture that Pillow can read"),
    "an empty file": (b"", "is no picture that Pillow can read"),
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
    with pytest.raises(ValueError, match=r"is a folder: wanted is a picture's file"):
        rgb().prepare(tmp_path)


def test_a_file_can_be_deleted_after_it_was_opened(tmp_path):
    path = saved(Image.fromarray(COLOR), tmp_path / "a.png")
    picture = open_picture(path)
    path.unlink()
    assert np.array_equal(picture, COLOR)


NAN = np.where(np.arange(48).reshape(6, 8) < 2, np.nan, 0.5)

REFUSED = {
    "floats up to 255": (COLOR.astype(float), ValueError, r"floats run from \d+ to \d+: wanted is \[0, 1\]; divide by 255"),
    "negative floats": (COLOR / 255 - 0.5, ValueError, r"floats run from -0\.\d+ to 0\.\d+: wanted is \[0, 1\]"),
    "NaN": (NAN, ValueError, r"the picture has 2 values that are NaN or infinite, of 48"),
    "infinity": (np.where(np.isnan(NAN), np.inf, 0.5), ValueError, r"2 values that are NaN or infinite"),
    "empty array": (COLOR[:0], ValueError, r"an array \(0, 8, 3\) is no picture: wanted is \(H, W\) or \(H, W, 3\)"),
    "channels first": (COLOR.transpose(2, 0, 1), ValueError, r"an array \(3, 6, 8\) is no picture: .* channels last"),
    "batch of arrays": (COLOR[None], ValueError, r"an array \(1, 6, 8, 3\) is no picture"),
    "row of numbers": (COLOR[0, 0], ValueError, r"an array \(3,\) is no picture"),
    "integers": (
        COLOR.astype(np.int64),
        ValueError,
        r"an array of int64 is no picture: wanted is uint8, or floats in \[0, 1\]",
    ),
    "complex numbers": (GRAY * 1j, ValueError, r"an array of complex128 is no picture"),
    "texts": (np.array([["a"]]), ValueError, r"an array of <U1 is no picture"),
    "32-bit picture": (
        Image.fromarray(GRAY.astype(np.int32) * 10**6),
        ValueError,
        r"values run from .*: wanted are 8 or 16",
    ),
    "floating picture": (
        Image.fromarray(GRAY.astype(np.float32)),
        ValueError,
        r"floats run from \d+ to \d+: wanted is \[0, 1\]",
    ),
    "empty picture": (Image.new("RGB", (0, 5)), ValueError, r"the picture is empty: 0 pixels wide, 5 high"),
    "uint8 channels last": (
        torch.from_numpy(COLOR),
        ValueError,
        r"torch.uint8 tensor \(6, 8, 3\) is no picture: .*\(3, H, W\)",
    ),
    "integer tensor": (torch.zeros(3, 6, 8, dtype=torch.int64), ValueError, r"torch.int64 tensor .* wanted is uint8"),
    "boolean tensor": (torch.zeros(3, 6, 8, dtype=torch.bool), ValueError, r"torch.bool tensor .* wanted is uint8"),
    "empty uint8 tensor": (torch.zeros(3, 0, 8, dtype=torch.uint8), ValueError, r"is no picture|is empty"),
    "other size": (
        torch.zeros(3, 5, 8),
        ValueError,
        r"the picture is a float32 tensor 3×5×8, the network takes 3×6×8: give a path, a PIL picture or an array, which are "
        r"resized, or bind with input_shape=",
    ),
    "other channels": (torch.zeros(2, 1, 6, 8), ValueError, r"a float32 tensor 2×1×6×8, the network takes 3×6×8"),
    "flat tensor": (torch.zeros(6, 8), ValueError, r"a float32 tensor 6×8 is no picture: wanted is a path, a PIL picture"),
    "empty tensor": (torch.zeros(0, 3, 6, 8), ValueError, r"a float32 tensor 0×3×6×8 is no picture"),
    "NaN tensor": (
        torch.full((3, 6, 8), torch.nan),
        ValueError,
        r"the picture has 144 values that are NaN or infinite, of 144",
    ),
    "empty list": ([], ValueError, r"no picture was given: the list is empty"),
    "list with one that is wrong": ([COLOR, None], TypeError, r"NoneType is no picture"),
    "nothing": (None, TypeError, r"NoneType is no picture: wanted is a path, a PIL picture"),
    "number": (7, TypeError, r"int is no picture"),
    "bytes of something else": (b"GIF89a", ValueError, r"the file of 6 bytes is no picture that Pillow can read"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_picture_is_refused_with_what_was_given_and_what_is_wanted(kind):
    given, error, sentence = REFUSED[kind]
    net = rgb()
    with pytest.raises(error, match=sentence):
        net.prepare(given)
    assert net.prepare(COLOR).shape == (1, 3, 6, 8)  # the next valid input works


def test_a_network_of_four_channels_takes_tensors_alone():
    net = bind(nn.Conv2d(4, 2, 3), input_shape=(4, 6, 8))
    assert net.prepare(torch.zeros(4, 6, 8)).shape == (1, 4, 6, 8)
    with pytest.raises(ValueError, match="the network takes 4 channels: give a preprocessed float tensor"):
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
def test_a_picture_comes_back_from_its_tensor_within_one_grey_level(preprocess):
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


def test_other_values_are_stretched_to_the_grey_levels():
    net = bind(nn.Conv2d(3, 2, 3), input_shape=(3, 6, 8), preprocess=lambda picture: torch.zeros(3, 6, 8))
    pixels = net.picture(torch.linspace(-7, 9, 144).view(3, 6, 8))
    assert (pixels.min(), pixels.max()) == (0, 255)


@pytest.mark.parametrize("size", [(300, 200), (200, 300), (60, 60), (257, 1000)])
@pytest.mark.parametrize("weights", [models.ResNet18_Weights.IMAGENET1K_V1, models.EfficientNet_B0_Weights.IMAGENET1K_V1])
def test_torchvisions_presets_are_called_as_they_are(weights, size):
    picture = Image.fromarray(RNG.integers(0, 256, (*size, 3), dtype=np.uint8))
    net = bind(nn.Conv2d(3, 2, 3), preprocess=weights.transforms())
    assert torch.equal(net.prepare(picture)[0], weights.transforms()(picture))


def test_torchvisions_presets_come_back_within_one_grey_level():
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
        (lambda picture: np.zeros((3, 6, 8)), "preprocess gave ndarray; the network takes 3×6×8"),
        (lambda picture: torch.zeros(3, 5, 8), "preprocess gave a float32 tensor 3×5×8; the network takes 3×6×8"),
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


def test_a_sum_that_overflows_is_no_value_that_is_not_finite():
    large = torch.full((4,), 3e38)
    assert large.sum().isinf()
    check_finite(large, "the picture")
    with pytest.raises(ValueError, match="the picture has 1 values that are NaN or infinite, of 4"):
        check_finite(torch.tensor([torch.inf, -torch.inf, 0, 0])[[0, 2, 3, 3]], "the picture")
    with pytest.raises(ValueError, match="has 2 values"):
        check_finite(torch.tensor([torch.inf, -torch.inf, 0.0]), "the picture")
