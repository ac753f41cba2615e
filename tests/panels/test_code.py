"""The code that a panel shows, run in a fresh process, gives what is on screen."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

import cnnwidgets as cw
from cnnwidgets.net import BoundModel
from tests.base.tiny import by_hand, picture_tensor, several

RUN = """
import json, sys
import numpy as np
from torch import Tensor

codes, file = json.load(sys.stdin), sys.argv[1]
found = {}
for name, code in codes.items():
    space = {}
    try:
        exec(code, space)
    except Exception as error:
        raise RuntimeError(f"{name}: {code}") from error
    values = space["values"]
    found[name] = values.numpy() if isinstance(values, Tensor) else np.asarray(values)
    found[name + ", points"] = space.get("points", [])
    for more in ("patches", "indices"):
        found[name + ", " + more] = np.stack(space[more]) if more in space else []
np.savez(file, **found)
"""

OWN = {  # what the user of a network of their own fills in
    "model = ...  # your network": "from tests.base.tiny import picture_tensor, several\nmodel = several()",
    "preprocess = ...  # PIL picture to input tensor": "from tests.base.tiny import preprocess",
    "x = ...  # your preprocessed tensor, (1, 3, 8, 8)": "x = picture_tensor()[None]",
    "dataset = ...  # your data set": "from tests.panels.test_code import own_pictures as dataset",
}
"""Lines that a panel leaves to the user, and what the tests put there."""

DATASETS = {
    "16 bits in a data set": "from tests.panels.test_code import own_uint16 as dataset",
    "an array in a data set, preprocessed by hand": "from tests.panels.test_code import own_xrays as dataset",
    "Concepts: an own network's tokens": "from tests.panels.test_code import own_tensors as dataset",
    "TopPatches: an own network's tokens": "from tests.panels.test_code import own_tensors as dataset",
    "EmbeddingExplorer: PCA of an own network's tokens": "from tests.panels.test_code import own_tensors as dataset",
    "EmbeddingExplorer: PCA of dicts": "from tests.panels.test_code import own_dicts as dataset",
    "EmbeddingExplorer: PCA of paths": "dataset = [f'{path}/digits/{{i}}.png' for i in range(12)]",
}
"""What else the tests put there as a data set."""

own_pictures = [(Image.fromarray(np.random.default_rng(0).integers(0, 255, (9, 9), np.uint8)), 0), picture_tensor()]


own_xrays = [(np.random.default_rng(0).integers(0, 4096, (9, 9)).astype(np.int16), 0)]
own_uint16 = [(own_xrays[0][0].astype(">u2"), 0)]
own_tensors = [(torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(i)), i % 2, "more") for i in range(9)]
own_dicts = [{"label": label, "image": image} for image, label, _ in own_tensors]


def save(path, mode: str, **options) -> str:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 60, 4), np.uint8)
    Image.fromarray(pixels if mode == "RGBA" else pixels[:, :, :3]).convert(mode).save(path, **options)
    return str(path)


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def browser(name: str, layer: str, image=None, **options) -> cw.FeatureMapBrowser:
    return cw.FeatureMapBrowser(cw.load(name), getattr(cw.samples, name)() if image is None else image, layer, **options)


def own_browser(layer: str, image=None) -> cw.FeatureMapBrowser:
    net = cw.bind(several(), input_shape=(3, 8, 8))
    return cw.FeatureMapBrowser(net, picture_tensor() if image is None else image, layer)


def paths(path) -> list[str]:
    made = path / "digits"
    made.mkdir(exist_ok=True)
    for i in range(12):
        Image.fromarray(cw.samples.digits().picture(i)).save(made / f"{i}.png")
    return [str(made / f"{i}.png") for i in range(12)]


def explorer(name: str, layer: str, dataset=None, **options) -> cw.EmbeddingExplorer:
    dataset = getattr(cw.samples, name)() if dataset is None else dataset
    return cw.EmbeddingExplorer(cw.load(name), dataset, layer, **{"limit": 12, "method": "pca"} | options)


def patches(name: str, layer: str, unit: int, **options) -> cw.TopPatches:
    return cw.TopPatches(cw.load(name), getattr(cw.samples, name)(), layer, unit, **options)


def concepts(dataset, layer: str, n: int, **options) -> cw.Concepts:
    net = cw.bind(several(), input_shape=(3, 8, 8)) if dataset is own_tensors else cw.load("scenes")
    return cw.Concepts(net, dataset, layer, n, **options)


def own_patches(layer: str) -> cw.TopPatches:
    return cw.TopPatches(cw.bind(several(), input_shape=(3, 8, 8)), own_tensors, layer, 1, k=3)


def own_explorer(layer: str, dataset=None) -> cw.EmbeddingExplorer:
    net = cw.bind(several(), input_shape=(3, 8, 8))
    return cw.EmbeddingExplorer(net, own_tensors if dataset is None else dataset, layer, method="pca")


def xray(path) -> str:
    """12 bits in a file of 16."""
    Image.fromarray(np.random.default_rng(0).integers(0, 4096, (40, 60)).astype(np.uint16)).save(path)
    return str(path)


def deep_colors(path) -> str:
    tifffile.imwrite(path, np.random.default_rng(0).integers(0, 65536, (40, 60, 3)).astype(np.uint16), photometric="rgb")
    return str(path)


def by_hand_browser(image) -> cw.FeatureMapBrowser:
    code = "from tests.base.tiny import by_hand as preprocess, several\nmodel = several()"
    return cw.FeatureMapBrowser(BoundModel(several(), preprocess=by_hand, code=code), image, "conv")


def own_filters(layer: str, **options) -> cw.FilterGrid:
    return cw.FilterGrid(cw.bind(several(), input_shape=(3, 8, 8)), layer, **options)


def dream(image: str) -> cw.ActivationMaximizer:
    return cw.ActivationMaximizer(cw.load("digits"), "conv2", image=image, steps=3)


def differing() -> cw.ActivationMaximizer:
    net = cw.bind(several(), input_shape=(3, 8, 8))
    return cw.ActivationMaximizer(net, "conv", 2, pictures=2, diversity=1.5, image_as="pixels", steps=3)


def switched() -> cw.ActivationMaximizer:
    panel = cw.ActivationMaximizer(cw.load("digits"), "conv2", 3, preset="Yosinski 2015", steps=4, playing=False)
    panel.step()
    panel.step()
    assert panel.wait()
    panel.rule, panel.lr, panel.regularizers = "adam", 0.02, ["jitter"]
    panel.playing = True
    return panel


PANELS: dict[str, Callable] = {
    "a picture of a data set by its number": lambda path: browser("digits", "conv2", image=4, images=cw.samples.digits()),
    "a picture of a data set made with options": lambda path: browser("scenes", "bn1", image=cw.samples.scenes("train", 5)),
    "a path": lambda path: browser("scenes", "conv1", image=save(path / "rgb.png", "RGB")),
    "a gray picture for a network in color": lambda path: browser("scenes", "bn1", image=save(path / "gray.png", "L")),
    "a color picture for a gray network": lambda path: browser("digits", "pool1", image=save(path / "rgb2.png", "RGB")),
    "a picture with transparency": lambda path: browser("scenes", "conv1", image=save(path / "rgba.png", "RGBA")),
    "a picture that EXIF turns": lambda path: browser("scenes", "bn1", save(path / "turned.jpg", "RGB", exif=turned())),
    "a palette with a transparent color": lambda path: browser("scenes", "conv1", save(path / "p.gif", "P", transparency=0)),
    "a picture in CMYK": lambda path: browser("scenes", "conv1", image=save(path / "cmyk.tif", "CMYK")),
    "16 bits": lambda path: browser("digits", "conv1", image=xray(path / "xray.png")),
    "16 bits for a network in color": lambda path: browser("scenes", "conv1", image=xray(path / "xray.tif")),
    "colors of 16 bits": lambda path: browser("scenes", "conv1", image=deep_colors(path / "deep.tif")),
    "16 bits in a data set": lambda path: own_browser("conv", image=own_uint16),
    "16 bits, preprocessed by hand": lambda path: by_hand_browser(xray(path / "xray2.png")),
    "transparency, preprocessed by hand": lambda path: by_hand_browser(save(path / "rgba2.png", "RGBA")),
    "an array in a data set, preprocessed by hand": lambda path: by_hand_browser(own_xrays),
    "a list of paths": lambda path: browser("digits", "conv1", image=[save(path / "a.png", "L"), save(path / "b.png", "P")]),
    "a module": lambda path: browser("scenes", "layer2.0.downsample.1"),
    "the first call of a module": lambda path: browser("scenes", "layer1.0.relu"),
    "its second call": lambda path: browser("scenes", "layer1.0.relu:2"),
    "a block": lambda path: browser("scenes", "layer3.1"),
    "a sum": lambda path: browser("scenes", "layer1.0.add"),
    "a sum further on": lambda path: browser("scenes", "layer3.0.add"),
    "a vector": lambda path: browser("scenes", "fc"),
    "a function of a vector": lambda path: browser("digits", "flatten"),
    "an own network's function": lambda path: own_browser("relu:2"),
    "channels last": lambda path: own_browser("norm"),
    "tokens": lambda path: own_browser("attention"),
    "a sum of tokens": lambda path: own_browser("add:2"),
    "a map in a row": lambda path: own_browser("flatten"),
    "EmbeddingExplorer: PCA of a layer": lambda path: explorer("digits", "relu4"),
    "EmbeddingExplorer: PCA of pixels": lambda path: explorer("digits", "input"),
    "EmbeddingExplorer: PCA of maps over a grid": lambda path: explorer("scenes", "layer2.0.relu:2"),
    "EmbeddingExplorer: PCA of maxima": lambda path: explorer("scenes", "conv1", pool="max"),
    "EmbeddingExplorer: PCA of means": lambda path: explorer("scenes", "layer1.0.add", pool="mean"),
    "EmbeddingExplorer: PCA of an own network's tokens": lambda path: own_explorer("attention"),
    "EmbeddingExplorer: PCA of three pictures": lambda path: explorer("digits", "fc3", limit=3),
    "EmbeddingExplorer: t-SNE": lambda path: explorer("digits", "fc1", method="tsne", n_iter=30),
    "EmbeddingExplorer: PCA of paths": lambda path: explorer("digits", "conv2", paths(path)),
    "EmbeddingExplorer: PCA of dicts": lambda path: own_explorer("conv", own_dicts),
    "TopPatches: the strongest": lambda path: patches("digits", "relu2", 3),
    "TopPatches: several of a picture": lambda path: patches("digits", "relu1", 2, one_per_picture=False),
    "TopPatches: the weakest of a block": lambda path: patches("digits", "pool2", 1, which="weakest", k=5),
    "TopPatches: deciles of a vector": lambda path: patches("digits", "fc3", 4, which="deciles"),
    "Concepts: the last maps": lambda path: cw.Concepts(cw.load("digits"), cw.samples.digits(), "relu2", 4),
    "Concepts: negative values": lambda path: concepts(cw.samples.scenes(size=90), "layer2.0.add", 3, seed=2),
    "Concepts: an own network's tokens": lambda path: concepts(own_tensors, "attention", 2),
    "TopPatches: an own network's tokens": lambda path: own_patches("attention"),
    "UnitExplorer: a layer's maps": lambda path: cw.UnitExplorer(cw.load("digits"), cw.samples.digits(), 7, "relu2", 3),
    "an own data set of pictures": lambda path: own_browser("conv", image=own_pictures),
    "ActivationMaximizer: a class": lambda path: cw.ActivationMaximizer(cw.load("scenes"), target="7", steps=3),
    "ActivationMaximizer: a dream": lambda path: dream(save(path / "dream.png", "L")),
    "ActivationMaximizer: pictures that differ": lambda path: differing(),
    "ActivationMaximizer: switched on the way": lambda path: switched(),
    "FilterGrid: first filters": lambda path: cw.FilterGrid(cw.load("scenes")),
    "FilterGrid: deep filters": lambda path: cw.FilterGrid(cw.load("scenes"), "layer3.0.conv2"),
    "FilterGrid: a channel of deep filters": lambda path: cw.FilterGrid(cw.load("scenes"), "layer2.0.conv1", channel=7),
    "FilterGrid: templates": lambda path: cw.FilterGrid(cw.load("digits"), "fc1"),
    "FilterGrid: a channel of templates": lambda path: cw.FilterGrid(cw.load("digits"), "fc1", channel=15),
    "FilterGrid: a linear layer on a vector": lambda path: cw.FilterGrid(cw.load("digits"), "fc3"),
    "FilterGrid: the layer before a ReLU": lambda path: cw.FilterGrid(cw.load("digits"), "relu2"),
    "FilterGrid: transposed in groups": lambda path: own_filters("up"),
    "FilterGrid: a free weight": lambda path: own_filters("conv2d", channel=2),
}  # fmt: skip


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Name to (values of the code run in another process, values of the panel); one process for all, to save time."""
    path = tmp_path_factory.mktemp("pictures")
    panels = {name: make(path) for name, make in PANELS.items()}
    codes = {name: panel.code() for name, panel in panels.items()}
    for name, dataset in DATASETS.items():
        assert "dataset = ...  # your data set" in codes[name]
        codes[name] = codes[name].replace("dataset = ...  # your data set", dataset.format(path=path))
    for line, own in OWN.items():
        codes = {name: code.replace(line, own) for name, code in codes.items()}
    file = path / "values.npz"
    run = subprocess.run(
        [sys.executable, "-c", RUN, str(file)], input=json.dumps(codes), capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    found = np.load(file)
    more = {name: {kind: found[f"{name}, {kind}"] for kind in ("points", "patches", "indices")} for name in panels}
    return {name: (found[name], panel.data()["values"], more[name], panel) for name, panel in panels.items()}


@pytest.mark.parametrize("name", PANELS)
def test_the_code_gives_what_is_on_screen(ran, name):
    found, shown, *_ = ran[name]
    assert found.shape == shown.shape
    np.testing.assert_allclose(found, shown, rtol=0, atol=1e-6 * np.abs(shown).max())


@pytest.mark.parametrize("name", [name for name in PANELS if "PCA" in name])
def test_the_code_s_principal_components_lie_as_on_screen(ran, name):
    _, _, more, panel = ran[name]
    shown = panel.data()["points"]
    aligned = cw.methods.align(more["points"], shown, mirror=True)
    np.testing.assert_allclose(aligned.points, shown, atol=1e-3)


@pytest.mark.parametrize("name", [name for name in PANELS if "TopPatches" in name])
def test_the_code_finds_the_same_patches(ran, name):
    _, _, more, panel = ran[name]
    np.testing.assert_array_equal(more["indices"], panel.data()["indices"])
    np.testing.assert_allclose(more["patches"], panel.data()["patches"], atol=1e-6)


@pytest.mark.parametrize(("make", "options"), [(cw.EmbeddingExplorer, {"method": "pca"}), (cw.FeatureMapBrowser, {})])
def test_the_code_of_a_network_of_another_type_takes_the_input_to_it(make, options):
    net = cw.bind(several().double(), input_shape=(3, 8, 8))
    assert "x = x.to('cpu', torch.float64)\n" in make(net, own_pictures, layer="conv", **options).code().replace("    ", "")


def test_the_code_of_a_sample_leaves_nothing_to_the_user(tmp_path):
    for panel in (browser("digits", "conv2"), cw.FilterGrid(cw.load("scenes"))):
        assert "..." not in panel.code()


def test_the_code_is_plain_pytorch():
    code = browser("scenes", "layer1.0.add").code()
    assert "cw.methods" not in code
    assert "torch.overrides.TorchFunctionMode" in code


def test_code_of_a_path_in_the_home_folder_can_be_run(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    save(tmp_path / "cat.png", "RGB")
    assert repr(str(tmp_path / "cat.png")) in browser("scenes", "conv1", image="~/cat.png").code()
