"""The code blocks of the documentation run, page by page, and print what their comments say."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest
import torch

from cnnwidgets.net.output import KINDS

PAGES = sorted((Path(__file__).parents[1] / "docs").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_of_a_page_runs_and_prints_what_it_says(page):
    code = "\n".join(re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL))
    printed = io.StringIO()
    with torch.random.fork_rng(), contextlib.redirect_stdout(printed):
        torch.manual_seed(0)
        exec(compile(code, str(page), "exec"), {"__name__": "page"})
    said = re.findall(r"^print\(.*\)\s+# (.*)$", code, re.MULTILINE)
    assert said and printed.getvalue().splitlines() == said


def test_the_page_on_outputs_has_a_row_for_each_kind():
    page = next(page for page in PAGES if page.stem == "outputs").read_text("utf-8")
    assert re.findall(r'^\| `"(\w+)"`', page, re.MULTILINE) == list(KINDS)
