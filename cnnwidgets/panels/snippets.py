"""Plain PyTorch lines that give what a panel shows, for a reader without this package."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from cnnwidgets.net import BoundModel, Layer

_KEEP_MODULE = """\
calls = []
first = lambda output: output if isinstance(output, torch.Tensor) else output[0]
hook = model.get_submodule("{name}").register_forward_hook(lambda module, args, output: calls.append(first(output).clone()))
with torch.no_grad():
    model.eval()(x)
hook.remove()"""

_KEEP_FUNCTION = """\
calls = []

class Keep(torch.overrides.TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        output = func(*args, **(kwargs or {{}}))
        if func.__name__ == "{name}":
            calls.append((output if isinstance(output, torch.Tensor) else output[0]).clone())
        return output

with torch.no_grad(), Keep():
    model.eval()(x)"""

_UNIT_FIRST = {"map": "", "map, channels last": ".permute(2, 0, 1)", "vector": "[:, None, None]", "tokens": ".T[:, None]"}


def picture_lines(net: BoundModel, image: Any, images: Sequence) -> str:
    """The lines that make ``model`` and its input ``x``, of a picture as a panel has it; a number counts in images."""
    lines = ["import torch\nfrom PIL import Image, ImageOps", net.code, _input(net, image, images)]
    if (net.device.type, net.dtype) != ("cpu", torch.float32):
        lines.append(f"x = x.to({str(net.device)!r}, {net.dtype})")
    return "\n".join(lines)


def layer_lines(row: Layer) -> str:
    """The lines that put a layer's output for ``x`` into ``values``, (units, height, width)."""
    how, name, number = row.source
    keep = _KEEP_MODULE if how == "module" else _KEEP_FUNCTION
    values = f"values = calls[{number - 1}][0]{_UNIT_FIRST[row.layout]}  # {row.name}: (units, height, width)"
    return "\n".join([keep.format(name=name), values])


def _input(net: BoundModel, image: Any, images: Sequence) -> str:
    """The lines that make the input ``x`` of whatever a panel was given as a picture."""
    mode = "L" if net.input_shape[0] == 1 else "RGB"
    match image:
        case int() if isinstance(images[image], (str, Path)):
            return _input(net, images[image], images)
        case int():
            item = images[image]
            names, picture = ("image, label", item[0]) if isinstance(item, tuple) else ("image", item)
            dataset = repr(images)
            made = dataset if dataset.startswith("cw.") else "dataset"
            imports = "import cnnwidgets as cw\n" if made == dataset else "dataset = ...  # your data set\n"
            code = f"{imports}{names} = {made}[{image}]\n"
            if isinstance(picture, torch.Tensor) and picture.is_floating_point():
                return code + "x = image[None]"
            if isinstance(picture, Image.Image):
                return code + f'x = preprocess(image.convert("{mode}"))[None]'
            opening = "from cnnwidgets.net.pictures import open_picture\n"
            return f'{code}{opening}x = preprocess(open_picture(image).convert("{mode}"))[None]'
        case str() | Path():
            path = str(Path(image).expanduser())
            with Image.open(path) as file:
                plain = file.mode in ("1", "L", "RGB") and not file.has_transparency_data
            if plain:
                return f'x = preprocess(ImageOps.exif_transpose(Image.open({path!r})).convert("{mode}"))[None]'
            opening = "from cnnwidgets.net.pictures import open_picture  # lays transparency over white, 16 bits to 8\n"
            return f'{opening}x = preprocess(open_picture({path!r}).convert("{mode}"))[None]'
        case torch.Tensor():
            return f"x = ...  # your preprocessed tensor, (1, {', '.join(map(str, net.input_shape))})"
    return "x = preprocess(...)[None]  # your picture, as PIL"
