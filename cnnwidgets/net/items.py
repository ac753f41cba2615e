"""What a data set's item or a loader's batch holds: which part is the picture, which the label, and which class it says."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch.utils.data import ConcatDataset, DataLoader, Dataset, IterableDataset, Subset

from cnnwidgets.net.arguments import said
from cnnwidgets.net.layers import format_shape
from cnnwidgets.net.pictures import describe_tensor

IMAGES = tuple(
    "image img pixel_values pixels picture photo images inputs input x data jpg jpeg png webp "
    "bytes image_path image_file_path path filepath file filename".split()
)
"""Names under which the picture lies, in any case; the first of them that an item has, and that is not None, is taken."""

LABELS = tuple("label labels target targets class class_id class_idx cls category fine_label y".split())
"""Names under which the label lies, likewise."""


class Item(NamedTuple):
    """A picture and its label, as they lie in an item; or the pictures and the labels of a batch.

    Attributes:
        image: what ``net.prepare`` takes; a batch's (N, C, H, W).
        label: as it lies there, whatever it is; None if there is none.
        code: how Python takes the picture out of an item: ``'{}["image"]'``, to be formatted with the item's name.
    """

    image: Any
    label: Any
    code: str


def read(item: Any) -> Item:
    """The picture and the label of an item.

    Parameters:
        item: a picture alone; ``(picture, label, ...)``, a tuple or a list; or a mapping, a namedtuple or a dataclass
            with one of the names :data:`IMAGES` and, maybe, one of :data:`LABELS`. A picture may itself be such a
            mapping, such as the ``{"bytes": ..., "path": ...}`` of Hugging Face, or numbers in nested lists: floats are
            preprocessed (C, H, W), whole numbers are 8-bit pixels.

    Raises:
        ValueError: there is no picture in it.
    """
    image, label, code = _parts(item)
    if code == "{}" or not isinstance(image, (list, tuple)):
        return Item(image, label, code)
    try:
        values = np.asarray(image if image and isinstance(image[0], (list, tuple)) else ())
    except ValueError:  # rows of several lengths
        values = np.empty(0)
    if values.ndim < 2 or values.dtype.kind not in "fiu":
        raise ValueError(f"expected one picture in an item, got a {type(image).__name__} of {len(image)}")
    if values.dtype.kind == "f":
        return Item(torch.from_numpy(values).float(), label, f"torch.tensor({code})")
    return Item(values.astype(np.uint8), label, f"np.array({code}, np.uint8)")


def read_batch(batch: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """The pictures (N, C, H, W) and the labels (N, ...) of a loader's batch.

    Parameters:
        batch: as an item is, see :func:`read`, with tensors, arrays or lists of them in the places of picture and label;
            or a list of items, as a loader gives that puts nothing together.

    Raises:
        TypeError: the batch has no labels, or pictures or labels are no numbers, or of several shapes.
        ValueError: there is no picture in it, or there are not as many labels as pictures.
    """
    if isinstance(batch, (tuple, list)) and batch and all(map(_is_item, batch)):
        items = [_parts(item) for item in batch]
        image, label = [one.image for one in items], [one.label for one in items]
    else:
        image, label, _ = _parts(batch)
        if label is None:
            raise TypeError(f"expected batches of pictures and labels, got {describe(image)} without labels")
    pictures, labels = _tensor(image, "pictures"), _tensor(label, "labels")
    if labels.ndim == 0 or len(labels) != len(pictures):
        raise ValueError(
            "expected as many labels as pictures in a batch, got "
            f"{format_shape(labels.shape) or 'a single number'} for pictures {format_shape(pictures.shape)}"
        )
    return pictures, labels


def class_of(label: Any, names: Sequence[str] = ()) -> int:
    """The class that a label says, as a number from 0; -1 where it says none, or several.

    A class is said by a whole number of any type, also as a float, a bool or in an array of one value; by a vector of
    zeros with exactly one 1, which must be as long as the names, if there are any; and by a name that one class has.
    Several labels, soft labels, masks, boxes and negative numbers say no class.

    Parameters:
        names: of the classes, where they are known.
    """
    if isinstance(label, (int, np.integer, np.bool_)):
        return max(-1, int(label))
    if isinstance(label, (list, tuple)) and len(label) == 1:
        return class_of(label[0], names)
    if isinstance(label, str):
        return names.index(label) if names.count(label) == 1 else -1
    values = _vector(label)
    if values is None:
        return -1
    if len(values) == 1:
        return max(-1, int(values[0])) if math.isfinite(values[0]) and values[0].is_integer() else -1
    one_hot = values.count(1) == 1 and values.count(0) == len(values) - 1 and len(names) in (0, len(values))
    return values.index(1) if one_hot else -1


def names_of(dataset: Any) -> tuple[str, ...]:
    """Names of a data set's classes, by number; empty where it tells none.

    They are in its ``classes`` or ``class_to_idx``, in the ``features`` of a Hugging Face data set, or in the data sets
    that a ``Subset`` or a ``ConcatDataset`` of torch is made of. Of a class with several names the first is taken.
    """
    if isinstance(dataset, Subset):
        return names_of(dataset.dataset)
    if isinstance(dataset, ConcatDataset):
        found = {names_of(one) for one in dataset.datasets}
        return found.pop() if len(found) == 1 else ()
    for names in (getattr(dataset, "classes", None), getattr(dataset, "class_to_idx", None)):
        if isinstance(names, Mapping):
            numbered = all(isinstance(number, (int, np.integer)) for number in names.values())
            return tuple(map(str, sorted(names, key=names.__getitem__) if numbered else names.values()))
        if isinstance(names, (list, tuple, np.ndarray)) and len(names):
            return tuple(str(name[0] if isinstance(name, (list, tuple)) and name else name) for name in names)
    features = getattr(dataset, "features", None)
    feature = _first(LABELS, features)[1] if isinstance(features, Mapping) else None
    names = getattr(feature, "names", None) or getattr(getattr(feature, "feature", None), "names", None)
    return tuple(map(str, names or ()))


def is_dataset(thing: Any) -> bool:
    """Whether something holds items by number, and is not a picture or item itself."""
    if isinstance(thing, (list, Dataset, DataLoader)):
        return True
    single = isinstance(thing, (str, bytes, tuple, torch.Tensor, np.ndarray, np.generic, Image.Image, Mapping))
    return not single and hasattr(thing, "__len__") and hasattr(thing, "__getitem__")


def size_of(dataset: Any) -> int:
    """The number of a data set's items.

    Raises:
        TypeError: it has no length or no numbered items.
    """
    kind = type(dataset).__name__
    wanted = "expected a data set with a length and numbered items, or a list of pictures"
    if isinstance(dataset, DataLoader):
        raise TypeError(f"{wanted}, got a DataLoader: give its data set, loader.dataset")
    if isinstance(dataset, Mapping):
        parts = [key for key, part in dataset.items() if is_dataset(part)]
        raise TypeError(
            f"{wanted}, got a {kind}" + (f": give one of its parts, such as that of {parts[0]!r}" if parts else "")
        )
    if isinstance(dataset, (str, bytes, Path)):
        raise TypeError(f"{wanted}, got {said(dataset)}: open it first, such as by torchvision.datasets.ImageFolder")
    if isinstance(dataset, IterableDataset) or not (hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")):
        raise TypeError(f"{wanted}, got {kind}")
    try:
        return len(dataset)
    except TypeError as error:
        raise TypeError(f"{wanted}, got {kind}, which has no length") from error


def fitting(dataset: Any, number: int, image: Any, takes: Callable[[torch.Tensor], bool]) -> Any:
    """An item's picture; where that is a tensor for another input and the data set has the ``picture``, that.

    Parameters:
        takes: whether a network takes a preprocessed picture; ``net.takes``.
    """
    if isinstance(image, torch.Tensor) and not takes(image) and hasattr(dataset, "picture"):
        return dataset.picture(number)
    return image


def mask_of(dataset: Any, number: Any, shape: tuple[int, ...]) -> np.ndarray | None:
    """bool (height, width), where the object of an item is; None if the data set does not know it, or in another shape."""
    known = getattr(dataset, "mask", None)
    mask = known(number) if isinstance(number, int) and callable(known) else None
    return mask if mask is not None and mask.shape == shape and mask.any() else None


def _parts(item: Any) -> Item:
    """The picture and the label as they lie in an item or a batch, taken out of mappings that lie in each other."""
    if isinstance(item, (tuple, list)) and not _fields(item):
        if not item:
            raise ValueError(f"expected a picture or (picture, label), got an empty {type(item).__name__}")
        image, label, code = item[0], item[1] if len(item) > 1 else None, "{}[0]"
    elif (parts := _named_parts(item)) is not None:
        name, image = _first(IMAGES, parts)
        if name is None:
            raise ValueError(
                "expected an item with a picture under a name such as 'image', 'img' or 'pixel_values', "
                f"got one with {', '.join(map(repr, parts)) or 'nothing'}"
            )
        label = _first(LABELS, parts)[1]
        code = f"{{}}[{name!r}]" if isinstance(item, Mapping) else f"{{}}.{name}"
    else:
        return Item(item, None, "{}")
    if _named_parts(image) is None:
        return Item(image, label, code)
    inner = _parts(image)
    return Item(inner.image, inner.label if label is None else label, inner.code.replace("{}", code))


def _named_parts(item: Any) -> Mapping[Any, Any] | None:
    """What an item holds by name; None where nothing in it has a name."""
    if isinstance(item, Mapping):
        return item
    names = _fields(item)
    return {name: getattr(item, name) for name in names} if names else None


def _fields(item: Any) -> Sequence[str]:
    """The names of a dataclass's fields, or those of a namedtuple if one of them is a picture's."""
    if is_dataclass(item) and not isinstance(item, type):
        return [field.name for field in fields(item)]
    names = getattr(item, "_fields", ()) if isinstance(item, tuple) else ()
    return names if any(name.lower() in IMAGES for name in names) else ()


def _first(wanted: Sequence[str], parts: Mapping[Any, Any]) -> tuple[Any, Any]:
    """The name, as it is written there, and the part of the first of some names that is there; (None, None) if none is."""
    written = {str(name).lower(): name for name in parts}
    found = ((written[name], parts[written[name]]) for name in wanted if name in written)
    return next((one for one in found if one[1] is not None), (None, None))


def _is_item(part: Any) -> bool:
    """Whether a part of a batch is an item, and not all of its pictures or labels."""
    if not isinstance(part, (tuple, list)) or _fields(part):
        return _named_parts(part) is not None
    return not (len({np.shape(one) for one in part}) == 1 and np.ndim(part[0]) > 1)


def _vector(label: Any) -> list[float] | None:
    """A label's numbers, if it is a number or a vector of them."""
    if isinstance(label, torch.Tensor):
        return label.detach().double().flatten().tolist() if label.ndim < 2 or label.numel() == 1 else None
    if isinstance(label, (float, np.number, np.ndarray, list, tuple)):
        try:
            values = np.asarray(label, float)
        except (TypeError, ValueError):
            return None
        return values.flatten().tolist() if values.size and (values.ndim < 2 or values.size == 1) else None
    return None


def _tensor(values: Any, what: str) -> torch.Tensor:
    """What a batch holds, as a tensor."""
    try:
        if isinstance(values, (list, tuple)) and any(isinstance(value, (torch.Tensor, np.ndarray)) for value in values):
            return torch.stack([torch.as_tensor(value) for value in values])
        return torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"expected a batch's {what} as a tensor of numbers, got {describe(values)}") from None


def describe(values: Any) -> str:
    """What a batch holds, in words: ``a float32 tensor 16×1``."""
    if isinstance(values, torch.Tensor):
        return describe_tensor(values)
    if isinstance(values, (list, tuple)) and values:
        return f"a {type(values).__name__} of {type(values[0]).__name__}"
    return f"a {type(values).__name__}"
