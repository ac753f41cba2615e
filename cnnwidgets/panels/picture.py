"""A trait for the picture that a panel looks at."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
import traitlets as t
from PIL import Image

from cnnwidgets.net.pictures import open_picture


class Picture(t.Any):
    """Whatever ``net.prepare`` takes as one picture, or a number in the panel's data set.

    In a panel's state a path and a number stand for themselves; a picture is kept as PNG and a tensor as .npy, in base64.
    """

    def encode(self, value: Any) -> Any:
        match value:
            case None | int() | str():
                return value
            case Path():
                return str(value)
            case (image, _):
                return self.encode(image)
            case torch.Tensor() if value.is_floating_point():
                return {"npy": _base64(lambda file: np.save(file, value.detach().cpu().float().numpy()))}
        return {"png": _base64(lambda file: open_picture(value).save(file, "PNG"))}

    def decode(self, value: Any) -> Any:
        match value:
            case {"npy": text}:
                return torch.from_numpy(np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False))
            case {"png": text}:
                return Image.open(io.BytesIO(base64.b64decode(text)))
        return value


def _base64(save) -> str:
    buffer = io.BytesIO()
    save(buffer)
    return base64.b64encode(buffer.getvalue()).decode()
