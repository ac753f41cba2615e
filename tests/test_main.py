"""``python -m cnnwidgets``."""

import json
import re
import subprocess
import sys
from pathlib import Path

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


def test_list_prints_every_lecture_with_its_title():
    printed = run("list").stdout.splitlines()
    there = sorted(path.stem for path in (Path(__file__).parents[1] / "notebooks" / "lectures").glob("*.ipynb"))
    assert sorted(command.lectures()) == there and "occlusion" in there
    for name, title in command.lectures().items():
        assert title and any(line.split() == [name, *title.split()] for line in printed)


def test_the_lectures_titles_begin_in_one_column_however_long_a_name_is(tmp_path, monkeypatch, capsys):
    (tmp_path / "lectures").mkdir()
    for name in ("cnn", "a_name_longer_than_any"):
        cells = [{"cell_type": "markdown", "source": ["# Title"]}]
        (tmp_path / "lectures" / f"{name}.ipynb").write_text(json.dumps({"cells": cells}))
    monkeypatch.setattr(command, "_notebooks", lambda: tmp_path)
    command.list_lectures()
    assert [line.index("Title") for line in capsys.readouterr().out.splitlines()[1:]] == [25, 25]


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


def test_the_index_is_opened(monkeypatch):
    called = []
    monkeypatch.setattr(subprocess, "call", lambda line: called.append(line) or 0)
    assert command.main(["index"]) == 0
    assert Path(called[0][-1]).parts[-2:] == ("notebooks", "index.ipynb") and Path(called[0][-1]).exists()


def test_a_lecture_is_opened_by_its_name(monkeypatch):
    called = []
    monkeypatch.setattr(subprocess, "call", lambda line: called.append(line) or 0)
    assert command.main(["lecture", "occlusion"]) == 0
    assert called[0][1:4] == ["-m", "jupyter", "lab"]
    assert Path(called[0][-1]).parts[-3:] == ("notebooks", "lectures", "occlusion.ipynb")
    assert Path(called[0][-1]).exists()


@pytest.mark.parametrize("name", ["oclusion", "../tour", ""])
def test_for_an_unknown_lecture_those_that_exist_are_listed_and_nothing_is_opened(name, monkeypatch, capsys):
    monkeypatch.setattr(subprocess, "call", lambda line: pytest.fail("JupyterLab was opened"))
    assert command.main(["lecture", name]) == 1
    said = capsys.readouterr().err
    assert f"There is no lecture {name!r}." in said
    assert re.search("occlusion +Occlusion: where does the network look\\?", said)


def test_an_installed_package_opens_a_lecture_in_the_copy(tmp_path, monkeypatch):
    package = tmp_path / "site" / "cnnwidgets"
    (package / "notebooks" / "lectures").mkdir(parents=True)
    cells = [{"cell_type": "code", "source": ["# no title"]}, {"cell_type": "markdown", "source": ["# A title\n", "text"]}]
    (package / "notebooks" / "lectures" / "one.ipynb").write_text(json.dumps({"cells": cells}))
    called = []
    monkeypatch.setattr(command, "__file__", str(package / "__main__.py"))
    monkeypatch.setattr(subprocess, "call", lambda line: called.append(line) or 0)
    assert command.lectures() == {"one": "A title"}
    mine = tmp_path / "mine"
    assert command.main(["lecture", "one", "--folder", str(mine)]) == 0
    assert Path(called[0][-1]) == mine / "lectures" / "one.ipynb"
    assert (mine / "lectures" / "one.ipynb").exists()


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
