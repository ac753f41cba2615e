"""What the curves of loss and accuracy tell: NaN, a wrong rate, a plateau, over-fitting, too little time."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from cnnwidgets.methods.diagnosis.losses import expected
from cnnwidgets.methods.diagnosis.symptom import ALARM, HINT, Seen, Symptom, called, median_of
from cnnwidgets.methods.records import BAND, Record
from cnnwidgets.numbers import number, percent


def broken(record: Record) -> Seen | None:
    where = record.facts.get("non_finite")
    if where:
        what, layer, step = where["what"], called(where["layer"]), where["step"]
        told = {
            "weight": f"the weights of {layer} are NaN or infinite after step {step:,}",
            "gradient": f"the gradient of {layer} is NaN or infinite at step {step:,}, the first on the way back",
            "activation": f"{layer} is the first to give NaN or infinity, at step {step:,}",
            "input": f"the pictures of step {step:,} hold NaN or infinity",
            "loss": f"the loss is NaN or infinite at step {step:,}, though all that goes into it is finite",
        }
        return Seen(where["layer"], step, {"told": told[what]})
    bad = np.flatnonzero(~np.isfinite(record.history.loss))
    unknown = len(bad) == record.steps and np.isnan(record.history.loss).all() and not record.facts.get("first")
    if not len(bad) or (unknown and record.facts):
        return None
    value = number(record.history.loss[bad[0]])
    return Seen("", int(bad[0]), {"told": f"the loss is {value} at step {int(bad[0]):,}"})


def smoothed(loss: np.ndarray) -> np.ndarray:
    """The median of the steps around: a tenth of the curve, at least 5."""
    width = max(5, len(loss) // 10) | 1
    padded = np.pad(loss, width // 2, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, width), axis=1)


def beginning(record: Record) -> float:
    """The loss of a network that has not learned yet: that of the first three steps, the smallest, or that of guessing.

    A network that was trained before starts below that of guessing; of a history it is only known to be at least ln 2.
    """
    one, known = record.history, record.facts.get("first")
    guessing = expected(record) if known else math.log(2) if np.isfinite(one.accuracy[:3]).any() else None
    first = [float(loss) for loss in one.loss[:3] if math.isfinite(loss)]
    return max([*sorted(first)[:1], *([guessing] if guessing else [])], default=math.nan)


def warms_up(record: Record) -> bool:
    """Whether the rate still rises, so that little can be said of it yet."""
    rates = record.history.rates.max(0) if record.history.rates.size else np.zeros(1)
    return bool(rates[-1] > 1.5 * np.median(rates))


def too_high(record: Record) -> Seen | None:
    loss = record.history.loss
    start, finite = beginning(record), np.isfinite(loss)
    if not math.isfinite(start) or start <= 0:
        return None
    curve = smoothed(np.where(finite, loss, np.inf))
    high = np.flatnonzero(curve > 1.5 * start)
    worse = curve[-1] > 1.5 * start or not finite[-1]
    ratio = _ratio(record)
    if worse and len(high):
        step = int(high[0])
        told = f"from step {step:,} on the loss rises, from {number(curve[0])} to {number(curve[-1])}"
        return Seen("", step, {"told": told})
    learned = curve[-1] < 0.5 * start
    peak = int(np.where(finite, loss, 0).argmax())
    if peak and not learned and loss[peak] > 3 * start:  # a loss that only begins high has not jumped
        told = f"the loss jumps from {number(loss[0])} to {number(loss[peak])} at step {peak:,}"
        return Seen("", peak, {"told": f"{told}, and ends at {number(curve[-1])}"})
    wild = ratio > 30 * BAND and not learned
    if wild:
        told = f"a step changes the weights by {percent(ratio)} (about {percent(BAND)} is usual)"
        return Seen("", None, {"told": f"{told}, and the loss only goes from {number(curve[0])} to {number(curve[-1])}"})
    fell = np.flatnonzero(curve < 0.5 * start)
    again = np.flatnonzero((loss > 2 * start) & (np.arange(len(loss)) > (fell[0] if len(fell) else len(loss))))
    if len(again) > 1:
        told = f"the loss jumps to {number(loss[again[0]])} at step {again[0]:,}, above its start, {number(start)}"
        return Seen("", int(again[0]), {"told": told})
    return None


def too_low(record: Record) -> Seen | None:
    loss, start = record.history.loss, beginning(record)
    if not np.isfinite(loss).all() or len(loss) < 30 or warms_up(record):
        return None
    curve = smoothed(loss)
    if curve[-1] < 0.5 * start:
        return None
    fall = stats.linregress(np.arange(len(loss)), loss)
    gone = -fall.slope * len(loss)
    ratio = _ratio(record)
    if math.isfinite(ratio):
        small = ratio < BAND / 10 and gone < 0.2 * start
        told = f"a step changes the weights by {number(ratio)} of their size (about {number(BAND)} is usual), and "
    else:  # it falls without doubt, and hardly
        small, told = 0 < gone < 0.2 * start and fall.pvalue < 1e-4, ""
    if not small:
        return None
    falls = f"the loss goes from {number(curve[0])} to {number(curve[-1])} in {len(loss):,} steps"
    return Seen("", None, {"told": told + falls})


def plateau(record: Record) -> Seen | None:
    loss, start = record.history.loss, beginning(record)
    if not np.isfinite(loss).all() or len(loss) < 50 or warms_up(record):
        return None
    curve = smoothed(loss)
    half = loss[len(loss) // 2 :]
    fall = -stats.linregress(np.arange(len(half)), half).slope * len(half)
    level = float(np.median(half))
    if not 0.5 * start < level < 1.5 * start or fall > 0.03 * start:
        return None
    step = int(np.flatnonzero(np.abs(curve - level) < max(0.05 * level, 1e-12))[0])
    return Seen("", step, {"level": number(level), "start": number(curve[0]), "count": f"{len(loss) - step:,}"})


def over_fitting(record: Record) -> Seen | None:
    one = record.history
    losses = one.validation_loss
    finite = np.isfinite(losses)
    if not finite.all():
        return None
    best, first = int(losses.argmin()), float(losses[0])
    last = float(min(np.median(losses[best:]), losses[-2:].min()))  # no outlier counts
    train = one.epoch_loss
    noise = float(np.diff(losses[len(losses) // 3 :]).std()) / math.sqrt(2)  # from epoch to epoch
    if best >= len(losses) - 2 or not last - losses[best] > max(0.1 * losses[best], 0.02 * first):
        return None
    trend = stats.kendalltau(np.arange(len(losses) - best - 1), losses[best + 1 :])
    rises = last - losses[best] > 3 * noise or (trend.statistic > 0 and trend.pvalue < 1e-3)
    if not rises or not train[-1] < 0.9 * train[best] or not last > 1.5 * train[-1]:
        return None
    words = {"epoch": str(best + 1), "low": number(losses[best]), "last": number(losses[-1]), "train": number(train[-1])}
    return Seen("", int(one.ends[best]), words)


def too_short(record: Record) -> Seen | None:
    losses, facts = record.history.validation_loss, record.facts
    goes_on = record.steps < (facts.get("epochs") or 0) * (facts.get("epoch_steps") or 0)
    if not np.isfinite(losses).all() or losses[0] <= 0 or goes_on:
        return None
    third = -(-len(losses) // 3)
    falling = losses[-1] < 0.95 * losses[-2] and losses[-1] < 0.9 * losses[-1 - third] and losses[-1] == losses.min()
    if not falling or losses[-1] < 0.25 * losses[0]:
        return None
    words = {"then": number(losses[-1 - third]), "now": number(losses[-1])}
    return Seen("", None, {**words, "count": "epoch" if third == 1 else f"{third} epochs"})


def _ratio(record: Record) -> float:
    """The median ratio of update to weight over layers and samples, 0 of weights that stay; NaN if it is not known."""
    ratios = np.where(record.update == 0, 0.0, record.update_ratio)
    return median_of(ratios[len(record.samples) // 10 :])


BROKEN = Symptom(
    "NaN or infinity",
    ("losses",),
    broken,
    "{told}.",
    "Start with a tenth of the rate, and clip the gradient's norm (torch.nn.utils.clip_grad_norm_); look there for a "
    "division, a logarithm or a root of 0.",
    ALARM,
)
TOO_HIGH = Symptom(
    "rate too high",
    ("curve",),
    too_high,
    "{told}.",
    "Divide the learning rate by 10, or warm it up; LRFinder shows how high it may be.",
    ALARM,
)
TOO_LOW = Symptom(
    "rate too low",
    ("curve",),
    too_low,
    "{told}.",
    "Multiply the learning rate by 10; LRFinder shows where the loss falls fastest.",
)
PLATEAU = Symptom(
    "plateau",
    ("curve",),
    plateau,
    "the loss has stayed at {level} for the last {count} steps; it began at {start}.",
    "See whether the network over-fits 20 pictures: if it does not, look for a mistake in labels, loss or network; if it "
    "does, change the learning rate.",
)
OVER_FITTING = Symptom(
    "over-fitting",
    ("curve", "validations"),
    over_fitting,
    "the validation loss has risen since epoch {epoch}, from {low} to {last}; the training loss has fallen to {train}.",
    "Keep the weights of epoch {epoch} (early stopping); get more data, augment, or regularize.",
)
TOO_SHORT = Symptom(
    "too little time",
    ("curve", "validations"),
    too_short,
    "the validation loss still falls, from {then} to {now} in the last {count}.",
    "Train for longer.",
    HINT,
)
CURVES = (BROKEN, TOO_HIGH, TOO_LOW, PLATEAU, OVER_FITTING, TOO_SHORT)
