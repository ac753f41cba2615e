"""The index of the notebooks, and the pictures of the documentation, have all panels and all lectures."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from cnnwidgets.__main__ import lectures
from cnnwidgets.registry import panels
from docs.gallery import card
from docs.index import index
from docs.pictures import MOST_BYTES, PICTURES, STATES, THEMES

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


@pytest.fixture(scope="module")
def sources():
    cells = json.loads((NOTEBOOKS / "index.ipynb").read_text("utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells]


def test_the_index_is_the_one_that_the_panels_and_lectures_make(sources):
    assert sources == [cell.source for cell in index().cells]


def test_the_index_has_a_row_for_each_lecture_and_panel(sources):
    text = "\n".join(sources)
    assert all(f"](lectures/{name}.ipynb)" in text for name in lectures()) and "](tour.ipynb)" in text
    assert re.findall(r"\*\*(\w+)\*\*: ", text) == list(panels())


def test_the_links_and_pictures_of_the_index_are_there(sources):
    links = re.findall(r'\]\(([^)]+)\)|src="([^"]+)"', "\n".join(sources))
    assert links and [name for pair in links for name in pair if name and not (NOTEBOOKS / name).exists()] == []


@pytest.mark.parametrize("name", panels())
def test_every_panel_has_a_state_to_take_its_picture_in(name):
    assert f"cw.{name}(" in STATES[name]


@pytest.mark.parametrize("name", [f"{name}-{theme}.webp" for name in STATES for theme in THEMES])
def test_pictures_are_small_files_and_the_dark_ones_are_dark(name):
    picture = Image.open(PICTURES / name)
    assert (PICTURES / name).stat().st_size <= MOST_BYTES
    corner = picture.convert("L").getpixel((0, 0))
    assert corner < 100 if name.endswith("-dark.webp") else corner > 200


def test_what_is_on_a_card_is_text():
    class Bold(panels()["FilterGrid"]):
        """A <b>bold</b> panel.

        >>> cw.Bold("<b>")
        """

    text = card("Bold", Bold)
    assert "&lt;b&gt;bold&lt;/b&gt; panel." in text and "cw.Bold(&quot;&lt;b&gt;&quot;)" in text and "<b>" not in text
