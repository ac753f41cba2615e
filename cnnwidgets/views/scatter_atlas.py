"""The pictures of many points in one file."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

LARGEST = 4096
"""Pixels of an atlas's longer side, which every browser can decode."""


def atlas(pictures: np.ndarray) -> tuple[bytes, list[int]]:
    """The pictures of all points in one file, and its [height, width, columns]: what the traits ``atlas`` and ``tile`` take.

    Those of one channel are kept exactly, as PNG; those in color as JPEG, in a tenth of the bytes. Many large
    pictures are made smaller, so that they fit into 4096 x 4096 pixels.

    Parameters:
        pictures: (points, height, width) or (points, height, width, 1 or 3) uint8.
    """
    pictures = np.asarray(pictures)
    if pictures.dtype != np.uint8 or pictures.ndim not in (3, 4) or pictures.shape[3:] not in ((), (1,), (3,)):
        given = f"{pictures.shape} {pictures.dtype}"
        raise ValueError(f"Pictures are (points, height, width) or (points, height, width, 1 or 3) uint8, not {given}.")
    if pictures.shape[3:] == (1,):
        pictures = pictures[..., 0]
    if not pictures.size:
        return b"", [1, 1, 1]
    columns = int(np.ceil(np.sqrt(len(pictures))))
    most = LARGEST // columns
    if max(pictures.shape[1:3]) > most:
        zoom = most / max(pictures.shape[1:3])
        size = [max(1, int(side * zoom)) for side in pictures.shape[2:0:-1]]
        pictures = np.stack(
            [np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX)) for picture in pictures]
        )
    count, height, width = pictures.shape[:3]
    rows = -(-count // columns)
    sheet = np.zeros((rows * columns, *pictures.shape[1:]), np.uint8)
    sheet[:count] = pictures
    sheet = sheet.reshape(rows, columns, height, width, *pictures.shape[3:]).swapaxes(1, 2)
    whole = Image.fromarray(sheet.reshape(rows * height, columns * width, *pictures.shape[3:]))
    file = io.BytesIO()
    if whole.mode == "L":
        whole.save(file, "PNG", compress_level=3)
    else:
        whole.save(file, "JPEG", quality=92, subsampling=0)
    return file.getvalue(), [height, width, columns]
