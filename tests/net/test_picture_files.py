"""Files of pictures that are not of the ordinary kind: deep colors, several frames, very many pixels, damage."""

from __future__ import annotations

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from torch import nn
from torchvision import tv_tensors
from torchvision.transforms import v2

from cnnwidgets.net import bind
from cnnwidgets.net.pictures import open_picture

RNG = np.random.default_rng(0)
COLOR = RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (6, 8, 4)).astype(np.uint16)


def network(channels: int = 3, size=(6, 8), **options):
    return bind(nn.Conv2d(channels, 2, 3), input_shape=(channels, *size), **options)


def png_of_16_bits(values: np.ndarray, orientation: int = 1) -> bytes:
    """A PNG file, written by the standard: Pillow writes none with colors of 16 bits."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, channels = values.shape
    exif = Image.Exif()
    exif[0x0112] = orientation
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    parts = [
        chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)),
        chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")),
        chunk(b"IDAT", zlib.compress(rows)),
        chunk(b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(values: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


def saved(picture: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


# colors of 16 bits

OF_DEEP_COLORS = {
    "PNG": lambda: png_of_16_bits(DEEP[..., :3]),
    "TIFF": lambda: tiff(DEEP[..., :3], photometric="rgb"),
    "TIFF of the other byte order": lambda: tiff(DEEP[..., :3], photometric="rgb", byteorder=">"),
    "compressed TIFF": lambda: tiff(DEEP[..., :3], photometric="rgb", compression="zlib"),
}


@pytest.mark.parametrize("kind", OF_DEEP_COLORS)
def test_colors_of_16_bits_keep_their_depth(kind):
    notes: list[str] = []
    found = network().prepare(OF_DEEP_COLORS[kind](), notes=notes)[0]
    np.testing.assert_allclose(found.permute(1, 2, 0), DEEP[..., :3] / 65535, atol=1e-6)
    assert notes == []


@pytest.mark.parametrize("channels", [2, 4])
def test_transparency_of_16_bits_is_laid_over_white(channels):
    values = DEEP[..., -channels:]
    alpha = values[..., -1:] / 65535
    over_white = np.broadcast_to(values[..., :-1] / 65535 * alpha + 1 - alpha, (6, 8, 3))
    np.testing.assert_allclose(network().prepare(png_of_16_bits(values))[0].permute(1, 2, 0), over_white, atol=1e-6)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_colors_of_16_bits_are_turned_as_pillow_turns_those_of_8(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = np.asarray(open_picture(saved(Image.fromarray((DEEP[..., :3] >> 8).astype(np.uint8)), "PNG", exif=exif)))
    found = open_picture(png_of_16_bits(DEEP[..., :3], orientation), deep_colors=True)
    assert np.array_equal(found >> 8, turned)


def test_a_users_preprocessing_gets_pillows_picture_and_what_is_lost_is_said():
    scaled = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
    data, notes = png_of_16_bits(DEEP[..., :3]), []
    found = network(preprocess=scaled).prepare(data, notes=notes)[0]
    assert torch.equal(found, scaled(Image.open(io.BytesIO(data))))
    assert notes == [f"the file of {len(data):,} bytes has colors of 16 bits, of which Pillow keeps 8"]


# frames


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP"])
def test_of_several_frames_the_first_is_taken_and_that_is_said(kind, tmp_path):
    frames = [Image.new("RGB", (8, 6), color) for color in ("red", "lime", "blue")]
    path = tmp_path / f"a.{kind.lower()}"
    frames[0].save(path, kind, save_all=True, append_images=frames[1:], **({"lossless": True} if kind == "WEBP" else {}))
    notes: list[str] = []
    found = network().prepare(str(path), notes=notes)[0]
    assert torch.equal(found.mean((1, 2)), torch.tensor([1.0, 0, 0]))
    assert notes == [f"{str(path)!r} has 3 frames: the first was taken"]


def test_the_frame_at_which_a_pil_picture_stands_is_the_users_choice(tmp_path):
    frames = [Image.new("RGB", (8, 6), color) for color in ("red", "lime")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with Image.open(tmp_path / "a.gif") as animated:
        animated.seek(1)
        notes: list[str] = []
        assert torch.equal(network().prepare(animated, notes=notes)[0].mean((1, 2)), torch.tensor([0, 1.0, 0]))
        assert animated.tell() == 1 and notes == []


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "PNG"])
@pytest.mark.parametrize("notes", [None, []])
def test_damage_behind_the_first_frame_does_not_matter(kind, notes):
    frames = [Image.fromarray(RNG.integers(0, 256, (60, 60, 3), dtype=np.uint8)) for _ in range(4)]
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of the damage
        for share in (0.4, 0.6, 0.9):
            assert network(3, (60, 60)).prepare(data[: int(len(data) * share)], notes=notes).shape == (1, 3, 60, 60)


def test_one_frame_is_not_spoken_of():
    notes: list[str] = []
    network().prepare(saved(Image.fromarray(COLOR), "GIF"), notes=notes)
    assert notes == []


# many pixels


def test_a_picture_of_99_megapixels_opens(tmp_path):
    path = tmp_path / "a.png"
    Image.new("1", (11_000, 9_000), 1).save(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = network(1, (9, 11)).prepare(path)
    assert torch.equal(found, torch.ones(1, 1, 9, 11))


def test_beyond_pillows_limit_a_sentence_names_the_way_out(monkeypatch):
    data = saved(Image.fromarray(COLOR), "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 23)  # twice that is less than 48
    with pytest.raises(ValueError) as caught:
        network().prepare(data)
    assert str(caught.value).startswith(
        f"the file of {len(data):,} bytes is larger than Pillow opens: Image size (48 pixels)"
    )
    assert str(caught.value).endswith("If you trust the file, set PIL.Image.MAX_IMAGE_PIXELS = None")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert network().prepare(data).shape == (1, 3, 6, 8)


# arrays and tensors of all kinds


class OwnPicture(Image.Image):
    """A subclass, as a library of its own kind of files makes it."""


def own_picture() -> Image.Image:
    picture = OwnPicture()
    plain = Image.fromarray(COLOR)
    picture.im, picture._mode, picture._size = plain.im, plain.mode, plain.size
    return picture


OF_COLOR = {
    "a subclass of PIL's": own_picture,
    "a tv_tensor of uint8": lambda: tv_tensors.Image(COLOR.transpose(2, 0, 1)),
    "a tv_tensor of floats": lambda: tv_tensors.Image(torch.from_numpy(COLOR.transpose(2, 0, 1) / 255)),
    "a uint16 tensor": lambda: torch.from_numpy(COLOR.transpose(2, 0, 1).astype(np.uint16) * 257),
    "half floats": lambda: (COLOR / 255).astype(np.float16),
    "long doubles": lambda: (COLOR / 255).astype(np.longdouble),
    "a parameter": lambda: nn.Parameter(torch.from_numpy(COLOR.transpose(2, 0, 1) / 255)),
    "a masked array": lambda: np.ma.masked_array(COLOR, COLOR < 0),
}


@pytest.mark.parametrize("kind", OF_COLOR)
def test_pictures_of_less_usual_types_give_their_pixels(kind):
    found = network().prepare(OF_COLOR[kind]())
    assert type(found) is torch.Tensor and not found.requires_grad and found.dtype == torch.float32
    np.testing.assert_allclose(found[0].permute(1, 2, 0), COLOR / 255, atol=1e-3 if kind == "half floats" else 1e-6)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16])
def test_a_gray_tensor_needs_no_channel(dtype):
    values = COLOR[..., 0].astype(np.uint16) * (257 if dtype == torch.uint16 else 1)
    found = network(1).prepare(torch.from_numpy(values).to(dtype))
    np.testing.assert_allclose(found[0, 0], COLOR[..., 0] / 255, atol=1e-6)


REFUSED = {
    "objects": (np.array([[None, 1]]), r"an array of object is not a picture; expected uint8, uint16, or floats in"),
    "dates": (np.array([["2024-01-01"]], "M8[D]"), r"an array of datetime64\[D\] is not a picture"),
    "int16 without a preprocessing": (COLOR[..., 0].astype(np.int16), r"an array of int16 is not a picture.*preprocess="),
    "int32 tensor": (torch.zeros(3, 6, 8, dtype=torch.int32), r"an array of int32 is not a picture"),
    "channels first": (COLOR.transpose(2, 0, 1), r"an array \(3, 6, 8\) is not a picture.* channels last"),
    "two channels": (COLOR[..., :2], r"an array \(6, 8, 2\) is not a picture"),
    "no rows": (np.zeros((0, 8), np.uint16), r"an array \(0, 8\) is not a picture"),
    "no columns": (Image.new("I;16", (0, 5)), r"the picture is empty: 0 pixels wide, 5 high"),
    "negative 16 bits": (
        Image.fromarray(np.full((6, 8), -5, np.int32)),
        r"values run from -5 to -5; expected 8 or 16 bits: bind with a preprocess= that scales them",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_does_not_say_its_white_or_its_channels_is_refused(kind):
    given, sentence = REFUSED[kind]
    with pytest.raises(ValueError, match=sentence):
        network().prepare(given)


def test_a_file_that_was_opened_and_turns_out_damaged_is_a_sentence():
    data = saved(Image.fromarray(RNG.integers(0, 256, (90, 90, 3), dtype=np.uint8)), "PNG")
    with pytest.raises(ValueError, match="the picture cannot be read: "):
        network().prepare(Image.open(io.BytesIO(data[: len(data) // 2])))
