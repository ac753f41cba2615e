"""``python -m docs.index``: writes ``notebooks/index.ipynb``, the table of all notebooks and panels."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import nbformat

from cnnwidgets.__main__ import TOUR, lectures, title_of
from cnnwidgets.registry import example_line, panels
from docs.gallery import sentence

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
WELCOME = """# cnnwidgets: the index

Everything on this page works offline. A link opens a notebook; each line of code runs as it stands, after
`import cnnwidgets as cw`."""
LIVING = """## Try one

Run this cell (Shift+Enter), then drag the patch."""
CODE = """import cnnwidgets as cw

cw.OcclusionSlider(cw.load("scenes"), cw.samples.scenes())"""


def main() -> None:
    nbformat.write(index(), NOTEBOOKS / "index.ipynb")


def index() -> nbformat.NotebookNode:
    """The notebook, not run yet."""
    markdown, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
    cells = [markdown(WELCOME), markdown(notebooks_table()), markdown(panels_table()), markdown(LIVING), code(CODE)]
    for number, cell in enumerate(cells):
        cell.id = f"index-{number}"
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def notebooks_table() -> str:
    """A row for the tour and each lecture: the picture of a panel in it, and its title."""
    tour = title_of(NOTEBOOKS / TOUR)
    titles = {TOUR: f"The tour: {tour[:1].lower()}{tour[1:]}"}
    titles |= {f"lectures/{name}.ipynb": title for name, title in lectures().items()}
    rows = [f"| {_picture(_most_used(path))} | [{title}]({path}) |" for path, title in titles.items()]
    return "\n".join(["## Notebooks", "", "| | |", "|---|---|", *rows])


def panels_table() -> str:
    """A row for each panel: its picture, what it shows, a line that opens it, and the notebook that uses it most."""
    rows = []
    for name, panel in panels().items():
        path = max(_uses(), key=lambda path: _uses()[path][name])
        where = f"[{Path(path).stem}]({path})"
        rows.append(f"| {_picture(name)} | **{name}**: {sentence(panel)}<br>`{example_line(panel)}` | {where} |")
    return "\n".join(["## Panels", "", "| | | see it in |", "|---|---|---|", *rows])


def _picture(name: str) -> str:
    return f'<img src="images/{name}.webp" width="160" alt="{name}">'


def _most_used(path: str) -> str:
    """The panel that a notebook makes most often."""
    uses = _uses()[path]
    return max(uses, key=lambda name: uses[name])


@cache
def _uses() -> dict[str, dict[str, int]]:
    """How often each notebook makes each panel."""
    paths = [TOUR, *(f"lectures/{name}.ipynb" for name in lectures())]
    texts = {path: (NOTEBOOKS / path).read_text("utf-8") for path in paths}
    return {path: {name: text.count(f"cw.{name}(") for name in panels()} for path, text in texts.items()}


if __name__ == "__main__":
    main()
