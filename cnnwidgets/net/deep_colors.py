"""Files with colors of 16 bits, of which Pillow keeps 8: read by those that keep them all."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import ExifTags, Image

_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: np.rot90(a, 2),
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: np.rot90,
}
"""By EXIF's orientation: what turns a picture as it is to be seen."""


def has_deep_colors(picture: Image.Image) -> bool:
    """Whether a file that was opened, and not read yet, has colors of 16 bits."""
    return picture.mode in ("RGB", "RGBA") and ";16" in str(getattr(picture, "tile", ""))


def read_deep_colors(file: Path | io.BytesIO, picture: Image.Image) -> np.ndarray | None:
    """uint16 (H, W, 3 or 4) of a PNG or TIFF file, turned as its EXIF says; None if it cannot be read so.

    Parameters:
        picture: the same file, opened, and not read yet.
    """
    turn = _TURNS.get(picture.getexif().get(ExifTags.Base.Orientation, 1), np.asarray)
    data = file.read_bytes() if isinstance(file, Path) else file.getvalue()
    try:
        values = _of_png(data) if picture.format == "PNG" else _of_tiff(data)
    except Exception:  # of another version, or a kind of file that these do not know: there is still Pillow
        return None
    if values.dtype != np.uint16 or values.shape[:2] != (picture.height, picture.width) or values.ndim != 3:
        return None
    if values.shape[2] == 2:  # gray and transparency
        values = values[:, :, [0, 0, 0, 1]]
    return turn(values) if values.shape[2] in (3, 4) else None


def _of_png(data: bytes) -> np.ndarray:
    from torchvision.io import decode_image

    return decode_image(torch.frombuffer(bytearray(data), dtype=torch.uint8)).permute(1, 2, 0).numpy()


def _of_tiff(data: bytes) -> np.ndarray:
    from tifffile import imread

    return imread(io.BytesIO(data), key=0)
