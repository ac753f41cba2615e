"""The picture that a panel looks at: its trait, and where it comes from."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ipywidgets as w
import numpy as np
import torch
import traitlets as t
from PIL import Image

from cnnwidgets.net import BoundModel
from cnnwidgets.net.pictures import open_picture
from cnnwidgets.panels.controls import Slider
from cnnwidgets.panels.panel import Panel


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


class PicturePanel(Panel):
    """A panel that looks at one picture: any that ``net.prepare`` takes, an upload, or a number in a data set."""

    image = Picture(None, help="the picture: what net.prepare takes, or its number in the data set").tag(
        control=Slider(lambda panel: (0, len(panel.images) - 1))
    )

    def __init__(self, net, image: Any = 0, *, images=None, **options):
        held = isinstance(image, (list, torch.utils.data.Dataset))  # pictures to pick from, and no picture itself
        self.images: Sequence = image if held else images if images is not None else ()
        super().__init__(net, image=0 if held else image, **options)

    @classmethod
    def public_traits(cls) -> dict[str, t.TraitType]:
        traits = super().public_traits()
        return {"image": traits["image"], **traits}

    @property
    def source(self) -> Any:
        """The picture itself, taken from the data set if it is a number."""
        if not isinstance(self.image, int):
            if self.image is None:
                raise ValueError("there is no picture yet: give one")
            return self.image
        if not len(self.images):
            raise ValueError("the data set is empty: there is no picture to show")
        if not 0 <= self.image < len(self.images):
            raise ValueError(f"there is no picture {self.image}: the data set has {len(self.images)}, numbered from 0")
        return item_for(self.net, self.images, self.image)

    def toolbox(self) -> list[w.Widget]:
        row, *more = super().toolbox()
        if not self.images:
            row.children = [c for c in row.children if c is not self.controls.get("image")]
        if "image" not in self.hidden:
            upload = w.FileUpload(accept="image/*", description="Upload a picture", disabled="image" in self.locked)
            upload.layout.width = "auto"
            upload.observe(self._take_upload, "value")
            row.children = [*row.children, upload]
        return [row, *more]

    def _take_upload(self, change) -> None:
        if change.new:
            self.image = bytes(change.new[0].content)


def item_for(net: BoundModel, images: Sequence, number: int) -> Any:
    """An item of a data set; where that is a tensor for another input and the set has the ``picture``, the picture."""
    item = images[number]
    tensor = item[0] if isinstance(item, tuple) else item
    if isinstance(tensor, torch.Tensor) and not net.takes(tensor) and hasattr(images, "picture"):
        return images.picture(number)
    return item
