"""Where a package is missing that only some panels need, all others open, and a sentence says what to install."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch

import cnnwidgets as cw
from cnnwidgets.net import internals, replica
from cnnwidgets.net.incremental import convolution
from cnnwidgets.optional import MissingPackage
from cnnwidgets.registry import panels

LIBRARIES = {"umap": ("umap-learn", "umap"), "tsne": ("openTSNE", "openTSNE")}

WITHOUT = """
import importlib.metadata, json, pathlib, sys

MODULES = {"umap": "umap-learn", "openTSNE": "openTSNE", "plotly": "plotly"}

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in MODULES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    def find_distributions(self, context):
        if context.name in MODULES.values():
            raise importlib.metadata.PackageNotFoundError(context.name)
        return []

sys.meta_path.insert(0, Missing())

import cnnwidgets as cw
from cnnwidgets.registry import example, panels

found = {}

def tell(name, panel):
    panel.wait(100)
    panel.to_html(f"{name}.html")
    found[name] = [panel.status.kind, panel.status.message, pathlib.Path(f"{name}.html").stat().st_size > 10_000]

for name, panel in panels().items():
    tell(name, example(panel))
explorer = example(cw.EmbeddingExplorer)
explorer.wait(100)
found["methods"] = [value for _, value in explorer.controls["method"]["options"]]
for method in ("umap", "pca"):
    explorer.method = method
    tell(method, explorer)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def without(tmp_path_factory):
    """What all panels say in a process that has none of these packages."""
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT], check=True, capture_output=True, text=True, timeout=280,
        cwd=tmp_path_factory.mktemp("without"),
    )  # fmt: skip
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", [name for name in panels() if name != "EmbeddingExplorer"])
def test_every_panel_opens_without_them(without, name):
    kind, message, has_page = without[name]
    assert (kind, has_page) == ("ready", True)
    has_chart = name not in (
        "BackwardRules",
        "FilterGrid",
        "OcclusionSlider",
        "SaliencyPanel",
        "TopPatches",
        "TwoNetworks",
    )  # or asks for none
    assert ("A chart needs plotly, which is not installed: pip install plotly" in message) == has_chart


def test_a_layout_says_which_package_it_needs(without):
    assert without["EmbeddingExplorer"][:2] == [
        "error", "The t-SNE layout needs openTSNE, which is not installed: pip install openTSNE"
    ]  # fmt: skip
    assert without["umap"][:2] == [
        "error", "The UMAP layout needs umap-learn, which is not installed: pip install umap-learn"
    ]  # fmt: skip


def test_pca_works_without_them_and_the_others_are_still_offered(without):
    assert without["methods"] == ["pca", "tsne", "umap"]
    kind, message, _ = without["pca"]
    assert kind == "ready"
    assert "PCA" in message


def not_installed(package):
    raise importlib.metadata.PackageNotFoundError(package)


@pytest.mark.parametrize("method", LIBRARIES)
def test_the_method_itself_says_so_before_it_begins(method, monkeypatch):
    package, module = LIBRARIES[method]
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(importlib.metadata, "version", not_installed)
    with pytest.raises(MissingPackage, match=f"needs {package}, which is not installed: pip install {package}$"):
        cw.methods.embed(np.eye(9, 5), method)
    cw.methods.embed(np.eye(9, 5), "pca")


@pytest.mark.parametrize(
    "module, name, method",
    [
        ("umap.layouts", "optimize_layout_euclidean", "umap"),
        ("umap.umap_", "find_ab_params", "umap"),
        ("umap.umap_", "make_epochs_per_sample", "umap"),
        ("openTSNE.tsne", "gradient_descent", "tsne"),
        ("openTSNE.tsne", "kl_divergence_bh", "tsne"),
        ("openTSNE.tsne", "kl_divergence_fft", "tsne"),
        ("openTSNE.nearest_neighbors", "Sklearn", "tsne"),
    ],
)
def test_a_version_without_what_is_used_is_told_with_those_that_have_it(module, name, method, monkeypatch):
    monkeypatch.delattr(importlib.import_module(module), name)
    package, _ = LIBRARIES[method]
    version = importlib.metadata.version(package)
    with pytest.raises(
        MissingPackage, match=rf"cannot use {package} {version} \(.*'{name}'.*\): pip install '{package}[><=.,0-9]+'$"
    ):
        cw.methods.embed(np.eye(9, 5), method)


@pytest.mark.parametrize(
    "module, name",
    [
        ("torch._C", "DisableTorchFunction"),
        ("torch._ops", "OpOverload"),
        ("torch.utils._python_dispatch", "TorchDispatchMode"),
    ],
)
def test_a_torch_without_what_nothing_stands_in_for_is_refused_in_a_sentence(module, name, monkeypatch):
    monkeypatch.delattr(importlib.import_module(module), name)
    with pytest.raises(MissingPackage, match=rf"cnnwidgets cannot use torch .*{name}.*: pip install 'torch[><=.,0-9]+'$"):
        importlib.reload(internals)


def test_convolutions_are_torchs_own_where_onednns_cannot_be_called(monkeypatch):
    assert convolution._has_onednn() == convolution._HAS_ONEDNN
    conv = convolution.convolution(torch.nn.Conv2d(3, 4, 3), torch.randn(4, 3, 3, 3), torch.randn(4))
    picture = torch.randn(1, 3, 8, 8)
    usual = conv(picture)
    monkeypatch.delattr(torch._C._nn, "mkldnn_reorder_conv2d_weight")
    assert not convolution._has_onednn()
    monkeypatch.setattr(convolution, "_HAS_ONEDNN", False)
    torch.testing.assert_close(conv(picture), usual)


def test_weights_are_copied_one_by_one_where_torch_cannot_at_once(monkeypatch):
    monkeypatch.delattr(torch, "_foreach_copy_")
    sources = [torch.rand(2, 3), torch.rand(5)]
    targets = [torch.zeros(2, 3), torch.zeros(5)]
    replica._copy_all(targets, sources)
    assert all(map(torch.equal, targets, sources))


def test_a_pool_ends_its_work_at_exit_without_the_hook_of_threads(monkeypatch):
    monkeypatch.delattr(threading, "_register_atexit")
    hooked = []
    monkeypatch.setattr("atexit.register", hooked.append)
    pool = importlib.import_module("cnnwidgets.base.pool").Pool()
    assert hooked == [pool.close]
