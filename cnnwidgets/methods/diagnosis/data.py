"""What pictures and labels tell: their range, their order, the sizes of classes, and whether they belong together."""

from __future__ import annotations

import math

import numpy as np

from cnnwidgets.methods.diagnosis.symptom import ALARM, HINT, WARNING, Seen, Symptom
from cnnwidgets.methods.records import Record
from cnnwidgets.numbers import number, percent


def not_scaled(record: Record) -> Seen | None:
    least, largest, mean, _ = record.inputs
    if not (least.min() >= 0 and 100 < largest.max() <= 255 and mean.max() > 5):
        return None
    return Seen("", None, {"low": number(least.min()), "high": number(largest.max()), "mean": number(mean.mean())})


def not_centered(record: Record) -> Seen | None:
    mean, deviation = record.inputs[2:]
    off = np.abs(mean) / np.maximum(deviation, 1e-12)
    k = int(off.argmax())
    if off[k] <= 1 or not_scaled(record):
        return None
    return Seen("", None, {"channel": str(k), "mean": number(mean[k]), "deviation": number(deviation[k])})


def other_preprocessing(record: Record) -> Seen | None:
    (mean, deviation), (then, spread) = record.inputs[2:], record.validation_inputs[2:]
    ratio = np.maximum(spread, 1e-12) / np.maximum(deviation, 1e-12)
    shift = np.abs(mean - then) / np.maximum(deviation, 1e-12)
    strange = np.maximum(shift / 0.5, np.abs(np.log(ratio)) / math.log(1.5))
    k = int(strange.argmax())
    if strange[k] <= 1:
        return None
    training, validation = (f"{number(m[k])} ± {number(s[k])}" for m, s in ((mean, deviation), (then, spread)))
    return Seen("", None, {"training": training, "validation": validation, "channel": str(k)})


def varying_validation(record: Record) -> Seen | None:
    if record.facts.get("validation_varies"):
        return Seen("", None, {"told": "the same validation picture is another one when it is read again"})
    sizes = np.array(record.facts.get("validation_sizes", []))
    prints = record.prints
    if len(sizes) != len(prints):
        return None
    for size in np.unique(sizes[sizes > 0]):
        some = prints[sizes == size]
        if len(some) > 1 and np.abs(some - some[0]).max() > 1e-6 * max(1.0, np.abs(some).max()):
            told = f"the {size:,} validation pictures differ from one validation to the next, in all {len(some)} of them"
            return Seen("", None, {"told": told})
    return None


def runs(labels: np.ndarray) -> tuple[int, float]:
    """How many runs of equal labels there are, and how many are expected in a random order."""
    shares = np.bincount(labels[labels >= 0]) / max(1, (labels >= 0).sum())
    return 1 + int((np.diff(labels) != 0).sum()), 1 + (len(labels) - 1) * float(1 - (shares**2).sum())


def unshuffled(record: Record) -> Seen | None:
    found, expected = runs(record.labels)
    if found >= expected / 2 or len(np.unique(record.labels)) < 2:
        return None
    length = number(len(record.labels) / found, 2)
    return Seen("", None, {"length": length, "usual": number(len(record.labels) / expected, 2)})


def same_order(record: Record) -> Seen | None:
    each = record.facts.get("epoch_steps")
    if not each or record.steps < 2 * each:
        return None
    size = int(record.sizes[:each].sum())
    first, second = record.labels[:size], record.labels[size : 2 * size]
    alike = len(second) == size and len(np.unique(first)) > 1 and np.array_equal(first, second)
    return Seen("", int(each), {"count": f"{size:,}"}) if alike and size > 20 else None


def imbalance(record: Record) -> Seen | None:
    counts = record.counts
    epochs = max(1.0, record.steps / (record.facts.get("epoch_steps") or record.steps))
    if len(counts) < 2 or counts.sum() < 20 * len(counts) * epochs or starts_at_one(record):
        return None
    most, least = int(counts.argmax()), int(counts.argmin())
    if counts[most] < 10 * counts[least]:
        return None
    words = {"most": str(most), "least": str(least), "share": percent(counts[most] / counts.sum())}
    return Seen("", None, {**words, "few": f"{counts[least]:,}", "many": f"{counts[most]:,}"})


def starts_at_one(record: Record) -> bool:
    """Whether no label is 0, and all the others occur."""
    counts = record.counts
    return len(counts) > 2 and counts[0] == 0 and bool((counts[1:] > 0).all()) and counts.sum() >= 20 * len(counts)


def wrong_labels(record: Record) -> Seen | None:
    if len(record.counts) and starts_at_one(record):
        classes = len(record.counts)
        told = f"the labels go from 1 to {classes - 1}, but the network has {classes} classes, numbered from 0"
        return Seen("", None, {"told": told})
    table = record.confusion
    if not table.size or table.sum() < 10 * len(table):
        return None
    classes, total = len(table), table.sum()
    right = np.trace(table) / total
    said = table.argmax(1)
    if right < 0.5 / classes and table.max(1).sum() / total > 0.5 and len(set(said)) == classes:
        k = int(table.max(1).argmax())
        told = f"pictures of class {k} are called {said[k]} in {percent(table[k, said[k]] / table[k].sum())} of all cases, "
        return Seen("", None, {"told": told + "and so it goes for every class: the validation labels are in another order"})
    error = math.sqrt((1 - 1 / classes) / classes / total)
    if len(set(said)) < classes / 2 or (record.counts > 3 * record.counts.mean()).any():
        return None  # it says few classes, maybe because they are frequent
    trained = record.history.epoch_accuracy[-1] if len(record.history.ends) else math.nan
    if right < 1 / classes + 2 * error and trained > 1 / classes + max(0.15, 5 * error):
        told = f"{percent(trained)} of the training pictures are right, but {percent(right)} of the others, as by chance"
        return Seen("", None, {"told": f"{told} ({percent(1 / classes)}): training labels do not belong to their pictures"})
    return None


DATA = (
    Symptom(
        "inputs in [0, 255]",
        ("inputs",),
        not_scaled,
        "the pictures' values go from {low} to {high}, with a mean of {mean}.",
        "Divide by 255, subtract the mean and divide by the deviation, in training and in test (v2.ToDtype(torch.float32, "
        "scale=True), v2.Normalize).",
        ALARM,
    ),
    Symptom(
        "inputs not centered",
        ("inputs",),
        not_centered,
        "channel {channel} of the pictures has mean {mean} and deviation {deviation}.",
        "Subtract the mean of the training pictures and divide by their deviation, in training and in test.",
        HINT,
    ),
    Symptom(
        "other preprocessing at test time",
        ("validation inputs",),
        other_preprocessing,
        "channel {channel} is {training} in training and {validation} in validation.",
        "Scale and normalize both alike: only augmentation belongs to training alone.",
        ALARM,
    ),
    Symptom(
        "augmentation on validation",
        ("validation pictures",),
        varying_validation,
        "{told}.",
        "Give the validation data a transform of its own, without random parts; if these are random samples, keep to one.",
        WARNING,
    ),
    Symptom(
        "labels shifted or permuted",
        ("counts",),
        wrong_labels,
        "{told}.",
        "Look at some pictures with their labels, as the loader gives them; map class names to numbers once, for all parts.",
        ALARM,
    ),
    Symptom(
        "unshuffled data",
        ("labels",),
        unshuffled,
        "pictures of one class come in runs of {length} on average; {usual} is chance.",
        "Give the training loader shuffle=True.",
        ALARM,
    ),
    Symptom(
        "same order in each epoch",
        ("labels",),
        same_order,
        "the {count} labels of the second epoch come in the order of the first.",
        "Give the training loader shuffle=True.",
        HINT,
    ),
    Symptom(
        "imbalance",
        ("counts",),
        imbalance,
        "there are {many} pictures of class {most} and {few} of class {least}; always saying {most} "
        "is right {share} of the time.",
        "Judge by the mean accuracy of the classes; weight the loss (weight=) or sample evenly (WeightedRandomSampler).",
        WARNING,
    ),
)
