"""An extension of Griffe: docstrings as Markdown, with typed lines as code and references as names."""

from __future__ import annotations

import re
from typing import Any

import griffe

TYPED = re.compile(r"(?:^[ ]*(?:>>>|\.\.\.) .*\n?)+(?:^[ ]*(?!>>>)\S.*\n?)*", re.MULTILINE)
REFERENCE = re.compile(r":\w+:`~?([^`]+)`")


class Markdown(griffe.Extension):
    """What the docstrings of the package are written in, as what the site is written in."""

    def on_object(self, *, obj: griffe.Object, loader: griffe.GriffeLoader, **options: Any) -> None:
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value)


def markdown(text: str) -> str:
    """A docstring as Markdown."""
    text = REFERENCE.sub(lambda found: f"`{_short(found[1])}`", text)
    return TYPED.sub(lambda found: f"```pycon\n{_level(found[0])}\n```\n", text)


def _short(reference: str) -> str:
    """``cnnwidgets.methods.sanity_check`` as it is typed."""
    return reference.replace("cnnwidgets.methods.", "cw.methods.").removeprefix("cnnwidgets.")


def _level(typed: str) -> str:
    """Lines without what they are indented by."""
    lines = typed.rstrip().splitlines()
    indent = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[indent:] for line in lines)
