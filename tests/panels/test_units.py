"""UnitExplorer tells of a unit what brute force, scikit-learn and zeroing by hand find."""

from __future__ import annotations

import json
import threading
import time

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

import cnnwidgets as cw
from cnnwidgets.net import Cancelled
from cnnwidgets.numbers import percent
from cnnwidgets.panels.units import exploring
from cnnwidgets.panels.units.charts import words_alone
from cnnwidgets.views import ChartView
from tests.base.tiny import PATIENCE
from tests.methods.data_sets import Bad, Pictures
from tests.net.brute_force import lively
from tests.views.stills import drawn

N, UNIT = 40, 2
DATA = Pictures(N)


class Unlabeled(Pictures):
    """Pictures alone."""

    def __getitem__(self, i: int):
        return super().__getitem__(i)[0]


@pytest.fixture(scope="module")
def net():
    parts = nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 5, 3), nn.ReLU()
    return cw.bind(lively(nn.Sequential(*parts, nn.Flatten(), nn.Linear(80, 4)), 0), input_shape=(3, 12, 12))


@pytest.fixture
def panel(net):
    made = cw.UnitExplorer(net, DATA, 3, "4", UNIT)
    assert made.wait(PATIENCE)
    assert made.error is None
    yield made
    made.close()


def inputs() -> torch.Tensor:
    return torch.stack([DATA[i][0] for i in range(N)])


def labels() -> np.ndarray:
    return np.arange(N) % 4


def maps(net, layer: str) -> np.ndarray:
    """(N, units, height, width)."""
    return net.trace(inputs(), [layer])[layer].numpy()


def chart(panel) -> list[dict]:
    return json.loads(panel.chart.figure)["data"]


def accuracy(net, kept: torch.Tensor) -> float:
    """With the maps of the last ReLU times 0 or 1."""
    module = net.module
    with torch.no_grad():
        scores = module[5:](module[:5](inputs()) * kept[None, :, None, None])
    return float((scores.argmax(1).numpy() == labels()).mean())


# what a unit answers to


def test_all_units_answer_to_the_picture_and_the_chosen_one_is_large(net, panel):
    expected = maps(net, "4")[3]
    np.testing.assert_allclose(panel.data()["values"], expected, rtol=1e-5, atol=1e-6)
    span = np.ptp(expected, (1, 2)).max() / 255
    np.testing.assert_allclose(panel.grid.maps, expected, atol=span)
    np.testing.assert_allclose(panel.map.maps[0], expected[UNIT], atol=span)


def test_its_patches_are_the_positions_with_the_largest_values(net, panel):
    largest = maps(net, "4")[:, UNIT].max((1, 2))
    best = sorted(range(N), key=lambda i: (-largest[i], i))[:9]
    assert panel.data()["patch_indices"].tolist() == best
    np.testing.assert_allclose(panel.data()["patch_values"], largest[best], rtol=1e-5)
    assert panel.pairs.grid.title == "Unit 2 · 9 strongest patches · 8×8, exact"


def test_bars_are_the_mean_of_each_class_and_dots_its_auc(net, panel):
    bars, dots = chart(panel)
    largest = maps(net, "4")[:, UNIT].max((1, 2))
    np.testing.assert_allclose(_numbers(bars["y"]), [largest[labels() == k].mean() for k in range(4)], rtol=1e-5)
    np.testing.assert_allclose(_numbers(dots["y"]), [roc_auc_score(labels() == k, largest) for k in range(4)])


def _numbers(values) -> np.ndarray:
    """Of a trace, as plotly writes them."""
    import base64

    return (
        np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"]) if isinstance(values, dict) else np.array(values)
    )


def test_twins_are_the_units_whose_answers_correlate_most(net, panel):
    panel.detail = "twins"
    assert panel.wait(PATIENCE)
    r = np.corrcoef(maps(net, "4").max((2, 3)).T)[UNIT]
    order = [int(k) for k in np.argsort(-r) if k != UNIT]
    assert [int(label.split(" ")[0]) for label in panel.twins.labels] == order
    panel._go_to_twin(0)
    assert panel.unit == order[0]


# what it is wired to


def test_the_graph_has_the_norms_of_its_kernels_with_the_signs_of_their_sums(net, panel):
    kernels = net.module[3].weight[UNIT].detach().numpy()
    norms = np.sqrt((kernels**2).sum((1, 2)))
    order = np.argsort(-norms)
    assert [one["name"] for one in panel.graph.before] == [f"unit {k}" for k in order]
    signed = np.copysign(norms, kernels.sum((1, 2)))
    np.testing.assert_allclose([one["value"] for one in panel.graph.before], signed[order], rtol=1e-5)
    assert panel.graph.heads == ["reads 1", "read by 6"]


def test_influence_of_linear_readers_is_what_they_would_lose(net, panel):
    panel.connected = "influence"
    assert panel.wait(PATIENCE)
    weight = net.module[6].weight.detach().numpy().reshape(4, 5, 16)[:, UNIT]
    lost = weight @ maps(net, "4")[3, UNIT].ravel()
    shown = {int(one["name"].split(" ")[1]): one["value"] for one in panel.graph.after}
    np.testing.assert_allclose([shown[k] for k in range(4)], lost, rtol=1e-4)


def test_a_click_on_a_node_goes_to_its_unit(panel):
    first = int(panel.graph.before[0]["name"].split(" ")[1])
    panel._follow([0, 0])
    assert panel.wait(PATIENCE)
    assert (panel.layer, panel.unit, panel.unit_address) == ("1", first, panel.net["1"][first])
    panel._follow([0, 0])  # a channel of the picture
    assert (panel.layer, panel.unit) == ("1", first)


# whether it matters


def test_the_accuracy_without_units_is_that_of_zeroing_them_by_hand(net, panel):
    panel.ablate()
    assert panel.wait(PATIENCE)
    for off in ([UNIT], [0, UNIT]):
        panel.off = off
        assert panel.wait(PATIENCE)
        kept = torch.ones(5)
        kept[off] = 0
        (bars,) = chart(panel)
        alone, others, without, intact = _numbers(bars["x"]) / 100
        assert (intact, without, alone) == (accuracy(net, torch.ones(5)), accuracy(net, kept), accuracy(net, 1 - kept))
        drawn = [accuracy(net, _without(numbers)) for _, numbers in cw.methods.random_sets(net, ("4", off))]
        assert others == pytest.approx(np.mean(drawn))
    assert panel.detail == "ablation"
    panel.ablate()
    assert panel.off == [0]


def test_the_answer_to_the_picture_without_the_unit_is_that_of_zeroing_it_by_hand(net, panel):
    panel.ablate()
    assert panel.wait(PATIENCE)
    chances = []
    for kept in (torch.ones(5), _without([UNIT])):
        with torch.no_grad():
            maps_ = net.module[:5](inputs()[3:4]) * kept[None, :, None, None]
            chances.append(net.module[5:](maps_).softmax(1)[0])
    before, after = (f"{int(p.argmax())} ({percent(float(p.max()))})" for p in chances)
    assert panel.picture.caption == f"{before}; without unit 2: {after}"
    panel.ablate()
    assert panel.wait(PATIENCE)
    assert panel.picture.caption == before


def _without(numbers) -> torch.Tensor:
    kept = torch.ones(5)
    kept[list(numbers)] = 0
    return kept


def test_a_chart_that_says_why_it_is_empty_has_a_still():
    view = ChartView()
    view.show(words_alone("Scanning the pictures …"), "nothing yet")
    (axes,) = drawn(view)
    assert axes.get_title(loc="left") == "Scanning the pictures …"


# going about


def test_the_keys_are_those_of_the_deep_visualization_toolbox(panel):
    keys = {spec["key"]: spec["name"] for spec in panel.controls.values() if "key" in spec}
    assert keys == {"u": "layer_before", "o": "layer_after", "b": "next_rule", "f": "hold", "a": "ablate"}


def test_layers_change_with_the_cursor_and_the_unit_kept(panel):
    panel.point([1.0, 2.0])
    at = panel.y, panel.x
    panel.layer_before()
    assert panel.wait(PATIENCE)
    assert (panel.layer, panel.unit, panel.y, panel.x) == ("3", UNIT, *at)
    row = panel.net.layers["3"]
    assert panel.grid.cursor == [pytest.approx(float(v)) for v in row.to_position(*at, (12, 12))]
    for _ in range(9):
        panel.layer_after()
    assert (panel.layer, panel.unit) == ("6", UNIT)


def test_a_unit_that_is_held_keeps_its_story_while_others_are_looked_at(net, panel):
    panel.hold()
    panel.unit = 0
    panel.layer = "1"
    assert panel.wait(PATIENCE)
    assert panel.here == net["4"][UNIT]
    assert panel.pairs.grid.title.startswith("Unit 2 · ")
    assert panel.graph.here == "unit 2"
    assert panel.grid.shape[0] == 6
    assert panel.map.title == "Unit 0"
    assert panel.status.message.startswith('net["4"][2]')
    panel.hold()
    assert panel.wait(PATIENCE)
    assert panel.here == panel.unit_address == net["1"][0]
    assert panel.status.message.startswith('net["1"][0]')


def test_a_held_unit_is_told_of_however_many_other_layers_are_looked_at(net, panel, monkeypatch):
    monkeypatch.setattr(exploring, "LAYERS", 2)
    panel.hold()
    for name in ("0", "1", "2"):
        panel.layer = name
        assert panel.wait(PATIENCE) and panel.error is None
        assert panel.status.message.startswith('net["4"][2]')


def test_a_state_whose_held_unit_is_of_another_layer_is_restored(net, panel):
    panel.hold()
    panel.put(layer="1", unit=0)
    other = cw.UnitExplorer(net, DATA, 0, "0")
    assert other.wait(PATIENCE)
    other.restore(panel.state)
    assert other.wait(PATIENCE) and panel.wait(PATIENCE)
    assert other.status.message == panel.status.message
    assert other.data().keys() == panel.data().keys()
    for name, values in panel.data().items():
        np.testing.assert_array_equal(other.data()[name], values)
    other.close()


@pytest.mark.parametrize(("held", "sentence"), [(["nowhere", 1], "no layer 'nowhere'"), (["4", 99], "4 has no unit 99")])
def test_a_held_unit_that_is_not_there_is_a_sentence_and_another_works(panel, held, sentence):
    panel.held = held
    assert panel.wait(PATIENCE)
    assert panel.status.kind == "error" and sentence in panel.status.message
    panel.held = []
    assert panel.wait(PATIENCE)
    assert panel.status.kind == "ready" and panel.error is None


def test_units_that_are_off_are_of_one_layer_and_restored_with_it(net, panel):
    panel.ablate()
    panel.hold()
    panel.layer = "1"
    assert panel.off == [UNIT]
    other = cw.UnitExplorer(net, DATA, 0, "0")
    other.restore({**panel.state, "layer": "4", "held": []})
    assert (other.layer, other.off) == ("4", [UNIT])
    other.close()
    panel.hold()
    assert panel.here.layer == "1"
    assert panel.off == []


def test_without_a_chosen_unit_none_is_held_or_switched_off(panel):
    panel.unit = -1
    panel.hold()
    panel.ablate()
    assert (panel.held, panel.off) == ([], [])


def test_a_picture_of_ones_own_is_none_of_the_patches(panel):
    panel.image = DATA[3][0]
    assert panel.wait(PATIENCE)
    assert panel.status.kind == "ready"
    assert panel.pairs.grid.selected == -1
    np.testing.assert_allclose(panel.data()["values"], maps(panel.net, "4")[3], rtol=1e-5, atol=1e-6)


def test_a_cancelled_scan_shows_what_it_has_found(net):
    scanning = threading.Event()

    class Waiting(Pictures):
        def __getitem__(self, i: int):
            if i >= 100:
                scanning.set()
                time.sleep(0.01)
            return super().__getitem__(i)

    panel = cw.UnitExplorer(net, Waiting(2_000), 3, "4", UNIT)
    assert scanning.wait(PATIENCE)
    panel.cancel()
    assert panel.wait(PATIENCE)
    assert isinstance(panel.error, Cancelled)
    assert panel.status.kind == "ready" and panel.status.message.startswith('Cancelled. net["4"][2]')
    np.testing.assert_allclose(panel.shown.browsed.maps.values, maps(net, "4")[3], rtol=1e-5, atol=1e-6)
    panel.close()


def test_what_cannot_be_measured_is_said_in_the_chart_and_nothing_else_is_lost():
    torch.manual_seed(0)
    net = cw.bind(nn.Sequential(nn.Conv2d(3, 1, 3), nn.ReLU(), nn.Flatten(), nn.Linear(100, 4)), input_shape=(3, 12, 12))
    panel = cw.UnitExplorer(net, DATA, 0, "1")
    assert panel.wait(PATIENCE)
    panel.detail = "ablation"
    assert panel.wait(PATIENCE)
    assert (
        "units is all 1 units of 1; expected fewer"
        in json.loads(panel.chart.figure)["layout"]["title"]["text"].replace("<br>", " ").lower()
    )
    assert panel.status.kind == "ready"
    panel.off = [7]
    assert panel.wait(PATIENCE)
    assert "no unit 7" in json.loads(panel.chart.figure)["layout"]["title"]["text"].replace("<br>", " ")
    assert panel.status.kind == "ready"
    panel.close()


def test_an_address_opens_its_unit(net):
    panel = cw.UnitExplorer(net, DATA, unit=net["1"][5])
    assert (panel.layer, panel.unit) == ("1", 5)
    panel.unit_address = net["4"][1]
    assert (panel.layer, panel.unit, panel.here) == ("4", 1, net["4"][1])
    panel.close()


def test_a_patch_opens_its_picture_with_the_cursor_on_it(panel):
    panel._open(4)
    assert panel.wait(PATIENCE)
    best = panel.data()["patch_indices"][4]
    assert panel.image == best
    np.testing.assert_array_equal(panel.data()["picture"], panel.net.picture(DATA[int(best)][0]))


# what may be wrong


def test_a_dead_unit_is_said_to_be_and_has_no_patches():
    module = lively(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(400, 4)), 0)
    with torch.no_grad():
        module[0].bias[1] = -1e6
    panel = cw.UnitExplorer(cw.bind(module, input_shape=(3, 12, 12)), DATA, 0, "1", 1)
    assert panel.wait(PATIENCE) and panel.error is None
    assert panel.status.message.split("\n")[0] == 'net["1"][1] is dead: it gives 0 at every position of all 40 pictures.'
    assert panel.pairs.grid.shape[0] == 0
    assert "is dead" in panel.pairs.grid.title
    panel.close()


def test_pictures_without_labels_have_no_profile_and_no_accuracy(net):
    panel = cw.UnitExplorer(net, Unlabeled(N), 0, "4", UNIT)
    assert panel.wait(PATIENCE) and panel.error is None
    assert "No picture has a label" in json.loads(panel.chart.figure)["layout"]["title"]["text"]
    assert len(panel.data()["patch_values"]) == 9
    panel.ablate()
    assert panel.wait(PATIENCE)
    assert panel.status.kind == "ready"
    assert "has a label" in json.loads(panel.chart.figure)["layout"]["title"]["text"].replace("<br>", " ")
    panel.close()


def test_broken_pictures_are_counted_and_the_rest_is_told(net):
    panel = cw.UnitExplorer(net, Bad(), 1, "4", UNIT)
    assert panel.wait(PATIENCE) and panel.error is None
    assert "41 of 50 pictures scanned, 9 skipped" in panel.status.message
    panel.close()


def test_the_bundled_network_is_left_as_it_was():
    net = cw.load("digits")
    before = {name: value.clone() for name, value in net.module.state_dict().items()}
    panel = cw.UnitExplorer(net, cw.samples.digits(), unit=net["relu2"][3])
    panel.ablate()
    assert panel.wait(PATIENCE) and panel.error is None
    assert all(torch.equal(value, before[name]) for name, value in net.module.state_dict().items())
    assert not any(part._forward_hooks or part._forward_pre_hooks or part.training for part in net.module.modules())
    assert all(one.grad is None for one in net.module.parameters())
    panel.close()


class Tokens(nn.Module):
    """Attention over patches: its units cannot be followed through it."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.mix = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.classify = nn.Linear(8, 2)

    def forward(self, x):
        return self.classify(self.mix(self.patches(x).flatten(2).transpose(1, 2)).mean(1))


class Segmenting(nn.Module):
    """Gives a dict with a map."""

    def __init__(self):
        super().__init__()
        self.see, self.say = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 4, 1)

    def forward(self, x):
        return {"out": self.say(torch.relu(self.see(x))), "mean": x.mean()}


@pytest.mark.parametrize("module", [Tokens, Segmenting])
def test_networks_of_other_kinds_tell_what_they_can_of_every_layer(module):
    torch.manual_seed(0)
    net = cw.bind(module().eval(), input_shape=(3, 12, 12))  # of fewer classes than labels, or of none
    panel = cw.UnitExplorer(net, Pictures(12), 0)
    for name in panel.layer_names:
        panel.put(layer=name, unit=1)
        assert panel.wait(PATIENCE) and panel.error is None
        assert panel.status.kind == "ready" and panel.status.message.startswith(f'net["{name}"][1]'), panel.status.message
        assert panel.graph.here == "unit 1"
    assert "onnections end at" in cw.methods.connections(net, panel.layer_names[0], 0).notes[-1] or module is Segmenting
    panel.close()
