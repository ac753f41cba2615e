"""What a Binder host builds agrees with what the package asks for."""

import stat
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
BINDER = ROOT / "binder"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def lines():
    text = (BINDER / "requirements.txt").read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_binder_asks_for_the_versions_that_the_package_asks_for():
    package = {r.name: r.specifier for r in map(Requirement, PROJECT["dependencies"])}
    binder = [Requirement(line) for line in lines() if line[0].isalpha()]
    assert {r.name for r in binder} == {"torch", "torchvision"}
    assert all(r.specifier == package[r.name] for r in binder)


def test_binder_installs_the_package_itself_with_jupyterlab():
    assert ".[lab]" in lines()
    assert "lab" in PROJECT["optional-dependencies"]


def test_the_index_of_cpu_builds_is_named_in_binder_alone():
    host = next(line.split()[1] for line in lines() if line.startswith("--extra-index-url")).split("/")[2]
    others = [*ROOT.glob("*.toml"), ROOT / "Makefile", *ROOT.glob(".ci/*"), *ROOT.glob("cnnwidgets/**/*.py")]
    assert [file.name for file in others if host in file.read_text("utf-8")] == []


def test_binders_python_is_one_that_the_package_takes():
    from packaging.specifiers import SpecifierSet

    version = (BINDER / "runtime.txt").read_text("utf-8").strip().removeprefix("python-")
    assert version in SpecifierSet(PROJECT["requires-python"])


@pytest.mark.parametrize("name", ["postBuild", "start"])
def test_scripts_can_be_run(name):
    assert (BINDER / name).stat().st_mode & stat.S_IXUSR
    assert (BINDER / name).read_text("utf-8").startswith("#!/usr/bin/env bash\n")


def test_the_build_script_runs_offline(tmp_path):
    import subprocess

    script = (BINDER / "postBuild").read_text("utf-8").replace("python ", f"{sys.executable} ")
    result = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
