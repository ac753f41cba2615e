"""Plain PyTorch lines that give what a panel shows, for a reader without this package."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from cnnwidgets.methods import Embedding, Features, OcclusionMap
from cnnwidgets.methods.features import INPUT, grid_of
from cnnwidgets.net import BoundModel, Layer
from cnnwidgets.net.deep_colors import has_deep_colors
from cnnwidgets.net.items import read
from cnnwidgets.net.output import Output
from cnnwidgets.net.own_score import Function, OwnScore, name_of
from cnnwidgets.net.preprocess import Preprocess

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


def picture_lines(net: BoundModel, image: Any, images: Sequence) -> str:
    """The lines that make ``model`` and its input ``x``, of a picture as a panel has it; a number counts in images."""
    lines = ["import torch\nfrom PIL import Image, ImageOps", net.code, _input(net, image, images), _moved(net)]
    return "\n".join(lines).rstrip()


def _moved(net: BoundModel) -> str:
    """The line that takes the input to the network's device and type; empty if it is there."""
    if (net.device.type, net.dtype) == ("cpu", torch.float32):
        return ""
    return f"x = x.to({str(net.device)!r}, {net.dtype})\n"


def tidy(lines: str) -> str:
    """The same lines with their imports in front, each once."""
    rows = lines.split("\n")
    imports = dict.fromkeys(row for row in rows if row.startswith(("import ", "from ")))
    return "\n".join([*imports, *(row for row in rows if row not in imports)])


def layer_lines(row: Layer) -> str:
    """The lines that put a layer's output for ``x`` into ``values``, (units, height, width)."""
    how, name, number = row.source
    keep = _KEEP_MODULE if how == "module" else _KEEP_FUNCTION
    values = f"values = calls[{number - 1}][0]{_by_unit(row)}  # {row.name}: (units, height, width)"
    return "\n".join([keep.format(name=name), values])


def _by_unit(row: Layer) -> str:
    """What makes (units, height, width) of a layer's output for one picture."""
    if row.layout in ("sequence", "tokens"):
        units, height, width = row.map_shape
        first = row.grid[2] if row.grid else 0
        taken = f"[{first}:{first + height * width}]" if row.beside_grid else ""
        positions = f"{taken}.T" if row.layout == "tokens" else taken and f"[:, {taken[1:]}"
        return f"{positions}.reshape({units}, {height}, {width})"
    return {"map": "", "map, channels last": ".permute(2, 0, 1)", "vector": "[:, None, None]"}[row.layout]


def _input(net: BoundModel, image: Any, images: Sequence, number: str = "") -> str:
    """The lines that make the input ``x`` of whatever a panel was given as a picture.

    Parameters:
        number: how a picture's number in the data set is written; by default as it is.
    """
    mode = "L" if net.input_shape[0] == 1 else "RGB"
    match read(image).image:
        case int() if isinstance(images[image], (str, Path)) and not number:
            return _input(net, images[image], images)
        case int():
            number = number or str(image)
            picture, _, taken = read(images[image])
            known = repr(images).startswith("cw.")
            made = f"import cnnwidgets as cw\ndataset = {images!r}\n" if known else "dataset = ...  # your data set\n"
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


_OCCLUDE = """\
(h, w), (dy, dx), (H, W) = {patch}, {stride}, x.shape[2:]
cover = {cover}
mask = {mask}  # the patch's shape
ys, xs = {ys}, {xs}
values = torch.zeros(len(ys), len(xs))  # {said} with the patch there
with torch.no_grad():
    for i, top in enumerate(ys):
        batch = x.repeat(len(xs), 1, 1, 1)
        for j, left in enumerate(xs):
            there = mask[: H - top, : W - left]
            batch[j, :, top : top + h, left : left + w][:, there] = cover[0, :, top : top + h, left : left + w][:, there]
        values[i] = {value}"""

_COVERS = {
    "mean": "x.mean((2, 3), keepdim=True).expand_as(x)",
    "gray": 'preprocess(Image.new("{mode}", (x.shape[3], x.shape[2]), {gray}))[None].to(x)',
    "zero": "torch.zeros_like(x)",
    "noise": "x.mean((2, 3), keepdim=True) + x.std((2, 3), keepdim=True) * torch.from_numpy("
    "np.random.default_rng({seed}).standard_normal(x.shape, np.float32)).to(x)",
    "blur": "torch.from_numpy(scipy.ndimage.gaussian_filter(x.cpu().numpy(), (0, 0, h / 2, w / 2), mode='nearest')).to(x)",
}

_MASKS = {
    "rectangle": "torch.ones(h, w, dtype=torch.bool)",
    "ellipse": "torch.linspace(1 / h - 1, 1 - 1 / h, h)[:, None] ** 2 + torch.linspace(1 / w - 1, 1 - 1 / w, w) ** 2 <= 1",
}


def identifier(function: Function) -> str:
    """What a function is called in code."""
    name = name_of(function)
    return name if name.isidentifier() else "own_score"


def own_lines(function: Function | None) -> list[str]:
    """The line in which a reader puts in a function of the output; none if there is no such function."""
    return [f"{identifier(function)} = ...  # your function of the output"] if function else []


def bind_lines(net: BoundModel) -> str:
    """The expression that binds ``model`` again."""
    outputs = f", outputs={net.output.kind!r}" if net.output.is_said else ""
    return f"cw.bind(model, preprocess=preprocess{outputs})"


def answer_code(output: Output, call: str, target: int, score: str) -> str:
    """The expression of a class's score, one a picture, of one that gives the network's output for a batch."""
    if not output.is_binary:
        table = f"{call}.reshape(len(batch), -1)" if output.count == 1 else call
        return f"{table}{_ANSWERS[output.kind] if score == 'probability' else ''}[:, {target}]"
    table = f"{call}.reshape(len(batch), -1)[:, 0]"
    if output.has_logits:
        return f"{'-' * (target == 0)}{table}" if score == "logit" else f"({'-' * (target == 0)}{table}).sigmoid()"
    return f"{'1 - ' * (target == 0)}{table}{_ANSWERS[output.kind]}"


_ANSWERS = {"logits": ".softmax(1)", "log_probabilities": ".exp()", "label_logits": ".sigmoid()"} | dict.fromkeys(
    ("probabilities", "labels", "binary", "values"), ""
)


def occlusion_lines(net: BoundModel, result: OcclusionMap, own: OwnScore | None, *, fill: str, shape: str, seed: int) -> str:
    """The lines that put the score with the patch at each position into ``values``, (rows, columns).

    Parameters:
        own: the function of the output that is watched, if it is one.
    """
    mode, gray = ("L", 128) if net.input_shape[0] == 1 else ("RGB", (128,) * 3)
    value, before = "", ""
    if own:
        name, before = identifier(own.function), "\n".join(own_lines(own.function)) + "\n"
        each = f"torch.tensor([float({name}(model.eval()(one))) for one in batch.split(1)])"
        value = each if own.alone else f"{name}(model.eval()(batch))"
    elif isinstance(result.target, int) and isinstance(result.score, str):
        value = answer_code(net.output, "model.eval()(batch)", result.target, result.score)
    else:
        value, before = "watched(batch)", _watched_lines(net.layers[result.score[0]], int(result.score[1]))
    loop = _OCCLUDE.format(
        patch=result.patch,
        stride=result.stride,
        cover=_COVERS[fill].format(mode=mode, gray=gray, seed=seed),
        mask=_MASKS[shape],
        ys=_range(result.ys),
        xs=_range(result.xs),
        said=result.score,
        value=value,
    )
    return "import numpy as np\nimport scipy\n" + before + loop


_LAY_OUT = {
    "pca": """\
from sklearn.decomposition import PCA
points = PCA(2).fit_transform(values)""",
    "tsne": """\
from openTSNE import TSNE
from sklearn.decomposition import PCA
start = PCA(2).fit_transform(values)
reduced = {reduced}
tsne = TSNE(
    perplexity={perplexity}, early_exaggeration={early_exaggeration}, early_exaggeration_iter={early_iterations},
    n_iter={rest}, learning_rate={learning_rate!r}, metric={metric!r}, theta={theta}, negative_gradient_method="bh",
    initialization=start / start[:, 0].std() * 1e-4, random_state={seed},
)
points = tsne.fit(reduced)  # as good a layout, but another one: rounding grows""",
    "umap": """\
from sklearn.decomposition import PCA
from umap import UMAP
umap = UMAP(
    n_neighbors={neighbours}, min_dist={minimum_distance}, n_epochs={epochs}, learning_rate={learning_rate},
    metric={metric!r}, init=PCA(2).fit_transform(values), random_state={seed},
)
points = umap.fit_transform(values{labels})  # as good a layout, but another one: chance is asked in another order""",
}


def embedding_lines(
    net: BoundModel, dataset: Any, found: Features, layout: Embedding, *, pool: str, supervised: bool
) -> str:
    """The lines that put a layer's features into ``values`` (n, d), and a layout of them into ``points`` (n, 2)."""
    rows = _input(net, int(found.indices[0]), dataset, "i").split("\n")
    before = [row for row in rows if row.startswith(("import ", "from ", "dataset = "))]
    taken = "\n".join(row for row in rows if row not in before)
    if found.layer == INPUT:
        look = f"{taken}\nreturn x.flatten().numpy()"
    else:
        row = net.layers[found.layer]
        look = f"{taken}\n{_moved(net)}{layer_lines(row)}\nreturn {_pooled(row, pool)}.cpu().float().numpy()"
    everything = len(found.indices) == len(dataset)
    numbers = f"range({len(dataset)})" if everything else str(found.indices.tolist())
    labels = f", np.array({found.labels.tolist()})" if supervised else ""
    params = {"rest": 0, "learning_rate": "auto", **layout.params, "seed": layout.seed, "labels": labels}
    if layout.method == "tsne":
        params["rest"] = params["iterations"] - params["early_iterations"]
        params["learning_rate"] = params["learning_rate"] or "auto"
        components = params["components"] and min(params["components"], len(found.values))
        params["reduced"] = (
            f"PCA({components}, random_state={layout.seed}).fit_transform(values)" if components else "values"
        )
    parts = [
        "import numpy as np\nimport torch\nfrom PIL import Image, ImageOps",
        net.code,
        *before,
        "\ndef look(i):",
        textwrap.indent(look, "    "),
        f"\nvalues = np.stack([look(i) for i in {numbers}])  # {found.layer}: (pictures, values)",
        _LAY_OUT[layout.method].format(**params),
    ]
    return tidy("\n".join(parts))


def _pooled(row: Layer, pool: str) -> str:
    size = grid_of(row) if pool == "grid" else None
    if size:
        return f"torch.nn.functional.adaptive_avg_pool2d(values, {size}).flatten()"
    return "values.amax((1, 2))" if pool == "max" else "values.mean((1, 2))"


def _watched_lines(row: Layer, unit: int) -> str:
    """The lines of a function that gives a unit's sum for each picture of a batch."""
    how, name, number = row.source
    keep = (_KEEP_MODULE if how == "module" else _KEEP_FUNCTION).format(name=name)
    last = ".movedim(-1, 1)" if row.layout in ("tokens", "map, channels last") else ""
    first = row.grid[2] if row.grid else 0
    taken = f", {first}:{first + math.prod(row.map_shape[1:])}" if row.beside_grid else ""
    sums = f"return calls[{number - 1}]{last}[:, {unit}{taken}].reshape(len(x), -1).sum(1)"
    return "\ndef watched(x):\n" + textwrap.indent(f"{keep}\n{sums}", "    ") + "\n\n"


def _range(places: np.ndarray) -> str:
    step = int(places[1] - places[0]) if len(places) > 1 else 1
    return f"range({places[0]}, {places[-1] + 1}, {step})"
