"""The lines that make ``model`` and its input ``x``, of a picture as it was given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from cnnwidgets.net import BoundModel
from cnnwidgets.net.deep_colors import has_deep_colors
from cnnwidgets.net.items import read
from cnnwidgets.net.preprocess import Preprocess


def picture_lines(net: BoundModel, image: Any, images: Sequence) -> str:
    """The lines that make ``model`` and its input ``x``, of a picture as a panel has it; a number counts in images."""
    lines = ["import torch\nfrom PIL import Image, ImageOps", net.code, input_lines(net, image, images), moved_line(net)]
    return "\n".join(lines).rstrip()


def moved_line(net: BoundModel) -> str:
    """The line that takes the input to the network's device and type; empty if it is there."""
    if (net.device.type, net.dtype) == ("cpu", torch.float32):
        return ""
    return f"x = x.to({str(net.device)!r}, {net.dtype})\n"


def input_lines(net: BoundModel, image: Any, images: Sequence, number: str = "") -> str:
    """The lines that make the input ``x`` of whatever a panel was given as a picture.

    Parameters:
        images: a list or data set; one of the samples has the expression that makes it as its ``code``.
        number: how a picture's number in the data set is written; by default as it is.
    """
    mode = "L" if net.input_shape[0] == 1 else "RGB"
    match read(image).image:
        case int() if isinstance(images[image], (str, Path)) and not number:
            return input_lines(net, images[image], images)
        case int():
            number = number or str(image)
            picture, _, taken = read(images[image])
            known = getattr(images, "code", None)
            made = "dataset = ...  # your data set\n"
            if isinstance(known, str):
                made = f"import cnnwidgets as cw\ndataset = {known}\n"
            numpy = "import numpy as np\n" if taken.startswith("np.") else ""
            code = f"{numpy}{made}image = {taken.format(f'dataset[{number}]')}\n"
            if isinstance(picture, torch.Tensor) and picture.is_floating_point():
                if net.takes(picture) or not hasattr(images, "picture"):
                    kind = "" if picture.dtype == torch.float32 else ".float()"
                    return f"{code}x = image{'[None]' if picture.ndim == 3 else ''}{kind}"
                plain = f"{made}image = Image.fromarray(dataset.picture({number}))  # its tensors are for another input\n"
                return plain + f'x = preprocess(image.convert("{mode}"))[None]'
            if isinstance(picture, Image.Image) and _is_plain(picture):
                return code + f'x = preprocess(image.convert("{mode}"))[None]'
            return code + _opened(net, picture, "image")
        case str() | Path():
            path = str(Path(image).expanduser())
            with Image.open(path) as file:
                if _is_plain(file, turned=True) and not has_deep_colors(file):
                    return f'x = preprocess(ImageOps.exif_transpose(Image.open({path!r})).convert("{mode}"))[None]'
            return _opened(net, path, repr(path))
        case torch.Tensor():
            return f"x = ...  # your preprocessed tensor, (1, {', '.join(map(str, net.input_shape))})"
    return "x = preprocess(...)[None]  # your picture, as PIL"


def _is_plain(picture: Image.Image, turned: bool = False) -> bool:
    """Whether a conversion to gray or RGB is all there is to do to a picture, or first a turn as its EXIF says."""
    upright = turned or picture.getexif().get(0x0112, 1) == 1
    return upright and picture.mode in ("1", "L", "RGB") and not picture.has_transparency_data


def _opened(net: BoundModel, source: Any, written: str) -> str:
    """The lines that make the input of what has more than 8 bits, transparency, or several ways to store its colors."""
    given = net.handed(source)
    named = ", ".join(["open_picture", *(name for name in ("as_pillow", "plain") if given.startswith(name))])
    numpy = "import numpy as np\n" if given.startswith("np.") else ""
    deep = ", deep_colors=True" if isinstance(net.preprocess, Preprocess) else ""
    opened = given.format(f"open_picture({written}{deep})")
    return f"{numpy}from cnnwidgets.net.pictures import {named}\nx = preprocess({opened})[None]"
