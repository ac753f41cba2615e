"""What is told of each point of a layout: its color, its class, its number, what the network says of its picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnnwidgets.methods.embedding_state import EmbeddingState
from cnnwidgets.methods.point_colors import PointColoring, places_of


def point_marks(state: EmbeddingState, coloring: PointColoring, color: str) -> dict[str, Any]:
    """Arrays by name, with an entry for each of the n points and the m that joined, and what they are indices of.

    - ``colors`` with ``names``, ``indices``, ``span`` and ``quantity``: as of :class:`PointColors`;
    - ``labels``: indices in ``classes``, -1 for none; ``top``: the most probable classes, too, and ``chance`` their
      probabilities, where the network gives any;
    - ``numbers``: the pictures' numbers in their data set; ``added``: (m,), which points joined.

    Raises:
        ValueError: there is no such color.
    """
    found, added = state.features, state.added
    colors, classes = coloring.of(color, found, state.trust), coloring.classes(found)
    groups, shades = [found], [colors.colors]
    if added:
        groups.append(added.features)
        shades.append(coloring.of_others(color, colors, added.features))
    places = places_of(np.concatenate([one.labels for one in groups]), classes)
    names = tuple(classes.values())
    same = names == found.classes
    answers: dict[str, Any] = (
        {} if found.top is None else {"top": [one.top for one in groups], "chance": [one.chances for one in groups]}
    )
    return {
        "colors": np.concatenate(shades),
        "names": colors.names,
        "indices": colors.indices,
        "span": colors.span,
        "quantity": colors.quantity,
        "classes": [*found.classes, *(() if same else names)],
        "labels": places if same else np.where(places < 0, -1, places + len(found.classes)),
        "numbers": np.concatenate([one.indices for one in groups]),
        "added": np.arange(len(found.values), sum(len(one.values) for one in groups)),
        **{name: np.concatenate(parts) for name, parts in answers.items()},
    }
