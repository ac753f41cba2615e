"""TopPatches shows a unit's patches as brute force finds them, and beside each what projects back from its position."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import cnnwidgets as cw
from cnnwidgets.base.jobs import POOL
from cnnwidgets.methods import project, top_patches
from cnnwidgets.net import Cancelled
from tests.base.tiny import PATIENCE
from tests.methods.data_sets import Bad, Pictures
from tests.net.brute_force import lively

N = 40
DATA = Pictures(N)


@pytest.fixture(scope="module")
def net():
    parts = nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 5, 3), nn.ReLU()
    return cw.bind(lively(nn.Sequential(*parts, nn.Flatten(), nn.Linear(80, 4)), 0), input_shape=(3, 12, 12))


@pytest.fixture
def panel(net):
    made = cw.TopPatches(net, DATA, "1", 2, rule="deconvnet")
    assert made.wait(PATIENCE)
    assert made.error is None
    yield made
    made.close()


def tiles(panel) -> tuple[np.ndarray, np.ndarray]:
    """The patches and the projections on screen, each (n, height, width, 3)."""
    maps = np.frombuffer(panel.pairs.grid.pixels, np.uint8).reshape(panel.pairs.grid.shape)
    lo, hi = (np.frombuffer(end, np.float32)[:, None, None, None] for end in (panel.pairs.grid.lo, panel.pairs.grid.hi))
    shown = lo + maps / 255 * (hi - lo)
    return shown[:, :, : shown.shape[2] // 2], shown[:, :, shown.shape[2] // 2 :]


def shown(panel) -> list[tuple[int, int, int]]:
    return [(patch.index, patch.row, patch.column) for patch in panel.patches()]


# the patches


def test_the_patches_are_the_positions_with_the_largest_values(net, panel):
    maps = net.trace(torch.stack([DATA[i][0] for i in range(N)]), ["1"])["1"][:, 2].numpy()
    best = sorted(range(N), key=lambda i: (-maps[i].max(), i))[:9]
    assert shown(panel) == [(i, *map(int, np.unravel_index(maps[i].argmax(), maps[i].shape))) for i in best]
    np.testing.assert_allclose(panel.data()["values"], [maps[i].max() for i in best], rtol=1e-5)


def test_each_tile_is_what_the_position_sees_in_the_picture_and_gray_beyond(net, panel):
    patches, _ = tiles(panel)
    beyond = 0
    for tile, (i, row, column) in zip(patches, shown(panel), strict=True):
        wide = np.full((14, 14, 3), 128.0)
        wide[1:13, 1:13] = net.picture(DATA[i][0])  # a convolution of 3×3 sees a pixel further on each side
        beyond += 0 in (row, column) or 11 in (row, column)
        np.testing.assert_allclose(tile, wide[row : row + 3, column : column + 3], atol=1)
    assert beyond


@pytest.mark.parametrize("rule", ["deconvnet", "guided", "gradient"])
def test_each_projection_is_that_of_the_position_around_gray(net, panel, rule):
    panel.layer, panel.rule = "4", rule
    panel.wait()
    _, back = tiles(panel)
    for tile, patch in zip(back, panel.patches(), strict=True):
        values = project(net, DATA, "4", 2, patch, rule).values.transpose(1, 2, 0)
        scale = np.quantile(abs(values), 0.995)
        np.testing.assert_allclose(tile, 128 + 127 * np.clip(values / scale, -1, 1), atol=1.5)


def test_where_a_position_sees_more_than_the_picture_the_tile_is_the_picture():
    net = cw.bind(lively(nn.Sequential(nn.Conv2d(3, 2, 25, padding=12)), 0), input_shape=(3, 12, 12))
    panel = cw.TopPatches(net, DATA, "0")
    panel.wait()
    patches, _ = tiles(panel)
    for tile, (i, row, column) in zip(patches, shown(panel), strict=True):
        picture = np.full((12, 12, 3), 128.0)
        seen = np.s_[max(0, row - 12) : row + 13, max(0, column - 12) : column + 13]
        picture[seen] = net.picture(DATA[i][0])[seen]
        np.testing.assert_allclose(tile, picture, atol=1)


def test_the_weakest_and_a_picture_of_each_tenth(net, panel):
    panel.layer = "0"
    found = top_patches(net, DATA, "0", 9)["0"]
    for which, wanted in (
        ("weakest", found.weakest(2)),
        ("deciles", [found.decile(2, tenth)[0] for tenth in range(9, -1, -1)]),
    ):
        panel.which = which
        panel.wait()
        assert panel.patches() == wanted
        assert panel.pairs.grid.shape[0] == len(wanted)
    assert panel.pairs.grid.labels[0].startswith("90–100% · ")


def test_several_patches_may_be_of_one_picture(net, panel):
    maps = net.trace(torch.stack([DATA[i][0] for i in range(N)]), ["1"])["1"][:, 2].numpy()
    panel.one_per_picture = False
    np.testing.assert_allclose(panel.data()["values"], np.sort(maps.ravel())[::-1][:9], rtol=1e-5)
    assert "A picture may give several patches" in panel.status.message


def test_how_many_are_shown_is_chosen(panel):
    panel.k = 4
    panel.wait()
    assert (len(panel.patches()), panel.pairs.grid.shape[0]) == (4, 4)


def test_what_is_under_and_told_of_a_patch(panel):
    patch = panel.patches()[0]
    assert panel.pairs.grid.labels[0].endswith(f" · {patch.label}")
    place = f" at row {patch.row}, column {patch.column} of picture {patch.index}, labeled “{patch.label}”"
    assert panel.pairs.grid.told[0].startswith("No. 1: ") and panel.pairs.grid.told[0].endswith(place)


# one scan


def test_another_unit_asks_for_no_scan_and_a_layer_that_was_seen_for_none(net, monkeypatch):
    scans = []

    def counted(*given, **options):
        scans.append(given[2])
        return top_patches(*given, **options)

    monkeypatch.setattr("cnnwidgets.panels.top_patches.panel.top_patches", counted)
    panel = cw.TopPatches(net, DATA, "1")
    for layer, unit in (("1", 1), ("1", 3), ("4", 3), ("4", 0), ("1", 5)):
        panel.layer, panel.unit = layer, unit
        assert panel.data()["values"].tolist() == [p.value for p in top_patches(net, DATA, layer)[layer].strongest(unit)]
    assert scans == ["1", "4"]


def test_a_layer_with_fewer_units_has_its_last_one(panel):
    panel.unit = 5
    panel.layer = "4"
    assert panel.unit == 4
    assert panel.result.layers.keys() == {"4"}


def test_cancel_keeps_the_patches_of_the_pictures_so_far(net):
    class Slow(Pictures):
        def __getitem__(self, i):
            if i == 100:
                reached.set()
                assert gate.wait(PATIENCE)
            return super().__getitem__(i % N)

    reached, gate = threading.Event(), threading.Event()
    panel = cw.TopPatches(net, Slow(200), "1", 2)
    assert reached.wait(PATIENCE)
    panel.cancel()
    gate.set()
    assert panel.wait(PATIENCE)
    assert panel.status.message.startswith("Cancelled. Unit 2: the strongest of ")
    assert "128 of 200 pictures scanned" in panel.status.message or "64 of 200 pictures scanned" in panel.status.message
    with pytest.raises(Cancelled):
        _ = panel.result
    panel.unit = 3
    assert POOL.wait(PATIENCE)
    assert panel.pairs.grid.shape[0] == 9
    assert panel.pairs.grid.title.startswith("1 · unit 3 · ")


# hands, and other panels


def test_a_click_on_a_patch_opens_its_picture_in_a_linked_panel(net, panel):
    browser = cw.FeatureMapBrowser(net, DATA, "1")
    browser.result  # noqa: B018
    cw.link(panel, browser)
    panel.pairs.grid.set_state({"selected": 4})
    patch = panel.patches()[4]
    assert (panel.image, browser.image) == (patch.index, patch.index)
    assert (browser.layer, browser.unit) == ("1", 2)
    browser.result  # noqa: B018
    panel.wait()
    assert browser.grid.cursor == [patch.row, patch.column]
    assert browser.result.maps.values[2, patch.row, patch.column] == pytest.approx(patch.value, rel=1e-5)
    assert panel.pairs.picture.title == f"Picture {patch.index}"
    assert panel.pairs.picture.cursor == [patch.row, patch.column]


def test_a_picture_that_was_chosen_elsewhere_is_marked_among_the_patches(panel):
    panel.image = panel.patches()[3].index
    panel.wait()
    assert panel.pairs.grid.selected == 3
    panel.image = next(i for i in range(N) if i not in {patch.index for patch in panel.patches()})
    panel.wait()
    assert panel.pairs.grid.selected == -1


def test_of_several_patches_of_a_picture_the_one_that_was_clicked_is_marked(panel):
    panel.one_per_picture, panel.k = False, 16
    panel.wait()
    first: dict[tuple[int, int], int] = {}
    patches = [(unit, n, i) for unit in range(6) for n, (i, *_) in enumerate(found_of(panel, unit))]
    panel.unit, twice = next((unit, n) for unit, n, i in patches if first.setdefault((unit, i), n) != n)
    panel.wait()
    panel.pairs.grid.set_state({"selected": twice})
    panel.wait()
    assert panel.pairs.grid.selected == twice


def found_of(panel, unit: int) -> list[tuple[int, int, int]]:
    panel.unit = unit
    return shown(panel)


def test_next_unit_leaves_out_the_dead():
    panel = cw.TopPatches(half_dead(), DATA, "1")
    panel.wait()
    panel.next_unit()
    assert panel.unit == 2
    panel.next_unit()
    assert panel.unit == 0


# what it says


def half_dead():
    module = lively(nn.Sequential(nn.Conv2d(3, 3, 3), nn.ReLU()), 0)
    with torch.no_grad():
        module[0].bias[1] = -1e3
    return cw.bind(module, input_shape=(3, 12, 12))


@pytest.mark.parametrize("which", ["strongest", "weakest", "deciles"])
def test_a_dead_unit_is_said_and_has_no_patches(which):
    panel = cw.TopPatches(half_dead(), DATA, "1", 1, which=which)
    said = "Unit 1 is dead: it gives 0 at every position of all 40 pictures, and has no patches"
    assert panel.result
    assert (panel.pairs.grid.shape[0], panel.pairs.grid.title) == (0, said)
    assert panel.status.message.startswith(f"{said}.")
    assert panel.data()["values"].size == 0
    with pytest.raises(ValueError, match=said):
        panel.code()
    assert panel.controls["unit"]["options"][1] == ["1 · dead", 1]
    panel.unit = 0
    panel.wait()
    assert panel.pairs.grid.shape[0] > 0


def test_pictures_that_give_0_are_counted_and_not_ranked():
    module = nn.Sequential(nn.Conv2d(3, 1, 12, bias=False), nn.ReLU())
    with torch.no_grad():
        module[0].weight.fill_(1)
    data = [torch.full((3, 12, 12), float(v)) for v in (-1, 2, 0, 3, -4)]
    panel = cw.TopPatches(cw.bind(module, input_shape=(3, 12, 12)), data, "1", which="weakest", k=2)
    panel.wait()
    assert panel.status.message.startswith("Unit 0: 3 of 5 pictures give 0: the first 2 of them are shown.")
    assert panel.pairs.grid.title.startswith("1 · unit 0 · 2 of 3 pictures that give 0 · ")


def test_the_tenths_of_a_large_data_set_are_those_of_a_sample(net, monkeypatch):
    monkeypatch.setattr("cnnwidgets.methods.strongest.SAMPLE", 20)
    panel = cw.TopPatches(net, DATA, "1", which="deciles")
    assert panel.result["1"].sampled == 20
    assert "Unit 0: a random picture of each tenth of 20 random ones of 40 pictures, sorted" in panel.status.message


def test_deconvnet_is_said_not_to_look_at_the_picture_without_max_pooling(net, panel):
    said = "ReLUs do not look at the picture then"
    assert said in panel.status.message
    panel.rule = "guided"
    assert said not in panel.status.message
    panel.layer, panel.rule = "4", "deconvnet"
    panel.wait()
    assert said not in panel.status.message


def test_what_was_skipped_is_said(net):
    panel = cw.TopPatches(net, Bad(), "1")
    panel.wait()
    said = panel.status.message
    assert f"41 of 50 pictures scanned, {len(Bad.indices)} skipped, which cannot be used (picture {Bad.indices[0]}: " in said


@pytest.mark.parametrize(("unit", "said"), [(-1, "Choose a unit of 1, from 0 to 5"), (6, "There is no unit 6: 1 has 6")])
def test_a_unit_that_there_is_not(panel, unit, said):
    panel.unit = unit
    panel.wait()
    assert (panel.pairs.grid.shape[0], panel.pairs.grid.title) == (0, said)


def test_a_network_without_rules_has_patches_and_says_why_they_are_alone():
    net = cw.bind(lively(nn.Sequential(nn.Conv2d(3, 2, 3), nn.GELU()), 0), input_shape=(3, 12, 12))
    panel = cw.TopPatches(net, DATA, "1")
    panel.wait()
    assert panel.pairs.grid.mosaic == [] and panel.pairs.grid.shape[1:3] == [3, 3]
    assert "no projections: " in panel.pairs.grid.title and "a GELU" in panel.pairs.grid.title
    assert "projections" not in panel.data()
    panel.rule = "gradient"
    panel.wait()
    assert panel.pairs.grid.shape[1:3] == [3, 6]
    assert panel.data()["projections"].shape == (9, 3, 3, 3)


# networks and data of many kinds


def test_gray_pictures_without_labels():
    net = cw.bind(lively(nn.Sequential(nn.Conv2d(1, 1, 3), nn.ReLU()), 0), input_shape=(1, 10, 10))
    rng = np.random.default_rng(0)
    data = [Image.fromarray(rng.integers(0, 255, (10, 10), np.uint8)) for _ in range(5)]
    panel = cw.TopPatches(net, data, "1")
    panel.wait()
    assert panel.error is None
    assert panel.pairs.grid.shape == [5, 3, 6, 3]
    assert not any(" · " in label for label in panel.pairs.grid.labels)
    patches, back = tiles(panel)
    assert np.ptp(patches, axis=3).max() == np.ptp(back, axis=3).max() == 0
    assert panel.controls["next_unit"]["absent"]


def test_a_linear_layer_s_patch_is_the_whole_picture(net):
    panel = cw.TopPatches(net, DATA, net.layers.names[-1], 1)
    panel.wait()
    patches, _ = tiles(panel)
    np.testing.assert_allclose(patches[0], net.picture(DATA[panel.patches()[0].index][0]), atol=1)
    assert "sees the whole picture" in panel.pairs.grid.title


def test_many_units_are_found_by_their_number():
    net = cw.bind(lively(nn.Sequential(nn.Conv2d(3, 2048, 1)), 0), input_shape=(3, 12, 12))
    panel = cw.TopPatches(net, Pictures(3), "0", 2047)
    panel.wait()
    assert panel.controls["unit"]["kind"] == "search"
    assert len(panel.patches()) == 3
    assert panel.pairs.grid.title.startswith("0 · unit 2047 · 3 strongest patches")


def test_a_long_class_name_is_cut_where_it_is_told():
    class Named(Pictures):
        classes = tuple(f"<img onerror=alert({k})> a very long class name of many words" for k in range(4))

    net = cw.bind(lively(nn.Sequential(nn.Conv2d(3, 2, 3)), 0), input_shape=(3, 12, 12))
    panel = cw.TopPatches(net, Named(9), "0")
    panel.wait()
    assert all(len(told) < 90 for told in panel.pairs.grid.told)
    assert panel.pairs.grid.labels[0].endswith(Named.classes[panel.patches()[0].label])


def test_the_usual_layer_is_the_deepest_whose_patches_are_small(net):
    assert cw.TopPatches(net, DATA).layer == "2"  # of 12 pixels a side it sees 4, the next one 8


def test_broken_pictures_alone_are_an_error_in_the_panel(net):
    panel = cw.TopPatches(net, ["nowhere.png"], "1")
    panel.wait()
    assert panel.status.kind == "error"
    assert "None of the 1 pictures can be used" in panel.status.message


def test_the_still_has_every_pair_of_the_unit_that_was_chosen_last(panel):
    panel.unit = 4
    figure = panel.figure()
    assert sum(len(axes.images) for axes in figure.axes) == 2
    assert figure.axes[0].get_title(loc="left").startswith("1 · unit 4 · ")
