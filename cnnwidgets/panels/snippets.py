"""The lines of an embedding."""

from __future__ import annotations

import textwrap
from typing import Any

from cnnwidgets.methods import Embedding, Features
from cnnwidgets.methods.code.layers import layer_lines
from cnnwidgets.methods.code.pictures import input_lines, moved_line
from cnnwidgets.methods.code.text import tidy
from cnnwidgets.methods.features import INPUT, grid_of
from cnnwidgets.net import BoundModel, Layer

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
    rows = input_lines(net, int(found.indices[0]), dataset, "i").split("\n")
    before = [row for row in rows if row.startswith(("import ", "from ", "dataset = "))]
    taken = "\n".join(row for row in rows if row not in before)
    if found.layer == INPUT:
        look = f"{taken}\nreturn x.flatten().numpy()"
    else:
        row = net.layers[found.layer]
        look = f"{taken}\n{moved_line(net)}{layer_lines(row)}\nreturn {_pooled(row, pool)}.cpu().float().numpy()"
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
