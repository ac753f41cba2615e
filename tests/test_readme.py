"""The README: its code runs, each line of its table works, and what it links to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torchvision.models import swin_v2_t
from torchvision.models.detection import ssdlite320_mobilenet_v3_large

import cnnwidgets as cw
from cnnwidgets.registry import panels

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
WISHES = re.findall(r"^\| \[[\w-]+#\d+\]\(https://github\.com/[\w/-]+/\d+\): .+ \| `(.+?)`: .+ \|$", README, re.MULTILINE)


def best_box(output):
    return output[0]["scores"][:1].sum()


@pytest.fixture(scope="module")
def given():
    """What the lines of the table are about."""
    torch.manual_seed(0)
    net, pictures = cw.load("scenes"), cw.samples.scenes(size=60)
    task = cw.methods.task("digits")
    detector = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None).eval()
    return {
        "cw": cw, "net": net, "picture": pictures[3], "pictures": pictures, "best_box": best_box, "model": task.model,
        "loader": task.loader, "swin": cw.bind(swin_v2_t(weights=None).eval(), input_shape=(3, 64, 64)),
        "detector": cw.bind(detector, input_shape=(3, 96, 96)),
    }  # fmt: skip


def test_the_code_runs():
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    space: dict = {}
    exec(code.replace("cw.OcclusionSlider(", "shown = cw.OcclusionSlider("), space)
    assert space["shown"].result.exact


def test_the_table_answers_eight_wishes_or_more():
    assert len(WISHES) >= 8


@pytest.mark.parametrize("line", WISHES)
def test_a_line_of_the_table_works(line, given):
    picture = {"swin": torch.rand(3, 64, 64), "detector": torch.rand(3, 96, 96)}.get(line.partition("(")[2].split(",")[0])
    made = eval(line, given | ({} if picture is None else {"picture": picture}))
    if isinstance(made, cw.Panel):
        assert made.result is not None
        made.close()


def test_every_panel_has_a_row():
    assert sorted(re.findall(r"^\| `([A-Z]\w+)\(", README, re.MULTILINE)) == sorted(panels())


def test_all_that_it_links_to_is_there():
    links = re.findall(r'\]\((?!https?:)([^)#]+)|(?:src|srcset)="(?!https?:)([^"]+)"', README)
    assert links and [name for pair in links for name in pair if name and not (ROOT / name).exists()] == []


@pytest.mark.parametrize("name", [page.name for page in (ROOT / "docs").glob("*.md")])
def test_the_pages_pictures_are_there(name):
    page = (ROOT / "docs" / name).read_text("utf-8")
    assert [link for link in re.findall(r'(?:src|srcset)="([^"]+)"', page) if not (ROOT / "docs" / link).exists()] == []
