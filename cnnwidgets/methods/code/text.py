"""Lines of code, put in order."""

from __future__ import annotations


def tidy(lines: str) -> str:
    """The same lines with their imports in front, each once."""
    rows = lines.split("\n")
    imports = dict.fromkeys(row for row in rows if row.startswith(("import ", "from ")))
    return "\n".join([*imports, *(row for row in rows if row not in imports)])
