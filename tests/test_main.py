"""``python -m cnnwidgets``."""

import subprocess
import sys

import pytest

from cnnwidgets import __main__ as command
from cnnwidgets import samples


def run(*arguments):
    return subprocess.run([sys.executable, "-m", "cnnwidgets", *arguments], capture_output=True, text=True, timeout=120)


def test_list_prints_the_held_out_accuracy_of_the_samples_and_torchvisions_names():
    printed = run("list").stdout
    for name in samples.NAMES:
        line = next(line for line in printed.splitlines() if line.strip().startswith(name))
        assert f"{100 * samples.sample(name).accuracy:.1f} %" in line
    assert "resnet18" in printed and "vit_b_16" in printed


def test_doctor_finds_nothing_wrong_here():
    result = run("doctor")
    assert result.returncode == 0, result.stdout
    assert result.stdout.strip().endswith("All is well.")


def test_doctor_names_what_is_missing(monkeypatch, capsys):
    monkeypatch.setattr(command, "needed", lambda: ["torch", "no-such-package"])
    assert command.doctor() == 1
    assert "PROBLEM: no-such-package is missing: pip install no-such-package" in capsys.readouterr().out


def test_without_a_command_jupyterlab_opens_the_tour(monkeypatch):
    called = []
    monkeypatch.setattr(subprocess, "call", lambda line: called.append(line) or 0)
    assert command.main([]) == 0
    assert called[0][1:4] == ["-m", "jupyter", "lab"]
    assert called[0][-1].endswith("tour.ipynb")


def test_an_installed_package_opens_a_copy_and_keeps_what_was_worked_in_it(tmp_path, monkeypatch):
    package = tmp_path / "site" / "cnnwidgets"
    (package / "notebooks").mkdir(parents=True)
    (package / "notebooks" / "tour.ipynb").write_text("the tour")
    monkeypatch.setattr(command, "__file__", str(package / "__main__.py"))
    monkeypatch.setattr(subprocess, "call", lambda line: 0)
    mine = tmp_path / "mine"
    command.main(["tour", "--folder", str(mine)])
    assert (mine / "tour.ipynb").read_text() == "the tour"
    (mine / "tour.ipynb").write_text("my answers")
    command.main(["tour", "--folder", str(mine)])
    assert (mine / "tour.ipynb").read_text() == "my answers"


def test_an_unknown_command_is_refused():
    with pytest.raises(SystemExit):
        command.main(["tuor"])
