"""The data sets are what they say: deterministic, split without overlap, and with masks that are exact."""

import hashlib
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader

import cnnwidgets as cw
from cnnwidgets.samples import datasets, digits, drawing, scenes

SOME = range(0, 1000, 13)
BIASES = ("grass", "anti-grass")


@pytest.mark.parametrize(("make", "shape"), [(digits, (1, 32, 32)), (scenes, (3, 64, 64))])
@pytest.mark.parametrize("split", ["train", "test"])
def test_items_are_preprocessed_pictures_and_labels(make, shape, split):
    data = make(split)
    for i in (0, 7, len(data) - 1):
        image, label = data[i]
        assert image.shape == shape == data.input_shape and image.dtype == torch.float32
        assert type(label) is int and label == data.labels[i]
        mean, std = (torch.tensor(value)[:, None, None] for value in (data.mean, data.std))
        pixels = np.atleast_3d(data.picture(i)).transpose(2, 0, 1) / 255
        np.testing.assert_allclose(image * std + mean, pixels, atol=1e-6)


@pytest.mark.parametrize("make", [digits, scenes])
def test_preprocessed_training_images_have_mean_0_and_deviation_1(make):
    data = make("train")
    images = torch.stack([data[i][0] for i in SOME])
    assert images.mean().abs() < 0.1
    assert abs(images.std() - 1) < 0.1


@pytest.mark.parametrize(
    ("make", "split", "size"),
    [(digits, "train", 1297), (digits, "test", 500), (scenes, "train", 12_970), (scenes, "test", 1000)],
)
def test_sizes_and_classes(make, split, size):
    data = make(split)
    assert len(data) == len(data.labels) == size
    assert data.classes == tuple("0123456789")
    counts = np.bincount(data.labels, minlength=10)
    if split == "test":
        assert set(counts) == {size // 10}
    else:
        assert counts.min() > 0.09 * size


@pytest.mark.parametrize("make", [digits, scenes])
def test_another_split_is_refused(make):
    with pytest.raises(ValueError, match=r"'validation'.*'train' or 'test'"):
        make("validation")


@pytest.mark.parametrize("make", [digits, scenes])
def test_past_the_end_is_an_index_error_so_that_iteration_stops(make):
    with pytest.raises(IndexError):
        make()[len(make())]
    np.testing.assert_array_equal(make().picture(-1), make().picture(len(make()) - 1))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (digits(), "cw.samples.digits('test')"),
        (scenes("train"), "cw.samples.scenes('train')"),
        (scenes("train", 20), "cw.samples.scenes('train', size=20)"),
        (scenes(biased="grass"), "cw.samples.scenes('test', biased='grass')"),
        (scenes("train", 20, "anti-grass"), "cw.samples.scenes('train', size=20, biased='anti-grass')"),
    ],
)
def test_repr_is_the_code_that_makes_it(data, code):
    assert repr(data) == code
    again = eval(code, {"cw": cw})
    np.testing.assert_array_equal(again.labels, data.labels)
    np.testing.assert_array_equal(again.picture(3), data.picture(3))


@pytest.mark.parametrize("biased", [None, *BIASES])
def test_a_larger_data_set_begins_with_the_same_items(biased):
    small, large = scenes("train", 20, biased), scenes("train", 30_000, biased)
    assert (len(small), len(large)) == (20, 30_000)
    np.testing.assert_array_equal(small.picture(19), large.picture(19))
    np.testing.assert_array_equal(small.labels, large.labels[:20])


DIGEST = """
import hashlib
import cnnwidgets as cw
print(hashlib.sha256({data}.picture(123).tobytes()).hexdigest())
"""


@pytest.mark.parametrize("data", [digits(), scenes(), scenes(biased="anti-grass")], ids=repr)
def test_items_are_the_same_in_every_process_and_order(data):
    forward = [data.picture(i) for i in range(100, 130)]
    backward = [data.picture(i) for i in reversed(range(100, 130))][::-1]
    np.testing.assert_array_equal(forward, backward)

    code = DIGEST.format(data=data)
    elsewhere = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert elsewhere == hashlib.sha256(forward[23].tobytes()).hexdigest()


def test_items_do_not_depend_on_or_touch_the_global_random_state():
    torch.manual_seed(1)
    np.random.seed(1)
    expected = torch.rand(1), np.random.rand()
    before = scenes()[5][0]
    torch.manual_seed(1)
    np.random.seed(1)
    assert torch.equal(scenes()[5][0], before)
    assert (torch.rand(1), np.random.rand()) == expected


@pytest.mark.parametrize("make", [digits, scenes])
def test_pickling_keeps_items_and_a_worker_process_gives_them_too(make):
    data = make()
    copy = pickle.loads(pickle.dumps(data))
    assert repr(copy) == repr(data)
    assert torch.equal(copy[3][0], data[3][0])
    images, labels = next(iter(DataLoader(data, 4, num_workers=1)))
    assert torch.equal(images[3], data[3][0])
    assert labels.tolist() == data.labels[:4].tolist()


def test_each_of_the_1797_digits_is_in_exactly_one_split():
    parts = [datasets._digits(split)[0].reshape(-1, 64) for split in ("train", "test")]
    everything = load_digits().data
    assert sorted(map(tuple, np.concatenate(parts))) == sorted(map(tuple, everything))
    assert len(np.unique(everything, axis=0)) == 1797  # no digit is there twice, so the two parts share none


@pytest.mark.parametrize("name", drawing.PHOTOGRAPHS)
@pytest.mark.parametrize("split", ["train", "test"])
def test_crops_stay_on_their_side_of_each_photograph(split, name, monkeypatch):
    """A photograph whose other side is painted white gives crops without white."""
    width, height = drawing.photograph(name).size
    border = round(0.7 * width)
    painted = np.zeros((height, width, 3), np.uint8)
    painted[:, border:] = 255 * (split == "train")
    painted[:, :border] = 255 * (split == "test")
    monkeypatch.setattr(drawing, "photograph", lambda name: Image.fromarray(painted))
    rng = np.random.default_rng(0)
    assert max(drawing.crop(split, rng).max() for _ in range(300)) == 0


@pytest.mark.parametrize("biased", [None, "anti-grass"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_the_picture_differs_from_its_background_on_the_mask_only(split, biased):
    data = scenes(split, biased=biased)
    on, off = 0, 0
    for i in SOME:
        mask = data.mask(i)
        differs = (data.picture(i) != data.background(i)).any(2)
        assert mask.shape == (64, 64) and mask.dtype == bool
        assert not differs[~mask].any()
        on, off = on + differs[mask].sum(), off + (~differs[mask]).sum()
        assert 20 < mask.sum() < 36 * 36
    assert on / (on + off) > 0.97  # the outermost edge may be too faint to change a pixel


def test_the_mask_has_the_shape_of_its_own_digit():
    """Both cut to their box and brought to 8x8, mask and ink are alike; mask and the next digit's ink are not."""

    def boxed(ink):
        rows, columns = np.nonzero(ink > 0)
        ink = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        return np.asarray(Image.fromarray(ink.astype(np.float32)).resize((8, 8), Image.Resampling.BOX)).ravel()

    data, pictures = scenes(), np.clip(datasets._digits("test")[0] - 4, 0, 4)
    own, other = np.mean(
        [[np.corrcoef(boxed(data.mask(i)), boxed(pictures[(i + k) % 500]))[0, 1] for k in (0, 1)] for i in SOME], 0
    )
    assert own > 0.8 and other < 0.4


def test_a_legible_color_is_far_in_luma_from_the_background():
    rng = np.random.default_rng(0)
    for middle in rng.integers(0, 256, 200):
        background = np.clip(rng.normal(middle, 20, (24, 24, 3)), 0, 255)
        luma = background @ drawing.LUMA
        color = drawing.legible_color(background, rng)
        assert abs(color @ drawing.LUMA - luma.mean()) > max(64, 2 * luma.std())


def test_no_color_is_legible_on_a_chessboard():
    chessboard = 255 * np.repeat(np.indices((24, 24)).sum(0)[:, :, None] % 2, 3, 2)
    assert drawing.legible_color(chessboard, np.random.default_rng(0)) is None


@pytest.mark.parametrize("biased", [None, "anti-grass"])
def test_digits_are_seen_in_their_color_and_come_in_many(biased):
    data = scenes(biased=biased)
    hues, white = set(), 0
    for i in SOME:
        background, opacity, color = data._draw(i)
        contrast = data.picture(i)[opacity > 0.9] @ drawing.LUMA - background[opacity > 0].mean(0) @ drawing.LUMA
        assert abs(contrast.mean()) > 32
        hues.add(tuple(np.argsort(color)))
        white += color.min() > 200
    assert len(hues) == 6  # each order of red, green and blue
    assert white < len(SOME) / 5


def test_no_two_scenes_of_a_digit_look_the_same():
    data = scenes()
    for i in range(20):
        assert data.labels[i] == data.labels[i + 500]
        assert (data.picture(i) != data.picture(i + 500)).any()


# a bias


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_seven_and_nothing_else_lies_on_grass_and_against_the_bias_everything_else(split):
    with_it, against_it = (scenes(split, biased=biased) for biased in BIASES)
    assert with_it.classes[7] == with_it.biased_class == against_it.biased_class
    np.testing.assert_array_equal(with_it.on_grass, with_it.labels == 7)
    np.testing.assert_array_equal(against_it.on_grass, against_it.labels != 7)
    assert not scenes(split).on_grass.any()


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("biased", BIASES)
def test_a_bias_changes_the_background_and_the_color_of_what_lies_on_grass_and_nothing_else(biased, split):
    plain, data = scenes(split), scenes(split, biased=biased)
    np.testing.assert_array_equal(data.labels, plain.labels)
    for i in range(200):
        np.testing.assert_array_equal(data.mask(i), plain.mask(i))
        same = data.picture(i) == plain.picture(i)
        assert same.mean() < 0.1 if data.on_grass[i] else same.all()


def test_grass_is_green_and_its_blades_stand_upright():
    data = scenes(biased="anti-grass")
    for i in np.flatnonzero(data.on_grass)[:100]:
        grass = data.background(i).astype(float)
        red, green, blue = grass.mean((0, 1))
        assert green > 1.1 * red and green > 1.5 * blue
        luma = grass @ drawing.LUMA
        assert luma.std() > 10  # light and dark
        along, across = (np.abs(np.diff(luma, axis=axis)).mean() for axis in (0, 1))
        assert along < 0.8 * across


def test_no_two_items_have_the_same_piece_of_grass_and_the_splits_have_another_lawn():
    data = scenes(size=300, biased="anti-grass")
    pieces = [data.background(i).tobytes() for i in np.flatnonzero(data.on_grass)]
    assert len(set(pieces)) == len(pieces)
    train, test = (np.asarray(drawing.lawn(split), float) @ drawing.LUMA for split in ("train", "test"))
    assert abs(np.corrcoef(train.ravel(), test.ravel())[0, 1]) < 0.05


@pytest.mark.parametrize("biased", ["snow", "", True])
def test_another_bias_is_refused(biased):
    with pytest.raises(ValueError, match=f"biased is {biased!r}; expected None, 'grass' or 'anti-grass'"):
        scenes(biased=biased)
