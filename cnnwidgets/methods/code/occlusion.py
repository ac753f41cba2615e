"""The lines that put a patch everywhere on a picture."""

from __future__ import annotations

import numpy as np

from cnnwidgets.methods.code.layers import watched_lines
from cnnwidgets.methods.code.scores import answer_code, identifier, own_lines
from cnnwidgets.net import BoundModel

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


def occlusion_lines(
    net: BoundModel,
    *,
    target: int | str | None,
    unit: tuple | None,
    score: str,
    ys: np.ndarray,
    xs: np.ndarray,
    patch: tuple[int, int],
    stride: tuple[int, int],
    fill: str,
    shape: str,
    seed: int,
    alone: bool = False,
) -> str:
    """The lines that put the score with the patch at each position into ``values``, (rows, columns).

    Parameters:
        target, unit, score, ys, xs, patch, stride: as of an :class:`~cnnwidgets.methods.OcclusionMap`.
        fill, shape, seed: as of :func:`~cnnwidgets.methods.occlusion`.
        alone: whether a function that is watched takes one picture at a time.
    """
    if unit:
        value, before = "watched(batch)", watched_lines(net.layers[unit[0]], *unit[1:])
    elif isinstance(target, str):
        name, before = identifier(target), "\n".join(own_lines(target)) + "\n"
        each = f"torch.tensor([float({name}(model.eval()(one))) for one in batch.split(1)])"
        value = each if alone else f"{name}(model.eval()(batch))"
    else:
        value, before = answer_code(net.output, "model.eval()(batch)", target, score), ""
    mode, gray = ("L", 128) if net.input_shape[0] == 1 else ("RGB", (128,) * 3)
    loop = _OCCLUDE.format(
        patch=patch,
        stride=stride,
        cover=_COVERS[fill].format(mode=mode, gray=gray, seed=seed),
        mask=_MASKS[shape],
        ys=_range(ys),
        xs=_range(xs),
        said=f"unit {unit[1]} of {unit[0]}" if unit else score,
        value=value,
    )
    return "import numpy as np\nimport scipy\n" + before + loop


def _range(places: np.ndarray) -> str:
    step = int(places[1] - places[0]) if len(places) > 1 else 1
    return f"range({places[0]}, {places[-1] + 1}, {step})"
