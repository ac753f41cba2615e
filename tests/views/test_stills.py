"""A still shows what the screen shows: the same values, colors, frames, numbers and words."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from plotly.graph_objects import Figure as Chart

from cnnwidgets.numbers import number
from cnnwidgets.views import (
    AnswerView,
    Cell,
    ChartView,
    ConnectionsView,
    HeatView,
    ImageGrid,
    ImageView,
    MapTable,
    MatrixView,
    NumberTable,
    NumberTables,
    ScatterView,
    TableView,
    atlas,
)
from cnnwidgets.views.grid_overlay import overlay
from cnnwidgets.views.palette import CLASS_COLORS, class_color
from cnnwidgets.views.view import View
from tests.views.stills import drawn, frames, texts, tiles

PRICE = "a $ in $ it"


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def pixels(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)


# every view


def answers(**traits) -> AnswerView:
    view = AnswerView(target=0, quantity="p(cat)", names={"0": "cat", "1": "dog"})
    told = {"value": 0.8, "classes": [0, 1], "chances": [0.8, 0.2]}
    grid = SimpleNamespace(
        known=np.array([[1, 0]]), values=np.array([[0.25, 0]]), ys=[0], xs=[0, 4],
        classes=np.array([[[1, 0], [-1, -1]]]), chances=np.array([[[0.75, 0.25], [0, 0]]]),
    )  # fmt: skip
    view.show(grid, before=told, **traits)
    return view


def chart(**traits) -> ChartView:
    view = ChartView(**traits)
    view.show(Chart().add_scatter(x=[0, 1, 2], y=[1, 3, 2], name=PRICE, showlegend=True), "a curve")
    return view


def connections(**traits) -> ConnectionsView:
    view = ConnectionsView()
    before, after = (
        [{"name": "conv1 · 3", "value": 0.5}, {"name": "conv1 · 0", "value": -2.0}],
        [{"name": PRICE, "value": 1.0}],
    )
    view.show(before, "conv2 · 7", after, [*random(3, 4, 4), random(2, 6)], **traits)
    return view


def heat(**traits) -> HeatView:
    view = HeatView(pixels=pixels(6, 8).tobytes(), shape=[6, 8])
    view.show(np.arange(6).reshape(2, 3), [0, 2], [0, 2, 4], patch=[4, 4], span=[0, 5], **traits)
    return view


def grid(**traits) -> ImageGrid:
    view = ImageGrid(noun="unit")
    view.show(random(5, 4, 4), title=PRICE, **traits)
    return view


def picture(**traits) -> ImageView:
    view = ImageView()
    view.show(pixels(6, 8), title=PRICE, **traits)
    return view


def maps() -> MapTable:
    view = MapTable()
    cells = [[Cell(random(6, 8), 2.0, True, "one note"), Cell(None, text="no map of this")]]
    view.show(pixels(6, 8), cells, rows=[PRICE], columns=["a method", "another"])
    return view


def matrix() -> MatrixView:
    view = MatrixView()
    view.show(random(2, 3, 3), ["left", PRICE], "a caption")
    return view


def numbers(step: int = 1) -> NumberTables:
    one = NumberTable("a", "first", np.array([[1.0, -2.0]]), row="Forward")
    two = NumberTable("b", "second", np.array([[0.0, 3.0]]), step=1, sign="→", was=np.array([[-7.0, np.nan]]))
    three = NumberTable("c", "third", np.array([[9.0]]), step=2, column="Back", row="Backward")
    view = NumberTables()
    view.show([one, two, three], ["first this", PRICE, "then that"], step)
    return view


def scatter(**traits) -> ScatterView:
    view = ScatterView(title=PRICE)
    view.show(random(6, 2), colors=np.array([0, 1, 0, 1, 0, -1]), names=["cat", PRICE], **traits)
    return view


def table(count: int = 3, **traits) -> TableView:
    return TableView(heads=["layer", "kind"], rows=[[f"conv{k}", PRICE] for k in range(count)], **traits)


VIEWS = {
    make.__name__: make for make in (answers, chart, connections, heat, grid, picture, maps, matrix, numbers, scatter, table)
}

each_view = pytest.mark.parametrize("name", VIEWS)


@each_view
def test_a_still_takes_what_room_it_wants_and_belongs_to_no_pyplot(name):
    view, before = VIEWS[name](), pyplot.get_fignums()
    width, height = view.still_size
    assert width > 0.5 and height > 0.3
    figure = Figure(figsize=view.still_size, layout="constrained")
    view.still(figure.subplots())
    figure.draw_without_rendering()
    assert pyplot.get_fignums() == before


@each_view
def test_names_with_dollars_are_names(name):
    figure = Figure(layout="constrained")
    VIEWS[name]().still(figure.subplots())
    with_dollars = [text for text in figure.findobj(lambda one: hasattr(one, "get_parse_math")) if "$" in text.get_text()]
    assert not any(text.get_parse_math() for text in with_dollars if "mathdefault" not in text.get_text())
    assert with_dollars or name in ("answers", "heat")


@each_view
def test_nothing_that_is_written_lies_over_something_else_that_is(name):
    figure = Figure(figsize=VIEWS[name]().still_size, layout="constrained")
    VIEWS[name]().still(figure.subplots())
    figure.draw_without_rendering()
    shown = [one for axes in figure.axes for one in [*axes.texts, axes.title, axes._left_title] if one.get_text()]
    boxes = [one.get_window_extent() for one in shown]
    for k, box in enumerate(boxes):
        for one, other in zip(shown, boxes[:k], strict=False):
            overlap = min(box.x1, other.x1) - max(box.x0, other.x0), min(box.y1, other.y1) - max(box.y0, other.y0)
            assert min(overlap) < 2, (shown[k].get_text(), one.get_text())


def test_a_view_that_shows_nothing_says_that_it_has_no_still():
    class Blank(View): ...

    with pytest.raises(NotImplementedError, match="Blank has no still"):
        Blank().still(Figure().subplots())


@pytest.mark.parametrize("value", [0.0, 1.0, -0.25, 123456.0, 0.00012345, -7.125, 1234.0])
def test_numbers_have_three_digits_and_a_true_minus(value):
    told = number(value)
    assert "-" not in told.replace("e-", "")
    assert float(told.replace("−", "-")) == pytest.approx(value, rel=5e-3)


# ImageGrid


@pytest.mark.parametrize("scale", ["map", "layer"])
def test_a_grid_gives_back_the_values_of_its_bytes(scale):
    maps = random(5, 4, 6)
    view = ImageGrid(scale=scale, sort="falling")
    order = np.argsort(-maps.max((1, 2)))
    view.show(maps, orders={"falling": order})
    (image,) = drawn(view)[0].images
    for unit, tile in zip(order, tiles(np.ma.filled(image.get_array(), np.nan), 5, 4, 6), strict=True):
        expected = maps[unit] / (np.abs(maps[unit]).max() if scale == "map" else 1)
        np.testing.assert_allclose(tile, expected, atol=np.ptp(expected) / 500)
    most = 1.0 if scale == "map" else np.abs(maps).max()
    assert image.get_clim() == pytest.approx((-most, most))


def test_maps_of_one_value_are_on_the_scale_of_the_layer():
    values = np.array([-1.0, 2.0, 4.0]).reshape(3, 1, 1)
    view = ImageGrid()
    view.show(values)
    (image,) = drawn(view)[0].images
    assert image.get_clim() == (-4, 4)
    np.testing.assert_allclose(tiles(image.get_array().filled(np.nan), 3, 1, 1), values, atol=0.01)
    assert "value, all on one scale" in texts(view)


def test_numbers_of_maps_stand_in_their_corners_where_there_is_room():
    numbers = {str(k) for k in range(1, 5)}  # 0 is also on the scale
    assert numbers <= set(texts(grid(numbered=True, tile=56)))
    assert not numbers & set(texts(grid(numbered=True, tile=40)))
    assert not numbers & set(texts(grid(tile=56)))


def test_the_chosen_unit_is_framed_where_it_lies_in_the_order_and_told():
    view = grid(orders={"index": [3, 1, 4, 0, 2]}, selected=4)
    (axes,) = drawn(view)
    (x, _, wide, _), *bar = frames(axes)
    assert (x // wide, bar) == (2, [])
    assert any(text.startswith("unit 4 · from") for text in texts(view))
    assert frames(drawn(grid())[0]) == []


def test_what_is_crossed_out_is_pale_under_two_lines():
    view = grid(dim=np.array([0, 1, 0, 0, 1]))
    (axes,) = drawn(view)
    pale = tiles(np.where(np.isnan(axes.images[0].get_array().filled(np.nan)), np.nan, axes.images[0].get_alpha()), 5, 4, 4)
    assert [float(tile.max()) for tile in pale] == pytest.approx([1, 0.35, 1, 1, 0.35])
    crosses = [line for lines in axes.collections for line in getattr(lines, "get_segments", list)()]
    slanted = [line for line in crosses if (line[0] != line[1]).all()]
    assert len(slanted) == 4


def test_under_each_tile_is_its_label_and_the_cursor_is_on_each():
    view = grid(labels=["a", "b", PRICE, "d", "e"], cursor=[1.0, 2.0])
    (axes,) = drawn(view)
    assert {"a", "b", PRICE, "d", "e"} <= {text.get_text() for text in axes.texts}
    assert len(frames(axes, "#ffffff")) == 5


def test_a_mosaic_leaves_out_what_it_has_no_parts_for_and_rules_the_others():
    values = np.ones((1, 4, 4), np.float32)
    view = ImageGrid()
    view.show(values, mosaic=[2, 2, 3])
    (axes,) = drawn(view)
    (tile,) = tiles(axes.images[0].get_array().filled(np.nan), 1, 4, 4)
    assert np.isnan(tile).tolist() == [[False] * 4] * 2 + [[False, False, True, True]] * 2


def test_colors_are_those_of_the_screen_with_zero_in_gray():
    maps = random(3, 2, 2, 3)
    view = ImageGrid(scale="layer")
    view.show(maps)
    (image,) = drawn(view)[0].images
    for one, tile in zip(maps, tiles(np.asarray(image.get_array()), 3, 2, 2), strict=True):
        np.testing.assert_allclose(tile, 0.5 + 0.5 * one / np.abs(maps).max(), atol=0.01)


@pytest.mark.parametrize(
    ("traits", "limits", "table"),
    [
        ({"scale": "layer"}, lambda v: (0, v.max()), "viridis"),
        ({"scale": "layer", "contrast": 4.0}, lambda v: (0, v.max() / 4), "viridis"),
        ({"scale": "layer", "colors": "gray"}, lambda v: (0, v.max()), "gray"),
        ({"scale": "layer", "colors": "diverging"}, lambda v: (-v.max(), v.max()), "RdBu_r"),
        ({"scale": "fixed", "limits": [0.5, 2.5]}, lambda v: (0.5, 2.5), "viridis"),
        ({"scale": "fixed", "limits": [-1.0, 3.0]}, lambda v: (-1, 3), "viridis"),
    ],
)
def test_maps_without_negative_values_are_colored_from_zero_unless_something_else_is_said(traits, limits, table):
    maps = np.maximum(random(3, 4, 4), 0)
    view = ImageGrid(**traits)
    view.show(maps)
    (image,) = drawn(view)[0].images
    assert image.get_clim() == pytest.approx(limits(maps))
    assert image.get_cmap().name == table


def test_the_scale_tells_its_ends_and_zero_and_is_only_there_with_tools():
    maps = np.linspace(-2, 1, 12, dtype=np.float32).reshape(3, 2, 2)
    view = ImageGrid(scale="layer")
    view.show(maps)
    assert {"−2", "0", "2"} <= set(texts(view))
    view.tools = False
    assert "−2" not in texts(view)


def colored(lit: int, opacity: float = 1.0) -> tuple[np.ndarray, ImageGrid]:
    """The tiles of pictures of 4×4 under two layers of 2×2, which lie one pixel further down and right."""
    view = ImageGrid(scale="fixed", limits=[0.0, 1.0], lit=lit, opacity=opacity)
    view.show(np.random.default_rng(0).random((2, 4, 4, 3)), overlay=overlay(AMOUNTS, ["#ff0000", "#0000ff"], (1, 1, 4, 4)))
    (image,) = drawn(view)[0].images
    return np.array(tiles(np.asarray(image.get_array()), 2, 4, 4)), view


AMOUNTS = np.array([[[[0, 1], [2, 4]], [[0, 3], [1, 0]]], [[[0, 0], [0, 0]], [[6, 6], [0, 0]]]], float)
"""Of two maps in two layers; full are 4 and 6, the largest but for one in a hundred."""


def test_over_pictures_each_position_has_the_color_of_its_largest_layer_and_what_is_below_is_gray():
    shown, view = colored(-1)
    gray = (view.maps @ [0.299, 0.587, 0.114])[..., None].repeat(3, 3)
    full = [np.quantile(layer[layer > 0], 0.99) for layer in AMOUNTS.swapaxes(0, 1)]
    expected = gray.copy()
    for picture, top, left, layer in ((0, 1, 3, 1), (0, 3, 1, 0), (0, 3, 3, 0), (1, 1, 1, 1), (1, 1, 3, 1)):
        share = min(1, AMOUNTS[picture, layer, top // 2, left // 2] / full[layer])
        here = np.s_[picture, top : top + 2, left : left + 2]
        expected[here] = (1 - share) * gray[here] + share * np.eye(3)[[0, 2][layer]]
    np.testing.assert_allclose(shown, expected, atol=0.01)


def test_a_layer_that_is_lit_is_shown_alone_and_nothing_where_nothing_covers():
    shown, view = colored(0)
    blue = colored(1)[0]
    gray = (view.maps @ [0.299, 0.587, 0.114])[..., None].repeat(3, 3)
    assert not np.allclose(shown[0, 1:3, 3], gray[0, 1:3, 3]) and not np.allclose(blue[0, 1:3, 3], gray[0, 1:3, 3])
    np.testing.assert_allclose(shown[1], gray[1], atol=0.01)
    np.testing.assert_allclose(colored(-1, 0.0)[0], view.maps, atol=0.01)
    np.testing.assert_allclose(colored(2)[0], colored(-1)[0])  # there is no such layer: all are shown


# pictures with something over them


def test_the_patch_covers_what_it_covers_and_is_framed():
    before, cover = pixels(6, 8), np.full((6, 8, 3), 9, np.uint8)
    view = ImageView()
    view.show(before, box=[1, 2, 2, 2], mask=bytes([1, 0, 1, 1]), cover=cover.tobytes())
    (axes,) = drawn(view)
    expected = before.copy()
    expected[[1, 2, 2], [2, 2, 3]] = 9
    np.testing.assert_array_equal(axes.images[0].get_array(), expected)
    unit = view.width / 96 / 8
    assert frames(axes) == [pytest.approx((2 * unit, unit, 2 * unit, 2 * unit))]
    assert "on rows 1–2, columns 2–3" in texts(view)


def test_what_the_cursor_sees_is_framed_as_far_as_it_is_in_the_picture():
    field = {"size": [3, 3], "step": [2, 2], "offset": [-1, -1], "status": "exact"}
    view = picture(field=field, cursor=[0.0, 1.0])
    unit = view.width / 96 / 8
    (axes,) = drawn(view)
    assert [(x / unit, w / unit, h / unit) for x, _, w, h in frames(axes)] == [pytest.approx((1, 3, 2))]
    assert "this value sees rows 0–1, columns 1–3" in texts(view)


def test_a_map_lies_over_the_picture_where_its_positions_are_and_estimates_are_paler():
    view = heat(known=np.array([[1, 0, 1], [1, 1, 1]]), opacity=0.5, mark=4.0, box=[2, 4, 4, 4], region=[0, 0, 3, 3])
    (axes,) = drawn(view)
    below, over = axes.images
    assert below.get_array().shape == (6, 8)
    np.testing.assert_array_equal(over.get_array(), np.arange(6).reshape(2, 3))
    np.testing.assert_allclose(over.get_alpha(), [[0.5, 0.225, 0.5], [0.5, 0.5, 0.5]])
    unit = view.width / 96 / 8
    assert np.divide(over.get_extent(), unit).tolist() == pytest.approx([1, 7, 5, 1])
    assert (len(frames(axes)), len(frames(axes, "#ffffff"))) == (2, 1)  # the patch, and the mark of the bar
    assert {"0", "5", "no patch: 4", "here: 5"} <= set(texts(view))


def test_a_map_of_classes_has_their_colors_names_and_parts():
    view = heat(names=["cat", "dog", "owl", "elk", "fox", "hen"])
    (axes,) = drawn(view)
    assert [to_hex(color) for color in axes.images[1].cmap.colors] == list(CLASS_COLORS[:6])
    assert {"cat 16.7%", "hen 16.7%"} <= set(texts(view))


def test_a_table_gives_back_its_maps_with_their_scale_and_says_why_there_is_none():
    view = maps()
    view.cursor = [2.0, 3.0]
    (axes,) = drawn(view)
    plain, below, over = axes.images
    assert (plain.get_array().shape, below.get_array().shape) == ((6, 8, 3), (6, 8))
    np.testing.assert_allclose(over.get_array(), random(6, 8), atol=1e-4)
    assert (over.get_clim(), over.get_alpha()) == ((-2.0, 2.0), 0.75)
    told = {PRICE, "a method", "no map of this", "one note", f"−2 to 2 · here {number(float(random(6, 8)[2, 3]))}"}
    assert told <= set(texts(view))
    view.sign = "for"
    assert drawn(view)[0].images[2].get_array().min() == 0


def test_the_outline_of_a_mask_is_all_around_it():
    view = maps()
    mask = np.zeros((6, 8), bool)
    mask[2:4, 3:6] = True
    view.show(pixels(6, 8), [[Cell(random(6, 8))]], rows=["a"], columns=["b"], mask=mask)
    lines = [one for one in drawn(view)[0].collections if hasattr(one, "get_segments")]
    assert len(lines[0].get_segments()) == 2 * (2 + 3)


# words and numbers


def test_an_answer_tells_what_it_was_and_is():
    view = answers(box=[0, 0, 3, 3])
    assert {"25.0%", "before: 80.0%", "now", "before", "75.0%", "80.0%"} <= set(texts(view))
    assert drawn(view)[0].get_title("left") == "p(cat)"
    view.box = [0, 3, 3, 3]
    assert "≈ 25.0%" in texts(view)
    assert "≈ value of the nearest computed position, 3 pixels away" in " ".join(texts(view))
    view.answer = {"box": [0, 3, 3, 3], "value": 0.5, "classes": [0], "chances": [0.5]}
    assert "50.0%" in texts(view)
    view.box = []
    assert {"80.0%", "no patch"} <= set(texts(view))


def test_of_a_class_that_is_not_kept_an_answer_tells_what_it_is_below():
    view = answers(box=[0, 0, 3, 3])
    view.before = {"value": 0.9, "classes": [0, 4], "chances": [0.9, 0.1]}
    told = texts(view)
    assert [told.count(text) for text in ("10.0%", "< 10.0%")] == [
        1,
        1,
    ]  # class 4 before; the dog, of which no more is known
    assert "< 25.0%" in told  # class 4 now: less than the least probable that is kept
    view.target = 7
    assert "7" in texts(view), "the class that is watched has its row"


def test_a_table_has_the_chosen_row_among_those_that_there_is_room_for():
    view = table(100, selected=60)
    assert "conv60" in texts(view)
    assert len([text for text in texts(view) if text.startswith("conv")]) < 20
    assert len(frames(drawn(view)[0])) == 1
    shown = [text for text in texts(view) if text.startswith("conv")]
    assert f"… {100 - len(shown)} more rows" in texts(view)


def test_matrices_have_a_number_in_every_cell():
    (axes,) = drawn(matrix())
    assert [image.get_array().tolist() for image in axes.images] == random(2, 3, 3).tolist()
    assert {number(round(float(value), 3)) for value in random(2, 3, 3).flat} <= set(texts(matrix()))


@pytest.mark.parametrize(("step", "count"), [(0, 1), (1, 2), (2, 3)])
def test_tables_are_drawn_as_far_as_the_step(step, count):
    view = numbers(step)
    (axes,) = drawn(view)
    assert [image.get_array().tolist() for image in axes.images] == [[[1, -2]], [[0, 3]], [[9]]][:count]
    assert view.steps[step] in texts(view)
    assert ("−7" in texts(view)) == (step > 0), "what was there before it was set to 0"
    assert len(frames(axes)) == (1 if step else 0), "the tables of this step"


# points


def test_points_lie_where_they_are_in_their_classes_colors():
    view = scatter()
    axes = drawn(view)[0]
    np.testing.assert_array_equal(axes.collections[0].get_offsets(), random(6, 2))
    colors = [to_hex(color) for color in axes.collections[0].get_facecolors()]
    assert colors == [class_color(k) for k in (0, 1, 0, 1, 0)] + ["#9a9a9a"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["cat (3)", f"{PRICE} (2)", "no class (1)"]


def test_hidden_classes_are_not_drawn_and_the_legend_says_so():
    view = scatter(hidden=[0])
    axes = drawn(view)[0]
    np.testing.assert_array_equal(axes.collections[0].get_offsets(), random(6, 2)[[1, 3, 5]])
    assert axes.get_legend().get_texts()[0].get_text() == "cat (3) (hidden)"


def test_added_and_picked_points_have_a_ring_and_others_fade_beside_what_is_selected():
    view = scatter(added=[4], picked=2, selected=[0, 1])
    axes = drawn(view)[0]
    points, added, picked, *_ = axes.collections
    assert added.get_offsets().tolist() == random(6, 2)[[4]].tolist()
    assert picked.get_offsets().tolist() == random(6, 2)[[2]].tolist()
    assert to_hex(picked.get_edgecolors()[0]) == "#ffb000"
    assert points.get_facecolors()[:, 3].tolist() == [1, 1, 0.25, 0.25, 0.25, 0.25]
    assert "added (1)" in [text.get_text() for text in axes.get_legend().get_texts()]


def test_values_have_a_bar_with_their_ends():
    view = ScatterView(quantity=PRICE)
    view.show(random(3, 2), colors=np.array([-1.0, np.nan, 3.0]))
    axes, bar = drawn(view)
    values = axes.collections[0].get_array()
    assert values.mask.tolist() == [False, True, False]
    np.testing.assert_allclose(values.compressed(), [-1, 3])
    assert [label.get_text() for label in bar.get_yticklabels()] == ["−1", "0", "3"]
    assert bar.get_ylabel() == PRICE


def test_points_are_drawn_as_their_pictures_where_there_is_room():
    faces = np.random.default_rng(2).integers(0, 256, (3, 4, 4), np.uint8)
    sheet, tile = atlas(faces)
    view = ScatterView(thumbnails=True)
    view.show(np.array([[0.0, 0.0], [0.01, 0.0], [9.0, 9.0]]), atlas=sheet, tile=tile)
    images = drawn(view)[0].images
    assert [image.get_array()[..., 0].tolist() for image in images] == faces[[0, 2]].tolist()


def test_the_line_of_a_connection_is_as_wide_as_its_weight_in_the_color_of_its_sign():
    lines = drawn(connections())[0].collections
    assert [line.get_linewidths()[0] for line in lines] == [7 * 0.5 / 2, 7, 7 / 2]
    assert [to_hex(line.get_colors()[0]) for line in lines] == ["#d6604d", "#4393c3", "#d6604d"]
    assert [text for text in texts(connections()) if "−" in text] == ["−2"]


def test_each_unit_of_a_graph_has_its_own_map_in_full_range():
    first, *_, middle = (image.get_array() for image in drawn(connections())[0].images)
    expected = random(3, 4, 4)[1]
    spread = np.rint(255 * (expected - expected.min()) / np.ptp(expected))
    np.testing.assert_array_equal(first[::8, ::8], spread)
    assert middle.shape == (32, 32)


def test_a_side_without_connections_says_why():
    view = ConnectionsView()
    view.show([], "conv1 · 0", [], [random(4, 4)], ends=["The picture itself", "No layer reads it"])
    assert " ".join(texts(view)).startswith("The picture itself No layer reads it")


def test_units_of_one_position_are_colored_beside_each_other():
    view = ConnectionsView()
    nodes = [{"name": str(k), "value": 1.0} for k in range(3)]
    view.show(nodes, "conv1 · 0", [], [random(4, 4), *(np.full((1, 1), value) for value in (-2.0, 0.0, 2.0))])
    *tiles_, _ = (image.get_array() for image in drawn(view)[0].images)
    assert [int(tile[0, 0]) for tile in tiles_] == [0, 128, 255]
