"""One reading of what data sets and loaders give: every usual form of an item holds the same picture and the same class."""

from __future__ import annotations

from collections import UserDict, namedtuple
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import ConcatDataset, DataLoader, Subset, TensorDataset

import cnnwidgets as cw
from cnnwidgets.net.items import class_of, fitting, is_dataset, names_of, read, size_of

X = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))
Pair = namedtuple("Pair", "pixels target")
Unnamed = namedtuple("Unnamed", "scan diagnosis")


class Encoding(UserDict):
    """What a processor of transformers gives is such a mapping."""


@dataclass
class Sample:
    note: str
    img: Any
    label: Any = None


# items


@pytest.mark.parametrize(
    "item",
    [
        (X, 3),
        [X, 3],
        (X, 3, {"file": "a.png"}, "more"),
        {"image": X, "label": 3},
        {"Label": 3, "Image": X},
        {"pixel_values": X, "labels": 3, "image_id": 7},
        {"img": X, "fine_label": 3},
        {"image": None, "IMG": X, "label": None, "class": 3},
        {"x": X, "y": 3},
        {"jpg": X, "cls": 3},
        Encoding(pixel_values=X, labels=3),
        Pair(X, 3),
        Unnamed(X, 3),
        Sample("a note", X, 3),
        ({"image": X}, 3),
        ({"image": X, "label": 9}, 3),
        {"input": {"pixels": X}, "target": 3},
    ],
)
def test_picture_and_label_are_found_and_the_code_says_where(item):
    found = read(item)
    assert found.image is X
    assert found.label == 3
    assert eval(found.code.format("item"), {"item": item, "torch": torch, "np": np}) is X


@pytest.mark.parametrize(
    "item",
    [X, X.numpy(), Image.new("L", (3, 3)), "a.png", b"bytes", 7, (X,), {"image": X}, Sample("", X), torch.zeros(2, 3, 5, 4)],
)
def test_without_a_label_there_is_none(item):
    found = read(item)
    assert found.image is eval(found.code.format("item"), {"item": item})
    assert found.label is None


@pytest.mark.parametrize(
    "picture, wanted",
    [
        ({"bytes": b"png", "path": "a.png"}, b"png"),
        ({"bytes": None, "path": "a.png"}, "a.png"),
        ({"path": "a.png"}, "a.png"),
    ],
)
def test_files_of_hugging_face_are_their_bytes_or_their_path(picture, wanted):
    assert read({"image": picture, "label": 3})[:2] == (wanted, 3)
    assert read(picture)[:2] == (wanted, None)


def test_numbers_in_nested_lists_are_preprocessed_if_they_are_floats_and_pixels_if_they_are_whole():
    found = read({"pixel_values": X.tolist(), "labels": 3})
    assert torch.equal(found.image, X)
    assert torch.equal(eval(found.code.format("item"), {"torch": torch, "item": {"pixel_values": X.tolist()}}), X)
    pixels = np.arange(60, dtype=np.uint8).reshape(5, 4, 3)
    found = read((pixels.tolist(), 3))
    assert found.image.dtype == np.uint8
    np.testing.assert_array_equal(found.image, pixels)
    np.testing.assert_array_equal(eval(found.code.format("item"), {"np": np, "item": (pixels.tolist(), 3)}), pixels)


@pytest.mark.parametrize(
    "item, sentence",
    [
        ({"text": "no", 3: "picture"}, "under a name such as 'image', 'img' or 'pixel_values', got one with 'text', 3"),
        ({}, "got one with nothing"),
        ({"image": None}, "got one with 'image'"),
        ((), "expected a picture or (picture, label), got an empty tuple"),
        (((X, X), 3), "expected one picture in an item, got a tuple of 2"),
        (([[1.0, 2.0], [3.0]], 3), "expected one picture in an item, got a list of 2"),
    ],
)
def test_an_item_without_a_picture_is_refused(item, sentence):
    with pytest.raises(ValueError) as error:
        read(item)
    assert sentence in str(error.value)


# labels


@pytest.mark.parametrize(
    "label",
    [
        2,
        np.int32(2),
        np.uint8(2),
        2.0,
        np.float32(2),
        torch.tensor(2),
        torch.tensor(2.0),
        torch.tensor(2, dtype=torch.uint8),
        torch.tensor([2]),
        torch.tensor([[2]]),
        np.array([2]),
        [2],
        [0, 0, 1],
        (0.0, 0.0, 1.0),
        np.array([0, 0, 1]),
        torch.tensor([0.0, 0.0, 1.0]),
        torch.tensor([0.0, 0.0, 1.0], dtype=torch.bfloat16),
        torch.tensor([False, False, True]),
        torch.tensor([0.0, 0.0, 1.0], requires_grad=True),
        "cat",
        ["cat"],
        np.str_("cat"),
    ],
)
def test_labels_that_say_class_2(label):
    assert class_of(label, ("bird", "dog", "cat")) == 2


@pytest.mark.parametrize(
    "label",
    [
        None,
        -1,
        -100,
        2.5,
        float("nan"),
        float("inf"),
        "cow",
        "twin",
        b"cat",
        [1, 0, 1],
        [0, 0, 0],
        [0.2, 0.7, 0.1],
        [0, 1],  # not as long as there are names: the numbers of two classes
        ["cat", "dog"],
        [],
        [[1, 0], [0]],
        torch.zeros(0),
        torch.zeros(5, 4, dtype=torch.long),
        torch.eye(3)[:1].expand(2, 3),
        np.zeros((5, 4)),
        Image.new("L", (1, 1)),
        {"boxes": torch.zeros(1, 4), "labels": torch.tensor([2])},
        object(),
    ],
)
def test_labels_that_say_no_class(label):
    assert class_of(label, ("bird", "twin", "twin")) == -1


def test_bools_are_classes_0_and_1():
    for values in ((False, True), np.array([False, True]), torch.tensor([False, True])):
        assert [class_of(value) for value in values] == [0, 1]


def test_a_one_hot_vector_needs_no_names():
    assert class_of(torch.eye(5)[3]) == 3


# data sets


class ClassLabel(SimpleNamespace):
    """A feature of Hugging Face that knows its classes."""


class Rows:
    """As Hugging Face's data sets are: no base class, rows by number, columns of a slice, features."""

    def __init__(self, features=None):
        self.features = features or {"image": object(), "label": ClassLabel(names=["cat", "dog"])}

    def __len__(self):
        return 4

    def __getitem__(self, i):
        if isinstance(i, slice):
            return {"image": [X] * len(range(4)[i]), "label": [*range(4)][i]}
        return {"image": X, "label": i % 2}


class Named(TensorDataset):
    classes = ("cat", "dog")


def test_names_of_a_data_sets_classes():
    named, other = Named(torch.zeros(2, 3, 4, 4), torch.zeros(2)), TensorDataset(torch.zeros(2, 3, 4, 4))
    for dataset in (named, Subset(named, [0]), Subset(Subset(named, [0]), [0]), ConcatDataset([named, named]), Rows()):
        assert names_of(dataset) == ("cat", "dog")
    for classes in (["cat", "dog"], {0: "cat", 1: "dog"}, {"dog": 1, "cat": 0}, [("cat", "puss"), ("dog", "hound")]):
        assert names_of(SimpleNamespace(classes=classes)) == ("cat", "dog")
    assert names_of(SimpleNamespace(class_to_idx={"dog": 1, "cat": 0})) == ("cat", "dog")
    assert names_of(Rows({"labels": SimpleNamespace(feature=ClassLabel(names=["cat", "dog"]))})) == ("cat", "dog")
    nameless = [other, ConcatDataset([named, other]), [X], X, SimpleNamespace(classes=2), Rows({"label": object()})]
    assert [names_of(dataset) for dataset in nameless] == [()] * 6


def test_what_holds_items_and_what_is_one():
    tensors = TensorDataset(X[None])
    for dataset in (tensors, [X], [], Rows(), DataLoader(tensors)):
        assert is_dataset(dataset)
    for picture in (X, X.numpy(), "a.png", b"", (X, 3), {"image": X}, Encoding(image=X), Image.new("L", (3, 3)), 5, None):
        assert not is_dataset(picture)


def test_a_size_is_wanted():
    assert [size_of(dataset) for dataset in (Rows(), [X] * 3, torch.zeros(5, 3, 4, 4))] == [4, 3, 5]
    for dataset, sentence in (
        (DataLoader([X]), "got a DataLoader: give its data set, loader.dataset"),
        ({"train": Rows(), "test": Rows()}, "got a dict: give one of its parts, such as that of 'train'"),
        ({"image": X}, "got a dict"),
        (iter([X]), "got list_iterator"),
        (torch.tensor(3), "got Tensor, which has no length"),
        ("pictures/", "got 'pictures/': open it first, such as by torchvision.datasets.ImageFolder"),
    ):
        with pytest.raises(TypeError) as error:
            size_of(dataset)
        assert str(error.value) == (
            f"expected a data set with a length and numbered items, or a list of pictures, {sentence}"
        )


def test_the_picture_itself_stands_in_for_a_tensor_of_another_size():
    digits = cw.samples.digits()
    tensor = digits[5][0]
    assert fitting(digits, 5, tensor, lambda _: True) is tensor
    np.testing.assert_array_equal(fitting(digits, 5, tensor, lambda _: False), digits.picture(5))
    assert fitting([tensor], 0, tensor, lambda _: False) is tensor
    assert fitting(digits, 5, "a.png", lambda _: False) == "a.png"
