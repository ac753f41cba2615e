"""Loaders give batches in many forms: every one of them holds the same pictures and labels."""

from __future__ import annotations

import pytest
import torch
from PIL import Image
from torch.utils.data import default_collate

from cnnwidgets.net.items import read_batch
from tests.net.test_items import Encoding, Pair, Sample, X

BATCH = torch.stack([X, 2 * X, 3 * X])
LABELS = torch.tensor([2, 0, 1])
EACH = list(zip(BATCH, [2, 0, 1], strict=True))


@pytest.mark.parametrize(
    "batch",
    [
        (BATCH, LABELS),
        [BATCH, LABELS, ["a.png", "b.png", "c.png"]],
        {"image": BATCH, "label": LABELS},
        Encoding(pixel_values=BATCH, labels=LABELS),
        Pair(BATCH, LABELS),
        Sample("", BATCH, LABELS),
        ({"pixel_values": BATCH}, LABELS),
        (BATCH.numpy(), LABELS.numpy()),
        (BATCH, [2, 0, 1]),
        [list(BATCH), [2, 0, 1]],
        (tuple(BATCH), tuple(LABELS)),
        {"image": list(BATCH), "label": [2, 0, 1]},
        {"pixel_values": BATCH.tolist(), "labels": [2, 0, 1]},
        EACH,
        [[*one, "meta"] for one in EACH],
        [{"image": image, "label": label} for image, label in EACH],
        [Pair(*one) for one in EACH],
        default_collate([{"image": image, "label": label} for image, label in EACH]),
        default_collate([Pair(*one) for one in EACH]),
    ],
)
def test_every_form_of_a_batch_holds_the_same_tensors(batch):
    images, labels = read_batch(batch)
    assert torch.equal(images, BATCH)
    assert torch.equal(labels, LABELS)


def test_a_batchs_tensors_are_handed_on_as_they_are():
    labels = torch.rand(3, 5, 4)
    images, found = read_batch((BATCH, labels))
    assert images is BATCH
    assert found is labels
    masks = [(image, label) for image, label in zip(BATCH, labels, strict=True)]
    assert torch.equal(read_batch(masks)[1], labels)


@pytest.mark.parametrize(
    "batch, kind, sentence",
    [
        (BATCH, TypeError, "expected batches of pictures and labels, got a float32 tensor 3×3×5×4 without labels"),
        ([BATCH], TypeError, "got a float32 tensor 3×3×5×4 without labels"),
        ({"image": BATCH, "caption": ["a"] * 3}, TypeError, "without labels"),
        ((BATCH, ["a", "b", "c"]), TypeError, "expected a batch's labels as a tensor of numbers, got a list of str"),
        ((BATCH, {"boxes": LABELS}), TypeError, "expected a batch's labels as a tensor of numbers, got a dict"),
        (
            ([Image.new("L", (3, 3))] * 3, LABELS),
            TypeError,
            "expected a batch's pictures as a tensor of numbers, got a list",
        ),
        (([X, X[:, 1:], X], LABELS), TypeError, "expected a batch's pictures as a tensor of numbers, got a list of Tensor"),
        ((BATCH, LABELS[:2]), ValueError, "as many labels as pictures in a batch, got 2 for pictures 3×3×5×4"),
        ((BATCH, torch.tensor(3)), ValueError, "got a single number for pictures 3×3×5×4"),
        ({"text": BATCH}, ValueError, "got one with 'text'"),
        ([], ValueError, "got an empty list"),
        (None, TypeError, "got a NoneType without labels"),
    ],
)
def test_what_is_no_batch_of_pictures_and_labels_is_refused(batch, kind, sentence):
    with pytest.raises(kind) as error:
        read_batch(batch)
    assert sentence in str(error.value)
