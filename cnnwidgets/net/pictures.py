"""Pictures in and out: whatever a user has at hand becomes the network's input, and an input becomes a picture again."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from cnnwidgets.net.layers import format_shape

WANTED = "a path, a PIL picture, a uint8 or [0, 1] float array (H, W) or (H, W, 3), or a preprocessed float tensor (C, H, W)"


@dataclass(frozen=True)
class Preprocess:
    """PIL picture to input tensor: resize, crop to the centre, scale to [0, 1], then ``(x - mean) / std`` a channel.

    Attributes:
        shape: (C, H, W) of the input.
        mean, std: one value a channel, on the scale [0, 1].
        resize: length to which the shorter side is brought before the crop; None squeezes the whole picture into H x W.
    """

    shape: tuple[int, int, int]
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    resize: int | None = None

    def __call__(self, picture: Image.Image) -> torch.Tensor:
        channels, height, width = self.shape
        if channels not in (1, 3):
            raise ValueError(f"the network takes {channels} channels: give a preprocessed float tensor {self.shape}")
        picture = picture.convert("L" if channels == 1 else "RGB")
        if self.resize is None:
            picture = picture.resize((width, height), Image.Resampling.BILINEAR)
        else:
            scale = self.resize / min(picture.size)
            wide, tall = max(round(picture.width * scale), width), max(round(picture.height * scale), height)
            picture = picture.resize((wide, tall), Image.Resampling.BILINEAR)
            left, top = (wide - width) // 2, (tall - height) // 2
            picture = picture.crop((left, top, left + width, top + height))
        pixels = torch.from_numpy(np.array(picture, np.float32)).reshape(height, width, channels).permute(2, 0, 1) / 255
        return (pixels - _column(self.mean)) / _column(self.std)


def open_picture(source: Any) -> Image.Image:
    """A PIL picture, mode L or RGB, of a path, a file's bytes, a PIL picture, an array or a uint8 tensor.

    EXIF rotation is applied, transparency is laid over white, 16 bits are scaled to 8.

    Raises:
        FileNotFoundError: there is no file at the path.
        ValueError: the file is no picture, or the array is none; the message says what was given and what is wanted.
        TypeError: something else was given.
    """
    match source:
        case str() | Path():
            return _from_file(Path(source))
        case bytes():
            return _decode(io.BytesIO(source), f"the file of {len(source):,} bytes")
        case Image.Image():
            return _plain(source)
        case torch.Tensor():
            return _plain(Image.fromarray(_from_uint8(source)))
        case np.ndarray():
            return _plain(_from_array(source))
    raise TypeError(f"{type(source).__name__} is no picture: wanted is {WANTED}")


def to_pixels(values: torch.Tensor, preprocess: Callable) -> np.ndarray:
    """The preprocessing undone: uint8 (H, W, 3) of a float tensor (C, H, W).

    Where the preprocessing's mean and standard deviation cannot be found, values within [0, 1] are shown as they are, and
    others are stretched to it.
    """
    values = values.detach().float().cpu()
    found = _mean_and_std(preprocess)
    if found:
        mean, std = (_column(part) for part in found)
        values = values * std + mean
    elif values.min() < -1e-3 or values.max() > 1 + 1e-3:
        values = (values - values.min()) / (values.max() - values.min()).clamp_min(1e-12)
    if values.shape[0] not in (1, 3):
        values = values.mean(0, keepdim=True)
    pixels = (values.clamp(0, 1) * 255).round().byte().permute(1, 2, 0)
    return np.ascontiguousarray(pixels.expand(-1, -1, 3).numpy())


def check_finite(tensor: torch.Tensor, what: str) -> None:
    """Raises ValueError, with a count, if there are NaNs or infinities."""
    if torch.isfinite(tensor.sum()):  # a tenth of the time, and finite only if all values are
        return
    bad = int((~torch.isfinite(tensor)).sum())  # none, if it is just the sum that is too large
    if bad:
        raise ValueError(f"{what} has {bad:,} values that are NaN or infinite, of {tensor.numel():,}")


def _from_file(path: Path) -> Image.Image:
    path = path.expanduser()
    if path.is_dir():
        raise ValueError(f"{str(path)!r} is a folder: wanted is a picture's file")
    if not path.exists():
        raise FileNotFoundError(f"there is no file {str(path)!r} (looked in {str(path.absolute().parent)!r})")
    return _decode(path, repr(str(path)))


def _decode(file: Path | io.BytesIO, name: str) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as picture:
                picture.load()
                return _plain(picture)
    except UnidentifiedImageError:
        raise ValueError(f"{name} is no picture that Pillow can read") from None
    except (OSError, SyntaxError, Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ValueError(f"{name} cannot be read as a picture: {error}") from error


def _plain(picture: Image.Image) -> Image.Image:
    if 0 in picture.size:
        raise ValueError(f"the picture is empty: {picture.size[0]} pixels wide, {picture.size[1]} high")
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I"):  # 16 bits: I;16, or I as PNG gives it
        values = np.asarray(picture).astype(np.float64)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError(f"the picture's values run from {values.min():g} to {values.max():g}: wanted are 8 or 16 bits")
        return Image.fromarray((values / 257).round().astype(np.uint8))
    if picture.mode == "F":
        return Image.fromarray(_from_float(np.asarray(picture)))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture).convert("RGB")
    return picture.convert("L" if picture.mode in ("1", "L") else "RGB")


def _from_array(array: np.ndarray) -> Image.Image:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)) or 0 in array.shape:
        raise ValueError(f"an array {array.shape} is no picture: wanted is (H, W) or (H, W, 3), channels last")
    if array.dtype == bool:
        array = array * np.uint8(255)
    elif array.dtype == np.uint16:
        array = (array / 257).round().astype(np.uint8)
    elif np.issubdtype(array.dtype, np.floating):
        array = _from_float(array)
    elif array.dtype != np.uint8:
        raise ValueError(f"an array of {array.dtype} is no picture: wanted is uint8, or floats in [0, 1]")
    return Image.fromarray(np.ascontiguousarray(array))


def _from_float(array: np.ndarray) -> np.ndarray:
    array = np.array(array, np.float64)  # a copy: torch wants no read-only memory, no foreign byte order, no long double
    check_finite(torch.from_numpy(array), "the picture")
    if array.min() < 0 or array.max() > 1:
        raise ValueError(
            f"the picture's floats run from {array.min():.4g} to {array.max():.4g}: wanted is [0, 1]; "
            "divide by 255, or give a preprocessed tensor (C, H, W)"
        )
    return (array * 255).round().astype(np.uint8)


def _from_uint8(tensor: torch.Tensor) -> np.ndarray:
    if tensor.dtype != torch.uint8 or tensor.ndim != 3 or tensor.shape[0] not in (1, 3):
        raise ValueError(
            f"a {tensor.dtype} tensor {tuple(tensor.shape)} is no picture: wanted is uint8 (3, H, W) or (1, H, W)"
        )
    return np.ascontiguousarray(tensor.cpu().permute(1, 2, 0).squeeze(2).numpy())


def _mean_and_std(preprocess: Any) -> tuple[Any, Any] | None:
    """Mean and standard deviation of our own preprocessing, torchvision's presets, or a ``Compose`` with a ``Normalize``."""
    steps = [preprocess, *getattr(preprocess, "transforms", [])]
    return next(((step.mean, step.std) for step in steps if hasattr(step, "mean") and hasattr(step, "std")), None)


def _column(values) -> torch.Tensor:
    return torch.as_tensor(values, dtype=torch.float32).reshape(-1, 1, 1)


def describe_tensor(tensor: torch.Tensor) -> str:
    what = f"tensor {format_shape(tensor.shape)}" if tensor.ndim else "number"
    kind = str(tensor.dtype).removeprefix("torch.")
    return f"{'an' if kind.startswith('i') else 'a'} {kind} {what}"
