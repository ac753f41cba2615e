"""Points travel in ten bytes each and in one message; what the browser does with them is geometry that can be asked."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cnnwidgets import views
from cnnwidgets.views import ScatterView, atlas
from cnnwidgets.views.modules import inlined
from cnnwidgets.views.palette import CLASS_COLORS, class_colors
from cnnwidgets.views.scatter_view import NONE, quantize
from tests.views.stills import drawn
from tests.views.wire import sent

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


def points_of(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 2)).astype(np.float32)


def read(view, trait, dtype):
    return np.frombuffer(getattr(view, trait), dtype)


# what travels


@pytest.mark.parametrize(
    "look", [{}, {"colors": np.arange(1000) % 7, "names": list("abcdefg")}, {"colors": np.linspace(0, 1, 1000)}]
)
def test_points_and_their_colors_are_one_message_of_at_most_12_bytes_a_point(look, monkeypatch):
    view = ScatterView()
    with sent(view, monkeypatch) as messages:
        view.show(points_of(1000), **look)
    assert len(messages) == 1
    assert sum(len(memoryview(buffer).cast("B")) for buffer in messages[0].buffers) <= 12 * 1000


def test_a_live_frame_sends_positions_alone(monkeypatch):
    view = ScatterView()
    view.show(points_of(1000), colors=np.arange(1000) % 3, names=list("abc"))
    with sent(view, monkeypatch) as messages:
        view.move(points_of(1000, 1))
    (message,) = messages
    assert set(message["state"]) == {"tween"}
    assert [path for (path,) in message["buffer_paths"]] == ["positions"]
    assert read(view, "positions", np.float32).tolist() == points_of(1000, 1).ravel().tolist()
    assert view.tween == 0


def test_the_points_that_are_given_stay_as_they_are_and_so_does_a_place_that_is_not_known():
    points = np.array([[0, 1], [np.nan, 2], [3, np.inf]])
    before = points.copy()
    view = ScatterView()
    view.show(points)
    np.testing.assert_array_equal(points, before)
    np.testing.assert_array_equal(read(view, "positions", np.float32).reshape(-1, 2), before)


def test_a_class_that_is_not_known_is_none():
    view = ScatterView()
    view.show(points_of(3), colors=[1, -1, 0], names=["cat", "dog"])
    assert read(view, "group", np.uint16).tolist() == [1, NONE, 0]
    assert view.value == b""


@given(st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=30))
def test_a_value_comes_back_within_half_a_step_of_its_span(values):
    data, (lo, hi) = quantize(np.array(values))
    steps = np.frombuffer(data, np.uint16)
    assert (lo, hi) == (min(values), max(values))
    assert np.abs(lo + steps / (NONE - 1) * (hi - lo) - values).max() <= (hi - lo) / (NONE - 1) * 0.5001 + 1e-9


def test_values_beyond_the_span_are_cut_off_and_those_that_are_not_known_are_none():
    data, span = quantize(np.array([-5, 0, 0.5, 1, 9, np.nan]), [0, 1])
    assert np.frombuffer(data, np.uint16).tolist() == [0, 0, (NONE - 1) // 2, NONE - 1, NONE - 1, NONE]
    assert span == [0, 1]


def test_what_is_told_of_points_is_typed_and_only_a_probability_of_1_is_all():
    view = ScatterView()
    view.show(
        points_of(2), labels=[3, -1], top=[[3, 1], [0, 2]], chance=[[1.0, 0.0], [0.5, 1e-9]], numbers=[40_000, 7], added=[1]
    )
    assert read(view, "labels", np.int32).tolist() == [3, -1]
    assert read(view, "top", np.uint16).tolist() == [3, 1, 0, 2]
    assert read(view, "chance", np.uint16).tolist() == [65535, 0, 32768, 1]
    assert read(view, "numbers", np.int32).tolist() == [40_000, 7]
    assert read(view, "added", np.int32).tolist() == [1]


def test_what_is_told_of_points_stays_with_as_many_points_and_goes_with_others():
    view = ScatterView()
    data, tile = atlas(np.zeros((4, 2, 2), np.uint8))
    view.show(points_of(4), labels=[1, 2, 3, 0], atlas=data, tile=tile, edges=[[0, 1]], selected=[2], picked=3)
    view.show(points_of(4, 1))
    assert (read(view, "labels", np.int32).tolist(), view.atlas, view.selection.tolist(), view.picked) == (
        [1, 2, 3, 0],
        data,
        [2],
        3,
    )
    view.show(points_of(3))
    assert (view.labels, view.atlas, view.edges, view.selection.tolist(), view.picked) == (b"", b"", b"", [], -1)


@pytest.mark.parametrize("points", [np.zeros(3), np.zeros((3, 3)), np.zeros((2, 2, 2))])
def test_points_that_are_no_rows_of_x_and_y_are_refused(points):
    with pytest.raises(ValueError, match="rows of x and y"):
        ScatterView().show(points)


def test_what_is_shown_already_is_not_sent(monkeypatch):
    view = ScatterView()
    shown = {"colors": np.array([0, 1, -1]), "names": ["cat", "dog"], "labels": [0, 1, -1], "tween": 300}
    view.show(points_of(3), **shown)
    with sent(view, monkeypatch) as messages:
        view.show(points_of(3), **shown)
        view.move(points_of(3))
    assert messages == []


def test_other_points_cannot_be_moved():
    view = ScatterView()
    view.show(points_of(3))
    with pytest.raises(ValueError, match="3 points to move, not 4"):
        view.move(points_of(4))


def test_a_selection_is_ascending_numbers_and_comes_back_from_the_browser():
    view = ScatterView()
    view.show(points_of(9))
    view.selection = [7, 2, 7]
    assert view.selection.tolist() == [2, 7]
    view.set_state({"selected": memoryview(np.array([1, 5], np.int32).tobytes())})
    assert view.selection.tolist() == [1, 5]
    assert view.selection.dtype == np.int32


# the atlas


@pytest.mark.parametrize("count", [1, 2, 7, 30])
def test_pictures_of_one_channel_come_back_exactly(count):
    pictures = np.random.default_rng(0).integers(0, 256, (count, 5, 8), np.uint8)
    data, (height, width, columns) = atlas(pictures)
    sheet = np.asarray(Image.open(io.BytesIO(data)))
    assert (height, width) == (5, 8)
    for number, picture in enumerate(pictures):
        top, left = number // columns * height, number % columns * width
        np.testing.assert_array_equal(sheet[top : top + height, left : left + width], picture)
    np.testing.assert_array_equal(np.frombuffer(atlas(pictures[..., None])[0], np.uint8), np.frombuffer(data, np.uint8))


def test_pictures_in_color_come_back_nearly_in_a_fraction_of_their_bytes():
    shade = np.linspace(0, 255, 32)
    pictures = np.stack(
        [np.stack([np.full((32, 32), 8 * k), np.tile(shade, (32, 1)), 0 * np.eye(32)], 2) for k in range(20)]
    )
    data, (height, width, columns) = atlas(pictures.astype(np.uint8))
    sheet = np.asarray(Image.open(io.BytesIO(data))).astype(int)
    got = np.stack([sheet[k // columns * height :, k % columns * width :][:height, :width] for k in range(20)])
    assert np.abs(got - pictures).mean() < 3
    assert len(data) < pictures.size / 8


def test_many_large_pictures_are_made_smaller_until_every_browser_can_decode_them():
    data, tile = atlas(np.broadcast_to(np.uint8(200), (900, 224, 150)))
    sheet = Image.open(io.BytesIO(data))
    assert max(sheet.size) <= 4096
    assert tile[0] / tile[1] == pytest.approx(224 / 150, rel=0.02)
    assert np.asarray(sheet).min() == 200


def test_no_pictures_are_no_file_and_numbers_that_are_no_bytes_are_refused():
    assert atlas(np.zeros((0, 4, 4), np.uint8)) == (b"", [1, 1, 1])
    with pytest.raises(ValueError, match=r"uint8, not \(2, 4, 4\) float64"):
        atlas(np.zeros((2, 4, 4)))


# colors


@needs_node
def test_the_browser_gives_every_ten_classes_a_shape():
    assert json.loads(node("console.log(HUES)")) == len(CLASS_COLORS)
    shapes = json.loads(node("console.log(JSON.stringify(Array.from({ length: 210 }, (_, k) => shapeOf(k))))"))
    assert len({(color, shape) for color, shape in zip(class_colors(210), shapes, strict=False)}) == 210


# geometry in the browser

MODULES = ("scatter_space.js", "scatter_marks.js", "scatter_pictures.js")
HELPERS = """
const rows = (list) => Float32Array.from(list.flat());
const all = (points) => new Uint8Array(points.length / 2).fill(1);
"""


def node(code):
    """What code prints after the parts of the module that know no page."""
    source = inlined(*(Path(views.__file__).parent / name for name in MODULES)) + HELPERS + code
    command = ["node", "--input-type=module", "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=True, timeout=60).stdout


@needs_node
def test_the_index_finds_the_nearest_point_that_is_shown():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(size=(400, 2)), 40 * rng.normal(size=(20, 2)), np.zeros((5, 2))]).astype(np.float32)
    shown = rng.random(len(points)) < 0.7
    asked = np.concatenate([rng.normal(size=(60, 2)), 50 * rng.normal(size=(20, 2))])
    code = f"""const index = new PointIndex(rows({points.tolist()}), Uint8Array.from({shown.astype(int).tolist()}));
    console.log(JSON.stringify({asked.tolist()}.map(([x, y]) => index.nearest(x, y, 3))));"""
    for place, found in zip(asked, json.loads(node(code)), strict=True):
        away = np.where(shown, np.hypot(*(points - place).T), np.inf)
        assert away[found] == pytest.approx(away.min()) if found >= 0 else away.min() > 3


@needs_node
@pytest.mark.parametrize("points", [[], [[2, 3]], [[2, 3]] * 50, [[0, 0], [1e-20, 0]], [[0, 0], [1e30, 1]]])
def test_any_points_have_an_index_and_a_camera(points):
    code = f"""const points = rows({points});
    const camera = Camera.of(boundsOf(points, all(points)), [600, 400]);
    console.log(JSON.stringify([new PointIndex(points, all(points)).nearest(2, 3, Infinity), camera]));"""
    found, camera = json.loads(node(code))
    assert (found >= 0) == bool(points)
    assert camera["scale"] > 0


@needs_node
def test_what_is_under_the_pointer_stays_there_when_one_zooms_and_all_is_in_view_at_first():
    code = """const points = rows([[3, 4], [5, 40], [-2, 7]]), size = [600, 400];
    const camera = Camera.of(boundsOf(points, all(points)), size);
    const corners = [camera.onScreen(-2, 4, size), camera.onScreen(5, 40, size)];
    const under = [camera, camera.moved(20, 9).zoomed(99, 111, 222, size)].map((each) => each.inPlane(111, 222, size));
    console.log(JSON.stringify([corners, under]));"""
    ((left, bottom), (right, top)), (before, after) = json.loads(node(code))
    assert (top, bottom) == pytest.approx((28, 372))
    assert right - left == pytest.approx((5 - -2) * (372 - 28) / (40 - 4))
    scale = (372 - 28) / (40 - 4)
    assert after == pytest.approx([before[0] - 20 / scale, before[1] + 9 / scale])


@needs_node
def test_the_lasso_has_the_shown_points_inside_a_star():
    angles = np.arange(10) * 0.8 * np.pi / 2
    star = (np.where(np.arange(10) % 2, 0.4, 1.2)[:, None] * np.c_[np.cos(angles), np.sin(angles)]).tolist()
    points = points_of(500)
    shown = np.arange(500) % 3 > 0
    code = f"""const points = rows({points.tolist()}), shown = Uint8Array.from({shown.astype(int).tolist()});
    console.log(JSON.stringify([...inside({star}, points, shown)]));"""
    sides = list(zip(star, [*star[1:], star[0]], strict=True))
    within = np.array([sum(_crosses(a, b, point) for a, b in sides) % 2 for point in points.astype(float)], bool)
    assert json.loads(node(code)) == np.flatnonzero(within & shown).tolist()
    assert 20 < (within & shown).sum() < (within & ~shown).sum() * 4


def _crosses(a, b, point):
    """Whether a ray to the right of the point crosses the line from a to b."""
    (x, y), low, high = point, min(a[1], b[1]), max(a[1], b[1])
    return low <= y < high and x < a[0] + (b[0] - a[0]) * (y - a[1]) / (b[1] - a[1])


@needs_node
def test_arrows_go_to_the_nearest_point_on_that_side():
    code = """const points = rows([[0, 0], [1, 0.2], [3, 0], [0.1, 2], [-1, -9]]);
    console.log(JSON.stringify(Object.values(ARROWS).map((way) => ahead([0, 0], points, all(points), way, 0))));"""
    assert dict(zip(["up", "down", "left", "right"], json.loads(node(code)), strict=True)) == {
        "up": 3,
        "down": 4,
        "left": 4,
        "right": 1,
    }


@needs_node
@pytest.mark.parametrize("scale", [1, 1e-6])
def test_pictures_never_cover_each_other_and_stay_when_one_zooms_in(scale):
    points = (scale * points_of(800)).astype(np.float32)
    code = f"""const points = rows({points.tolist()}), thin = new Thinning(points, all(points), shuffled(800));
    const levels = {[scale * apart for apart in (2, 1, 0.5, 0.2, 0.05, 0.001)]}.map((apart) => thin.level(apart));
    console.log(JSON.stringify([levels, [...thin.levels]]));"""
    levels, shown_from = json.loads(node(code))
    before = set()
    for apart, level in zip((2, 1, 0.5, 0.2, 0.05, 0.001), levels, strict=True):
        shown = np.flatnonzero(np.array(shown_from) <= level)
        assert before <= set(shown.tolist())
        before = set(shown.tolist())
        gaps = np.abs(points[shown, None] - points[None, shown]).max(2)[~np.eye(len(shown), dtype=bool)]
        assert (gaps >= scale * apart * 0.999).all()
    assert len(before) > 700


def test_the_still_names_classes_at_the_middle_of_their_points_and_no_name_over_another():
    rng = np.random.default_rng(0)
    middles = np.array([[0, 0], [50, 0], [0, 50], [50.01, 0.01]])
    points = np.concatenate([middle + rng.uniform(-2, 2, (9 - k, 2)) for k, middle in enumerate(middles)])
    view = ScatterView()
    groups = np.repeat(np.arange(4), [9, 8, 7, 6])
    view.show(points, colors=groups, names=["a", "$b$", "c", "below b"])
    named = {text.get_text(): text.get_position() for text in drawn(view)[0].texts}
    assert [*named] == ["a", "$b$", "c"]
    for k, place in enumerate(named.values()):
        np.testing.assert_allclose(place, np.median(points[groups == k], 0), atol=1e-5)
    view.labeled = False
    assert not drawn(view)[0].texts
