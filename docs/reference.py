"""A hook of MkDocs: the pages that are written from the code itself, and the gallery, whose living panels are on them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import traitlets as t
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import cnnwidgets
from cnnwidgets import base, methods, net, samples, views
from cnnwidgets.base import Panel
from cnnwidgets.methods import objectives, regularizers
from cnnwidgets.registry import panels
from docs import gallery

ROOT = Path(__file__).parents[1]
GUIDES = {
    "inputs.md": "What an input is",
    "outputs.md": "What an output means",
    "networks.md": "Networks",
    "occlusion.md": "Occlusion",
    "saliency.md": "Saliency",
    "maximize.md": "What a unit wants",
    "units.md": "Units and their connections",
    "evolution.md": "How it came to be",
    "embedding.md": "Embeddings",
    "schedules.md": "Learning rates",
    "initialization.md": "Before training",
    "training.md": "Training",
    "scan.md": "Whole data sets",
    "write_a_panel.md": "Write a panel",
    "look.md": "The look",
    "cite.md": "Cite",
}
FOLLOWS = {"compute": "computes", "draw": "draws", "nothing": "at once"}
STATE = """## State

Each is a keyword of the constructor and an entry in `panel.state`, and can be set at any time. After a change,
the panel computes its result again, only draws it again, or shows the change at once.

| trait | values | default | after a change |
|---|---|---|---|"""
EVERY_PANEL = """
result error wait state restore data code figure to_html close public_traits
build compute summary progress remarks more_controls take_value subject unit_address bind tie reveal put ask aside
""".split()
"""What is told once, of the base of all panels."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    guides = {name: title for name, title in GUIDES.items() if (ROOT / "docs" / name).exists()}
    config.nav = [
        {"cnnwidgets": "index.md"},
        {"Gallery": "gallery/index.html"},
        {"Guides": [{title: name} for name, title in guides.items()]},
        {"Panels": ["panels/index.md", *(f"panels/{name}.md" for name in panels())]},
        {"Reference": [{title: f"reference/{name}.md"} for name, (title, _) in references().items()]},
        {"Changes": "changes.md"},
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    gallery.write(gallery.GALLERY)
    for path in sorted(gallery.GALLERY.rglob("*.*")):
        if path.suffix == ".html":
            name = (Path("gallery") / path.relative_to(gallery.GALLERY)).as_posix()
            files.append(File.generated(config, name, abs_src_path=str(path)))
    for path in sorted((gallery.GALLERY / "images").iterdir()):
        files.append(File.generated(config, f"gallery/images/{path.name}", abs_src_path=str(path)))
    for name, text in pages().items():
        files.append(File.generated(config, name, content=text))
    return files


def pages() -> dict[str, str]:
    """All pages that are written from the code, by their names."""
    return {
        "index.md": home(),
        "changes.md": (ROOT / "CHANGELOG.md").read_text("utf-8"),
        "panels/index.md": contents(),
        **{f"panels/{name}.md": panel_page(name, panel) for name, panel in panels().items()},
        **{f"reference/{name}.md": reference(*about) for name, about in references().items()},
    }


def home() -> str:
    """The README, whose links go to the pages here; those to what is no page go to the repository."""
    text = (ROOT / "README.md").read_text("utf-8").replace("docs/", "")
    text = f"---\nhide: [navigation, toc]\n---\n{text}"
    return re.sub(r"\]\((?!https?:|#)([^)]+)\)", lambda found: f"]({_moved(found[1])})", text)


def _moved(link: str) -> str:
    if link == "CHANGELOG.md":
        return "changes.md"
    page = link.partition("#")[0]
    is_here = (ROOT / "docs" / page).exists()
    return link if is_here else f"https://github.com/cnnwidgets/cnnwidgets/blob/main/{link}"


# panels


def contents() -> str:
    rows = [f"| [`{name}`]({name}.md) | {gallery.sentence(panel)} |" for name, panel in panels().items()]
    return "\n".join(
        ["# Panels", "", "All of them at once: [the gallery](../gallery/index.html).", "", "| panel | |", "|---|---|", *rows]
    )


def panel_page(name: str, panel: type[Panel]) -> str:
    """A panel's page: the panel itself, its docstring, its methods, and its state, a line for each trait."""
    return "\n".join([
        "---",
        "hide: [toc]",
        "---",
        f"# {name}",
        "",
        gallery.sentence(panel),
        "",
        f'<iframe class="living" src="../gallery/panels/{name}.html" title="{name}" loading="lazy"></iframe>',
        "",
        STATE,
        *(trait_line(one, trait) for one, trait in panel.public_traits().items()),
        "",
        *directive(_path(panel), f"cw.{name}", members=own(panel)),
        "Every panel also has `result`, `data()`, `figure()`, `code()` and more: see [`cw.Panel`](../reference/base.md).",
    ])  # fmt: skip


def own(panel: type[Panel]) -> list[str]:
    """What one calls a panel's own: its properties and methods but for those that the base calls."""
    return [
        name
        for name, one in vars(panel).items()
        if not name.startswith("_") and name not in (*EVERY_PANEL, *panel.public_traits())
        and (isinstance(one, property) or inspect.isfunction(one)) and one.__doc__ and not hasattr(one, "draws")
    ]  # fmt: skip


def trait_line(name: str, trait: t.TraitType) -> str:
    about = f'<span id="{name}"></span>**`{name}`**<br>{_sentence(trait.help or "")}'
    return f"| {about} | {values(trait)} | {default(trait)} | {FOLLOWS[trait.metadata['then']]} |".replace("\n", " ")


def values(trait: t.TraitType) -> str:
    """What a trait takes, in words."""
    match trait:
        case t.Enum():
            said = ", ".join(f"`{value!r}`" for value in trait.values)
        case t.Bool():
            said = "`True`, `False`"
        case t.Int() | t.Float():
            said = ("a whole number" if isinstance(trait, t.Int) else "a number") + _range(trait)
        case t.Unicode():
            said = "text"
        case t.List() | t.Tuple():
            said = "a list"
        case t.Union():
            said = " or ".join(dict.fromkeys(values(one) for one in trait.trait_types))
        case t.Callable():
            said = "a function"
        case _:
            said = "see left"
    return f"{said}, or `None`" if trait.allow_none else said


def _range(trait: Any) -> str:
    low, high = (None if end is None or abs(end) == float("inf") else f"{end:g}" for end in (trait.min, trait.max))
    if low is None and high is None:
        return ""
    return f" from {low} to {high}" if low and high else f", at least {low}" if low else f", at most {high}"


def default(trait: t.TraitType) -> str:
    value = trait.default() if trait.default_value is t.Undefined else trait.default_value
    if value is None and trait.metadata["usual"]:
        return "chosen from the network and the picture"
    return f"`{value!r}`"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


# what is no panel


def references() -> dict[str, tuple[str, dict[str, str]]]:
    """The other pages of the reference: title, and where each name on it is written, by how it is typed."""
    of_methods = {name: getattr(methods, name) for name in methods.__all__}
    functions = [name for name, one in of_methods.items() if inspect.isfunction(one)]
    results = [name for name in of_methods if name not in functions]
    apart = (*panels(), "Panel")
    top = [name for name in cnnwidgets.__all__ if name not in apart and callable(getattr(cnnwidgets, name))]
    of_nets = {**written(cnnwidgets, "cw", top), **written(net, "cnnwidgets.net", net.__all__)}
    return {
        "networks": ("Networks", of_nets),
        "methods": ("Methods", written(methods, "cw.methods", functions)),
        "objectives": ("Objectives and regularizers", {
            **written(objectives, "cw.methods.objectives", objectives.__all__),
            **written(regularizers, "cw.methods.regularizers", regularizers.__all__),
        }),
        "results": ("Results and tables", written(methods, "cw.methods", results)),
        "samples": ("Samples", written(samples, "cw.samples", samples.__all__)),
        "base": ("Panels of your own", {"cw.Panel": _path(Panel), **written(base, "cnnwidgets.base", base.__all__)}),
        "views": ("Views", written(views, "cnnwidgets.views", views.__all__)),
    }  # fmt: skip


def written(module: ModuleType, typed: str, names: Iterable[str]) -> dict[str, str]:
    """Where a module's names are written; what has been told at the top is not told again."""
    told = () if module is cnnwidgets else cnnwidgets.__all__
    return {
        f"{typed}.{name}": _path(getattr(module, name)) or f"{module.__name__}.{name}"
        for name in names
        if name not in told or getattr(cnnwidgets, name) is not getattr(module, name)
    }


def reference(title: str, names: dict[str, str]) -> str:
    lines = [f"# {title}", ""]
    for typed, path in names.items():
        lines += directive(path, typed, members=EVERY_PANEL if path == _path(Panel) else None)
    return "\n".join(lines)


def directive(path: str, typed: str, members: list[str] | None = None) -> list[str]:
    """What MkDocs makes the reference of a name from; ``members`` are those of a class that are told, by default all."""
    listed = [] if members is None else [f"      members: {members or 'false'}", "      inherited_members: true"]
    return [
        f"::: {path}",
        "    options:",
        f"      heading: {typed}",
        f"      toc_label: {typed.rpartition('.')[2]}",
        *listed,
        "",
    ]


def _path(one: Any) -> str:
    """Where a class or a function is written; "" for anything else."""
    is_written = inspect.isclass(one) or inspect.isfunction(one)
    return f"{one.__module__}.{one.__qualname__}" if is_written else ""
