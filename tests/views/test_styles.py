"""Style sheets of views meet on one page: none may change what another view draws."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from cnnwidgets import views
from cnnwidgets.views import View

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


VIEWS = [one for one in vars(views).values() if isinstance(one, type) and issubclass(one, View) and one is not View]
EVERY = Counter(each for path in SHEETS.values() for each in set(CLASS.findall("".join(selectors(path)))))


@pytest.mark.parametrize("name", [name for name in SHEETS if SHEETS[name].with_suffix(".js").exists()])
def test_a_class_that_several_views_have_is_styled_within_the_view_alone(name):
    shared = [one for one in selectors(SHEETS[name]) if any(EVERY[each] > 1 for each in CLASS.findall(one))]
    assert [one for one in shared if f".{root(name)}" not in one] == []


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
def test_no_selector_begins_with_a_class_that_another_view_s_elements_have(view):
    path = next(path for name, path in SHEETS.items() if view.style.endswith(path.read_text("utf-8")))
    first = {found[0] for one in selectors(path) if (found := CLASS.findall(one)) and one.startswith(f".{found[0]}")}
    others = [one for one in VIEWS if one is not view]
    shared = [(name, one.__name__) for name in first for one in others if re.search(rf"[\"'` ]{name}[\"'` ]", one.source)]
    assert shared == []
