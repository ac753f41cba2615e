"""What is on a page that a panel was written to."""

from __future__ import annotations

import base64
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from cnnwidgets import Panel


class Elements(HTMLParser):
    """The elements of a page, and the text of its scripts."""

    def __init__(self, page: str):
        super().__init__()
        self.tags, self.scripts, self.attributes = [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data):
        if self.tags and self.tags[-1] == "script":
            self.scripts[-1] += data


def content_of(panel: Panel, folder: Path) -> dict[str, Any]:
    """What the page of a panel carries; it is written into a folder."""
    panel.to_html(folder / "panel.html")
    return json.loads(Elements((folder / "panel.html").read_text("utf-8")).scripts[0])


def unpacked(value: Any) -> Any:
    """A trait as the modules on a page get it."""
    if isinstance(value, dict) and set(value) == {"base64"}:
        return base64.b64decode(value["base64"])
    if isinstance(value, dict):
        return {str(key): unpacked(one) for key, one in value.items()}
    return [unpacked(one) for one in value] if isinstance(value, (list, tuple)) else value
