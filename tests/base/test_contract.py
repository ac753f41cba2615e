"""What every panel does: each test runs for all panels that there are, on the example in their docstrings."""

from __future__ import annotations

import base64
import gc
import io
import json
import re
import weakref

import matplotlib.figure
import numpy as np
import pytest
import torch
import traitlets as t
from ipywidgets import DOMWidget
from ipywidgets.widgets.widget import _instances
from matplotlib import pyplot
from PIL import Image

import cnnwidgets as cw
from cnnwidgets.base.traits import THEN
from cnnwidgets.registry import example, example_line, panels
from cnnwidgets.views import View
from tests.base.importing import imported_by_workers
from tests.base.pages import Elements, content_of, unpacked
from tests.base.tiny import PATIENCE, are_gone
from tests.views.wire import sent

WIDGET = "application/vnd.jupyter.widget-view+json"
OF_EVERY_WIDGET = {*DOMWidget.class_trait_names(), "_esm", "_css", "_anywidget_id"}
PANELS = panels()

every_panel = pytest.mark.parametrize("name", PANELS)


@pytest.fixture(scope="module")
def made():
    """The examples, one each, that tests look at and leave as they are."""
    examples: dict[str, cw.Panel] = {}

    def get(name: str) -> cw.Panel:
        if name not in examples:
            examples[name] = example(PANELS[name])
            assert examples[name].wait(PATIENCE * 3) and examples[name].error is None
        return examples[name]

    yield get
    for panel in examples.values():
        panel.close()


@pytest.fixture
def fresh(request):
    """Makes an example that a test may change."""
    opened = []

    def make(name: str) -> cw.Panel:
        opened.append(example(PANELS[name]))
        assert opened[-1].wait(PATIENCE * 3)
        return opened[-1]

    yield make
    for panel in opened:
        panel.close()


def controls(panel) -> dict[str, dict]:
    return panel.controls


# what it says of itself


@every_panel
def test_its_docstring_begins_with_an_example_that_a_newcomer_can_type(name):
    assert example_line(PANELS[name]).startswith(f"cw.{name}(")


@every_panel
def test_every_trait_says_what_it_is_and_what_follows_from_it(name):
    traits = PANELS[name].public_traits()
    assert {trait: one.metadata["then"] for trait, one in traits.items() if one.metadata["then"] not in THEN} == {}
    assert [trait for trait, one in traits.items() if not one.help] == []


@every_panel
def test_its_repr_is_one_line_that_names_it_and_stays(made, name):
    panel = made(name)
    assert repr(panel) == repr(panel)
    assert repr(panel).startswith(f"{name}(")
    assert "\n" not in repr(panel)


@every_panel
def test_the_status_line_says_a_sentence(made, name):
    panel = made(name)
    assert panel.status.kind == "ready"
    assert [panel._status["text"], *filter(None, [panel._status["details"]])] == panel.status.message.split("\n", 1)
    assert len(panel.status.finding) > 10


# shown: live, as a still, as a page


@every_panel
def test_a_cell_gets_the_live_view_a_picture_and_a_line_of_text(made, name):
    bundle, _ = made(name)._repr_mimebundle_()
    assert bundle[WIDGET]["model_id"] == made(name).model_id
    assert bundle["text/plain"] == repr(made(name))
    png = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert min(png.size) > 100
    assert len(np.unique(np.asarray(png.convert("L")))) > 8
    assert json.loads(json.dumps(bundle)) == bundle


@every_panel
def test_its_figure_is_matplotlibs_and_belongs_to_no_pyplot(made, name):
    before = pyplot.get_fignums()
    figure = made(name).figure()
    assert type(figure) is matplotlib.figure.Figure
    assert figure.findobj(matplotlib.axes.Axes)
    assert pyplot.get_fignums() == before


@every_panel
def test_its_page_is_one_file_that_loads_nothing_and_has_all_its_widgets(made, name, tmp_path):
    panel = made(name)
    content = content_of(panel, tmp_path)
    page = (tmp_path / "panel.html").read_text("utf-8")
    elements = Elements(page)
    own = re.sub(r"^\s*//.*$", "", page, flags=re.MULTILINE)
    assert re.findall(r"""(?:src|href)\s*=|@import|url\(|fetch\(|["'(](?:https?:)?//[\w.-]+\.\w""", own) == []
    assert elements.tags.count("script") == 2
    assert {"link", "img", "iframe", "object", "base"}.isdisjoint(elements.tags)
    assert {name for name, _ in elements.attributes} <= {"lang", "charset", "name", "content", "id", "type"}
    assert content["root"] == panel.model_id
    assert {view.model_id for view in panel.children} <= set(content["states"])
    assert content["states"][panel.model_id]["_code"] == panel.code()
    assert sorted(one for module in content["modules"] for one in module["of"]) == sorted(content["states"])
    for view in panel.children:
        now = {trait: value for trait, value in view.get_state().items() if trait not in OF_EVERY_WIDGET}
        for trait in {*now} - {*getattr(view, "without_kernel", ())}:
            assert unpacked(content["states"][view.model_id][trait]) == unpacked(now[trait]), (view, trait)


# what a program gets of it


@every_panel
def test_its_data_are_arrays_of_what_is_on_screen(made, name):
    data = made(name).data()
    assert data
    assert [key for key, value in data.items() if not isinstance(value, np.ndarray)] == []


@every_panel
def test_its_code_runs_and_gives_values(made, name):
    space: dict = {}
    threads = torch.get_num_threads()
    exec(made(name).code(), space)
    torch.set_num_threads(threads)
    values = space["values"]
    assert values is not None and (not hasattr(values, "__len__") or len(values))


@every_panel
def test_its_state_goes_through_json_and_comes_back(made, fresh, name):
    before, after = made(name), fresh(name)
    state = json.loads(json.dumps(before.state))
    assert list(state) == list(before.public_traits())
    after.restore(state)
    assert after.wait(PATIENCE * 3) and after.error is None
    assert json.loads(json.dumps(after.state)) == state
    assert after.status.message == before.status.message


# controls


@every_panel
def test_it_holds_views_and_panels_and_no_widget_that_works_in_some_hosts_only(made, name):
    assert [one for one in made(name).children if not isinstance(one, (View, cw.Panel))] == []


@every_panel
@pytest.mark.parametrize("option", ["hide", "lock"])
def test_each_of_its_controls_can_be_hidden_or_locked(name, option, monkeypatch):
    shown = [trait for trait, one in PANELS[name].public_traits().items() if one.metadata["control"] is not None]
    line = example_line(PANELS[name])
    panel = eval(f"{line[:-1]}{'' if line.endswith('()') else ', '}{option}=names)", {"cw": cw, "names": shown})
    try:
        left = controls(panel)
        if option == "hide":
            assert set(left).isdisjoint(shown)
        else:
            assert [trait for trait in shown if trait in left and not left[trait]["locked"]] == []
            assert set(left) >= set(shown)
    finally:
        panel.close()


@every_panel
def test_every_control_has_a_name_and_a_help_that_can_be_read_aloud(made, name):
    for trait, spec in controls(made(name)).items():
        assert spec["label"] and spec["help"], trait
        assert spec["kind"] == "action" or trait in {**made(name).public_traits(), **made(name).more_controls()}
    assert json.loads(json.dumps(controls(made(name)))) == controls(made(name))


@every_panel
def test_what_the_browser_must_not_send_is_a_sentence_and_goes_back_to_what_is(fresh, name, monkeypatch):
    panel = fresh(name)
    before = panel.state
    for trait, one in panel.public_traits().items():
        if isinstance(one, t.Any) and type(one).__name__ == "Image":
            continue  # which take anything, and say what is wrong with it when it is read
        if trait not in panel.keys:
            continue  # which stays in the kernel
        with sent(panel, monkeypatch) as messages:
            panel.set_state({trait: {"no": "such thing"}})
        if isinstance(one, t.Dict) or trait not in panel.keys:
            continue
        assert panel.status.kind == "error", trait
        assert [True for message in messages if message.get("state", {}).get(trait, 0) == panel.get_state(trait)[trait]]
    assert panel.state == before or any(isinstance(one, t.Dict) for one in panel.public_traits().values())


# others


@every_panel
def test_linked_panels_share_their_state(made, fresh, name):
    one, other = fresh(name), fresh(name)
    link = cw.link(one, other)
    assert one.links == other.links == [link]
    assert {**other.state} == {**one.state}
    assert one.wait(PATIENCE * 3) and other.wait(PATIENCE * 3)
    assert other.error is None
    link.unlink()


# the wire, the end


@every_panel
def test_nothing_is_sent_that_was_not_asked_for(made, name, monkeypatch):
    panel = made(name)
    for widget in (panel, *panel.children):
        with sent(widget, monkeypatch) as messages:
            for trait in panel.public_traits():
                setattr(panel, trait, getattr(panel, trait))
            panel.wait()
        assert messages == []


@every_panel
def test_what_is_tied_is_sent_once_by_its_leader(made, name, monkeypatch):
    panel = made(name)
    for leader, *followers in panel._tied.groups:
        for widget, trait in followers:
            value = getattr(widget, trait)
            with sent(widget, monkeypatch) as messages, sent(panel, monkeypatch):
                owner, mine = leader
                owner.notify_change(t.Bunch(name=mine, old=None, new=getattr(owner, mine), owner=owner, type="change"))
            assert messages == [] and getattr(widget, trait) == value


@every_panel
def test_closed_it_leaves_nothing_in_the_kernel(name):
    before = set(_instances)
    panel = example(PANELS[name])
    assert panel.wait(PATIENCE * 3)
    gone = [weakref.ref(one) for one in (panel, *panel.children)]
    panel.close()
    assert set(_instances) - before == set()
    del panel
    gc.collect()
    assert are_gone(gone)


@every_panel
def test_its_computation_imports_nothing_on_its_thread(name):
    line = example_line(PANELS[name])
    assert imported_by_workers(f"panel = {line}\nassert panel.wait(250) and panel.error is None, panel.error") == []
