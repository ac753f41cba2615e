"""Concepts colors pictures by the factors of a layer, frames each factor's patches in its color, and says what it found."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from torch import nn

import cnnwidgets as cw
from cnnwidgets.methods import factors
from cnnwidgets.net import Cancelled
from cnnwidgets.views.palette import class_color
from tests.base.tiny import PATIENCE
from tests.methods.data_sets import Bad, Pictures
from tests.net.brute_force import lively

N = 60
DATA = Pictures(N)


@pytest.fixture(scope="module")
def net():
    parts = nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 5, 3), nn.ReLU()
    return cw.bind(lively(nn.Sequential(*parts, nn.Flatten(), nn.Linear(80, 4)), 0), input_shape=(3, 12, 12))


@pytest.fixture
def panel(net):
    made = cw.Concepts(net, DATA, "4", 3)
    assert made.wait(PATIENCE)
    assert made.error is None
    yield made
    made.close()


def amounts(grid) -> np.ndarray:
    """What the overlay of a grid carries, (maps, factors, rows, columns)."""
    over = grid.overlay
    return np.frombuffer(over["values"], np.uint8).reshape(-1, *over["shape"]) / 255 * np.array(over["tops"])[:, None, None]


# pictures and colors


def test_forty_random_pictures_lie_under_the_maps_of_the_factors(net, panel):
    found = factors(net, DATA, "4", 3, pictures=40)
    assert panel.data()["indices"].tolist() == found.indices.tolist() and len(found.indices) == 40
    np.testing.assert_array_equal(panel.data()["values"], found.maps)
    np.testing.assert_allclose(amounts(panel.pictures), found.maps, atol=found.maps.max() / 500)
    np.testing.assert_allclose(panel.pictures.maps, [net.picture(DATA[int(i)][0]) for i in found.indices], atol=0.5)
    assert panel.pictures.overlay["colors"] == [class_color(k) for k in range(3)]


@pytest.mark.parametrize(
    ("layer", "box"),
    [("1", (0, 0, 12, 12)), ("2", (0, 0, 12, 12)), ("4", (2, 2, 8, 8))],  # the last convolution has no padding
)
def test_a_position_is_colored_around_the_center_of_what_it_sees(panel, layer, box):
    panel.layer = layer
    panel.wait()
    assert panel.pictures.overlay["box"] == list(box)


def test_large_pictures_are_made_smaller_and_their_colors_with_them():
    net = cw.bind(lively(nn.Sequential(nn.Conv2d(3, 4, 8, stride=8), nn.ReLU()), 0), input_shape=(3, 192, 144))
    panel = cw.Concepts(net, [torch.randn(3, 192, 144) for _ in range(2)], n=2)
    panel.wait()
    assert panel.pictures.shape == [2, 96, 72, 3] and panel.pictures.overlay["box"] == [0, 0, 96, 72]
    assert panel.pictures.overlay["shape"] == [2, 24, 18]


def test_lighting_a_factor_asks_for_nothing_and_is_one_in_all_views(panel):
    result = panel.result
    panel.factor = 1
    assert (panel.pictures.lit, panel.patches.selected) == (1, 1)
    panel.set_state({"factor": 2})  # by a hand: of a tie the browser tells the leader
    assert panel.patches.selected == panel.pictures.lit == 2
    panel.set_state({"factor": -1})
    assert panel.patches.selected == panel.pictures.lit == -1
    assert panel.result is result


def test_a_factor_that_there_is_no_more_is_lit_no_more(panel):
    panel.factor = 2
    panel.n = 2
    panel.wait()
    assert (panel.factor, panel.pictures.lit, panel.patches.selected) == (-1, -1, -1)
    panel.factor, panel.n = 1, 4
    panel.wait()
    assert (panel.factor, panel.patches.selected) == (1, 1)


def test_a_factor_may_be_lit_from_the_start(net):
    panel = cw.Concepts(net, DATA, "4", 3, factor=2)
    panel.wait()
    assert (panel.pictures.lit, panel.patches.selected) == (2, 2)


# patches


def test_each_factor_s_patches_are_framed_in_its_color_the_strongest_first(net, panel):
    found = factors(net, DATA, "4", 3)
    assert panel.patches.shape[0] == 3
    sees = found.layer.receptive_field
    size = int(sees.size[0])
    times = max(1, 32 // size)
    for factor, strip in enumerate(panel.patches.maps.round()):
        color = [int(class_color(factor)[k : k + 2], 16) for k in (1, 3, 5)]
        assert (strip[:4] == color).all() and (strip[-4:] == color).all() and (strip[:, :4] == color).all()
        best = sorted(range(N), key=lambda i: (-found.maps[i, factor].max(), i))[:4]
        for k, i in enumerate(best):
            row, column = np.unravel_index(found.maps[i, factor].argmax(), (4, 4))
            top, left = (int(sees.offset[axis] + at * sees.step[axis]) for axis, at in enumerate((row, column)))
            wide = np.full((12 + 2 * size, 12 + 2 * size, 3), 128)
            wide[size:-size, size:-size] = net.picture(DATA[i][0])
            seen = wide[size + top : 2 * size + top, size + left : 2 * size + left].repeat(times, 0).repeat(times, 1)
            begin = 4 + k * (size * times + 4)
            np.testing.assert_allclose(strip[4:-4, begin : begin + size * times], seen, atol=1)


def test_under_the_patches_is_each_factor_s_share_which_sum_to_one(net, panel):
    shares = [float(label.split(" · ")[1].removesuffix("%")) for label in panel.patches.labels]
    assert [label.split(" · ")[0] for label in panel.patches.labels] == ["0", "1", "2"]
    assert sum(shares) == pytest.approx(100, abs=0.2) and shares == sorted(shares, reverse=True)
    every = factors(net, DATA, "4", 3).maps.sum((0, 2, 3))
    np.testing.assert_allclose(shares, 100 * every / every.sum(), atol=0.06)


# another number


def test_another_number_and_a_layer_that_was_seen_ask_for_no_scan(net, monkeypatch):
    scans = []

    def counted(*given, **options):
        scans.append(given[2])
        return factors(*given, **options)

    monkeypatch.setattr("cnnwidgets.panels.concepts.panel.factors", counted)
    panel = cw.Concepts(net, DATA, "4", 3)
    panel.wait()
    for layer, n in (("4", 2), ("4", 5), ("1", 5), ("4", 1), ("1", 2)):
        panel.layer, panel.n = layer, n
        np.testing.assert_array_equal(panel.data()["directions"], factors(net, DATA, layer, n).directions)
    assert scans == ["4", "1"]


def test_a_click_in_the_chart_takes_that_number_and_there_are_at_most_as_many_as_units(panel):
    panel.chart.set_state({"clicked": [0, 3]})
    assert panel.n == 4 and panel.chart.clicked == []
    panel.chart.set_state({"clicked": [1, 0]})  # the point of the factors on screen
    assert panel.n == 4
    assert (panel.controls["n"]["min"], panel.controls["n"]["max"]) == (1, 5)
    panel.layer, panel.n = "1", 6
    panel.wait()
    panel.layer = "4"
    panel.wait()
    assert panel.n == 5 and panel.error is None


# hands, and other panels


def test_a_click_on_a_picture_opens_it_at_that_place_in_a_linked_panel(net, panel):
    browser = cw.FeatureMapBrowser(net, DATA, "1")
    browser.result  # noqa: B018
    cw.link(panel, browser)
    panel.pictures.set_state({"selected": 7, "cursor": [5, 6]})
    number = int(panel.data()["indices"][7])
    assert (panel.image, browser.image) == (number, number)
    assert (browser.y, browser.x) == (5, 6)
    assert browser.layer == "4"


def test_a_picture_that_was_chosen_elsewhere_is_marked(panel):
    panel.image = int(panel.data()["indices"][3])
    assert panel.pictures.selected == 3
    panel.image = next(i for i in range(N) if i not in panel.data()["indices"])
    assert panel.pictures.selected == -1
    panel.image = "elsewhere.png"
    assert panel.pictures.selected == -1


def test_what_is_locked_no_hand_can_change(net):
    panel = cw.Concepts(net, DATA, "4", 3, lock=["factor", "image", "n"])
    panel.wait()
    assert panel.patches.lock == panel.pictures.lock == ["unit"] and panel.chart.fixed


# what it says


def test_it_says_what_so_many_factors_explain_and_what_they_could_at_most(net, panel):
    found = factors(net, DATA, "4", 3)
    maps = net.trace(torch.stack([DATA[i][0] for i in range(N)]), ["4"])["4"].flatten(2).movedim(1, 2).reshape(-1, 5)
    singular = np.linalg.svd(maps.double().numpy(), compute_uv=False) ** 2
    most = 100 * singular[:3].sum() / singular.sum()
    said = f"3 factors explain {100 * found.explained:.1f}% of the sum of squares of 4; "
    said += f"no 3 directions explain more than {most:.1f}%."
    assert panel.status.message.startswith(f"{said}\nFitted to all 960 positions of 60 pictures; ")
    assert "40 random pictures of 60 are shown" in panel.status.message
    panel.n = 1
    panel.wait()
    assert panel.status.message.startswith("1 factor explains ") and "; no direction explains more " in panel.status.message


def test_negative_values_are_taken_to_be_zero_and_said(panel):
    panel.layer = "3"
    panel.wait()
    assert panel.error is None
    maps = panel.net.trace(torch.stack([DATA[i][0] for i in range(N)]), ["3"])["3"]
    share = 100 * (maps < 0).float().mean().item()
    assert f"{share:.1f}% of the layer's values are negative and count as 0" in panel.status.message
    panel.layer = "4"
    panel.wait()
    assert "negative" not in panel.status.message


def test_a_picture_in_which_there_is_nothing_is_said():
    module = nn.Sequential(nn.Conv2d(3, 2, 1, bias=False), nn.ReLU())
    with torch.no_grad():
        module[0].weight[:] = torch.eye(3)[:2, :, None, None]
    data = [torch.full((3, 4, 4), float(v)) for v in (1, -1, 2)]
    panel = cw.Concepts(cw.bind(module, input_shape=(3, 4, 4)), data, n=1)
    panel.wait()
    assert panel.pictures.told == [
        "Picture 0: factor 0 makes up 100% of the amount",
        "Picture 1: no factor is present; the layer gives 0",
        "Picture 2: factor 0 makes up 100% of the amount",
    ]
    assert not amounts(panel.pictures)[1].any()
    panel.n = 2  # of one kind of stuff
    panel.wait()
    assert panel.error is None
    assert sum("is 0 everywhere: fewer factors explain as much" in told for told in panel.patches.told) <= 1


def test_a_dead_layer_more_factors_than_positions_and_a_layer_without_maps_are_sentences():
    dead = lively(nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Conv2d(2, 5, 9), nn.ReLU()), 0)
    with torch.no_grad():
        dead[0].bias.fill_(-1e3)
    net = cw.bind(dead, input_shape=(3, 12, 12))
    panel = cw.Concepts(net, DATA, "1", 2)
    panel.wait()
    assert panel.status.message == "1 gives 0 at all 6,000 positions of 60 pictures: there is nothing to factor"
    few = cw.Concepts(net, [DATA[0]], "2", 5)
    few.wait()
    assert few.status.message == "n is 5; expected at most 4, the positions that there are"
    linear = cw.bind(nn.Sequential(nn.Flatten(), nn.Linear(27, 4)), input_shape=(3, 3, 3))
    without = cw.Concepts(linear, [torch.randn(3, 3, 3)])
    assert "has no layer to factor: no output is maps of several positions" in without.status.message
    panel.layer = "no such layer"
    panel.wait()
    assert panel.status.kind == "error" and "no layer 'no such layer'" in panel.status.message


def test_what_was_skipped_is_said(net):
    panel = cw.Concepts(net, Bad(), "4", 2)
    panel.wait()
    assert f"{len(Bad.indices)} pictures cannot be used (picture {Bad.indices[0]}: " in panel.status.message
    assert not set(panel.data()["indices"]) & set(Bad.indices)


def test_a_factor_names_its_units_and_the_class_that_it_is_mostly_in():
    panel = cw.Concepts(cw.load("scenes"), cw.samples.scenes(size=200), "layer3.1.relu:2", 10)
    found = panel.result.found
    names = [told.split("class “")[1].rstrip("”") for told in panel.patches.told]
    assert sorted(names) == [str(label) for label in range(10)]  # of the last maps each is a class
    for told, direction in zip(panel.patches.told, found.directions, strict=True):
        assert f"units {direction.argmax()} (" in told


def test_long_class_names_are_cut_where_they_are_told(net):
    class Named(Pictures):
        classes = tuple(f"<img onerror=alert({k})> a very long class name of many words" for k in range(4))

    panel = cw.Concepts(net, Named(9), "4", 2)
    panel.wait()
    assert all(len(told) < 100 and "…”" in told for told in panel.pictures.told)


def test_cancel_leaves_the_factors_before(net, panel):
    class Slow(Pictures):
        def __getitem__(self, i):
            if i == 30:
                reached.set()
                assert gate.wait(PATIENCE)
            return super().__getitem__(i)

    reached, gate = threading.Event(), threading.Event()
    slow = cw.Concepts(net, Slow(N), "4", 2)
    assert reached.wait(PATIENCE)
    slow.cancel()
    gate.set()
    assert slow.wait(PATIENCE)
    assert slow.status.message.startswith("Cancelled.")
    with pytest.raises(Cancelled):
        _ = slow.result


def test_the_usual_layer_is_that_of_the_last_feature_maps(net):
    assert cw.Concepts(net, DATA).layer == "4"
    assert cw.Concepts(cw.load("digits"), cw.samples.digits()).layer == "relu2"


def test_the_still_has_every_picture_under_its_colors_every_strip_and_the_chart(panel):
    panel.opacity = 0.0
    plain = panel.figure().axes[0].images[0].get_array()
    panel.opacity = 1.0
    colored = panel.figure().axes[0].images[0].get_array()
    assert plain.shape == colored.shape and not np.allclose(plain, colored)
    figure = panel.figure()
    assert sum(len(axes.images) for axes in figure.axes) == 2
    assert figure.axes[0].get_title(loc="left").startswith("4 · 3 factors in 40 random pictures")


def test_of_factors_that_there_cannot_be_none_are_offered(panel):
    choice = type(panel).factor.metadata["control"]
    panel.n = 10**6
    assert len(choice.options(panel)) == 1 + 5
    assert panel.wait(PATIENCE)
    assert panel.status.message == "n is 1000000; expected a whole number from 1 to 5, the units of 4"


@pytest.mark.parametrize("units", [1, 4, 9])
def test_by_default_there_are_no_more_factors_than_units(units):
    torch.manual_seed(0)
    parts = nn.Conv2d(3, units, 3), nn.Softplus(), nn.Flatten(), nn.Linear(100 * units, 4)
    panel = cw.Concepts(cw.bind(nn.Sequential(*parts), input_shape=(3, 12, 12)), Pictures(8))
    assert panel.wait(PATIENCE) and panel.error is None
    assert panel.n == len(panel.data()["shares"]) == min(units, 6)
    panel.close()
