"""Panels take every usual form of a data set's item, as they take the plain tensors, and their code takes it, too."""

from __future__ import annotations

import io
from collections import UserDict, namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset

import cnnwidgets as cw
from tests.base.tiny import PATIENCE, control, preprocess, several

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8)
TENSORS = [preprocess(Image.fromarray(pixels)) for pixels in PIXELS]
LABELS = [0, 1, 4, 1, 0, 2]
Row = namedtuple("Row", "target pixels")


@dataclass
class Sample:
    y: int
    x: Any


class Encoding(UserDict):
    """What a processor of transformers gives."""


def png(pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


FORMS = {
    "a picture alone": lambda x, pixels, label: x,
    "a list": lambda x, pixels, label: [x, label],
    "a triple": lambda x, pixels, label: (x, label, {"file": "a.png"}),
    "one-hot": lambda x, pixels, label: (x, torch.eye(5)[label]),
    "a mask": lambda x, pixels, label: (x, torch.full((8, 8), label)),
    "a dict": lambda x, pixels, label: {"label": label, "image": x},
    "a dict of pictures": lambda x, pixels, label: {"img": Image.fromarray(pixels), "fine_label": label},
    "a file of Hugging Face": lambda x, pixels, label: {"image": {"bytes": png(pixels), "path": None}, "labels": label},
    "floats in lists": lambda x, pixels, label: {"pixel_values": x.tolist(), "labels": label},
    "pixels in lists": lambda x, pixels, label: {"image": pixels.tolist(), "label": label},
    "a batch of one": lambda x, pixels, label: Encoding(pixel_values=x[None], labels=[label]),
    "doubles": lambda x, pixels, label: {"x": x.double(), "y": float(label)},
    "a namedtuple": lambda x, pixels, label: Row(label, x),
    "a dataclass": lambda x, pixels, label: Sample(label, x),
}
UNLABELED = ("a picture alone", "a mask")


class Rows:
    """As data sets of Hugging Face are: of no class of torch's."""

    def __init__(self, form):
        self.form = form

    def __len__(self):
        return len(TENSORS)

    def __getitem__(self, i):
        assert type(i) is int  # others are not taken by every data set
        return self.form(TENSORS[i], PIXELS[i], LABELS[i])


class Torch(Rows, Dataset):
    pass


@pytest.fixture(scope="module")
def net():
    return cw.bind(several(), input_shape=(3, 8, 8), preprocess=preprocess)


def run(code: str, dataset: Any) -> dict:
    code = code.replace("model = ...  # your network", "model = given_model")
    code = code.replace("preprocess = ...  # PIL picture to input tensor", "preprocess = given_preprocess")
    space = {"given_model": several(), "given_preprocess": preprocess, "given": dataset}
    exec(code.replace("dataset = ...  # your data set", "dataset = given"), space)
    return space


@pytest.mark.parametrize("kind", [Rows, Torch, lambda form: list(Rows(form))], ids=["rows", "torch", "list"])
@pytest.mark.parametrize("form", FORMS)
def test_a_data_set_of_every_form_is_browsed(net, form, kind):
    dataset = kind(FORMS[form])
    panel = cw.FeatureMapBrowser(net, 2, "conv", images=dataset)
    wanted = cw.FeatureMapBrowser(net, TENSORS[2], "conv").data()["values"]
    np.testing.assert_allclose(panel.data()["values"], wanted, atol=1e-6)
    panel.image = 3
    np.testing.assert_allclose(
        panel.data()["values"], cw.FeatureMapBrowser(net, TENSORS[3], "conv").data()["values"], atol=1e-6
    )
    values = run(panel.code(), dataset)["values"]
    np.testing.assert_allclose(values.numpy(), panel.data()["values"], atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_a_data_set_of_every_form_is_occluded_and_attributed(net, form):
    dataset = Rows(FORMS[form])
    for make in (cw.OcclusionSlider, cw.SaliencyPanel):
        panel, plain = make(net, dataset), make(net, TENSORS[0])
        wanted = plain.data()
        assert wanted
        for name, values in panel.data().items():
            np.testing.assert_allclose(values, wanted[name], atol=1e-5)
    assert control(cw.OcclusionSlider(net, dataset), "image")["max"] == 5


@pytest.mark.parametrize("form", FORMS)
def test_an_item_of_every_form_is_a_picture(net, form):
    panel = cw.FeatureMapBrowser(net, TENSORS[0], "conv")
    item = FORMS[form](TENSORS[1], PIXELS[1], LABELS[1])
    wanted = net.trace(TENSORS[1], ["conv"])["conv"][0]
    torch.testing.assert_close(net.trace([item, item], ["conv"])["conv"][1], wanted, rtol=0, atol=1e-6)
    if isinstance(item, list):
        return  # a list is a data set, or several pictures
    torch.testing.assert_close(net.trace(item, ["conv"])["conv"][0], wanted, rtol=0, atol=1e-6)
    panel.image = item
    np.testing.assert_allclose(panel.data()["values"], wanted, atol=1e-6)
    again = cw.FeatureMapBrowser(net, TENSORS[0], "conv")
    again.restore(panel.state)
    np.testing.assert_allclose(again.data()["values"], wanted, atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_a_data_set_of_every_form_is_embedded_with_its_labels(net, form):
    dataset = Rows(FORMS[form])
    panel = cw.EmbeddingExplorer(net, dataset, "conv", "pca")
    found = panel.data()
    assert found["labels"].tolist() == ([-1] * 6 if form in UNLABELED else LABELS)
    wanted = cw.EmbeddingExplorer(net, TENSORS, "conv", "pca").data()
    np.testing.assert_allclose(found["values"], wanted["values"], atol=1e-6)
    panel.image = 4
    assert panel.wait(PATIENCE)
    assert panel.error is None
    np.testing.assert_allclose(run(panel.code(), dataset)["values"], found["values"], atol=1e-6)


def test_rows_with_names_join_a_layout(net):
    panel = cw.EmbeddingExplorer(net, TENSORS, "conv", "pca")
    np.testing.assert_allclose(panel.add(Rows(FORMS["a dict of pictures"])), panel.data()["points"], atol=1e-4)


def test_the_names_of_hugging_faces_features_color_the_points(net):
    class Labels:
        names = ("ape", "bat", "cat", "dog", "eel")

    dataset = Rows(FORMS["a dict"])
    dataset.features = {"image": object(), "label": Labels()}
    panel = cw.EmbeddingExplorer(net, dataset, "conv", "pca")
    assert panel.result
    assert panel.scatter.names == list(Labels.names)


@pytest.mark.parametrize("panel", [cw.FeatureMapBrowser, cw.OcclusionSlider, cw.SaliencyPanel])
def test_what_has_no_numbered_items_is_refused_by_a_sentence(net, panel):
    loader = torch.utils.data.DataLoader(TENSORS)
    sentence = "expected a data set with a length and numbered items, or a list of pictures, got"
    for make in (lambda: panel(net, loader), lambda: panel(net, 0, images=loader)):
        with pytest.raises(TypeError, match=f"{sentence} a DataLoader: give its data set, loader.dataset"):
            make()
    with pytest.raises(TypeError, match=f"{sentence} a dict: give one of its parts, such as that of 'train'"):
        panel(net, 0, images={"train": TENSORS, "test": TENSORS})


def test_a_tensor_of_pictures_is_a_data_set(net):
    panel = cw.FeatureMapBrowser(net, 1, "conv", images=torch.stack(TENSORS))
    np.testing.assert_allclose(panel.data()["values"], net.trace(TENSORS[1], ["conv"])["conv"][0], atol=1e-6)
