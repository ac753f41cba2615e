"""ES modules as one text: a file and what it imports, each once, so that no build step and no second file is needed."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path

_IMPORT = re.compile(r'^import \{[^}]*\} from "(\.[^"]+)";\n', re.MULTILINE)

_EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)

_COMMENTS = re.compile(r"^ *(//.*|/\*\*[\s\S]*?\*/)\n", re.MULTILINE)

_UNPACK = """const unpacked = (async () => {
  const packed = Uint8Array.from(atob("PACKED"), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const address = URL.createObjectURL(new Blob([await new Response(stream).text()], { type: "text/javascript" }));
  const { default: view, css } = await import(address);
  URL.revokeObjectURL(address);
  return { view, css };
})();
export default {
  initialize({ model }) {
    const held = [];
    const hold = (...message) => held.push(message);
    model.on("msg:custom", hold);
    unpacked.then(({ view }) => {
      model.off("msg:custom", hold);
      view.initialize?.({ model, held });
    });
  },
  render: async (context) => {
    const { view, css } = await unpacked;
    context.el.append(Object.assign(document.createElement("style"), { textContent: css }));
    return view.render(context);
  },
};
"""
"""The module is there at once and the view later: a host gives a module two seconds, also on a page that is busy.

Messages that come meanwhile are held for the view's own ``initialize({ model, held })``.
"""


def inlined(*files: Path) -> str:
    """Modules with what they import in front, each file once. All share one scope, so that their names differ.

    An import names what it takes, ``import { h, put } from "./shared.js";``, and renames nothing.
    """
    found: dict[Path, str] = {}
    for file in files:
        _parts(file.resolve(), found)
    return "".join(found.values())


def _parts(file: Path, found: dict[Path, str]) -> None:
    """Find the texts of a module and of its imports, in the order in which they are needed."""
    if file not in found:
        source = file.read_text("utf-8")
        found[file] = ""
        for address in _IMPORT.findall(source):
            _parts((file.parent / address).resolve(), found)
        del found[file]  # after what it imports
        found[file] = _EXPORT.sub("", _IMPORT.sub("", source))


def packed(source: str, css: str) -> str:
    """A module that unpacks and exports another one, with its style sheet: a third of their text."""
    whole = f"{_COMMENTS.sub('', source)}export const css = {json.dumps(css)};\n"
    content = gzip.compress(whole.encode(), mtime=0)
    return _UNPACK.replace("PACKED", base64.b64encode(content).decode())
