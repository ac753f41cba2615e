"""What should be known of a network's input stands in the strip of every panel that shows what comes of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import Dataset
from torchvision.transforms import v2

import cnnwidgets as cw
from tests.base.tiny import PATIENCE

RNG = np.random.default_rng(0)
GUESSED = "the input size 3×224×224 was guessed, and the network takes others, too: pass input_shape= or images= to cw.bind"
SCALED = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])


def network() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()


class Pictures(Dataset):
    """Pictures with a transform, or as they are."""

    classes = ("ant", "bee", "cat")

    def __init__(self, transform=None, size=(20, 24)):
        self.transform, self.size = transform, size

    def __len__(self) -> int:
        return 12

    def __getitem__(self, i: int):
        pixels = np.random.default_rng(i).integers(0, 256, (*self.size, 3), dtype=np.uint8)
        image = Image.fromarray(pixels)
        return (self.transform(image) if self.transform else image), i % 3


PANELS = {
    "FeatureMapBrowser": lambda net, images: cw.FeatureMapBrowser(net, images),
    "OcclusionSlider": lambda net, images: cw.OcclusionSlider(net, images, patch=12, stride=12),
    "SaliencyPanel": lambda net, images: cw.SaliencyPanel(net, images, methods=["saliency", "grad_cam"]),
    "EmbeddingExplorer": lambda net, images: cw.EmbeddingExplorer(net, images, method="pca"),
}


@pytest.fixture(params=PANELS)
def show(request):
    made = []

    def make(net, images):
        made.append(PANELS[request.param](net, images))
        assert made[-1].wait(PATIENCE)
        _ = made[-1].result
        return made[-1]

    yield make
    for panel in made:
        panel.close()


def test_a_guessed_size_is_said_once(show):
    net = cw.bind(network())
    _ = net.layers
    panel = show(net, [Image.fromarray(RNG.integers(0, 256, (300, 300, 3), dtype=np.uint8)) for _ in range(6)])
    assert panel.status.message.count(f"T{GUESSED[1:]}") == 1


@pytest.mark.parametrize("transform", [None, SCALED], ids=["pictures", "tensors"])
@pytest.mark.parametrize("given", ["module", "bound before"])
def test_a_data_sets_own_size_is_taken_and_needs_no_word(show, given, transform):
    panel = show(network() if given == "module" else cw.bind(network()), Pictures(transform))
    assert panel.net.input_shape == (3, 20, 24)
    assert "input size" not in panel.status.message


def test_a_module_with_a_data_set_has_its_class_names_and_its_transform(show):
    normalized = v2.Compose([v2.Resize((16, 16)), SCALED, v2.Normalize([0.5] * 3, [0.25] * 3)])
    panel = show(network(), Pictures(normalized))
    assert panel.net.classes == ("ant", "bee", "cat") and panel.net.preprocess is normalized
    assert panel.net.input_shape == (3, 16, 16)


def test_in_training_mode_that_is_said_once(show):
    panel = show(cw.bind(network().train(), input_shape=(3, 20, 24)), Pictures())
    assert panel.status.message.count("Your network was in training mode") == 1


@pytest.mark.parametrize("kind", ["FeatureMapBrowser", "OcclusionSlider", "SaliencyPanel"])
def test_what_became_of_a_picture_is_said_and_gone_with_the_next(kind, tmp_path):
    frames = [Image.fromarray(RNG.integers(0, 256, (20, 24, 3), dtype=np.uint8)) for _ in range(3)]
    path = tmp_path / "a.tif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    panel = PANELS[kind](cw.bind(network(), input_shape=(3, 20, 24)), str(path))
    assert panel.wait(PATIENCE) and panel.status.message.endswith("a.tif' has 3 frames: the first was taken")
    panel.image = frames[1]
    assert panel.wait(PATIENCE) and "frames" not in panel.status.message
    panel.close()


def test_of_a_map_only_what_is_its_own_stands_below_it():
    panel = cw.SaliencyPanel(cw.bind(network()), Image.fromarray(RNG.integers(0, 256, (300, 300, 3), dtype=np.uint8)))
    assert panel.wait(PATIENCE) and f"T{GUESSED[1:]}" in panel.status.message
    assert all(GUESSED in one.notes for maps in panel.result.maps.values() for one in maps)
    assert not any("guessed" in cell["text"] for cell in panel.table.cells)
    panel.close()


# results


def test_a_guess_is_in_the_notes_of_every_result():
    net = cw.bind(network())
    _ = net.layers
    image = torch.rand(3, 224, 224)
    assert GUESSED in cw.methods.occlusion(net, image, 1, patch=112, stride=112).notes
    for method, options in {
        "saliency": {},
        "rise": {"n_samples": 4},
        "lime": {"n_samples": 8},
        "occlusion": {"patch": 112},
    }.items():
        assert GUESSED in cw.methods.attribute(net, image, 1, method=method, **options).notes
    assert GUESSED in cw.methods.randomized(net, 1).notes


# a picture of 12 bits in 16


@pytest.fixture(scope="module")
def xray():
    return RNG.integers(0, 4096, (20, 24)).astype(np.uint16)


def test_a_dim_picture_is_stretched_in_every_view_on_one_scale(xray):
    net = cw.bind(network(), input_shape=(3, 20, 24))
    panel = cw.OcclusionSlider(net, xray, patch=6, stride=6)
    assert panel.wait(PATIENCE)
    low, high = int(xray.min()), int(xray.max())
    pixels = np.frombuffer(panel.picture.pixels, np.uint8).reshape(20, 24, 3)[..., 0]
    np.testing.assert_allclose(pixels, (xray.astype(float) - low) / (high - low) * 255, atol=0.51)
    cover = np.frombuffer(panel.picture.cover, np.uint8)
    assert np.abs(cover - (xray.mean() - low) / (high - low) * 255).max() <= 0.51
    covered = panel.result.session.covered(0, 0)[..., 0]
    assert np.abs(covered[6:].astype(int) - pixels[6:]).max() <= 1
    assert "they are stretched to be shown, and the network gets them as they are" in panel.status.message
    panel.close()


def test_a_second_network_gets_the_picture_as_it_is(xray):
    first, second = cw.bind(network(), input_shape=(3, 20, 24)), cw.bind(network(), input_shape=(3, 10, 12))
    panel = cw.TwoNetworks(cw.FeatureMapBrowser, first, second, xray, "0")
    assert panel.wait(PATIENCE)
    halved = torch.nn.functional.interpolate(
        torch.from_numpy(xray / 65535).float()[None, None], size=(10, 12), mode="bilinear", antialias=True
    )
    with torch.no_grad():
        expected = second.module[0](halved.expand(1, 3, 10, 12))[0]
    np.testing.assert_allclose(panel.second.data()["values"], expected, atol=1e-6)
    panel.close()


@pytest.mark.parametrize("kind", ["uint16", "int16", "float32", "five channels", "CMYK"])
def test_a_panels_state_keeps_the_depth_of_its_picture(kind, xray):
    from cnnwidgets.base.image import Image as Picture
    from cnnwidgets.net.pictures import open_picture

    given = {
        "uint16": xray,
        "int16": xray.astype(np.int16) - 1024,
        "float32": xray.astype(np.float32) - 1024,
        "five channels": RNG.integers(0, 65536, (6, 8, 5)).astype(np.uint16),
        "CMYK": Image.new("CMYK", (8, 6), (10, 20, 30, 40)),
    }[kind]
    back = open_picture(Picture().decode(Picture().encode(given)))
    assert np.asarray(back).dtype == np.asarray(open_picture(given)).dtype
    assert np.array_equal(back, open_picture(given))
