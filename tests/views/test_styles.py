"""Style sheets of views meet on one page: none may change what another view draws."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from cnnwidgets import views

SHEETS = {path.stem: path for path in Path(views.__file__).parent.glob("*.css") if path.stem != "views"}
CLASS = re.compile(r"\.(cw-[\w-]+)")


def selectors(path: Path) -> list[str]:
    """The selectors of a style sheet, those in media queries too."""
    text = re.sub(r"/\*.*?\*/", "", path.read_text("utf-8"), flags=re.DOTALL)
    text = re.sub(r"@media[^{]*\{", "", text)
    found = re.findall(r"([^{}]+)\{[^{}]*\}", text)
    return [one.strip() for each in found for one in re.split(r",(?![^()]*\))", each)]


def root(name: str) -> str:
    """The class of a view's own element."""
    return re.findall(r'className: "cw (cw-[\w-]+)"', SHEETS[name].with_suffix(".js").read_text("utf-8"))[0]


EVERY = Counter(found for path in SHEETS.values() for found in {each for one in selectors(path) for each in CLASS.findall(one)})


@pytest.mark.parametrize("name", [name for name in SHEETS if SHEETS[name].with_suffix(".js").exists()])
def test_a_class_that_several_views_have_is_styled_within_the_view_alone(name):
    shared = [one for one in selectors(SHEETS[name]) if any(EVERY[each] > 1 for each in CLASS.findall(one))]
    assert [one for one in shared if f".{root(name)}" not in one] == []
