"""The ES modules: they parse, they load nothing, they write no markup, and they keep to their own element."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from cnnwidgets import base, views
from cnnwidgets.views import View
from cnnwidgets.views.modules import inlined

VIEWS = [view for view in vars(views).values() if isinstance(view, type) and issubclass(view, View) and view is not View]
SOURCES = {path.name: path.read_text("utf-8") for path in Path(views.__file__).parent.glob("*.js")}
BASE = {
    f"base/{path.name}": path.read_text("utf-8")
    for path in Path(base.__file__).parent.glob("*.js")
    if path.name != "page.js"
}
SHIM = Path(base.__file__).with_name("page.js").read_text("utf-8")

MARKUP = ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "createContextualFragment"]
NAMESPACE = "http://www.w3.org/2000/svg"
"""A name, which nothing is loaded from."""

ADDRESSES = r"https?:|[\"'`]//|\bfetch\(|XMLHttpRequest|importScripts|WebSocket|EventSource"

TAKE = (
    "URL.createObjectURL = (blob) => "
    "(globalThis.sent = blob, 'data:text/javascript,export default 5; export const css = 1');\n"
)
"""Lets node see what is unpacked."""

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
every_source_of_ours = pytest.mark.parametrize("source", [*SOURCES.values(), *BASE.values()], ids=[*SOURCES, *BASE])
every_source = pytest.mark.parametrize("source", [*SOURCES.values(), *BASE.values(), SHIM], ids=[*SOURCES, *BASE, "page.js"])


def module(name: str) -> str:
    """A file with its imports in it, and nothing exported."""
    source = inlined(Path(views.__file__).parent / name)
    return re.sub(r"^export default .*$", "", source, flags=re.MULTILINE)


def node(code: str, tmp_path) -> str:
    """What a module prints."""
    module = tmp_path / "module.mjs"
    module.write_text(code, "utf-8")
    return subprocess.run(["node", str(module)], check=True, capture_output=True, text=True, timeout=60).stdout


def uncommented(source: str) -> str:
    return re.sub(r"/\*.*?\*/|(?<!:)//[^\n]*", "", source, flags=re.DOTALL)


def test_every_module_is_a_views_or_is_imported_by_one():
    imported = {name for source in SOURCES.values() for name in re.findall(r'from "\./([^"]+)"', source)}
    own = {re.sub(r"(?<!^)(?=[A-Z])", "_", view.__name__).lower() + ".js" for view in VIEWS}
    assert set(SOURCES) == imported | own


@needs_node
@pytest.mark.parametrize("name", [*(f"views/{name}" for name in SOURCES), *BASE])
def test_a_module_imports_what_it_uses_and_nothing_else(name, tmp_path):
    """As it is, in place: node loads every import, and complains of one that is not exported."""
    for floor in (views, base):
        folder = Path(floor.__file__).parent
        shutil.copytree(
            folder, tmp_path / folder.name, ignore=lambda at, names: [one for one in names if Path(at, one).suffix != ".js"]
        )
    (tmp_path / "package.json").write_text('{"type": "module"}', "utf-8")
    source = (tmp_path / name).read_text("utf-8")
    taken = [one for names in re.findall(r"^import \{([^}]*)\}", source, re.MULTILINE) for one in names.split(",")]
    address = json.dumps((tmp_path / name).as_uri())
    node(f'globalThis.window = {{}}; globalThis.navigator ??= {{ platform: "" }}; await import({address});', tmp_path)
    body = re.sub(r"^import .*$", "", uncommented(source), flags=re.MULTILINE)
    assert [one for one in map(str.strip, taken) if not re.search(rf"\b{re.escape(one)}\b", body)] == []


@needs_node
@pytest.mark.parametrize("module", [*[view.source for view in VIEWS], SHIM], ids=[*[v.__name__ for v in VIEWS], "page.js"])
def test_the_module_parses(module, tmp_path):
    file = tmp_path / "module.mjs"
    file.write_text(module, "utf-8")
    checked = subprocess.run(["node", "--check", str(file)], capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
def test_the_module_has_all_its_imports_in_it_and_exports_render(view):
    assert not re.search(r"^import ", view.source, re.MULTILINE)
    assert re.findall(r"^export.*", view.source, re.MULTILINE) == [
        f"export default {{ {'initialize, ' if 'initialize' in view.source else ''}render }};"
    ]


@needs_node
@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
def test_what_is_sent_is_about_half_the_bytes_and_unpacks_to_all_but_the_comments(view, tmp_path):
    assert len(view._esm) < 0.55 * (len(view.source) + len(view.style))
    unpacked = node(TAKE + str(view._esm) + "await unpacked; console.log(await sent.text());", tmp_path)
    source, style = unpacked.split("export const css = ")
    lines = [[line for line in uncommented(text).splitlines() if line.strip()] for text in (source, view.source)]
    assert lines[0] == lines[1]
    assert json.loads(style.strip().rstrip(";")) == view.style


@needs_node
def test_the_module_is_there_before_it_is_unpacked(tmp_path):
    """A host gives a module two seconds, and drops every message to one that is late."""
    assert node(TAKE + str(views.MapTable._esm) + "console.log(typeof sent);", tmp_path).strip() == "undefined"


@every_source
@pytest.mark.parametrize("markup", MARKUP)
def test_text_never_becomes_markup(source, markup):
    assert markup not in source


@every_source
def test_nothing_is_loaded_from_elsewhere(source):
    assert not re.search(ADDRESSES, uncommented(source.replace(NAMESPACE, "")))


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_a_view_imports_only_from_files_beside_it(source):
    assert re.findall(r"\bimport\b(?! \{[^}]*\} from \"\./[a-z_]+\.js\";)", uncommented(source)) == []


@every_source_of_ours
def test_a_view_looks_for_nothing_outside_its_element(source):
    assert not re.search(r"\bdocument\.(querySelector|getElement|forms|images|links)", source)
    assert not re.search(r"\bwindow\.(parent|top|opener|location)", source)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
def test_the_style_sheet_loads_nothing_and_names_only_our_classes(view):
    css = re.sub(r"/\*.*?\*/", "", view.style, flags=re.DOTALL)
    assert not re.search(r"@import|url\(|https?:", css)
    rules = re.findall(r"([^{}]+)\{[^{}]*\}", css)
    outside = [rule.strip() for rule in rules if not rule.strip().startswith(("@", ".cw", ":root", "from", "to"))]
    assert [rule for rule in outside if ".cw" not in rule] == []


@needs_node
def test_the_bases_modules_and_the_views_share_one_scope(tmp_path):
    """All of them become one text: a name is declared once."""
    entry = tmp_path / "entry.js"
    files = [Path(base.__file__).parent / Path(name).name for name in BASE]
    entry.write_text("".join(f'import {{ h }} from "{os.path.relpath(file, tmp_path)}";\n' for file in files), "utf-8")
    node(re.sub(r"^export default .*$", "", inlined(entry), flags=re.MULTILINE), tmp_path)


def test_the_classes_of_panels_and_of_views_never_meet():
    css = (Path(base.__file__).parent / "panel.css").read_text("utf-8")
    css = re.sub(r"/\*.*?\*/|\"[^\"]*\"", "", css, flags=re.DOTALL)
    assert set(re.findall(r"\.([a-z][\w-]*)", css)) == set(re.findall(r"\.(cwp\b[\w-]*)", css))
    assert not [path.name for path in Path(views.__file__).parent.glob("*.*s") if "cwp" in path.read_text("utf-8")]
    assert not re.search(r"@import|url\(|https?:", css)


@needs_node
@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (-0.5, "−0.5"), (1 / 3, "0.333"), (1234.5, "1230"), (1e5, "100000"), (-1e-4, "−0.0001"), (2, "2")],
)
def test_numbers_have_three_digits_and_a_true_minus_sign(value, text, tmp_path):
    assert node(f"{module('shared.js')}\nconsole.log(format({value!r}));", tmp_path).strip() == text


@needs_node
@pytest.mark.parametrize(("ours", "matplotlibs"), [("viridis", "viridis"), ("gray", "gray"), ("diverging", "RdBu_r")])
def test_color_tables_are_matplotlibs(ours, matplotlibs, tmp_path):
    printed = node(f"{module('shared.js')}\nconsole.log(JSON.stringify(Array.from(colorTable('{ours}'))));", tmp_path)
    table = np.array(json.loads(printed), np.uint32).view(np.uint8).reshape(256, 4)
    wanted = np.asarray(matplotlib.colormaps[matplotlibs](np.arange(256))) * 255
    off = np.abs(table - wanted)[:, :3]
    assert (table[:, 3] == 255).all()
    assert off.max() < 16
    assert off.mean() < 2


@needs_node
def test_bytes_are_read_alike_however_the_host_delivers_them(tmp_path):
    code = """
    const whole = new Float32Array([9, 1, -2, 3]);
    const odd = new Uint8Array(13);
    odd.set(new Uint8Array(whole.buffer, 4), 1);
    const given = [
      new DataView(whole.buffer, 4), whole.buffer.slice(4), new Uint8Array(whole.buffer, 4), new DataView(odd.buffer, 1),
    ];
    console.log(JSON.stringify([...given, undefined].map((bytes) => Array.from(typed(Float32Array, bytes)))));
    """
    assert json.loads(node(module("shared.js") + code, tmp_path)) == [[1, -2, 3]] * 4 + [[]]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
def test_its_style_sheet_reaches_no_other_view_on_the_page(view):
    """All views of a notebook share one page, and so all their style sheets."""
    own = view.style.removeprefix((Path(views.__file__).parent / "views.css").read_text("utf-8"))
    selectors = re.sub(r"/\*.*?\*/", "", own, flags=re.DOTALL)
    first = set(re.findall(r"(?:^|[},]\s*|\{\s*)\.(cw-[\w-]+)(?=[^{}()]*(?:\([^{}()]*\)[^{}()]*)*\{)", selectors))
    others = [one for one in VIEWS if one is not view]
    shared = {(name, one.__name__) for name in first for one in others if re.search(rf"[\"'` ]{name}[\"'` ]", one.source)}
    assert shared == set()
