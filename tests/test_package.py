"""The front door: every public name is there, and opening it costs nothing."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import cnnwidgets as cw
import cnnwidgets.panels

HEAVY = ("torch", "torchvision", "umap", "sklearn", "skimage", "matplotlib", "plotly", "numpy", "ipywidgets", "anywidget")


def fresh(code: str) -> str:
    """What a new Python process prints."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60).stdout


def test_importing_the_package_imports_nothing_heavy():
    loaded = fresh("import sys, cnnwidgets; print(*{name.partition('.')[0] for name in sys.modules})").split()
    assert "cnnwidgets" in loaded
    assert set(loaded) & set(HEAVY) == set()


def test_importing_the_package_takes_a_third_of_a_second_at_most():
    code = "import time; start = time.perf_counter(); import cnnwidgets; print(time.perf_counter() - start)"
    assert min(float(fresh(code)) for _ in range(3)) < 0.3


def test_asking_for_a_sample_does_not_import_the_widgets():
    loaded = fresh("import sys, cnnwidgets as cw; cw.load('digits'); print(*sys.modules)").split()
    assert "torch" in loaded
    assert {"ipywidgets", "plotly", "umap"}.isdisjoint(loaded)


@pytest.mark.parametrize("name", cw.__all__)
def test_every_public_name_is_there(name):
    value = getattr(cw, name)
    assert value is getattr(cw, name)
    assert name in dir(cw)
    assert value.__doc__


def test_a_star_import_gives_the_public_names():
    found = {}
    exec("from cnnwidgets import *", found)
    assert set(cw.__all__) <= found.keys()


@pytest.mark.parametrize("module", [cw, cw.samples, cw.panels])
def test_an_unknown_name_is_an_attribute_error(module):
    with pytest.raises(AttributeError, match=f"No {module.__name__} attribute Bind"):
        _ = module.Bind


@pytest.mark.parametrize("module", [cw, cw.samples, cw.panels])
def test_the_stub_that_editors_read_is_the_list_of_public_names(module):
    """``import x as x`` is what makes a name public for them."""
    tree = ast.parse(Path(module.__file__).with_suffix(".pyi").read_text("utf-8"))
    aliases = [alias for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert all(alias.name == alias.asname for alias in aliases)
    assert sorted(alias.name for alias in aliases) == sorted(module.__all__)


def test_types_are_for_others_to_check():
    assert (Path(cw.__file__).parent / "py.typed").exists()


def test_one_panel_does_not_import_the_others():
    loaded = fresh("import sys, cnnwidgets as cw; cw.FilterGrid; print(*sys.modules)").split()
    assert "cnnwidgets.panels.filters" in loaded
    assert {"cnnwidgets.panels.embedding", "cnnwidgets.panels.saliency", "plotly", "umap"}.isdisjoint(loaded)


@pytest.mark.parametrize("home", ["net", "methods", "panels", "views"])
def test_the_public_names_of_every_floor_are_there(home):
    module = importlib.import_module(f"cnnwidgets.{home}")
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_the_version_is_that_of_the_wheel():
    project = Path(cw.__file__).parents[1] / "pyproject.toml"
    if not project.exists():
        pytest.skip("installed from a wheel")
    assert f'version = "{cw.__version__}"' in project.read_text("utf-8")
