"""Pictures in: whatever a user has at hand is opened, and nothing of it is lost on the way."""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from cnnwidgets.net.deep_colors import has_deep_colors, read_deep_colors
from cnnwidgets.net.layers import format_shape

WANTED = (
    "a path, a PIL picture, an array (H, W) or (H, W, 3) of uint8, uint16 or floats in [0, 1], "
    "or a preprocessed float tensor (C, H, W)"
)

Opened: TypeAlias = "Image.Image | np.ndarray"
"""A Pillow picture of mode L, LA, RGB, RGBA, CMYK, I;16, I or F; or an array (H, W) or (H, W, C) that is none of these."""

PLAIN = ("L", "RGB")
"""Modes of which an 8-bit copy has everything."""

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""What red, green and blue weigh in a gray picture (ITU-R 601-2), here as in Pillow."""


def open_picture(source: Any, notes: list[str] | None = None, *, deep_colors: bool = False) -> Opened:
    """The picture of a path, a file's bytes, a PIL picture, an array, or a tensor of whole numbers (C, H, W), as it is.

    Its depth, its sign and its transparency stay. EXIF rotation is applied, a palette gives way to its colors, and colors
    that are stored as LAB, HSV or YCbCr become RGB. What is given stays as it was.

    Parameters:
        notes: a list that takes sentences on what is not seen in the picture: that its file has others, too, say.
        deep_colors: whether a file with colors of 16 bits gives an array of these, and not Pillow's picture of 8.

    Raises:
        FileNotFoundError: there is no file at the path.
        ValueError: the file or the array is not a picture; the message says what was given and what is expected.
        TypeError: something else was given.
    """
    match source:
        case str() | Path():
            return _from_file(Path(source), notes, deep_colors)
        case bytes():
            return _decode(io.BytesIO(source), f"the file of {len(source):,} bytes", notes, deep_colors)
        case Image.Image():
            return _from_pillow(source)
        case torch.Tensor():
            return _from_array(_from_tensor(source))
        case np.ndarray():
            return _from_array(source)
    raise TypeError(f"{type(source).__name__} is not a picture; expected {WANTED}")


def as_pillow(picture: Opened) -> Opened:
    """The same values as a Pillow picture, where Pillow has a mode for them."""
    if isinstance(picture, Image.Image) or picture.ndim == 3:
        return picture
    whole = picture.astype(np.int32)
    return Image.fromarray(whole) if np.array_equal(whole, picture) else picture


def is_deep(picture: Opened) -> bool:
    """Whether the picture has more than 8 bits a value."""
    return isinstance(picture, np.ndarray) or picture.mode.startswith(("I", "F"))


def plain(picture: Opened, mode: str) -> Image.Image:
    """An 8-bit copy of mode ``"L"`` or ``"RGB"``: transparency is laid over white, 16 bits and floats are rounded.

    Raises:
        ValueError: as :func:`intensities`.
    """
    if isinstance(picture, np.ndarray) or is_deep(picture):
        pixels = (intensities(picture, 1 if mode == "L" else 3) * 255).round().astype(np.uint8)
        picture = Image.fromarray(pixels[0] if mode == "L" else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    elif picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return picture if picture.mode == mode else picture.convert(mode)


def intensities(picture: Opened, channels: int) -> np.ndarray:
    """float32 (channels, H, W) in [0, 1], in full depth: 65,535 is the white of 16 bits, 1 that of floats.

    Parameters:
        channels: 1 or 3. Of colors the one is their luma; transparency is laid over white.

    Raises:
        ValueError: the values do not say what white is, are not finite, or are no colors.
    """
    values = np.asarray(picture)
    if values.ndim == 3 and values.shape[2] not in (3, 4):
        raise ValueError(f"an array {values.shape} is not a picture; expected (H, W) or (H, W, 3), channels last")
    values = _in_unit_range(values, "an array" if isinstance(picture, np.ndarray) else f"a picture of mode {picture.mode}")
    if values.ndim == 3 and values.shape[2] == 4:
        values = values[..., :3] * values[..., 3:] + (1 - values[..., 3:])
    if values.ndim == 3:
        return (values @ LUMA)[None] if channels == 1 else values.transpose(2, 0, 1)
    return np.broadcast_to(values, (channels, *values.shape))


def check_finite(tensor: torch.Tensor, what: str) -> None:
    """Raises ValueError, with a count, if there are NaNs or infinities."""
    if said := not_finite(tensor, what):
        raise ValueError(said)


def not_finite(tensor: torch.Tensor, what: str) -> str:
    """How many values of something are NaN or infinite, in words; empty if all are finite."""
    if torch.isfinite(tensor.sum()):  # a tenth of the time, and finite only if all values are
        return ""
    bad = int((~torch.isfinite(tensor)).sum())  # none, if it is just the sum that is too large
    return f"{bad:,} of the {tensor.numel():,} values of {what} {'is' if bad == 1 else 'are'} NaN or infinite" * bool(bad)


def describe_tensor(tensor: torch.Tensor) -> str:
    what = f"tensor {format_shape(tensor.shape)}" if tensor.ndim else "number"
    kind = str(tensor.dtype).removeprefix("torch.")
    return f"{'an' if kind.startswith('int') else 'a'} {kind} {what}"


def _from_file(path: Path, notes: list[str] | None, deep_colors: bool) -> Opened:
    path = path.expanduser()
    if path.is_dir():
        raise ValueError(f"{str(path)!r} is a folder; expected a picture file")
    if not path.exists():
        raise FileNotFoundError(f"there is no file {str(path)!r} (looked in {str(path.absolute().parent)!r})")
    return _decode(path, repr(str(path)), notes, deep_colors)


def _decode(file: Path | io.BytesIO, name: str, notes: list[str] | None, deep_colors: bool) -> Opened:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit is twice as high
            with Image.open(file) as picture:
                is_deep_file = has_deep_colors(picture)
                deep = read_deep_colors(file, picture) if deep_colors and is_deep_file else None
                found = _from_pillow(picture) if deep is None else deep
                if notes is not None and is_deep_file and deep is None:
                    notes.append(f"{name} has colors of 16 bits, of which Pillow keeps 8")
                if notes is not None and (frames := _frames(picture)) > 1:
                    notes.append(f"{name} has {frames:,} frames: the first was taken")
                return found
    except UnidentifiedImageError:
        raise ValueError(f"{name} is not a picture that Pillow can read") from None
    except Image.DecompressionBombError as error:
        raise ValueError(
            f"{name} is larger than Pillow opens: {error} If you trust the file, set PIL.Image.MAX_IMAGE_PIXELS = None"
        ) from error
    except _BROKEN as error:
        raise ValueError(f"{name} cannot be read as a picture: {error}") from error


_BROKEN = (OSError, SyntaxError, EOFError, ValueError, struct.error)
"""What Pillow raises for a file that is damaged."""


def _frames(picture: Image.Image) -> int:
    """How many frames a file has, as far as they can be read; previews are none."""
    try:
        return 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
    except Exception:  # of whatever kind: it is damaged behind the first, which is read by now
        return 1


def _from_pillow(picture: Image.Image) -> Image.Image:
    if 0 in picture.size:
        raise ValueError(f"the picture is empty: {picture.size[0]} pixels wide, {picture.size[1]} high")
    try:
        picture = ImageOps.exif_transpose(picture)  # a copy
    except _BROKEN as error:  # a file that was opened and not read
        raise ValueError(f"the picture cannot be read: {error}") from error
    if picture.mode.startswith("I;16"):  # in this machine's byte order, whatever the file's
        return picture if picture.mode == "I;16" else Image.fromarray(np.asarray(picture).astype(np.uint16))
    if picture.mode in ("I", "F", "CMYK"):
        return picture
    gray = picture.mode in ("1", "L", "LA", "La")
    mode = ("L" if gray else "RGB") + "A" * picture.has_transparency_data
    return picture if picture.mode == mode else picture.convert(mode)


def _from_array(array: np.ndarray) -> Opened:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise ValueError(f"an array {array.shape} is not a picture; expected (H, W) or (H, W, 3), channels last")
    if array.dtype.kind not in "buif":
        raise ValueError(f"an array of {array.dtype} is not a picture; expected uint8, uint16, or floats in [0, 1]")
    array = array.astype(array.dtype.newbyteorder("="))  # a copy
    if array.dtype == bool:
        array = array * np.uint8(255)
    if array.dtype == np.uint8 and array.shape[2:] in ((), (3,), (4,)):
        return Image.fromarray(array)
    if array.ndim == 2 and array.dtype == np.uint16:
        return Image.fromarray(array)
    if array.ndim == 2 and array.dtype.kind == "f":
        return Image.fromarray(array.astype(np.float32))
    return array


def _from_tensor(tensor: torch.Tensor) -> np.ndarray:
    """(H, W) or (H, W, C) of a tensor of whole numbers (H, W) or (C, H, W)."""
    fits = tensor.ndim == 2 or (tensor.ndim == 3 and (tensor.shape[0] in (1, 3, 4) or tensor.shape[2] not in (1, 3, 4)))
    if tensor.dtype not in (torch.uint8, torch.uint16, torch.int16, torch.int32) or not fits:
        raise ValueError(
            f"a {tensor.dtype} tensor {tuple(tensor.shape)} is not a picture; expected uint8 (3, H, W) or (1, H, W)"
        )
    array = tensor.detach().as_subclass(torch.Tensor).cpu().numpy()
    return array if array.ndim == 2 else array.transpose(1, 2, 0)


def _in_unit_range(values: np.ndarray, named: str) -> np.ndarray:
    """float32 in [0, 1] of a picture's values, in the type that they have."""
    if values.dtype.kind == "f":
        check_finite(torch.from_numpy(values.astype(np.float64)), "the picture")  # which knows no long double
        white, wanted = 1, "floats run from {:.4g} to {:.4g}; expected [0, 1]: divide by 255,"
    elif values.dtype in (np.uint8, np.uint16):
        return values / np.float32(np.iinfo(values.dtype).max)
    elif named == "a picture of mode I":
        white, wanted = 65535, "values run from {:,} to {:,}; expected 8 or 16 bits:"
    else:
        raise ValueError(
            f"{named} of {values.dtype} is not a picture; expected uint8, or floats in [0, 1]; "
            "convert it, or bind with preprocess=, which then scales it"
        )
    low, high = values.min(), values.max()
    if low < 0 or high > white:
        scale = "bind with a preprocess= that scales them, or give a preprocessed tensor (C, H, W)"
        raise ValueError(f"the picture's {wanted.format(low, high)} {scale}")
    return values.astype(np.float32) / np.float32(white)
