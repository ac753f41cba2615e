"""``python -m docs.gallery [FOLDER]``: a page with a card for each panel, which opens the panel itself; it works offline."""

from __future__ import annotations

import argparse
import html
import inspect
import shutil
from pathlib import Path

from cnnwidgets.base import Panel
from cnnwidgets.registry import example, example_line, panels

HERE = Path(__file__).parent
GALLERY = HERE.parent / "build" / "gallery"
CARD = """<article id="{name}">
<a class="open" href="panels/{name}.html" data-name="{name}">
<picture>
<source srcset="images/{name}-dark.webp" media="(prefers-color-scheme: dark)">
<img src="images/{name}-light.webp" alt="" loading="lazy">
</picture>
<h2>{name}</h2>
</a>
<p>{sentence}</p>
<div class="line"><code tabindex="0" aria-label="A line of Python">{line}</code>
<button type="button" data-copy aria-label="Copy the line of {name}">Copy</button></div>
</article>"""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m docs.gallery", description=__doc__)
    parser.add_argument(
        "folder", nargs="?", type=Path, default=GALLERY, help="where it is written to; by default build/gallery"
    )
    folder = parser.parse_args(arguments).folder
    write(folder)
    print(folder / "index.html")


def write(folder: Path) -> None:
    """Write the gallery to a folder: ``index.html``, a page for each panel and the pictures."""
    for part in ("panels", "images"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for name, panel in panels().items():
        made = example(panel)
        made.to_html(folder / "panels" / f"{name}.html")
        made.close()
        for theme in ("light", "dark"):
            picture = f"{name}-{theme}.webp"
            shutil.copy(HERE / "images" / picture, folder / "images" / picture)
    cards = "\n".join(card(name, panel) for name, panel in panels().items())
    page = (HERE / "gallery.html").read_text("utf-8").replace("/* CARDS */", cards)
    (folder / "index.html").write_text(page, "utf-8")


def card(name: str, panel: type[Panel]) -> str:
    return CARD.format(name=name, sentence=html.escape(sentence(panel)), line=html.escape(example_line(panel)))


def sentence(panel: type[Panel]) -> str:
    """The first line of a panel's docstring."""
    return (inspect.getdoc(panel) or "").splitlines()[0]


if __name__ == "__main__":
    main()
