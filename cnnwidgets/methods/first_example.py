"""Which picture of a data set is worth a look before anybody has chosen one."""

from __future__ import annotations

import numpy as np

from cnnwidgets.methods.features import Features


def first_example(found: Features, right: np.ndarray | None) -> tuple[int, str]:
    """The row of a picture, and why it is this one: the most confident mistake; without one the least certain answer.

    Where the network gives no probabilities, or no picture has a label, it is the picture nearest to the mean.

    Parameters:
        right: bool (n,), whether each prediction is the label; None where that is not known.
    """
    if found.confidence is None or right is None:
        far = np.linalg.norm(found.values - found.values.mean(0, dtype=float), axis=1)
        return int(far.argmin()), "the picture nearest to the mean of all"
    wrong = np.flatnonzero(~right & (found.labels >= 0))
    if len(wrong):
        return int(wrong[found.confidence[wrong].argmax()]), "the most confident mistake"
    return int(found.confidence.argmin()), "no mistake here: this is the least certain answer"
