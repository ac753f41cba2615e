"""The traits of every view as TypeScript, for what checks the modules: ``python -m tests.views.traits`` writes them anew."""

from __future__ import annotations

from pathlib import Path

import traitlets as t

from cnnwidgets import views
from cnnwidgets.views import View

FILE = Path(views.__file__).with_name("traits.d.ts")
HEAD = "// The traits of each view, by their types in Python: `python -m tests.views.traits` writes this file.\n"
OWN = frozenset(View.class_traits(sync=True)) | {"_esm", "_css"}


def typed(trait: t.TraitType) -> str:
    """The TypeScript type of what a trait holds."""
    if isinstance(trait, t.Enum):
        found = " | ".join(f'"{value}"' for value in trait.values)
    elif isinstance(trait, t.Bytes):
        found = "DataView"
    elif isinstance(trait, t.Bool):
        found = "boolean"
    elif isinstance(trait, (t.Int, t.Float)):
        found = "number"
    elif isinstance(trait, t.Unicode):
        found = "string"
    elif isinstance(trait, t.List):
        inner = typed(trait._trait) if isinstance(trait._trait, t.TraitType) else "any"
        found = f"{inner}[]" if inner.isidentifier() else f"({inner})[]"
    elif isinstance(trait, t.Dict):
        found = "Record<string, any>"
    else:
        found = "any"
    return f"{found} | null" if trait.allow_none and found != "any" else found


def declared() -> str:
    """The declarations of all views."""
    every = [view for view in vars(views).values() if isinstance(view, type) and issubclass(view, View) and view is not View]
    parts = [HEAD]
    for view in sorted(every, key=lambda view: view.__name__):
        traits = {name: trait for name, trait in sorted(view.class_traits(sync=True).items()) if name not in OWN}
        lines = (f"  {name}: {typed(trait)};" for name, trait in traits.items())
        parts.append("\n".join([f"export interface {view.__name__} {{", *lines, "}\n"]))
    return "\n".join(parts)


if __name__ == "__main__":
    FILE.write_text(declared(), "utf-8")
