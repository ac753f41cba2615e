"""One color per class: ten that readers tell apart, with and without all three kinds of cones, on any page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_hex
from skimage.color import deltaE_ciede2000, rgb2lab

from cnnwidgets import views
from cnnwidgets.views.palette import CLASS_COLORS, class_color, class_colors, ink_on
from docs.palette import EYES, PAGES, contrast, distances, rgb
from tests.views.test_modules import needs_node, node


@pytest.mark.parametrize(("eye", "least"), [("normal", 19), ("protan", 12), ("deutan", 12), ("tritan", 12)])
def test_ten_classes_are_told_apart_by_every_kind_of_eye(eye, least):
    """CIEDE2000: 1 is just noticed side by side; 10 is seen at a glance."""
    assert distances(CLASS_COLORS, eye).min() >= least


def test_each_class_stands_out_from_a_light_and_a_dark_page():
    """WCAG 2.2, 1.4.11: at least 3:1 for graphics."""
    assert {page: round(min(contrast(color, ground) for color in CLASS_COLORS), 1) for page, ground in PAGES.items()} == {
        "light": 3.0, "dark": 3.0,
    }  # fmt: skip
    assert min(contrast(color, ground) for color in CLASS_COLORS for ground in PAGES.values()) >= 2.995


def test_the_matrices_keep_gray_and_make_red_and_green_alike():
    for eye in EYES:
        gray = rgb("#808080", eye)
        assert np.ptp(gray) < 0.01
    seen = [rgb2lab(rgb(color, "deutan")) for color in ("#a8740c", "#5a8f00")]
    whole = [rgb2lab(rgb(color, "normal")) for color in ("#a8740c", "#5a8f00")]
    assert deltaE_ciede2000(*seen) < deltaE_ciede2000(*whole) / 3


def test_a_class_keeps_its_color_however_many_there_are():
    assert class_colors(1000)[:10] == class_colors(10) == list(CLASS_COLORS)
    assert len(set(class_colors(30))) == 30 and class_color(30) == class_color(0)


@needs_node
def test_the_browser_has_the_same_colors(tmp_path):
    source = (Path(views.__file__).parent / "palette.js").read_text("utf-8")
    code = f"{source}\nconsole.log(JSON.stringify(Array.from({{ length: 64 }}, (_, k) => classColor(k))));"
    assert json.loads(node(code, tmp_path)) == class_colors(64)


def test_ink_can_be_read_on_every_color_of_the_diverging_table():
    table = colormaps["RdBu_r"]
    for level in range(256):
        color = table(level)[:3]
        assert contrast(to_hex(color), {"white": "#ffffff", "black": "#000000"}[ink_on(color)]) >= 4.5
